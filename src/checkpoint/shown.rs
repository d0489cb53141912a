//! The answers of SHOW commands, by the names of their columns.

use crate::snowflake::{SnowflakeClient, SnowflakeError};

/// The first columns of what each command answers (documentation: the command's page, "Output").
const ANSWERS: [(&str, &[&str]); 4] = [
    (
        "SHOW OBJECTS",
        &[
            "created_on",
            "name",
            "database_name",
            "schema_name",
            "kind",
            "comment",
        ],
    ),
    (
        "SHOW TABLES",
        &[
            "created_on",
            "name",
            "database_name",
            "schema_name",
            "kind",
            "comment",
        ],
    ),
    (
        "SHOW STAGES",
        &[
            "created_on",
            "name",
            "database_name",
            "schema_name",
            "url",
            "has_credentials",
            "has_encryption_key",
            "owner",
            "comment",
            "region",
            "type",
        ],
    ),
    (
        "SHOW COLUMNS",
        &["table_name", "schema_name", "column_name"],
    ),
];

/// Runs a SHOW command, which needs no warehouse, and answers these of its columns; NULL and what is not there are empty.
///
/// # Errors
/// When Snowflake cannot be asked, or refuses.
pub async fn shown(
    client: &SnowflakeClient,
    sql: &str,
    columns: &[&str],
) -> Result<Vec<Vec<String>>, SnowflakeError> {
    let rows = client.query(sql).await?;
    let names = ANSWERS
        .iter()
        .find(|(command, _)| sql.starts_with(command))
        .map_or(&[][..], |(_, names)| names);
    let places: Vec<Option<usize>> = columns
        .iter()
        .map(|column| names.iter().position(|name| name == column))
        .collect();
    let pick = |row: Vec<Option<String>>| {
        places
            .iter()
            .map(|place| {
                place
                    .and_then(|place| row.get(place).cloned().flatten())
                    .unwrap_or_default()
            })
            .collect()
    };
    Ok(rows.into_iter().map(pick).collect())
}
