//! Which of flags, files and the environment wins.

use super::role;
use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::eventually;

#[test]
fn an_orchestrators_file_wins_over_the_environment_and_an_empty_variable_is_none() {
    let site = Site::shared();
    let file = site.scratch.path().join("orchestrator.toml");
    let text = "[connections.target.snowflake_connection_name]\nconnection_name = \"local\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let start = |arguments: &[&str], connection: &str| {
        let running = site
            .command(arguments)
            .env("RUST_LOG", "snowhaul=info")
            .env("SNOWFLAKE_CONNECTION_NAME", connection)
            .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
            .start();
        running.wait_to_say("orchestrator starts", DEADLINE);
    };
    start(&["orchestrator", "-c", file], "not-this-one");
    start(&["orchestrator"], "");
    let ended = site
        .command(&["orchestrator"])
        .env("SNOWFLAKE_CONNECTION_NAME", "not-this-one")
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(2));
    assert_says(&ended.stderr, &["not-this-one"]);
    let listed = site
        .command(&["workflow", "list"])
        .env("SNOWFLAKE_CONNECTION_NAME", "")
        .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
        .run(DEADLINE);
    assert_eq!(listed.code(), Some(0), "{}", listed.stderr);
}

#[test]
fn flags_win_over_the_workers_file() {
    let site = Site::shared();
    let configuration = site
        .source
        .worker_configuration("max_parallel_tasks = 3\ntask_fetch_interval = 3600");
    let file = site.scratch.write("flags.toml", &configuration);
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = role(
        &site,
        &["worker", "-c", text(&file), "-w", "7", "-i", "1"],
        "worker starts",
    );
    assert_says(&worker.stdout(), &["\"tasks\":7"]);
    // The file's interval would outlast the test: the worker has looked once, before there was work.
    let looked = || {
        let statements = site.snowflake.statements();
        let mut ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.any(|sql| sql.contains(&site.metadata) && sql.contains("CLAIM_TOKEN"))
    };
    eventually("the worker looks for tasks", DEADLINE, looked);
    let workflow = site.workflow(&json!([table("t")]));
    let ended = site.create_and_wait(&workflow, "w");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}
