//! How to reach a source.

use super::table::Platform;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// How to reach a source.
#[derive(Clone)]
pub struct SourceSettings {
    /// Platform.
    pub platform: Platform,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// User.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// Name of an installed ODBC driver; otherwise the platform's usual one.
    pub odbc_driver: Option<String>,
    /// More keywords of the connection string. Which of their values are secrets is for the driver to know, so all are.
    pub extra_options: BTreeMap<String, SecretString>,
}

impl PartialEq for SourceSettings {
    fn eq(&self, other: &Self) -> bool {
        let plain = |s: &Self| {
            (
                s.platform,
                s.host.clone(),
                s.port,
                s.database.clone(),
                s.username.clone(),
                s.odbc_driver.clone(),
            )
        };
        let secrets = |s: &Self| {
            let options = s.extra_options.iter();
            let mut values: Vec<(String, String)> = options
                .map(|(key, value)| (key.clone(), value.expose_secret().to_owned()))
                .collect();
            values.push((String::new(), s.password.expose_secret().to_owned()));
            values
        };
        plain(self) == plain(other) && secrets(self) == secrets(other)
    }
}

/// Without the values of the further keywords.
impl std::fmt::Debug for SourceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            platform,
            host,
            port,
            database,
            username,
            password,
            odbc_driver,
            extra_options,
        } = self;
        f.debug_struct("SourceSettings")
            .field("platform", platform)
            .field("host", host)
            .field("port", port)
            .field("database", database)
            .field("username", username)
            .field("password", password)
            .field("odbc_driver", odbc_driver)
            .field("extra_options", &extra_options.keys())
            .finish()
    }
}

impl SourceSettings {
    /// What messages call the source.
    pub fn place(&self) -> String {
        format!(
            "{} at {}:{}, database {}",
            self.platform, self.host, self.port, self.database
        )
    }

    /// The same source, but another of its databases.
    pub fn with_database(self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            ..self
        }
    }

    /// Whether the way to the source stays on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        // psqlODBC takes a path as the directory of a socket.
        host.eq_ignore_ascii_case("localhost")
            || host.starts_with('/')
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The value of a further keyword, however it is written.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.extra_options
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.expose_secret())
    }
}
