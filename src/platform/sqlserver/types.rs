//! How the values of SQL Server's types travel.
//!
//! What the drivers copy out as it is comes in that form: their text is cut, rounded, or different from driver to driver. Text
//! is asked for as `nvarchar`, so that the server converts each column's code page with its own tables. What a type has
//! no exact form for in either driver, the server writes.
//!
//! Text forms, where a type has no other: `hierarchyid` by its `ToString()`, spatial values as `SRID=4326;POINT (1 2 3 4)`
//! with Z and M, `sql_variant` by its value's own type (numbers plainly, doubles by the fewest digits that read back, dates and times as
//! `2024-12-31 23:59:59.1234567`, bytes as `0x0AFF`), other CLR types as hexadecimal bytes.

use super::adapt::adapt;
use super::{SqlServer, kinds};
use crate::domain::table::{KeyKind, SourceColumn};
use crate::platform::names::Names;
use crate::platform::types::Types;
use crate::types::odbc_value::TICK_DIGITS;
use crate::types::tagged_text::{DOUBLE, SINGLE, TEXT};
use crate::types::wider::wider;
use crate::types::{ColumnPlan, Fetch, PlannedColumn};
use arrow::datatypes::{DataType, TimeUnit};

/// The most characters of an `nvarchar` that has a length.
const MOST_UNITS: u32 = 4_000;
/// The largest scale of Snowflake's NUMBER.
const MAX_SCALE: u8 = 37;
/// Digits of a fraction of a second that Parquet's types keep in all years.
pub(super) const MICROSECONDS: u8 = 6;

impl Types for SqlServer {
    fn plan_column(
        &self,
        column: &SourceColumn,
        index: usize,
        target: Option<&str>,
    ) -> PlannedColumn {
        plan_column(column, &self.quote_name(&column.name), index, target)
    }

    fn type_name(&self, written: &str) -> String {
        kinds::type_name(written)
    }

    fn is_interval(&self, _type_name: &str) -> bool {
        false
    }

    fn text_type(&self) -> &'static str {
        "nvarchar"
    }

    fn as_text(&self, expression: &str) -> String {
        as_text(expression)
    }

    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind> {
        kinds::key_kind(column)
    }
}

/// Without a length, 30 characters are left.
pub(super) fn as_text(expression: &str) -> String {
    format!("CAST({expression} AS nvarchar(max))")
}

fn plan_column(
    column: &SourceColumn,
    quoted: &str,
    index: usize,
    target: Option<&str>,
) -> PlannedColumn {
    let mapping = mapping(column, quoted);
    let plan = ColumnPlan {
        source_name: column.name.clone(),
        expression: mapping.expression,
        fetch: mapping.fetch,
        is_wide: true,
        data_type: mapping.data_type,
        file_name: format!("c{index}"),
        nullable: column.nullable,
        fraction_digits: TICK_DIGITS,
        wider: target.and_then(|target| wider(&mapping.target, target)),
    };
    let mut planned = PlannedColumn {
        plan,
        default_target: mapping.target,
        warning: mapping
            .warning
            .map(|why| format!("column {}: {why}", column.name)),
        conversion: None,
    };
    if let Some(target) = target {
        adapt(&mut planned, column, target);
    }
    planned
}

/// How a column travels into its default target.
struct Mapping {
    expression: String,
    fetch: Fetch,
    data_type: DataType,
    target: String,
    warning: Option<String>,
}

impl Mapping {
    fn new(
        expression: impl Into<String>,
        fetch: Fetch,
        data_type: DataType,
        target: impl Into<String>,
    ) -> Self {
        Self {
            expression: expression.into(),
            fetch,
            data_type,
            target: target.into(),
            warning: None,
        }
    }

    /// Text of at most so many UTF-16 units, and the type that holds it.
    fn text(expression: impl Into<String>, most: Option<u32>, target: impl Into<String>) -> Self {
        let max_bytes = most.map(|units| units as usize * 2);
        Self::new(
            expression,
            Fetch::Text { max_bytes },
            DataType::Utf8,
            target,
        )
    }

    /// Text that a type without a counterpart is written as.
    fn written(expression: String, type_name: &str, how: &str) -> Self {
        Self {
            warning: Some(format!(
                "type {type_name} has no counterpart in Snowflake and is migrated as text{how}"
            )),
            ..Self::text(expression, None, "VARCHAR")
        }
    }
}

fn mapping(column: &SourceColumn, quoted: &str) -> Mapping {
    let integer = |data_type, digits: u8| {
        Mapping::new(
            quoted,
            Fetch::Integer,
            data_type,
            format!("NUMBER({digits},0)"),
        )
    };
    let money = |num_bytes, precision: u8| {
        Mapping::new(
            quoted,
            Fetch::MoneyBytes { num_bytes },
            DataType::Decimal128(precision, 4),
            format!("NUMBER({precision},4)"),
        )
    };
    let name = column.type_name.as_str();
    match name {
        "tinyint" => integer(DataType::Int32, 3),
        "smallint" => integer(DataType::Int32, 5),
        "int" => integer(DataType::Int32, 10),
        "bigint" => integer(DataType::Int64, 19),
        "bit" => Mapping::new(quoted, Fetch::Bit, DataType::Boolean, "BOOLEAN"),
        "decimal" | "numeric" => decimal(column, quoted),
        "money" => money(8, 19),
        "smallmoney" => money(4, 10),
        "real" | "float" => Mapping::new(
            quoted,
            Fetch::Double {
                single: is_single(column),
            },
            DataType::Float64,
            "FLOAT",
        ),
        "char" | "varchar" | "nchar" | "nvarchar" => characters(column, quoted),
        "text" | "ntext" | "xml" => Mapping::text(as_text(quoted), None, "VARCHAR"),
        "binary" | "varbinary" => bytes(column, quoted),
        "image" => Mapping::new(
            format!("CAST({quoted} AS varbinary(max))"),
            Fetch::Bytes { max_bytes: None },
            DataType::Binary,
            "BINARY",
        ),
        // Another name of rowversion, and no time at all.
        "timestamp" | "rowversion" => Mapping::new(
            quoted,
            Fetch::Bytes { max_bytes: Some(8) },
            DataType::Binary,
            "BINARY(8)",
        ),
        "uniqueidentifier" => Mapping::new(quoted, Fetch::GuidBytes, DataType::Utf8, "VARCHAR(36)"),
        "date" => Mapping::new(quoted, Fetch::DateParts, DataType::Date32, "DATE"),
        "time" | "smalldatetime" | "datetime" | "datetime2" | "datetimeoffset" => {
            time(column, quoted)
        }
        "hierarchyid" => Mapping::written(
            format!("CAST({quoted}.ToString() AS nvarchar(max))"),
            name,
            "",
        ),
        // Without it, the text of a value has no Z, M and SRID. NULL of one part is NULL of all.
        "geometry" | "geography" => Mapping::written(
            format!(
                "N'SRID=' + CAST({quoted}.STSrid AS nvarchar(11)) + N';' + {quoted}.AsTextZM()"
            ),
            name,
            ", with its SRID in front",
        ),
        "sql_variant" => Mapping {
            fetch: Fetch::TaggedText,
            ..Mapping::written(
                variant(quoted),
                name,
                ": each value is written as its own type is, and the name of that type is lost",
            )
        },
        "json" | "vector" => Mapping::written(as_text(quoted), name, ""),
        other => Mapping::written(
            format!("CONVERT(nvarchar(max), CAST({quoted} AS varbinary(max)), 2)"),
            other,
            ", as the hexadecimal digits of its bytes",
        ),
    }
}

/// Whether a floating-point number has 24 bits: `float(n)` up to 24 is another name of real.
fn is_single(column: &SourceColumn) -> bool {
    column.type_name == "real" || column.length_or_precision.is_some_and(|bits| bits <= 24)
}

fn decimal(column: &SourceColumn, quoted: &str) -> Mapping {
    // As it is declared without a precision: decimal(18,0).
    let precision = column
        .length_or_precision
        .and_then(|digits| u8::try_from(digits).ok())
        .unwrap_or(18);
    let scale = column.scale.and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
    if scale > MAX_SCALE {
        return Mapping {
            warning: Some(format!(
                "{}({precision},{scale}) has more digits after the point than Snowflake's NUMBER, and is migrated as text",
                column.type_name
            )),
            ..Mapping::new(quoted, Fetch::NumericBytes, DataType::Utf8, "VARCHAR")
        };
    }
    Mapping::new(
        quoted,
        Fetch::NumericBytes,
        DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0)),
        format!("NUMBER({precision},{scale})"),
    )
}

fn characters(column: &SourceColumn, quoted: &str) -> Mapping {
    let Some(length) = column.length_or_precision else {
        return Mapping::text(as_text(quoted), None, "VARCHAR");
    };
    let target = format!("VARCHAR({length})");
    let is_wide = matches!(column.type_name.as_str(), "nchar" | "nvarchar");
    if is_wide {
        return Mapping::text(quoted, Some(length), target);
    }
    // A byte of any page is at most one unit.
    if length <= MOST_UNITS {
        let expression = format!("CAST({quoted} AS nvarchar({length}))");
        return Mapping::text(expression, Some(length), target);
    }
    Mapping::text(as_text(quoted), Some(length), target)
}

fn bytes(column: &SourceColumn, quoted: &str) -> Mapping {
    let length = column.length_or_precision;
    Mapping::new(
        quoted,
        Fetch::Bytes {
            max_bytes: length.map(|n| n as usize),
        },
        DataType::Binary,
        length.map_or_else(|| "BINARY".to_owned(), |n| format!("BINARY({n})")),
    )
}

fn time(column: &SourceColumn, quoted: &str) -> Mapping {
    let digits = digits(column);
    let file = |in_micros| {
        if digits > MICROSECONDS {
            DataType::Utf8
        } else {
            in_micros
        }
    };
    match column.type_name.as_str() {
        "time" => Mapping::new(
            quoted,
            Fetch::TimeBytes { digits },
            file(DataType::Time64(TimeUnit::Microsecond)),
            format!("TIME({digits})"),
        ),
        // Seven digits whatever the column has: one format reads all.
        "datetimeoffset" => Mapping::new(
            quoted,
            Fetch::OffsetBytes {
                digits: TICK_DIGITS,
                in_utc: false,
            },
            DataType::Utf8,
            format!("TIMESTAMP_TZ({digits})"),
        ),
        _ => Mapping::new(
            quoted,
            Fetch::TimestampParts { digits },
            file(DataType::Timestamp(TimeUnit::Microsecond, None)),
            format!("TIMESTAMP_NTZ({digits})"),
        ),
    }
}

/// Digits of a fraction of a second.
pub(super) fn digits(column: &SourceColumn) -> u8 {
    let declared = column.scale.and_then(|digits| u8::try_from(digits).ok());
    match column.type_name.as_str() {
        "smalldatetime" => 0,
        "datetime" => 3,
        // As it is declared without.
        _ => declared.unwrap_or(TICK_DIGITS).min(TICK_DIGITS),
    }
}

/// A `sql_variant` by the type of each value: without a style, amounts are rounded to cents and doubles to six digits. It
/// converts to no `(max)` type, so that its text has at most 4,000 characters; longer text makes the statement fail with its
/// reason, instead of being cut. <https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql>,
/// <https://learn.microsoft.com/sql/t-sql/data-types/sql-variant-transact-sql>
fn variant(quoted: &str) -> String {
    let cast = |type_name: &str| format!("CAST({quoted} AS {type_name})");
    let styled = |type_name: &str, units: u32, style: u8| {
        format!(
            "N'{TEXT}' + CONVERT(nvarchar({units}), {}, {style})",
            cast(type_name)
        )
    };
    let bits = |letter: char, type_name: &str, bytes: u32| {
        let digits = bytes * 2;
        format!(
            "N'{letter}' + CONVERT(nvarchar({digits}), CAST({} AS binary({bytes})), 2)",
            cast(type_name)
        )
    };
    let binary = format!(
        "N'{TEXT}' + CONVERT(nvarchar(max), {}, 1)",
        cast("varbinary(8000)")
    );
    // Without (max), the last of 4,000 characters would fall off behind the letter in front.
    // https://learn.microsoft.com/sql/t-sql/language-elements/string-concatenation-transact-sql
    let whole = format!("CAST(N'{TEXT}' AS nvarchar(max))");
    let characters = format!(
        "CASE WHEN DATALENGTH({quoted}) > {MOST_UNITS} THEN CAST(CAST(N'a sql_variant of too many bytes of text: ' + CAST(DATALENGTH({quoted}) AS nvarchar(10)) AS int) AS nvarchar(10)) ELSE {whole} + {} END",
        cast(&format!("nvarchar({MOST_UNITS})"))
    );
    let cases: String = [
        (&["money", "smallmoney"][..], styled("money", 40, 2)),
        (&["float"][..], bits(DOUBLE, "float", 8)),
        (&["real"][..], bits(SINGLE, "real", 4)),
        (&["date"][..], styled("date", 10, 23)),
        (&["time"][..], styled("time(7)", 16, 121)),
        (
            &["datetime", "smalldatetime"][..],
            styled("datetime", 23, 121),
        ),
        (&["datetime2"][..], styled("datetime2(7)", 27, 121)),
        (
            &["datetimeoffset"][..],
            styled("datetimeoffset(7)", 34, 121),
        ),
        (&["binary", "varbinary"][..], binary),
        // Of one byte or more each: in UTF-16 they may be as many units.
        (&["char", "varchar"][..], characters),
    ]
    .iter()
    .flat_map(|(names, text)| {
        let case = move |name: &&str| format!(" WHEN N'{name}' THEN {text}");
        names.iter().map(case)
    })
    .collect();
    let kind = format!("CAST(SQL_VARIANT_PROPERTY({quoted}, 'BaseType') AS nvarchar(128))");
    // NULL has no type, and is NULL there as well.
    format!(
        "CASE {kind}{cases} ELSE {whole} + {} END",
        cast(&format!("nvarchar({MOST_UNITS})"))
    )
}

#[cfg(test)]
#[path = "types_tests.rs"]
mod tests;
