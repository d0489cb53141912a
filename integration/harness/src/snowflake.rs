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

    /// Starts it on the same data and port, after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn start_again(&mut self) {
        assert!(self.served.is_none(), "the local Snowflake runs");
        let mut command = places::python();
        command
            .args(["-m", "local_snowflake", "serve", "--exit-with-stdin"])
            // Its statements are small, and other tests want the processors.
            .args(["--threads", "1", "--data"])
            .arg(self.home())
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
