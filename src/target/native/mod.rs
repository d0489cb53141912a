//! Tables in Snowflake's own format.

mod types;

use super::{LoadExpression, NewColumn, TargetTable};
use crate::domain::table::TableRef;
use crate::types::FileColumn;
use crate::types::snowflake_name::quote_table;
use crate::types::snowflake_type::{largest, without_length};

/// The kind.
pub struct Native;

impl TargetTable for Native {
    fn create_privilege(&self) -> &'static str {
        "CREATE TABLE"
    }

    fn probe(&self, table: &str) -> String {
        format!("CREATE TRANSIENT TABLE {table} (ID NUMBER(10,0))")
    }

    fn created_type<'a>(&self, planned: &'a str) -> &'a str {
        // A declared length never refuses a value of the source: it counts characters here, and characters or bytes there.
        largest(planned)
    }

    fn smaller_type<'a>(&self, created: &'a str) -> Option<&'a str> {
        without_length(created)
    }

    fn create(&self, table: &TableRef, columns: &[NewColumn], comment: Option<&str>) -> String {
        types::create_table_ddl(table, columns, comment)
    }

    fn create_like(&self, copy: &TableRef, table: &TableRef) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} LIKE {}",
            quote_table(copy),
            quote_table(table)
        )
    }

    fn describe(&self, table: &TableRef) -> String {
        format!("DESCRIBE TABLE {}", quote_table(table))
    }

    fn load_expression(
        &self,
        column: &FileColumn,
        target_type: &str,
    ) -> Result<LoadExpression, String> {
        types::load_expression(column, target_type)
    }
}
