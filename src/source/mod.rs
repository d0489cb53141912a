//! The only place for ODBC.

mod analyze;
mod bits;
mod catalog;
mod columns;
mod connection;
mod error;
mod extract;
mod fetch;
mod probe;
mod times;
mod tls;

pub use analyze::{analyze, infer_keys};
pub use catalog::list_tables;
pub use connection::{SourceSettings, escape as connection_string_value};
pub use error::{SourceError, SourceErrorKind};
pub use extract::{ExtractError, ExtractRequest, extract};
pub use probe::{SourceFacts, installed_drivers, probe, probe_tables};
pub use tls::{MODES as TLS_MODES, Protection};
