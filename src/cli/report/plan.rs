//! What a workflow would do, as text for people. Pure.

use crate::app::planned_table::{Outcome, PlannedTable, Statement, TablePreview};
use crate::domain::quantity::{bytes_text, grouped};
use crate::domain::spec::Synchronization;
use crate::domain::table::{KeyColumn, KeyRange, KeyTuple, PartitionSize};
use std::fmt::Write;

/// Ranges that the text lists; the rest is counted.
const MOST_RANGES: usize = 20;

/// All tables, one after the other.
pub fn plan(tables: &[TablePreview]) -> String {
    let mut text = String::new();
    for table in tables {
        let _ = writeln!(text, "{} → {}", table.source, table.target);
        match &table.outcome {
            Outcome::Error(error) => {
                let _ = writeln!(text, "  error: {error}");
            }
            Outcome::Plan(plan) => text.push_str(&planned(plan)),
        }
        text.push('\n');
    }
    let num_failed = tables
        .iter()
        .filter(|table| matches!(table.outcome, Outcome::Error(_)))
        .count();
    let _ = writeln!(
        text,
        "{} tables, {num_failed} of them cannot be migrated like this",
        tables.len()
    );
    text
}

fn planned(plan: &PlannedTable) -> String {
    // The analysis says more of the key than the plan, if it says anything.
    let is_about_key = |note: &&String| note.starts_with("key: ");
    let mut lines = vec![
        plan.notes
            .iter()
            .find(is_about_key)
            .cloned()
            .unwrap_or_else(|| format!("key: {}", key(plan))),
        format!(
            "synchronization: {}",
            synchronization(&plan.synchronization)
        ),
        format!(
            "estimate: {} rows, {}",
            grouped(plan.row_estimate),
            bytes_text(plan.byte_estimate)
        ),
        format!(
            "partitions: {} (size {})",
            grouped(plan.partitions.len() as u64),
            size(plan.partition_size, plan.max_partition_rows)
        ),
    ];
    if plan.preflight {
        lines
            .push("dry run: one partition goes into the schema PREFLIGHT_<workflow id>".to_owned());
    }
    let others = plan.notes.iter().filter(|note| !is_about_key(note));
    lines.extend(others.map(|note| format!("because: {note}")));
    lines.extend(
        plan.warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    if plan.partitions.len() > 1 {
        lines.push("ranges:".to_owned());
        let ranges = plan.partitions.iter().enumerate().take(MOST_RANGES);
        lines.extend(ranges.map(|(no, r)| format!("  {no}: {}", range(&plan.key, r))));
        if let Some(more @ 1..) = plan.partitions.len().checked_sub(MOST_RANGES) {
            lines.push(format!("  … and {} more", grouped(more as u64)));
        }
    }
    lines.push("target, if it does not exist:".to_owned());
    lines.push(statement(&plan.ddl));
    for (place, statements) in [
        ("source", &plan.source_statements),
        ("load", &plan.load_statements),
    ] {
        for Statement { purpose, sql } in statements {
            lines.push(format!("{place}, {purpose}:"));
            lines.push(statement(sql));
        }
    }
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {line}");
        text
    })
}

fn key(plan: &PlannedTable) -> String {
    let names: Vec<&str> = plan.key.iter().map(|column| column.name.as_str()).collect();
    match (plan.key_is_given, names.is_empty()) {
        (true, true) => "none, as the file says".to_owned(),
        (false, true) => "none, and none was found".to_owned(),
        (true, false) => names.join(", "),
        (false, false) => format!("{} (inferred)", names.join(", ")),
    }
}

fn synchronization(synchronization: &Synchronization) -> String {
    match synchronization {
        Synchronization::None => "none: every run adds the whole table".to_owned(),
        Synchronization::FullReplace => {
            "full-replace: every run replaces the whole table".to_owned()
        }
        Synchronization::Checksum { expression } => {
            let by = match expression {
                Some(expression) => format!(" by {expression}"),
                None => String::new(),
            };
            format!("checksum{by}: later runs replace the partitions that have changed")
        }
        Synchronization::Watermark {
            column,
            track_modifications,
            track_deletions,
        } => {
            let rows = if *track_modifications {
                "merge newer rows by their primary key"
            } else {
                "add newer rows"
            };
            let deletions = if *track_deletions {
                ", and every run deletes rows whose primary key is gone"
            } else {
                ""
            };
            format!("watermark {column}: later runs {rows}{deletions}")
        }
    }
}

fn size(size: PartitionSize, max_rows: Option<u64>) -> String {
    let size = match size {
        PartitionSize::Auto => "auto".to_owned(),
        PartitionSize::TargetSizeMb(mb) => format!("about {} MB", grouped(mb)),
        PartitionSize::MaxRowsPerPartition(rows) => format!("at most {} rows", grouped(rows)),
    };
    match max_rows {
        Some(rows) => format!("{size}, at most {} rows", grouped(rows)),
        None => size,
    }
}

/// A range as a comparison of the key.
fn range(key: &[KeyColumn], range: &KeyRange) -> String {
    let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    let tuple = |parts: &[String]| match parts {
        [one] => one.clone(),
        parts => format!("({})", parts.join(", ")),
    };
    let values = |bound: &KeyTuple| {
        let shown: Vec<String> = bound
            .iter()
            .zip(key)
            .map(|(value, column)| {
                if column.kind.is_text() {
                    format!("'{}'", value.escape_debug())
                } else {
                    value.clone()
                }
            })
            .collect();
        tuple(&shown)
    };
    let names = tuple(
        &names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    );
    match range {
        KeyRange::Everything => "the whole table".to_owned(),
        KeyRange::NullKey => format!("{names} with NULL"),
        KeyRange::Between { lower, upper } => match (lower, upper) {
            (None, None) => format!("every {names}"),
            (None, Some(upper)) => format!("{names} < {}", values(upper)),
            (Some(lower), None) => format!("{names} >= {}", values(lower)),
            (Some(lower), Some(upper)) => {
                format!("{} <= {names} < {}", values(lower), values(upper))
            }
        },
    }
}

fn statement(sql: &str) -> String {
    let lines: Vec<String> = sql.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::KeyKind;

    fn column(name: &str, kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: name.into(),
            kind,
            nullable: true,
            bytewise: false,
        }
    }

    fn between(lower: Option<&str>, upper: Option<&str>) -> KeyRange {
        let tuple = |value: &str| vec![value.to_owned()];
        KeyRange::Between {
            lower: lower.map(tuple),
            upper: upper.map(tuple),
        }
    }

    fn example() -> PlannedTable {
        PlannedTable {
            key: vec![column("id", KeyKind::Integer)],
            key_is_given: true,
            synchronization: Synchronization::None,
            partition_size: PartitionSize::MaxRowsPerPartition(1000),
            max_partition_rows: None,
            row_estimate: 2500,
            byte_estimate: 1 << 20,
            partitions: vec![
                between(None, Some("9")),
                between(Some("9"), None),
                KeyRange::NullKey,
            ],
            preflight: false,
            notes: vec!["the primary key".into()],
            warnings: vec!["beware".into()],
            ddl: "CREATE TABLE t".into(),
            source_statements: vec![Statement {
                purpose: "extraction of partition 0".into(),
                sql: "SELECT 1\nFROM t".into(),
            }],
            load_statements: vec![Statement {
                purpose: "of the files".into(),
                sql: "COPY INTO t".into(),
            }],
        }
    }

    fn text(table: PlannedTable) -> String {
        plan(&[TablePreview {
            source: "d.s.t".into(),
            target: "D.S.T".into(),
            outcome: Outcome::Plan(Box::new(table)),
        }])
    }

    #[test]
    fn a_table_is_told_from_its_key_to_its_statements() {
        insta::assert_snapshot!(text(example()));
    }

    #[test]
    fn only_the_first_ranges_are_listed() {
        let numbers: Vec<String> = (0..25).map(|n: u32| n.to_string()).collect();
        let partitions = numbers
            .windows(2)
            .map(|pair| between(Some(&pair[0]), Some(&pair[1])))
            .collect();
        let text = text(PlannedTable {
            partitions,
            ..example()
        });
        assert!(text.contains("19: 19 <= id < 20"), "{text}");
        assert!(!text.contains("20: 20 <="), "{text}");
        assert!(text.contains("… and 4 more"), "{text}");
    }

    #[test]
    fn bounds_of_composite_keys_and_odd_text_stay_on_one_line() {
        let key = [column("a", KeyKind::Integer), column("b", KeyKind::Text)];
        let bound = KeyRange::Between {
            lower: Some(vec!["1".into(), "x\n'".into()]),
            upper: None,
        };
        assert_eq!(range(&key, &bound), r"(a, b) >= (1, 'x\n\'')");
        assert_eq!(range(&[], &KeyRange::Everything), "the whole table");
    }

    #[test]
    fn a_table_that_cannot_be_migrated_does_not_hide_the_others() {
        let table = |outcome| TablePreview {
            source: "d.s.t".into(),
            target: "D.S.T".into(),
            outcome,
        };
        let text = plan(&[
            table(Outcome::Error("there is no such table".into())),
            table(Outcome::Plan(Box::new(example()))),
        ]);
        assert!(text.contains("  error: there is no such table\n"), "{text}");
        assert!(text.contains("  key: id\n"), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_the_analysis_says_of_the_key_stands_in_its_place() {
        let text = text(PlannedTable {
            notes: vec!["key: id (inferred: primary key)".into(), "few rows".into()],
            ..example()
        });
        assert!(
            text.contains("  key: id (inferred: primary key)\n"),
            "{text}"
        );
        assert_eq!(text.matches("key: ").count(), 1, "{text}");
        assert!(text.contains("  because: few rows\n"), "{text}");
    }

    #[test]
    fn whether_the_key_is_the_users_is_told() {
        let inferred = PlannedTable {
            key_is_given: false,
            ..example()
        };
        assert_eq!(key(&inferred), "id (inferred)");
        let none = PlannedTable {
            key: Vec::new(),
            ..example()
        };
        assert_eq!(key(&none), "none, as the file says");
    }

    #[test]
    fn the_json_has_either_an_error_or_a_plan() {
        let json = |outcome| {
            serde_json::to_value(TablePreview {
                source: "d.s.t".into(),
                target: "D.S.T".into(),
                outcome,
            })
            .expect("JSON")
        };
        assert_eq!(json(Outcome::Error("no".into()))["error"], "no");
        let plan = json(Outcome::Plan(Box::new(example())));
        assert_eq!(plan["plan"]["synchronization"]["strategy"], "none");
        assert_eq!(plan["plan"]["partitions"][2]["kind"], "nullKey");
    }
}
