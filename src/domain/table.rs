//! Tables, columns and key ranges as the planner and the workers speak of them.

use serde::{Deserialize, Serialize};

/// A source platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Amazon Redshift.
    Redshift,
    /// PostgreSQL.
    Postgresql,
    /// Microsoft SQL Server.
    Sqlserver,
}

impl Platform {
    /// The name that users write: `redshift`, `postgresql`, `sqlserver`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redshift => "redshift",
            Self::Postgresql => "postgresql",
            Self::Sqlserver => "sqlserver",
        }
    }

    /// Reads the name that users write.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Redshift, Self::Postgresql, Self::Sqlserver]
            .into_iter()
            .find(|platform| platform.as_str().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One part of a name as the user wrote it: `orders`, `"My Table"`, `[My Table]`. How it is folded and quoted
/// is the dialect's business ([`crate::dialect`]) or Snowflake's ([`crate::snowflake`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenName(pub String);

/// A three-part name as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TableRef {
    /// Database.
    pub database: WrittenName,
    /// Schema.
    pub schema: WrittenName,
    /// Table.
    pub table: WrittenName,
}

impl std::fmt::Display for TableRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.database.0, self.schema.0, self.table.0)
    }
}

/// A column of a source table as its catalog describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceColumn {
    /// The exact name, as the catalog spells it (no quotes, nothing folded).
    pub name: String,
    /// The platform's name of the type, lower case, without arguments: `numeric`, `character varying`, `int8`.
    pub type_name: String,
    /// Precision of a numeric, or length in the type's own unit (characters or bytes).
    pub length_or_precision: Option<u32>,
    /// Scale of a numeric, or digits of a fraction of a second.
    pub scale: Option<i32>,
    /// False where the catalog says NOT NULL.
    pub nullable: bool,
}

/// How large a partition shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PartitionSize {
    /// Chosen from the table's size and the extraction strategy.
    Auto,
    /// About this many megabytes (10^6 bytes) of source data.
    TargetSizeMb(u64),
    /// At most about this many rows.
    MaxRowsPerPartition(u64),
}

/// The order and text form of a key column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyKind {
    /// Whole numbers, written in decimal.
    Integer,
    /// Exact decimals, written plainly (`-12.50`).
    Decimal,
    /// `YYYY-MM-DD`.
    Date,
    /// Without zone, `YYYY-MM-DD HH:MM:SS[.ffffff]`.
    Timestamp,
    /// With zone, written in UTC like a timestamp with `+00`.
    TimestampTz,
    /// Text, in the source's own order (its collation).
    Text,
}

/// A column of the partition key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Exact name in the source.
    pub name: String,
    /// What its values are.
    pub kind: KeyKind,
    /// Whether NULL can occur.
    pub nullable: bool,
}

/// One value of each key column, in key order, in the text form of its [`KeyKind`]. Never NULL.
pub type KeyTuple = Vec<String>;

/// The part of a table that one partition holds. The ranges of one table are disjoint and cover every key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum KeyRange {
    /// The whole table (no key).
    Everything,
    /// Keys `lower <= key < upper` in lexicographic order, none of whose columns is NULL. A missing bound is open.
    Between {
        /// First key inside; `None`: from the beginning.
        lower: Option<KeyTuple>,
        /// First key outside; `None`: to the end.
        upper: Option<KeyTuple>,
    },
    /// Rows in which at least one key column is NULL.
    NullKey,
}
