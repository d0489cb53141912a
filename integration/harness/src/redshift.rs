//! A local Redshift (`scripts/local-redshift`), and databases in it.

use crate::places;
use crate::scratch::Scratch;
use crate::served::Served;
use crate::snowflake::unique_name;
use crate::snowhaul::send_signal;
use crate::sql::{Sql, SqlError};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A PostgreSQL cluster that plays Redshift.
#[derive(Debug)]
pub struct LocalRedshift {
    // Before the directory, so that the server has ended when that is deleted.
    _served: Served,
    scratch: Scratch,
    logins: Logins,
}

#[derive(Debug)]
struct Logins {
    port: u16,
    worker_password: String,
    admin_password: String,
}

impl LocalRedshift {
    /// The one of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<LocalRedshift> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of the test's own, to be killed.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("redshift");
        let mut command = script(scratch.path(), "serve");
        command.env_remove("BASH_ENV");
        let served = Served::start(command, &scratch.path().join("serve.log"));
        let logins = Logins {
            port: served.port(),
            worker_password: password(
                scratch.path(),
                "source.toml",
                &["connections", "source", "redshift"],
            ),
            admin_password: password(scratch.path(), "admin.toml", &["admin"]),
        };
        Self {
            _served: served,
            scratch,
            logins,
        }
    }

    /// Where it listens, on 127.0.0.1. The same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.logins.port
    }

    /// A new database that belongs to the worker's login, dropped with the value.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        self.database_named(&unique_name("db").to_lowercase())
    }

    /// The same with a name that may be odd.
    #[must_use]
    pub fn database_named(&self, name: &str) -> Database<'_> {
        self.admin("postgres")
            .run(&format!("CREATE DATABASE {} OWNER snowhaul", quote(name)));
        Database {
            server: self,
            name: name.to_owned(),
        }
    }

    /// A superuser's session.
    #[must_use]
    pub fn admin(&self, database: &str) -> Sql {
        self.session(database, "postgres", &self.logins.admin_password)
    }

    /// A session of any login, e.g. of one that may read nothing.
    #[must_use]
    pub fn session(&self, database: &str, user: &str, password: &str) -> Sql {
        self.try_session(database, user, password)
            .unwrap_or_else(|error| panic!("login refused: {}", error.message))
    }

    /// The same where the login may be refused.
    ///
    /// # Errors
    /// What the server, or the driver that did not reach it, says.
    pub fn try_session(&self, database: &str, user: &str, password: &str) -> Result<Sql, SqlError> {
        Sql::try_open(json!({
            "kind": "postgres", "host": "127.0.0.1", "port": self.port(), "dbname": database,
            "user": user, "password": password, "connect_timeout": 20,
        }))
    }

    /// The postmaster's.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        let file = self.scratch.path().join("cluster/pgdata/postmaster.pid");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.parse().ok());
        pid.unwrap_or_else(|| panic!("the local Redshift does not run: {}", file.display()))
    }

    /// SIGKILL to the postmaster and to all its sessions, which would finish their statements otherwise.
    pub fn kill(&self) {
        send_signal(self.process_id(), Signal::KILL);
        let directory = fs::canonicalize(self.scratch.path().join("cluster/pgdata")).ok();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let (Some(process), Ok(place)) = (process, fs::read_link(entry.path().join("cwd")))
            else {
                continue;
            };
            if directory.as_ref() == Some(&place) {
                send_signal(process, Signal::KILL);
            }
        }
    }

    /// A clean stop, which ends the sessions.
    pub fn stop(&self) {
        run(script(self.scratch.path(), "stop"));
    }

    /// Starts it on the same data and port, after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn start_again(&self) {
        let mut command = script(self.scratch.path(), "start");
        command.args(["--port", &self.port().to_string()]);
        run(command);
    }
}

/// A database of a test's own, which belongs to the login `snowhaul`.
#[derive(Debug)]
pub struct Database<'server> {
    server: &'server LocalRedshift,
    name: String,
}

impl Database<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session of its owner, by PostgreSQL's Python driver.
    #[must_use]
    pub fn sql(&self) -> Sql {
        let password = &self.server.logins.worker_password;
        self.server.session(&self.name, "snowhaul", password)
    }

    /// What sessions that `run` opens send to this database, as the server writes it down; queries without the cursor
    /// that the driver puts them into.
    #[must_use]
    pub fn statements_of(&self, run: impl FnOnce()) -> Vec<String> {
        let admin = self.server.admin("postgres");
        let set = format!(
            "ALTER DATABASE {} SET log_statement = 'all'",
            quote(&self.name)
        );
        admin.run(&set);
        run();
        admin.run(&set.replace("'all'", "'none'"));
        let file = self.server.scratch.path().join("cluster/server.log");
        let log =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        logged(&log, &self.name)
    }

    /// Where its server listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Name and password of its owner.
    #[must_use]
    pub fn login(&self) -> (&str, &str) {
        ("snowhaul", &self.server.logins.worker_password)
    }

    /// `[connections.source.redshift]` of a worker's configuration, for its owner.
    #[must_use]
    pub fn worker_section(&self) -> String {
        self.worker_section_of("snowhaul", &self.server.logins.worker_password)
    }

    /// The same for another login.
    #[must_use]
    pub fn worker_section_of(&self, user: &str, password: &str) -> String {
        let section = toml::toml! { auth_method = "standard" host = "127.0.0.1" };
        let mut section = section;
        for (key, value) in [
            ("username", user),
            ("password", password),
            ("database", &self.name),
        ] {
            section.insert(key.to_owned(), value.into());
        }
        section.insert("port".to_owned(), i64::from(self.server.port()).into());
        format!("[connections.source.redshift]\n{section}")
    }

    /// A worker's whole configuration: this source, the connection `local`, and `application` as the lines of
    /// `[application]`.
    #[must_use]
    pub fn worker_configuration(&self, application: &str) -> String {
        format!(
            "selected_task_source = \"snowflake_stored_procedure\"\n\n[application]\n{application}\n\n\
             [connections.target.snowflake_connection_name]\nconnection_name = \"local\"\n\n{}",
            self.worker_section()
        )
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // A failed test's goes with its server, which may be down.
        if !std::thread::panicking()
            && let Ok(admin) =
                self.server
                    .try_session("postgres", "postgres", &self.server.logins.admin_password)
        {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
            admin.run(&drop);
        }
    }
}

/// The statements of a database in the server's log, whose entries go on in lines that begin with a tab.
fn logged(log: &str, database: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_ours = false;
    for line in log.lines() {
        if let (Some(more), true) = (line.strip_prefix('\t'), is_ours) {
            if let Some(statement) = found.last_mut() {
                statement.push('\n');
                statement.push_str(more);
            }
            continue;
        }
        let entry = line.split_once(&format!("@{database} LOG:  "));
        let statement = entry.and_then(|(_, entry)| entry.split_once(": "));
        is_ours = statement.is_some();
        found.extend(statement.map(|(_, statement)| statement.to_owned()));
    }
    for statement in &mut found {
        // The driver puts a query into a cursor, in one message with BEGIN and the first FETCH.
        let query = statement.find("declare \"").and_then(|start| {
            let place = statement[start..].find(" for ")?;
            let query = &statement[start + place + " for ".len()..];
            let end = query.rfind(";fetch ").unwrap_or(query.len());
            Some(query[..end].to_owned())
        });
        if let Some(query) = query {
            *statement = query;
        }
    }
    found
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn script(data: &Path, command: &str) -> Command {
    let mut script = Command::new(places::root().join("scripts/local-redshift"));
    script.arg(command).arg("--data").arg(data);
    script
}

fn run(mut command: Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn password(data: &Path, file: &str, section: &[&str]) -> String {
    let file = data.join(file);
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let table: toml::Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut value = toml::Value::Table(table);
    for key in section.iter().chain(&["password"]) {
        value = value
            .get(key)
            .cloned()
            .unwrap_or_else(|| panic!("{}: no {key}", file.display()));
    }
    value.as_str().unwrap_or_default().to_owned()
}
