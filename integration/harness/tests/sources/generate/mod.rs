//! `workflow generate` on inheritance trees, and what it leaves out.

mod estimates;
mod left_out;
mod trees;

use serde_json::Value;
use snowhaul_integration::{
    Database, Ended, LocalRedshift, LocalSnowflake, Scratch, Snowhaul, Sql, unique_name,
    worker_configuration,
};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);

/// A source, and the files of a migration from it.
struct Source {
    database: Database<'static>,
    platform: &'static str,
    metadata: String,
    target: String,
    scratch: Scratch,
}

impl Source {
    fn new(platform: &'static str) -> Self {
        Self {
            database: LocalRedshift::shared().database(),
            platform,
            metadata: unique_name("META"),
            target: unique_name("TARGET"),
            scratch: Scratch::new("generate"),
        }
    }

    fn worker(&self) -> PathBuf {
        let application = format!(
            "task_fetch_interval = 1\nsnowflake_database_for_metadata = \"{}\"",
            self.metadata
        );
        let (user, password) = self.database.login();
        let port = self.database.port_of(self.platform);
        let source = self.database.section(self.platform, port, user, password);
        let text = worker_configuration(&application, &source);
        self.scratch.write("configuration.toml", &text)
    }

    fn snowhaul(&self, arguments: &[&str]) -> Ended {
        let worker = self.worker();
        let more = [
            "--source-platform",
            self.platform,
            "-c",
            worker.to_str().unwrap(),
        ];
        Snowhaul::new([arguments, &more].concat())
            .snowflake(LocalSnowflake::shared())
            .metadata(&self.metadata)
            .run(DEADLINE)
    }

    /// `workflow generate` into a file, which must succeed: the file, and what was said.
    fn generate(&self, more: &[&str]) -> (Value, String) {
        let file = self.file();
        let file = file.to_str().unwrap();
        let wanted = [
            "workflow",
            "generate",
            "--target-database",
            &self.target,
            "--target-schema",
            "PUBLIC",
            "--force",
            "-o",
            file,
        ];
        let ended = self.snowhaul(&[&wanted[..], more].concat());
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        let text = fs::read_to_string(file).unwrap();
        (serde_json::from_str(&text).unwrap(), ended.stderr)
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("generated.json")
    }

    /// Plans and runs the generated file, both of which must succeed. Answers the plan.
    fn plan_and_run(&self) -> String {
        let file = self.file();
        let file = file.to_str().unwrap();
        let plan = self.snowhaul(&["workflow", "plan", file]);
        assert_eq!(plan.code(), Some(0), "{}{}", plan.stdout, plan.stderr);
        let run = self.snowhaul(&["run", file, "--name", "generated"]);
        assert_eq!(run.code(), Some(0), "{}{}", run.stdout, run.stderr);
        plan.stdout
    }

    fn target(&self) -> Sql {
        let sql = LocalSnowflake::shared().sql();
        sql.run(&format!("USE SCHEMA {}.PUBLIC", self.target));
        sql
    }
}

/// Tables of the file, with `includeChildTables`.
fn tables(file: &Value) -> Vec<(&str, Option<bool>)> {
    let tables = file["tables"].as_array().into_iter().flatten();
    tables
        .map(|table| {
            (
                table["source"]["tableName"].as_str().unwrap_or_default(),
                table["includeChildTables"].as_bool(),
            )
        })
        .collect()
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}
