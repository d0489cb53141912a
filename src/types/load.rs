//! From the file into the target: the expressions of the COPY's SELECT, and the DDL of a target that does not exist.
//!
//! No expression may change a value silently. Snowflake's casts do: `'abcdef'::VARCHAR(3)` cuts, `1.5::NUMBER(10,0)`
//! rounds, `::TIME(0)` drops fractions (documentation of CAST and of the data types). So text is cast without a length,
//! and the target column refuses what is too long; numbers and times come in the file with no more digits than the
//! target has, because the worker has refused values with more.

use super::ColumnPlan;
use super::snowflake_name::{quote, quote_table};
use super::snowflake_type::TargetType;
use crate::domain::table::TableRef;
use arrow::datatypes::DataType;

/// How a column of the file becomes a column of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadColumn {
    /// The expression over the file, e.g. `$1:"c0"::NUMBER(38,2)`.
    pub expression: String,
    /// What users should know of: values that mean the same but are not the same.
    pub warning: Option<String>,
}

/// How `plan` is loaded into a column of `target_type`. The plan must have been made for that type.
///
/// # Errors
/// When its values could not be loaded as they are: why, for a message that names the column.
pub fn load_column(plan: &ColumnPlan, target_type: &str) -> Result<LoadColumn, String> {
    let file = format!("$1:{}", quote(&plan.file_name));
    let mut warning = None;
    let expression = match (TargetType::parse(target_type), &plan.data_type) {
        (TargetType::Number { scale, .. }, DataType::Int32 | DataType::Int64) => {
            format!("{file}::NUMBER(38,{scale})")
        }
        (TargetType::Number { scale, .. }, DataType::Decimal128(_, file_scale))
            if i16::from(*file_scale) <= i16::from(scale) =>
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
            warning = Some("it has no zone: values are taken as UTC".to_owned());
            format!("{file}::TIMESTAMP_NTZ(6)::TIMESTAMP_TZ(6)")
        }
        (TargetType::TimestampLtz(_), DataType::Timestamp(_, None)) => {
            warning = Some("it has no zone: values are taken as UTC".to_owned());
            format!("{file}::TIMESTAMP_NTZ(6)::TIMESTAMP_LTZ(6)")
        }
        (TargetType::Variant, DataType::Utf8) => format!("PARSE_JSON({file}::VARCHAR)"),
        _ => return Err(format!("its values have no exact form in {target_type}")),
    };
    Ok(LoadColumn {
        expression,
        warning,
    })
}

/// A column of a target to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColumn {
    /// Exact name.
    pub name: String,
    /// Full type.
    pub target_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

/// The DDL of a target that does not exist.
pub fn create_table_ddl(target: &TableRef, columns: &[NewColumn]) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|column| {
            format!(
                "{} {}{}",
                quote(&column.name),
                column.target_type,
                if column.nullable { "" } else { " NOT NULL" }
            )
        })
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({})",
        quote_table(target),
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::SourceColumn;
    use crate::types::PlannedColumn;
    use crate::types::postgres_family::plan_column;

    fn source(type_name: &str, precision: Option<u32>, scale: Option<i32>) -> SourceColumn {
        SourceColumn {
            name: "x".into(),
            type_name: type_name.into(),
            length_or_precision: precision,
            scale,
            nullable: true,
            ..SourceColumn::default()
        }
    }

    fn expression(source: &SourceColumn, target: &str) -> Result<String, String> {
        let PlannedColumn { plan, .. } = plan_column(source, "\"x\"", 0, Some(target));
        load_column(&plan, target).map(|loaded| loaded.expression)
    }

    #[test]
    fn numbers_come_with_the_digits_of_the_target() {
        let column = source("numeric", Some(10), Some(2));
        assert_eq!(
            expression(&column, "NUMBER(12,4)").as_deref(),
            Ok("$1:\"c0\"::NUMBER(38,4)")
        );
        let narrow = plan_column(&column, "\"x\"", 0, Some("NUMBER(10,0)")).plan;
        assert_eq!(narrow.data_type, DataType::Decimal128(10, 0));
    }

    #[test]
    fn text_is_cast_without_a_length_so_that_the_target_refuses_what_is_too_long() {
        assert_eq!(
            expression(&source("varchar", Some(10), None), "VARCHAR(3)").as_deref(),
            Ok("$1:\"c0\"::VARCHAR")
        );
    }

    #[test]
    fn what_cannot_be_exact_is_refused() {
        for (from, to) in [
            ("varchar", "NUMBER(10,0)"),
            ("timestamp", "DATE"),
            ("float8", "NUMBER(38,10)"),
            ("bool", "NUMBER(1,0)"),
            ("bytea", "VARIANT"),
            ("int4", "GEOGRAPHY"),
        ] {
            assert!(
                expression(&source(from, None, None), to).is_err(),
                "{from} into {to}"
            );
        }
    }

    #[test]
    fn whatever_has_a_text_form_goes_into_text() {
        for name in [
            "int8",
            "numeric",
            "float4",
            "float8",
            "date",
            "timestamp",
            "timestamptz",
            "time",
            "bytea",
            "bool",
            "uuid",
            "super",
        ] {
            assert_eq!(
                expression(&source(name, None, None), "VARCHAR").as_deref(),
                Ok("$1:\"c0\"::VARCHAR"),
                "{name}"
            );
        }
    }

    #[test]
    fn every_default_target_can_be_loaded() {
        for name in [
            "int2",
            "int4",
            "int8",
            "oid",
            "bool",
            "numeric",
            "float4",
            "float8",
            "date",
            "timestamp",
            "timestamptz",
            "time",
            "timetz",
            "interval",
            "bpchar",
            "varchar",
            "text",
            "bytea",
            "varbyte",
            "json",
            "super",
            "uuid",
            "inet",
        ] {
            let column = source(name, None, None);
            let default = plan_column(&column, "\"x\"", 0, None).default_target;
            assert!(
                expression(&column, &default).is_ok(),
                "{name} into {default}"
            );
        }
    }
}
