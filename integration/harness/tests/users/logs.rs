//! Logs: JSON lines off a terminal, for people on request; a task's lines say whose they are.

use crate::site::{DEADLINE, Site, table, text};
use serde_json::{Value, json};

fn lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let line = serde_json::from_str(line);
        line.unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    text.lines().map(parse).collect()
}

#[test]
fn daemons_write_json_lines_and_those_of_a_task_name_workflow_table_partition_and_attempt() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE good AS SELECT 1 AS id");
    source.run("CREATE TABLE bad AS SELECT 0 AS id");
    // With statistics no row is counted: the predicate fails in the extraction.
    source.run("ANALYZE");
    let mut bad = table("bad");
    bad["whereClauseCriteria"] = json!("1 / id = 1");
    let workflow = site.workflow(&json!([table("good"), bad]));
    let orchestrator = site.command(&["orchestrator"]).start();
    let file = site.worker();
    let worker = site.command(&["worker", "-c", text(&file)]).start();
    let ended = site.create_and_wait(&workflow, "w");
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    let worker = worker.terminate(DEADLINE);
    let orchestrator = orchestrator.terminate(DEADLINE);
    assert_eq!((worker.code(), orchestrator.code()), (Some(0), Some(0)));
    assert_eq!(
        (worker.stderr.as_str(), orchestrator.stderr.as_str()),
        ("", "")
    );
    let worker = lines(&worker.stdout);
    let of_tasks = |message: &str| -> Vec<&Value> {
        let lines = worker.iter().filter(|line| line["message"] == message);
        lines.map(|line| &line["span"]).collect()
    };
    for (message, count) in [("task starts", 4), ("task ends", 3), ("task failed", 1)] {
        let spans = of_tasks(message);
        assert_eq!(spans.len(), count, "{message}: {worker:#?}");
        for span in spans {
            assert_eq!(
                (&span["workflow"], &span["attempt"]),
                (&json!("w"), &json!(1)),
                "{span}"
            );
            let table = span["table"].as_str().unwrap();
            assert!(
                table.ends_with(".public.good") || table.ends_with(".public.bad"),
                "{span}"
            );
        }
    }
    let failed = of_tasks("task failed");
    assert_eq!(failed[0]["partition"], 0, "{failed:?}");
    let orchestrator = lines(&orchestrator.stdout);
    let failed = orchestrator
        .iter()
        .find(|line| line["message"] == "partition failed");
    let failed = failed.unwrap_or_else(|| panic!("{orchestrator:#?}"));
    assert_eq!(
        (
            &failed["workflow"],
            &failed["partition"],
            &failed["attempt"]
        ),
        (&json!("w"), &json!(0), &json!(1))
    );
    assert!(
        failed["table"].as_str().unwrap().ends_with(".public.bad"),
        "{failed}"
    );
    for line in worker.iter().chain(&orchestrator) {
        assert!(
            line["timestamp"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn logs_are_for_people_where_that_is_asked_and_a_filter_keeps_the_tasks_name() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("missing")]));
    let file = site.worker();
    let ended = site
        .command(&[
            "run",
            text(&workflow),
            "--source-platform",
            "redshift",
            "--name",
            "w",
            "-c",
            text(&file),
            "--log-format",
            "human",
        ])
        .env("RUST_LOG", "warn")
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    let failed = ended
        .stderr
        .lines()
        .find(|line| line.contains("task failed"));
    let failed = failed.unwrap_or_else(|| panic!("{}", ended.stderr));
    assert!(
        failed.contains("WARN task{workflow=w table=") && failed.contains("attempt=1}"),
        "{failed}"
    );
    assert!(
        !ended.stderr.contains('\u{1b}') && !ended.stderr.contains(" INFO "),
        "{}",
        ended.stderr
    );
    let json = site.scratch.write(
        "json.toml",
        &site
            .source
            .worker_configuration("log_format = \"human\"\ntask_fetch_interval = 1"),
    );
    // The flag wins over the file.
    let ended = site
        .command(&["worker", "-c", text(&json), "--log-format", "json"])
        .env("SNOWFLAKE_CONNECTION_NAME", "local")
        .start()
        .terminate_after("\"message\":\"worker starts\"");
    assert_eq!(ended, Some(0));
}

/// Ends a daemon once it has said something.
trait TerminateAfter {
    fn terminate_after(self, line: &str) -> Option<i32>;
}

impl TerminateAfter for snowhaul_integration::Running {
    fn terminate_after(self, line: &str) -> Option<i32> {
        self.wait_to_say(line, DEADLINE);
        self.terminate(DEADLINE).code()
    }
}
