//! P5: load metadata of a COPY that was rolled back.

use super::bench::{Asker, Bench};
use super::clients::numbers;
use super::{Answer, Outcome};
use crate::domain::task::StagedFile;
use crate::snowflake::{Row, SnowflakeError};
use crate::target::copy::CopyInto;

/// The COPY of a file of whole numbers, as loads have it, with or without FORCE.
pub(super) fn copy(bench: &Bench, table: &str, file: &str, force: bool) -> String {
    let files = [StagedFile {
        path: file.to_owned(),
        rows: 2,
        bytes: 0,
    }];
    let sql = CopyInto {
        table: &format!("{}.{table}", bench.s()),
        columns: &[("N".to_owned(), "$1:\"c0\"::NUMBER(38,0)".to_owned())],
        stage: &bench.stage_name(),
        files: &[&files[0]],
    }
    .sql();
    let plain = sql.replace(" FORCE = TRUE", "");
    if force {
        format!("{plain} FORCE = TRUE")
    } else {
        plain
    }
}

/// Status and rows loaded of a COPY's only file.
fn loaded(rows: &[Row]) -> String {
    let cell = |index: usize| {
        let row = rows.first();
        row.and_then(|row| row.get(index).cloned().flatten())
            .unwrap_or_default()
    };
    format!("{} {}", cell(1), cell(3)).trim().to_owned()
}

/// BEGIN, a change of a hybrid table, a COPY, and the end.
async fn load(
    bench: &Bench,
    asker: &Asker,
    sql: &str,
    end: &str,
) -> Result<String, SnowflakeError> {
    asker.ask("BEGIN").await?;
    let change = format!("UPDATE {}.COPIES SET N = N + 1 WHERE ID = 1", bench.s());
    let copied = async {
        asker.ask(&change).await?;
        asker.ask(sql).await
    };
    let copied = copied.await;
    asker
        .ask(if copied.is_ok() { end } else { "ROLLBACK" })
        .await?;
    copied.map(|rows| loaded(&rows))
}

pub(super) async fn after_a_rollback(bench: &Bench) -> Answer {
    let (a, s) = (bench.session("a"), bench.s());
    a.all(&[
        format!("CREATE HYBRID TABLE {s}.COPIES (ID NUMBER(19,0) NOT NULL, N NUMBER(19,0), PRIMARY KEY (ID))"),
        format!("INSERT INTO {s}.COPIES (ID, N) VALUES (1, 0)"),
        format!("CREATE TABLE {s}.COPIED (N NUMBER(38,0))"),
    ])
    .await?;
    let stage = bench.stage(&a).await?;
    let file = "copies/0.parquet";
    bench.upload(&stage, file, numbers(&[1, 2])).await?;
    let (plain, forced) = (
        copy(bench, "COPIED", file, false),
        copy(bench, "COPIED", file, true),
    );
    let first = load(bench, &a, &plain, "ROLLBACK").await?;
    let again = load(bench, &a, &plain, "ROLLBACK").await?;
    let with_force = load(bench, &a, &forced, "COMMIT").await?;
    let state = a
        .cell(&format!(
            "SELECT (SELECT COUNT(*) FROM {s}.COPIED) || ' ' || (SELECT N FROM {s}.COPIES)"
        ))
        .await?;
    let finding = format!(
        "first {first}; after a rollback {again}, with FORCE = TRUE {with_force}; rows and changes kept: {state}"
    );
    Ok(if with_force != "LOADED 2" || state != "2 1" {
        Outcome::Differs(finding)
    } else if again != "LOADED 2" {
        // Loads say FORCE.
        Outcome::Told(finding)
    } else {
        Outcome::Holds(finding)
    })
}
