//! What tests ask of the metadata that snowhaul keeps in Snowflake, so that they know none of its columns.

use crate::snowflake::LocalSnowflake;
use crate::sql::{Answer, Row, Sql};
use std::sync::Arc;

/// The metadata in the schema `DATA_MIGRATION` of a database, as a session sees them.
#[derive(Clone, Debug)]
pub struct Metadata {
    sql: Arc<Sql>,
    database: String,
}

impl Metadata {
    /// Those of a server, by a session of its own.
    #[must_use]
    pub fn on(server: &LocalSnowflake, database: &str) -> Self {
        Self::by(Arc::new(server.sql()), database)
    }

    /// Those of a session's server. Names are in full: its current schema does not matter.
    #[must_use]
    pub fn by(sql: Arc<Sql>, database: &str) -> Self {
        let database = database.to_owned();
        Self { sql, database }
    }

    /// The schema's name, for SQL.
    #[must_use]
    pub fn schema(&self) -> String {
        format!("{}.DATA_MIGRATION", self.database)
    }

    /// A statement with the schema for `{s}`, and its database for `{d}`.
    #[must_use]
    pub fn statement(&self, sql: &str) -> String {
        sql.replace("{s}", &self.schema())
            .replace("{d}", &self.database)
    }

    /// Runs such a statement, which must succeed: for what no user does, and snowhaul has to live with.
    pub fn run(&self, sql: &str) -> Answer {
        self.sql.run(&self.statement(sql))
    }

    /// The rows of such a statement.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        self.run(sql).rows
    }

    fn number(&self, sql: &str) -> i64 {
        self.sql.number(&self.statement(sql))
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().flatten().flatten().collect()
    }

    /// Whether anything was written into them.
    #[must_use]
    pub fn exist(&self) -> bool {
        let workflows = self.statement("SELECT 1 FROM {s}.WORKFLOW");
        self.sql.try_run(&workflows).is_ok()
    }

    /// Their version.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.number("SELECT MAX(VERSION) FROM {s}.SCHEMA_VERSION")
    }

    /// How many rows of a table or view meet a condition.
    #[must_use]
    pub fn count(&self, table: &str, condition: &str) -> i64 {
        self.number(&count_query(table, condition))
    }

    /// The same where the table may not be there yet.
    #[must_use]
    pub fn count_if_there(&self, table: &str, condition: &str) -> i64 {
        let answer = self
            .sql
            .try_run(&self.statement(&count_query(table, condition)));
        let count = answer.ok().and_then(|mut answer| answer.rows.pop()?.pop()?);
        count.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Names of all workflows, oldest first.
    #[must_use]
    pub fn workflows(&self) -> Vec<String> {
        self.texts("SELECT NAME FROM {s}.WORKFLOW ORDER BY WORKFLOW_ID")
    }

    /// A workflow's status; none where it is not there, or nothing is yet.
    #[must_use]
    pub fn status(&self, workflow: &str) -> Option<String> {
        let query = format!("SELECT STATUS FROM {{s}}.WORKFLOW WHERE NAME = '{workflow}'");
        let answer = self.sql.try_run(&self.statement(&query)).ok()?;
        answer.rows.into_iter().next()?.pop()?
    }

    /// How many workflows are complete.
    #[must_use]
    pub fn completed_workflows(&self) -> i64 {
        self.count("WORKFLOW", "STATUS = 'COMPLETED'")
    }

    /// How many partitions are in a phase, of all workflows; 0 where there is nothing yet.
    #[must_use]
    pub fn partitions_in(&self, phase: &str) -> i64 {
        self.count_if_there("PARTITION", &format!("PHASE = '{phase}'"))
    }

    /// Number of the partitions, and the sum of the rows that were extracted for them, of the tables at this place in
    /// their workflows.
    #[must_use]
    pub fn partitions(&self, table_no: usize) -> (i64, i64) {
        let of = format!("FROM {{s}}.\"PARTITION\" WHERE TABLE_NO = {table_no}");
        (
            self.number(&format!("SELECT COUNT(*) {of}")),
            self.number(&format!("SELECT COALESCE(SUM(ROWS_STAGED), 0) {of}")),
        )
    }

    /// What the partitions of the tables at this place hold, as JSON, in their order.
    #[must_use]
    pub fn key_ranges(&self, table_no: usize) -> Vec<String> {
        self.texts(&format!(
            "SELECT KEY_RANGE FROM {{s}}.\"PARTITION\" WHERE TABLE_NO = {table_no} ORDER BY PARTITION_NO"
        ))
    }

    /// How many partitions no row was extracted for.
    #[must_use]
    pub fn empty_partitions(&self) -> i64 {
        self.count("PARTITION", "ROWS_STAGED = 0")
    }

    /// The most rows that were extracted for one partition.
    #[must_use]
    pub fn largest_partition(&self) -> i64 {
        self.number("SELECT MAX(ROWS_STAGED) FROM {s}.\"PARTITION\"")
    }

    /// Rows that a workflow has moved into the target.
    #[must_use]
    pub fn rows_moved(&self, workflow: &str) -> i64 {
        self.number(&format!(
            "SELECT COALESCE(SUM(p.ROWS_LOADED), 0) {}",
            of(workflow)
        ))
    }

    /// A workflow's partitions by phase: `("LOADED", 3)`.
    #[must_use]
    pub fn phases(&self, workflow: &str) -> Vec<(String, i64)> {
        let query = format!(
            "SELECT p.PHASE, COUNT(*) {} GROUP BY p.PHASE ORDER BY 1",
            of(workflow)
        );
        pairs(self.rows(&query))
            .into_iter()
            .map(|(phase, count)| (phase, count.parse().unwrap_or(-1)))
            .collect()
    }

    /// How many tasks nobody has taken yet.
    #[must_use]
    pub fn pending_tasks(&self) -> i64 {
        self.count("TASK_QUEUE", "STATUS = 'PENDING'")
    }

    /// The workers of the extractions that run now, one for each of these.
    #[must_use]
    pub fn extracting(&self) -> Vec<String> {
        self.texts(
            "SELECT WORKER_ID FROM {s}.TASK_QUEUE WHERE STATUS = 'CLAIMED' AND KIND = 'EXTRACT'",
        )
    }

    /// The most attempts that a task has had.
    #[must_use]
    pub fn most_attempts(&self) -> i64 {
        self.number("SELECT MAX(ATTEMPT) FROM {s}.TASK_QUEUE")
    }

    /// The most attempts that have failed of one task.
    #[must_use]
    pub fn most_failures(&self) -> i64 {
        self.number("SELECT MAX(FAILURES) FROM {s}.TASK_QUEUE")
    }

    /// How many tables have a permit to load.
    #[must_use]
    pub fn permitted_loads(&self) -> i64 {
        self.count("TABLE_STATE", "LOAD_PERMIT IS NOT NULL")
    }

    /// Whether there is a table for limits already.
    #[must_use]
    pub fn take_limits(&self) -> bool {
        let checks = self.statement("SELECT NUM_CHECKS FROM {s}.RATE_LIMIT");
        self.sql.try_run(&checks).is_ok()
    }

    /// Sets a limit, as users do.
    pub fn set_limit(&self, pattern: &str, target: u32) {
        self.run(&format!(
            "INSERT INTO {{s}}.RATE_LIMIT (SCOPE_PATTERN, TARGET_CONCURRENT_TASKS) VALUES ('{pattern}', {target})"
        ));
    }

    /// All limits: pattern, target, and whether somebody has looked at it.
    #[must_use]
    pub fn limits(&self) -> Vec<Row> {
        self.rows(
            "SELECT SCOPE_PATTERN, TARGET_CONCURRENT_TASKS, NUM_CHECKS > 0 FROM {s}.RATE_LIMIT",
        )
    }

    /// All of `DATA_MIGRATION_ERROR`: source table and error, sorted.
    #[must_use]
    pub fn errors(&self) -> Vec<(String, String)> {
        sorted_pairs(self.rows("SELECT SOURCE_TABLE, ERROR FROM {s}.DATA_MIGRATION_ERROR"))
    }

    /// The errors of the newest workflow, one a line.
    #[must_use]
    pub fn newest_errors(&self) -> String {
        self.texts(&format!(
            "SELECT ERROR FROM {{s}}.DATA_MIGRATION_ERROR {NEWEST}"
        ))
        .join("\n")
    }

    /// All of `DATA_MIGRATION_WARNING`: source table and warning, sorted.
    #[must_use]
    pub fn warnings(&self) -> Vec<(String, String)> {
        sorted_pairs(self.rows("SELECT SOURCE_TABLE, WARNING FROM {s}.DATA_MIGRATION_WARNING"))
    }

    /// The warnings of the newest workflow, one a line.
    #[must_use]
    pub fn newest_warnings(&self) -> String {
        self.texts(&format!(
            "SELECT WARNING FROM {{s}}.DATA_MIGRATION_WARNING {NEWEST}"
        ))
        .join("\n")
    }

    /// Why tables failed as a whole.
    #[must_use]
    pub fn table_errors(&self) -> Vec<String> {
        self.texts("SELECT ERROR FROM {s}.TABLE_STATE")
    }

    /// What each table that is synchronized was synchronized by, as JSON.
    #[must_use]
    pub fn synchronizations(&self) -> Vec<String> {
        self.texts("SELECT SETTINGS FROM {s}.SYNCHRONIZATION")
    }

    /// What is known of synchronized partitions, as JSON, in their order.
    #[must_use]
    pub fn synchronized_ranges(&self) -> Vec<String> {
        self.texts("SELECT KEY_RANGE FROM {s}.SYNC_PARTITION ORDER BY PARTITION_NO")
    }

    /// The watermarks of partitions of the target tables whose names end like this, each once.
    #[must_use]
    pub fn watermarks(&self, target: &str) -> Vec<Option<String>> {
        let rows = self.rows(&format!(
            "SELECT DISTINCT p.WATERMARK FROM {{s}}.SYNC_PARTITION p JOIN {{s}}.SYNCHRONIZATION y ON y.SYNC_KEY = p.SYNC_KEY \
             WHERE y.TARGET_TABLE LIKE '%{target}'"
        ));
        rows.into_iter().flatten().collect()
    }

    /// Paths of all files that are staged.
    #[must_use]
    pub fn staged_files(&self) -> Vec<String> {
        let files = self.rows("LIST @{s}.TASK_RESULTS").into_iter();
        files.filter_map(|mut file| file.swap_remove(0)).collect()
    }

    /// Names of all staging tables.
    #[must_use]
    pub fn staging_tables(&self) -> Vec<String> {
        self.texts(
            "SELECT TABLE_NAME FROM {d}.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE 'STAGING%'",
        )
    }

    /// Every text that stands in them, with its table and column.
    #[must_use]
    pub fn texts_in_all_columns(&self) -> Vec<(String, Vec<String>)> {
        let columns = self.rows(
            "SELECT TABLE_NAME, COLUMN_NAME FROM {d}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'DATA_MIGRATION' AND DATA_TYPE = 'TEXT'",
        );
        let of_column = |(table, column): (String, String)| {
            let texts = self.texts(&format!("SELECT \"{column}\" FROM {{s}}.\"{table}\""));
            (format!("{table}.{column}"), texts)
        };
        pairs(columns).into_iter().map(of_column).collect()
    }
}

/// Of views that have a workflow's id.
const NEWEST: &str = "WHERE WORKFLOW_ID = (SELECT MAX(WORKFLOW_ID) FROM {s}.WORKFLOW)";

fn count_query(table: &str, condition: &str) -> String {
    format!("SELECT COUNT(*) FROM {{s}}.\"{table}\" WHERE {condition}")
}

/// A workflow's partitions.
fn of(workflow: &str) -> String {
    format!(
        "FROM {{s}}.\"PARTITION\" p JOIN {{s}}.WORKFLOW w ON w.WORKFLOW_ID = p.WORKFLOW_ID WHERE w.NAME = '{workflow}'"
    )
}

/// The first two cells of each row.
pub(crate) fn pairs(rows: Vec<Row>) -> Vec<(String, String)> {
    let pair = |row: Row| {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        (
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
        )
    };
    rows.into_iter().map(pair).collect()
}

fn sorted_pairs(rows: Vec<Row>) -> Vec<(String, String)> {
    let mut pairs = pairs(rows);
    pairs.sort();
    pairs
}
