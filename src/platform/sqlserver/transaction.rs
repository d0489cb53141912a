//! How transactions begin.
//!
//! The driver's autocommit stays on: turned off, the driver begins a transaction by itself, in which the isolation level can
//! be changed to SNAPSHOT no more (error 3951).
//! <https://learn.microsoft.com/sql/t-sql/statements/set-transaction-isolation-level-transact-sql>
//!
//! Where the database allows no snapshots, or is on its way there (`snapshot_isolation_state` other than 1), each statement
//! reads what is committed. Microsoft's and FreeTDS's drivers give each client a session of its own, and no pooler shares
//! sessions of SQL Server between transactions: what is set for a session stays ours.
//!
//! A memory-optimised table cannot be read in a session whose isolation is SNAPSHOT (error 41332), nor within a transaction
//! under READ COMMITTED without the hint `WITH (SNAPSHOT)` (error 41368).
//! <https://learn.microsoft.com/sql/relational-databases/in-memory-oltp/transactions-with-memory-optimized-tables>

use super::SqlServer;
use crate::platform::transaction::{Opening, ServerCursor, TransactionSettings, Transactions};

/// What a statement's meaning and form depend on; the group from QUOTED_IDENTIFIER on is what methods of xml and indexes on
/// computed columns need. <https://learn.microsoft.com/sql/t-sql/statements/set-statements-transact-sql>
const SESSION: &str = "SET NOCOUNT ON; SET LANGUAGE us_english; SET DATEFORMAT ymd; \
     SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET CONCAT_NULL_YIELDS_NULL ON; \
     SET ARITHABORT ON; SET NUMERIC_ROUNDABORT OFF; SET ROWCOUNT 0; SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT 60000; \
     SET DEADLOCK_PRIORITY LOW";

const SNAPSHOT: &str = "IF EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND snapshot_isolation_state = 1) \
     SET TRANSACTION ISOLATION LEVEL SNAPSHOT ELSE SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The session, and whether a transaction is open in it: nobody but us begins one there.
const IDENTITY: &str = "CAST(@@SPID AS nvarchar(10)) + N' in ' + CAST(@@TRANCOUNT AS nvarchar(10))";

impl Transactions for SqlServer {
    fn opening(&self, settings: &TransactionSettings) -> Opening {
        Opening {
            statements: vec![
                SESSION.to_owned(),
                // Always: under locks, statements would wait for every writer.
                SNAPSHOT.to_owned(),
                "BEGIN TRANSACTION".to_owned(),
            ],
            settings: format!(
                "SELECT N'session', CAST(@@SPID AS nvarchar(10)) \
                 UNION ALL SELECT N'transactions', CAST(@@TRANCOUNT AS nvarchar(10)) \
                 UNION ALL SELECT N'server_encoding', N'UTF-16' \
                 UNION ALL SELECT N'identity', {IDENTITY}"
            ),
            expected: vec![("transactions", "1".to_owned())],
            identity: format!("SELECT {IDENTITY}"),
            ending: Some("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"),
            // No statement sets such a limit: the driver cancels.
            timeout_seconds: settings.statement_timeout.map(|limit| {
                let seconds = limit.as_millis().div_ceil(1_000).max(1);
                usize::try_from(seconds).unwrap_or(usize::MAX)
            }),
        }
    }

    fn sees_one_snapshot(&self) -> bool {
        true
    }

    fn cursor(&self, _query: &str) -> Option<ServerCursor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::transaction::Isolation;
    use std::time::Duration;

    #[test]
    fn a_snapshot_is_asked_for_only_where_it_is_allowed() {
        let opening = |isolation| {
            SqlServer.opening(&TransactionSettings {
                isolation,
                statement_timeout: Some(Duration::from_millis(1_500)),
                ..TransactionSettings::default()
            })
        };
        let whole = opening(Isolation::OneSnapshot);
        assert!(whole.statements[1].contains("snapshot_isolation_state = 1"));
        assert_eq!(
            whole.statements.last().map(String::as_str),
            Some("BEGIN TRANSACTION")
        );
        assert_eq!(whole.timeout_seconds, Some(2));
        let each = opening(Isolation::EachStatement);
        assert_eq!(each.statements, whole.statements);
    }
}
