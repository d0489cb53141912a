//! The probe's list of statements is complete: whatever runs of every strategy and all commands send is on it.
//!
//! `SNOWHAUL_WRITE_STATEMENTS=1` adds what is missing, after a statement has changed. What the list has and nothing sends any
//! more is taken out by hand: the probe of the local Snowflake says what no longer compiles.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul_integration::{Ended, LocalSnowflake, eventually};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Kinds of statements that the probe sends; others are about files, sessions and transactions, which other probes are for,
/// or create the metadata, which it does itself.
const KINDS: [&str; 12] = [
    "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "COMMENT",
    "DESCRIBE", "SHOW", "DROP",
];

fn list() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../src/app/doctor/probe/statements.sql")
}

fn ended(site: &Site<'_>, words: &[&str], codes: &[i32]) -> Ended {
    let ended = site.command(words).run(DEADLINE);
    let said = format!("{words:?}: {}{}", ended.stdout, ended.stderr);
    assert!(
        ended.code().is_some_and(|code| codes.contains(&code)),
        "{said}"
    );
    ended
}

fn synchronized(name: &str, keys: Value) -> Value {
    let mut entry = table(name);
    entry["columnNamesToPartitionBy"] = json!(["id"]);
    entry["partitionSize"] = json!({"maxRowsPerPartition": 20});
    entry["primaryKeyColumns"] = json!(["id"]);
    entry["continueIdentityColumns"] = json!(true);
    for (key, value) in keys.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

/// Everything that snowhaul can be asked for, once.
fn live(site: &Site<'_>) {
    let source = site.source.sql();
    for name in ["f", "c", "w", "k"] {
        source.run(&format!(
            "CREATE TABLE {name} (id bigint PRIMARY KEY, v varchar(40), at timestamp NOT NULL)"
        ));
        source.run(&format!("INSERT INTO {name} SELECT n, 'name ' || n, TIMESTAMP '2024-01-01' + n * INTERVAL '1 minute' FROM generate_series(1, 50) n"));
        source.run(&format!("COMMENT ON COLUMN {name}.v IS 'a comment'"));
    }
    source.run("CREATE TABLE bad AS SELECT 1 AS id, 'too long' AS v");
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.target));
    sql.run(&format!(
        "CREATE TABLE {}.PUBLIC.BAD (ID NUMBER(10,0), V VARCHAR(3))",
        site.target
    ));
    let watermark = |deletions: bool| json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": deletions}});
    let workflow = site.workflow_with(json!({"cleanUpTransientResources": "always", "tables": [
        synchronized("f", json!({"synchronization": {"strategy": "full-replace"}})),
        synchronized("c", json!({"synchronization": {"strategy": "checksum"}})),
        synchronized("w", watermark(true)),
        synchronized("k", watermark(false)),
        table("bad"),
    ]}));
    let metadata = site.metadata();
    assert_eq!(site.run(&workflow, "first").code(), Some(1));
    metadata.set_limit("%", 3);
    for name in ["f", "c", "w", "k"] {
        source.run(&format!("DELETE FROM {name} WHERE id = 5"));
        source.run(&format!("INSERT INTO {name} SELECT n, 'new', TIMESTAMP '2025-01-01' + n * INTERVAL '1 minute' FROM generate_series(51, 60) n"));
        source.run(&format!(
            "UPDATE {name} SET at = TIMESTAMP '2026-01-01' WHERE id = 7"
        ));
    }
    assert_eq!(site.run(&workflow, "second").code(), Some(1));
    let (worker, bad) = (
        site.worker(),
        site.workflow(&json!([table("bad"), table("f")])),
    );
    ended(
        site,
        &["workflow", "retry", "second", "--table", "bad"],
        &[0],
    );
    assert_eq!(site.run(&workflow, "second").code(), Some(1));
    site.create(&bad, "third");
    for words in [
        &["workflow", "pause", "third"][..],
        &["workflow", "resume", "third"],
        &["workflow", "pause", "third", "--table", "bad"],
        &["workflow", "resume", "third", "--table", "bad"],
        &["workflow", "cancel", "third", "--table", "f"],
        &["workflow", "list"],
        &["workflow", "status", "first", "--errors"],
        &["worker", "list"],
        &["workflow", "cancel", "third"],
    ] {
        ended(site, words, &[0]);
    }
    // Daemons, which carry out what was asked.
    let orchestrator = site.command(&["orchestrator"]).start();
    let process = site.command(&["worker", "-c", text(&worker)]).start();
    let wait_for = |status: &str| {
        eventually(status, DEADLINE, || {
            metadata.status("third").as_deref() == Some(status)
        });
    };
    wait_for("CANCELLED");
    ended(site, &["workflow", "retry", "third"], &[0]);
    wait_for("COMPLETED");
    assert_eq!(process.terminate(DEADLINE).code(), Some(0));
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    let dry =
        site.workflow_with(json!({"preflight": true, "tables": [synchronized("k", json!({}))]}));
    assert_eq!(site.run(&dry, "dry").code(), Some(0));
}

/// What was sent, as the list has it: one statement of each shape, in the order of their first.
fn sent(site: &Site<'_>) -> Vec<(String, String)> {
    let names = [
        (format!("\"{}\".\"DATA_MIGRATION\"", site.metadata), "{m}"),
        (format!("\"{}\".\"PUBLIC\"", site.target), "{t}"),
        (site.target.clone(), "TARGET"),
        (site.metadata.clone(), "META"),
        (site.source.name().to_owned(), "source"),
    ];
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for entry in site.snowflake.statements() {
        let is_ours = entry["tag"]
            .as_str()
            .is_some_and(|tag| tag.contains("snowhaul"));
        let sql = entry["sql"].as_str().unwrap_or_default();
        let word = sql.split_whitespace().next().unwrap_or_default();
        // What the server refused says nothing of the statement but that it was refused.
        if !is_ours || entry["result"] != "ok" || !KINDS.contains(&word) {
            continue;
        }
        let placed = names
            .iter()
            .fold(sql.replace('\n', " "), |sql, (name, word)| {
                sql.replace(name, word)
            });
        let makes_metadata = word == "CREATE" && !placed.contains("{t}")
            || word == "ALTER" && placed.contains("{m}");
        // Of the session, and of what is in no schema that the probe has.
        let elsewhere = !placed.contains("{m}") && !placed.contains("{t}")
            || placed.contains("\"TARGET\".")
            || placed.contains("\"META\".");
        if makes_metadata || elsewhere || word == "DROP" {
            continue;
        }
        let shape = shape(&placed);
        if known.insert(shape.clone()) {
            found.push((shape, placed));
        }
    }
    found
}

/// The statement without its values, and lists of several as of one.
fn shape(sql: &str) -> String {
    let mut shape = String::new();
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                while let Some(next) = rest.next() {
                    if next == '\\' || next == '\'' && rest.peek() == Some(&'\'') {
                        rest.next();
                    } else if next == '\'' {
                        break;
                    }
                }
                shape.push('?');
            }
            c if c.is_ascii_digit()
                && !shape.ends_with(|before: char| before.is_alphanumeric() || before == '_') =>
            {
                while rest
                    .peek()
                    .is_some_and(|next| next.is_ascii_digit() || *next == '.')
                {
                    rest.next();
                }
                shape.push('?');
            }
            c => shape.push(c),
        }
    }
    let shape = shape.replace("NULL", "?").replace("-?", "?");
    let mut shape: String = shape.split_whitespace().collect::<Vec<_>>().join(" ");
    // Asked of every target alike, also of those that snowhaul has not created.
    if shape.starts_with("DESCRIBE TABLE {t}") {
        return "DESCRIBE TABLE {t}".to_owned();
    }
    // Of how many ranges, and of which kinds, is chance.
    if shape.starts_with("DELETE FROM {t}") && !shape.contains("SELECT") {
        shape.truncate(shape.find(" WHERE ").unwrap_or(shape.len()));
    }
    // Longest first: lists of rows, then lists of values, then of conditions on one row each.
    loop {
        let shorter = shape
            .replace("?, ?", "?")
            .replace("(?), (?)", "(?)")
            .replace("? || ?", "?");
        let shorter = once(&once(&shorter, " OR "), " UNION ALL ");
        if shorter == shape {
            break;
        }
        shape = shorter;
    }
    // Names of staging tables and of copies hold numbers of their attempts.
    let hex = |c: char| c.is_ascii_hexdigit();
    shape
        .split('"')
        .map(|part| {
            let is_number = |word: &&str| {
                word.len() >= 4 && word.chars().all(hex) || word.chars().all(|c| c.is_ascii_digit())
            };
            let words: Vec<&str> = part.split('_').collect();
            if part.contains(' ') || words.len() < 2 {
                part.to_owned()
            } else {
                words
                    .iter()
                    .map(|word| if is_number(word) { "?" } else { *word })
                    .collect::<Vec<_>>()
                    .join("_")
            }
        })
        .collect::<Vec<_>>()
        .join("\"")
}

/// The same terms one after the other as one of them.
fn once(text: &str, between: &str) -> String {
    let mut terms: Vec<&str> = text.split(between).collect();
    terms.dedup();
    terms.join(between)
}

/// Statements with these words take other forms as time goes on: renewals, looks at limits, silent workers, tasks and loads that
/// wait. A run meets some of the forms by chance, so that one that is new to the list does not fail it.
const BY_CHANCE: [&str; 6] = [
    "LEASE_UNTIL",
    "RATE_LIMIT",
    "FAILURES",
    "NOT_BEFORE",
    "LOAD_PERMIT",
    "STATUS = 'PENDING'",
];

#[test]
fn every_statement_that_snowhaul_sends_is_in_the_probes_list() {
    let snowflake = LocalSnowflake::start(&[]);
    let site = Site::on(&snowflake);
    live(&site);
    let sent = sent(&site);
    for words in [
        "MERGE INTO {t}",
        "UPDATE {m}.TASK_QUEUE",
        "RATE_LIMIT",
        "NOT EXISTS",
        "CREATE TABLE IF NOT EXISTS {t}",
    ] {
        assert!(
            sent.iter().any(|(_, sql)| sql.contains(words)),
            "no {words}"
        );
    }
    let text = fs::read_to_string(list()).unwrap();
    let known: Vec<String> = text.lines().map(shape).collect();
    let missing: Vec<&String> = sent
        .iter()
        .filter(|(shape, _)| !known.contains(shape))
        .map(|(_, sql)| sql)
        .collect();
    if std::env::var_os("SNOWHAUL_WRITE_STATEMENTS").is_some() {
        let more: String = missing.iter().map(|sql| format!("{sql}\n")).collect();
        fs::write(list(), text.clone() + &more).unwrap();
        return;
    }
    let is_by_chance = |sql: &&String| BY_CHANCE.iter().any(|word| sql.contains(word));
    let missing: Vec<&String> = missing
        .into_iter()
        .filter(|sql| !is_by_chance(sql))
        .collect();
    assert!(
        missing.is_empty(),
        "not in src/app/doctor/probe/statements.sql (run this test with SNOWHAUL_WRITE_STATEMENTS=1): {missing:#?}"
    );
}

#[test]
fn shapes_have_no_values() {
    assert_eq!(
        shape("SELECT 'it''s \\' x', 12 FROM \"STAGING_7_abcd12\".T1 WHERE A IN ('a', 'b', 3.5)"),
        "SELECT ? FROM \"STAGING_?_?\".T1 WHERE A IN (?)"
    );
    assert_says(
        &shape("FROM VALUES (1, 'a'), (2, NULL)"),
        &["FROM VALUES (?)"],
    );
}
