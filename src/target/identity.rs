//! Columns that number rows: they continue counting after the rows that were moved. Statement texts. Pure.
//!
//! Snowflake fixes where a generator begins when it is created; a column's default can only be led to another sequence
//! (documentation of ALTER TABLE … ALTER COLUMN, SET DEFAULT). That one is always new: a sequence that is replaced loses its
//! grants, and others who take numbers from it would get them again. The one before stays, because others may use it.

use crate::domain::table::TableRef;
use crate::snowflake::Answer;
use crate::types::snowflake_name::{exact_name, quote, quote_table};

/// The sequence of a column of a new table, quoted: it is next to the table.
pub fn sequence(table: &TableRef, column: &str) -> String {
    beside(table, &format!("{column}_IDENTITY_SEQ"))
}

/// The sequence that continues from `start`.
pub fn sequence_from(table: &TableRef, column: &str, start: i128) -> String {
    beside(table, &format!("{column}_IDENTITY_SEQ_{start}"))
}

fn beside(table: &TableRef, ending: &str) -> String {
    let name = format!("{}_{ending}", exact_name(&table.table));
    format!(
        "{}.{}.{}",
        quote(&exact_name(&table.database)),
        quote(&exact_name(&table.schema)),
        quote(&name)
    )
}

/// Creates a sequence.
pub fn create_sequence(sequence: &str, start: i128, increment: i64) -> String {
    format!("CREATE SEQUENCE IF NOT EXISTS {sequence} START = {start} INCREMENT = {increment}")
}

/// Removes one that nobody has used.
pub fn drop_sequence(sequence: &str) -> String {
    format!("DROP SEQUENCE IF EXISTS {sequence}")
}

/// The default of such a column.
pub fn next_value(sequence: &str) -> String {
    format!("{sequence}.NEXTVAL")
}

/// How far a generator, as DESCRIBE TABLE shows a column's default, goes at each step: `IDENTITY START 1 INCREMENT 1`,
/// `DB.SCHEMA.SEQUENCE.NEXTVAL`. `None`: the default is not a generator.
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

/// The sequence that a column's default, as DESCRIBE TABLE shows it, takes its values from, as it is written there. `None`:
/// the default is none of that kind; an identity column numbers its own rows.
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

/// Leads a column on to a sequence.
pub fn restart_identity_after(table: &TableRef, column: &str, sequence: &str) -> String {
    format!(
        "ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}",
        quote_table(table),
        quote(column),
        next_value(sequence)
    )
}

/// What shows who may use an object (`TABLE`, `SEQUENCE`; its name as SQL).
pub fn show_grants(kind: &str, object: &str) -> String {
    format!("SHOW GRANTS ON {kind} {object}")
}

/// The statements that let those who may add rows to a table take numbers from its new sequence: those who may by the grants of
/// the table, and of the sequence before.
pub fn grants(sequence: &str, table: &TableRef, shown: &[Answer]) -> Vec<String> {
    let mut statements = Vec::new();
    for answer in shown {
        for row in &answer.rows {
            let cell = |name: &str| answer.value(row, name).unwrap_or_default();
            let role = match cell("granted_to") {
                "ROLE" => format!("ROLE {}", quote(cell("grantee_name"))),
                "DATABASE_ROLE" => {
                    let name = cell("grantee_name");
                    // With or without its database.
                    let name = name.rsplit_once('.').map_or(name, |(_, role)| role);
                    let database = quote(&exact_name(&table.database));
                    format!("DATABASE ROLE {database}.{}", quote(name))
                }
                _ => continue,
            };
            let statement = format!("GRANT USAGE ON SEQUENCE {sequence} TO {role}");
            let takes_numbers = ["INSERT", "USAGE", "OWNERSHIP"].contains(&cell("privilege"));
            if takes_numbers && !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::WrittenName;

    #[test]
    fn whoever_adds_rows_may_use_the_new_sequence() {
        let name = |text: &str| WrittenName(text.to_owned());
        let table = TableRef {
            database: name("d"),
            schema: name("s"),
            table: name("t"),
        };
        let answer = |rows: &[[&str; 3]]| Answer {
            columns: ["privilege", "granted_to", "grantee_name"]
                .map(str::to_owned)
                .into(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect())
                .collect(),
        };
        let of_table = answer(&[
            ["OWNERSHIP", "ROLE", "OWNER"],
            ["INSERT", "ROLE", "app"],
            ["SELECT", "ROLE", "READER"],
            ["INSERT", "SHARE", "X"],
        ]);
        let of_sequence = answer(&[["USAGE", "ROLE", "app"], ["USAGE", "DATABASE_ROLE", "D.R"]]);
        assert_eq!(
            grants("S", &table, &[of_table, of_sequence]),
            [
                "GRANT USAGE ON SEQUENCE S TO ROLE \"OWNER\"",
                "GRANT USAGE ON SEQUENCE S TO ROLE \"app\"",
                "GRANT USAGE ON SEQUENCE S TO DATABASE ROLE \"D\".\"R\"",
            ]
        );
    }

    #[test]
    fn generators_are_told_from_other_defaults() {
        assert_eq!(increment("IDENTITY START 1 INCREMENT 5 ORDER"), Some(5));
        assert_eq!(
            increment("\"D\".\"S\".\"T_ID_IDENTITY_SEQ\".NEXTVAL"),
            Some(1)
        );
        assert_eq!(increment("CURRENT_TIMESTAMP()"), None);
        assert_eq!(increment("'NEXT'"), None);
        assert_eq!(
            sequence_of("DB1.PUBLIC.SEQ1.NEXTVAL"),
            Some("DB1.PUBLIC.SEQ1")
        );
        assert_eq!(sequence_of("IDENTITY START 1 INCREMENT 1 NOORDER"), None);
        assert_eq!(sequence_of("'…NEXT'"), None);
    }
}
