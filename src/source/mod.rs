//! The only place for ODBC.

mod analyze;
mod bits;
mod catalog;
mod columns;
mod connection;
mod diagnosis;
mod error;
mod extract;
mod fetch;
mod missing;
mod policies;
mod probe;
mod readable;
mod session;
mod stream;
mod times;
mod tls;

pub use analyze::{analyze, infer_keys};
pub use catalog::{Relations, list_relations, unreadable_columns};
pub use connection::escape as connection_string_value;
pub use error::{SourceError, SourceErrorKind};
pub use extract::{ExtractError, ExtractRequest, extract};
pub use probe::{ProbedTable, SourceFacts, installed_drivers, probe, probe_tables};
pub use tls::Protection;
