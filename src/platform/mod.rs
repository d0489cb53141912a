//! Source platforms: everything that this program knows of one that it can move tables from. Pure: statements, types,
//! connection strings, the meaning of failures; [`crate::source`] speaks to the servers.
//!
//! Each platform is a folder with a struct that implements the traits below, one in each file, and a line in
//! [`registered`]. What platforms share is in a folder of their family. No comparison with a platform's name stands
//! outside of this module.
//!
//! | trait | what it answers |
//! |---|---|
//! | [`Settings`] | keys of the configuration, port, lexical rules |
//! | [`Connect`] | drivers, connection string, protection, the meaning of failures |
//! | [`Names`] | quoting and folding |
//! | [`Transactions`] | how a transaction begins, and how rows are read in it |
//! | [`Catalog`] | what there is: tables, columns, keys, privileges |
//! | [`Types`] | how a column's values travel |
//! | [`Sql`] | statements over rows: boundaries, checksums, the extraction |

mod catalog;
mod connect;
mod lexicon;
mod names;
mod postgres;
mod postgres_family;
mod query;
mod redshift;
mod scope;
mod settings;
mod sql;
mod sqlserver;
mod transaction;
mod types;

pub use catalog::{
    Catalog, CatalogColumn, ClockReading, ColumnPrivilege, ConstraintRow, Estimate, Kinship,
    Lookalike, Relative, ServerFacts,
};
pub use connect::{Connect, Keyword, Protection, Value};
pub use lexicon::Lexicon;
pub use names::Names;
pub use query::{Query, TextRow};
pub use scope::{Scope, Window};
pub use settings::{Credentials, OwnKey, Settings, UseOfKey};
pub use sql::{DateUnitRows, RangeSummary, Sql, SummaryStatements};
pub use transaction::{Isolation, Opening, ServerCursor, TransactionSettings, Transactions};
pub use types::Types;

use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;

/// A platform that tables can be moved from.
pub trait SourcePlatform:
    Settings + Connect + Names + Transactions + Catalog + Types + Sql
{
}

impl<P: Settings + Connect + Names + Transactions + Catalog + Types + Sql> SourcePlatform for P {}

/// What is registered of a platform.
struct Registered {
    settings: &'static dyn Settings,
    /// `None`: its configuration is understood, and its tables cannot be moved yet.
    source: Option<&'static dyn SourcePlatform>,
}

/// The registry. A new platform is a variant of [`Platform`], a folder, and a line here.
fn registered(platform: Platform) -> Registered {
    fn whole<P: SourcePlatform>(platform: &'static P) -> Registered {
        Registered {
            settings: platform,
            source: Some(platform),
        }
    }
    match platform {
        Platform::Redshift => whole(&redshift::Redshift),
        Platform::Postgresql => whole(&postgres::Postgres),
        Platform::Sqlserver => whole(&sqlserver::SqlServer),
    }
}

/// What the configuration has to know of a platform.
pub fn settings(platform: Platform) -> &'static dyn Settings {
    registered(platform).settings
}

/// A platform; `None`: not supported yet.
pub fn source(platform: Platform) -> Option<&'static dyn SourcePlatform> {
    registered(platform).source
}

/// A platform.
///
/// # Errors
/// That it is not supported yet.
pub fn supported(platform: Platform) -> Result<&'static dyn SourcePlatform, String> {
    source(platform).ok_or_else(|| format!("{platform} is not supported yet"))
}

/// The same source, but the database that a workflow's table names, by its exact name. A name without quotes, which is
/// folded, means the worker's database whatever that one's case.
pub fn in_database(source: SourceSettings, exact: &str) -> SourceSettings {
    if settings(source.platform).is_same_database(&source.database, exact) {
        source
    } else {
        source.with_database(exact)
    }
}

/// The names of some platforms, as messages list them: `redshift or postgresql`.
pub fn names(is_meant: impl Fn(Platform) -> bool) -> String {
    let names: Vec<&str> = Platform::ALL
        .into_iter()
        .filter(|platform| is_meant(*platform))
        .map(Platform::as_str)
        .collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The names of the platforms that tables can be moved from.
pub fn supported_names() -> String {
    names(|platform| source(platform).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_list_what_is_registered() {
        assert_eq!(supported_names(), "redshift, postgresql or sqlserver");
        assert_eq!(names(|_| true), "redshift, postgresql or sqlserver");
        assert_eq!(names(|_| false), "");
    }
}
