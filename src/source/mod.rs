//! Connections to sources, and what their catalogs say: sessions, analyses, probes. ODBC is spoken here and in
//! [`crate::extract::stream`], nowhere else.

mod analyze;
mod catalog;
mod connection;
mod error;
mod missing;
pub(crate) mod policies;
mod probe;
mod readable;
pub(crate) mod session;

pub use analyze::{analyze, infer_keys};
pub use catalog::{Relations, list_relations, unreadable_columns};
pub use connection::{check, escape as connection_string_value};
pub use error::{SourceError, SourceErrorKind};
pub use probe::{ProbedTable, SourceFacts, installed_drivers, probe, probe_tables};
