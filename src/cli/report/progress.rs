//! Progress of a workflow while somebody waits for it: bars on a terminal, plain lines elsewhere.

use super::tables::cancelled;
use crate::app::follow::Watcher;
use crate::checkpoint::{TableProgress, WorkflowSummary};
use crate::domain::quantity::grouped;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tables that have a bar of their own at once; a workflow may have thousands.
const MAX_BARS: usize = 12;
/// A line is printed at least this often while something changes, where there are no bars.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
pub enum ProgressView {
    /// Bars.
    Bars {
        /// All bars.
        all: MultiProgress,
        /// The sum, below the tables.
        total: ProgressBar,
        /// Tables by number.
        tables: BTreeMap<u32, ProgressBar>,
    },
    /// Lines on standard error.
    Lines {
        /// The last line, so that nothing is printed twice.
        last: String,
        /// When it was printed.
        at: Instant,
    },
}

/// What a workflow's tables come to together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows that are estimated, or known where they exceed the estimate.
    pub rows_expected: u64,
    /// Rows extracted.
    pub rows_extracted: u64,
    /// Rows committed in the target.
    pub rows_loaded: u64,
    /// Partitions loaded.
    pub partitions_loaded: u64,
    /// Partitions known.
    pub partitions: u64,
}

/// Sums a workflow's tables.
pub fn totals(tables: &[TableProgress]) -> Totals {
    tables.iter().fold(Totals::default(), |sum, table| Totals {
        rows_expected: sum.rows_expected + expected(table),
        rows_extracted: sum.rows_extracted + table.rows_extracted,
        rows_loaded: sum.rows_loaded + table.rows_loaded,
        partitions_loaded: sum.partitions_loaded + table.partitions_completed,
        partitions: sum.partitions + table.partitions_total,
    })
}

/// An estimate may be too small, and a table that has ended has what it has.
fn expected(table: &TableProgress) -> u64 {
    if table.status == "COMPLETED" {
        table.rows_loaded
    } else {
        table.row_estimate.unwrap_or(0).max(table.rows_extracted)
    }
}

impl ProgressView {
    /// Bars, drawn by `all`.
    pub fn bars(all: MultiProgress) -> Self {
        let total = all.add(ProgressBar::new(0));
        total.set_style(style(
            "{msg:32!} [{bar:30}] {human_pos}/{human_len} rows, {elapsed_precise}",
        ));
        total.enable_steady_tick(Duration::from_millis(250));
        Self::Bars {
            all,
            total,
            tables: BTreeMap::new(),
        }
    }

    /// Lines.
    pub fn lines() -> Self {
        Self::Lines {
            last: String::new(),
            at: Instant::now(),
        }
    }

    /// Takes the bars away.
    pub fn finish(self) {
        if let Self::Bars { all, total, .. } = self {
            total.finish_and_clear();
            let _ = all.clear();
        }
    }
}

impl Watcher for ProgressView {
    fn update(&mut self, workflow: &WorkflowSummary, progress: &[TableProgress]) {
        let sum = totals(progress);
        match self {
            Self::Bars { all, total, tables } => {
                total.set_length(sum.rows_expected);
                total.set_position(sum.rows_loaded);
                total.set_message(format!(
                    "{}: {} of {} tables",
                    workflow.name, workflow.num_completed, workflow.num_tables
                ));
                for table in progress {
                    let ended = table.has_ended();
                    let active = !ended && table.status != "PENDING";
                    if active && !tables.contains_key(&table.table_no) && tables.len() < MAX_BARS {
                        let bar = all.insert_before(total, ProgressBar::new(0));
                        bar.set_style(style(
                            "{prefix:32!} [{bar:30}] {human_pos}/{human_len} rows, {msg}",
                        ));
                        bar.set_prefix(table.source_table.clone());
                        tables.insert(table.table_no, bar);
                    }
                    if ended {
                        if let Some(bar) = tables.remove(&table.table_no) {
                            bar.finish_and_clear();
                            let _ = all.println(ended_line(table));
                        }
                    } else if let Some(bar) = tables.get(&table.table_no) {
                        bar.set_length(expected(table));
                        bar.set_position(table.rows_loaded);
                        bar.set_message(format!(
                            "{} extracted, {}/{} partitions",
                            grouped(table.rows_extracted),
                            table.partitions_completed,
                            table.partitions_total
                        ));
                    }
                }
            }
            Self::Lines { last, at } => {
                let line = format!(
                    "{}: {}, {} of {} tables completed, {} failed{}; {} of {} partitions loaded; rows: about {} expected, {} extracted, {} loaded",
                    workflow.name,
                    workflow.status,
                    workflow.num_completed,
                    workflow.num_tables,
                    workflow.num_failed,
                    cancelled(workflow.num_cancelled),
                    sum.partitions_loaded,
                    sum.partitions,
                    grouped(sum.rows_expected),
                    grouped(sum.rows_extracted),
                    grouped(sum.rows_loaded)
                );
                let due = last.is_empty() || at.elapsed() >= LINE_EVERY || workflow.has_ended();
                if line != *last && due {
                    eprintln!("{line}");
                    *last = line;
                    *at = Instant::now();
                }
            }
        }
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }
}

fn ended_line(table: &TableProgress) -> String {
    let seconds = table
        .seconds
        .map_or_else(String::new, |s| format!(" in {s:.1} s"));
    let error = table
        .example_error
        .as_ref()
        .map_or_else(String::new, |error| format!(": {error}"));
    format!(
        "{} {}: {} rows{seconds}{error}",
        table.source_table,
        table.status,
        grouped(table.rows_loaded)
    )
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would be a mistake here, and a plain bar is good enough.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(status: &str, estimate: Option<u64>, extracted: u64, loaded: u64) -> TableProgress {
        TableProgress {
            table_no: 0,
            source_table: "s".into(),
            target_table: "t".into(),
            status: status.into(),
            row_estimate: estimate,
            partitions_total: 2,
            partitions_pending: 0,
            partitions_in_extraction: 0,
            partitions_in_loading: 0,
            partitions_completed: 1,
            partitions_unchanged: 0,
            partitions_failed: 0,
            partitions_cancelled: 0,
            rows_extracted: extracted,
            rows_loaded: loaded,
            bytes: 0,
            seconds: None,
            example_error: None,
            waiting: None,
            load_waiting: None,
        }
    }

    #[test]
    fn a_stale_estimate_does_not_outlive_what_is_known() {
        let sum = totals(&[
            table("EXECUTING", Some(10), 25, 5),
            table("COMPLETED", Some(1_000), 7, 7),
            table("PENDING", None, 0, 0),
        ]);
        assert_eq!(sum.rows_expected, 32);
        assert_eq!(sum.rows_loaded, 12);
    }
}
