//! Connections to a source.

use super::error::{SourceError, SourceErrorKind};
use super::probe::installed_drivers;
use super::session::SourceSession;
use crate::domain::source_settings::SourceSettings;
use crate::platform::{Connect, Keyword, Protection, SourcePlatform, TransactionSettings, Value};
use odbc_api::{Connection, ConnectionOptions, environment};
use secrecy::{ExposeSecret, SecretString};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Seconds that a login may take.
const LOGIN_TIMEOUT: u32 = 30;

/// Where Linux distributions keep the certificates that the system trusts.
const SYSTEM_CERTIFICATES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The file of the certificates that the system trusts.
fn system_certificates() -> Option<&'static str> {
    SYSTEM_CERTIFICATES
        .iter()
        .copied()
        .find(|path| Path::new(path).exists())
}

/// Connects; answers the driver too. Unless `begins_by_statement`, the connection's first statement begins a transaction.
pub(super) fn connect(
    settings: &SourceSettings,
    platform: &dyn Connect,
    begins_by_statement: bool,
) -> Result<(Connection<'static>, String), SourceError> {
    let fail = |error: odbc_api::Error| SourceError::from_odbc(&error, platform, &settings.place());
    let driver = chosen_driver(settings, platform)?;
    if let Some(why) = platform.cannot_honour(settings, &driver) {
        return Err(SourceError::new(SourceErrorKind::Refused, why).at(&settings.place()));
    }
    if let Some((host, port)) = platform.address(settings) {
        dial(&host, port).map_err(|error| unreachable(&error).at(&settings.place()))?;
    }
    let environment = environment().map_err(fail)?;
    let options = ConnectionOptions {
        login_timeout_sec: Some(LOGIN_TIMEOUT),
        ..ConnectionOptions::default()
    };
    let keywords = platform.keywords(settings, &driver, system_certificates());
    let connection = environment
        .connect_with_connection_string(
            connection_string(settings, &driver, keywords).expose_secret(),
            options,
        )
        .map_err(fail)?;
    if !begins_by_statement {
        connection.set_autocommit(false).map_err(fail)?;
    }
    Ok((connection, driver))
}

/// Opens a TCP connection and closes it: a driver that waits for its whole login timeout does not say what is wrong.
fn dial(host: &str, port: u16) -> std::io::Result<()> {
    let limit = Duration::from_secs(LOGIN_TIMEOUT.into());
    let mut failure = std::io::Error::other("the name has no address");
    for address in (host.trim_matches(['[', ']']), port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(_) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unreachable(error: &std::io::Error) -> SourceError {
    SourceError::new(
        SourceErrorKind::Unreachable,
        format!(
            "the server cannot be reached: {error}; check host and port in the worker's configuration, that the server accepts TCP connections there, and that no firewall is between"
        ),
    )
}

/// Logs in once, so that a wrong host, user, password or driver is reported before any work starts. Blocking.
///
/// # Errors
/// As [`SourceError`] says.
pub fn check(settings: &SourceSettings, platform: &dyn SourcePlatform) -> Result<(), SourceError> {
    let session = SourceSession::open(settings, platform, &TransactionSettings::default())?;
    session.begin()?;
    session.end()?;
    warn_unprotected(settings, platform);
    Ok(())
}

/// The driver that [`connect`] takes.
pub(super) fn chosen_driver(
    settings: &SourceSettings,
    platform: &dyn Connect,
) -> Result<String, SourceError> {
    let installed = installed_drivers()?;
    let wanted: Vec<&str> = settings
        .odbc_driver
        .as_deref()
        .map_or_else(|| platform.usual_drivers().to_vec(), |name| vec![name]);
    let chosen = wanted
        .iter()
        .find(|name| installed.iter().any(|other| other == *name));
    chosen.map(|name| (*name).to_owned()).ok_or_else(|| {
        let installed = if installed.is_empty() {
            "none".to_owned()
        } else {
            installed.join(", ")
        };
        SourceError::new(
            SourceErrorKind::DriverMissing,
            format!(
                "no ODBC driver for {} is installed: wanted {}, installed: {installed}",
                settings.platform,
                wanted.join(" or "),
            ),
        )
        .hint(format!(
            "{}; or name an installed driver with odbc_driver in the worker's configuration",
            platform.driver_remedy()
        ))
    })
}

/// How a connection is protected; `is_encrypted`: what the server says of it, if it can say.
pub(super) fn protection(
    settings: &SourceSettings,
    platform: &dyn Connect,
    driver: &str,
    is_encrypted: Option<bool>,
) -> Protection {
    platform.protection(settings, driver, system_certificates(), is_encrypted)
}

/// Logs a connection to another machine that is not verified.
fn warn_unprotected(settings: &SourceSettings, platform: &dyn Connect) {
    let Ok(driver) = chosen_driver(settings, platform) else {
        return;
    };
    if settings.is_loopback() {
        return;
    }
    let source = settings.place();
    match protection(settings, platform, &driver, None) {
        Protection::Verified => {}
        Protection::Encrypted => tracing::warn!(
            source,
            "the connection is encrypted, and the server's certificate is not verified; set {}",
            platform.verifying_option()
        ),
        Protection::Clear => tracing::warn!(
            source,
            "the connection may not be encrypted; set {}",
            platform.verifying_option()
        ),
    }
}

/// The driver, the platform's keywords, and the user's own in the place of those that have the same name: drivers differ in
/// whether the first or the last of two counts.
fn connection_string(
    settings: &SourceSettings,
    driver: &str,
    keywords: Vec<Keyword>,
) -> SecretString {
    let own = settings
        .extra_options
        .iter()
        .map(|(key, value)| (key.clone(), escape(value.expose_secret())));
    let list: Vec<String> = keywords
        .into_iter()
        .filter(|keyword| settings.option(&keyword.key).is_none())
        .map(|keyword| match keyword.value {
            Value::Plain(value) => (keyword.key, value),
            Value::Escaped(value) => (keyword.key, escape(&value)),
        })
        .chain(own)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("Driver={};{}", escape_always(driver), list.join(";")).into()
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
    use crate::domain::table::Platform;
    use crate::platform;
    use std::collections::BTreeMap;

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
        let redshift = platform::source(Platform::Redshift).expect("a platform");
        let text = |driver: &str| {
            connection_string(
                &settings,
                driver,
                redshift.keywords(&settings, driver, None),
            )
        };
        let own = text("PostgreSQL Unicode");
        assert!(
            own.expose_secret().contains("PWD={p;w}}d {x}"),
            "{}",
            own.expose_secret()
        );
        assert!(own.expose_secret().contains("Database=my db;"));
        let text = text("Amazon Redshift (x64)");
        assert!(text.expose_secret().contains("Database={my db};"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("p;w") && !shown.contains("k3y"), "{shown}");
        assert!(shown.contains("SSLKeyPassword"), "{shown}");
    }

    #[test]
    fn what_the_user_says_takes_the_place_of_what_we_would_say() {
        let settings = SourceSettings {
            platform: Platform::Postgresql,
            host: "h".into(),
            port: 5432,
            database: "d".into(),
            username: "u".into(),
            password: "p".to_owned().into(),
            odbc_driver: None,
            extra_options: BTreeMap::from([
                ("KeepaliveTime".into(), "7".to_owned().into()),
                ("protocol".into(), "7.4-1".to_owned().into()),
            ]),
        };
        let postgres = platform::source(Platform::Postgresql).expect("a platform");
        let driver = "PostgreSQL Unicode";
        let keywords = postgres.keywords(&settings, driver, None);
        let text = connection_string(&settings, driver, keywords);
        let given = |keyword: &str| -> Vec<&str> {
            let pairs = text.expose_secret().split(';');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .filter(|(key, _)| key.eq_ignore_ascii_case(keyword))
                .map(|(_, value)| value)
                .collect()
        };
        assert_eq!(given("KeepaliveTime"), ["7"]);
        assert_eq!(given("Protocol"), ["7.4-1"]);
        assert_eq!(given("KeepaliveInterval"), ["15"]);
    }
}
