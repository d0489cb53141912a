//! The metadata objects: what a new installation is made of, and the numbered migrations of older ones.
//!
//! Every statement can run twice, and late: two orchestrators may start at once, one of them may be held up while the other
//! works already, and a half-done creation or migration is repeated. So nothing is dropped that a version still has, and the
//! version is written last. A new installation has it at once; migrations are for versions from 1 on.

use super::ownership::{COMMENT, STAGE};
use super::tables::{
    SCHEMA_VERSION, SYNC_PARTITION, SYNCHRONIZATION, TABLE_REQUEST, TABLES, WORKFLOW_REQUEST,
};
use super::views::{PROGRESS, VIEWS};

/// The version this build works with.
pub(super) const VERSION: u32 = 4;

/// Columns that have another name since version 3: table, column, new name. No page of Snowflake's says that a hybrid table's
/// column can be renamed; it is sent to metadata of versions 1 and 2 alone.
pub(super) const RENAMED: [(&str, &str, &str); 2] = [
    ("RATE_LIMIT", "PATTERN", "SCOPE_PATTERN"),
    (
        "RATE_LIMIT",
        "TARGET_CONCURRENCY",
        "TARGET_CONCURRENT_TASKS",
    ),
];

/// Whether it matters that somebody else has come further before it runs: it changes what is there already.
pub(super) fn is_for_its_time(statement: &str) -> bool {
    !statement.contains("IF NOT EXISTS")
}

/// What must exist before the version can be read.
pub(super) fn preparation(database: &str, s: &str) -> Vec<String> {
    vec![
        format!("CREATE DATABASE IF NOT EXISTS {database}"),
        format!("CREATE SCHEMA IF NOT EXISTS {s}"),
        SCHEMA_VERSION.create(s),
    ]
}

/// What a new installation has besides. `s` is the quoted schema.
pub(super) fn creation(s: &str) -> Vec<String> {
    let stage = format!(
        "CREATE STAGE IF NOT EXISTS {s}.{STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') COMMENT = '{COMMENT}'"
    );
    let tables = TABLES.iter().map(|table| table.create(s));
    let views = VIEWS.iter().map(|view| view.create(s));
    tables.chain([stage]).chain(views).collect()
}

/// The statements that lead from the version before to each version, in order.
pub(super) fn migrations(s: &str) -> Vec<(u32, Vec<String>)> {
    vec![
        (2, version_2(s)),
        (3, version_3(s)),
        // Plans in two halves ([`TablePlan`](crate::domain::table_plan::TablePlan)), which older builds do not read: no table
        // changes, and those that are there are read as they are.
        (4, Vec::new()),
    ]
}

/// Synchronization, and analyses in their new form.
fn version_2(s: &str) -> Vec<String> {
    vec![
        // Version 1 has created it, and written nothing into it.
        format!("DROP TABLE IF EXISTS {s}.SYNC_STATE"),
        SYNCHRONIZATION.create(s),
        SYNC_PARTITION.create(s),
        // What an analysis of version 1 found does not say all that is needed now.
        format!(
            "UPDATE {s}.TASK_QUEUE SET STATUS = 'PENDING', RESULT = NULL, CLAIM_TOKEN = NULL, ENDED_AT = NULL WHERE KIND = 'ANALYZE' AND STATUS = 'COMPLETED' AND COLLECTED_AT IS NULL"
        ),
    ]
}

/// What operators ask of running work, and what waits for another attempt.
fn version_3(s: &str) -> Vec<String> {
    let added = [
        ("TASK_QUEUE", "POSTPONED NUMBER(10,0)"),
        ("TABLE_STATE", "LOAD_FAILURES NUMBER(10,0)"),
        ("TABLE_STATE", "LOAD_NOT_BEFORE TIMESTAMP_NTZ"),
        ("TABLE_STATE", "LOAD_ERROR VARCHAR"),
        // Before, it had other names (`RENAMED`) and not these.
        ("RATE_LIMIT", "WORKFLOW_ID NUMBER(19,0)"),
        ("RATE_LIMIT", "ENABLED BOOLEAN"),
        ("RATE_LIMIT", "NUM_CHECKS NUMBER(19,0)"),
        ("TABLE_STATE", "LOAD_PERMIT NUMBER(19,0)"),
    ];
    let mut statements = vec![
        WORKFLOW_REQUEST.create(s),
        format!(
            "INSERT INTO {s}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) SELECT w.WORKFLOW_ID, 0 FROM {s}.WORKFLOW w WHERE NOT EXISTS (SELECT 1 FROM {s}.WORKFLOW_REQUEST r WHERE r.WORKFLOW_ID = w.WORKFLOW_ID)"
        ),
        TABLE_REQUEST.create(s),
    ];
    statements.extend(added.map(|(table, column)| {
        format!("ALTER TABLE {s}.{table} ADD COLUMN IF NOT EXISTS {column}")
    }));
    statements.push(PROGRESS.replace(s));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_migration_drops_a_table_that_its_version_or_a_later_one_has() {
        let all = migrations("s");
        let mut dropped = 0;
        for (version, statement) in all
            .iter()
            .flat_map(|(version, all)| all.iter().map(move |statement| (version, statement)))
        {
            let Some(table) = statement.strip_prefix("DROP TABLE IF EXISTS ") else {
                assert!(!statement.contains("OR REPLACE HYBRID"), "{statement}");
                continue;
            };
            dropped += 1;
            let later = all.iter().filter(|(other, _)| other >= version);
            let is_used = later
                .flat_map(|(_, statements)| statements)
                .chain(&creation("s"))
                .any(|other| other != statement && other.contains(&format!("{table} ")));
            assert!(!is_used, "version {version} drops {table}");
        }
        assert_eq!(dropped, 1);
    }

    #[test]
    fn what_is_created_anew_never_replaces_anything_and_says_whose_it_is() {
        let (preparation, creation) = (preparation("d", "s"), creation("s"));
        for statement in preparation[2..].iter().chain(&creation) {
            assert!(statement.contains("IF NOT EXISTS"), "{statement}");
            assert!(!statement.contains("REPLACE"), "{statement}");
            assert!(statement.contains("COMMENT = 'snowhaul'"), "{statement}");
            let is_table = statement.starts_with("CREATE HYBRID TABLE");
            assert_eq!(statement.contains("DEFAULT_DDL_COLLATION = ''"), is_table);
        }
    }
}
