//! Workflows and tables as text for people. Pure.

use crate::checkpoint::{ErrorRow, TableProgress, Waiting, WorkerSummary, WorkflowSummary};
use crate::domain::quantity::{bytes_text, grouped};
use std::fmt::Write;

/// Rows in columns, the first row being the head; numbers (columns in `right`) are aligned to the right.
fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|i| {
            rows.iter()
                .map(|row| row[i].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(i, cell)| {
                let pad = " ".repeat(widths[i] - cell.chars().count());
                if right.contains(&i) {
                    format!("{pad}{cell}")
                } else {
                    format!("{cell}{pad}")
                }
            })
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// The list of workflows.
pub fn workflow_list(workflows: &[WorkflowSummary]) -> String {
    let mut rows = vec![
        [
            "ID",
            "NAME",
            "SOURCE",
            "STATUS",
            "TABLES",
            "COMPLETED",
            "FAILED",
            "CANCELLED",
            "CREATED (UTC)",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(workflows.iter().map(|w| {
        vec![
            w.workflow_id.to_string(),
            w.name.clone(),
            w.source_platform.clone(),
            w.status.clone(),
            w.num_tables.to_string(),
            w.num_completed.to_string(),
            w.num_failed.to_string(),
            w.num_cancelled.to_string(),
            w.created_at.clone().unwrap_or_default(),
        ]
    }));
    columns(&rows, &[0, 4, 5, 6, 7])
}

/// The list of workers.
pub fn worker_list(workers: &[WorkerSummary]) -> String {
    let head = [
        "WORKER",
        "HOST",
        "STATE",
        "LAST SEEN (UTC)",
        "TASKS",
        "ROWS/S",
        "VERSION",
        "AFFINITY",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(workers.iter().map(|w| {
        let state = if w.is_alive() {
            "alive".to_owned()
        } else {
            let silent = std::time::Duration::from_secs(w.silent_seconds);
            format!("silent for {}", indicatif::HumanDuration(silent))
        };
        vec![
            w.worker.clone(),
            w.host().to_owned(),
            state,
            w.last_seen.clone().unwrap_or_default(),
            format!("{}/{}", w.running, w.capacity),
            format!("{:.0}", w.rows_per_second),
            w.version.clone(),
            w.affinity.clone().unwrap_or_default(),
        ]
    }));
    if rows.len() == 1 {
        return "there is no worker; start one with `snowhaul worker`\n".to_owned();
    }
    columns(&rows, &[4, 5])
}

/// One workflow with its tables.
pub fn workflow_status(workflow: &WorkflowSummary, tables: &[TableProgress]) -> String {
    let mut text = format!(
        "workflow {} (id {}), source {}: {}, {} of {} tables completed, {} failed{}\n",
        workflow.name,
        workflow.workflow_id,
        workflow.source_platform,
        workflow.status,
        workflow.num_completed,
        workflow.num_tables,
        workflow.num_failed,
        cancelled(workflow.num_cancelled)
    );
    if let Some(error) = &workflow.error {
        let _ = writeln!(text, "error: {error}");
    }
    let mut rows = vec![
        [
            "TABLE",
            "TARGET",
            "STATUS",
            "PARTITIONS",
            "PENDING",
            "EXTRACTING",
            "LOADING",
            "LOADED",
            "UNCHANGED",
            "FAILED",
            "ROWS LOADED",
            "BYTES",
            "SECONDS",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(tables.iter().map(|t| {
        vec![
            t.source_table.clone(),
            t.target_table.clone(),
            t.status.clone(),
            t.partitions_total.to_string(),
            t.partitions_pending.to_string(),
            t.partitions_in_extraction.to_string(),
            t.partitions_in_loading.to_string(),
            t.partitions_completed
                .saturating_sub(t.partitions_unchanged)
                .to_string(),
            t.partitions_unchanged.to_string(),
            t.partitions_failed.to_string(),
            grouped(t.rows_loaded),
            bytes_text(t.bytes),
            t.seconds.map_or_else(String::new, |s| format!("{s:.1}")),
        ]
    }));
    text.push_str(&columns(&rows, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    for table in tables {
        let source = &table.source_table;
        if table.partitions_cancelled > 0 {
            let _ = writeln!(
                text,
                "{source}: {} partitions were cancelled",
                table.partitions_cancelled
            );
        }
        if let Some(waiting) = &table.waiting {
            let what = match waiting.partitions {
                0 => "its analysis waits".to_owned(),
                1 => "1 partition waits".to_owned(),
                n => format!("{n} partitions wait"),
            };
            let _ = writeln!(text, "{source}: {what} {}", another_attempt(waiting));
        }
        if let Some(waiting) = &table.load_waiting {
            let what = format!("its load ({} partitions) waits", waiting.partitions);
            let _ = writeln!(text, "{source}: {what} {}", another_attempt(waiting));
        }
        let reasons = [&table.waiting, &table.load_waiting].map(|waiting| {
            let waiting = waiting.as_ref();
            waiting.map(|waiting| waiting.because.as_str())
        });
        if table.example_error.is_some() && reasons.contains(&table.example_error.as_deref()) {
            continue;
        }
        if let Some(error) = &table.example_error {
            let _ = writeln!(text, "{}: {error}", table.source_table);
        }
    }
    text
}

/// `, 2 cancelled`, or nothing.
pub(super) fn cancelled(number: u64) -> String {
    match number {
        0 => String::new(),
        number => format!(", {number} cancelled"),
    }
}

/// `for another attempt (2 failed), the next at …, because …`.
fn another_attempt(waiting: &Waiting) -> String {
    let at = waiting.next_at.as_ref();
    format!(
        "for another attempt ({} failed){}, because {}",
        waiting.failed_attempts,
        at.map_or_else(String::new, |at| format!(", the next at {at}")),
        waiting.because
    )
}

/// All errors of a workflow.
pub fn errors(errors: &[ErrorRow]) -> String {
    let mut text = String::new();
    for row in errors {
        let partition = row
            .partition_no
            .map_or_else(String::new, |no| format!(", partition {no}"));
        let at = row.at.as_deref().unwrap_or("-");
        let _ = writeln!(text, "{at}  {}{partition}: {}", row.source_table, row.error);
    }
    text
}

/// Warnings of a table that are shown, and of a workflow.
const SHOWN_OF_TABLE: usize = 5;
const SHOWN: usize = 50;

/// The warnings of a workflow (source table, warning), by table; of many, the first ones.
pub fn warnings(workflow: &str, warnings: &[(String, String)]) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for of_table in warnings.chunk_by(|one, next| one.0 == next.0) {
        let room = SHOWN_OF_TABLE.min(SHOWN - shown);
        let of_table = &of_table[..of_table.len().min(room)];
        if let Some((table, _)) = of_table.first() {
            let _ = writeln!(text, "warnings of {table}:");
        }
        for (_, warning) in of_table {
            let _ = writeln!(text, "  {warning}");
        }
        shown += of_table.len();
    }
    if shown < warnings.len() {
        let more = warnings.len() - shown;
        let _ = writeln!(
            text,
            "and {more} more warnings: `snowhaul workflow status {workflow} --json`"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_stand_by_table_and_of_many_the_first_ones() {
        let of = |table: usize, number: usize| {
            let warning = move |no| (format!("t{table}"), format!("w{no}"));
            (0..number).map(warning).collect::<Vec<_>>()
        };
        assert_eq!(warnings("w", &[]), "");
        assert_eq!(
            warnings("w", &[of(1, 2), of(2, 1)].concat()),
            "warnings of t1:\n  w0\n  w1\nwarnings of t2:\n  w0\n"
        );
        let many: Vec<_> = (0..20).flat_map(|table| of(table, 8)).collect();
        let said = warnings("w", &many);
        assert_eq!(said.matches("\n  w").count(), SHOWN);
        assert_eq!(said.matches("\n  w4").count(), SHOWN / SHOWN_OF_TABLE);
        assert!(
            said.ends_with("and 110 more warnings: `snowhaul workflow status w --json`\n"),
            "{said}"
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["A".into(), "N".into()], vec!["é".into(), "10".into()]];
        assert_eq!(columns(&rows, &[1]), "A   N\né  10\n");
    }
}
