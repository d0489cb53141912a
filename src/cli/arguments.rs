//! The command line's arguments.

use crate::config::LogFormat;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Moves whole tables from SQL Server and Amazon Redshift into Snowflake: resumable, exactly once.
///
/// Exit codes: 0 done (all tables loaded), 1 some table failed, 2 refused configuration or usage, 3 Snowflake or the
/// source cannot be reached, 4 no table failed but some were cancelled by an operator, 130 stopped by a signal before the end (nothing is lost: start again).
#[derive(Debug, Parser)]
#[command(name = "snowhaul", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive workflows (a daemon). Creates the metadata objects on its first start.
    Orchestrator(OrchestratorArguments),
    /// Run tasks against the sources (a daemon). Start as many as you like, anywhere.
    Worker(WorkerArguments),
    /// Create workflows, look at them, and steer them.
    #[command(subcommand)]
    Workflow(WorkflowCommand),
    /// Both roles in one process until one workflow is complete. The same command continues an interrupted run. Other open
    /// workflows of its affinity go on with it meanwhile; it says which.
    Run(RunArguments),
    /// Check whether everything is there that the roles need, and say what to do about what is not. Changes nothing.
    ///
    /// Exit codes: 0 all is well (there may be warnings), 1 something is missing, 2 a configuration was refused, 3 Snowflake or
    /// the source cannot be reached or refuses the login.
    Doctor(DoctorArguments),
    /// The same as `workflow create`.
    #[command(name = "create-data-migration-workflow")]
    CreateDataMigrationWorkflow(CreateArguments),
}

#[derive(Debug, Args)]
pub struct OrchestratorArguments {
    /// Optional configuration (TOML): intervals, leases, concurrency; see configs/orchestrator.toml.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Connection of Snowflake's connections.toml, whatever the configuration says [environment, where neither says it:
    /// SNOWFLAKE_CONNECTION_NAME].
    #[arg(long, value_name = "NAME")]
    pub connection_name: Option<String>,
    /// Only workflows with this affinity or none are driven, whatever the configuration says [environment, where neither
    /// says it: DATA_MIGRATION_ORCHESTRATOR_AFFINITY].
    #[arg(long, value_name = "TEXT")]
    pub affinity: Option<String>,
    /// How logs are written.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArgument>,
}

#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// Show all workers: what they do, and when they gave a sign of life.
    List(ListArguments),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WorkerArguments {
    #[command(subcommand)]
    pub command: Option<WorkerCommand>,
    /// The worker's configuration (TOML); see configs/configuration.toml.
    #[arg(
        short = 'c',
        long,
        value_name = "FILE",
        default_value = "configuration.toml"
    )]
    pub config: PathBuf,
    /// Tasks processed at once; wins over max_parallel_tasks.
    #[arg(short = 'w', long = "max-parallel-tasks", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_parallel_tasks: Option<u16>,
    /// Seconds between two attempts to fetch tasks when idle; wins over task_fetch_interval.
    #[arg(short = 'i', long = "task-fetch-interval", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub task_fetch_interval: Option<u32>,
    /// How logs are written.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArgument>,
}

#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Create a workflow from a file; orchestrator and workers then work on it.
    Create(CreateArguments),
    /// List all workflows.
    List(ListArguments),
    /// Show one workflow with its tables.
    Status(StatusArguments),
    /// Begin nothing new: no task is claimed, no load starts. What runs ends and is stored.
    Pause(LeverArguments),
    /// Go on after a pause; without --table, tables that were paused by themselves go on too.
    Resume(LeverArguments),
    /// Give up for good what has not ended. What is loaded stays; running tasks are stopped, and a load that has begun is
    /// committed as a whole or not at all.
    Cancel(LeverArguments),
    /// Run again what failed, and what was cancelled with the whole workflow; with --table, these tables.
    Retry(LeverArguments),
    /// Print the JSON Schema of workflow files, for editors.
    Schema,
    /// Show what a workflow would do, table by table. Asks the source alone, and changes nothing.
    Plan(PlanArguments),
    /// Write a workflow file from the source's catalog: its tables, with the keys that they can be cut by.
    Generate(GenerateArguments),
}

#[derive(Debug, Args)]
pub struct WorkflowFileArguments {
    /// The workflow (JSON, or YAML by its ending); see configs/.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Platform of the source: redshift or postgresql.
    #[arg(long, value_name = "PLATFORM")]
    pub source_platform: String,
    /// The workflow's name: letters, digits and underscores.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// A bounded dry run: one partition of each table goes into the transient schema PREFLIGHT_<workflow id>.
    #[arg(long)]
    pub preflight: bool,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// The workflow (JSON, or YAML by its ending); see configs/.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub source: SourceArguments,
    /// Machine-readable, with all ranges.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct GenerateArguments {
    #[command(flatten)]
    pub source: SourceArguments,
    /// Only tables of this schema.
    #[arg(long, value_name = "SCHEMA")]
    pub schema: Option<String>,
    /// Only these tables: `sales_*`, `public.orders`; several with commas between, or the option again.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// The source's database, if it is not the configuration's.
    #[arg(long, value_name = "DATABASE")]
    pub database: Option<String>,
    /// The target's database; named like the source's otherwise.
    #[arg(long, value_name = "DATABASE")]
    pub target_database: Option<String>,
    /// The target's schema; named like the source's otherwise.
    #[arg(long, value_name = "SCHEMA")]
    pub target_schema: Option<String>,
    /// The file to write; standard output otherwise.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite the file.
    #[arg(long, requires = "output")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct SourceArguments {
    /// Platform of the source: redshift or postgresql.
    #[arg(long, value_name = "PLATFORM")]
    pub source_platform: String,
    /// The worker's configuration (TOML), which says how to reach the source.
    #[arg(
        short = 'c',
        long,
        value_name = "FILE",
        default_value = "configuration.toml"
    )]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub struct CreateArguments {
    #[command(flatten)]
    pub workflow: WorkflowFileArguments,
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Show progress until the workflow is complete.
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct ConnectionArguments {
    /// Connection of Snowflake's connections.toml [environment: SNOWFLAKE_CONNECTION_NAME].
    #[arg(long, value_name = "NAME")]
    pub connection_name: Option<String>,
}

#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Machine-readable.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// The workflow's name or id.
    #[arg(value_name = "NAME|ID")]
    pub workflow: String,
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Also list the errors of all partitions and tables.
    #[arg(long)]
    pub errors: bool,
    /// Machine-readable.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct LeverArguments {
    /// The workflow's name or id.
    #[arg(value_name = "NAME|ID")]
    pub workflow: String,
    /// Only this table: the source table as the workflow has it, its last part, or its number from 0. Several: the option
    /// again.
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Machine-readable.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub workflow: WorkflowFileArguments,
    /// The worker's configuration (TOML): sources, connection, concurrency.
    #[arg(
        short = 'c',
        long,
        value_name = "FILE",
        default_value = "configuration.toml"
    )]
    pub config: PathBuf,
    /// Connection of Snowflake's connections.toml; wins over the one in the configuration.
    #[arg(long, value_name = "NAME")]
    pub connection_name: Option<String>,
    /// How logs are written.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArgument>,
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// A workflow (JSON, or YAML by its ending): its tables are looked for on both sides.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The worker's configuration (TOML): its sources are checked too. With `--role orchestrator`, the orchestrator's.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the connection shall serve; both otherwise.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Option<RoleArgument>,
    /// Connection of Snowflake's connections.toml; wins over the one in the configuration.
    #[arg(long, value_name = "NAME")]
    pub connection_name: Option<String>,
    /// Platform of the workflow's source: redshift or postgresql; the configuration's if it has only one.
    #[arg(long, value_name = "PLATFORM")]
    pub source_platform: Option<String>,
    /// Machine-readable. `--json=FILE` writes it into a file, and the text stays.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option)] // The flag, and its file.
    pub json: Option<Option<PathBuf>>,
    /// Asks the account, in a schema that is dropped again, what Snowflake's documentation leaves open: about a minute of a
    /// warehouse. The JSON of it has every statement with its answer, without data, secrets or names: to be sent in.
    #[arg(long, conflicts_with_all = ["file", "source_platform"])]
    pub probe: bool,
    /// Also what takes six minutes more.
    #[arg(long, requires = "probe")]
    pub probe_long: bool,
}

/// [`crate::roles::doctor::Role`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// Drives workflows.
    Orchestrator,
    /// Runs tasks.
    Worker,
}

/// [`LogFormat`] as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormatArgument {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl From<LogFormatArgument> for LogFormat {
    fn from(argument: LogFormatArgument) -> Self {
        match argument {
            LogFormatArgument::Auto => Self::Auto,
            LogFormatArgument::Human => Self::Human,
            LogFormatArgument::Json => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
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
}
