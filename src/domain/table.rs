//! Tables, columns and key ranges as the planner and the workers know them.

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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Redshift, Self::Postgresql, Self::Sqlserver];

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
        Self::ALL
            .into_iter()
            .find(|platform| platform.as_str().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Platforms that the field's own tool knows, and this program does not move tables from.
pub const OTHER_PLATFORMS: &[&str] = &[
    "azure_synapse",
    "azuresynapse",
    "bigquery",
    "databricks",
    "db2",
    "greenplum",
    "hive",
    "mysql",
    "netezza",
    "oracle",
    "snowflake",
    "spark",
    "sqlite",
    "sybase",
    "synapse",
    "teradata",
    "vertica",
];

/// One part of a name as the user wrote it: `orders`, `"My Table"`, `[My Table]`. How it is folded and quoted
/// is the platform's business ([`crate::platform`]) or Snowflake's ([`crate::snowflake`]).
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceColumn {
    /// The exact name, as the catalog spells it (no quotes, nothing folded).
    pub name: String,
    /// The platform's name of the type, lower case, without arguments: `numeric`, `character varying`, `int8`.
    pub type_name: String,
    /// Precision of a numeric, or length in the type's own unit (characters or bytes).
    pub length_or_precision: Option<u32>,
    /// Scale of a numeric, or digits of a fraction of a second.
    pub scale: Option<i32>,
    /// Whether NULL can occur. False only where the source enforces NOT NULL in every row that a query of the table reads.
    pub nullable: bool,
    /// What the type is, where its name alone does not say.
    #[serde(default)]
    pub class: TypeClass,
    /// The column's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the source computes it from other columns.
    #[serde(default)]
    pub computed: bool,
    /// Whether the source fills it by a generator: identity, serial.
    #[serde(default)]
    pub identity: bool,
    /// Whether the type, and every type inside it, has a binary form (`record_send`), which no setting changes.
    #[serde(default)]
    pub has_binary_form: bool,
}

impl SourceColumn {
    /// Its type as messages show it: `numeric(10,2)`, `int4[]`.
    pub fn type_text(&self) -> String {
        let arguments: Vec<String> = self
            .length_or_precision
            .map(|n| n.to_string())
            .into_iter()
            .chain(self.scale.map(|n| n.to_string()))
            .collect();
        let brackets = match self.class {
            TypeClass::Array => "[]",
            _ => "",
        };
        if arguments.is_empty() {
            format!("{}{brackets}", self.type_name)
        } else {
            format!("{}({}){brackets}", self.type_name, arguments.join(","))
        }
    }
}

/// What a type is, where its name alone does not say: users name their types as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TypeClass {
    /// One of the platform's own; a domain counts as the type below it.
    #[default]
    Base,
    /// An array; `type_name` is its element's.
    Array,
    /// An enumeration.
    Enum,
    /// A row type, a range, or another type made of others.
    Composite,
}

/// How large a partition is to be.
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

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DateUnit {
    /// Calendar years.
    Year,
    /// Calendar months.
    Month,
    /// Days.
    Day,
}

impl DateUnit {
    /// `year`, `month`, `day`: as users write it, and as SQL does.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
        }
    }
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
    /// Binary floating point, in shortest form that reads back; NaN above everything.
    Float,
    /// `HH:MM:SS[.ffffff]`, without zone.
    Time,
    /// `true` above `false`.
    Boolean,
    /// Canonical, lower case.
    Uuid,
    /// Text, in the source's own order (its collation).
    Text,
    /// Text whose trailing blanks do not count; written without them where it is [bytewise](KeyColumn::bytewise).
    PaddedText,
    /// Text in a code page of the source, in its own order.
    PageText,
    /// Like [`Timestamp`](Self::Timestamp), of a type that keeps 1/300 s and shows three digits.
    DateTime,
    /// Canonical, upper case, in the source's own order; as text where it is [bytewise](KeyColumn::bytewise).
    Guid,
    /// Bytes, as upper-case hexadecimal text.
    Binary,
}

impl KeyKind {
    /// Whether the order of its values depends on a collation.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::PaddedText | Self::PageText)
    }
}

/// A column of the partition key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Exact name in the source.
    pub name: String,
    /// What its values are.
    pub kind: KeyKind,
    /// Whether rows with NULL in it are set apart, in [`KeyRange::NullKey`]. They always are, because NOT NULL in a catalog
    /// is no promise; only earlier versions have stored keys of which they are not.
    pub nullable: bool,
    /// Text in the order of its bytes (UTF-8), which is Snowflake's order too, instead of the source's collation. Set
    /// where a range must mean the same rows on both sides.
    #[serde(default)]
    pub bytewise: bool,
}

/// One value of each key column, or of its first ones, in key order, in the text form of its [`KeyKind`]. Never NULL. A tuple
/// of the first ones is below all keys that begin with it.
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

/// The rows of a table that one partition moves in one run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slice {
    /// Its part of the table.
    #[serde(flatten)]
    pub range: KeyRange,
    /// Of a table with a watermark: only rows above this one, in the text form of the watermark's [`KeyKind`]. `None`:
    /// nothing of this part was moved before; rows without a watermark belong to it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What is moved of its rows.
    #[serde(default)]
    pub content: Content,
}

impl From<KeyRange> for Slice {
    fn from(range: KeyRange) -> Self {
        Self {
            range,
            after: None,
            content: Content::Rows,
        }
    }
}

/// What a slice moves of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// All columns, into the target.
    #[default]
    Rows,
    /// The primary key's columns: target rows whose key is not among them are deleted.
    Keys,
}

/// What the user wants of every statement that reads rows: pieces of the source's SQL, and of which tables the rows are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryModifiers {
    /// Stands after the table's name: ` WITH (NOLOCK)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Stands after SELECT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// Rows of the table alone, without those of the tables that inherit from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_child_tables: bool,
}
