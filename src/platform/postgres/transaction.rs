//! How transactions begin.
//!
//! Nothing is set for a session: poolers in transaction mode (PgBouncer, RDS Proxy, Supavisor, Odyssey) give one server
//! session to many clients. And nothing is set that the user's SQL could see the values of: a view's `created_at::date` and
//! a predicate's literals mean what they mean to every other client of this login.

use super::Postgres;
use crate::domain::spec::RowSecurity;
use crate::platform::postgres_family::{cursor, millis};
use crate::platform::transaction::{
    Isolation, Opening, ServerCursor, TransactionSettings, Transactions,
};

/// How sessions of ours are called while they work; the query for running transactions leaves these out.
const APPLICATION: &str = "snowhaul";

/// The session, and the time at which the transaction began.
const POSTGRES_IDENTITY: &str = "CAST(pg_catalog.pg_backend_pid() AS varchar) || ' ' || CAST(EXTRACT(epoch FROM pg_catalog.now()) AS varchar)";

impl Transactions for Postgres {
    fn opening(&self, settings: &TransactionSettings) -> Opening {
        opening(settings)
    }

    fn cursor(&self, query: &str) -> Option<ServerCursor> {
        Some(cursor(query, 10_000))
    }
}

fn opening(settings: &TransactionSettings) -> Opening {
    let isolation = match settings.isolation {
        Isolation::EachStatement => "read committed",
        Isolation::OneSnapshot => "repeatable read",
    };
    let row_security = match settings.row_security {
        // A statement that a policy would filter fails instead.
        // https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
        RowSecurity::Refuse => "off",
        RowSecurity::Accept => "on",
    };
    let mut wanted = vec![
        ("application_name", APPLICATION.to_owned()),
        // A pooler may lose what the driver has asked for at its login.
        ("client_encoding", "UTF8".to_owned()),
        ("row_security", row_security.to_owned()),
        // While the stage is slow, a transaction waits for it.
        ("idle_in_transaction_session_timeout", "0".to_owned()),
        ("transaction_timeout", "0".to_owned()),
    ];
    wanted.extend(millis(settings).map(|limit| ("statement_timeout", limit)));
    let list: Vec<String> = wanted
        .iter()
        .map(|(name, value)| format!("('{name}', '{value}')"))
        .collect();
    // Settings that a version lacks are in no row of pg_settings. What the driver, or another client of the same server
    // session, has set for the session goes back to the login's default.
    let settings = format!(
        "SELECT w.name, pg_catalog.set_config(w.name, w.value, true) FROM (\
         SELECT s.name, COALESCE(v.value, s.reset_val) AS value FROM pg_catalog.pg_settings s LEFT JOIN (VALUES {}) v (name, value) ON v.name = s.name \
         WHERE v.name IS NOT NULL OR (s.source = 'session' AND s.context = 'user' AND s.name NOT IN ('transaction_isolation', 'transaction_read_only', \
         'transaction_deferrable'))) w \
         UNION ALL SELECT f.name, pg_catalog.current_setting(f.name) FROM (VALUES ('transaction_isolation'), ('transaction_read_only'), \
         ('server_encoding')) f (name) \
         UNION ALL SELECT 'session', CAST(pg_catalog.pg_backend_pid() AS varchar) UNION ALL SELECT 'identity', {POSTGRES_IDENTITY}",
        list.join(", ")
    );
    Opening {
        statements: vec![format!(
            "SET TRANSACTION ISOLATION LEVEL {}, READ ONLY",
            isolation.to_uppercase()
        )],
        settings,
        expected: vec![
            ("transaction_isolation", isolation.to_owned()),
            ("transaction_read_only", "on".to_owned()),
            ("client_encoding", "UTF8".to_owned()),
            ("row_security", row_security.to_owned()),
        ],
        identity: format!("SELECT {POSTGRES_IDENTITY}"),
        ending: None,
        timeout_seconds: None,
    }
}
