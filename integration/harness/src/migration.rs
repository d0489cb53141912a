//! One migration from a [`Database`] into the shared local Snowflake by `snowhaul run`, with names of its own.

use crate::database::{Database, worker_configuration};
use crate::pooler::Pooler;
use crate::scratch::Scratch;
use crate::snowflake::{LocalSnowflake, unique_name};
use crate::snowhaul::{Ended, Snowhaul, until};
use crate::sql::{Row, Sql};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Generous: the machine may be busy with other tests.
const DEADLINE: Duration = Duration::from_secs(300);

/// A workflow that is being written. Sources default to the database's schema `public`, targets to the schema `PUBLIC`
/// of a new database ([`target`](Self::target)), the key to none.
#[derive(Clone, Debug)]
pub struct Migration<'a> {
    database: &'a Database<'a>,
    tables: Vec<Value>,
    target: String,
    metadata: String,
    name: String,
    application: String,
    platform: &'static str,
    login: Option<(String, String)>,
    port: Option<u16>,
    top: Value,
    environment: Vec<(&'static str, String)>,
    server: &'a LocalSnowflake,
}

impl<'a> Migration<'a> {
    /// A workflow without tables, from `database`.
    #[must_use]
    pub fn from(database: &'a Database<'a>) -> Self {
        Self {
            database,
            tables: Vec::new(),
            target: unique_name("TARGET"),
            metadata: unique_name("META"),
            name: unique_name("workflow"),
            application: "max_parallel_tasks = 4\ntask_fetch_interval = 1".to_owned(),
            platform: "redshift",
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

    /// The same by another login than the database's owner.
    #[must_use]
    pub fn login(self, user: &str, password: &str) -> Self {
        let login = Some((user.to_owned(), password.to_owned()));
        Self { login, ..self }
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
        let ended = until(DEADLINE, || {
            watch(running.id());
            running.ended().is_some()
        });
        assert!(ended, "it does not end: {}", running.stderr());
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
        let sql = self.server.sql();
        let schema = format!("{}.DATA_MIGRATION", self.metadata);
        let query = format!(
            "SELECT COUNT(*) FROM {schema}.\"{table}\" x JOIN {schema}.WORKFLOW w ON w.WORKFLOW_ID = x.WORKFLOW_ID \
             WHERE w.NAME = '{}' AND {condition}",
            self.name
        );
        let reached = until(DEADLINE, || {
            running.ended().is_some() || sql.number(&query) > 0
        });
        assert!(reached, "no row of {table}: {condition}");
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

    /// `snowhaul workflow LEVER` of this workflow, as [`Self::run_with`].
    #[must_use]
    pub fn lever_with(&self, lever: &str, failpoints: &str) -> (Ended, Vec<String>) {
        let scratch = Scratch::new("lever");
        let log = scratch.path().join("caused");
        let ended = Snowhaul::new(["workflow", lever, &self.name])
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
        Migrated {
            ended,
            sql: self.target_sql(),
            target: self.target.clone(),
            metadata: format!("{}.DATA_MIGRATION", self.metadata),
            workflow: self.name.clone(),
        }
    }

    /// Whether this workflow is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.DATA_MIGRATION.WORKFLOW WHERE NAME = '{}' AND STATUS = 'COMPLETED'",
            self.metadata, self.name
        );
        let rows = self.server.sql().try_run(&sql).map(|answer| answer.rows);
        // No metadata yet: no workflow.
        rows.is_ok_and(|rows| {
            rows.first()
                .is_some_and(|row| row[0].as_deref() != Some("0"))
        })
    }

    fn workflow(&self) -> Value {
        let mut workflow = json!({
            "defaultTableConfiguration": {
                "source": {"databaseName": format!("\"{}\"", self.database.name().replace('"', "\"\"")), "schemaName": "public"},
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
        let source = self.database.section(self.platform, port, user, password);
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

/// A migration that has ended.
#[derive(Debug)]
pub struct Migrated {
    /// The process's end.
    pub ended: Ended,
    /// A session in the target's schema `PUBLIC`.
    pub sql: Sql,
    /// The target's database.
    pub target: String,
    metadata: String,
    workflow: String,
}

impl Migrated {
    /// All of `DATA_MIGRATION_ERROR`: source table and error, sorted.
    #[must_use]
    pub fn errors(&self) -> Vec<(String, String)> {
        self.pairs("SELECT SOURCE_TABLE, ERROR FROM {s}.DATA_MIGRATION_ERROR")
    }

    /// The errors of the source table whose name ends in `table`, one a line.
    #[must_use]
    pub fn errors_of(&self, table: &str) -> String {
        lines_of(table, self.errors())
    }

    /// All of `DATA_MIGRATION_WARNING`: source table and warning, sorted.
    #[must_use]
    pub fn warnings(&self) -> Vec<(String, String)> {
        self.pairs("SELECT SOURCE_TABLE, WARNING FROM {s}.DATA_MIGRATION_WARNING")
    }

    /// The warnings of the source table whose name ends in `table`, one a line.
    #[must_use]
    pub fn warnings_of(&self, table: &str) -> String {
        lines_of(table, self.warnings())
    }

    /// Number of the workflow's partitions, and the sum of the rows that were extracted for them, of the table at this
    /// place in the workflow.
    #[must_use]
    pub fn partitions(&self, table_no: usize) -> (i64, i64) {
        let row = self.metadata(&format!(
            "SELECT COUNT(*), COALESCE(SUM(ROWS_STAGED), 0) FROM {{s}}.\"PARTITION\" WHERE TABLE_NO = {table_no}"
        ));
        let number = |index: usize| {
            let text = row[0][index].as_deref().unwrap_or_default();
            text.parse()
                .unwrap_or_else(|_| panic!("not a whole number: {text}"))
        };
        (number(0), number(1))
    }

    /// Rows that this workflow has moved into the target, and its partitions by phase: `("LOADED", 3)`.
    #[must_use]
    pub fn moved(&self) -> (i64, Vec<(String, i64)>) {
        let from = format!(
            "FROM {{s}}.\"PARTITION\" p JOIN {{s}}.WORKFLOW w ON w.WORKFLOW_ID = p.WORKFLOW_ID WHERE w.NAME = '{}'",
            self.workflow
        );
        let number = |text: Option<String>| text.unwrap_or_default().parse().unwrap_or(-1);
        let phases = self.metadata(&format!("SELECT p.PHASE, COUNT(*) {from} GROUP BY p.PHASE"));
        let mut phases: Vec<(String, i64)> = phases
            .into_iter()
            .map(|mut row| {
                let count = number(row.pop().flatten());
                (row.remove(0).unwrap_or_default(), count)
            })
            .collect();
        phases.sort();
        let mut rows = self.metadata(&format!("SELECT COALESCE(SUM(p.ROWS_LOADED), 0) {from}"));
        (number(rows.remove(0).remove(0)), phases)
    }

    /// Rows of a query of the metadata; `{s}` is its schema.
    #[must_use]
    pub fn metadata(&self, sql: &str) -> Vec<Row> {
        self.sql.rows(&self.in_metadata(sql))
    }

    /// A statement with the metadata's schema for `{s}`, and its database for `{d}`.
    #[must_use]
    pub fn in_metadata(&self, sql: &str) -> String {
        let database = self.metadata.split('.').next().unwrap_or_default();
        sql.replace("{s}", &self.metadata).replace("{d}", database)
    }

    /// Names and types of a target table's columns, as DESCRIBE TABLE has them.
    #[must_use]
    pub fn columns(&self, table: &str) -> Vec<(String, String)> {
        let pair = |row: Row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            )
        };
        let rows = self.sql.rows(&format!("DESCRIBE TABLE {table}"));
        rows.into_iter().map(pair).collect()
    }

    fn pairs(&self, sql: &str) -> Vec<(String, String)> {
        let pair = |row: Row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            )
        };
        let mut pairs: Vec<_> = self.metadata(sql).into_iter().map(pair).collect();
        pairs.sort();
        pairs
    }
}

fn lines_of(table: &str, pairs: Vec<(String, String)>) -> String {
    let of_table = pairs.into_iter().filter(|(name, _)| {
        name.strip_suffix(table)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let lines: Vec<String> = of_table.map(|(_, line)| line).collect();
    lines.join("\n")
}
