//! `workflow list` and `workflow status`, for people and for programs.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};

#[track_caller]
fn json_of(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[track_caller]
fn assert_keys(value: &Value, keys: &[&str]) {
    let there = value
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect::<Vec<_>>());
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    assert_eq!(there, Some(keys), "{value:#}");
}

#[test]
fn list_and_status_show_a_workflow_for_people_and_for_programs() {
    let site = Site::shared();
    site.source
        .sql()
        .run("CREATE TABLE t AS SELECT generate_series(1, 7) AS id");
    let workflow = site.workflow(&json!([table("t"), table("missing")]));
    assert_eq!(site.run(&workflow, "first").code(), Some(1));
    let said = |arguments: &[&str], code: i32| {
        let ended = site.command(arguments).run(DEADLINE);
        assert_eq!(ended.code(), Some(code), "{arguments:?} {}", ended.stderr);
        if code == 0 {
            ended.stdout
        } else {
            ended.stderr
        }
    };
    assert_says(
        &said(&["workflow", "list"], 0),
        &["ID", "NAME", "first", "redshift", "COMPLETED"],
    );
    let list = json_of(&said(&["workflow", "list", "--json"], 0));
    let keys = [
        "workflow_id",
        "name",
        "source_platform",
        "affinity",
        "status",
        "num_tables",
        "num_completed",
        "num_failed",
        "num_cancelled",
        "created_at",
        "started_at",
        "ended_at",
        "error",
    ];
    assert_keys(&list["workflows"][0], &keys);
    let by_name = said(&["workflow", "status", "first"], 0);
    assert_says(
        &by_name,
        &[
            "1 of 2 tables completed, 1 failed",
            "public.t",
            "there is no such table",
        ],
    );
    let id = list["workflows"][0]["workflow_id"].to_string();
    assert_eq!(said(&["workflow", "status", &id], 0), by_name);
    let errors = said(&["workflow", "status", "first", "--errors"], 0);
    let lines: Vec<&str> = errors[by_name.len()..].lines().collect();
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(lines[0].starts_with("20"), "{}", lines[0]);
    assert_says(
        lines[0],
        &["public.missing: ", "check schemaName and tableName"],
    );
    let status = json_of(&said(&["workflow", "status", "first", "--json"], 0));
    assert_keys(&status, &["workflow", "tables", "errors", "warnings"]);
    assert_keys(&status["workflow"], &keys);
    let keys = [
        "table_no",
        "source_table",
        "target_table",
        "status",
        "row_estimate",
        "partitions_total",
        "partitions_pending",
        "partitions_in_extraction",
        "partitions_in_loading",
        "partitions_completed",
        "partitions_unchanged",
        "partitions_failed",
        "partitions_cancelled",
        "rows_extracted",
        "rows_loaded",
        "bytes",
        "seconds",
        "example_error",
        "waiting",
        "load_waiting",
    ];
    assert_keys(&status["tables"][0], &keys);
    assert_eq!(status["tables"][0]["rows_loaded"], 7);
    assert_keys(
        &status["errors"][0],
        &["source_table", "partition_no", "error", "at"],
    );
    assert_keys(&status["warnings"][0], &["source_table", "warning"]);
    let unknown = said(&["workflow", "status", "secnd"], 2);
    assert_says(&unknown, &["there is no workflow secnd", "there are first"]);
    // A name is taken, whatever the file says.
    let taken = site.run(&workflow, "first");
    assert_eq!(taken.code(), Some(2), "{}", taken.stderr);
    assert_says(
        &taken.stderr,
        &["first is completed already", "another name"],
    );
    let arguments = [
        "workflow",
        "create",
        text(&workflow),
        "--source-platform",
        "redshift",
        "--name",
        "first",
    ];
    assert_says(
        &said(&arguments, 2),
        &["a workflow named first exists already", "another name"],
    );
}
