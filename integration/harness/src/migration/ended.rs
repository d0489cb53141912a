//! What a migration has left.

use crate::metadata::{Metadata, pairs};
use crate::snowhaul::Ended;
use crate::sql::Sql;
use std::sync::Arc;

/// A migration that has ended.
#[derive(Debug)]
pub struct Migrated {
    /// The process's end.
    pub ended: Ended,
    /// A session in the target's schema `PUBLIC`.
    pub sql: Arc<Sql>,
    /// The target's database.
    pub target: String,
    /// The metadata.
    pub metadata: Metadata,
    /// The workflow's name.
    pub workflow: String,
}

impl Migrated {
    /// The errors of the source table whose name ends in `table`, one a line.
    #[must_use]
    pub fn errors_of(&self, table: &str) -> String {
        lines_of(table, self.metadata.errors())
    }

    /// The warnings of the source table whose name ends in `table`, one a line.
    #[must_use]
    pub fn warnings_of(&self, table: &str) -> String {
        lines_of(table, self.metadata.warnings())
    }

    /// Rows that this workflow has moved into the target, and its partitions by phase: `("LOADED", 3)`.
    #[must_use]
    pub fn moved(&self) -> (i64, Vec<(String, i64)>) {
        (
            self.metadata.rows_moved(&self.workflow),
            self.metadata.phases(&self.workflow),
        )
    }

    /// Names and types of a target table's columns, as DESCRIBE TABLE has them.
    #[must_use]
    pub fn columns(&self, table: &str) -> Vec<(String, String)> {
        pairs(self.sql.rows(&format!("DESCRIBE TABLE {table}")))
    }
}

fn lines_of(table: &str, pairs: Vec<(String, String)>) -> String {
    let of_table = pairs.into_iter().filter(|(name, _)| {
        name.strip_suffix(table)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let lines: Vec<String> = of_table.map(|(_, line)| line).collect();
    lines.join("\n")
}
