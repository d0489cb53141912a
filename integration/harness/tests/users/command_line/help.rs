//! Help of each command.

use crate::site::{DEADLINE, assert_says};
use snowhaul_integration::Snowhaul;

#[test]
fn help_of_each_command_tells_its_flags() {
    for (command, flags) in [
        (
            &[][..],
            &[
                "orchestrator",
                "worker",
                "workflow",
                "run",
                "create-data-migration-workflow",
                "130",
            ][..],
        ),
        (
            &["orchestrator"],
            &[
                "--config",
                "--connection-name",
                "--affinity",
                "--log-format",
                "SNOWFLAKE_CONNECTION_NAME",
                "DATA_MIGRATION_ORCHESTRATOR_AFFINITY",
            ],
        ),
        (
            &["worker"],
            &[
                "-c, --config",
                "-w, --max-parallel-tasks",
                "-i, --task-fetch-interval",
                "--log-format",
                "configuration.toml",
            ],
        ),
        (&["workflow"], &["create", "list", "status"]),
        (
            &["workflow", "create"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "--connection-name",
                "--wait",
            ],
        ),
        (
            &["create-data-migration-workflow"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "--connection-name",
                "--wait",
            ],
        ),
        (&["workflow", "list"], &["--connection-name", "--json"]),
        (
            &["workflow", "status"],
            &["NAME|ID", "--connection-name", "--errors", "--json"],
        ),
        (
            &["run"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "-c, --config",
                "--connection-name",
                "--log-format",
            ],
        ),
    ] {
        let ended = Snowhaul::new(command.iter().chain(&["--help"])).run(DEADLINE);
        assert_eq!(ended.code(), Some(0), "{command:?} {}", ended.stderr);
        assert_says(&ended.stdout, flags);
    }
    let version = Snowhaul::new(["--version"]).run(DEADLINE);
    assert!(
        version.stdout.starts_with("snowhaul "),
        "{}",
        version.stdout
    );
}
