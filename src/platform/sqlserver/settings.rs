//! SQL Server in the configuration.

use super::SqlServer;
use crate::platform::lexicon::Lexicon;
use crate::platform::settings::{OwnKey, Settings, UseOfKey};

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

impl Settings for SqlServer {
    fn default_port(&self) -> u16 {
        1433
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
        ]
    }

    fn extra_option(&self, _keyword: &str, value: String) -> Result<String, String> {
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
