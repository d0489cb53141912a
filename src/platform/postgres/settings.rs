//! PostgreSQL in the configuration.

use super::Postgres;
use crate::platform::lexicon::Lexicon;
use crate::platform::postgres_family::{LEXICON, odbc};
use crate::platform::settings::Settings;

impl Settings for Postgres {
    fn default_port(&self) -> u16 {
        5432
    }

    fn has_child_tables(&self) -> bool {
        true
    }

    fn is_same_database(&self, configured: &str, exact: &str) -> bool {
        // A name with capitals was quoted, and there may be both.
        configured.to_lowercase() == exact
    }

    fn extra_option(&self, keyword: &str, value: String) -> Result<String, String> {
        odbc::extra_option(keyword, value)
    }

    fn lexicon(&self) -> &'static Lexicon {
        &Lexicon {
            operator_functions: &[
                ("?", "jsonb_exists(data, 'key')"),
                ("?|", "jsonb_exists_any(data, ARRAY['a', 'b'])"),
                ("?&", "jsonb_exists_all(data, ARRAY['a', 'b'])"),
                ("@?", "jsonb_path_exists(data, '$.a', '{}', true)"),
            ],
            operator_query: Some("SELECT oprcode FROM pg_operator WHERE oprname = '%'"),
            ..LEXICON
        }
    }
}
