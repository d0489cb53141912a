//! Workflows that are created, waited for, interrupted and continued.

use super::role;
use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::eventually;

#[test]
fn the_old_spelling_creates_a_workflow_and_wait_prints_lines_and_tells_of_failures() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = site.worker();
    let _worker = role(&site, &["worker", "-c", text(&worker)], "worker starts");
    let call = |file: &str, name: &str| {
        let ended = site
            .command(&[
                "create-data-migration-workflow",
                file,
                "--source-platform",
                "redshift",
                "--name",
                name,
                "--connection-name",
                "local",
                "--wait",
            ])
            .env("SNOWFLAKE_CONNECTION_NAME", "not-this-one")
            .run(DEADLINE);
        (ended.code(), ended.stdout, ended.stderr)
    };
    let good = site.workflow(&json!([table("t")]));
    let (code, stdout, stderr) = call(text(&good), "good");
    assert_eq!(code, Some(0), "{stderr}");
    assert_says(
        &stdout,
        &["workflow good created with id", "1 of 1 tables completed"],
    );
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("good: "))
        .collect();
    assert_says(lines.last().unwrap(), &["COMPLETED", "1 loaded"]);
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    let bad = site.workflow(&json!([table("t"), table("missing")]));
    let (code, stdout, _) = call(text(&bad), "bad");
    assert_eq!(code, Some(1), "{stdout}");
    assert_says(
        &stdout,
        &[
            "1 of 2 tables completed, 1 failed",
            "there is no such table",
        ],
    );
}

#[test]
fn an_interrupted_run_ends_with_130_and_the_same_command_continues_it() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let lock = site.source.sql();
    lock.run("BEGIN");
    lock.run("LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    let workflow = site.workflow(&json!([table("t")]));
    let running = site.run_command(&workflow, "w").start();
    eventually("workflow taken", DEADLINE, || {
        running.stderr().contains("workflow taken")
    });
    let ended = running.terminate(DEADLINE);
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["the same command continues the workflow w"],
    );
    lock.run("ROLLBACK");
    let again = site.run(&workflow, "w");
    assert_eq!(again.code(), Some(0), "{}", again.stderr);
    assert_eq!(site.rows_of("t"), 1);
}
