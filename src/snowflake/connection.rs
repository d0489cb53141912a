//! Connections as Snowflake's own tools read them: `connections.toml`, `config.toml`, environment overrides, and the
//! token that Snowpark Container Services mount
//! (documentation: "Managing Snowflake connections", "Snowpark Container Services: connecting to Snowflake").

mod files;
mod keys;

use super::http::SharedHttp;
use crate::domain::problem::{Code, Problem, Problems};
use files::{directory, read_connections};
use keys::{SPCS_TOKEN, from_keys, from_spcs};
use secrecy::SecretString;
use std::path::{Path, PathBuf};

/// Who we are at a login, unless the connection says otherwise.
const CLIENT_APP_ID: &str = "snowhaul";

/// How to prove who we are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A password, or a programmatic access token in its place.
    Password(SecretString),
    /// A private key in PKCS#8 PEM, with its passphrase.
    KeyPair(SecretString, Option<SecretString>),
    /// An OAuth token.
    OAuth(SecretString),
    /// A file that holds an OAuth token, read at each login.
    OAuthFile(PathBuf),
    /// A file that holds a programmatic access token, read at each login.
    PatFile(PathBuf),
}

/// One connection, complete and checked.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name, for messages.
    pub name: String,
    /// Account identifier.
    pub account: String,
    /// User; empty with an OAuth token, which names the user itself.
    pub user: String,
    /// Base URL, `https://<account>.snowflakecomputing.com/` unless host, port or protocol say otherwise.
    pub base_url: reqwest::Url,
    /// Credentials.
    pub credentials: Credentials,
    /// Role.
    pub role: Option<String>,
    /// Warehouse.
    pub warehouse: Option<String>,
    /// Who we are at a login.
    pub client: ClientApp,
    /// A file that is sent along with each login, where it is there.
    pub service_token: Option<PathBuf>,
    /// What users should know of it, though it is not a mistake.
    pub warnings: Vec<Problem>,
    /// The connections that its clients share.
    pub http: SharedHttp,
}

/// Who a client is at a login. Accounts may gate features, hybrid tables among them, by clients that they know and by their
/// versions ("Best practices for hybrid tables": client drivers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientApp {
    /// The id: `snowhaul`, or that of a driver that Snowflake knows.
    pub id: String,
    /// Its version.
    pub version: String,
}

impl Default for ClientApp {
    fn default() -> Self {
        Self {
            id: CLIENT_APP_ID.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl ClientApp {
    /// What the connection says, or who we are. Another id needs a version: that of snowhaul says nothing of a driver.
    fn of(id: Option<String>, version: Option<String>) -> Result<Self, Problem> {
        match (id, version) {
            (None, None) => Ok(Self::default()),
            (Some(id), None) if id == CLIENT_APP_ID => Ok(Self::default()),
            (Some(id), Some(version)) => Ok(Self { id, version }),
            (Some(_), None) => Err(Code::CONNECTION_INVALID.problem(
                "`client_app_id` needs `client_app_version`: the version of that driver, as Snowflake expects it (for example client_app_id = \"Go\", client_app_version = \"1.16.0\")",
            )),
            (None, Some(_)) => Err(Code::CONNECTION_INVALID
                .problem("`client_app_version` says nothing without `client_app_id`")),
        }
    }
}

/// A connection that cannot be used; all its mistakes together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectionError(pub Problems);

impl From<Problem> for ConnectionError {
    fn from(problem: Problem) -> Self {
        Self(problem.into())
    }
}

/// The environment of the process; a value of its own, so that tests bring theirs.
pub struct Environment<'a> {
    /// An environment variable.
    pub var: &'a dyn Fn(&str) -> Option<String>,
    /// The user's home.
    pub home: Option<PathBuf>,
}

/// Finds the connection `name`, or the default one, or the one of Snowpark Container Services.
///
/// # Errors
/// When there is none, or it is wrong: which file, connection and key, and what to do.
pub fn find(
    name: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Connection, ConnectionError> {
    let var = environment.var;
    if name.is_none()
        && var("SNOWFLAKE_HOST").is_some()
        && Path::new(&var("SNOWFLAKE_TOKEN_FILE").unwrap_or_else(|| SPCS_TOKEN.to_owned())).exists()
    {
        return from_spcs(var);
    }
    let directory = directory(environment).ok_or_else(|| {
        Code::CONNECTION_NOT_FOUND
            .problem("no home directory is known")
            .hint("set SNOWFLAKE_HOME to the folder of connections.toml")
    })?;
    let mut warnings = Vec::new();
    let (file, connections, default) = read_connections(&directory, var, &mut warnings)?;
    let name = name
        .map(str::to_owned)
        .or_else(|| var("SNOWFLAKE_DEFAULT_CONNECTION_NAME"))
        .or(default)
        .unwrap_or_else(|| "default".to_owned());
    let mut keys = match connections.get(&name) {
        Some(toml::Value::Table(table)) => table.clone(),
        _ => {
            let known: Vec<&str> = connections.keys().map(String::as_str).collect();
            let near = known.iter().max_by(|a, b| {
                strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name))
            });
            let hint = match near {
                Some(near) => format!("it has {}; did you mean `{near}`?", known.join(", ")),
                None => "it has none".to_owned(),
            };
            return Err(Code::CONNECTION_NOT_FOUND
                .problem(format!("there is no connection `{name}`"))
                .hint(hint)
                .at(file.display())
                .into());
        }
    };
    for key in ALL_KEYS {
        let variable = format!(
            "SNOWFLAKE_CONNECTIONS_{}_{}",
            name.to_uppercase(),
            key.to_uppercase()
        );
        if let Some(value) = var(&variable) {
            keys.insert((*key).to_owned(), toml::Value::String(value));
        }
    }
    from_keys(&name, &file, &keys, var, warnings)
}

const ALL_KEYS: &[&str] = &[
    "account",
    "user",
    "password",
    "token",
    "token_file_path",
    "private_key_file",
    "private_key_path",
    "private_key_file_pwd",
    "private_key_passphrase",
    "authenticator",
    "role",
    "warehouse",
    "database",
    "schema",
    "host",
    "port",
    "protocol",
    "client_app_id",
    "client_app_version",
];

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
