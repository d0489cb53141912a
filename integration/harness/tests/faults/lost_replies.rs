//! Requests that Snowflake refuses for the moment, and replies that are lost after the effect.

use crate::migration::{DEADLINE, Migration};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Scratch, eventually};

/// A migration on a Snowflake whose next `times` COMMITs are answered so, once an orchestrator has created the metadata.
fn creation(when: &str, times: u32, code: Option<i32>, is_created: i64) {
    let scratch = Scratch::new("faults");
    let file = scratch.path().join("faults.json");
    let snowflake = LocalSnowflake::start(&["--faults", &file.to_string_lossy()]);
    let migration = Migration::new(LocalRedshift::shared(), 10, 10, 10);
    let orchestrator = migration.orchestrator(&snowflake);
    let has_metadata = || migration.list(&snowflake).wait(DEADLINE).code() == Some(0);
    eventually("the metadata are there", DEADLINE, has_metadata);
    drop(orchestrator);
    let rule = json!([{"id": 1, "match": "COMMIT", "when": when, "answer": 503, "times": times}]);
    scratch.write("faults.json", &rule.to_string());
    // Also where the name is made for it: each try has the same.
    let unnamed = migration.create_unnamed(&snowflake);
    let created = [unnamed.wait(DEADLINE), {
        let rule = rule.to_string().replace("\"id\":1", "\"id\":2");
        scratch.write("faults.json", &rule);
        migration.create_only(&snowflake).wait(DEADLINE)
    }];
    for (ended, name) in created
        .iter()
        .zip(["workflow_1", migration.metadata.as_str()])
    {
        assert_eq!(ended.code(), code, "{}{}", ended.stdout, ended.stderr);
        let named = format!("NAME = '{name}'");
        let sql = snowflake.sql();
        assert_eq!(migration.count(&sql, "WORKFLOW", &named), is_created);
    }
    let all = migration.count(&snowflake.sql(), "WORKFLOW", "TRUE");
    assert_eq!(all, 2 * is_created);
}

#[test]
fn a_workflow_whose_creation_was_committed_counts_as_created_though_the_reply_was_lost() {
    creation("after", 1, Some(0), 1);
}

#[test]
fn a_workflow_whose_commit_did_not_arrive_is_created_anew() {
    creation("before", 1, Some(0), 1);
}

#[test]
fn a_snowflake_that_takes_no_commit_at_all_is_not_the_users_mistake() {
    creation("before", 1_000, Some(3), 0);
}

#[test]
fn staged_files_are_removed_though_snowflake_is_away_at_the_workflows_end() {
    let scratch = Scratch::new("faults");
    let file = scratch.path().join("faults.json");
    let snowflake = LocalSnowflake::start(&["--faults", &file.to_string_lossy()]);
    let rule =
        json!([{"id": 1, "match": "REMOVE", "when": "before", "answer": "reset", "times": 2}]);
    scratch.write("faults.json", &rule.to_string());
    let migration = Migration::new(LocalRedshift::shared(), 100, 50, 100);
    let ended = migration.run(&snowflake).wait(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let stage = migration.object("TASK_RESULTS").replace('"', "");
    let left = snowflake.sql().rows(&format!("LIST @{stage}"));
    assert!(left.is_empty(), "{left:?}");
    migration.assert_loaded_once(&snowflake);
}
