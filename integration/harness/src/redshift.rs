//! A local Redshift (`scripts/local-redshift`), which is a PostgreSQL as well.

use crate::database::{Database, quote};
use crate::places;
use crate::scratch::Scratch;
use crate::served::Served;
use crate::snowflake::unique_name;
use crate::snowhaul::send_signal;
use crate::sql::{Sql, SqlError};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
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
    redshift_port: u16,
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
            redshift_port: served.port_named("redshift_port"),
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

    /// Where it listens as a PostgreSQL, on 127.0.0.1. The same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.logins.port
    }

    /// Where it listens as a Redshift, on 127.0.0.1. The same after a restart.
    #[must_use]
    pub fn redshift_port(&self) -> u16 {
        self.logins.redshift_port
    }

    /// A new database that belongs to the worker's login, dropped with the value.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        self.database_named(&unique_name("db").to_lowercase())
    }

    /// The same with a name that may be odd.
    #[must_use]
    pub fn database_named(&self, name: &str) -> Database<'_> {
        self.create(name, "")
    }

    /// A new database with another encoding (`LATIN1`, `WIN1252`, `EUC_JP`, `SQL_ASCII`) and the locale C. It lacks what
    /// Redshift has and PostgreSQL has not: its platform is `postgresql`.
    #[must_use]
    pub fn database_with(&self, encoding: &str) -> Database<'_> {
        let options =
            format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        self.create(&unique_name("db").to_lowercase(), &options)
    }

    fn create(&self, name: &str, options: &str) -> Database<'_> {
        let create = format!("CREATE DATABASE {} OWNER snowhaul {options}", quote(name));
        self.admin("postgres").run(&create);
        Database::new(self, name)
    }

    /// A new login that may do nothing yet: name and password.
    #[must_use]
    pub fn login(&self) -> (String, String) {
        let name = unique_name("login").to_lowercase();
        let password = format!("password of {name}");
        self.admin("postgres")
            .run(&format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"));
        (name, password)
    }

    /// A superuser's session.
    #[must_use]
    pub fn admin(&self, database: &str) -> Sql {
        self.try_admin(database)
            .unwrap_or_else(|error| panic!("login refused: {}", error.message))
    }

    /// The same where the server may be down.
    ///
    /// # Errors
    /// As [`try_session`](Self::try_session) says.
    pub fn try_admin(&self, database: &str) -> Result<Sql, SqlError> {
        self.try_session(database, "postgres", &self.logins.admin_password)
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
        self.try_session_at(self.port(), database, user, password)
    }

    /// The same at another port, of something that stands before the server.
    ///
    /// # Errors
    /// As [`try_session`](Self::try_session) says.
    pub fn try_session_at(
        &self,
        port: u16,
        database: &str,
        user: &str,
        password: &str,
    ) -> Result<Sql, SqlError> {
        Sql::try_open(json!({
            "kind": "postgres", "host": "127.0.0.1", "port": port, "dbname": database,
            "user": user, "password": password, "connect_timeout": 20,
            // Otherwise the driver takes the database's own.
            "client_encoding": "UTF8",
        }))
    }

    /// Password of the login `snowhaul`, which owns the databases.
    pub(crate) fn owner_password(&self) -> &str {
        &self.logins.worker_password
    }

    /// A directory of the server's user, which may be another one than the tests'.
    pub(crate) fn cluster(&self) -> PathBuf {
        let link = self.scratch.path().join("cluster");
        fs::canonicalize(&link).unwrap_or_else(|error| panic!("{}: {error}", link.display()))
    }

    /// The postmaster's.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        let file = self.cluster().join("pgdata/postmaster.pid");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.parse().ok());
        pid.unwrap_or_else(|| panic!("the local Redshift does not run: {}", file.display()))
    }

    /// SIGKILL to the postmaster and to all its sessions, which would finish their statements otherwise.
    pub fn kill(&self) {
        send_signal(self.process_id(), Signal::KILL);
        let directory = self.cluster().join("pgdata");
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let (Some(process), Ok(place)) = (process, fs::read_link(entry.path().join("cwd")))
            else {
                continue;
            };
            if directory == place {
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
