//! Sessions on a source, whose every statement stands in a transaction that sets what it needs and gives it up at its end.
//!
//! A server's session may be shared with other clients (PgBouncer, RDS Proxy and their kind in transaction mode). So nothing
//! is set for a session, and each transaction looks whether it has what it asked for.

use super::connection::connect;
use super::error::{SourceError, SourceErrorKind};
use crate::domain::quantity::shortened;
use crate::domain::source_settings::SourceSettings;
use crate::platform::{Opening, Query, SourcePlatform, TextRow, TransactionSettings};
use odbc_api::Connection;
use std::cell::{Cell, RefCell};

/// Answers queries about one place.
pub(crate) trait Ask {
    /// The rows of the answer.
    fn ask<T>(&self, query: &Query<T>) -> Result<Vec<T>, SourceError>;

    /// The first row of the answer.
    fn ask_first<T>(&self, query: &Query<T>) -> Result<Option<T>, SourceError> {
        Ok(self.ask(query)?.into_iter().next())
    }
}

/// A session that is asked about one table, or about its source.
pub(crate) struct At<'a> {
    /// The session.
    pub(crate) session: &'a SourceSession<'a>,
    /// What messages call the table.
    pub(crate) place: &'a str,
}

impl Ask for At<'_> {
    fn ask<T>(&self, query: &Query<T>) -> Result<Vec<T>, SourceError> {
        self.session.ask(query, self.place)
    }
}

/// Characters of a statement that a message shows at most.
const SHOWN_SQL: usize = 120;

/// What a transaction has told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransactionFacts {
    /// Names the server's session.
    pub(super) session: String,
    /// The database's own encoding.
    pub(crate) encoding: String,
    /// See [`Opening::identity`].
    identity: String,
}

/// A session, in a transaction or between two.
pub(crate) struct SourceSession<'a> {
    connection: Connection<'static>,
    driver: String,
    pub(crate) platform: &'a dyn SourcePlatform,
    source: String,
    opening: RefCell<Opening>,
    open: RefCell<Option<TransactionFacts>>,
    statements: Cell<u32>,
}

impl<'a> SourceSession<'a> {
    /// Logs in. The first transaction begins with the first statement.
    pub(crate) fn open(
        settings: &SourceSettings,
        platform: &'a dyn SourcePlatform,
        transactions: &TransactionSettings,
    ) -> Result<Self, SourceError> {
        let opening = platform.opening(transactions);
        let (connection, driver) = connect(settings, platform, opening.ending.is_some())?;
        Ok(Self {
            connection,
            driver,
            platform,
            source: settings.place(),
            opening: RefCell::new(opening),
            open: RefCell::new(None),
            statements: Cell::new(0),
        })
    }

    /// What messages call the source.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Statements so far, those that begin and end transactions included.
    pub(super) fn statements(&self) -> u32 {
        self.statements.get()
    }

    /// Begins a transaction, if none has begun, and looks whether it is as it was asked for.
    pub(crate) fn begin(&self) -> Result<TransactionFacts, SourceError> {
        if let Some(facts) = self.open.borrow().as_ref() {
            return Ok(facts.clone());
        }
        let begun = self.begin_anew();
        match &begun {
            Ok(facts) => *self.open.borrow_mut() = Some(facts.clone()),
            Err(_) => self.abandon(),
        }
        begun
    }

    /// Ends the transaction, if one has begun; the next ones are as these settings say.
    pub(super) fn switch(&self, transactions: &TransactionSettings) -> Result<(), SourceError> {
        self.end()?;
        *self.opening.borrow_mut() = self.platform.opening(transactions);
        Ok(())
    }

    fn begin_anew(&self) -> Result<TransactionFacts, SourceError> {
        let opening = self.opening.borrow();
        for statement in &opening.statements {
            self.run(statement, &self.source)?;
        }
        let rows = self.run(&opening.settings, &self.source)?;
        let value_of = |name: &str| {
            let row = rows.iter().find(|row| {
                row.first()
                    .is_some_and(|cell| cell.as_deref() == Some(name))
            })?;
            row.get(1)?.as_deref()
        };
        for (name, wanted) in &opening.expected {
            if let Some(value) = value_of(name)
                && value != wanted
            {
                return Err(self.is_not_ours(&format!("{name} is {value} instead of {wanted}")));
            }
        }
        let text = |name| value_of(name).unwrap_or_default().to_owned();
        Ok(TransactionFacts {
            session: text("session"),
            encoding: text("server_encoding"),
            identity: text("identity"),
        })
    }

    fn identity(&self) -> Result<String, SourceError> {
        let rows = self.run(&self.opening.borrow().identity, &self.source)?;
        Ok(rows
            .into_iter()
            .flatten()
            .next()
            .flatten()
            .unwrap_or_default())
    }

    fn is_not_ours(&self, what: &str) -> SourceError {
        SourceError::new(
            SourceErrorKind::Other,
            format!(
                "statements of one transaction do not reach one session of the server ({what}), because something between the worker and the server gives each statement another session; connect to the server itself, or set the pooler to transaction or session mode"
            ),
        )
        .at(&self.source)
    }

    /// Ends the transaction, once it is sure that all of it was one.
    pub(crate) fn end(&self) -> Result<(), SourceError> {
        let Some(facts) = self.open.borrow_mut().take() else {
            return Ok(());
        };
        let ended = self.identity().and_then(|identity| {
            if identity == facts.identity {
                Ok(())
            } else {
                Err(self.is_not_ours("it has ended under way"))
            }
        });
        // There is nothing to commit.
        self.abandon();
        ended
    }

    /// Rolls back; a connection that is gone has nothing to roll back.
    fn abandon(&self) {
        self.open.borrow_mut().take();
        let ending = self.opening.borrow().ending;
        let ended = match ending {
            Some(statement) => self.connection.execute(statement, (), None).map(|_| ()),
            None => self.connection.rollback(),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "the transaction on the source could not be rolled back");
        }
    }

    /// The rows of a query. A failed one ends its transaction, and the next statement begins another.
    pub(crate) fn ask<T>(&self, query: &Query<T>, place: &str) -> Result<Vec<T>, SourceError> {
        let rows = self.execute(&query.sql, place)?;
        rows.into_iter()
            .map(|row| {
                (query.read)(row).ok_or_else(|| {
                    SourceError::new(
                        SourceErrorKind::Other,
                        format!(
                            "the source answered a row of another form than its platform documents, to {}",
                            shortened(&query.sql, SHOWN_SQL)
                        ),
                    )
                    .at(place)
                })
            })
            .collect()
    }

    /// Runs a statement within the transaction, and answers what it returns.
    pub(crate) fn execute(&self, sql: &str, place: &str) -> Result<Vec<TextRow>, SourceError> {
        self.begin()?;
        self.run(sql, place).inspect_err(|_| self.abandon())
    }

    /// A failure of the driver, in the platform's terms.
    pub(crate) fn failure(&self, error: &odbc_api::Error, place: &str) -> SourceError {
        SourceError::from_odbc(error, self.platform, place)
    }

    fn run(&self, sql: &str, place: &str) -> Result<Vec<TextRow>, SourceError> {
        use odbc_api::{Cursor, ResultSetMetadata};
        self.statements.set(self.statements.get() + 1);
        let fail = |error: odbc_api::Error| self.failure(&error, place);
        let answer = self.connection.execute(sql, (), self.timeout());
        let Some(mut cursor) = answer.map_err(fail)? else {
            return Ok(Vec::new());
        };
        let columns = u16::try_from(cursor.num_result_cols().map_err(fail)?).unwrap_or(0);
        let mut rows = Vec::new();
        // Row by row: these results are small, and their values of any length.
        while let Some(mut row) = cursor.next_row().map_err(fail)? {
            let mut cells = Vec::with_capacity(usize::from(columns));
            for column in 1..=columns {
                let cell = if self.platform.answers_in_utf16() {
                    let mut units = Vec::new();
                    let present = row.get_wide_text(column, &mut units).map_err(fail)?;
                    present.then(|| String::from_utf16_lossy(&units))
                } else {
                    let mut bytes = Vec::new();
                    let present = row.get_text(column, &mut bytes).map_err(fail)?;
                    present.then(|| String::from_utf8_lossy(&bytes).into_owned())
                };
                cells.push(cell);
            }
            rows.push(cells);
        }
        Ok(rows)
    }

    /// Seconds after which the driver is to cancel a statement.
    pub(crate) fn timeout(&self) -> Option<usize> {
        // Of the transaction that has begun, or of the next one.
        self.opening.borrow().timeout_seconds
    }

    /// The most rows that the driver may be asked for in one fetch, where it loses failures otherwise.
    pub(crate) fn rows_per_fetch(&self) -> Option<usize> {
        self.platform.rows_per_fetch(&self.driver)
    }

    /// The connection, for a statement whose rows are many. A transaction has begun.
    pub(crate) fn connection(&self) -> &Connection<'static> {
        &self.connection
    }
}

/// A session that ends inside a transaction would take the server's session with it, behind a pooler another client's.
impl Drop for SourceSession<'_> {
    fn drop(&mut self) {
        if self.open.get_mut().is_some() {
            self.abandon();
        }
    }
}
