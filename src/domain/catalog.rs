//! What a source's catalog tells of its tables.

/// What a relation of the source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// A table.
    Table,
    /// A table whose partitions come with it.
    PartitionedTable,
    /// A table whose rows are on another server.
    ForeignTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A view whose columns the catalog does not have.
    LateBindingView,
    /// A table whose rows are outside, and which the catalog does not have among the others.
    ExternalTable,
    /// What an extension has brought.
    ExtensionObject,
    /// What is no table: a sequence, a type, an index.
    Other(&'static str),
}

impl RelationKind {
    /// Reads the word of a catalog query.
    pub fn parse(word: &str) -> Self {
        match word {
            "table" => Self::Table,
            "partitioned table" => Self::PartitionedTable,
            "foreign table" => Self::ForeignTable,
            "view" => Self::View,
            "materialized view" => Self::MaterializedView,
            "late-binding view" => Self::LateBindingView,
            "external table" => Self::ExternalTable,
            "object of an extension" => Self::ExtensionObject,
            "sequence" => Self::Other("sequence"),
            "composite type" => Self::Other("composite type"),
            "index" => Self::Other("index"),
            _ => Self::Other("relation"),
        }
    }

    /// What messages call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::PartitionedTable => "partitioned table",
            Self::ForeignTable => "foreign table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::LateBindingView => "late-binding view",
            Self::ExternalTable => "external table",
            Self::ExtensionObject => "object of an extension",
            Self::Other(what) => what,
        }
    }

    /// Whether it is a table of the source's own.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::PartitionedTable)
    }
}

/// What of a relation the login may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All of it.
    All,
    /// Some of its columns.
    SomeColumns,
    /// Nothing.
    Nothing,
}

/// A table or a view of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The catalog's own name of it.
    pub id: String,
    /// Exact name of its schema.
    pub schema: String,
    /// Exact name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns.
    pub num_columns: u64,
    /// Those of them that it has not from a parent.
    pub num_own_columns: u64,
    /// The tables that it inherits from, by the catalog's own names.
    pub parents: Vec<String>,
    /// What the login may read.
    pub reading: Reading,
}

impl Relation {
    /// `schema.name`, for messages.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Columns that the source's catalog calls unique together, or the source fills by a generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCandidate {
    /// What it is.
    pub origin: KeyOrigin,
    /// Exact names of its columns, in its own order.
    pub columns: Vec<String>,
}

/// Where a key comes from. Better ones first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyOrigin {
    /// The primary key.
    PrimaryKey,
    /// A unique constraint or index of this name.
    Unique(String),
    /// A column that the source fills by a generator: identity, serial.
    Identity,
    /// The columns of an index that the source stores its rows in. Not unique.
    ClusteredIndex,
    /// The columns that the source stores its rows in the order of. Not unique, and never inferred in a run.
    SortKey,
    /// The column that the source distributes its rows by. The same holds.
    DistributionKey,
}

impl std::fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PrimaryKey => f.write_str("primary key"),
            Self::Unique(name) => write!(f, "unique constraint or index {name}"),
            Self::Identity => f.write_str("identity column"),
            Self::ClusteredIndex => f.write_str("clustered index"),
            Self::SortKey => f.write_str("sort key"),
            Self::DistributionKey => f.write_str("distribution key"),
        }
    }
}

/// A column's part in how the source lays out its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutColumn {
    /// Exact name.
    pub name: String,
    /// Its place in the sort key, from 1; 0: none. An interleaved key has some of its places below 0.
    pub sort_place: i64,
    /// Whether rows are distributed by it.
    pub distributes: bool,
}
