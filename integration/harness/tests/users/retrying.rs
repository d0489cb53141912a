//! What fails, alone and after its attempts, and how it runs again.

use crate::site::{DEADLINE, Site, assert_says, table};
use serde_json::{Value, json};
use snowhaul_integration::{Ended, eventually};

fn ask(site: &Site<'_>, words: &[&str]) -> Ended {
    site.command(&[&["workflow"], words].concat()).run(DEADLINE)
}

fn says(ended: &Ended, code: i32, parts: &[&str]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code(), Some(code), "{said}");
    assert_says(&said, parts);
}

fn in_parts(name: &str, keys: Value) -> Value {
    let mut table = table(name);
    table["columnNamesToPartitionBy"] = json!(["id"]);
    table["partitionSize"] = json!({"maxRowsPerPartition": 10});
    for (key, value) in keys.as_object().unwrap() {
        table[key] = value.clone();
    }
    table
}

#[test]
fn poison_partitions_fail_alone_and_run_again_once_they_are_mended() {
    let site = Site::shared();
    let source = site.source.sql();
    // One row that cannot be extracted, one that cannot be loaded, one table whose target does not fit, one that is well.
    source
        .run("CREATE TABLE numbers AS SELECT n AS id, n AS divisor FROM generate_series(1, 50) n");
    source.run("UPDATE numbers SET divisor = 0 WHERE id = 25");
    source.run("CREATE VIEW unreadable AS SELECT id, 100 / divisor AS share FROM numbers");
    source.run("CREATE TABLE unloadable AS SELECT n AS id, CASE n WHEN 25 THEN 70000 ELSE n END AS v FROM generate_series(1, 50) n");
    source.run("CREATE TABLE misfit AS SELECT n AS id, DATE '2020-01-01' AS d FROM generate_series(1, 50) n");
    source.run("CREATE TABLE well AS SELECT n AS id FROM generate_series(1, 50) n");
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.target));
    sql.run(&format!(
        "CREATE TABLE {}.PUBLIC.UNLOADABLE (ID NUMBER(10,0), V NUMBER(4,0))",
        site.target
    ));
    sql.run(&format!(
        "CREATE TABLE {}.PUBLIC.MISFIT (ID NUMBER(10,0), D BOOLEAN)",
        site.target
    ));
    let workflow = site.workflow_with(json!({"cleanUpTransientResources": "always", "tables": [
        in_parts("unreadable", json!({})),
        in_parts("unloadable", json!({})),
        in_parts("misfit", json!({})),
        in_parts("well", json!({})),
    ]}));
    says(
        &site.run(&workflow, "w"),
        1,
        &["1 of 4 tables completed, 3 failed"],
    );
    assert!(site.rows_of("UNREADABLE") >= 30 && site.rows_of("UNREADABLE") < 50);
    assert!(site.rows_of("UNLOADABLE") >= 30 && site.rows_of("UNLOADABLE") < 50);
    assert_eq!((site.rows_of("MISFIT"), site.rows_of("WELL")), (0, 50));
    assert_eq!(site.metadata().partitions_in("FAILED"), 2);

    // Whoever runs the command again is told what to do instead.
    says(
        &site.run(&workflow, "w"),
        2,
        &["is completed already", "workflow retry w"],
    );
    says(
        &ask(&site, &["retry", "w", "--table", "unlodable"]),
        2,
        &["did you mean `unloadable`?"],
    );
    says(
        &ask(&site, &["retry", "w", "--table", "well"]),
        0,
        &["nothing of it failed"],
    );
    says(
        &ask(&site, &["retry", "wx"]),
        2,
        &["there is no workflow wx", "did you mean `w`?"],
    );

    // One of them is mended: it runs again alone, the others stay as they are.
    source.run("UPDATE numbers SET divisor = 5 WHERE id = 25");
    says(
        &ask(&site, &["retry", "w", "--table", "unreadable", "--json"]),
        0,
        &["\"changed\":true", "\"asked\":\"retry\""],
    );
    says(
        &ask(&site, &["retry", "w", "--table", "unreadable"]),
        0,
        &["about to run again already"],
    );
    says(
        &ask(&site, &["status", "w"]),
        0,
        &[": EXECUTING, 1 of 4 tables completed, 2 failed"],
    );
    says(
        &site.run(&workflow, "w"),
        1,
        &["2 of 4 tables completed, 2 failed"],
    );
    assert_eq!(site.rows_of("UNREADABLE"), 50);

    // The rest.
    source.run("UPDATE unloadable SET v = 7 WHERE id = 25");
    sql.run(&format!(
        "CREATE OR REPLACE TABLE {}.PUBLIC.MISFIT (ID NUMBER(10,0), D DATE)",
        site.target
    ));
    says(
        &ask(&site, &["retry", "w"]),
        0,
        &["unloadable", "misfit", "runs again"],
    );
    says(
        &site.run(&workflow, "w"),
        0,
        &[": COMPLETED, 4 of 4 tables completed, 0 failed"],
    );
    for name in ["UNREADABLE", "UNLOADABLE", "MISFIT", "WELL"] {
        let distinct = format!(
            "SELECT COUNT(DISTINCT ID) FROM {}.PUBLIC.{name}",
            site.target
        );
        assert_eq!(
            (site.rows_of(name), sql.number(&distinct)),
            (50, 50),
            "{name}"
        );
    }
    assert!(site.errors().is_empty(), "{:?}", site.errors());
    says(
        &ask(&site, &["retry", "w"]),
        0,
        &["nothing of the workflow w has failed"],
    );
}

#[test]
fn a_table_whose_state_a_later_workflow_has_taken_does_not_run_again() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE t AS SELECT n AS id, CASE n WHEN 25 THEN 70000 ELSE n END AS v FROM generate_series(1, 50) n");
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.target));
    sql.run(&format!(
        "CREATE TABLE {}.PUBLIC.T (ID NUMBER(10,0), V NUMBER(4,0))",
        site.target
    ));
    let checksum = json!({"synchronization": {"strategy": "checksum"}});
    let workflow = site.workflow(&json!([in_parts("t", checksum)]));
    says(&site.run(&workflow, "first"), 1, &["1 failed"]);
    source.run("UPDATE t SET v = 7 WHERE id = 25");
    says(
        &site.run(&workflow, "second"),
        0,
        &["1 of 1 tables completed"],
    );
    let refused = ask(&site, &["retry", "first"]);
    says(
        &refused,
        2,
        &[
            "the workflow second has synchronized",
            "create a new workflow",
        ],
    );
    assert_eq!(site.rows_of("T"), 50);
}

#[test]
fn a_cancelled_workflow_gives_the_state_of_its_tables_free_and_the_next_run_moves_what_is_missing()
{
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE t AS SELECT n AS id, n AS v FROM generate_series(1, 50) n");
    source.run(
        "CREATE FUNCTION passed(id bigint) RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN \
         IF id > 30 THEN PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_unlock_shared(1); END IF; RETURN id; END $$",
    );
    let gate = site.source.sql();
    gate.run("SELECT pg_advisory_lock(1)");
    source.run("CREATE VIEW guarded AS SELECT id, v, passed(id) AS passed FROM t ORDER BY id");
    let watermark = json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "v"}});
    let workflow = site.workflow(&json!([in_parts("guarded", watermark)]));
    let first = site.run_command(&workflow, "first").start();
    let metadata = site.metadata();
    eventually("something is loaded", DEADLINE, || {
        metadata.partitions_in("LOADED") > 0
    });
    says(
        &ask(&site, &["cancel", "first"]),
        0,
        &["is being cancelled"],
    );
    says(
        &first.wait(DEADLINE),
        4,
        &["first", "CANCELLED", "1 cancelled"],
    );
    let rows = site.rows_of("GUARDED");
    assert!(rows > 0 && rows < 50, "{rows}");
    gate.run("SELECT pg_advisory_unlock(1)");
    let second = site.run(&workflow, "second");
    says(&second, 0, &["1 of 1 tables completed"]);
    let distinct = format!(
        "SELECT COUNT(DISTINCT ID) FROM {}.PUBLIC.GUARDED",
        site.target
    );
    assert_eq!(
        (site.rows_of("GUARDED"), site.sql().number(&distinct)),
        (50, 50)
    );
    assert_eq!(metadata.rows_moved("second"), 50 - rows);
}

#[test]
fn a_partition_that_fails_for_passing_reasons_waits_visibly_and_is_given_up_after_its_attempts() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 30) n");
    source.run(
        "CREATE FUNCTION shaky(id integer) RETURNS integer STABLE LANGUAGE plpgsql AS $$ BEGIN \
         IF id = 15 THEN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN id; END $$",
    );
    source.run("CREATE VIEW shaken AS SELECT id, shaky(id) AS v FROM t");
    let workflow = site.workflow(&json!([in_parts("shaken", json!({}))]));
    let running = site.run_command(&workflow, "w").start();
    let mut status = Value::Null;
    eventually("the table waits", DEADLINE, || {
        let said = ask(&site, &["status", "w", "--json"]).stdout;
        status = serde_json::from_str(&said).unwrap_or_default();
        !status["tables"][0]["waiting"].is_null()
    });
    let waiting = &status["tables"][0]["waiting"];
    assert_eq!(waiting["partitions"], 1, "{status:#}");
    assert!(waiting["failed_attempts"].as_u64() >= Some(1), "{status:#}");
    assert!(waiting["next_at"].is_string(), "{status:#}");
    let because = waiting["because"].as_str().unwrap();
    assert_says(because, &["could not serialize access", "40001"]);
    let mut said = String::new();
    eventually("status tells of it", DEADLINE, || {
        said = ask(&site, &["status", "w"]).stdout;
        said.contains("1 partition waits for another attempt (")
    });
    assert_says(&said, &[" failed), the next at 20", "because "]);
    says(
        &running.wait(DEADLINE),
        1,
        &["0 of 1 tables completed, 1 failed", "could not serialize"],
    );
    let metadata = site.metadata();
    assert_eq!(metadata.most_failures(), 5);
    assert_eq!(metadata.partitions_in("FAILED"), 1);
    assert!((15..30).contains(&site.rows_of("SHAKEN")));
}
