//! One migration of one table, with a gate in the source that holds extractions back, and its check at the end.

use serde_json::json;
use snowhaul_integration::{
    Database, Ended, LocalRedshift, LocalSnowflake, Metadata, Running, Scratch, Snowhaul, Sql,
    eventually, unique_name,
};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// More than anything here takes on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// What a stop may take.
pub const STOP: Duration = Duration::from_secs(20);

/// The Snowflake of the tests that do not kill it. A transaction whose client is gone holds its locks until Snowflake
/// ends it as idle: after five minutes there, here sooner.
pub fn snowflake() -> &'static LocalSnowflake {
    static SHARED: OnceLock<LocalSnowflake> = OnceLock::new();
    SHARED.get_or_init(|| LocalSnowflake::start(&["--transaction-idle", "5"]))
}

/// A table in the source, a workflow that moves it, and names of its own for what it makes in Snowflake.
pub struct Migration<'server> {
    pub source: Database<'server>,
    /// Also the workflow's name.
    pub metadata: String,
    target: String,
    scratch: Scratch,
}

/// Holds extractions back, each at the first row that it guards, until it is dropped.
pub struct Gate(Sql);

impl<'server> Migration<'server> {
    /// `rows` rows in partitions of `partition_rows`, and one of rows without a key. The gate guards the rows from
    /// `guarded` on.
    pub fn new(
        server: &'server LocalRedshift,
        rows: u32,
        partition_rows: u32,
        guarded: u32,
    ) -> Self {
        let source = server.database();
        let sql = source.sql();
        sql.run(&format!(
            "CREATE TABLE items AS SELECT id::bigint AS id, md5(id::varchar)::varchar(32) AS word FROM generate_series(1, {rows}) id"
        ));
        sql.run("INSERT INTO items SELECT NULL, word FROM items WHERE id <= 3");
        // Stable, so that only statements that read the column call it: extractions, no analysis.
        sql.run(&format!(
            "CREATE FUNCTION passed(id bigint) RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN \
             IF id >= {guarded} THEN PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_unlock_shared(1); END IF; \
             RETURN id; END $$"
        ));
        sql.run(
            "CREATE VIEW guarded AS SELECT id, word, passed(id) AS passed FROM items ORDER BY id",
        );
        let (metadata, target) = (unique_name("META"), unique_name("TARGET"));
        let scratch = Scratch::new("migration");
        let workflow = json!({"tables": [{
            "source": {"databaseName": source.name(), "schemaName": "public", "tableName": "guarded"},
            "target": {"databaseName": target, "schemaName": "PUBLIC", "tableName": "GUARDED"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": partition_rows},
        }]});
        scratch.write("workflow.json", &workflow.to_string());
        let migration = Self {
            source,
            metadata,
            target,
            scratch,
        };
        migration.configure_workers(
            "max_parallel_tasks = 2\ntask_fetch_interval = 0.3\nlease_refresh_interval = 2\nlease = 6",
        );
        migration.configure_orchestrators(
            "poll_interval = 0.2\nlease = 6\nreap_interval = 0.5\nmax_failures = 20",
        );
        migration
    }

    /// Lines of `[application]` of the workers that are started from now on, beside where the metadata is.
    pub fn configure_workers(&self, application: &str) {
        let application = format!(
            "{application}\nsnowflake_database_for_metadata = \"{}\"",
            self.metadata
        );
        self.scratch.write(
            "configuration.toml",
            &self.source.worker_configuration(&application),
        );
    }

    /// Lines of `[application]` of the orchestrators that are started from now on.
    pub fn configure_orchestrators(&self, application: &str) {
        let text = format!("[application]\n{application}\n");
        self.scratch.write("orchestrator.toml", &text);
    }

    pub fn close_gate(&self) -> Gate {
        let gate = Gate(self.source.sql());
        gate.0.run("SELECT pg_advisory_lock(1)");
        gate
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn command(&self, snowflake: &LocalSnowflake, words: &[&str]) -> Running {
        let words = words.iter().map(|word| match word.strip_prefix('@') {
            Some(file) => self.file(file).into_os_string(),
            None => word.into(),
        });
        Snowhaul::new(words)
            .snowflake(snowflake)
            .metadata(&self.metadata)
            .start()
    }

    pub fn orchestrator(&self, snowflake: &LocalSnowflake) -> Running {
        self.command(snowflake, &["orchestrator", "-c", "@orchestrator.toml"])
    }

    pub fn worker(&self, snowflake: &LocalSnowflake) -> Running {
        self.command(snowflake, &["worker", "-c", "@configuration.toml"])
    }

    /// Creates the workflow and follows it to its end; an orchestrator has to be there, or to come.
    pub fn create(&self, snowflake: &LocalSnowflake) -> Running {
        let words = ["workflow", "create", "@workflow.json", "--wait"];
        self.workflow_command(snowflake, &words)
    }

    /// `snowhaul workflow COMMAND` of this workflow, to its end.
    pub fn ask(&self, snowflake: &LocalSnowflake, command: &str, more: &[&str]) -> Ended {
        let words = [&["workflow", command, &self.metadata], more].concat();
        self.command(snowflake, &words).wait(DEADLINE)
    }

    /// A workflow of its own for a table of the source, whose end is waited for.
    pub fn create_beside(&self, snowflake: &LocalSnowflake, table: &str) -> Running {
        let workflow = json!({"tables": [{
            "source": {"databaseName": self.source.name(), "schemaName": "public", "tableName": table},
            "target": {"databaseName": self.target, "schemaName": "PUBLIC", "tableName": table},
            "columnNamesToPartitionBy": [],
        }]});
        self.scratch.write("beside.json", &workflow.to_string());
        let words = ["workflow", "create", "@beside.json", "--wait"];
        let more = ["--source-platform", "redshift", "--name", table];
        self.command(snowflake, &[&words[..], &more].concat())
    }

    /// The epoch of the workflow's owner.
    pub fn epoch(&self, sql: &Sql) -> i64 {
        sql.number(&format!(
            "SELECT OWNER_EPOCH FROM {}",
            self.object("WORKFLOW")
        ))
    }

    /// Lists the workflows, which needs the metadata to be there.
    pub fn list(&self, snowflake: &LocalSnowflake) -> Running {
        self.command(snowflake, &["workflow", "list"])
    }

    /// Creates the workflow.
    pub fn create_only(&self, snowflake: &LocalSnowflake) -> Running {
        self.workflow_command(snowflake, &["workflow", "create", "@workflow.json"])
    }

    /// The same without a name for it.
    pub fn create_unnamed(&self, snowflake: &LocalSnowflake) -> Running {
        let words = ["workflow", "create", "@workflow.json"];
        let more = ["--source-platform", "redshift"];
        self.command(snowflake, &[&words[..], &more].concat())
    }

    /// Both roles in one process.
    pub fn run(&self, snowflake: &LocalSnowflake) -> Running {
        let words = ["run", "@workflow.json", "-c", "@configuration.toml"];
        self.workflow_command(snowflake, &words)
    }

    fn workflow_command(&self, snowflake: &LocalSnowflake, words: &[&str]) -> Running {
        let more = ["--source-platform", "redshift", "--name", &self.metadata];
        self.command(snowflake, &[words, &more].concat())
    }

    /// A table or view of the metadata, for SQL.
    pub fn object(&self, name: &str) -> String {
        format!("{}.DATA_MIGRATION.\"{name}\"", self.metadata)
    }

    /// How many rows of the metadata's table meet the condition.
    pub fn count(&self, sql: &Sql, table: &str, condition: &str) -> i64 {
        sql.number(&self.count_query(table, condition))
    }

    fn count_query(&self, table: &str, condition: &str) -> String {
        let object = self.object(table);
        format!("SELECT COUNT(*) FROM {object} WHERE {condition}")
    }

    /// The metadata, by a session of its own.
    pub fn metadata(&self, snowflake: &LocalSnowflake) -> Metadata {
        Metadata::on(snowflake, &self.metadata)
    }

    /// Waits until so many rows of the metadata's table, which may not be there yet, meet the condition.
    pub fn wait_for(&self, sql: &Sql, least: i64, table: &str, condition: &str) {
        let query = self.count_query(table, condition);
        let enough = || {
            let rows = sql.try_run(&query).map(|answer| answer.rows);
            let count = rows.ok().and_then(|mut rows| rows.pop()?.pop()?);
            count.and_then(|text| text.parse().ok()).unwrap_or(0) >= least
        };
        let what = format!("{least} rows of {table} WHERE {condition}");
        eventually(&what, DEADLINE, enough);
    }

    /// Waits until something is loaded, and extractions are held back at the gate.
    pub fn wait_for_the_middle(&self, sql: &Sql) {
        self.wait_for(sql, 1, "PARTITION", "PHASE = 'LOADED'");
        self.wait_for_extractions();
    }

    /// Waits until extractions are held back at the gate.
    pub fn wait_for_extractions(&self) {
        let sql = self.source.sql();
        let waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("an extraction waits at the gate", DEADLINE, || {
            sql.number(waiting) > 0
        });
    }

    /// Waits for the end that [`Self::create`] tells, and checks all of it.
    pub fn assert_ends_right(&self, snowflake: &LocalSnowflake, created: Running) {
        let ended = created.wait(DEADLINE);
        assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
        self.assert_loaded_once(snowflake);
    }

    /// The target holds the rows of the loaded partitions, each once, and no others.
    pub fn assert_what_is_loaded_is_in_the_target(&self, sql: &Sql) {
        let rows = format!(
            "SELECT COALESCE(SUM(ROWS_LOADED), 0) FROM {}",
            self.object("PARTITION")
        );
        let table = format!("{}.PUBLIC.GUARDED", self.target);
        let in_target = sql.rows(&format!("SELECT COUNT(*), COUNT(DISTINCT ID) FROM {table}"));
        let rows = sql.value(&rows);
        assert_eq!(in_target, [[rows.clone(), rows]]);
    }

    /// The target is the source.
    pub fn assert_rows_equal(&self, snowflake: &LocalSnowflake) {
        let (source, target) = (self.source.sql(), snowflake.sql());
        let table = format!("{}.PUBLIC.GUARDED", self.target);
        let summary = "COUNT(*), COUNT(DISTINCT ID), COUNT(DISTINCT WORD), SUM(ID), MIN(ID), MAX(ID), COUNT(PASSED)";
        let (in_source, in_target) = (
            source.rows(&format!("SELECT {summary} FROM guarded")),
            target.rows(&format!("SELECT {summary} FROM {table}")),
        );
        assert_eq!(in_target, in_source);
        let all = |sql: &Sql, table: &str| {
            let mut rows = sql.rows(&format!("SELECT id, word, passed FROM {table}"));
            rows.sort();
            rows
        };
        // Not shown when they differ: the summary has told what can be read.
        assert!(
            all(&target, &table) == all(&source, "guarded"),
            "rows differ"
        );
    }

    /// The target is the source, and the checkpoint says so.
    pub fn assert_loaded_once(&self, snowflake: &LocalSnowflake) {
        self.assert_rows_equal(snowflake);
        let target = snowflake.sql();
        let rows = self.source.sql().value("SELECT COUNT(*) FROM guarded");
        let loaded = target.rows(&format!(
            "SELECT PHASE, SUM(ROWS_LOADED), SUM(ROWS_STAGED) FROM {} GROUP BY PHASE",
            self.object("PARTITION")
        ));
        assert_eq!(loaded, [[Some("LOADED".to_owned()), rows.clone(), rows]]);
        for (table, condition) in [
            ("WORKFLOW", "STATUS <> 'COMPLETED' OR OWNER IS NOT NULL"),
            ("TABLE_STATE", "PHASE <> 'COMPLETED'"),
            (
                "TASK_QUEUE",
                "STATUS <> 'COMPLETED' OR COLLECTED_AT IS NULL",
            ),
            ("DATA_MIGRATION_ERROR", "TRUE"),
        ] {
            assert_eq!(
                self.count(&target, table, condition),
                0,
                "{table}: {condition}"
            );
        }
    }
}
