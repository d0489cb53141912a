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

pub(super) use checksum::counted;
pub(super) use expressions::{Expressions, Sample, as_varchar, in_utc};
pub(super) use mapping::Mapping;
pub(super) use names::literals;
pub(super) use odbc::OdbcFacts;
pub(super) use parts::Parts;
pub(super) use session::{cursor, millis};

/// A platform of the family.
pub(super) trait PostgresLike: Expressions + 'static {
    /// Its ODBC drivers.
    fn odbc(&self) -> &'static OdbcFacts;
}
