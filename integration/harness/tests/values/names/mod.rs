//! Names are data: whatever stands in one, it is that object's, on both sides.

mod fuzzed;
mod mapped;
mod odd;
mod ours;

use snowhaul_integration::Sql;

/// Quoted as PostgreSQL, Snowflake and the workflow's file have it.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn columns_of(sql: &Sql, table: &str) -> Vec<String> {
    let rows = sql.rows(&format!("DESCRIBE TABLE {table}"));
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}
