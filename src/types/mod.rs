//! Source type → Parquet → Snowflake: pure.
//!
//! A [`ColumnPlan`] says how one column travels: the expression that the source evaluates, the form in which
//! ODBC hands the value over, the Arrow type in the file. The target's type then decides how COPY casts it.

use array_value::{Element, Form};
use arrow::datatypes::DataType;

pub mod array_value;
pub mod comparison;
pub mod float_text;
pub mod json;
pub mod key_text;
pub mod metadata_location;
pub mod odbc_value;
pub mod snowflake_name;
pub mod snowflake_type;
pub mod tagged_text;
pub mod text_value;
pub mod transform;
pub mod wider;

pub use wider::Wider;

/// The form in which a value leaves the ODBC driver, chosen for exactness first and cost second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Bound as a 64-bit integer; written as the file's integer type.
    Integer,
    /// Bound as a bit.
    Bit,
    /// Bound as text, parsed to a decimal of the file's precision and scale; a value that does not fit is an error.
    DecimalText {
        /// The most bytes a value's text can have, where the type bounds it.
        max_bytes: Option<usize>,
    },
    /// Bound as text in shortest round-trip form, parsed to the file's `Float64`; `NaN`, `Infinity`, `-Infinity` kept.
    FloatText {
        /// Whether the source has single precision: parsed as such, then widened exactly.
        single: bool,
    },
    /// The source hands over lower-case hexadecimal text of a double's bits, which no setting rounds: written as the file's
    /// `Float64`, or as PostgreSQL's text ([`float_text`]) where the file has text.
    FloatBits {
        /// Whether they are those of single precision: widened exactly.
        single: bool,
    },
    /// The source hands over lower-case hexadecimal text of an array's binary form, of which the worker makes text
    /// ([`array_value`]).
    ArrayBits {
        /// The type of the elements.
        element: Element,
        /// What is written.
        form: Form,
    },
    /// The source hands over days since 1970-01-01 (may be negative), bound as a 32-bit integer.
    EpochDays,
    /// The source hands over microseconds since midnight, bound as a 64-bit integer.
    MicrosOfDay,
    /// The source hands over microseconds since 1970-01-01 00:00:00 (may be negative), bound as a 64-bit integer.
    EpochMicros,
    /// Bound as UTF-8 text.
    Text {
        /// The most bytes a value can have, where the type bounds it; otherwise the buffer grows as values need.
        max_bytes: Option<usize>,
    },
    /// Bound as UTF-8 text and read as the file's type ([`text_value`]): a date, a timestamp, a time, a boolean, a double.
    /// A value that is none is an error.
    ParsedText {
        /// As for [`Text`](Self::Text).
        max_bytes: Option<usize>,
    },
    /// Bound as UTF-8 text: a JSON document; one that a VARIANT would change is an error ([`json`]).
    JsonText {
        /// As for [`Text`](Self::Text).
        max_bytes: Option<usize>,
        /// What must be at its root.
        root: json::Root,
    },
    /// Bound as UTF-8 text: a spatial value as hexadecimal EWKB.
    EwkbText {
        /// As for [`Text`](Self::Text).
        max_bytes: Option<usize>,
    },
    /// The source hands over lower-case hexadecimal text of the bytes.
    HexText {
        /// The most bytes (decoded) a value can have, where the type bounds it.
        max_bytes: Option<usize>,
    },
    /// The same of the content of a large object. Where there is no such object: a `-` and its number, which is an error.
    LargeObject,
    /// Bound as a double; written as the file's `Float64`, or as text that reads back where the file has text.
    Double {
        /// Whether the source has single precision: a text has no more digits than that needs.
        single: bool,
    },
    /// Bound as the bytes of ODBC's `SQL_NUMERIC_STRUCT`, which have the value's own scale.
    NumericBytes,
    /// Bound as the bytes in which the server sends an amount of ten-thousandths.
    MoneyBytes {
        /// 8, or 4 for `smallmoney`.
        num_bytes: usize,
    },
    /// Bound as ODBC's date.
    DateParts,
    /// Bound as ODBC's timestamp, whose fraction is in nanoseconds. Where the file has text, it has so many digits.
    TimestampParts {
        /// Digits of the fraction in text.
        digits: u8,
    },
    /// Bound as the bytes of Microsoft's `SQL_SS_TIME2_STRUCT`.
    TimeBytes {
        /// As for [`TimestampParts`](Self::TimestampParts).
        digits: u8,
    },
    /// Bound as the bytes of Microsoft's `SQL_SS_TIMESTAMPOFFSET_STRUCT`.
    OffsetBytes {
        /// As for [`TimestampParts`](Self::TimestampParts).
        digits: u8,
        /// Whether text has the time in UTC, without the offset.
        in_utc: bool,
    },
    /// Bound as the 16 bytes of a GUID in Microsoft's order; written as upper-case text.
    GuidBytes,
    /// Bound as UTF-8 or UTF-16 text, in front of which a letter says what it is: `t`, the value's text; `f` or `r`, the bits of
    /// a double or of a single in hexadecimal, of which the worker makes text.
    TaggedText,
    /// Bound as bytes; written as they are, or as lower-case hexadecimal text where the file has text.
    Bytes {
        /// The most bytes a value can have, where the type bounds it.
        max_bytes: Option<usize>,
    },
}

impl Fetch {
    /// For a form that is bound as text or bytes of any length: the most bytes a value can have, as far as the type bounds it.
    pub fn text_bound(&self) -> Option<Option<usize>> {
        match self {
            Self::DecimalText { max_bytes }
            | Self::Text { max_bytes }
            | Self::ParsedText { max_bytes }
            | Self::JsonText { max_bytes, .. }
            | Self::EwkbText { max_bytes }
            | Self::HexText { max_bytes }
            | Self::Bytes { max_bytes } => Some(*max_bytes),
            Self::ArrayBits { .. } | Self::LargeObject | Self::TaggedText => Some(None),
            _ => None,
        }
    }

    /// What is written into the file.
    pub fn content(&self) -> ColumnContent {
        match self {
            Self::JsonText { root, .. } => ColumnContent::Document(*root),
            Self::ArrayBits {
                form: Form::Json, ..
            } => ColumnContent::Document(json::Root::Array),
            Self::EwkbText { .. } => ColumnContent::Spatial,
            Self::TimestampParts { .. } | Self::OffsetBytes { in_utc: true, .. } => {
                ColumnContent::Timestamp
            }
            Self::TimeBytes { .. } => ColumnContent::Time,
            Self::OffsetBytes { in_utc: false, .. } => ColumnContent::TimestampWithOffset,
            _ => ColumnContent::Plain,
        }
    }
}

/// A column of a file: what an extraction and a load agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    /// Name of the column in the file.
    pub name: String,
    /// Arrow type in the file.
    pub data_type: DataType,
    /// Whether NULL can occur.
    pub nullable: bool,
    /// What its values are.
    pub content: ColumnContent,
}

/// What the values of a column of a file are, where its type does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnContent {
    /// What its type says.
    Plain,
    /// JSON documents, with this at their root, that a VARIANT holds as they are.
    Document(json::Root),
    /// Spatial values as hexadecimal EWKB.
    Spatial,
    /// `2024-12-31 23:59:59.1234567`: Parquet has no type for 100 ns in all years.
    Timestamp,
    /// `23:59:59.1234567`.
    Time,
    /// `2024-12-31 23:59:59.1234567 +05:45`: the time at that offset.
    TimestampWithOffset,
}

/// How one column travels from the source into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPlan {
    /// Exact name in the source: for messages.
    pub source_name: String,
    /// The expression in the source's SQL, without alias.
    pub expression: String,
    /// The form of its values.
    pub fetch: Fetch,
    /// Whether the driver hands text over in UTF-16; a limit of bytes is then one of these. Otherwise in UTF-8.
    pub is_wide: bool,
    /// Arrow type in the file.
    pub data_type: DataType,
    /// Name of the column in the file.
    pub file_name: String,
    /// Whether NULL can occur.
    pub nullable: bool,
    /// Digits of a fraction of a second that the target keeps; a value with more is an error, never rounded.
    pub fraction_digits: u8,
    /// The type of a target column that holds all that the source declares, where the target's does not.
    pub wider: Option<Wider>,
}

impl ColumnPlan {
    /// The column of the file.
    pub fn file_column(&self) -> FileColumn {
        FileColumn {
            name: self.file_name.clone(),
            data_type: self.data_type.clone(),
            nullable: self.nullable,
            content: self.fetch.content(),
        }
    }
}

/// A column's way, its default type in Snowflake, and a warning where the type has no faithful counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedColumn {
    /// How it travels.
    pub plan: ColumnPlan,
    /// The type of the target column when the target is created.
    pub default_target: String,
    /// What users should know of the default target, with the column's name.
    pub warning: Option<String>,
    /// What users should know of the way into another target, without the column's name.
    pub conversion: Option<String>,
}
