//! Connections to a source.

use super::error::{SourceError, SourceErrorKind};
use super::probe::installed_drivers;
use super::session::SourceSession;
use super::tls::is_postgresqls;
use crate::dialect::Dialect;
use crate::dialect::transaction::TransactionSettings;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;
use odbc_api::{Connection, ConnectionOptions, environment};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// Seconds that a login may take.
const LOGIN_TIMEOUT: u32 = 30;

impl SourceSettings {
    /// Connects. The connection's first statement begins a transaction.
    pub(super) fn connect(&self) -> Result<Connection<'static>, SourceError> {
        let fail = |error: odbc_api::Error| SourceError::from_odbc(&error, &self.place());
        let driver = self.chosen_driver()?;
        let environment = environment().map_err(fail)?;
        let options = ConnectionOptions {
            login_timeout_sec: Some(LOGIN_TIMEOUT),
            ..ConnectionOptions::default()
        };
        let connection = environment
            .connect_with_connection_string(
                self.connection_string(&driver).expose_secret(),
                options,
            )
            .map_err(fail)?;
        connection.set_autocommit(false).map_err(fail)?;
        Ok(connection)
    }

    /// Logs in once, so that a wrong host, user, password or driver is told before any work starts. Blocking.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    pub fn check(&self, dialect: &dyn Dialect) -> Result<(), SourceError> {
        let session = SourceSession::open(self, dialect, &TransactionSettings::default())?;
        session.begin()?;
        session.end()?;
        self.tell_protection();
        Ok(())
    }

    /// The driver that [`Self::connect`] takes.
    pub(super) fn chosen_driver(&self) -> Result<String, SourceError> {
        let installed = installed_drivers()?;
        let usual: &[&str] = match self.platform {
            Platform::Redshift => &[
                "Amazon Redshift ODBC Driver (x64)",
                "Amazon Redshift (x64)",
                "PostgreSQL Unicode",
            ],
            Platform::Postgresql => &["PostgreSQL Unicode"],
            Platform::Sqlserver => &[
                "ODBC Driver 18 for SQL Server",
                "ODBC Driver 17 for SQL Server",
                "ODBC Driver 13 for SQL Server",
                "FreeTDS",
            ],
        };
        let wanted: Vec<&str> = self
            .odbc_driver
            .as_deref()
            .map_or_else(|| usual.to_vec(), |name| vec![name]);
        wanted.iter().find(|name| installed.iter().any(|other| other == *name)).map(|name| (*name).to_owned()).ok_or_else(|| {
            let installed = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
            SourceError::new(
                SourceErrorKind::DriverMissing,
                format!(
                    "no ODBC driver for {} is installed: wanted {}; installed: {installed}. On Debian `apt-get install odbc-postgresql` brings \"PostgreSQL Unicode\"; or name an installed driver with odbc_driver in the worker's configuration",
                    self.platform,
                    wanted.join(" or ")
                ),
            )
        })
    }

    fn connection_string(&self, driver: &str) -> SecretString {
        let mut keywords: BTreeMap<&str, String> = BTreeMap::new();
        if is_postgresqls(driver) {
            // Results come as they are asked for, through cursors of our own. No savepoint before each statement, which
            // Redshift refuses. Booleans come as bits, long text untruncated. A server that is gone without a word is
            // noticed in minutes: the system's keepalive alone takes hours, and the task's lease is renewed meanwhile.
            for (key, value) in [
                ("UseDeclareFetch", "0"),
                ("Protocol", "7.4-0"),
                ("BoolsAsChar", "0"),
                ("UnknownSizes", "2"),
                ("MaxLongVarcharSize", "0"),
                ("KeepaliveTime", "60"),
                ("KeepaliveInterval", "15"),
            ] {
                keywords.insert(key, value.to_owned());
            }
        }
        keywords.insert("Port", self.port.to_string());
        keywords.insert("PWD", escape(self.password.expose_secret()));
        for (key, value) in [
            ("Server", &self.host),
            ("Database", &self.database),
            ("UID", &self.username),
        ] {
            // PostgreSQL's driver takes the braces off passwords and settings only: a database in braces is one
            // whose name has braces. It reads a value up to the semicolon.
            let plain = is_postgresqls(driver) && !value.contains(';') && !value.starts_with('{');
            keywords.insert(key, if plain { value.clone() } else { escape(value) });
        }
        for (key, value) in self.tls_keywords(driver) {
            keywords.insert(key, escape(&value));
        }
        for (key, value) in &self.extra_options {
            keywords.insert(key, escape(value.expose_secret()));
        }
        let list: Vec<String> = keywords
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!("Driver={};{}", escape_always(driver), list.join(";")).into()
    }
}

/// A value as it stands in a connection string: in braces where it has to be (ODBC's grammar of connection strings).
pub fn escape(value: &str) -> String {
    if value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
    {
        value.to_owned()
    } else {
        escape_always(value)
    }
}

fn escape_always(value: &str) -> String {
    format!("{{{}}}", value.replace('}', "}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_values_are_escaped_and_secrets_stay_out_of_debug() {
        let settings = SourceSettings {
            platform: Platform::Redshift,
            host: "h".into(),
            port: 5439,
            database: "my db".into(),
            username: "u".into(),
            password: SecretString::from("p;w}d {x".to_owned()),
            odbc_driver: None,
            extra_options: BTreeMap::from([("SSLKeyPassword".into(), "k3y".to_owned().into())]),
        };
        let text = settings.connection_string("PostgreSQL Unicode");
        assert!(
            text.expose_secret().contains("PWD={p;w}}d {x}"),
            "{}",
            text.expose_secret()
        );
        assert!(text.expose_secret().contains("Database=my db;"));
        let text = settings.connection_string("Amazon Redshift (x64)");
        assert!(text.expose_secret().contains("Database={my db};"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("p;w") && !shown.contains("k3y"), "{shown}");
        assert!(shown.contains("SSLKeyPassword"), "{shown}");
    }
}
