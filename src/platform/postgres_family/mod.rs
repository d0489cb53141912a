//! What Amazon Redshift and PostgreSQL share: quoting, most of their catalog, most of their SQL, their ODBC driver.
//!
//! What they write differently is in [`Expressions`], which each implements; what is in one of them only is in that one's
//! folder.

mod adapt;
mod checksum;
pub(super) mod clock;
pub(super) mod columns;
mod dates;
mod expressions;
mod keys;
mod mapping;
mod names;
pub(super) mod odbc;
mod parts;
mod refusals;
pub(super) mod relations;
mod rows;
mod session;
mod types;

use super::lexicon::Lexicon;

pub(super) use checksum::counted;
pub(super) use expressions::{Expressions, Sample, as_varchar, in_utc};
pub(super) use mapping::Mapping;
pub(super) use names::literals;
pub(super) use odbc::OdbcFacts;
pub(super) use parts::Parts;
pub(super) use session::{cursor, millis};

/// Where quotes and comments end, as far as that is the same in both.
pub(super) const LEXICON: Lexicon = Lexicon {
    has_bracketed_names: false,
    has_dollar_quotes: true,
    has_escape_literals: true,
    has_ambiguous_backslash: false,
    driver_reads_marks: true,
    operator_functions: &[],
    operator_query: None,
};

/// A platform of the family.
pub(super) trait PostgresLike: Expressions + 'static {
    /// Its ODBC drivers.
    fn odbc(&self) -> &'static OdbcFacts;
}
