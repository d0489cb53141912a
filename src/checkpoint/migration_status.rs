//! `TABLE_MIGRATION_STATUS`: one row for each source table, whichever workflows have moved it. Pure text.

use super::procedures::WorksheetObject;
use super::sql::fill;

/// The view. Columns and labels are those of the reference tool as far as they mean something without validation, which is
/// not supported yet: its columns are NULL, and what is loaded is `Migrated, not validated` (its registry page, 1.45.2).
/// `s` is the quoted schema.
pub(super) fn view(s: &str) -> WorksheetObject {
    // A dry run moves nothing into the target, and so is nobody's latest migration.
    let query = fill(
        include_str!("views/table_migration_status.sql"),
        &[("s", s), ("brace", "{")],
    );
    WorksheetObject {
        kind: "VIEW",
        name: "TABLE_MIGRATION_STATUS".to_owned(),
        head: format!("{s}.TABLE_MIGRATION_STATUS COPY GRANTS"),
        tail: format!("AS {query}"),
    }
}
