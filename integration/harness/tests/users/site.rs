//! A test's own corner of the servers: a source database, a target database, metadata, and the files of a migration.

use serde_json::{Value, json};
use snowhaul_integration::{
    Database, Ended, LocalRedshift, LocalSnowflake, Metadata, Scratch, Snowhaul, Sql, unique_name,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Generous: no assertion about speed.
pub const DEADLINE: Duration = Duration::from_secs(300);

pub struct Site<'a> {
    pub snowflake: &'a LocalSnowflake,
    pub source: Database<'static>,
    pub metadata: String,
    pub target: String,
    pub scratch: Scratch,
}

impl Site<'static> {
    /// On the servers that all tests share.
    pub fn shared() -> Self {
        Self::on(LocalSnowflake::shared())
    }
}

impl<'a> Site<'a> {
    /// On a Snowflake of the test's own.
    pub fn on(snowflake: &'a LocalSnowflake) -> Self {
        Self {
            snowflake,
            source: LocalRedshift::shared().database(),
            metadata: unique_name("META"),
            target: unique_name("TGT"),
            scratch: Scratch::new("site"),
        }
    }

    /// A workflow file of `tables`; what they do not say is: this source, schema public; this target, schema PUBLIC;
    /// one partition.
    pub fn workflow(&self, tables: &Value) -> PathBuf {
        self.workflow_with(json!({"tables": tables}))
    }

    /// The same with more keys at the top.
    pub fn workflow_with(&self, mut top: Value) -> PathBuf {
        top["defaultTableConfiguration"] = json!({
            "source": {"databaseName": self.source.name(), "schemaName": "public"},
            "target": {"databaseName": self.target, "schemaName": "PUBLIC"},
            "columnNamesToPartitionBy": [],
        });
        let name = format!("{}.json", unique_name("workflow"));
        self.scratch.write(&name, &top.to_string())
    }

    /// A worker's file for the source.
    pub fn worker(&self) -> PathBuf {
        let text = self.source.worker_configuration("task_fetch_interval = 1");
        self.scratch.write("configuration.toml", &text)
    }

    pub fn command(&self, arguments: &[&str]) -> Snowhaul {
        Snowhaul::new(arguments)
            .snowflake(self.snowflake)
            .metadata(&self.metadata)
    }

    /// `snowhaul run` to its end.
    pub fn run(&self, workflow: &Path, name: &str) -> Ended {
        self.run_command(workflow, name).run(DEADLINE)
    }

    pub fn run_command(&self, workflow: &Path, name: &str) -> Snowhaul {
        let worker = self.worker();
        self.command(&run_arguments(workflow, name, &worker))
    }

    /// `snowhaul workflow create`, which must succeed.
    pub fn create(&self, workflow: &Path, name: &str) {
        let ended = self.create_command(workflow, name, &[]).run(DEADLINE);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }

    /// `snowhaul workflow create --wait` to the workflow's end.
    pub fn create_and_wait(&self, workflow: &Path, name: &str) -> Ended {
        self.create_command(workflow, name, &["--wait"])
            .run(DEADLINE)
    }

    fn create_command(&self, workflow: &Path, name: &str, more: &[&str]) -> Snowhaul {
        let create = [
            "workflow",
            "create",
            text(workflow),
            "--source-platform",
            "redshift",
            "--name",
            name,
        ];
        self.command(&[&create[..], more].concat())
    }

    /// Its metadata.
    pub fn metadata(&self) -> Metadata {
        Metadata::on(self.snowflake, &self.metadata)
    }

    /// A session of Snowflake's own driver.
    pub fn sql(&self) -> Sql {
        self.snowflake.sql()
    }

    /// `DATA_MIGRATION_ERROR`: target table, partition, error.
    pub fn errors(&self) -> Vec<(String, Option<String>, String)> {
        let sql = format!(
            "SELECT TARGET_TABLE, PARTITION_ID, ERROR FROM {}.DATA_MIGRATION.DATA_MIGRATION_ERROR ORDER BY TABLE_ID",
            self.metadata
        );
        let rows = self.sql().rows(&sql).into_iter();
        rows.map(|mut row| {
            let (error, partition) = (row.pop().flatten(), row.pop().flatten());
            let table = row.pop().flatten().unwrap_or_default();
            let table = table.rsplit('.').next().unwrap_or_default().to_owned();
            (table, partition, error.unwrap_or_default())
        })
        .collect()
    }

    /// Rows of a table in the target.
    pub fn rows_of(&self, table: &str) -> i64 {
        self.sql().number(&format!(
            "SELECT COUNT(*) FROM {}.PUBLIC.{table}",
            self.target
        ))
    }
}

/// A table of a workflow under the same name on both sides.
pub fn table(name: &str) -> Value {
    json!({"source": {"tableName": name}, "target": {"tableName": name}})
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Asserts that all of `parts` are said.
#[track_caller]
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

/// `snowhaul run` of a workflow from Redshift.
pub fn run_arguments<'a>(workflow: &'a Path, name: &'a str, worker: &'a Path) -> [&'a str; 8] {
    let (workflow, worker) = (text(workflow), text(worker));
    [
        "run",
        workflow,
        "--source-platform",
        "redshift",
        "--name",
        name,
        "-c",
        worker,
    ]
}
