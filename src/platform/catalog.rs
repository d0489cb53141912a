//! What a platform's catalog answers. All names in the answers are exact.

use super::query::Query;
use super::scope::Scope;
use crate::domain::catalog::{LayoutColumn, Relation, RelationKind};
use crate::domain::table::{SourceColumn, TableRef};

/// The queries that ask a platform what it has.
pub trait Catalog: Send + Sync {
    /// What the server is, and the time by its clock.
    fn server(&self) -> Query<ServerFacts>;

    /// The time by the server's clock when the statement runs, and not when its transaction began.
    fn clock(&self) -> Query<ClockReading>;

    /// Whether the session's connection is encrypted. `None`: the platform does not tell.
    fn encryption(&self) -> Option<Query<bool>> {
        None
    }

    /// The columns of a table, in its order. No row: the table does not exist, or the login may not see it.
    fn columns(&self, table: &TableRef) -> Query<CatalogColumn>;

    /// Queries for estimates, best first; each answers at most one row. A query that fails, or knows nothing, passes on to
    /// the next. Those that ask the catalog apply to the whole table.
    fn estimates(&self, scope: &Scope<'_>) -> Vec<Query<Option<Estimate>>>;

    /// What the catalog calls unique, and the numbers of the columns.
    fn constraints(&self, table: &TableRef) -> Query<ConstraintRow>;

    /// Whether the platform keeps two rows from having the same primary key.
    fn enforces_keys(&self) -> bool;

    /// How the source lays out a table's rows. `None`: the platform has no such order.
    fn layout(&self, _table: &TableRef) -> Option<Query<LayoutColumn>> {
        None
    }

    /// Whether the layout is an index, in which ranges of its columns are looked up: a run infers a key from it.
    fn layout_is_index(&self) -> bool {
        false
    }

    /// All tables and views of the users, in the order of their names.
    fn relations(&self) -> Query<Relation>;

    /// Tables whose rows are outside of the source, and which its catalog does not list among the others. `None`: there
    /// are none.
    fn external_tables(&self) -> Option<Query<Relation>> {
        None
    }

    /// The table, the tables whose rows come with it (but not the partitions of a partitioned one), and those that its
    /// own rows come with. `None`: tables of this platform do not inherit.
    fn relatives(&self, _table: &TableRef) -> Option<Query<Relative>> {
        None
    }

    /// What has the table's name, or its schema's, apart from upper and lower case.
    fn lookalikes(&self, table: &TableRef) -> Query<Lookalike>;

    /// What the login may read of each column of the table, as far as the catalog tells.
    fn privileges(&self, table: &TableRef) -> Query<ColumnPrivilege>;

    /// Rows that are true where a policy hides rows of the table from this login. `None`: the platform refuses such a
    /// statement by itself.
    fn hidden_rows(&self, _scope: &Scope<'_>) -> Option<Query<bool>> {
        None
    }

    /// Of a column whose values the platform gives when rows are written: the largest at or below which everything is
    /// committed, in the text form of its kind. `None`: the platform does not tell of such a column.
    fn committed_bound(&self, _column: &SourceColumn) -> Option<Query<String>> {
        None
    }

    /// What a run's reading does not guarantee, because of how the database is set: a warning. `None`: nothing to ask.
    fn consistency(&self) -> Option<Query<Option<String>>> {
        None
    }

    /// What users should know of a table: a warning a row.
    fn table_warnings(&self, _table: &TableRef) -> Option<Query<String>> {
        None
    }

    /// Columns whose values are not what the table holds for this login, each with why and what to do. `None`: the
    /// platform does not tell.
    fn disguised_columns(&self, _table: &TableRef) -> Option<Query<(String, String)>> {
        None
    }

    /// The transactions that run now and may yet commit rows that they wrote before, by whatever identifies them. `None`:
    /// on this platform what is not committed yet is never below what is.
    fn running_transactions(&self) -> Option<Query<String>> {
        None
    }
}

/// What a server is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerFacts {
    /// Its version, in its own words.
    pub version: String,
    /// Its clock in seconds since 1970; `None`: it did not tell.
    pub clock: Option<f64>,
}

/// A time in UTC and in the session's zone, and the days before these. Times have the text form of
/// [`KeyKind::Timestamp`](crate::domain::table::KeyKind::Timestamp), days that of
/// [`KeyKind::Date`](crate::domain::table::KeyKind::Date).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// In UTC.
    pub utc: String,
    /// In the session's zone.
    pub local: String,
    /// The day before, in UTC.
    pub utc_yesterday: String,
    /// The day before, in the session's zone.
    pub local_yesterday: String,
}

/// A column as the catalog describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogColumn {
    /// The column.
    pub column: SourceColumn,
    /// The comment of its table.
    pub table_comment: Option<String>,
}

/// Estimated rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Rows.
    pub rows: u64,
    /// Bytes in the source.
    pub bytes: u64,
}

/// A line of what the catalog calls unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstraintRow {
    /// A column and its number.
    Column {
        /// Its name.
        name: String,
        /// The number that keys refer to.
        number: String,
    },
    /// A primary key, or something else that is unique.
    Key {
        /// Whether it is the primary key.
        is_primary: bool,
        /// Its name.
        name: String,
        /// The numbers of its columns, in order.
        columns: Vec<String>,
    },
}

/// A table that a table's rows have to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// How it is related.
    pub relation: Kinship,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Whether it has columns that it has not from a parent.
    pub has_own_columns: bool,
}

/// How a table is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// The table itself.
    Itself,
    /// Its rows come with the table's.
    Child,
    /// The table's rows come with its.
    Parent,
}

/// Something with a name like a table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// What it is; `None`: a schema.
    pub kind: Option<RelationKind>,
    /// Its schema.
    pub schema: String,
    /// Its name; empty for a schema.
    pub name: String,
    /// Whether the login may use the schema.
    pub is_usable: bool,
    /// Whether the catalog has columns of it.
    pub has_columns: bool,
}

/// What the login may do with a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPrivilege {
    /// The column.
    pub column: String,
    /// Whether the login may read it.
    pub is_readable: bool,
    /// Whether the login may use the table's schema.
    pub is_schema_usable: bool,
}
