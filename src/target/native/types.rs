//! From the file into the target: the expressions of the COPY's SELECT, and the DDL of a target that does not exist.
//!
//! No expression may change a value silently. Snowflake's casts do: `'abcdef'::VARCHAR(3)` cuts, `1.5::NUMBER(10,0)`
//! rounds, `::TIME(0)` drops fractions (documentation of CAST and of the data types). So text is cast without a length,
//! and the target column refuses what is too long; numbers and times come in the file with no more digits than the
//! target has, because the worker has refused values with more.

use crate::domain::table::TableRef;
use crate::target::{LoadExpression, NewColumn};
use crate::types::json::Root;
use crate::types::snowflake_name::{quote, quote_table, quote_text};
use crate::types::snowflake_type::TargetType;
use crate::types::{ColumnContent, FileColumn};
use arrow::datatypes::DataType;

/// How a column of a file is loaded into a column of `target_type`. Its route must have planned it for that type.
///
/// # Errors
/// When its values could not be loaded as they are: why, for a message that names the column.
pub fn load_expression(column: &FileColumn, target_type: &str) -> Result<LoadExpression, String> {
    let file = format!("$1:{}", quote(&column.name));
    let mut warning = None;
    let mut zoneless = || warning = Some("it has no zone: values are taken as UTC".to_owned());
    let target = TargetType::parse(target_type);
    let expression = match (&target, &column.data_type) {
        (TargetType::Number { scale, .. }, DataType::Int32 | DataType::Int64) => {
            format!("{file}::NUMBER(38,{scale})")
        }
        (TargetType::Number { scale, .. }, DataType::Decimal128(_, file_scale))
            if i16::from(*file_scale) <= i16::from(*scale) =>
        {
            format!("{file}::NUMBER(38,{scale})")
        }
        (TargetType::Float, DataType::Float64 | DataType::Int32) => format!("{file}::FLOAT"),
        (TargetType::Float, DataType::Int64 | DataType::Decimal128(..)) => {
            warning = Some("exact numbers become the nearest FLOAT".to_owned());
            format!("{file}::FLOAT")
        }
        (
            TargetType::Text,
            DataType::Utf8 | DataType::Int32 | DataType::Int64 | DataType::Boolean,
        ) => {
            format!("{file}::VARCHAR")
        }
        (TargetType::Boolean, DataType::Boolean) => format!("{file}::BOOLEAN"),
        (TargetType::Binary, DataType::Binary) => format!("{file}::BINARY"),
        (TargetType::Date, DataType::Date32) => format!("{file}::DATE"),
        (TargetType::Time(_), DataType::Time64(_)) => format!("{file}::TIME(6)"),
        (TargetType::TimestampNtz(_), DataType::Timestamp(_, zone)) => {
            if zone.is_some() {
                warning = Some("its zone is dropped: values are kept in UTC".to_owned());
            }
            format!("{file}::TIMESTAMP_NTZ(6)")
        }
        (TargetType::TimestampNtz(_), DataType::Date32) => {
            format!("{file}::DATE::TIMESTAMP_NTZ(6)")
        }
        (TargetType::TimestampTz(_), DataType::Timestamp(_, Some(_))) => {
            format!("{file}::TIMESTAMP_TZ(6)")
        }
        (TargetType::TimestampLtz(_), DataType::Timestamp(_, Some(_))) => {
            format!("{file}::TIMESTAMP_LTZ(6)")
        }
        (TargetType::TimestampTz(_), DataType::Timestamp(_, None)) => {
            zoneless();
            format!("{file}::TIMESTAMP_NTZ(6)::TIMESTAMP_TZ(6)")
        }
        (TargetType::TimestampLtz(_), DataType::Timestamp(_, None)) => {
            zoneless();
            format!("{file}::TIMESTAMP_NTZ(6)::TIMESTAMP_LTZ(6)")
        }
        (TargetType::TimestampTz(_), DataType::Date32) => {
            zoneless();
            format!("{file}::DATE::TIMESTAMP_NTZ(6)::TIMESTAMP_TZ(6)")
        }
        (TargetType::TimestampLtz(_), DataType::Date32) => {
            zoneless();
            format!("{file}::DATE::TIMESTAMP_NTZ(6)::TIMESTAMP_LTZ(6)")
        }
        (TargetType::Variant, DataType::Int32 | DataType::Int64) => {
            format!("{file}::NUMBER(38,0)::VARIANT")
        }
        (TargetType::Variant, DataType::Decimal128(_, scale)) => {
            format!("{file}::NUMBER(38,{scale})::VARIANT")
        }
        (TargetType::Variant, DataType::Boolean) => format!("{file}::BOOLEAN::VARIANT"),
        (_, DataType::Utf8) if is_time(column.content) => {
            as_time(column.content, &target, &file, &mut warning)
                .ok_or_else(|| no_exact_form(target_type))?
        }
        (_, DataType::Utf8) => {
            as_document(column.content, &target, &file).ok_or_else(|| no_exact_form(target_type))?
        }
        _ => return Err(no_exact_form(target_type)),
    };
    Ok(LoadExpression {
        sql: expression,
        warning,
    })
}

fn is_time(content: ColumnContent) -> bool {
    matches!(
        content,
        ColumnContent::Time | ColumnContent::Timestamp | ColumnContent::TimestampWithOffset
    )
}

/// Times that the worker has written, of seven digits. By a format of our own: without one, the account's parameters decide
/// what text is a time (`TIMESTAMP_INPUT_FORMAT`; documentation: "Date and time input and output formats").
fn as_time(
    content: ColumnContent,
    target: &TargetType,
    file: &str,
    warning: &mut Option<String>,
) -> Option<String> {
    let zoneless = "it has no zone: values are taken as UTC";
    let timestamp = format!("TO_TIMESTAMP_NTZ({file}::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7')");
    let with_offset =
        |function| format!("{function}({file}::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM')");
    match (content, target) {
        (ColumnContent::Time, TargetType::Time(_)) => {
            Some(format!("TO_TIME({file}::VARCHAR, 'HH24:MI:SS.FF7')"))
        }
        (ColumnContent::Timestamp, TargetType::TimestampNtz(_)) => Some(timestamp),
        (ColumnContent::Timestamp, TargetType::TimestampTz(_)) => {
            *warning = Some(zoneless.to_owned());
            Some(format!("{timestamp}::TIMESTAMP_TZ(7)"))
        }
        (ColumnContent::Timestamp, TargetType::TimestampLtz(_)) => {
            *warning = Some(zoneless.to_owned());
            Some(format!("{timestamp}::TIMESTAMP_LTZ(7)"))
        }
        (ColumnContent::TimestampWithOffset, TargetType::TimestampTz(_)) => {
            Some(with_offset("TO_TIMESTAMP_TZ"))
        }
        (ColumnContent::TimestampWithOffset, TargetType::TimestampLtz(_)) => {
            *warning = Some("its offset is dropped: instants are kept".to_owned());
            Some(with_offset("TO_TIMESTAMP_LTZ"))
        }
        _ => None,
    }
}

/// Text that the worker has looked through: a JSON document, or a spatial value.
fn as_document(content: ColumnContent, target: &TargetType, file: &str) -> Option<String> {
    let parsed = format!("PARSE_JSON({file}::VARCHAR)");
    match (content, target) {
        (ColumnContent::Document(_), TargetType::Variant) => Some(parsed),
        (ColumnContent::Document(Root::Array), TargetType::Array) => {
            Some(format!("{parsed}::ARRAY"))
        }
        (ColumnContent::Document(Root::Object), TargetType::Object) => {
            Some(format!("{parsed}::OBJECT"))
        }
        (ColumnContent::Spatial, TargetType::Geometry) => {
            Some(format!("{file}::VARCHAR::GEOMETRY"))
        }
        (ColumnContent::Spatial, TargetType::Geography) => {
            Some(format!("{file}::VARCHAR::GEOGRAPHY"))
        }
        _ => None,
    }
}

fn no_exact_form(target_type: &str) -> String {
    format!("its values have no exact form in {target_type}")
}

/// The DDL of a target that does not exist, with what the source says of the table. Its text is compared exactly, whatever
/// the defaults of account, database and schema are: the source distinguishes values that a collation takes for one.
pub fn create_table_ddl(target: &TableRef, columns: &[NewColumn], comment: Option<&str>) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|column| {
            let comment = column.comment.as_deref();
            format!(
                "{} {}{}{}{}",
                quote(&column.name),
                column.target_type,
                if column.nullable { "" } else { " NOT NULL" },
                column
                    .default
                    .as_ref()
                    .map_or_else(String::new, |default| format!(" DEFAULT {default}")),
                comment.map_or_else(String::new, |text| format!(" COMMENT {}", quote_text(text)))
            )
        })
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({}) DEFAULT_DDL_COLLATION = ''{}",
        quote_table(target),
        list.join(", "),
        comment.map_or_else(String::new, |text| format!(
            " COMMENT = {}",
            quote_text(text)
        ))
    )
}

#[cfg(test)]
#[path = "types_tests.rs"]
mod tests;
