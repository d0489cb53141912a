//! A table of columns with their extremes, and both sides value by value.

use crate::extremes::Column;
use serde_json::Value;
use snowhaul_integration::{Database, Migrated, Row, Sql};

/// `t (id, …columns)`, after `statements`: row n has the nth extreme of each column, or NULL; the last row is all NULL.
pub fn source(database: &Database<'_>, statements: &[&str], columns: &[Column]) {
    let sql = database.sql();
    for statement in statements {
        sql.run(statement);
    }
    let list: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.source))
        .collect();
    sql.run(&format!(
        "CREATE TABLE t (id integer NOT NULL, {})",
        list.join(", ")
    ));
    let most = columns.iter().map(|column| column.extremes.len()).max();
    for row in 0..=most.unwrap() {
        let values: Vec<&str> = columns
            .iter()
            .map(|column| column.extremes.get(row).copied().unwrap_or("NULL"))
            .collect();
        sql.run(&format!(
            "INSERT INTO t VALUES ({row}, {})",
            values.join(", ")
        ));
    }
}

/// A column's values by `id`, through an expression.
pub fn values(sql: &Sql, expression: &str, column: &str) -> Vec<Option<String>> {
    let expression = expression.replace("{c}", column);
    let first = |mut row: Row| row.remove(0);
    let rows = sql.rows(&format!("SELECT {expression} FROM t ORDER BY id"));
    rows.into_iter().map(first).collect()
}

/// Both sides in words, for the first value that differs.
pub fn difference(
    name: &str,
    source: &[Option<String>],
    target: &[Option<String>],
) -> Option<String> {
    let short = |value: Option<&Option<String>>| {
        let text = format!("{value:?}");
        let shown: String = text.chars().take(100).collect();
        format!("{shown} ({} bytes)", text.len())
    };
    let longest = source.len().max(target.len());
    let place = (0..longest).find(|&row| source.get(row) != target.get(row))?;
    let (was, is) = (short(source.get(place)), short(target.get(place)));
    Some(format!("{name}, row {place}: {was} arrived as {is}"))
}

/// A session whose text forms are those of the worker's.
pub fn reading_like_the_worker(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("SET intervalstyle TO iso_8601");
    sql
}

/// JSON in one form: blanks and the order of keys do not matter.
fn canonical(texts: Vec<Option<String>>) -> Vec<Option<String>> {
    let one = |text: String| serde_json::from_str::<Value>(&text).unwrap().to_string();
    texts.into_iter().map(|text| text.map(one)).collect()
}

/// Asserts that the created target `T` has the columns' types and all their values.
pub fn assert_created(database: &Database<'_>, done: &Migrated, columns: &[Column]) {
    let described = done.columns("T");
    let sql = reading_like_the_worker(database);
    let mut wrong = Vec::new();
    for column in columns {
        let mut there = values(&sql, column.from, column.name);
        let mut here = values(&done.sql, column.to, column.name);
        if matches!(column.created, "VARIANT" | "ARRAY") {
            (there, here) = (canonical(there), canonical(here));
        }
        wrong.extend(difference(column.name, &there, &here));
        let name = column.name.to_uppercase();
        let created = described.iter().find(|(other, _)| *other == name);
        let created = created.map(|(_, kind)| kind.as_str());
        if created != Some(column.created) {
            wrong.push(format!(
                "{name} was created as {created:?}, not {}",
                column.created
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
