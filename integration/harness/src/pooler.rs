//! A PgBouncer (Debian's package `pgbouncer`) before a database, as people have one before theirs.

use crate::database::Database;
use crate::snowflake::unique_name;
use crate::snowhaul::{send_signal, until};
use crate::sql::Sql;
use rustix::process::{Signal, geteuid};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

/// For how long a client has a session of the server for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// As long as it is connected; then the session is reset.
    Session,
    /// For one transaction; nothing is reset.
    Transaction,
    /// For one statement: there are no transactions of several.
    Statement,
}

/// A PgBouncer that listens on a port of its own and ends with the value, or with the thread that started it.
#[derive(Debug)]
pub struct Pooler<'database> {
    database: &'database Database<'database>,
    directory: PathBuf,
    port: u16,
    process: Child,
}

impl<'database> Pooler<'database> {
    /// One that gives the clients of a login `size` sessions of the server. The database's owner may log in.
    #[must_use]
    pub fn start(database: &'database Database<'database>, pooling: Pooling, size: u32) -> Self {
        Self::start_for(database, pooling, size, &[])
    }

    /// The same for further logins: name and password.
    #[must_use]
    pub fn start_for(
        database: &'database Database<'database>,
        pooling: Pooling,
        size: u32,
        logins: &[(&str, &str)],
    ) -> Self {
        // Between the look for a free port and its use another process may take it.
        let tried = (0..3).find_map(|_| Self::try_start(database, pooling, size, logins).ok());
        tried.unwrap_or_else(|| {
            panic!("PgBouncer does not start: is the package pgbouncer there (scripts/setup)?")
        })
    }

    fn try_start(
        database: &'database Database<'database>,
        pooling: Pooling,
        size: u32,
        logins: &[(&str, &str)],
    ) -> Result<Self, String> {
        let owner = fs::metadata(database.server().cluster()).map_err(|error| error.to_string())?;
        let directory = database.server().cluster().join(unique_name("pooler"));
        fs::create_dir(&directory).map_err(|error| error.to_string())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let address = listener.and_then(|listener| listener.local_addr());
        let port = address.map_err(|error| error.to_string())?.port();
        let users: String = [database.login()]
            .iter()
            .chain(logins)
            .map(|(name, password)| format!("{} {}\n", quoted(name), quoted(password)))
            .collect();
        for (file, text) in [
            ("userlist.txt", users),
            (
                "pgbouncer.ini",
                configuration(
                    &directory,
                    database.port_of("postgresql"),
                    port,
                    pooling,
                    size,
                ),
            ),
        ] {
            write(&directory.join(file), &text, owner.uid(), owner.gid());
        }
        chown(&directory, Some(owner.uid()), Some(owner.gid()))
            .map_err(|error| error.to_string())?;
        // The kernel ends it with the thread that starts it: a test that was killed leaves nothing.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if geteuid().is_root() {
            // PgBouncer refuses to run as root.
            command
                .arg(format!("--reuid={}", owner.uid()))
                .arg(format!("--regid={}", owner.gid()))
                .arg("--clear-groups");
        }
        let log = fs::File::create(directory.join("stderr")).map_err(|error| error.to_string())?;
        let process = command
            .args(["--", "/usr/sbin/pgbouncer"])
            .arg(directory.join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut pooler = Self {
            database,
            directory,
            port,
            process,
        };
        let mut has_ended = false;
        let answers = until(DEADLINE, || {
            has_ended = pooler.process.try_wait().is_ok_and(|ended| ended.is_some());
            has_ended || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        if answers && !has_ended {
            return Ok(pooler);
        }
        let said = fs::read_to_string(pooler.directory.join("stderr")).unwrap_or_default();
        eprintln!("{said}");
        Err(said)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A session of the database's owner through it: of an application that is another client of the pool.
    #[must_use]
    pub fn sql(&self) -> Sql {
        let (user, password) = self.database.login();
        self.session(user, password)
    }

    /// The same of another login.
    #[must_use]
    pub fn session(&self, user: &str, password: &str) -> Sql {
        let server = self.database.server();
        server
            .try_session_at(self.port, self.database.name(), user, password)
            .unwrap_or_else(|error| panic!("login refused: {}", error.message))
    }

    /// `[connections.source.postgresql]` of a worker's configuration, for the database's owner.
    #[must_use]
    pub fn worker_section(&self) -> String {
        let (user, password) = self.database.login();
        self.worker_section_of(user, password)
    }

    /// The same for another login.
    #[must_use]
    pub fn worker_section_of(&self, user: &str, password: &str) -> String {
        self.database
            .section("postgresql", self.port, user, password)
    }

    /// What it wrote down: logins, and connections that it closed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("stderr")).unwrap_or_default()
    }
}

impl Drop for Pooler<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- PgBouncer\n{}", self.log());
        }
        // At once; on SIGINT it would wait for its clients.
        send_signal(self.process.id(), Signal::TERM);
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn configuration(directory: &Path, server: u16, port: u16, pooling: Pooling, size: u32) -> String {
    let mode = match pooling {
        Pooling::Session => "session",
        Pooling::Transaction => "transaction",
        Pooling::Statement => "statement",
    };
    let users = directory.join("userlist.txt");
    format!(
        "[databases]\n* = host=127.0.0.1 port={server}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {size}\n\
         max_client_conn = 200\nignore_startup_parameters = extra_float_digits\n",
        users.display()
    )
}

/// As the list of users has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn write(file: &Path, text: &str, user: u32, group: u32) {
    let written = fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o600)))
        .and_then(|()| chown(file, Some(user), Some(group)));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
