//! Columns that number rows: they go on counting behind the rows that were moved. Statement texts. Pure.
//!
//! Snowflake fixes where a generator begins when it is created; a column's default can only be led to another sequence
//! (documentation of ALTER TABLE … ALTER COLUMN, SET DEFAULT).

use crate::domain::table::TableRef;
use crate::types::snowflake_name::{exact_name, quote, quote_table};

/// The sequence of a column, quoted: it stands next to the table.
pub fn sequence(table: &TableRef, column: &str) -> String {
    let name = format!("{}_{column}_IDENTITY_SEQ", exact_name(&table.table));
    format!(
        "{}.{}.{}",
        quote(&exact_name(&table.database)),
        quote(&exact_name(&table.schema)),
        quote(&name)
    )
}

/// Creates a sequence for a column of a new table.
pub fn create_sequence(sequence: &str) -> String {
    format!("CREATE SEQUENCE IF NOT EXISTS {sequence} START = 1 INCREMENT = 1")
}

/// The default of such a column.
pub fn next_value(sequence: &str) -> String {
    format!("{sequence}.NEXTVAL")
}

/// How far a generator, as DESCRIBE TABLE tells a column's default, goes at each step: `IDENTITY START 1 INCREMENT 1`,
/// `DB.SCHEMA.SEQUENCE.NEXTVAL`. `None`: the default is no generator.
pub fn increment(default: &str) -> Option<i64> {
    let text = default.to_uppercase();
    if text.starts_with("IDENTITY") {
        let mut words = text.split_whitespace();
        words.find(|word| *word == "INCREMENT")?;
        return words.next()?.parse().ok();
    }
    text.trim_end_matches(['"', ')'])
        .ends_with("NEXTVAL")
        .then_some(1)
}

/// The sequence that a column's default, as DESCRIBE TABLE tells it, takes its values from, as it is written there. `None`:
/// the default is none of that kind; an identity column numbers its rows by itself.
pub fn sequence_of(default: &str) -> Option<&str> {
    let end = default.len().checked_sub(".NEXTVAL".len())?;
    let (name, rest) = (default.get(..end)?, default.get(end..)?);
    (rest.eq_ignore_ascii_case(".NEXTVAL") && !name.is_empty()).then_some(name)
}

/// The largest value of a column.
pub fn largest(table: &TableRef, column: &str) -> String {
    format!(
        "SELECT MAX({})::VARCHAR FROM {}",
        quote(column),
        quote_table(table)
    )
}

/// Leads a column on from `start`, which has not been given out.
pub fn lead_on(table: &TableRef, column: &str, start: i128, increment: i64) -> [String; 2] {
    let sequence = sequence(table, column);
    [
        format!("CREATE OR REPLACE SEQUENCE {sequence} START = {start} INCREMENT = {increment}"),
        format!(
            "ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}",
            quote_table(table),
            quote(column),
            next_value(&sequence)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_told_from_other_defaults() {
        assert_eq!(increment("IDENTITY START 1 INCREMENT 5 ORDER"), Some(5));
        assert_eq!(
            increment("\"D\".\"S\".\"T_ID_IDENTITY_SEQ\".NEXTVAL"),
            Some(1)
        );
        assert_eq!(increment("CURRENT_TIMESTAMP()"), None);
        assert_eq!(increment("'NEXT'"), None);
        assert_eq!(sequence_of("DB1.PUBLIC.SEQ1.NEXTVAL"), Some("DB1.PUBLIC.SEQ1"));
        assert_eq!(sequence_of("IDENTITY START 1 INCREMENT 1 NOORDER"), None);
        assert_eq!(sequence_of("'…NEXT'"), None);
    }
}
