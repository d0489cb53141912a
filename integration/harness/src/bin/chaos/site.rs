//! The servers with a proxy before each, and what the processes are told.

use crate::journal::lock;
use crate::script::{LEASE, Server};
use serde_json::json;
use snowhaul_integration::{
    Database, LocalRedshift, LocalSnowflake, Proxy, Row, Scratch, Sql, worker_configuration,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Database of the metadata; the schema in it is `DATA_MIGRATION`.
pub const METADATA: &str = "META";
/// Longer than any outage that the campaign makes.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

/// Everything that is not snowhaul.
pub struct Site {
    pub snowflake: Mutex<LocalSnowflake>,
    pub source: &'static LocalRedshift,
    pub database: Database<'static>,
    snowflake_port: u16,
    to_snowflake: Proxy,
    /// As a Redshift.
    to_redshift: Proxy,
    /// As a PostgreSQL.
    to_postgresql: Proxy,
    scratch: Scratch,
}

impl Site {
    pub fn start() -> Self {
        let scratch = Scratch::new("chaos");
        let faults = scratch.path().join("faults.json");
        let faults = faults.to_string_lossy();
        // A transaction whose client is gone holds its locks until it is ended as idle: not for minutes here.
        let snowflake =
            LocalSnowflake::unfriendly(&["--transaction-idle", "5", "--faults", &faults]);
        let source = LocalRedshift::shared();
        let database = source.database();
        let site = Self {
            snowflake_port: snowflake.port(),
            to_snowflake: Proxy::start(snowflake.port()),
            to_redshift: Proxy::start(source.redshift_port()),
            to_postgresql: Proxy::start(source.port()),
            snowflake: Mutex::new(snowflake),
            source,
            database,
            scratch,
        };
        site.configure();
        site
    }

    fn configure(&self) {
        let connection = self.scratch.write(
            "connections.toml",
            &format!(
                "[local]\naccount = \"LOCAL\"\nhost = \"127.0.0.1\"\nport = {}\nprotocol = \"http\"\nuser = \"LOCAL\"\npassword = \"local\"\n",
                self.to_snowflake.port()
            ),
        );
        let private = fs::set_permissions(&connection, fs::Permissions::from_mode(0o600));
        private.unwrap_or_else(|error| panic!("{}: {error}", connection.display()));
        // Each kill of a worker counts against the tasks that it had: here that says nothing about a task.
        self.scratch.write(
            "orchestrator.toml",
            &format!("[application]\npoll_interval = 1\nlease = {LEASE}\nreap_interval = 2\nmax_failures = 1000\n"),
        );
        let application = format!(
            "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = {LEASE}\n\
             snowflake_database_for_metadata = \"{METADATA}\""
        );
        let (user, password) = self.database.login();
        let sections = [
            ("redshift", &self.to_redshift),
            ("postgresql", &self.to_postgresql),
        ]
        .map(|(platform, proxy)| {
            self.database
                .section(platform, proxy.port(), user, password)
        });
        let text = worker_configuration(&application, &sections.join("\n"));
        self.scratch.write("configuration.toml", &text);
    }

    /// The value for `SNOWFLAKE_HOME`: the connection `local` leads through the proxy.
    pub fn home(&self) -> &Path {
        self.scratch.path()
    }

    /// A file that processes are given.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Writes a file at once: whoever reads it sees the old or the new one.
    pub fn replace(&self, name: &str, contents: &str) {
        let new = self.scratch.write(&format!("{name}.new"), contents);
        let renamed = fs::rename(&new, self.file(name));
        renamed.unwrap_or_else(|error| panic!("{}: {error}", new.display()));
    }

    /// The proxies on the way to `server`.
    pub fn proxies(&self, server: Server) -> Vec<&Proxy> {
        match server {
            Server::Snowflake => vec![&self.to_snowflake],
            Server::Source => vec![&self.to_redshift, &self.to_postgresql],
        }
    }

    /// SIGKILL.
    pub fn kill(&self, server: Server) {
        match server {
            Server::Snowflake => lock(&self.snowflake).kill(),
            Server::Source => self.source.kill(),
        }
    }

    /// On the same data and port.
    pub fn start_again(&self, server: Server) {
        match server {
            Server::Snowflake => lock(&self.snowflake).start_again(),
            Server::Source => self.source.start_again(),
        }
    }

    /// A client of the Snowflake that goes around the proxy and outlives its restarts.
    pub fn account(&self) -> Client {
        Client::new(json!({
            "kind": "snowflake", "account": "LOCAL", "user": "CHECKER", "password": "checker-password",
            "host": "127.0.0.1", "port": self.snowflake_port, "protocol": "http",
            "login_timeout": 20, "network_timeout": 20,
        }))
    }

    /// The same for the source.
    pub fn source_client(&self) -> Client {
        let (user, password) = self.database.login();
        Client::new(json!({
            "kind": "postgres", "host": "127.0.0.1", "port": self.source.port(), "dbname": self.database.name(),
            "user": user, "password": password, "connect_timeout": 20,
        }))
    }
}

/// A session that is opened again when it breaks.
pub struct Client {
    arguments: serde_json::Value,
    session: Option<Sql>,
}

impl Client {
    fn new(arguments: serde_json::Value) -> Self {
        Self {
            arguments,
            session: None,
        }
    }

    /// Runs a statement once.
    ///
    /// # Errors
    /// What the server, or the driver that did not reach it, says. The next call opens a new session.
    pub fn try_rows(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Sql::try_open(self.arguments.clone()).map_err(|error| error.message)?,
        };
        let answer = session
            .try_run(sql)
            .map_err(|error| format!("{} {}", error.code, error.message))?;
        self.session = Some(session);
        Ok(answer.rows)
    }

    /// Runs a query, again and again while the server is away.
    ///
    /// # Errors
    /// That it could not be answered for too long.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let began = Instant::now();
        loop {
            match self.try_rows(sql) {
                Ok(rows) => return Ok(rows),
                Err(error) if began.elapsed() > PATIENCE => return Err(format!("{sql}: {error}")),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// The one whole number of a query; as [`Self::rows`].
    pub fn number(&mut self, sql: &str) -> Result<u64, String> {
        let rows = self.rows(sql)?;
        let value = rows.first().and_then(|row| row.first()?.as_deref());
        value
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("{sql}: not a whole number but {value:?}"))
    }
}
