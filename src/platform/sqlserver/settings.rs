//! SQL Server in the configuration.

use super::SqlServer;
use crate::platform::lexicon::Lexicon;
use crate::platform::settings::{Credentials, OwnKey, Settings, UseOfKey};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The port of an instance that has no name.
pub(super) const PORT: u16 = 1433;

const SWITCH: &[(&str, &str)] = &[];
/// What Microsoft's drivers take for Encrypt, from version 18 on more than yes and no.
const ENCRYPT: &[(&str, &str)] = &[
    ("true", "yes"),
    ("false", "no"),
    ("yes", "yes"),
    ("no", "no"),
    ("optional", "optional"),
    ("mandatory", "mandatory"),
    ("strict", "strict"),
];

/// How a login is proved, in Microsoft's drivers' own words.
/// <https://learn.microsoft.com/sql/connect/odbc/using-azure-active-directory>
const AUTHENTICATION: &[(&str, &str)] = &[
    ("SqlPassword", "SqlPassword"),
    ("ActiveDirectoryPassword", "ActiveDirectoryPassword"),
    ("ActiveDirectoryIntegrated", "ActiveDirectoryIntegrated"),
    ("ActiveDirectoryMsi", "ActiveDirectoryMsi"),
    (
        "ActiveDirectoryServicePrincipal",
        "ActiveDirectoryServicePrincipal",
    ),
];

/// Keywords that the connection string has from the section, or that would change what statements answer, with what to do
/// instead.
const REFUSED: &[(&str, &str)] = &[
    ("APP", "the worker names itself; leave it out"),
    ("AutoTranslate", "text travels in UTF-16; leave it out"),
    (
        "QuotedId",
        "statements need quoted identifiers; leave it out",
    ),
    ("AnsiNPW", "statements need ANSI behaviour; leave it out"),
    (
        "MARS_Connection",
        "one statement at a time is asked; leave it out",
    ),
    (
        "ColumnEncryption",
        "columns of Always Encrypted are not decrypted; leave them out with excludeColumns",
    ),
    (
        "RetryExec",
        "a statement that is repeated in secret could read other rows; leave it out",
    ),
    (
        "ClientCharset",
        "text travels in UTF-8 and UTF-16; leave it out",
    ),
    ("TDS_Version", "7.4 is spoken; leave it out"),
];

impl Settings for SqlServer {
    fn default_port(&self) -> u16 {
        PORT
    }

    fn own_keys(&self) -> &'static [OwnKey] {
        &[
            OwnKey {
                name: "encrypt",
                use_of: UseOfKey::Keyword {
                    keyword: "Encrypt",
                    words: ENCRYPT,
                },
            },
            OwnKey {
                name: "trust_server_certificate",
                use_of: UseOfKey::Keyword {
                    keyword: "TrustServerCertificate",
                    words: SWITCH,
                },
            },
            OwnKey {
                name: "authentication",
                use_of: UseOfKey::Keyword {
                    keyword: "Authentication",
                    words: AUTHENTICATION,
                },
            },
            OwnKey {
                name: "trusted_connection",
                use_of: UseOfKey::Keyword {
                    keyword: "Trusted_Connection",
                    words: SWITCH,
                },
            },
        ]
    }

    fn credentials(&self, options: &BTreeMap<String, SecretString>) -> Credentials {
        let is = |keyword: &str, word: &str| {
            let value = options.get(keyword).map(ExposeSecret::expose_secret);
            value.is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        if is("Trusted_Connection", "yes")
            || is("Authentication", "ActiveDirectoryIntegrated")
            || is("Authentication", "ActiveDirectoryMsi")
        {
            Credentials::UserAtMost
        } else {
            Credentials::UserAndPassword
        }
    }

    fn extra_option(&self, keyword: &str, value: String) -> Result<String, String> {
        let is = |name: &str| keyword.eq_ignore_ascii_case(name);
        if let Some((name, why)) = REFUSED.iter().find(|(name, _)| is(name)) {
            return Err(format!("{name} is not for users: {why}"));
        }
        // A larger packet is refused under TLS, or hangs.
        if is("PacketSize")
            && !value
                .parse()
                .is_ok_and(|bytes: u32| (512..=16_383).contains(&bytes))
        {
            return Err("PacketSize is a number of bytes from 512 to 16383".to_owned());
        }
        Ok(value)
    }

    fn lexicon(&self) -> &'static Lexicon {
        &Lexicon {
            has_bracketed_names: true,
            has_dollar_quotes: false,
            has_escape_literals: false,
            has_ambiguous_backslash: false,
            driver_reads_marks: false,
            operator_functions: &[],
            operator_query: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_or_an_identity_needs_no_password() {
        for (keyword, word, credentials) in [
            ("Trusted_Connection", "yes", Credentials::UserAtMost),
            ("Trusted_Connection", "no", Credentials::UserAndPassword),
            (
                "Authentication",
                "ActiveDirectoryMsi",
                Credentials::UserAtMost,
            ),
            (
                "Authentication",
                "ActiveDirectoryServicePrincipal",
                Credentials::UserAndPassword,
            ),
        ] {
            let options = BTreeMap::from([(keyword.to_owned(), word.to_owned().into())]);
            assert_eq!(SqlServer.credentials(&options), credentials, "{word}");
        }
    }

    #[test]
    fn keywords_that_would_change_what_is_read_are_refused() {
        let given = |keyword, value: &str| SqlServer.extra_option(keyword, value.to_owned());
        assert!(given("mars_connection", "yes").is_err());
        assert!(given("PacketSize", "32767").is_err());
        assert_eq!(given("PacketSize", "8192").as_deref(), Ok("8192"));
        let other = given("MultiSubnetFailover", "yes");
        assert_eq!(other.as_deref(), Ok("yes"));
    }
}
