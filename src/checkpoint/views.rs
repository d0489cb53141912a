//! The views that users query, as they are since version 3. `{s}` stands for the quoted schema.

use super::ownership::COMMENT;
use super::sql::fill;

/// A view.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Its name.
    pub(super) name: &'static str,
    query: &'static str,
    /// Columns that it has in every version, and that no other tool's view of this name has together.
    pub(super) marks: &'static [&'static str],
}

impl View {
    /// The statement that creates it where it is not there.
    pub(super) fn create(&self, s: &str) -> String {
        self.statement("VIEW IF NOT EXISTS", s)
    }

    /// The statement that replaces an older one of ours.
    pub(super) fn replace(&self, s: &str) -> String {
        self.statement("OR REPLACE VIEW", s)
    }

    fn statement(&self, what: &str, s: &str) -> String {
        let query = fill(self.query, &[("s", s)]);
        format!(
            "CREATE {what} {s}.{} COMMENT = '{COMMENT}' AS {query}",
            self.name
        )
    }
}

/// All views.
pub(super) const VIEWS: [View; 3] = [ERRORS, WARNINGS, PROGRESS];

const ERRORS: View = View {
    name: "DATA_MIGRATION_ERROR",
    query: include_str!("views/data_migration_error.sql"),
    marks: &["TABLE_ID", "PARTITION_ID", "OCCURRED_AT"],
};

const WARNINGS: View = View {
    name: "DATA_MIGRATION_WARNING",
    query: include_str!("views/data_migration_warning.sql"),
    marks: &["TABLE_ID", "WARNING", "OCCURRED_AT"],
};

/// A claimed extraction counts its rows as they come; a staged one counts its manifest. A partition or an analysis waits for
/// another attempt when its task is pending with the error of the last one, which is an example error too: users see why
/// it waits.
pub(super) const PROGRESS: View = View {
    name: "TABLE_PROGRESS_WITH_EXAMPLE_ERROR",
    query: include_str!("views/table_progress_with_example_error.sql"),
    marks: &["TABLE_ID", "PARTITIONS_TOTAL", "PARTITIONS_IN_LOADING"],
};
