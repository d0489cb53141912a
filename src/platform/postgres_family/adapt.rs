//! A column's way into a target of another type than the default: each value arrives as it is, or the worker refuses
//! it. What no way leads to, [`load_expression`](crate::target::TargetTable::load_expression) refuses.

use super::expressions::{Expressions, as_varchar};
use super::mapping::{DECIMAL_TEXT, LARGE_OBJECTS, MICROSECONDS, SHORT_TEXT};
use crate::domain::table::{SourceColumn, TypeClass};
use crate::types::array_value::Form;
use crate::types::json::Root;
use crate::types::snowflake_type::TargetType;
use crate::types::{Fetch, PlannedColumn};
use arrow::datatypes::{DataType, TimeUnit};

/// What decides the ways that a type has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Decimal,
    /// Has its own text form, which is not that of its way into the default target.
    Written,
    Timestamp,
    Characters,
    Bytes,
    Json,
    Array,
    Spatial,
    /// The number of a large object, maybe.
    Number,
    Other,
}

fn kind(column: &SourceColumn) -> Kind {
    match (column.class, column.type_name.as_str()) {
        (TypeClass::Array, _) => Kind::Array,
        (TypeClass::Enum | TypeClass::Composite, _) => Kind::Other,
        (TypeClass::Base, name) => match name {
            "numeric" | "money" => Kind::Decimal,
            "float4" | "float8" | "date" | "timestamptz" | "time" => Kind::Written,
            "timestamp" => Kind::Timestamp,
            "bpchar" | "varchar" | "text" | "citext" => Kind::Characters,
            "bytea" | "varbyte" => Kind::Bytes,
            "json" | "jsonb" | "super" => Kind::Json,
            "geometry" | "geography" => Kind::Spatial,
            "oid" => Kind::Number,
            _ => Kind::Other,
        },
    }
}

/// Changes the way so that it leads into `target`, where there is one.
pub(super) fn adapt(
    p: &impl Expressions,
    planned: &mut PlannedColumn,
    column: &SourceColumn,
    quoted: &str,
    target: &str,
) {
    let target = TargetType::parse(target);
    let plan = &mut planned.plan;
    if let Some(digits) = target.fraction_digits() {
        plan.fraction_digits = digits.min(MICROSECONDS);
    }
    let unbounded = Fetch::Text { max_bytes: None };
    match (kind(column), &target) {
        (Kind::Decimal, TargetType::Number { precision, scale }) if scale <= precision => {
            // What is text by default is as long as it is.
            let is_bounded = matches!(plan.data_type, DataType::Decimal128(..));
            plan.fetch = Fetch::DecimalText {
                max_bytes: is_bounded.then_some(DECIMAL_TEXT),
            };
            plan.data_type = decimal(*precision, *scale);
        }
        (Kind::Decimal, TargetType::Text) => {
            plan.fetch = unbounded;
            plan.data_type = DataType::Utf8;
        }
        (Kind::Decimal, TargetType::Float) if plan.data_type == DataType::Utf8 => {
            plan.fetch = Fetch::ParsedText { max_bytes: None };
            plan.data_type = DataType::Float64;
            planned.conversion = Some("exact numbers become the nearest FLOAT".to_owned());
        }
        (Kind::Written | Kind::Timestamp, TargetType::Text) => {
            // The worker makes text of a double's bits.
            if !matches!(plan.fetch, Fetch::FloatBits { .. }) {
                plan.expression = written(p, column, quoted);
                plan.fetch = Fetch::Text {
                    max_bytes: Some(SHORT_TEXT),
                };
            }
            plan.data_type = DataType::Utf8;
        }
        // The worker refuses what is not midnight.
        (Kind::Timestamp, TargetType::Date) => plan.data_type = DataType::Date32,
        (Kind::Bytes, TargetType::Text) => {
            plan.fetch = unbounded;
            plan.data_type = DataType::Utf8;
        }
        (Kind::Json, TargetType::Text | TargetType::Array | TargetType::Object) => {
            plan.fetch = document(&target).unwrap_or(unbounded);
        }
        (Kind::Array, TargetType::Text) => match &mut plan.fetch {
            Fetch::ArrayBits { form, .. } => *form = Form::Text,
            _ => {
                plan.expression = as_varchar(quoted);
                plan.fetch = unbounded;
            }
        },
        (Kind::Number, TargetType::Binary) if let Some(content) = p.large_object(quoted) => {
            plan.expression = content;
            plan.fetch = Fetch::LargeObject;
            plan.data_type = DataType::Binary;
            planned.conversion = Some(
                "the content of its large objects is moved as it is now: a later run that compares checksums or watermarks does not see that the content of the same object has changed"
                    .to_owned(),
            );
        }
        // What is the default type, has its warning.
        (Kind::Number, target) if *target != TargetType::parse(&planned.default_target) => {
            planned.conversion = Some(LARGE_OBJECTS.to_owned());
        }
        (Kind::Spatial, TargetType::Text) => plan.fetch = unbounded,
        (Kind::Characters, _) => characters(planned, column, quoted, &target),
        _ => {}
    }
}

/// The text of a value that has a type of its own in the default target.
fn written(p: &impl Expressions, column: &SourceColumn, quoted: &str) -> String {
    match column.type_name.as_str() {
        "date" => p.date(quoted),
        "timestamp" => p.timestamp(quoted),
        "timestamptz" => p.timestamptz(quoted),
        _ => as_varchar(quoted),
    }
}

/// Text is read as what the target holds.
fn characters(
    planned: &mut PlannedColumn,
    column: &SourceColumn,
    quoted: &str,
    target: &TargetType,
) {
    let plan = &mut planned.plan;
    let Fetch::Text { max_bytes } = plan.fetch else {
        return;
    };
    let utc = || Some("UTC".into());
    let (fetch, data_type) = match target {
        TargetType::Number { precision, scale } if scale <= precision => (
            Fetch::DecimalText { max_bytes },
            decimal(*precision, *scale),
        ),
        TargetType::Float => (Fetch::ParsedText { max_bytes }, DataType::Float64),
        TargetType::Boolean => (Fetch::ParsedText { max_bytes }, DataType::Boolean),
        TargetType::Date => (Fetch::ParsedText { max_bytes }, DataType::Date32),
        TargetType::Time(_) => (
            Fetch::ParsedText { max_bytes },
            DataType::Time64(TimeUnit::Microsecond),
        ),
        TargetType::TimestampNtz(_) => (
            Fetch::ParsedText { max_bytes },
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ),
        TargetType::TimestampTz(_) | TargetType::TimestampLtz(_) => (
            Fetch::ParsedText { max_bytes },
            DataType::Timestamp(TimeUnit::Microsecond, utc()),
        ),
        TargetType::Variant | TargetType::Array | TargetType::Object => {
            if let Some(fetch) = document(target) {
                plan.fetch = fetch;
            }
            planned.conversion = Some("its text is read as JSON".to_owned());
            return;
        }
        _ => return,
    };
    (plan.fetch, plan.data_type) = (fetch, data_type);
    if column.type_name == "bpchar" {
        // Without the padding, which is no part of a number or a date.
        plan.expression = as_varchar(quoted);
    }
    planned.conversion =
        Some("its text is read as values, which may be written in another way".to_owned());
}

/// How a JSON document goes into a semi-structured target.
fn document(target: &TargetType) -> Option<Fetch> {
    let root = match target {
        TargetType::Variant => Root::Any,
        TargetType::Array => Root::Array,
        TargetType::Object => Root::Object,
        _ => return None,
    };
    Some(Fetch::JsonText {
        max_bytes: None,
        root,
    })
}

fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0))
}
