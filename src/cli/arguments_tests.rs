use super::*;
use clap::CommandFactory;

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

/// The help of a command and of those inside it, each under the words that ask for it.
fn helps(command: &mut clap::Command, words: &str, found: &mut Vec<(String, String)>) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    found.push((words.to_owned(), lines.join("\n")));
    let inside = command.get_subcommands_mut();
    for command in inside.filter(|command| command.get_name() != "help") {
        let words = format!("{words} {}", command.get_name());
        helps(command, &words, found);
    }
}

#[test]
fn the_help_of_each_command_is_as_it_was_reviewed() {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut found = Vec::new();
    helps(&mut command, "snowhaul", &mut found);
    assert!(found.len() > 10, "{}", found.len());
    for (words, help) in found {
        insta::assert_snapshot!(format!("help {words}").replace(' ', "_"), help);
    }
}

#[test]
fn the_spelling_that_users_have_today_is_accepted() {
    let parsed = Arguments::try_parse_from([
        "snowhaul",
        "create-data-migration-workflow",
        "w.json",
        "--source-platform",
        "redshift",
        "--name",
        "w1",
        "--connection-name",
        "c",
    ])
    .expect("arguments");
    assert!(matches!(
        parsed.command,
        Command::CreateDataMigrationWorkflow(arguments) if arguments.connection.connection_name.as_deref() == Some("c")
    ));
}

#[test]
fn a_dry_run_can_be_asked_for_wherever_a_workflow_begins() {
    for command in [
        &["create-data-migration-workflow"][..],
        &["workflow", "create"],
        &["run"],
    ] {
        let rest = [
            "w.json",
            "--source-platform",
            "redshift",
            "--name",
            "w",
            "--preflight",
        ];
        let parsed = Arguments::try_parse_from([&["snowhaul"], command, &rest].concat());
        let workflow = match parsed.expect("arguments").command {
            Command::CreateDataMigrationWorkflow(arguments)
            | Command::Workflow(WorkflowCommand::Create(arguments)) => arguments.workflow,
            Command::Run(arguments) => arguments.workflow,
            other => panic!("{other:?}"),
        };
        assert!(workflow.preflight, "{command:?}");
    }
}

#[test]
fn patterns_are_several_by_commas_or_by_the_option_again() {
    let parsed = Arguments::try_parse_from([
        "snowhaul",
        "workflow",
        "generate",
        "--source-platform",
        "redshift",
        "--tables",
        "a*,b",
        "--tables",
        "c",
    ])
    .expect("arguments");
    assert!(matches!(
        parsed.command,
        Command::Workflow(WorkflowCommand::Generate(arguments)) if arguments.tables == ["a*", "b", "c"]
    ));
}

fn read(words: &[&str]) -> Result<Command, clap::Error> {
    let given = ["snowhaul"].iter().chain(words).map(OsString::from);
    Arguments::try_read(given.collect()).map(|arguments| arguments.command)
}

#[test]
fn a_workers_flags_mean_a_worker_without_a_command_and_after_run() {
    for words in [
        &["-c", "a.toml", "-w", "3", "-i", "9"][..],
        &[
            "--config",
            "a.toml",
            "--max-parallel-tasks",
            "3",
            "--interval",
            "9",
        ],
        &[
            "-w",
            "3",
            "-i",
            "9",
            "-c",
            "a.toml",
            "--no-server",
            "-p",
            "80",
            "-d",
        ],
        &["run", "-c", "a.toml", "-w", "3", "-i", "9"],
        &[
            "run",
            "--max-parallel-tasks=3",
            "--interval=9",
            "--config=a.toml",
            "--local-results-directory",
            "/tmp",
        ],
    ] {
        let Ok(Command::Worker(worker)) = read(words) else {
            panic!("{words:?}");
        };
        assert_eq!(
            (
                worker.config,
                worker.max_parallel_tasks,
                worker.task_fetch_interval
            ),
            (PathBuf::from("a.toml"), Some(3), Some(9)),
            "{words:?}"
        );
    }
    let run = [
        "run",
        "w.json",
        "--source-platform",
        "redshift",
        "-c",
        "a.toml",
    ];
    assert!(matches!(read(&run), Ok(Command::Run(_))));
    // What is wrong with a run is reported as that.
    let error = read(&["run", "w.json"]).expect_err("no platform");
    assert!(error.to_string().contains("--source-platform"), "{error}");
    let error = read(&["--nonsense"]).expect_err("no such flag");
    assert!(error.to_string().contains("--nonsense"), "{error}");
}

#[test]
fn start_is_an_orchestrator_and_test_is_doctor() {
    let start = [
        "start",
        "--log-level",
        "WARNING",
        "--log-file",
        "a.log",
        "--log-destination",
        "both",
    ];
    assert!(matches!(read(&start), Ok(Command::Orchestrator(_))));
    assert!(matches!(
        read(&["test", "-c", "a.toml"]),
        Ok(Command::Doctor(_))
    ));
    for level in [
        "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "warn", "info",
    ] {
        assert!(read(&["start", "--log-level", level]).is_ok(), "{level}");
    }
    assert!(read(&["start", "--log-level", "loud"]).is_err());
}

#[test]
fn a_workflow_needs_no_name() {
    let words = [
        "create-data-migration-workflow",
        "w.json",
        "--source-platform",
        "redshift",
    ];
    assert!(matches!(
        read(&words),
        Ok(Command::CreateDataMigrationWorkflow(arguments)) if arguments.workflow.name.is_none()
    ));
}
