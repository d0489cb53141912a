//! P1: the statements' client and the stage's client.

use super::bench::Bench;
use super::{Answer, Outcome};
use crate::snowflake::Bind;
use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;

/// A file of whole numbers, in a column `c0`.
pub(super) fn numbers(values: &[i64]) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("c0", DataType::Int64, true)]);
    let column = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_new(Arc::new(schema.clone()), vec![column])
        .unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(schema)))
}

pub(super) async fn ask(bench: &Bench) -> Answer {
    let (asker, s) = (bench.session("a"), bench.s());
    asker
        .all(&[
            format!(
                "CREATE HYBRID TABLE {s}.CLIENTS (ID NUMBER(19,0) NOT NULL, NOTE VARCHAR(16), AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (ID), INDEX IX_CLIENTS (NOTE)) DEFAULT_DDL_COLLATION = ''"
            ),
            format!("INSERT INTO {s}.CLIENTS (ID, NOTE) SELECT column1, column2 FROM VALUES (1, 'a'), (2, 'b')"),
        ])
        .await?;
    // As renewals are sent: values that are bound, of which one is NULL.
    let update = format!(
        "UPDATE {s}.CLIENTS t SET NOTE = COALESCE(v.N, 'd') FROM (SELECT column1 AS I, column2 AS N FROM VALUES (?, ?), (?, ?)) v WHERE t.ID = v.I AND t.ID IN (?, ?)"
    );
    let (one, two) = (Bind::from(1_i64), Bind::from(2_i64));
    let rows = [one.clone(), Bind::from("c"), two.clone(), Bind::from(None)];
    let binds = [&rows[..], &[one, two]].concat();
    asker.ask_bound(&update, &binds).await?;
    let notes = asker
        .cell(&format!(
            "SELECT LISTAGG(NOTE, '') WITHIN GROUP (ORDER BY ID) FROM {s}.CLIENTS"
        ))
        .await?;
    if notes != "cd" {
        return Ok(Outcome::Differs(format!(
            "the hybrid table holds `{notes}` in place of `cd`"
        )));
    }
    let stage = bench.stage(&asker).await?;
    bench.form_of_put(&stage).await?;
    let bytes = bench
        .upload(&stage, "clients/0.parquet", numbers(&[1, 2]))
        .await?;
    let listed = asker
        .ask(&format!("LIST {}/clients/", bench.stage_name()))
        .await?;
    Ok(if listed.len() == 1 {
        Outcome::Holds(format!(
            "created, written and read; {bytes} bytes were uploaded and are listed"
        ))
    } else {
        Outcome::Differs(format!(
            "a file was uploaded, and LIST answers with {}",
            listed.len()
        ))
    })
}
