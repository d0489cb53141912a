//! One connection from its keys, or from what Snowpark Container Services set.

use super::{ClientApp, Connection, ConnectionError, Credentials};
use crate::domain::problem::{Code, Problem, Problems};
use crate::snowflake::http::SharedHttp;
use crate::snowflake::permissions;
use std::path::{Path, PathBuf};

/// Where Snowpark Container Services mount the token; it is replaced every few minutes.
pub(super) const SPCS_TOKEN: &str = "/snowflake/session/token";
/// Where they mount the token of the service itself, which the drivers send beside the other.
const SPCS_SERVICE_TOKEN: &str = "/snowflake/session/spcs_token";

/// The connection of a service in Snowpark Container Services.
///
/// # Errors
/// Which variable is wrong, and what to do.
pub(super) fn from_spcs(
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<Connection, ConnectionError> {
    let host = var("SNOWFLAKE_HOST").unwrap_or_default();
    let base_url = format!("https://{host}/").parse().map_err(|error| {
        let what = format!("`{host}` is not a host name: {error}");
        Code::CONNECTION_INVALID.problem(what).at("SNOWFLAKE_HOST")
    })?;
    let account = var("SNOWFLAKE_ACCOUNT").ok_or_else(|| {
        Code::CONNECTION_INVALID.problem("SNOWFLAKE_HOST is set and SNOWFLAKE_ACCOUNT is not")
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
        .map_err(|problem| problem.at("SNOWHAUL_CLIENT_APP_ID, SNOWHAUL_CLIENT_APP_VERSION"))?,
        service_token: Some(PathBuf::from(SPCS_SERVICE_TOKEN)),
        warnings: Vec::new(),
        http: SharedHttp::default(),
    })
}

/// The connection `name` of `file` with these keys.
///
/// # Errors
/// All mistakes of the keys.
pub(super) fn from_keys(
    name: &str,
    file: &Path,
    keys: &toml::Table,
    var: &dyn Fn(&str) -> Option<String>,
    mut warnings: Vec<Problem>,
) -> Result<Connection, ConnectionError> {
    let mut wrong: Vec<Problem> = Vec::new();
    let place = format!("{}: [{name}]", file.display());
    let invalid = |what: String| Code::CONNECTION_INVALID.problem(what).at(&place);
    let mut text = |key: &str| match keys.get(key) {
        None => None,
        Some(toml::Value::String(value)) => Some(value.clone()),
        Some(toml::Value::Integer(value)) => Some(value.to_string()),
        Some(_) => {
            wrong.push(invalid(format!("`{key}` must be text")));
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
            wrong.push(problem.at(key).at(&place));
        }
    }
    let credentials = if let Some(path) = key_file {
        match std::fs::read_to_string(&path) {
            Ok(pem) => Some(Credentials::KeyPair(
                pem.into(),
                key_password.map(Into::into),
            )),
            Err(error) => {
                let what = format!("private_key_file `{path}` cannot be read: {error}");
                wrong.push(Code::CONNECTION_FILE.problem(what).at(&place));
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
        wrong.push(invalid("no credentials".to_owned()).hint(
            "add `password` or `token` (a programmatic access token), `private_key_file`, or `token_file_path`",
        ));
        None
    };
    let client = ClientApp::of(client_id, client_version).unwrap_or_else(|problem| {
        wrong.push(problem.at(&place));
        ClientApp::default()
    });
    if account.is_none() {
        wrong.push(invalid("`account` is missing".to_owned()));
    }
    if user.is_none() && !oauth {
        wrong.push(invalid("`user` is missing".to_owned()));
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
                wrong.push(invalid(format!(
                    "protocol, host and port make `{url}`, which is not an address: {error}"
                )));
            }
            None
        }
    };
    if let Some(warning) = base_url.as_ref().and_then(in_the_clear) {
        warnings.push(warning.at(&place));
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
        _ => Err(ConnectionError(Problems(wrong))),
    }
}

/// What is wrong with an address that leaves this machine without TLS.
fn in_the_clear(url: &reqwest::Url) -> Option<Problem> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    (url.scheme() != "https" && !is_loopback).then(|| {
        Code::CONNECTION_UNENCRYPTED
            .problem(format!(
                "`protocol = \"{}\"` sends credentials and statements to {host} unencrypted",
                url.scheme()
            ))
            .hint("omit the key")
    })
}
