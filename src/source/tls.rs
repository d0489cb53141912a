//! How connections to sources are protected: encrypted wherever the way leaves this machine, and verified where the
//! server's certificate is one that the system trusts.
//!
//! psqlODBC on its own encrypts nothing (its default is `disable`), and libpq's `prefer` goes on in the clear when
//! somebody on the way says that there is no TLS. Amazon's own driver verifies the certificate unless it is told otherwise
//! (Amazon Redshift ODBC driver, option SSLMode).

use crate::domain::source_settings::SourceSettings;
use secrecy::ExposeSecret;
use std::path::Path;

/// Where Linux distributions keep the certificates that the system trusts.
const SYSTEM_CERTIFICATES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Hosts whose certificates are of a public authority and name them (documentation: "Configuring security options for
/// connections" of Amazon Redshift).
const PUBLICLY_CERTIFIED: &[&str] = &[
    ".redshift.amazonaws.com",
    ".redshift-serverless.amazonaws.com",
    ".redshift.amazonaws.com.cn",
    ".redshift-serverless.amazonaws.com.cn",
];

/// Whether a driver is psqlODBC, under the name that it is installed with: Debian's is "PostgreSQL Unicode".
pub(super) fn is_postgresqls(driver: &str) -> bool {
    let name = driver.to_lowercase();
    name.starts_with("postgresql") || name.starts_with("psqlodbc")
}

/// How a connection to a source is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted, and the server has proved who it is.
    Verified,
    /// Encrypted; whoever stands between could play the server.
    Encrypted,
    /// In the clear.
    Clear,
}

impl SourceSettings {
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

    fn option(&self, name: &str) -> Option<&str> {
        self.extra_options
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.expose_secret())
    }

    /// The keywords that protect the connection, where the user has not said how.
    pub(super) fn tls_keywords(&self, driver: &str) -> Vec<(&'static str, String)> {
        let certificates = SYSTEM_CERTIFICATES
            .iter()
            .copied()
            .find(|path| Path::new(path).exists());
        self.tls_keywords_with(driver, certificates)
    }

    fn tls_keywords_with(
        &self,
        driver: &str,
        certificates: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        if !is_postgresqls(driver) {
            return Vec::new();
        }
        if let Some(mode) = self.option("sslmode") {
            // libpq looks for certificates in the user's home, where there seldom are any.
            let is_verified = mode.starts_with("verify");
            return match certificates {
                Some(path) if is_verified && self.option("pqopt").is_none() => {
                    vec![("pqopt", format!("sslrootcert={path}"))]
                }
                _ => Vec::new(),
            };
        }
        if self.is_loopback() {
            return vec![("SSLmode", "prefer".to_owned())];
        }
        let host = self.host.to_lowercase();
        let is_public = PUBLICLY_CERTIFIED.iter().any(|end| host.ends_with(end));
        match certificates {
            Some(path) if is_public && self.option("pqopt").is_none() => vec![
                ("SSLmode", "verify-full".to_owned()),
                ("pqopt", format!("sslrootcert={path}")),
            ],
            _ => vec![("SSLmode", "require".to_owned())],
        }
    }

    /// How a connection is protected; `is_encrypted`: what the server says of it, if it can say.
    pub(super) fn protection(&self, driver: &str, is_encrypted: Option<bool>) -> Protection {
        let own = self.tls_keywords(driver);
        let mode = self.option("sslmode").map(str::to_owned).or_else(|| {
            own.iter()
                .find(|(key, _)| *key == "SSLmode")
                .map(|(_, mode)| mode.clone())
        });
        match (mode.as_deref(), is_encrypted) {
            (_, Some(false)) => Protection::Clear,
            (Some("verify-full" | "verify-ca"), _) => Protection::Verified,
            // Nothing said to Amazon's driver, which verifies then.
            (None, _) if driver.contains("Redshift") => Protection::Verified,
            (Some("require"), _) | (_, Some(true)) => Protection::Encrypted,
            (_, None) => Protection::Clear,
        }
    }

    /// Logs a connection to another machine that is not verified.
    pub(super) fn tell_protection(&self) {
        let Ok(driver) = self.chosen_driver() else {
            return;
        };
        if self.is_loopback() {
            return;
        }
        let source = self.place();
        match self.protection(&driver, None) {
            Protection::Verified => {}
            Protection::Encrypted => tracing::warn!(
                source,
                "the connection is encrypted, and the server's certificate is not verified; set sslmode = \"verify-full\" in extra_options"
            ),
            Protection::Clear => tracing::warn!(
                source,
                "the connection may not be encrypted; set sslmode = \"verify-full\" in extra_options"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::Platform;
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
        let keywords = settings.tls_keywords_with(driver, certificates);
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
            settings(host, options).protection(POSTGRES, said)
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
        assert_eq!(settings("h", &[]).protection(AMAZON, None), Verified);
        assert_eq!(settings("h", &[]).protection("mine", None), Clear);
        assert_eq!(settings("h", &[]).protection("psqlODBC", None), Encrypted);
    }
}
