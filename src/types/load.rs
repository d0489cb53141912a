//! From the file into the target: the expressions of the COPY's SELECT, and the DDL of a target that does not exist.
//!
//! No expression may change a value silently. Snowflake's casts do: `'abcdef'::VARCHAR(3)` cuts, `1.5::NUMBER(10,0)`
//! rounds, `::TIME(0)` drops fractions (documentation of CAST and of the data types). So text is cast without a length,
//! and the target column refuses what is too long; a target with fewer digits of a fraction is refused up front.

use super::snowflake_name::{quote, quote_table};
use super::{ColumnPlan, Fetch};
use crate::domain::table::TableRef;
use arrow::datatypes::DataType;

/// The expression that loads `plan` into a column of `target_type`, e.g. `$1:"c0"::NUMBER(38,2)`.
///
/// # Errors
/// When values could be changed: why, for a message that names the column.
pub fn load_expression(plan: &ColumnPlan, target_type: &str) -> Result<String, String> {
    let (base, arguments) = parse_type(target_type);
    let file = format!("$1:{}", quote(&plan.file_name));
    let digits = arguments.last().copied();
    Ok(match base.as_str() {
        "NUMBER" | "DECIMAL" | "NUMERIC" | "INT" | "INTEGER" | "BIGINT" | "SMALLINT"
        | "TINYINT" => {
            let target_scale = arguments.get(1).copied().unwrap_or(0);
            let source_scale = match plan.data_type {
                DataType::Decimal128(_, scale) => u32::try_from(scale).unwrap_or(0),
                DataType::Int64 => 0,
                DataType::Utf8 => return Ok(format!("{file}::VARCHAR::NUMBER(38,{target_scale})")),
                _ => return Err(format!("its values cannot be loaded into {target_type}")),
            };
            if source_scale > target_scale {
                return Err(format!(
                    "it has {source_scale} digits after the point and {target_type} has {target_scale}: digits would be lost"
                ));
            }
            format!("{file}::NUMBER(38,{target_scale})")
        }
        "FLOAT" | "DOUBLE" | "REAL" | "DOUBLE PRECISION" | "FLOAT4" | "FLOAT8" => {
            format!("{file}::FLOAT")
        }
        "VARCHAR" | "TEXT" | "STRING" | "CHAR" | "CHARACTER" => format!("{file}::VARCHAR"),
        "BOOLEAN" => format!("{file}::BOOLEAN"),
        "BINARY" | "VARBINARY" if plan.data_type == DataType::Binary => format!("{file}::BINARY"),
        "DATE" if plan.fetch == Fetch::EpochDays => format!("{file}::DATE"),
        "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_TZ" | "TIMESTAMP_LTZ" | "DATETIME" | "TIMESTAMP"
            if digits.is_some_and(|n| n < 6) =>
        {
            return Err(format!(
                "it has microseconds and {target_type} has {} digits of a second: digits would be lost",
                digits.unwrap_or(0)
            ));
        }
        "TIME" if plan.fetch == Fetch::MicrosOfDay => format!("{file}::TIME(6)"),
        "TIMESTAMP_NTZ" | "DATETIME" | "TIMESTAMP" if plan.fetch == Fetch::EpochMicros => {
            format!("{file}::TIMESTAMP_NTZ(6)")
        }
        "TIMESTAMP_TZ" if plan.fetch == Fetch::EpochMicros => format!("{file}::TIMESTAMP_TZ(6)"),
        "TIMESTAMP_LTZ" if plan.fetch == Fetch::EpochMicros => format!("{file}::TIMESTAMP_LTZ(6)"),
        "VARIANT" => format!("PARSE_JSON({file}::VARCHAR)"),
        _ => return Err(format!("its values cannot be loaded into {target_type}")),
    })
}

/// `NUMBER(10,2)` → (`NUMBER`, [10, 2]).
fn parse_type(text: &str) -> (String, Vec<u32>) {
    let (base, rest) = text.split_once('(').unwrap_or((text, ""));
    let arguments = rest
        .trim_end_matches([')', ' '])
        .split(',')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    (base.trim().to_uppercase(), arguments)
}

/// The DDL of a target that does not exist.
pub fn create_table_ddl(target: &TableRef, columns: &[(String, String, bool)]) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|(name, target_type, nullable)| {
            format!(
                "{} {target_type}{}",
                quote(name),
                if *nullable { "" } else { " NOT NULL" }
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
    use crate::types::postgres_family::plan_column;

    fn plan(type_name: &str, precision: Option<u32>, scale: Option<i32>) -> ColumnPlan {
        let column = SourceColumn {
            name: "x".into(),
            type_name: type_name.into(),
            length_or_precision: precision,
            scale,
            nullable: true,
        };
        plan_column(&column, "\"x\"", 0).0
    }

    #[test]
    fn digits_are_never_lost() {
        assert!(load_expression(&plan("numeric", Some(10), Some(2)), "NUMBER(10,0)").is_err());
        assert!(load_expression(&plan("timestamp", None, None), "TIMESTAMP_NTZ(3)").is_err());
        assert_eq!(
            load_expression(&plan("numeric", Some(10), Some(2)), "NUMBER(12,4)").as_deref(),
            Ok("$1:\"c0\"::NUMBER(38,4)")
        );
    }

    #[test]
    fn text_is_cast_without_a_length_so_that_the_target_refuses_what_is_too_long() {
        assert_eq!(
            load_expression(&plan("varchar", Some(10), None), "VARCHAR(3)").as_deref(),
            Ok("$1:\"c0\"::VARCHAR")
        );
    }

    #[test]
    fn every_default_target_can_be_loaded() {
        for name in [
            "int2",
            "int4",
            "int8",
            "bool",
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
            "json",
            "uuid",
            "inet",
        ] {
            let column = SourceColumn {
                name: "x".into(),
                type_name: name.into(),
                length_or_precision: None,
                scale: None,
                nullable: true,
            };
            let (plan, target, _) = plan_column(&column, "\"x\"", 0);
            assert!(
                load_expression(&plan, &target).is_ok(),
                "{name} into {target}"
            );
        }
    }
}
