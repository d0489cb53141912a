//! The session of an analysis.

use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::{RowSecurity, TableSpec};
use crate::domain::table::{KeyColumn, KeyRange, SourceColumn, TableRef};
use crate::plan::names::{find_column, no_such_column};
use crate::platform::{Isolation, Query, Scope, SourcePlatform, TransactionSettings, Window};
use crate::source::session::{Ask, SourceSession};
use crate::source::{SourceError, SourceErrorKind};
use std::time::Duration;

/// Minutes that a statement of an analysis may take.
const TIMEOUT_MINUTES: u64 = 20;

/// A session whose statements end after a time.
pub(super) struct Session<'a> {
    session: SourceSession<'a>,
    pub(super) platform: &'a dyn SourcePlatform,
    minutes: u64,
}

impl<'a> Session<'a> {
    pub(super) fn open(
        settings: &SourceSettings,
        platform: &'a dyn SourcePlatform,
        minutes: Option<u64>,
        row_security: RowSecurity,
    ) -> Result<Self, SourceError> {
        let minutes = minutes.unwrap_or(TIMEOUT_MINUTES);
        let transactions = TransactionSettings {
            isolation: Isolation::EachStatement,
            statement_timeout: Some(Duration::from_secs(minutes.saturating_mul(60))),
            row_security,
        };
        Ok(Self {
            session: SourceSession::open(settings, platform, &transactions)?,
            platform,
            minutes,
        })
    }

    /// Statements so far, apart from the login's.
    pub(super) fn statements(&self) -> u32 {
        self.session.statements()
    }

    pub(super) fn place(&self, table: &TableRef) -> String {
        format!("{}, table {table}", self.session.source())
    }

    /// Ends the transaction, so that no lock on a table outlives the work on it.
    pub(super) fn rest(&self) -> Result<(), SourceError> {
        self.session.end()
    }

    /// Asks about a table.
    pub(super) fn at<'t>(&'t self, table: &'t TableRef) -> AtTable<'t, 'a> {
        AtTable {
            session: self,
            table,
        }
    }

    /// Runs a statement for what it sets.
    pub(super) fn execute(&self, table: &TableRef, sql: &str) -> Result<(), SourceError> {
        self.session.execute(sql, &self.place(table)).map(drop)
    }

    /// The rows of a query about a table.
    pub(super) fn ask<T>(&self, table: &TableRef, query: &Query<T>) -> Result<Vec<T>, SourceError> {
        let place = self.place(table);
        self.session.ask(query, &place).map_err(|error| match error.kind {
            SourceErrorKind::TimedOut => SourceError::new(
                error.kind,
                format!(
                    "a statement of the analysis took longer than {} minutes, and the source ended it; raise the table's executionTimeoutMinutes, or help the source with an index on the columns that it is partitioned by",
                    self.minutes
                ),
            )
            .at(&place),
            _ => error,
        })
    }

    /// The columns of a table, and its comment; no column: there is no such table, or it is not visible.
    pub(super) fn columns(
        &self,
        table: &TableRef,
    ) -> Result<(Vec<SourceColumn>, Option<String>), SourceError> {
        let rows = self.ask(table, &self.platform.columns(table))?;
        let comment = rows.first().and_then(|row| row.table_comment.clone());
        Ok((rows.into_iter().map(|row| row.column).collect(), comment))
    }
}

/// A session that is asked about one table.
pub(super) struct AtTable<'s, 'a> {
    session: &'s Session<'a>,
    table: &'s TableRef,
}

impl Ask for AtTable<'_, '_> {
    fn ask<T>(&self, query: &Query<T>) -> Result<Vec<T>, SourceError> {
        self.session.ask(self.table, query)
    }
}

/// The analysis of one table: its session, its columns, and what users should know of it.
pub(super) struct Subject<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) spec: &'a TableSpec,
    pub(super) columns: &'a [SourceColumn],
    /// Whether rows of child tables come with the table's: what the catalog says of the table's rows is not said of them.
    pub(super) has_child_rows: bool,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Ask for Subject<'_> {
    fn ask<T>(&self, query: &Query<T>) -> Result<Vec<T>, SourceError> {
        self.session.ask(&self.spec.source, query)
    }
}

impl<'a> Subject<'a> {
    pub(super) fn platform(&self) -> &'a dyn SourcePlatform {
        self.session.platform
    }

    pub(super) fn scope<'s>(
        &'s self,
        key: &'s [KeyColumn],
        range: &'s KeyRange,
        window: Option<Window<'s>>,
    ) -> Scope<'s> {
        Scope {
            table: &self.spec.source,
            key,
            range,
            window,
            where_clause: self.spec.where_clause.as_deref(),
            modifiers: &self.spec.query_modifiers,
        }
    }

    /// A failure that names the table.
    pub(super) fn error(&self, kind: SourceErrorKind, what: impl std::fmt::Display) -> SourceError {
        SourceError::new(kind, what.to_string()).at(&self.session.place(&self.spec.source))
    }

    pub(super) fn column(&self, written: &str) -> Option<&'a SourceColumn> {
        find_column(self.platform(), self.columns, written)
    }

    /// What a message says of a name that means no column.
    pub(super) fn no_such_column(&self, written: &str) -> String {
        no_such_column(self.platform(), self.columns, written)
    }

    /// Whether the user leaves a column out.
    pub(super) fn is_excluded(&self, column: &SourceColumn) -> bool {
        let mut excluded = self.spec.excluded_columns.iter();
        excluded.any(|written| self.column(written).is_some_and(|c| c.name == column.name))
    }

    /// Refuses columns whose values this login would read as others than the table holds.
    pub(super) fn refuse_disguises(&self) -> Result<(), SourceError> {
        let Some(query) = self.platform().disguised_columns(&self.spec.source) else {
            return Ok(());
        };
        let is_moved = |name: &str| {
            let column = self.columns.iter().find(|column| column.name == name);
            column.is_some_and(|column| !self.is_excluded(column))
        };
        let found = self.ask(&query)?.into_iter();
        let problems: Vec<String> = found
            .filter(|(name, _)| is_moved(name))
            .map(|(name, why)| format!("column {name} {why}"))
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(self.error(SourceErrorKind::NoPrivilege, problems.join("; "))),
        }
    }

    /// Warns of what a run's reading does not guarantee.
    pub(super) fn tell_consistency(&mut self) -> Result<(), SourceError> {
        if let Some(query) = self.platform().consistency() {
            let told = self.ask_first(&query)?;
            self.warnings.extend(told.flatten());
        }
        if let Some(query) = self.platform().table_warnings(&self.spec.source) {
            let told = self.ask(&query)?;
            self.warnings.extend(told);
        }
        let modifier = self
            .spec
            .query_modifiers
            .object
            .as_deref()
            .unwrap_or_default();
        let upper = modifier.to_uppercase();
        if upper.contains("NOLOCK") || upper.contains("READUNCOMMITTED") {
            self.warnings.push(format!(
                "queryModifiers has {modifier}: rows that are not committed are read, and rows that move meanwhile may be missed or read twice; neither counts nor checksums can be relied on"
            ));
        }
        Ok(())
    }
}
