//! Connections as Snowflake's own tools read them: `connections.toml`, `config.toml`, environment overrides, and the
//! token that Snowpark Container Services mount
//! (documentation: "Managing Snowflake connections", "Snowpark Container Services: connecting to Snowflake").

use super::http::SharedHttp;
use super::permissions;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where Snowpark Container Services mount the token; it is replaced every few minutes.
const SPCS_TOKEN: &str = "/snowflake/session/token";
/// Where they mount the token of the service itself, which the drivers send beside the other.
const SPCS_SERVICE_TOKEN: &str = "/snowflake/session/spcs_token";
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
    /// What users should know of it, though it is no mistake: what is the matter; what to do.
    pub warnings: Vec<String>,
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
    fn of(id: Option<String>, version: Option<String>) -> Result<Self, &'static str> {
        match (id, version) {
            (None, None) => Ok(Self::default()),
            (Some(id), None) if id == CLIENT_APP_ID => Ok(Self::default()),
            (Some(id), Some(version)) => Ok(Self { id, version }),
            (Some(_), None) => Err(
                "`client_app_id` needs `client_app_version`: the version of that driver, as Snowflake expects it (for example client_app_id = \"Go\", client_app_version = \"1.16.0\")",
            ),
            (None, Some(_)) => Err("`client_app_version` says nothing without `client_app_id`"),
        }
    }
}

/// A connection that cannot be used; all its mistakes together.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConnectionError(pub Vec<String>);

impl ConnectionError {
    fn one(message: String) -> Self {
        Self(vec![message])
    }
}

/// What is around the process; apart from it, so that tests bring their own.
pub struct Surroundings<'a> {
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
    surroundings: &Surroundings<'_>,
) -> Result<Connection, ConnectionError> {
    let var = surroundings.var;
    if name.is_none()
        && var("SNOWFLAKE_HOST").is_some()
        && Path::new(&var("SNOWFLAKE_TOKEN_FILE").unwrap_or_else(|| SPCS_TOKEN.to_owned())).exists()
    {
        return from_spcs(var);
    }
    let directory = directory(surroundings).ok_or_else(|| {
        ConnectionError::one(
            "no home directory is known; set SNOWFLAKE_HOME to the folder of connections.toml"
                .to_owned(),
        )
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
            return Err(ConnectionError::one(format!(
                "{}: there is no connection `{name}`; {hint}",
                file.display()
            )));
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

fn directory(surroundings: &Surroundings<'_>) -> Option<PathBuf> {
    if let Some(home) = (surroundings.var)("SNOWFLAKE_HOME") {
        return Some(PathBuf::from(home));
    }
    let home = surroundings.home.clone()?;
    let own = home.join(".snowflake");
    Some(if own.is_dir() {
        own
    } else {
        (surroundings.var)("XDG_CONFIG_HOME")
            .map_or_else(|| home.join(".config"), PathBuf::from)
            .join("snowflake")
    })
}

type Found = (PathBuf, BTreeMap<String, toml::Value>, Option<String>);

fn read_connections(
    directory: &Path,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Found, ConnectionError> {
    let own = directory.join("connections.toml");
    let shared = directory.join("config.toml");
    let mut default = None;
    let mut found = None;
    if let Some(table) = read_toml(&shared, var, warnings)? {
        default = table
            .get("default_connection_name")
            .and_then(|v| v.as_str())
            .map(str::to_owned);
        if let Some(toml::Value::Table(connections)) = table.get("connections") {
            found = Some((shared, connections.clone()));
        }
    }
    if let Some(table) = read_toml(&own, var, warnings)?
        && !table.is_empty()
    {
        found = Some((own.clone(), table));
    }
    let (file, table) = found.ok_or_else(|| {
        ConnectionError::one(format!("{}: there are no connections; write one there (see configs/connections.toml), or set SNOWFLAKE_HOME to the folder that has the file", own.display()))
    })?;
    Ok((file, table.into_iter().collect(), default))
}

fn read_toml(
    path: &Path,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Option<toml::Table>, ConnectionError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConnectionError::one(format!("{}: {error}", path.display()))),
    };
    permissions::check(path, var, warnings).map_err(ConnectionError::one)?;
    // The parser's message quotes the line, which may hold a secret: only the place is told.
    text.parse::<toml::Table>().map(Some).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        ConnectionError::one(format!(
            "{}: line {line} is not valid TOML: {}",
            path.display(),
            error.message()
        ))
    })
}

fn from_spcs(var: &dyn Fn(&str) -> Option<String>) -> Result<Connection, ConnectionError> {
    let host = var("SNOWFLAKE_HOST").unwrap_or_default();
    let base_url = format!("https://{host}/").parse().map_err(|e| {
        ConnectionError::one(format!("SNOWFLAKE_HOST: `{host}` is no host name: {e}"))
    })?;
    let account = var("SNOWFLAKE_ACCOUNT").ok_or_else(|| {
        ConnectionError::one("SNOWFLAKE_HOST is set and SNOWFLAKE_ACCOUNT is not".to_owned())
    })?;
    let token = var("SNOWFLAKE_TOKEN_FILE").unwrap_or_else(|| SPCS_TOKEN.to_owned());
    Ok(Connection {
        name: "Snowpark Container Services".to_owned(),
        account,
        user: String::new(),
        base_url,
        credentials: Credentials::OAuthFile(PathBuf::from(token)),
        role: var("SNOWFLAKE_ROLE"),
        warehouse: var("SNOWFLAKE_WAREHOUSE"),
        client: ClientApp::of(
            var("SNOWHAUL_CLIENT_APP_ID"),
            var("SNOWHAUL_CLIENT_APP_VERSION"),
        )
        .map_err(|problem| {
            ConnectionError::one(format!(
                "SNOWHAUL_CLIENT_APP_ID, SNOWHAUL_CLIENT_APP_VERSION: {problem}"
            ))
        })?,
        service_token: Some(PathBuf::from(SPCS_SERVICE_TOKEN)),
        warnings: Vec::new(),
        http: SharedHttp::default(),
    })
}

fn from_keys(
    name: &str,
    file: &Path,
    keys: &toml::Table,
    var: &dyn Fn(&str) -> Option<String>,
    mut warnings: Vec<String>,
) -> Result<Connection, ConnectionError> {
    let mut wrong = Vec::new();
    let place = format!("{}: [{name}]", file.display());
    let mut text = |key: &str| match keys.get(key) {
        None => None,
        Some(toml::Value::String(value)) => Some(value.clone()),
        Some(toml::Value::Integer(value)) => Some(value.to_string()),
        Some(_) => {
            wrong.push(format!("{place}: `{key}` must be text"));
            None
        }
    };
    let account = text("account");
    let user = text("user");
    let authenticator = text("authenticator").unwrap_or_default().to_uppercase();
    let (password, token, token_file) = (text("password"), text("token"), text("token_file_path"));
    let key_file = text("private_key_file").or_else(|| text("private_key_path"));
    let key_password = text("private_key_file_pwd").or_else(|| text("private_key_passphrase"));
    let (host, port, protocol) = (
        text("host"),
        text("port"),
        text("protocol").unwrap_or_else(|| "https".to_owned()),
    );
    let (role, warehouse) = (text("role"), text("warehouse"));
    let (client_id, client_version) = (text("client_app_id"), text("client_app_version"));
    let oauth = authenticator == "OAUTH";
    for (key, path) in [
        ("private_key_file", &key_file),
        ("token_file_path", &token_file),
    ] {
        if let Some(path) = path
            && let Err(problem) = permissions::check(Path::new(path), var, &mut warnings)
        {
            wrong.push(format!("{place}: {key} {problem}"));
        }
    }
    let credentials = if let Some(path) = key_file {
        match std::fs::read_to_string(&path) {
            Ok(pem) => Some(Credentials::KeyPair(
                pem.into(),
                key_password.map(Into::into),
            )),
            Err(error) => {
                wrong.push(format!(
                    "{place}: private_key_file `{path}` cannot be read: {error}"
                ));
                None
            }
        }
    } else if let Some(path) = token_file {
        Some(if oauth {
            Credentials::OAuthFile(path.into())
        } else {
            Credentials::PatFile(path.into())
        })
    } else if let Some(token) = token {
        Some(if oauth {
            Credentials::OAuth(token.into())
        } else {
            Credentials::Password(token.into())
        })
    } else if let Some(password) = password {
        Some(Credentials::Password(password.into()))
    } else {
        wrong.push(format!("{place}: no credentials; add `password` or `token` (a programmatic access token), `private_key_file`, or `token_file_path`"));
        None
    };
    let client = ClientApp::of(client_id, client_version).unwrap_or_else(|problem| {
        wrong.push(format!("{place}: {problem}"));
        ClientApp::default()
    });
    if account.is_none() {
        wrong.push(format!("{place}: `account` is missing"));
    }
    if user.is_none() && !oauth {
        wrong.push(format!("{place}: `user` is missing"));
    }
    let host = host.or_else(|| {
        account.as_ref().map(|account| {
            format!(
                "{}.snowflakecomputing.com",
                account.to_lowercase().replace('_', "-")
            )
        })
    });
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let url = format!("{protocol}://{}{port}/", host.unwrap_or_default());
    let base_url = match url.parse::<reqwest::Url>() {
        Ok(base_url) => Some(base_url),
        Err(error) => {
            if account.is_some() {
                wrong.push(format!(
                    "{place}: protocol, host and port make `{url}`, which is no address: {error}"
                ));
            }
            None
        }
    };
    if let Some(warning) = base_url.as_ref().and_then(in_the_clear) {
        warnings.push(format!("{place}: {warning}"));
    }
    match (account, credentials, base_url) {
        (Some(account), Some(credentials), Some(base_url)) if wrong.is_empty() => Ok(Connection {
            name: name.to_owned(),
            account,
            user: user.unwrap_or_default(),
            base_url,
            credentials,
            role,
            warehouse,
            client,
            service_token: var("SNOWFLAKE_RUNNING_INSIDE_SPCS")
                .map(|_| PathBuf::from(SPCS_SERVICE_TOKEN)),
            warnings,
            http: SharedHttp::default(),
        }),
        _ => Err(ConnectionError(wrong)),
    }
}

/// What is wrong with an address that leaves this machine without TLS.
fn in_the_clear(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    (url.scheme() != "https" && !is_loopback).then(|| {
        format!(
            "`protocol = \"{}\"` sends credentials and statements to {host} unencrypted; leave the key away",
            url.scheme()
        )
    })
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
