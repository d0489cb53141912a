//! Logins through psqlODBC and Amazon's ODBC driver: connection strings, protection, the meaning of failures.
//!
//! Connections are encrypted wherever the way leaves this machine, and verified where the server's certificate is one that
//! the system trusts. psqlODBC on its own encrypts nothing (its default is `disable`), and libpq's `prefer` goes on in the
//! clear when somebody on the way says that there is no TLS. Amazon's own driver verifies the certificate unless it is told
//! otherwise (Amazon Redshift ODBC driver, option SSLMode).

use super::PostgresLike;
use super::refusals::{PARAMETER_ERROR, ROW_SECURITY_REMEDY, refusal};
use crate::domain::source_failure::SourceErrorKind;
use crate::domain::source_settings::SourceSettings;
use crate::platform::connect::{Connect, Keyword, Protection, Value};
use secrecy::ExposeSecret;

/// What the drivers of a platform are called, and whom they can verify.
pub(in crate::platform) struct OdbcFacts {
    /// The names under which its drivers are usually installed, best first.
    pub(in crate::platform) usual_drivers: &'static [&'static str],
    /// Ends of the names of hosts whose certificates are of a public authority and name them.
    pub(in crate::platform) publicly_certified: &'static [&'static str],
    /// What the name of a driver has in it that verifies certificates unless it is told otherwise.
    pub(in crate::platform) verifying_driver: Option<&'static str>,
}

/// What SSLMode may be. Drivers compare the words exactly: psqlODBC takes any other as `disable`.
const TLS_MODES: &[&str] = &[
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Whether a driver is psqlODBC, under the name that it is installed with: Debian's is "PostgreSQL Unicode".
fn is_postgresqls(driver: &str) -> bool {
    let name = driver.to_lowercase();
    name.starts_with("postgresql") || name.starts_with("psqlodbc")
}

impl<P: PostgresLike> Connect for P {
    fn usual_drivers(&self) -> &'static [&'static str] {
        self.odbc().usual_drivers
    }

    fn driver_remedy(&self) -> &'static str {
        "install the driver (on Debian `apt-get install odbc-postgresql` brings \"PostgreSQL Unicode\")"
    }

    fn keywords(
        &self,
        settings: &SourceSettings,
        driver: &str,
        certificates: Option<&str>,
    ) -> Vec<Keyword> {
        let mut keywords = Vec::new();
        let mut add = |key: &str, value: Value| {
            keywords.push(Keyword {
                key: key.to_owned(),
                value,
            });
        };
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
                add(key, Value::Plain(value.to_owned()));
            }
        }
        add("Port", Value::Plain(settings.port.to_string()));
        let password = settings.password.expose_secret().to_owned();
        add("PWD", Value::Escaped(password));
        for (key, value) in [
            ("Server", &settings.host),
            ("Database", &settings.database),
            ("UID", &settings.username),
        ] {
            // PostgreSQL's driver takes the braces off passwords and settings only: a database in braces is one
            // whose name has braces. It reads a value up to the semicolon.
            let is_plain =
                is_postgresqls(driver) && !value.contains(';') && !value.starts_with('{');
            add(
                key,
                if is_plain {
                    Value::Plain(value.clone())
                } else {
                    Value::Escaped(value.clone())
                },
            );
        }
        for (key, value) in tls_keywords(self.odbc(), settings, driver, certificates) {
            add(key, Value::Escaped(value));
        }
        keywords
    }

    fn protection(
        &self,
        settings: &SourceSettings,
        driver: &str,
        certificates: Option<&str>,
        is_encrypted: Option<bool>,
    ) -> Protection {
        let own = tls_keywords(self.odbc(), settings, driver, certificates);
        let mode = settings.option("sslmode").map(str::to_owned).or_else(|| {
            own.iter()
                .find(|(key, _)| *key == "SSLmode")
                .map(|(_, mode)| mode.clone())
        });
        let verifies = |name: &str| driver.contains(name);
        match (mode.as_deref(), is_encrypted) {
            (_, Some(false)) => Protection::Clear,
            (Some("verify-full" | "verify-ca"), _) => Protection::Verified,
            (None, _) if self.odbc().verifying_driver.is_some_and(verifies) => Protection::Verified,
            (Some("require"), _) | (_, Some(true)) => Protection::Encrypted,
            (_, None) => Protection::Clear,
        }
    }

    fn server_words(&self, text: &str) -> String {
        let mut words = text
            .trim_end_matches("Error while executing the query")
            .trim_end_matches([';', ' '])
            .to_owned();
        // It quotes pieces of `pqopt`, which may be a key's passphrase.
        if let Some(start) = words.find(PARAMETER_ERROR) {
            words.truncate(start + PARAMETER_ERROR.len());
        }
        words
    }

    fn row_security_remedy(&self) -> &'static str {
        ROW_SECURITY_REMEDY
    }

    fn verifying_option(&self) -> &'static str {
        "sslmode = \"verify-full\" in extra_options"
    }

    fn verifying_remedy(&self) -> &'static str {
        "sslmode = \"verify-full\" in extra_options, with the authority's certificate in ~/.postgresql/root.crt"
    }

    fn refusal(
        &self,
        state: &str,
        _native: i32,
        words: &str,
    ) -> Option<(SourceErrorKind, &'static str)> {
        refusal(state, words)
    }
}

/// Checks a keyword that users add to the connection string: see
/// [`Settings::extra_option`](crate::platform::Settings::extra_option).
pub(in crate::platform) fn extra_option(keyword: &str, value: String) -> Result<String, String> {
    if keyword.eq_ignore_ascii_case("sslmode") {
        // Drivers compare the word exactly, and encrypt nothing when they do not know it.
        let mode = value.to_lowercase();
        return if TLS_MODES.contains(&mode.as_str()) {
            Ok(mode)
        } else {
            Err(format!("must be one of {}", TLS_MODES.join(", ")))
        };
    }
    if keyword.eq_ignore_ascii_case("ca") {
        // psqlODBC's short form of sslmode: whichever of the two comes last holds.
        return Err("write it as sslmode".to_owned());
    }
    Ok(value)
}

/// The keywords that protect the connection, where the user has not said how.
fn tls_keywords(
    facts: &OdbcFacts,
    settings: &SourceSettings,
    driver: &str,
    certificates: Option<&str>,
) -> Vec<(&'static str, String)> {
    if !is_postgresqls(driver) {
        return Vec::new();
    }
    if let Some(mode) = settings.option("sslmode") {
        // libpq looks for certificates in the user's home, where there seldom are any.
        let is_verified = mode.starts_with("verify");
        return match certificates {
            Some(path) if is_verified && settings.option("pqopt").is_none() => {
                vec![("pqopt", format!("sslrootcert={path}"))]
            }
            _ => Vec::new(),
        };
    }
    if settings.is_loopback() {
        return vec![("SSLmode", "prefer".to_owned())];
    }
    let host = settings.host.to_lowercase();
    let is_public = facts
        .publicly_certified
        .iter()
        .any(|end| host.ends_with(end));
    match certificates {
        Some(path) if is_public && settings.option("pqopt").is_none() => vec![
            ("SSLmode", "verify-full".to_owned()),
            ("pqopt", format!("sslrootcert={path}")),
        ],
        _ => vec![("SSLmode", "require".to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::Platform;
    use crate::platform::redshift::Redshift;
    use std::collections::BTreeMap;

    const POSTGRES: &str = "PostgreSQL Unicode";
    const AMAZON: &str = "Amazon Redshift ODBC Driver (x64)";

    fn settings(host: &str, options: &[(&str, &str)]) -> SourceSettings {
        SourceSettings {
            platform: Platform::Redshift,
            host: host.into(),
            port: 5439,
            database: "d".into(),
            username: "u".into(),
            password: "p".to_owned().into(),
            odbc_driver: None,
            extra_options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned().into()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    fn mode(settings: &SourceSettings, driver: &str, certificates: Option<&str>) -> String {
        let keywords = tls_keywords(Redshift.odbc(), settings, driver, certificates);
        let parts: Vec<String> = keywords.iter().map(|(k, v)| format!("{k}={v}")).collect();
        parts.join(";")
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_and_a_public_certificate_verified() {
        let cluster = settings("C.abc.us-west-2.redshift.amazonaws.com", &[]);
        assert_eq!(
            mode(&cluster, POSTGRES, Some("/c")),
            "SSLmode=verify-full;pqopt=sslrootcert=/c"
        );
        assert_eq!(mode(&cluster, POSTGRES, None), "SSLmode=require");
        assert_eq!(
            mode(&settings("db.example.org", &[]), POSTGRES, Some("/c")),
            "SSLmode=require"
        );
        // Another's domain does not become Amazon's by its beginning.
        let other = settings("c.redshift.amazonaws.com.example.org", &[]);
        assert_eq!(mode(&other, POSTGRES, Some("/c")), "SSLmode=require");
        for host in ["localhost", "127.0.0.1", "::1", "/var/run/postgresql"] {
            assert_eq!(
                mode(&settings(host, &[]), POSTGRES, Some("/c")),
                "SSLmode=prefer",
                "{host}"
            );
        }
    }

    #[test]
    fn what_the_user_says_and_amazons_driver_are_left_alone() {
        let host = "c.abc.us-west-2.redshift.amazonaws.com";
        for word in ["sslmode", "SSLMode"] {
            assert_eq!(
                mode(&settings(host, &[(word, "disable")]), POSTGRES, Some("/c")),
                ""
            );
            // libpq would look for the authority's certificate in the user's home only.
            assert_eq!(
                mode(
                    &settings(host, &[(word, "verify-ca")]),
                    "psqlODBC",
                    Some("/c")
                ),
                "pqopt=sslrootcert=/c"
            );
            let own = settings(host, &[(word, "verify-full"), ("PQOPT", "x")]);
            assert_eq!(mode(&own, POSTGRES, Some("/c")), "");
        }
        assert_eq!(mode(&settings(host, &[]), AMAZON, Some("/c")), "");
        // Its own pqopt may name another certificate.
        let own = settings(host, &[("pqopt", "sslrootcert=/mine")]);
        assert_eq!(mode(&own, POSTGRES, Some("/c")), "SSLmode=require");
    }

    #[test]
    fn the_servers_word_counts_more_than_the_settings() {
        let protection = |host: &str, options: &[(&str, &str)], said| {
            Redshift.protection(&settings(host, options), POSTGRES, None, said)
        };
        use Protection::*;
        assert_eq!(protection("db.example.org", &[], None), Encrypted);
        assert_eq!(protection("db.example.org", &[], Some(false)), Clear);
        assert_eq!(protection("localhost", &[], None), Clear);
        assert_eq!(protection("localhost", &[], Some(true)), Encrypted);
        assert_eq!(
            protection("h", &[("sslmode", "verify-ca")], Some(true)),
            Verified
        );
        assert_eq!(protection("h", &[("sslmode", "disable")], None), Clear);
        assert_eq!(
            Redshift.protection(&settings("h", &[]), AMAZON, None, None),
            Verified
        );
        assert_eq!(
            Redshift.protection(&settings("h", &[]), "mine", None, None),
            Clear
        );
        assert_eq!(
            Redshift.protection(&settings("h", &[]), "psqlODBC", None, None),
            Encrypted
        );
    }
}
