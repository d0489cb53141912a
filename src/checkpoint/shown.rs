//! The answers of SHOW commands, by the names of their columns.

use crate::snowflake::{SnowflakeClient, SnowflakeError};

/// Runs a SHOW command, which needs no warehouse, and answers these of its columns; NULL and what is not there are empty.
///
/// # Errors
/// When Snowflake cannot be asked, or refuses.
pub async fn shown(
    client: &SnowflakeClient,
    sql: &str,
    columns: &[&str],
) -> Result<Vec<Vec<String>>, SnowflakeError> {
    let answer = client.query_named(sql).await?;
    let places: Vec<Option<usize>> = columns.iter().map(|name| answer.position(name)).collect();
    let pick = |row: &Vec<Option<String>>| {
        let cell = |place: &Option<usize>| row.get((*place)?).cloned().flatten();
        places
            .iter()
            .map(|place| cell(place).unwrap_or_default())
            .collect()
    };
    Ok(answer.rows.iter().map(pick).collect())
}
