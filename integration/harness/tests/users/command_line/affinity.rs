//! Tasks go to the worker that they are for.

use super::role;
use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::eventually;

#[test]
fn a_worker_of_another_affinity_leaves_the_tasks_to_the_one_they_are_for() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = |affinity: &str| {
        let application = format!("task_fetch_interval = 1\naffinity = \"{affinity}\"");
        let file = format!("{affinity}.toml");
        let file = site
            .scratch
            .write(&file, &site.source.worker_configuration(&application));
        role(&site, &["worker", "-c", text(&file)], "worker starts")
    };
    let red = worker("red");
    let workflow = site.workflow_with(json!({"affinity": "blue", "tables": [table("t")]}));
    site.create(&workflow, "w");
    let metadata = site.metadata();
    let waiting = || metadata.pending_tasks() == 1;
    eventually("a task that nobody has taken", DEADLINE, waiting);
    // Red looks for tasks several times.
    let looks = || {
        let statements = site.snowflake.statements();
        let ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.filter(|sql| sql.contains(&queue_name(&site.metadata)) && sql.contains("CLAIM_TOKEN"))
            .count()
    };
    let before = looks();
    eventually("red looks again", DEADLINE, || looks() > before + 2);
    assert!(waiting());
    let blue = worker("blue");
    eventually("the workflow is complete", DEADLINE, || {
        metadata.status("w").as_deref() == Some("COMPLETED")
    });
    assert_says(&blue.stdout(), &["task starts"]);
    assert!(!red.stdout().contains("task starts"), "{}", red.stdout());
    assert_eq!(site.rows_of("t"), 1);
}

fn queue_name(metadata: &str) -> String {
    format!("\"{metadata}\".\"DATA_MIGRATION\".TASK_QUEUE")
}

#[test]
fn a_run_whose_worker_would_leave_the_tasks_is_refused_before_anything_is_written() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let worker = site.worker();
    let arguments = [
        "run",
        text(&workflow),
        "-c",
        text(&worker),
        "--source-platform",
        "postgresql",
        "--name",
        "w",
    ];
    let ended = site.command(&arguments).run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    for part in [
        "[connections.source.postgresql]",
        "[connections.source.redshift]",
        text(&worker),
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(!site.metadata().exist(), "the metadata are there");
}
