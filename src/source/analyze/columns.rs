//! Columns beside those of the previous run, where that decides whether there can be an analysis.

use super::session::Subject;
use crate::domain::analysis::SyncSnapshot;
use crate::domain::table::{KeyColumn, KeyKind};
use crate::source::{SourceError, SourceErrorKind};

impl Subject<'_> {
    /// A stored watermark is text of what the column was then. Of another type, it may stand for other rows: a timestamp
    /// without a zone that is read as one with a zone moves by hours.
    pub(super) fn check_watermark_type(
        &self,
        column: &KeyColumn,
        previous: Option<&SyncSnapshot>,
    ) -> Result<(), SourceError> {
        let Some(previous) =
            previous.filter(|p| p.partitions.iter().any(|p| p.watermark.is_some()))
        else {
            return Ok(());
        };
        let mut columns = previous.settings.columns.iter().flatten();
        let Some(was) = columns.find(|was| was.name == column.name) else {
            return Ok(());
        };
        let kind = self.platform().key_kind(&was.source());
        if kind == Some(column.kind) || is_read_alike(kind, column.kind) {
            return Ok(());
        }
        let now = self.columns.iter().find(|now| now.name == column.name);
        Err(self.error(
            SourceErrorKind::Refused,
            format_args!(
                "the watermark column {} was of type {} in the previous run, and is of type {} now, so that its watermark does not tell which rows have been moved; set resetPartitions to enabledWithDedup, with primaryKeyColumns, for one run, or empty the target and set it to enabled",
                column.name,
                was.type_name,
                now.map_or("another", |now| now.type_name.as_str())
            ),
        ))
    }
}

/// Whole numbers read as decimals are what they were.
fn is_read_alike(was: Option<KeyKind>, now: KeyKind) -> bool {
    was == Some(KeyKind::Integer) && now == KeyKind::Decimal
}
