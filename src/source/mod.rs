//! The only place for ODBC.

mod analyze;
mod columns;
mod connection;
mod error;
mod extract;
mod fetch;
mod times;

pub use analyze::{analyze, infer_keys};
pub use connection::SourceSettings;
pub use error::{SourceError, SourceErrorKind};
pub use extract::{ExtractError, ExtractRequest, extract};
