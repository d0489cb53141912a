//! Logins through Microsoft's ODBC drivers and FreeTDS: connection strings and protection.
//!
//! Keywords: <https://learn.microsoft.com/sql/connect/odbc/dsn-connection-string-attribute>, and FreeTDS's user guide,
//! "ODBC Connection Attributes". Microsoft's driver encrypts and verifies by default from version 18 on; earlier ones do
//! neither. FreeTDS before 1.5 ignores `Encrypt` without a word: its own is `Encryption`, and it verifies no certificate.

use super::SqlServer;
use super::refusals::refusal;
use crate::domain::source_failure::SourceErrorKind;
use crate::domain::source_settings::SourceSettings;
use crate::platform::connect::{Connect, Keyword, Protection, Value};
use secrecy::ExposeSecret;

/// The words of `Encrypt` that turn encryption off, as far as the server lets them.
const UNENCRYPTED: &[&str] = &["no", "optional"];

fn is_freetds(driver: &str) -> bool {
    driver.to_lowercase().contains("freetds")
}

/// Whether a driver encrypts unless it is told otherwise.
fn encrypts_by_itself(driver: &str) -> bool {
    let version: Option<u32> = driver
        .strip_prefix("ODBC Driver ")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok());
    version.is_some_and(|version| version >= 18)
}

fn encrypt(settings: &SourceSettings) -> Option<String> {
    settings.option("Encrypt").map(str::to_lowercase)
}

/// What is asked for: nothing that the user has said is left to a driver's version.
fn encrypt_or_default(settings: &SourceSettings) -> String {
    encrypt(settings).unwrap_or_else(|| {
        // What stays on the machine needs none, and a server there seldom has a certificate.
        let word = if settings.is_loopback() { "no" } else { "yes" };
        word.to_owned()
    })
}

fn trusts(settings: &SourceSettings) -> bool {
    let trust = settings.option("TrustServerCertificate");
    trust.is_some_and(|word| word.eq_ignore_ascii_case("yes"))
}

/// Whether the login is proved by Kerberos: no user, no password.
fn is_integrated(settings: &SourceSettings) -> bool {
    let trusted = settings.option("Trusted_Connection");
    let authentication = settings.option("Authentication");
    trusted.is_some_and(|word| word.eq_ignore_ascii_case("yes"))
        || authentication.is_some_and(|word| word.eq_ignore_ascii_case("ActiveDirectoryIntegrated"))
}

/// Whether the login is the machine's own identity: no password, and the user only names one of several.
fn is_managed(settings: &SourceSettings) -> bool {
    let authentication = settings.option("Authentication");
    authentication.is_some_and(|word| word.eq_ignore_ascii_case("ActiveDirectoryMsi"))
}

/// The host without the protocol in front, and the instance's name behind it.
fn host_and_instance(settings: &SourceSettings) -> (&str, Option<&str>) {
    let host = settings.host.strip_prefix("tcp:").unwrap_or(&settings.host);
    match host.split_once('\\') {
        Some((host, instance)) => (host, Some(instance)),
        None => (host, None),
    }
}

/// The port, where it decides: beside an instance's name, the default one says nothing.
fn port(settings: &SourceSettings) -> Option<u16> {
    let (_, instance) = host_and_instance(settings);
    (instance.is_none() || settings.port != super::settings::PORT).then_some(settings.port)
}

impl Connect for SqlServer {
    fn usual_drivers(&self) -> &'static [&'static str] {
        &[
            "ODBC Driver 18 for SQL Server",
            "ODBC Driver 17 for SQL Server",
            "ODBC Driver 13 for SQL Server",
            "FreeTDS",
        ]
    }

    fn driver_remedy(&self) -> &'static str {
        "install Microsoft's ODBC driver 18 (package msodbcsql18 of packages.microsoft.com; https://learn.microsoft.com/sql/connect/odbc/linux-mac/installing-the-microsoft-odbc-driver-for-sql-server), or FreeTDS (on Debian `apt-get install tdsodbc`), which is slower and verifies no certificate"
    }

    fn keywords(
        &self,
        settings: &SourceSettings,
        driver: &str,
        _certificates: Option<&str>,
    ) -> Vec<Keyword> {
        let mut keywords = Vec::new();
        let mut add = |key: &str, value: Value| {
            keywords.push(Keyword {
                key: key.to_owned(),
                value,
            });
        };
        let plain = |word: &str| Value::Plain(word.to_owned());
        let (host, instance) = host_and_instance(settings);
        let server = match instance {
            Some(instance) => format!("{host}\\{instance}"),
            None => host.to_owned(),
        };
        let encrypt = encrypt_or_default(settings);
        if is_freetds(driver) {
            add("Server", Value::Escaped(server));
            if let Some(port) = port(settings) {
                add("Port", Value::Plain(port.to_string()));
            }
            // Without the character set, text that is not ASCII becomes `?` in the C locale.
            add("TDS_Version", plain("7.4"));
            add("ClientCharset", plain("UTF-8"));
            let word = if UNENCRYPTED.contains(&encrypt.as_str()) {
                "request"
            } else {
                "require"
            };
            add("Encryption", plain(word));
        } else {
            // A keyword `Port` is ignored with a warning, and 1433 dialled.
            let server = match port(settings) {
                Some(port) => format!("{server},{port}"),
                None => server,
            };
            add("Server", Value::Escaped(server));
            add("Encrypt", Value::Plain(encrypt));
            // A server that is gone without a word is noticed in minutes.
            add("KeepAlive", plain("60"));
            add("KeepAliveInterval", plain("15"));
            // No `PacketSize`: where a login is refused, the driver says first that the size was not granted, and the cause
            // behind it is not seen.
        }
        add("Database", Value::Escaped(settings.database.clone()));
        let application = concat!("snowhaul/", env!("CARGO_PKG_VERSION"));
        add("APP", Value::Escaped(application.to_owned()));
        if !is_integrated(settings) {
            if !(is_managed(settings) && settings.username.is_empty()) {
                add("UID", Value::Escaped(settings.username.clone()));
            }
            if !is_managed(settings) {
                let password = settings.password.expose_secret().to_owned();
                add("PWD", Value::Escaped(password));
            }
        }
        keywords
    }

    fn protection(
        &self,
        settings: &SourceSettings,
        driver: &str,
        _certificates: Option<&str>,
        is_encrypted: Option<bool>,
    ) -> Protection {
        let encrypt = encrypt_or_default(settings);
        let is_asked = !UNENCRYPTED.contains(&encrypt.as_str());
        let verifies = !is_freetds(driver) && (!trusts(settings) || encrypt == "strict");
        match is_encrypted {
            Some(false) => Protection::Clear,
            _ if is_asked && verifies => Protection::Verified,
            _ if is_asked => Protection::Encrypted,
            Some(true) => Protection::Encrypted,
            None => Protection::Clear,
        }
    }

    fn row_security_remedy(&self) -> &'static str {
        "let the worker log in as one whom the security policy's predicate lets see all rows, and name the wanted part with whereClauseCriteria if it is to be a part; or set rowLevelSecurity of the table to \"accept\": then what this login sees is the whole table, and rows that it does not see are deleted in the target where the synchronization deletes"
    }

    fn verifying_option(&self) -> &'static str {
        "encrypt = true and trust_server_certificate = false in the source's section, with Microsoft's driver"
    }

    fn verifying_remedy(&self) -> &'static str {
        "encrypt = true and trust_server_certificate = false, with Microsoft's driver and the authority's certificate among those that the system trusts (SSL_CERT_FILE names others); HostnameInCertificate in extra_options where the certificate has another name than the host"
    }

    fn cannot_honour(&self, settings: &SourceSettings, driver: &str) -> Option<String> {
        if !is_freetds(driver) {
            return None;
        }
        let microsofts = "install Microsoft's ODBC driver 18";
        if encrypt(settings).as_deref() == Some("strict") {
            return Some(format!(
                "the driver \"{driver}\" has no TDS 8.0, which encrypt = \"strict\" asks for; {microsofts}, or set encrypt = true"
            ));
        }
        if is_integrated(settings) || settings.option("Authentication").is_some() {
            return Some(format!(
                "the driver \"{driver}\" is used with user and password alone, and the source's section asks for another login; {microsofts}"
            ));
        }
        // It does not take one of two braces away.
        if settings.password.expose_secret().contains('}') {
            return Some(format!(
                "the driver \"{driver}\" does not send a password with a }} as it is; {microsofts}, or give the login another password"
            ));
        }
        // It verifies nothing, whatever is asked for.
        let refuses_to_trust = settings
            .option("TrustServerCertificate")
            .is_some_and(|word| word.eq_ignore_ascii_case("no"));
        refuses_to_trust.then(|| {
            format!(
                "the driver \"{driver}\" verifies no certificate, which trust_server_certificate = false asks for; {microsofts}, or set trust_server_certificate = true (insecure)"
            )
        })
    }

    fn address(&self, settings: &SourceSettings) -> Option<(String, u16)> {
        let (host, _) = host_and_instance(settings);
        // An instance's port is asked of SQL Server Browser; another protocol has no port.
        let is_tcp = !host.contains(':') || host.parse::<std::net::IpAddr>().is_ok();
        port(settings)
            .filter(|_| is_tcp)
            .map(|port| (host.to_owned(), port))
    }

    fn answers_in_utf16(&self) -> bool {
        true
    }

    fn rows_per_fetch(&self, driver: &str) -> Option<usize> {
        // It ends an answer that fails midway as if it were complete, if it is asked for more.
        is_freetds(driver).then_some(1)
    }

    fn gives_pieces(&self) -> bool {
        true
    }

    fn driver_weakness(&self, driver: &str) -> Option<&'static str> {
        if is_freetds(driver) {
            Some(
                "verifies no certificate, knows no login but user and password, and is read row by row, which is slower",
            )
        } else if encrypts_by_itself(driver) {
            None
        } else {
            Some("is older than version 18, and has no encrypt = \"strict\"")
        }
    }

    fn server_words(&self, text: &str) -> String {
        // The driver repeats the name of the server's own product: `[SQL Server]Invalid object name …`.
        text.trim_start_matches("[SQL Server]").trim().to_owned()
    }

    fn refusal(
        &self,
        state: &str,
        native: i32,
        words: &str,
    ) -> Option<(SourceErrorKind, &'static str)> {
        refusal(state, native, words)
    }
}

#[cfg(test)]
#[path = "odbc_tests.rs"]
mod tests;
