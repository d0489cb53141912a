//! The analysis of a table: its columns, its size, where it is cut, and what of it has changed since the previous run.

mod bound;
mod checksum;
mod clock;
mod columns;
mod dates;
pub(super) mod family;
mod key;
mod ranges;
mod session;
mod watermark;

use super::error::SourceError;
use super::missing::no_such_table;
use super::readable::Reader;
use crate::domain::analysis::{
    AnalyzedPartition, PreviousRun, SyncSnapshot, TableAnalysis, Untold,
};
use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::{ResetPartitions, RowSecurity, Synchronization, TableSpec};
use crate::domain::table::{KeyColumn, Platform};
use crate::platform::{Estimate, SourcePlatform};
pub use key::infer_keys;
use session::{Session, Subject};

/// The partitions of a table.
struct Planned {
    partitions: Vec<AnalyzedPartition>,
    /// Whether their ranges are the previous run's.
    reused: bool,
    estimate: Estimate,
}

/// Reads the catalog, cuts the table or takes the partitions of the previous run, and looks which of them have rows to
/// move. Blocking: a handful of round trips, and a scan of the table where it is compared with the previous run.
///
/// # Errors
/// As [`SourceError`] says; a missing table or column is named, with those that exist.
pub fn analyze(
    settings: &SourceSettings,
    platform: &dyn SourcePlatform,
    spec: &TableSpec,
    previous: Option<&SyncSnapshot>,
) -> Result<TableAnalysis, SourceError> {
    let session = Session::open(
        settings,
        platform,
        spec.analysis_timeout_minutes,
        spec.row_security,
    )?;
    let (columns, comment) = session.columns(&spec.source)?;
    if columns.is_empty() {
        let place = session.place(&spec.source);
        let source = session.at(&spec.source);
        return Err(no_such_table(&source, platform, &spec.source, &place));
    }
    Reader {
        platform,
        spec,
        user: &settings.username,
        place: &session.place(&spec.source),
    }
    .check(&session.at(&spec.source), &columns)?;
    let mut subject = Subject {
        session: &session,
        spec,
        columns: &columns,
        has_child_rows: false,
        warnings: Vec::new(),
        notes: Vec::new(),
    };
    if spec.row_security == RowSecurity::Accept {
        subject.warnings.push(
            "rowLevelSecurity is accept: rows that a policy hides from the worker's login are not moved, and count as gone"
                .to_owned(),
        );
    }
    subject.tell_child_tables()?;
    subject.refuse_disguises()?;
    subject.tell_consistency()?;
    let previous = previous
        .filter(|_| spec.reset_partitions == ResetPartitions::Disabled)
        .filter(|previous| !previous.partitions.is_empty());
    let primary_key = subject.resolve_primary_key(previous)?;
    let platform = settings.platform;
    let (key, planned, checksum, watermark);
    let mut untold = Untold::default();
    match &spec.synchronization {
        Synchronization::None | Synchronization::FullReplace => {
            key = subject.resolve_key(None)?;
            planned = subject.plan_anew(&key, platform)?;
            (checksum, watermark) = (None, None);
        }
        Synchronization::Checksum { expression } => {
            key = subject.resolve_key(previous)?;
            let aggregate = subject.checksum_aggregate(expression.as_deref())?;
            planned = subject.plan_by_checksum(&key, &aggregate, previous, platform)?;
            (checksum, watermark) = (Some(aggregate), None);
        }
        Synchronization::Watermark { column, .. } => {
            // Before all else: what the other statements see is not older than the bound.
            let mut bound = subject.capture_bound(column)?;
            subject.check_watermark_type(&bound.column, previous)?;
            key = subject.resolve_key(previous)?;
            planned = subject.plan_by_watermark(&key, &mut bound, previous, platform)?;
            checksum = None;
            untold = bound.untold;
            watermark = bound.into_watermark();
        }
    }
    session.rest()?;
    let Subject {
        warnings, notes, ..
    } = subject;
    tracing::debug!(statements = session.statements(), "the table is analyzed");
    Ok(TableAnalysis {
        comment,
        primary_key,
        row_estimate: planned.estimate.rows,
        byte_estimate: planned.estimate.bytes,
        partitions: planned.partitions,
        key,
        started_from: None,
        reused: planned.reused,
        previous: previous.and_then(PreviousRun::of),
        watermark,
        untold,
        checksum,
        warnings,
        notes,
        columns,
    })
}

impl Subject<'_> {
    /// All partitions of a table of which nothing was moved, or nothing that counts.
    fn plan_anew(&mut self, key: &[KeyColumn], platform: Platform) -> Result<Planned, SourceError> {
        let estimate = self.estimate()?;
        let sizing = self.sizing(estimate, platform);
        let ranges = self.fresh_ranges(key, None, (&sizing, platform), estimate)?;
        Ok(Planned {
            partitions: ranges.into_iter().map(AnalyzedPartition::from).collect(),
            reused: false,
            estimate,
        })
    }
}
