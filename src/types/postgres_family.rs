//! The types of Redshift and PostgreSQL.
//!
//! What the driver converts wrongly (NaN, infinity, dates before Christ, zones) is asked for as text or as a number that
//! the source computes; dates and timestamps come as whole numbers, because the driver's own conversion is dear.

use super::snowflake_type::TargetType;
use super::{ColumnPlan, Fetch, PlannedColumn};
use crate::domain::table::SourceColumn;
use arrow::datatypes::{DataType, TimeUnit};

/// The largest precision of a decimal in Arrow's 128 bits and in Snowflake's NUMBER.
const MAX_PRECISION: u32 = 38;

/// Bytes of a date's, a time's or a double's text at most.
const SHORT_TEXT: usize = 64;
/// Text of a decimal of 38 digits with sign and point.
const DECIMAL_TEXT: usize = 48;

/// Plans the column at `index`, whose quoted name is `quoted`, for a target of type `target`; without one, for the
/// default target.
pub fn plan_column(
    column: &SourceColumn,
    quoted: &str,
    index: usize,
    target: Option<&str>,
) -> PlannedColumn {
    let mut planned = default_plan(column, quoted, index);
    if let Some(target) = target {
        adapt(
            &mut planned.plan,
            column,
            quoted,
            &TargetType::parse(target),
        );
    }
    planned
}

/// Changes the way so that the target gets each value as it is, or the worker refuses it.
fn adapt(plan: &mut ColumnPlan, column: &SourceColumn, quoted: &str, target: &TargetType) {
    if let Some(digits) = target.fraction_digits() {
        plan.fraction_digits = digits.min(6);
    }
    let as_text = match (column.type_name.as_str(), target) {
        ("numeric", TargetType::Number { precision, scale }) if scale <= precision => {
            let bounded = matches!(column.length_or_precision, Some(1..=MAX_PRECISION));
            plan.fetch = Fetch::DecimalText {
                max_bytes: bounded.then_some(DECIMAL_TEXT),
            };
            plan.data_type = DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(0));
            return;
        }
        ("numeric", TargetType::Text) => Some(None),
        ("float4" | "float8" | "date" | "timestamp" | "timestamptz" | "time", TargetType::Text) => {
            Some(Some(SHORT_TEXT))
        }
        ("bytea" | "varbyte", TargetType::Text) => {
            plan.fetch = Fetch::Text { max_bytes: None };
            plan.data_type = DataType::Utf8;
            return;
        }
        _ => None,
    };
    if let Some(max_bytes) = as_text {
        plan.expression = format!("CAST({quoted} AS varchar)");
        plan.fetch = Fetch::Text { max_bytes };
        plan.data_type = DataType::Utf8;
    }
}

fn default_plan(column: &SourceColumn, quoted: &str, index: usize) -> PlannedColumn {
    let length = column.length_or_precision;
    let as_text = format!("CAST({quoted} AS varchar)");
    let unbounded = Fetch::Text { max_bytes: None };
    let mut warning = None;
    let (expression, fetch, data_type, target) = match column.type_name.as_str() {
        "int2" => (
            quoted.to_owned(),
            Fetch::Integer,
            DataType::Int32,
            "NUMBER(5,0)".to_owned(),
        ),
        "int4" => (
            quoted.to_owned(),
            Fetch::Integer,
            DataType::Int32,
            "NUMBER(10,0)".to_owned(),
        ),
        "int8" => (
            quoted.to_owned(),
            Fetch::Integer,
            DataType::Int64,
            "NUMBER(19,0)".to_owned(),
        ),
        "oid" => (
            format!("CAST({quoted} AS bigint)"),
            Fetch::Integer,
            DataType::Int64,
            "NUMBER(10,0)".to_owned(),
        ),
        "bool" => (
            quoted.to_owned(),
            Fetch::Bit,
            DataType::Boolean,
            "BOOLEAN".to_owned(),
        ),
        "numeric" => match (length, column.scale) {
            (Some(precision @ 1..=MAX_PRECISION), Some(scale @ 0..=37)) => {
                let (p, s) = (
                    u8::try_from(precision).unwrap_or(38),
                    i8::try_from(scale).unwrap_or(0),
                );
                (
                    as_text,
                    Fetch::DecimalText {
                        max_bytes: Some(DECIMAL_TEXT),
                    },
                    DataType::Decimal128(p, s),
                    format!("NUMBER({precision},{scale})"),
                )
            }
            _ => {
                warning = Some(format!(
                    "column {}: numeric without a precision that Snowflake has is migrated as text",
                    column.name
                ));
                (as_text, unbounded, DataType::Utf8, "VARCHAR".to_owned())
            }
        },
        "float4" => (
            as_text,
            Fetch::FloatText { single: true },
            DataType::Float64,
            "FLOAT".to_owned(),
        ),
        "float8" => (
            as_text,
            Fetch::FloatText { single: false },
            DataType::Float64,
            "FLOAT".to_owned(),
        ),
        "date" => (
            format!("({quoted} - DATE '1970-01-01')"),
            Fetch::EpochDays,
            DataType::Date32,
            "DATE".to_owned(),
        ),
        "timestamp" => (
            epoch_micros(quoted),
            Fetch::EpochMicros,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            "TIMESTAMP_NTZ(6)".to_owned(),
        ),
        "timestamptz" => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            (
                epoch_micros(quoted),
                Fetch::EpochMicros,
                utc,
                "TIMESTAMP_TZ(6)".to_owned(),
            )
        }
        "time" => (
            micros_of_day(quoted),
            Fetch::MicrosOfDay,
            DataType::Time64(TimeUnit::Microsecond),
            "TIME(6)".to_owned(),
        ),
        // As the driver pads it: a cast to varchar would strip the trailing blanks, which are data here.
        "bpchar" => (
            quoted.to_owned(),
            text(length),
            DataType::Utf8,
            varchar(length),
        ),
        "varchar" => (
            quoted.to_owned(),
            text(length),
            DataType::Utf8,
            varchar(length),
        ),
        "text" => (
            quoted.to_owned(),
            unbounded,
            DataType::Utf8,
            "VARCHAR".to_owned(),
        ),
        "bytea" => (
            format!("encode({quoted}, 'hex')"),
            Fetch::HexText { max_bytes: None },
            DataType::Binary,
            "BINARY".to_owned(),
        ),
        "varbyte" => (
            format!("to_hex({quoted})"),
            Fetch::HexText { max_bytes: None },
            DataType::Binary,
            "BINARY".to_owned(),
        ),
        "json" | "jsonb" => (as_text, unbounded, DataType::Utf8, "VARIANT".to_owned()),
        "super" => (
            format!("JSON_SERIALIZE({quoted})"),
            unbounded,
            DataType::Utf8,
            "VARIANT".to_owned(),
        ),
        "uuid" => (
            as_text,
            Fetch::Text {
                max_bytes: Some(36),
            },
            DataType::Utf8,
            "VARCHAR(36)".to_owned(),
        ),
        "timetz" | "interval" => (as_text, unbounded, DataType::Utf8, "VARCHAR".to_owned()),
        other => {
            warning = Some(format!(
                "column {}: type {other} has no counterpart in Snowflake and is migrated as text",
                column.name
            ));
            (as_text, unbounded, DataType::Utf8, "VARCHAR".to_owned())
        }
    };
    let plan = ColumnPlan {
        source_name: column.name.clone(),
        expression,
        fetch,
        data_type,
        file_name: format!("c{index}"),
        nullable: column.nullable,
        fraction_digits: 6,
    };
    PlannedColumn {
        plan,
        default_target: target,
        warning,
    }
}

/// Whole microseconds since 1970, without passing through a double; an infinity fails in the source.
fn epoch_micros(quoted: &str) -> String {
    format!(
        "(CAST(EXTRACT(EPOCH FROM date_trunc('second', {quoted})) AS bigint) * 1000000 + CAST(EXTRACT(microseconds FROM {quoted}) AS bigint) % 1000000)"
    )
}

fn micros_of_day(quoted: &str) -> String {
    format!(
        "(CAST(EXTRACT(hour FROM {quoted}) * 3600 + EXTRACT(minute FROM {quoted}) * 60 + floor(EXTRACT(second FROM {quoted})) AS bigint) * 1000000 + CAST(EXTRACT(microseconds FROM {quoted}) AS bigint) % 1000000)"
    )
}

/// Four bytes a character; Redshift counts bytes, and then it is more than enough.
fn text(length: Option<u32>) -> Fetch {
    Fetch::Text {
        max_bytes: length.map(|n| n as usize * 4),
    }
}

fn varchar(length: Option<u32>) -> String {
    length.map_or_else(|| "VARCHAR".to_owned(), |n| format!("VARCHAR({n})"))
}
