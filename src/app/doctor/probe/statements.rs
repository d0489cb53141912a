//! P10: every statement that snowhaul sends is compiled, on metadata and targets that were just made.
//!
//! `statements.sql` holds one statement a line, one of each kind that runs of every strategy and all commands have sent to a
//! local Snowflake; a test keeps it complete. `{m}` stands for the metadata's schema, `{t}` for a target's. What makes or
//! tells of an object is run, in its order; queries and DML are compiled by EXPLAIN, which runs nothing.

use super::bench::Bench;
use super::{Answer, Outcome};
use crate::checkpoint::HybridCheckpoint;
use crate::snowflake::SnowflakeClient;
use crate::types::metadata_location::MetadataLocation;
use std::time::Instant;

const STATEMENTS: &str = include_str!("statements.sql");

/// What EXPLAIN compiles.
const COMPILED: [&str; 6] = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE"];

/// The statement as it is sent here.
fn as_sent(line: &str, schema: &str) -> String {
    // A value that is bound has no value here.
    let sql = line.replace("{m}", schema).replace("{t}", schema);
    let word = sql.split_whitespace().next().unwrap_or_default();
    // EXPLAIN refuses what is about INFORMATION_SCHEMA (its documentation).
    if COMPILED.contains(&word) && !sql.contains("INFORMATION_SCHEMA") {
        format!("EXPLAIN {}", unbound(&sql))
    } else {
        sql
    }
}

/// NULL for each bound value.
fn unbound(sql: &str) -> String {
    let (mut out, mut in_text) = (String::with_capacity(sql.len()), false);
    for c in sql.chars() {
        in_text ^= c == '\'';
        match c {
            '?' if !in_text => out.push_str("NULL"),
            c => out.push(c),
        }
    }
    out
}

pub(super) async fn compile(bench: &Bench) -> Answer {
    let location = MetadataLocation {
        database: bench.database.clone(),
        schema: bench.schema.clone(),
    };
    let client = SnowflakeClient::new(bench.connection.clone(), "doctor");
    let began = Instant::now();
    let created = HybridCheckpoint::new(client, location).bootstrap().await;
    let text = "(all statements that create the metadata)";
    bench.ledger.note("metadata", text, began, Ok(0));
    if let Err(error) = created {
        return Ok(Outcome::Differs(format!(
            "the metadata cannot be created: {error}"
        )));
    }
    let (a, s) = (bench.session("a"), bench.s());
    let (mut count, mut refused) = (0, Vec::new());
    for line in STATEMENTS.lines().filter(|line| !line.trim().is_empty()) {
        count += 1;
        if let Err(error) = a.ask(&as_sent(line, &s)).await {
            let head: String = line.chars().take(60).collect();
            refused.push(format!("`{head}…`: {}", error.message));
        }
    }
    let identity = identity(bench).await;
    refused.extend(identity);
    Ok(if refused.is_empty() {
        Outcome::Holds(format!("{count} statements"))
    } else {
        Outcome::Differs(format!(
            "{} of {count} are refused: {}",
            refused.len(),
            refused.join("; ")
        ))
    })
}

/// A column of IDENTITY continues from a sequence, which only a table can show.
async fn identity(bench: &Bench) -> Option<String> {
    let (a, s) = (bench.session("a"), bench.s());
    let statements = [
        format!("CREATE TABLE {s}.NUMBERED (ID NUMBER(38,0) AUTOINCREMENT, V VARCHAR)"),
        format!("CREATE SEQUENCE {s}.NUMBERED_NEXT START = 100 INCREMENT = 1"),
        format!("ALTER TABLE {s}.NUMBERED ALTER COLUMN ID SET DEFAULT {s}.NUMBERED_NEXT.NEXTVAL"),
    ];
    let error = a.all(&statements).await.err()?;
    Some(format!(
        "an identity column cannot continue from a sequence: {}",
        error.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_explained_and_objects_made() {
        assert_eq!(
            as_sent(
                "UPDATE {m}.T SET A = ?, B = 'a ?' WHERE C IN (SELECT 1)",
                "S"
            ),
            "EXPLAIN UPDATE S.T SET A = NULL, B = 'a ?' WHERE C IN (SELECT 1)"
        );
        let create = "CREATE TABLE IF NOT EXISTS S.X (A NUMBER)";
        assert_eq!(as_sent(create, "S"), create);
        let catalog = "SELECT 1 FROM D.INFORMATION_SCHEMA.TABLES";
        assert_eq!(as_sent(catalog, "S"), catalog);
    }

    #[test]
    fn the_list_is_of_all_kinds() {
        for word in COMPILED.iter().filter(|word| **word != "WITH") {
            assert!(
                STATEMENTS.lines().any(|line| line.starts_with(word)),
                "no {word}"
            );
        }
    }
}
