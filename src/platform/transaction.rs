//! How a transaction on the source begins: pure.

use crate::domain::spec::RowSecurity;
use std::time::Duration;

/// What a transaction on the source is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionSettings {
    /// What its statements see.
    pub isolation: Isolation,
    /// How long one of its statements may take; `None`: as long as the source allows the login.
    pub statement_timeout: Option<Duration>,
    /// What happens where a policy hides rows from the login.
    pub row_security: RowSecurity,
}

/// What the statements of a transaction see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each what is committed when it begins.
    #[default]
    EachStatement,
    /// All the same.
    OneSnapshot,
}

/// How a transaction begins. Everything that it sets ends with it: behind a pooler, the next transaction of the same
/// server session may be another client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Statements that come first, in order.
    pub statements: Vec<String>,
    /// The query that comes next: rows of two texts, a setting's name and its value. Besides settings it tells `session`,
    /// what names the server's session, `server_encoding`, and `identity`.
    pub settings: String,
    /// What it must answer, for those settings that this version of the platform has.
    pub expected: Vec<(&'static str, String)>,
    /// A query of one text, `identity`. Within one transaction it always answers the same, and elsewhere something else.
    pub identity: String,
    /// The statement that ends the transaction, where one of the `statements` begins it. `None`: the driver begins one with
    /// the first statement, and ends it.
    pub ending: Option<&'static str>,
    /// Seconds after which the driver cancels a statement, where no statement sets a limit at the server.
    pub timeout_seconds: Option<usize>,
}

/// A cursor of the server's own, for a driver that would otherwise read the whole answer into memory.
#[derive(Clone, Debug)]
pub struct ServerCursor {
    /// Opens the cursor, within a transaction.
    pub declare: String,
    /// Writes the statement that fetches so many of the next rows.
    pub fetch: fn(usize) -> String,
    /// The most rows that one fetch may ask for.
    pub most_rows: usize,
}

/// Transactions of a platform.
pub trait Transactions: Send + Sync {
    /// How each transaction on the source begins.
    fn opening(&self, settings: &TransactionSettings) -> Opening;

    /// Whether all statements of a transaction see one state of the tables, whatever was asked for: what is to be seen
    /// after another transaction has ended needs a new one.
    fn sees_one_snapshot(&self) -> bool {
        false
    }

    /// The cursor through which the rows of a query are read. `None`: the driver streams an answer by itself.
    fn cursor(&self, query: &str) -> Option<ServerCursor>;
}
