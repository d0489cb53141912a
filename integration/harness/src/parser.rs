//! sqlglot as a second opinion on statements (`integration/checks/parse.py`).

use crate::places;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// Those of the statements that do not parse in a dialect of sqlglot's (`snowflake`, `redshift`), each with the reason.
#[must_use]
pub fn unparsed<S: AsRef<str>>(dialect: &str, statements: &[S]) -> Vec<String> {
    let mut parser = places::python()
        .args(["-m", "checks.parse"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("the parser does not start: {error}"));
    let mut input = parser.stdin.take();
    let lines: Vec<String> = statements
        .iter()
        .map(|sql| json!({"dialect": dialect, "sql": sql.as_ref()}).to_string() + "\n")
        .collect();
    // Apart from the reading, or both would wait for each other once the pipes are full.
    let writer = std::thread::spawn(move || {
        let lines = lines.concat();
        input.as_mut().map(|pipe| pipe.write_all(lines.as_bytes()))
    });
    let output = parser.wait_with_output();
    let output = output.unwrap_or_else(|error| panic!("the parser: {error}"));
    let written = writer.join().ok().flatten();
    assert!(
        output.status.success() && matches!(written, Some(Ok(()))),
        "the parser ended with {}, and took its input: {written:?}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|found| format!("{}\n  {}", found["why"], found["sql"]))
        .collect()
}
