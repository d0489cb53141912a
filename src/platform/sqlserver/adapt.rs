//! A column's way into a target of another type than the default: each value arrives as it is, or the worker refuses
//! it. What no way leads to, [`load_expression`](crate::target::TargetTable::load_expression) refuses.

use super::types::{MICROSECONDS, digits};
use crate::domain::table::SourceColumn;
use crate::types::json::Root;
use crate::types::odbc_value::TICK_DIGITS;
use crate::types::snowflake_type::TargetType;
use crate::types::{Fetch, PlannedColumn};
use arrow::datatypes::{DataType, TimeUnit};

/// Changes the way so that it leads into `target`, where there is one.
pub(super) fn adapt(planned: &mut PlannedColumn, column: &SourceColumn, target: &str) {
    let target = TargetType::parse(target);
    let plan = &mut planned.plan;
    if let Some(kept) = target.fraction_digits() {
        plan.fraction_digits = kept.min(TICK_DIGITS);
    }
    match (plan.fetch.clone(), &target) {
        (
            Fetch::NumericBytes | Fetch::MoneyBytes { .. },
            TargetType::Number { precision, scale },
        ) if scale <= precision => plan.data_type = decimal(*precision, *scale),
        (
            Fetch::NumericBytes
            | Fetch::MoneyBytes { .. }
            | Fetch::Double { .. }
            | Fetch::DateParts
            | Fetch::Bytes { .. },
            TargetType::Text,
        ) => plan.data_type = DataType::Utf8,
        (Fetch::TimestampParts { .. }, TargetType::Text) => {
            plan.fetch = Fetch::TimestampParts {
                digits: digits(column),
            };
            plan.data_type = DataType::Utf8;
        }
        (Fetch::TimeBytes { .. }, TargetType::Text) => plan.data_type = DataType::Utf8,
        (Fetch::OffsetBytes { .. }, TargetType::Text) => {
            plan.fetch = Fetch::OffsetBytes {
                digits: digits(column),
                in_utc: false,
            };
        }
        // The worker refuses what is not midnight.
        (Fetch::TimestampParts { .. }, TargetType::Date) => plan.data_type = DataType::Date32,
        (
            Fetch::TimestampParts { .. },
            TargetType::TimestampNtz(kept)
            | TargetType::TimestampTz(kept)
            | TargetType::TimestampLtz(kept),
        ) if *kept <= MICROSECONDS => {
            // A seventh digit is refused.
            plan.data_type = DataType::Timestamp(TimeUnit::Microsecond, None);
        }
        (Fetch::TimeBytes { .. }, TargetType::Time(kept)) if *kept <= MICROSECONDS => {
            plan.data_type = DataType::Time64(TimeUnit::Microsecond);
        }
        (Fetch::OffsetBytes { .. }, TargetType::TimestampNtz(_)) => {
            plan.fetch = Fetch::OffsetBytes {
                digits: TICK_DIGITS,
                in_utc: true,
            };
            planned.conversion = Some("its zone is dropped: values are kept in UTC".to_owned());
        }
        (Fetch::Text { max_bytes }, target) if is_characters(column) => {
            characters(planned, column, max_bytes, target);
        }
        _ => {}
    }
}

fn is_characters(column: &SourceColumn) -> bool {
    matches!(
        column.type_name.as_str(),
        "char" | "varchar" | "nchar" | "nvarchar" | "text" | "ntext"
    )
}

/// Text is read as what the target holds.
fn characters(
    planned: &mut PlannedColumn,
    column: &SourceColumn,
    max_bytes: Option<usize>,
    target: &TargetType,
) {
    let plan = &mut planned.plan;
    let parsed = Fetch::ParsedText { max_bytes };
    let timestamp = |zone: Option<&str>| {
        DataType::Timestamp(TimeUnit::Microsecond, zone.map(std::convert::Into::into))
    };
    let (fetch, data_type) = match target {
        TargetType::Number { precision, scale } if scale <= precision => (
            Fetch::DecimalText { max_bytes },
            decimal(*precision, *scale),
        ),
        TargetType::Float => (parsed, DataType::Float64),
        TargetType::Boolean => (parsed, DataType::Boolean),
        TargetType::Date => (parsed, DataType::Date32),
        TargetType::Time(_) => (parsed, DataType::Time64(TimeUnit::Microsecond)),
        TargetType::TimestampNtz(_) => (parsed, timestamp(None)),
        TargetType::TimestampTz(_) | TargetType::TimestampLtz(_) => {
            (parsed, timestamp(Some("UTC")))
        }
        TargetType::Variant | TargetType::Array | TargetType::Object => {
            let root = match target {
                TargetType::Array => Root::Array,
                TargetType::Object => Root::Object,
                _ => Root::Any,
            };
            plan.fetch = Fetch::JsonText { max_bytes, root };
            planned.conversion = Some("its text is read as JSON".to_owned());
            return;
        }
        _ => return,
    };
    (plan.fetch, plan.data_type) = (fetch, data_type);
    plan.fraction_digits = plan.fraction_digits.min(MICROSECONDS);
    if matches!(column.type_name.as_str(), "char" | "nchar") {
        // Without the padding, which is no part of a number or a date.
        plan.expression = format!("RTRIM({})", plan.expression);
    }
    planned.conversion =
        Some("its text is read as values, which may be written in another way".to_owned());
}

fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0))
}
