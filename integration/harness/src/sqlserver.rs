//! A SQL Server: the local one (`integration/local_sqlserver`), or the one that `SNOWHAUL_TEST_SQLSERVER` reaches, an ODBC
//! connection string of a login that may create databases and logins.

use crate::places;
use crate::scratch::Scratch;
use crate::served::Served;
use crate::snowflake::unique_name;
use crate::source::Source;
use crate::sql::{Sql, SqlError};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::OnceLock;

/// The driver that reads what the worker reads, as the connection string names it.
const DRIVER: &str = "ODBC Driver 18 for SQL Server";

/// A SQL Server.
#[derive(Debug)]
pub struct SqlServer {
    // Before the directory, so that the server has ended when that is deleted. None: a real one.
    served: Option<Served>,
    _scratch: Scratch,
    host: String,
    port: u16,
    admin: (String, String),
    owner: (String, String),
}

impl SqlServer {
    /// The one of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SqlServer> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("SNOWHAUL_TEST_SQLSERVER") {
            Ok(connection) => Self::real(&connection),
            Err(_) => Self::start(&[]),
        })
    }

    /// A local one of the test's own, to be killed or given options: `scripts/local-sqlserver serve --help` lists them.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let scratch = Scratch::new("sqlserver");
        let mut command = Command::new(places::root().join("scripts/local-sqlserver"));
        command
            .arg("serve")
            .arg("--data")
            .arg(scratch.path())
            .args(options);
        command.env_remove("BASH_ENV");
        let served = Served::start(command, &scratch.path().join("serve.log"));
        let login = |file: &str| {
            let text = fs::read_to_string(scratch.path().join(file)).unwrap_or_default();
            let table: toml::Table = text.parse().unwrap_or_default();
            let mut section = toml::Value::Table(table);
            while section.get("username").is_none() {
                let inner = section
                    .as_table()
                    .and_then(|table| table.values().next().cloned());
                section = inner.unwrap_or_else(|| panic!("{file} has no login: {text}"));
            }
            let of = |key: &str| section[key].as_str().unwrap_or_default().to_owned();
            (of("username"), of("password"))
        };
        Self {
            host: "127.0.0.1".to_owned(),
            port: served.port(),
            admin: login("admin.toml"),
            owner: login("source.toml"),
            served: Some(served),
            _scratch: scratch,
        }
    }

    fn real(connection: &str) -> Self {
        let value = |wanted: &[&str]| {
            connection.split(';').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                let is_it = wanted
                    .iter()
                    .any(|word| key.trim().eq_ignore_ascii_case(word));
                is_it.then(|| value.trim().to_owned())
            })
        };
        let server = value(&["server", "address", "addr"]).unwrap_or_default();
        let server = server.trim_start_matches("tcp:").to_owned();
        let (host, port) = server.split_once(',').unwrap_or((&server, "1433"));
        let login = (
            value(&["uid"]).unwrap_or_default(),
            value(&["pwd"]).unwrap_or_default(),
        );
        Self {
            served: None,
            _scratch: Scratch::new("sqlserver"),
            host: host.to_owned(),
            port: port.parse().unwrap_or(1433),
            admin: login.clone(),
            owner: login,
        }
    }

    /// Whether it is the local one, which can be made to fail.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.served.is_some()
    }

    /// Where it listens, on 127.0.0.1 unless it is a real one. The same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new database that belongs to the worker's login, dropped with the value. SNAPSHOT isolation is allowed.
    #[must_use]
    pub fn database(&self) -> SqlServerDatabase<'_> {
        self.database_named(&unique_name("db").to_lowercase())
    }

    /// The same with a name that may be odd.
    #[must_use]
    pub fn database_named(&self, name: &str) -> SqlServerDatabase<'_> {
        self.database_with(name, "")
    }

    /// The same with what follows the name in `CREATE DATABASE`.
    #[must_use]
    pub fn database_with(&self, name: &str, options: &str) -> SqlServerDatabase<'_> {
        let admin = self.admin("master");
        let quoted = bracketed(name);
        admin.run(&format!("CREATE DATABASE {quoted} {options}"));
        admin.run(&format!(
            "ALTER DATABASE {quoted} SET ALLOW_SNAPSHOT_ISOLATION ON"
        ));
        if self.owner != self.admin {
            let within = self.admin(name);
            let owner = bracketed(&self.owner.0);
            within.run(&format!("CREATE USER {owner} FOR LOGIN {owner}"));
            within.run(&format!("ALTER ROLE db_owner ADD MEMBER {owner}"));
        }
        SqlServerDatabase {
            server: self,
            name: name.to_owned(),
        }
    }

    /// A new login that may do nothing yet: name and password.
    #[must_use]
    pub fn login(&self) -> (String, String) {
        let name = unique_name("login").to_lowercase();
        let password = format!("Password of {name}");
        self.admin("master").run(&format!(
            "CREATE LOGIN {} WITH PASSWORD = '{password}'",
            bracketed(&name)
        ));
        (name, password)
    }

    /// An administrator's session.
    #[must_use]
    pub fn admin(&self, database: &str) -> Sql {
        self.session(database, &self.admin.0, &self.admin.1)
    }

    /// A session of any login.
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
            "kind": "sqlserver", "driver": DRIVER, "odbc_directory": places::odbc_directory(),
            "host": self.host, "port": self.port, "database": database, "user": user, "password": password,
        }))
    }

    /// Makes the local one fail, as `integration/local_sqlserver/faults.py` says: a line for its control port.
    pub fn fault(&self, line: &str) {
        let Some(served) = &self.served else {
            panic!("a real SQL Server does not fail on demand: {line}");
        };
        let mut answer = String::new();
        let sent = TcpStream::connect(("127.0.0.1", served.port_named("control_port"))).and_then(
            |mut stream| {
                stream.write_all(format!("{line}\n").as_bytes())?;
                stream.read_to_string(&mut answer)
            },
        );
        assert!(
            sent.is_ok() && answer.starts_with("ok"),
            "{line}: {sent:?} {answer}"
        );
    }
}

/// A database of a test's own on a SQL Server.
#[derive(Debug)]
pub struct SqlServerDatabase<'server> {
    server: &'server SqlServer,
    name: String,
}

impl<'server> SqlServerDatabase<'server> {
    /// Its server.
    #[must_use]
    pub fn server(&self) -> &'server SqlServer {
        self.server
    }

    /// An administrator's session.
    #[must_use]
    pub fn admin(&self) -> Sql {
        self.server.admin(&self.name)
    }
}

impl Source for SqlServerDatabase<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn platform(&self) -> &'static str {
        "sqlserver"
    }

    fn schema(&self) -> &'static str {
        "dbo"
    }

    fn written_name(&self) -> String {
        bracketed(&self.name)
    }

    fn login(&self) -> (&str, &str) {
        (&self.server.owner.0, &self.server.owner.1)
    }

    fn port_of(&self, _platform: &str) -> u16 {
        self.server.port
    }

    fn section(&self, platform: &str, port: u16, user: &str, password: &str) -> String {
        let mut section = toml::Table::new();
        for (key, value) in [
            ("host", self.server.host.as_str()),
            ("username", user),
            ("password", password),
            ("database", &self.name),
        ] {
            section.insert(key.to_owned(), value.into());
        }
        section.insert("port".to_owned(), i64::from(port).into());
        // The local one's certificate is its own.
        section.insert("trust_server_certificate".to_owned(), true.into());
        format!("[connections.source.{platform}]\n{section}")
    }

    fn sql(&self) -> Sql {
        let (user, password) = self.login();
        self.server.session(&self.name, user, password)
    }
}

impl Drop for SqlServerDatabase<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let admin = self
            .server
            .try_session("master", &self.server.admin.0, &self.server.admin.1);
        if let Ok(admin) = admin {
            let quoted = bracketed(&self.name);
            // Whoever is still there, a session of a killed worker say, goes.
            let alone = format!("ALTER DATABASE {quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
            let _ = admin.try_run(&alone);
            let _ = admin.try_run(&format!("DROP DATABASE {quoted}"));
        }
    }
}

/// A name as it stands in T-SQL.
#[must_use]
pub fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}
