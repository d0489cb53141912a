//! A worker is trusted with its task and no more: files that it reports are loaded from its own directory only.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::eventually;

#[test]
fn a_task_that_ends_with_another_workflows_file_loads_nothing_and_says_so() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE plain AS SELECT 1::bigint AS id, 1::bigint AS passed");
    source.run(
        "CREATE FUNCTION passed(id bigint) RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_unlock_shared(1); RETURN id; END $$",
    );
    source.run("CREATE VIEW guarded AS SELECT id, passed(id) AS passed FROM plain");
    let first = json!({"tables": [table("plain")], "cleanUpTransientResources": "never"});
    let ended = site.run(&site.workflow_with(first), "first");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let metadata = site.metadata();
    let stolen = metadata.staged_files().remove(0);
    let stolen = &stolen[stolen.find("workflows/").unwrap()..];

    let gate = site.source.sql();
    gate.run("SELECT pg_advisory_lock(1)");
    let orchestrator = site.command(&["orchestrator"]).start();
    let worker = site
        .command(&["worker", "-c", text(&site.worker())])
        .start();
    site.create(&site.workflow(&json!([table("guarded")])), "second");
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("an extraction at the gate", DEADLINE, || {
        source.number(waiting) > 0
    });
    worker.kill();
    let manifest = json!({"files": [{"path": stolen, "rows": 1, "bytes": 100}]});
    metadata.run(&format!(
        "UPDATE {{s}}.TASK_QUEUE SET STATUS = 'COMPLETED', RESULT = '{manifest}', ENDED_AT = SYSDATE() WHERE STATUS = 'CLAIMED'"
    ));
    let failed = || !site.errors().is_empty();
    eventually("the table fails", DEADLINE, failed);
    let errors = site.errors();
    assert_says(
        &errors[0].2,
        &["SH0507 partition 0", stolen, "nothing of it is loaded"],
    );
    assert_eq!(site.rows_of("guarded"), 0);
    assert_eq!(site.rows_of("plain"), 1);
    let ended = orchestrator.terminate(DEADLINE);
    assert_says(&ended.stdout, &["a manifest is refused"]);
    drop(gate);
}
