//! Environment variables of the reference tool: those that mean something here, and those that do not.

use super::findings::Findings;
use super::layers::{APPLICATION, Origin, Settings};
use super::{metadata, orchestrator};
use crate::domain::problem::Code;
use crate::types::metadata_location::MetadataLocation;

/// Variables that stand for a setting, each with the path of its key.
type Variables = &'static [(&'static str, &'static [&'static str])];

/// Those of both roles.
const METADATA: Variables = &[
    (
        MetadataLocation::DATABASE_VARIABLE,
        &[APPLICATION, metadata::DATABASE],
    ),
    (
        MetadataLocation::SCHEMA_VARIABLE,
        &[APPLICATION, metadata::SCHEMA],
    ),
];

/// Those of the orchestrator.
const ORCHESTRATOR: Variables = &[
    (
        orchestrator::CONNECTION_VARIABLE,
        super::worker::CONNECTION_NAME,
    ),
    (
        "DATA_MIGRATION_ORCHESTRATOR_AFFINITY",
        &[APPLICATION, "affinity"],
    ),
    (
        "DATA_MIGRATION_ORCHESTRATOR_LOAD_WAREHOUSE",
        &[APPLICATION, "load_warehouse"],
    ),
    (POLL, &[APPLICATION, "poll_interval"]),
    (POLL_MAX, &[APPLICATION, "poll_interval_max"]),
    (LOADS, &[APPLICATION, "load_concurrency"]),
];

/// Seconds between looks for tasks that have ended: [`poll.base`](super::orchestrator::OrchestratorConfig::poll).
const POLL: &str = "ORCHESTRATOR_TASK_PULL_INTERVAL_SECONDS";
/// Seconds between looks for workflows: the longest pause of an idle orchestrator.
const POLL_MAX: &str = "ORCHESTRATOR_WORKFLOW_CYCLE_INTERVAL_SECONDS";
/// What an orchestrator does at once: loads.
const LOADS: &str = "ORCHESTRATOR_MAX_TASK_WORKERS";
/// Which kind of tables the metadata are.
const STORAGE_MODE: &str = "SNOWFLAKE_METADATA_STORAGE_MODE";
/// The older form of the same: 1 or 0.
const USE_HYBRID: &str = "SNOWFLAKE_USE_HYBRID_TABLES";

/// What has no meaning here, and why.
const WITHOUT_MEANING: &[(&[&str], &str)] = &[
    (
        &["ORCHESTRATOR_SF_CONNECTION_MAX_AGE_SECONDS"],
        "sessions are renewed as they need it",
    ),
    (
        &[
            "DM_IDLE_SHUTDOWN_MINUTES",
            "DM_SPCS_SUSPEND_AGENT_SERVICE",
            "DM_SPCS_SUSPEND_ORCHESTRATOR_SERVICE",
        ],
        "a role runs until it is stopped, and suspends no service",
    ),
    (
        &[
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_VALIDATION_METADATA",
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_COMMON_METADATA",
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_TEMP_METADATA",
        ],
        "all metadata are in the schema of CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA",
    ),
    (
        &["SNOWFLAKE_METADATA_EXTERNAL_VOLUME"],
        "the metadata are hybrid tables",
    ),
    (
        &[
            "SECRET_MANAGERS_CACHE_TTL_SECONDS",
            "SECRET_MANAGERS_RESOLVE_TIMEOUT_SECONDS",
        ],
        "secrets come from files and from environment variables",
    ),
];

/// One line that names all variables which are set and mean nothing here, each with the reason; `None`: there are none.
pub fn ignored(var: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let told: Vec<String> = WITHOUT_MEANING
        .iter()
        .filter_map(|(names, reason)| {
            let set: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| var(name).is_some())
                .collect();
            (!set.is_empty()).then(|| format!("{} ({reason})", set.join(", ")))
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "these environment variables have no meaning here and are ignored: {}",
            told.join("; ")
        )
    })
}

/// What the environment sets for a worker.
pub(super) fn of_worker(var: &dyn Fn(&str) -> Option<String>) -> Settings {
    settings(METADATA, var)
}

/// What the environment sets for an orchestrator.
pub(super) fn of_orchestrator(var: &dyn Fn(&str) -> Option<String>) -> Settings {
    settings(METADATA.iter().chain(ORCHESTRATOR), var)
}

fn settings<'a>(
    variables: impl IntoIterator<Item = &'a (&'static str, &'static [&'static str])>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Settings {
    let mut settings = Settings::default();
    for (name, path) in variables {
        if let Some(value) = value_of(name, var) {
            settings.text(path, &Origin::Variable((*name).to_owned()), &value);
        }
    }
    settings
}

/// An environment variable that is not blank.
fn value_of(name: &str, var: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    var(name).filter(|value| !value.trim().is_empty())
}

/// Refuses metadata in tables of another kind than hybrid.
pub(super) fn check_storage(findings: &mut Findings, var: &dyn Fn(&str) -> Option<String>) {
    let mode = value_of(STORAGE_MODE, var);
    let (name, refused) = match mode.as_deref().map(str::trim) {
        Some(mode) if mode.eq_ignore_ascii_case("HYBRID") => return,
        Some(mode)
            if ["STANDARD", "ICEBERG"]
                .iter()
                .any(|m| mode.eq_ignore_ascii_case(m)) =>
        {
            (STORAGE_MODE, format!("`{mode}` is not supported yet"))
        }
        Some(_) => (
            STORAGE_MODE,
            "is none of HYBRID, STANDARD and ICEBERG, of which HYBRID alone is supported yet"
                .to_owned(),
        ),
        None => match value_of(USE_HYBRID, var).as_deref().map(str::trim) {
            Some(off)
                if ["0", "false", "no"]
                    .iter()
                    .any(|no| off.eq_ignore_ascii_case(no)) =>
            {
                (
                    USE_HYBRID,
                    format!(
                        "`{off}` asks for metadata without hybrid tables, which is not supported yet"
                    ),
                )
            }
            _ => return,
        },
    };
    findings.problem_of(
        Origin::Variable(name.to_owned()),
        name,
        Code::NO_HYBRID_TABLES
            .problem(format!(
                "{refused}: no row is loaded twice because hybrid tables lock rows and keep keys unique, which standard and Iceberg tables do not"
            ))
            .hint("unset it, and use an account with hybrid tables: a commercial AWS or Azure region, not a trial (`snowhaul doctor` checks)"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::env;
    use crate::config::{orchestrator, worker};
    use std::time::Duration;

    #[test]
    fn intervals_and_workers_of_the_reference_tool_are_taken_where_the_file_does_not_say_them() {
        let variables = [(POLL, "2.5"), (POLL_MAX, "40"), (LOADS, "3")];
        let config = orchestrator::load(None, &env(&variables)).expect("a configuration");
        assert_eq!(
            (config.poll.base, config.poll.cap, config.load_concurrency),
            (Duration::from_millis(2500), Duration::from_secs(40), 3)
        );
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("o.toml");
        let text =
            "[application]\npoll_interval = 7\npoll_interval_max = 8\nload_concurrency = 9\n";
        std::fs::write(&file, text).expect("write");
        let config = orchestrator::load(Some(&file), &env(&variables)).expect("a configuration");
        assert_eq!(
            (config.poll.base, config.poll.cap, config.load_concurrency),
            (Duration::from_secs(7), Duration::from_secs(8), 9)
        );
    }

    #[test]
    fn wrong_numbers_are_told_all_at_once_by_the_variables_names() {
        let variables = [(POLL, "soon"), (POLL_MAX, "-1"), (LOADS, "0")];
        let error = orchestrator::load(None, &env(&variables)).expect_err("wrong numbers");
        for name in [POLL, POLL_MAX, LOADS] {
            assert!(
                error.to_string().contains(&format!("{name}: must be")),
                "{error}"
            );
        }
    }

    #[test]
    fn what_means_nothing_here_is_listed_once_with_its_reason_and_nothing_else_is() {
        let variables = [
            ("DM_IDLE_SHUTDOWN_MINUTES", "30"),
            ("DM_SPCS_SUSPEND_AGENT_SERVICE", "A.B.C"),
            ("ORCHESTRATOR_SF_CONNECTION_MAX_AGE_SECONDS", "0"),
            (POLL, "1"),
            (LOADS, "1"),
        ];
        let told = ignored(&env(&variables)).expect("a line");
        for part in [
            "ORCHESTRATOR_SF_CONNECTION_MAX_AGE_SECONDS (sessions",
            "DM_IDLE_SHUTDOWN_MINUTES, DM_SPCS_SUSPEND_AGENT_SERVICE (a role runs",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(
            !told.contains(POLL) && !told.contains(LOADS) && !told.contains("A.B.C"),
            "{told}"
        );
        assert_eq!(ignored(&env(&variables[3..])), None);
    }

    #[test]
    fn metadata_without_hybrid_tables_are_refused_with_the_reason_and_hybrid_ones_are_not() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "").expect("write");
        for (name, value) in [
            (STORAGE_MODE, "STANDARD"),
            (STORAGE_MODE, "standard"),
            (STORAGE_MODE, "ICEBERG"),
            (STORAGE_MODE, "NONE"),
            (USE_HYBRID, "0"),
            (USE_HYBRID, "false"),
        ] {
            let variables = [(name, value)];
            let orchestrator = orchestrator::load(None, &env(&variables)).expect_err(value);
            let worker = worker::load(&file, &env(&variables)).expect_err(value);
            for error in [orchestrator.to_string(), worker.to_string()] {
                assert!(
                    error.contains(name) && error.contains("yet") && error.contains("lock rows"),
                    "{error}"
                );
            }
        }
        for variables in [
            [(STORAGE_MODE, "HYBRID"), (USE_HYBRID, "0")],
            [(STORAGE_MODE, "hybrid"), (USE_HYBRID, "1")],
            [(STORAGE_MODE, ""), (USE_HYBRID, "1")],
        ] {
            orchestrator::load(None, &env(&variables)).expect("hybrid tables");
        }
    }
}
