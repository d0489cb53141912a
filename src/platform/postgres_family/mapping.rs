//! The types of Redshift and PostgreSQL.
//!
//! What the driver converts wrongly (NaN, infinity, dates before Christ, zones) is asked for as text or as a number that
//! the source computes; dates and timestamps come as whole numbers, because the driver's own conversion is dear.
//!
//! Text forms, where a type has no other: intervals as ISO 8601 durations in which each part has its own sign
//! (`P-1DT0.000001S`), `timetz` as `HH:MM:SS[.ffffff]±HH[:MM]`, money as a plain decimal, everything else as the source
//! writes it. Arrays become JSON arrays; dates, times, NaN and infinities inside are JSON strings.
//!
//! No expression depends on the session's settings, which are the user's: see [`Expressions`].

use super::adapt;
use super::expressions::{Expressions, as_varchar, interval, range};
use crate::domain::table::{SourceColumn, TypeClass};
use crate::types::array_value::{Element, Form};
use crate::types::json::Root;
use crate::types::wider::wider;
use crate::types::{ColumnPlan, Fetch, PlannedColumn};
use arrow::datatypes::{DataType, TimeUnit};

/// The largest precision of a decimal in Arrow's 128 bits and in Snowflake's NUMBER.
const MAX_PRECISION: u32 = 38;
/// The largest scale of Snowflake's NUMBER.
const MAX_SCALE: u32 = 37;

/// Bytes of a date's, a time's or a double's text at most.
pub(super) const SHORT_TEXT: usize = 64;
/// Text of a decimal of 38 digits with sign and point.
pub(super) const DECIMAL_TEXT: usize = 48;
/// Digits of a fraction of a second in the source.
pub(super) const MICROSECONDS: u8 = 6;

/// Types whose text has doubles in it.
const FLOATS_INSIDE: &[&str] = &[
    "point", "line", "lseg", "box", "path", "polygon", "circle", "cube",
];
/// Ranges without.
const EXACT_RANGES: &[&str] = &[
    "int4range",
    "int8range",
    "numrange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
];
/// What users should know of text that the source makes of doubles.
const ALL_DIGITS: &str = "and doubles in it have all their digits only where the source's extra_float_digits is at least 1 (the default from PostgreSQL 12 on)";
/// What users should know of numbers of large objects.
pub(super) const LARGE_OBJECTS: &str = "it is migrated as a number: if it names large objects, their content stays behind; to move the content, map oid (or lo) to BINARY with columnTypeMappings; to say that these are plain numbers, map it to NUMBER(10,0)";

/// Plans the column at `index`, whose quoted name is `quoted`, for a target of type `target`; without one, for the
/// default target.
pub(super) fn plan_column(
    p: &impl Expressions,
    column: &SourceColumn,
    quoted: &str,
    index: usize,
    target: Option<&str>,
) -> PlannedColumn {
    let mapping = default_mapping(p, column, quoted);
    let plan = ColumnPlan {
        source_name: column.name.clone(),
        expression: mapping.expression,
        fetch: mapping.fetch,
        is_wide: false,
        data_type: mapping.data_type,
        file_name: format!("c{index}"),
        nullable: column.nullable,
        fraction_digits: MICROSECONDS,
        wider: target.and_then(|target| match column.type_name.as_str() {
            // Nothing that is declared bounds it as it is used.
            "money" => None,
            _ => wider(&mapping.target, target),
        }),
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
        adapt::adapt(p, &mut planned, column, quoted, target);
    }
    planned
}

/// How a column travels into its default target.
pub(in crate::platform) struct Mapping {
    expression: String,
    fetch: Fetch,
    data_type: DataType,
    target: String,
    warning: Option<String>,
}

impl Mapping {
    pub(in crate::platform) fn new(
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

    /// Text whose length nothing bounds.
    pub(in crate::platform) fn text(expression: impl Into<String>) -> Self {
        Self::new(
            expression,
            Fetch::Text { max_bytes: None },
            DataType::Utf8,
            "VARCHAR",
        )
    }

    /// A JSON document with this at its root.
    pub(in crate::platform) fn json(expression: String, root: Root, target: &str) -> Self {
        Self::new(
            expression,
            Fetch::JsonText {
                max_bytes: None,
                root,
            },
            DataType::Utf8,
            target,
        )
    }

    fn warned(self, warning: impl Into<String>) -> Self {
        Self {
            warning: Some(warning.into()),
            ..self
        }
    }
}

fn default_mapping(p: &impl Expressions, column: &SourceColumn, quoted: &str) -> Mapping {
    let as_text = as_varchar(quoted);
    match column.class {
        TypeClass::Base => base(p, column, quoted),
        TypeClass::Enum => Mapping::text(as_text),
        TypeClass::Array => array(p, column, quoted),
        TypeClass::Composite => composite(p, column, quoted),
    }
}

fn base(p: &impl Expressions, column: &SourceColumn, quoted: &str) -> Mapping {
    let length = column.length_or_precision;
    let fraction = column
        .scale
        .and_then(|digits| u8::try_from(digits).ok())
        .unwrap_or(MICROSECONDS);
    if let Some(mapping) = p.own_mapping(column, quoted) {
        return mapping;
    }
    let as_text = as_varchar(quoted);
    match column.type_name.as_str() {
        "int2" => Mapping::new(quoted, Fetch::Integer, DataType::Int32, "NUMBER(5,0)"),
        "int4" => Mapping::new(quoted, Fetch::Integer, DataType::Int32, "NUMBER(10,0)"),
        "int8" => Mapping::new(quoted, Fetch::Integer, DataType::Int64, "NUMBER(19,0)"),
        "oid" => Mapping::new(
            format!("CAST({quoted} AS bigint)"),
            Fetch::Integer,
            DataType::Int64,
            "NUMBER(10,0)",
        )
        .warned(LARGE_OBJECTS),
        "bool" => Mapping::new(quoted, Fetch::Bit, DataType::Boolean, "BOOLEAN"),
        "numeric" => match number(column) {
            Some((precision, scale)) => decimal(as_text, precision, scale),
            None => Mapping::text(as_text).warned(
                "numeric without a precision and scale that Snowflake has is migrated as text",
            ),
        },
        // 64 bits of the smallest unit, whose digits after the point, none to three, are the server's locale's.
        "money" => decimal(as_varchar(&format!("CAST({quoted} AS numeric)")), 23, 4),
        "float4" | "float8" => {
            let single = column.type_name == "float4";
            let (expression, fetch) = p.float(quoted, single);
            Mapping::new(expression, fetch, DataType::Float64, "FLOAT")
        }
        "date" => Mapping::new(
            format!("({quoted} - DATE '1970-01-01')"),
            Fetch::EpochDays,
            DataType::Date32,
            "DATE",
        ),
        "timestamp" => Mapping::new(
            p.epoch_micros(quoted),
            Fetch::EpochMicros,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            format!("TIMESTAMP_NTZ({fraction})"),
        ),
        "timestamptz" => Mapping::new(
            p.epoch_micros(quoted),
            Fetch::EpochMicros,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            format!("TIMESTAMP_TZ({fraction})"),
        ),
        "time" => Mapping::new(
            micros_of_day(p, quoted),
            Fetch::MicrosOfDay,
            DataType::Time64(TimeUnit::Microsecond),
            format!("TIME({fraction})"),
        ),
        // As the driver pads it: a cast to varchar would strip the trailing blanks, which are data here.
        "bpchar" | "varchar" => {
            // Four bytes a character; Redshift counts bytes, and then it is more than enough.
            let max_bytes = length.map(|n| n as usize * 4);
            Mapping::new(
                quoted,
                Fetch::Text { max_bytes },
                DataType::Utf8,
                length.map_or_else(|| "VARCHAR".to_owned(), |n| format!("VARCHAR({n})")),
            )
        }
        "text" => Mapping::text(quoted),
        "name" | "char" | "citext" => Mapping::text(as_text),
        "bytea" => Mapping::new(
            format!("{}({quoted}, 'hex')", p.function("encode")),
            Fetch::HexText { max_bytes: None },
            DataType::Binary,
            "BINARY",
        ),
        "json" | "jsonb" => Mapping::json(as_text, Root::Any, "VARIANT"),
        "uuid" => Mapping::new(
            as_text,
            Fetch::Text {
                max_bytes: Some(36),
            },
            DataType::Utf8,
            "VARCHAR(36)",
        ),
        // As the source takes it in and puts it out.
        "geometry" | "geography" => Mapping::new(
            p.spatial(quoted),
            Fetch::EwkbText { max_bytes: None },
            DataType::Utf8,
            column.type_name.to_uppercase(),
        ),
        "timetz" => Mapping::text(as_text),
        "interval" | "intervaly2m" | "intervald2s" => {
            Mapping::text(interval(p, quoted, &column.type_name))
        }
        other if FLOATS_INSIDE.contains(&other) => Mapping::text(as_text).warned(format!(
            "type {other} has no counterpart in Snowflake and is migrated as text, {ALL_DIGITS}"
        )),
        other => Mapping::text(as_text).warned(format!(
            "type {other} has no counterpart in Snowflake and is migrated as text"
        )),
    }
}

fn decimal(expression: String, precision: u8, scale: u8) -> Mapping {
    Mapping::new(
        expression,
        Fetch::DecimalText {
            max_bytes: Some(DECIMAL_TEXT),
        },
        DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0)),
        format!("NUMBER({precision},{scale})"),
    )
}

/// Precision and scale of the NUMBER that holds all of a numeric's values. A negative scale rounds to the left of the
/// point; one above the precision leaves zeros behind it.
fn number(column: &SourceColumn) -> Option<(u8, u8)> {
    let (precision, scale) = (column.length_or_precision?, column.scale.unwrap_or(0));
    let fraction = u32::try_from(scale).unwrap_or(0);
    let digits = if scale < 0 {
        precision.checked_add(scale.unsigned_abs())?
    } else {
        precision.max(fraction)
    };
    if !(1..=MAX_PRECISION).contains(&digits) || fraction > MAX_SCALE {
        return None;
    }
    Some((u8::try_from(digits).ok()?, u8::try_from(fraction).ok()?))
}

/// A row type, or a range.
fn composite(p: &impl Expressions, column: &SourceColumn, quoted: &str) -> Mapping {
    let name = &column.type_name;
    let made_of_others = format!("type {name}, which is made of others, is migrated as text");
    match range(p, quoted, name) {
        Some(text) => Mapping::text(text).warned(made_of_others),
        None if EXACT_RANGES.contains(&name.as_str()) => {
            Mapping::text(as_varchar(quoted)).warned(made_of_others)
        }
        None => Mapping::text(as_varchar(quoted)).warned(format!("{made_of_others}, {ALL_DIGITS}")),
    }
}

/// What elements are whose text would depend on the session.
fn element(type_name: &str) -> Option<Element> {
    Some(match type_name {
        "float4" => Element::Float4,
        "float8" => Element::Float8,
        "date" => Element::Date,
        "timestamp" => Element::Timestamp,
        "timestamptz" => Element::TimestampTz,
        "interval" => Element::Interval,
        "bytea" => Element::Bytes,
        _ => return None,
    })
}

fn array(p: &impl Expressions, column: &SourceColumn, quoted: &str) -> Mapping {
    let as_text = as_varchar(quoted);
    // Bounds other than 1 are part of the value, and JSON has no place for them. The text has: `[0:1]={1,2}`, which is no
    // JSON, so that the worker refuses it by name.
    let [substring, to_json] = ["substring", "to_json"].map(|name| p.function(name));
    let mapping = Mapping::json(
        format!(
            "CASE WHEN {substring}({as_text}, 1, 1) = '[' THEN {as_text} ELSE CAST({to_json}({quoted}) AS varchar) END"
        ),
        Root::Array,
        "ARRAY",
    );
    let mapping = match element(&column.type_name).zip(p.array_bits(quoted)) {
        Some((element, expression)) => Mapping {
            expression,
            fetch: Fetch::ArrayBits {
                element,
                form: Form::Json,
            },
            ..mapping
        },
        None => mapping,
    };
    match column.type_name.as_str() {
        "int2" | "int4" | "int8" | "bool" | "bpchar" | "varchar" | "text" | "uuid" | "json"
        | "jsonb" => mapping,
        other => mapping.warned(format!(
            "the elements of type {other} are migrated as JSON has them: numbers as numbers, NaN, infinities and all else as text"
        )),
    }
}

fn micros_of_day(p: &impl Expressions, quoted: &str) -> String {
    let fraction = p.micros_of_second(quoted);
    format!(
        "(CAST(EXTRACT(hour FROM {quoted}) * 3600 + EXTRACT(minute FROM {quoted}) * 60 + floor(EXTRACT(second FROM {quoted})) AS bigint) * 1000000 + {fraction})"
    )
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
