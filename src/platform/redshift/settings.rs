//! Redshift in the configuration.

use super::Redshift;
use crate::platform::lexicon::Lexicon;
use crate::platform::postgres_family::{LEXICON, odbc};
use crate::platform::settings::{OwnKey, Settings, UseOfKey};

const fn key(name: &'static str, use_of: UseOfKey) -> OwnKey {
    OwnKey { name, use_of }
}

impl Settings for Redshift {
    fn default_port(&self) -> u16 {
        5439
    }

    fn own_keys(&self) -> &'static [OwnKey] {
        const KEYS: &[OwnKey] = &[
            key("cluster_id", UseOfKey::Iam),
            key("workgroup", UseOfKey::Iam),
            key("region", UseOfKey::Iam),
            key("access_key_id", UseOfKey::Iam),
            key("secret_access_key", UseOfKey::Iam),
            key("unload_s3_bucket", UseOfKey::Unload),
            key("unload_s3_prefix", UseOfKey::Unload),
            key("unload_iam_role_arn", UseOfKey::Unload),
        ];
        KEYS
    }

    fn has_iam(&self) -> bool {
        true
    }

    fn has_unload(&self) -> bool {
        true
    }

    fn is_compressed(&self) -> bool {
        true
    }

    fn extra_option(&self, keyword: &str, value: String) -> Result<String, String> {
        odbc::extra_option(keyword, value)
    }

    fn lexicon(&self) -> &'static Lexicon {
        &Lexicon {
            has_ambiguous_backslash: true,
            ..LEXICON
        }
    }
}
