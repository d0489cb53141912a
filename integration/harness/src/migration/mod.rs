//! One migration from a [`Source`] into the shared local Snowflake by `snowhaul run`, with names of its own.

mod ended;

use crate::database::worker_configuration;
use crate::metadata::Metadata;
use crate::pooler::Pooler;
use crate::scratch::Scratch;
use crate::snowflake::{LocalSnowflake, unique_name};
use crate::snowhaul::{Ended, Snowhaul, eventually};
use crate::source::Source;
use crate::sql::Sql;
pub use ended::Migrated;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Generous: the machine may be busy with other tests.
const DEADLINE: Duration = Duration::from_secs(300);

/// A workflow that is being written. Sources default to the schema of the database's tests, targets to the schema `PUBLIC`
/// of a new database ([`target`](Self::target)), the key to none.
#[derive(Clone, Debug)]
pub struct Migration<'a> {
    database: &'a dyn Source,
    tables: Vec<Value>,
    target: String,
    metadata: String,
    name: String,
    application: String,
    platform: &'static str,
    driver: Option<&'a str>,
    login: Option<(String, String)>,
    port: Option<u16>,
    top: Value,
    environment: Vec<(&'static str, String)>,
    server: &'a LocalSnowflake,
}

impl<'a> Migration<'a> {
    /// A workflow without tables, from `database`.
    #[must_use]
    pub fn from(database: &'a dyn Source) -> Self {
        Self {
            database,
            tables: Vec::new(),
            target: unique_name("TARGET"),
            metadata: unique_name("META"),
            name: unique_name("workflow"),
            application: "max_parallel_tasks = 4\ntask_fetch_interval = 1".to_owned(),
            platform: database.platform(),
            driver: None,
            login: None,
            port: None,
            top: json!({}),
            environment: Vec::new(),
            server: LocalSnowflake::shared(),
        }
    }

    /// The same with another `--source-platform`: `postgresql`, which the local Redshift is underneath.
    #[must_use]
    pub fn platform(self, platform: &'static str) -> Self {
        Self { platform, ..self }
    }

    /// The same through this ODBC driver.
    #[must_use]
    pub fn driver(self, name: &'a str) -> Self {
        let driver = Some(name);
        Self { driver, ..self }
    }

    /// The same by another login than the database's owner.
    #[must_use]
    pub fn login(self, user: &str, password: &str) -> Self {
        let login = Some((user.to_owned(), password.to_owned()));
        Self { login, ..self }
    }

    /// The same at another port, of something that stands before the server.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        let port = Some(port);
        Self { port, ..self }
    }

    /// The same from a PostgreSQL behind a pooler.
    #[must_use]
    pub fn through(self, pooler: &Pooler<'_>) -> Self {
        let port = Some(pooler.port());
        Self { port, ..self }.platform("postgresql")
    }

    /// The same past the pooler.
    #[must_use]
    pub fn direct(self) -> Self {
        Self { port: None, ..self }
    }

    /// Keys of the workflow's file beside its tables.
    #[must_use]
    pub fn top(mut self, keys: Value) -> Self {
        self.top = keys;
        self
    }

    /// An environment variable of its processes.
    #[must_use]
    pub fn env(mut self, key: &'static str, value: &str) -> Self {
        self.environment.push((key, value.to_owned()));
        self
    }

    /// A new workflow of the same tables, into the same target, with the same metadata.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.name = unique_name("workflow");
        self
    }

    /// The same without its tables.
    #[must_use]
    pub fn without_tables(mut self) -> Self {
        self.tables.clear();
        self
    }

    /// Adds a table as the workflow's file has it; what it does not say is the default.
    #[must_use]
    pub fn table(mut self, table: Value) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds a table of the same name on both sides, in one partition.
    #[must_use]
    pub fn whole(self, name: &str) -> Self {
        self.table(json!({"source": {"tableName": name}, "target": {"tableName": name}}))
    }

    /// The metadata's database, which exists after [`run`](Self::run).
    #[must_use]
    pub fn metadata_database(&self) -> &str {
        &self.metadata
    }

    /// The metadata, by a session of its own.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        Metadata::on(self.server, &self.metadata)
    }

    /// The target's database, which exists after [`run`](Self::run), or after [`prepare`](Self::prepare).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Creates the target's database, and runs statements in its schema `PUBLIC`.
    #[must_use]
    pub fn prepare(self, statements: &[&str]) -> Self {
        let sql = self.server.sql();
        sql.run(&format!("CREATE DATABASE {}", self.target));
        sql.run(&format!("USE SCHEMA {}.PUBLIC", self.target));
        for statement in statements {
            sql.run(statement);
        }
        self
    }

    /// On another local Snowflake than the shared one.
    #[must_use]
    pub fn on(self, server: &'a LocalSnowflake) -> Self {
        Self { server, ..self }
    }

    /// Runs it to its end, which must be `code`.
    #[must_use]
    pub fn run(&self, code: i32) -> Migrated {
        let scratch = Scratch::new("migration");
        let ended = self.command(&scratch).run(DEADLINE);
        assert_eq!(
            ended.code(),
            Some(code),
            "{:#}\n{}\n{}",
            self.workflow(),
            ended.stdout,
            ended.stderr
        );
        self.left(ended)
    }

    /// Runs it to its end, and shows its process to `watch` again and again meanwhile.
    pub fn run_watched(&self, mut watch: impl FnMut(u32)) -> Ended {
        let scratch = Scratch::new("watched");
        let mut running = self.command(&scratch).start();
        eventually("its end", DEADLINE, || {
            watch(running.id());
            running.ended().is_some()
        });
        running.wait(DEADLINE)
    }

    /// A session in its target.
    #[must_use]
    pub fn target_sql(&self) -> Sql {
        let sql = self.server.sql();
        sql.run(&format!("USE SCHEMA {}.PUBLIC", self.target));
        sql
    }

    /// Starts it, kills it as soon as a row of a table of its metadata meets the condition, and lets the leases run out
    /// that it held. Whether it was still at work.
    pub fn kill_when(&self, table: &str, condition: &str) -> bool {
        let scratch = Scratch::new("migration");
        let mut running = self.command(&scratch).start();
        let metadata = self.metadata();
        let of_this = format!(
            "({condition}) AND WORKFLOW_ID IN (SELECT w.WORKFLOW_ID FROM {{s}}.WORKFLOW w WHERE w.NAME = '{}')",
            self.name
        );
        eventually(&format!("a row of {table}: {condition}"), DEADLINE, || {
            running.ended().is_some() || metadata.count_if_there(table, &of_this) > 0
        });
        let was_at_work = running.ended().is_none();
        running.kill();
        self.let_leases_run_out();
        was_at_work
    }

    /// The same with metadata of its own: nothing of earlier runs is known.
    #[must_use]
    pub fn with_new_metadata(mut self) -> Self {
        self.metadata = unique_name("META");
        self
    }

    /// The same into a target of its own.
    #[must_use]
    pub fn with_new_target(mut self) -> Self {
        self.target = unique_name("TARGET");
        self
    }

    /// Lines of `[application]` in the worker's configuration, instead of the usual ones.
    #[must_use]
    pub fn application(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.application);
        self
    }

    /// Runs it to whatever end it comes to, with failures that are caused on purpose (`FAILPOINTS` of a build with the
    /// feature `failpoints`). Also answers those that were: `load.copy.before kill`.
    #[must_use]
    pub fn run_with(&self, failpoints: &str) -> (Ended, Vec<String>) {
        let scratch = Scratch::new("failpoints");
        let log = scratch.path().join("caused");
        let ended = self
            .command(&scratch)
            .env("FAILPOINTS", failpoints)
            .env("SNOWHAUL_FAILPOINT_LOG", &log)
            .run(DEADLINE);
        let caused = std::fs::read_to_string(log).unwrap_or_default();
        (ended, caused.lines().map(str::to_owned).collect())
    }

    /// `snowhaul workflow COMMAND` of this workflow, as [`Self::run_with`].
    #[must_use]
    pub fn ask_with(&self, command: &str, failpoints: &str) -> (Ended, Vec<String>) {
        let scratch = Scratch::new("request");
        let log = scratch.path().join("caused");
        let ended = Snowhaul::new(["workflow", command, &self.name])
            .snowflake(self.server)
            .metadata(&self.metadata)
            .env("FAILPOINTS", failpoints)
            .env("SNOWHAUL_FAILPOINT_LOG", &log)
            .run(DEADLINE);
        let caused = std::fs::read_to_string(log).unwrap_or_default();
        (ended, caused.lines().map(str::to_owned).collect())
    }

    /// Instead of the time that would have to pass: the leases that a killed process held have run out, and its tasks are
    /// free. That they count as failed is left out: whoever kills often would find them given up.
    pub fn let_leases_run_out(&self) {
        let sql = self.server.sql();
        // There may be no such table yet.
        for change in [
            "WORKFLOW SET LEASE_UNTIL = SYSDATE() WHERE LEASE_UNTIL > SYSDATE()",
            "TASK_QUEUE SET STATUS = 'PENDING', CLAIM_TOKEN = NULL, LEASE_UNTIL = NULL WHERE STATUS = 'CLAIMED'",
        ] {
            let _ = sql.try_run(&format!("UPDATE {}.DATA_MIGRATION.{change}", self.metadata));
        }
    }

    /// What it has left, whoever ran it.
    #[must_use]
    pub fn left(&self, ended: Ended) -> Migrated {
        let sql = Arc::new(self.target_sql());
        Migrated {
            ended,
            metadata: Metadata::by(Arc::clone(&sql), &self.metadata),
            sql,
            target: self.target.clone(),
            workflow: self.name.clone(),
        }
    }

    /// Whether this workflow is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.metadata().status(&self.name).as_deref() == Some("COMPLETED")
    }

    fn workflow(&self) -> Value {
        let mut workflow = json!({
            "defaultTableConfiguration": {
                "source": {"databaseName": self.database.written_name(), "schemaName": self.database.schema()},
                "target": {"databaseName": self.target, "schemaName": "PUBLIC"},
                "columnNamesToPartitionBy": [],
            },
            "tables": self.tables,
        });
        if let (Some(workflow), Some(top)) = (workflow.as_object_mut(), self.top.as_object()) {
            workflow.extend(top.clone());
        }
        workflow
    }

    /// `snowhaul workflow plan`, to whatever end it comes to; `more` are more arguments.
    #[must_use]
    pub fn plan(&self, more: &[&str]) -> Ended {
        self.before(&["workflow", "plan"], more)
    }

    /// `snowhaul doctor`, the same.
    #[must_use]
    pub fn doctor(&self, more: &[&str]) -> Ended {
        self.before(&["doctor"], more)
    }

    fn before(&self, command: &[&str], more: &[&str]) -> Ended {
        let scratch = Scratch::new("before");
        let (workflow, worker) = self.files(&scratch);
        let (workflow, worker) = (workflow.to_string_lossy(), worker.to_string_lossy());
        let files = [&workflow[..], "-c", &worker];
        let platform = ["--source-platform", self.platform];
        Snowhaul::new([command, &files, &platform, more].concat())
            .snowflake(self.server)
            .metadata(&self.metadata)
            .run(DEADLINE)
    }

    /// The workflow's file and the worker's.
    fn files(&self, scratch: &Scratch) -> (PathBuf, PathBuf) {
        let workflow = scratch.write("workflow.json", &self.workflow().to_string());
        let application = format!(
            "{}\nsnowflake_database_for_metadata = \"{}\"",
            self.application, self.metadata
        );
        let port = self.port.unwrap_or(self.database.port_of(self.platform));
        let (user, password) = match &self.login {
            Some((user, password)) => (user.as_str(), password.as_str()),
            None => self.database.login(),
        };
        let mut source = self.database.section(self.platform, port, user, password);
        if let Some(driver) = self.driver {
            source += &format!("\nodbc_driver = \"{driver}\"\n");
        }
        let worker = worker_configuration(&application, &source);
        (workflow, scratch.write("configuration.toml", &worker))
    }

    fn command(&self, scratch: &Scratch) -> Snowhaul {
        let (workflow, worker) = self.files(scratch);
        let arguments = [
            "run".as_ref(),
            workflow.as_os_str(),
            "-c".as_ref(),
            worker.as_os_str(),
        ];
        let names = ["--source-platform", self.platform, "--name", &self.name];
        let command = Snowhaul::new(arguments.into_iter().chain(names.map(AsRef::as_ref)))
            .snowflake(self.server)
            .metadata(&self.metadata);
        let variables = self.environment.iter();
        variables.fold(command, |command, (key, value)| command.env(key, value))
    }
}
