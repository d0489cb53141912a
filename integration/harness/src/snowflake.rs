//! A local Snowflake (`integration/local_snowflake`).

use crate::places;
use crate::scratch::Scratch;
use crate::served::Served;
use crate::sql::Sql;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Options that make it as unfriendly as Snowflake's documentation allows: `integration/local_snowflake/unfriendly.py` says
/// what each does.
pub const UNFRIENDLY: &[&str] = &[
    "--unknown-lock-codes",
    "--remember-rolled-back-copies",
    "--late-visibility",
    "1",
    "--no-recheck",
    "--edition",
    "standard",
    "--account-parameter",
    "DEFAULT_DDL_COLLATION=en-ci",
];

/// The schema in which the reference tool keeps its own metadata under our names: statements that make one like it in a
/// quoted or plain schema that exists. Tables, views and columns are those that the documentation names ("The SNOWCONVERT_AI
/// database").
#[must_use]
pub fn foreign_metadata(schema: &str) -> Vec<String> {
    [
        "CREATE HYBRID TABLE {s}.WORKFLOW (WORKFLOW_ID NUMBER(38,0) NOT NULL AUTOINCREMENT, WORKFLOW_NAME VARCHAR, \
         WORKFLOW_TYPE VARCHAR, STATUS VARCHAR, AFFINITY VARCHAR, CONFIGURATION VARCHAR, \
         CREATED_AT TIMESTAMP_NTZ, PRIMARY KEY (WORKFLOW_ID))",
        "CREATE HYBRID TABLE {s}.TASK_QUEUE (TASK_ID NUMBER(38,0) NOT NULL AUTOINCREMENT, WORKFLOW_ID NUMBER(38,0), \
         STATUS VARCHAR, AFFINITY VARCHAR, PAYLOAD VARCHAR, CREATED_AT TIMESTAMP_NTZ, PRIMARY KEY (TASK_ID))",
        "CREATE HYBRID TABLE {s}.TABLE_METADATA (TABLE_METADATA_ID NUMBER(38,0) NOT NULL AUTOINCREMENT, \
         WORKFLOW_ID NUMBER(38,0), SOURCE_IDENTIFIER VARCHAR, PRIMARY KEY (TABLE_METADATA_ID))",
        "CREATE HYBRID TABLE {s}.PARTITION_METADATA (PARTITION_METADATA_ID NUMBER(38,0) NOT NULL AUTOINCREMENT, \
         WORKFLOW_ID NUMBER(38,0), TABLE_METADATA_ID NUMBER(38,0), PARTITION_NUMBER NUMBER(38,0), STATUS VARCHAR, \
         ERROR_MESSAGE VARCHAR, PRIMARY KEY (PARTITION_METADATA_ID))",
        "INSERT INTO {s}.WORKFLOW (WORKFLOW_NAME, WORKFLOW_TYPE, STATUS) VALUES ('theirs', 'DATA_MIGRATION', 'EXECUTING')",
        "INSERT INTO {s}.TASK_QUEUE (WORKFLOW_ID, STATUS) VALUES (1, 'PENDING')",
        "CREATE VIEW {s}.TABLE_PROGRESS AS SELECT t.WORKFLOW_ID, t.SOURCE_IDENTIFIER, \
         COUNT_IF(p.STATUS = 'FAILED') AS FAILED_PARTITIONS FROM {s}.TABLE_METADATA t \
         JOIN {s}.PARTITION_METADATA p ON p.TABLE_METADATA_ID = t.TABLE_METADATA_ID GROUP BY 1, 2",
        "CREATE VIEW {s}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR AS SELECT p.*, NULL AS EXAMPLE_ERROR_MESSAGE FROM {s}.TABLE_PROGRESS p",
        "CREATE VIEW {s}.DATA_MIGRATION_ERROR AS SELECT p.WORKFLOW_ID, t.SOURCE_IDENTIFIER, p.PARTITION_NUMBER, p.ERROR_MESSAGE \
         FROM {s}.PARTITION_METADATA p JOIN {s}.TABLE_METADATA t ON t.TABLE_METADATA_ID = p.TABLE_METADATA_ID \
         WHERE p.STATUS = 'FAILED'",
        "CREATE VIEW {s}.DATA_MIGRATION_WARNING AS SELECT t.WORKFLOW_ID, t.SOURCE_IDENTIFIER, NULL AS WARNING_MESSAGE FROM {s}.TABLE_METADATA t",
        "CREATE VIEW {s}.DATA_MIGRATION_WORKFLOW AS SELECT * FROM {s}.WORKFLOW WHERE WORKFLOW_TYPE = 'DATA_MIGRATION'",
    ]
    .iter()
    .map(|statement| statement.replace("{s}", schema))
    .collect()
}

/// A local Snowflake. Its directory has a `connections.toml` with the connection `local`, so it serves as
/// `SNOWFLAKE_HOME`.
#[derive(Debug)]
pub struct LocalSnowflake {
    served: Option<Served>,
    scratch: Scratch,
    options: Vec<String>,
}

impl LocalSnowflake {
    /// The one of this test process. Take names of your own from [`unique_name`], for the metadata's database too
    /// ([`crate::Snowhaul::metadata`]).
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<LocalSnowflake> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// One of the test's own. Options: `--users FILE`, `--deny FILE`, `--session-lifetime SECONDS`, and what else
    /// `scripts/local-snowflake serve --help` lists.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let mut server = Self {
            served: None,
            scratch: Scratch::new("snowflake"),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        server.start_again();
        server
    }

    /// One of the test's own, with [`UNFRIENDLY`] and more options.
    #[must_use]
    pub fn unfriendly(options: &[&str]) -> Self {
        Self::start(&[UNFRIENDLY, options].concat())
    }

    /// Starts it on the same data and port, after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn start_again(&mut self) {
        assert!(self.served.is_none(), "the local Snowflake runs");
        let mut command = places::python();
        command
            .args(["-m", "local_snowflake", "serve", "--exit-with-stdin"])
            // Its statements are small, and other tests want the processors.
            .args(["--threads", "1", "--data"])
            .arg(self.home())
            .arg("--translations")
            .arg(places::translations_directory())
            .args(&self.options);
        self.served = Some(Served::start(command, &self.home().join("server.log")));
    }

    /// Replaces the options of the next [`start_again`](Self::start_again).
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
    }

    /// SIGKILL: what was answered as committed is there after the next start.
    pub fn kill(&mut self) {
        if let Some(mut served) = self.served.take() {
            served.kill();
        }
    }

    /// A clean stop.
    pub fn stop(&mut self) {
        self.served = None;
    }

    /// The value for `SNOWFLAKE_HOME`.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.scratch.path()
    }

    /// Its process's.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.served().process_id()
    }

    fn served(&self) -> &Served {
        let served = self.served.as_ref();
        served.unwrap_or_else(|| panic!("the local Snowflake does not run"))
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.served().port()
    }

    /// A session of Snowflake's Python connector. Names in its SQL are in full, or after a `USE`.
    #[must_use]
    pub fn sql(&self) -> Sql {
        self.sql_with(json!({}))
    }

    /// The same with arguments of the connector's `connect` on top: `{"database": "D", "user": "U"}`.
    #[must_use]
    pub fn sql_with(&self, arguments: Value) -> Sql {
        let mut all = json!({
            "kind": "snowflake", "account": "LOCAL", "user": "TESTER", "password": "tester-password",
            "host": "127.0.0.1", "port": self.port(), "protocol": "http", "login_timeout": 20,
        });
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), arguments) {
            all.extend(more);
        }
        Sql::open(all)
    }

    /// Every statement that it has answered so far, oldest first, with `sql`, `tag`, and what else
    /// `integration/local_snowflake/statement_log.py` writes.
    #[must_use]
    pub fn statements(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.home().join("statements.jsonl")).unwrap_or_default();
        // The last line may be half written.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.home().join("server.log")
    }
}

/// A name that no other test uses: `unique_name("META")` is `META_4711_0`.
#[must_use]
pub fn unique_name(prefix: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!(
        "{prefix}_{}_{}",
        process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    )
}
