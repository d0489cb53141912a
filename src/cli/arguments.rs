//! The command line's arguments.

use super::logging::LogArguments;
use crate::domain::problem::Code;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Moves whole tables from Amazon Redshift and PostgreSQL into Snowflake: resumable, exactly once.
///
/// Exit codes: 0 done (all tables loaded), 1 some table failed, 2 refused configuration or usage, 3 Snowflake or the
/// source cannot be reached, 4 no table failed but some were cancelled by an operator, 130 stopped by a signal before the end (nothing is lost: start again).
#[derive(Debug, Parser)]
#[command(name = "snowhaul", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the process's arguments, also as users of the reference tool write them after the name of its module: a worker's
    /// flags without a command, or after `run`. What is wrong ends the process.
    pub fn read(given: impl IntoIterator<Item = OsString>) -> Self {
        Self::try_read(given.into_iter().collect()).unwrap_or_else(|error| refuse(&error))
    }

    fn try_read(given: Vec<OsString>) -> Result<Self, clap::Error> {
        let as_worker = |rest: usize| {
            let own = given.iter().take(1).cloned();
            own.chain(["worker".into()])
                .chain(given.iter().skip(rest).cloned())
        };
        let first = given.get(1).and_then(|word| word.to_str()).unwrap_or("");
        if first.starts_with('-') && !["-h", "--help", "-V", "--version"].contains(&first) {
            return Self::try_parse_from(as_worker(1));
        }
        let parsed = Self::try_parse_from(&given);
        match parsed {
            // Both roles in one process need a workflow's file, which is not an argument of a worker.
            Err(error) if first == "run" && error.use_stderr() => {
                Self::try_parse_from(as_worker(2)).map_err(|_| error)
            }
            parsed => parsed,
        }
    }
}

/// Ends the process: with what was asked for, such as the help, or with what is wrong.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let coded = format!("error: {} ", Code::USAGE);
    let text = error.render().to_string();
    eprint!("{}", text.replacen("error: ", &coded, 1));
    std::process::exit(error.exit_code())
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive workflows (a daemon). Creates the metadata objects on its first start.
    #[command(alias = "start")]
    Orchestrator(OrchestratorArguments),
    /// Run tasks against the sources (a daemon). Start as many as you like, anywhere.
    Worker(WorkerArguments),
    /// Create, show and control workflows.
    #[command(subcommand)]
    Workflow(WorkflowCommand),
    /// Both roles in one process until one workflow is complete. The same command continues an interrupted run. Other open
    /// workflows of its affinity are continued meanwhile; it lists them.
    Run(RunArguments),
    /// Check whether everything that the roles need exists, and say how to fix what does not. Changes nothing.
    ///
    /// Exit codes: 0 all is well (there may be warnings), 1 something is missing, 2 a configuration was refused, 3 Snowflake or
    /// the source cannot be reached or refuses the login.
    #[command(alias = "test")]
    Doctor(DoctorArguments),
    /// The same as `workflow create`.
    #[command(name = "create-data-migration-workflow")]
    CreateDataMigrationWorkflow(CreateArguments),
    /// Not supported yet.
    #[command(name = "create-data-validation-workflow", hide = true)]
    CreateDataValidationWorkflow(Everything),
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
    /// Only workflows with this affinity or none are driven; `*` stands for any characters (`dev-*`). Whatever the configuration says [environment, where neither
    /// says it: DATA_MIGRATION_ORCHESTRATOR_AFFINITY].
    #[arg(long, value_name = "TEXT")]
    pub affinity: Option<String>,
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// Show all workers: what they do, and when they were last seen.
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
    #[arg(short = 'i', long = "task-fetch-interval", alias = "interval", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub task_fetch_interval: Option<u32>,
    #[command(flatten)]
    pub logs: LogArguments,
    #[command(flatten)]
    pub habits: WorkerHabits,
}

/// Flags of workers that users have in their scripts.
#[derive(Debug, Args)]
pub struct WorkerHabits {
    /// Has no effect: files are streamed.
    #[arg(long, value_name = "DIRECTORY", hide = true)]
    pub local_results_directory: Option<PathBuf>,
    /// The same as --log-level debug.
    #[arg(short = 'd', long, hide = true, conflicts_with = "log_level")]
    pub debug: bool,
    /// Has no effect.
    #[arg(long, hide = true)]
    pub no_server: bool,
    /// Has no effect.
    #[arg(short = 'p', long, value_name = "PORT", hide = true)]
    pub port: Option<u16>,
}

/// Any words.
#[derive(Debug, Args)]
pub struct Everything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Create a workflow from a file; orchestrator and workers then work on it.
    Create(CreateArguments),
    /// List all workflows.
    List(ListArguments),
    /// Show one workflow with its tables.
    Status(StatusArguments),
    /// Start nothing new: no task is claimed, no load starts. What is running ends and is stored.
    Pause(OperatorArguments),
    /// Continue after a pause; without --table, also tables that were paused one by one.
    Resume(OperatorArguments),
    /// Cancel a workflow, or tables of it. Loaded rows stay; running tasks are stopped, and a load that has begun is
    /// committed as a whole or not at all.
    Cancel(OperatorArguments),
    /// Run again what failed, and what was cancelled with the whole workflow; with --table, these tables.
    Retry(OperatorArguments),
    /// Print the JSON Schema of workflow files, for editors.
    Schema,
    /// Show what a workflow would do, table by table. Asks only the source, and changes nothing.
    Plan(PlanArguments),
    /// Write a workflow file from the source's catalog: its tables, with the keys to partition them by.
    Generate(GenerateArguments),
}

#[derive(Debug, Args)]
pub struct WorkflowFileArguments {
    /// The workflow (JSON, or YAML by its ending); see configs/.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Platform of the source: redshift, postgresql or sqlserver.
    #[arg(long, value_name = "PLATFORM")]
    pub source_platform: String,
    /// The workflow's name: letters, digits and underscores; made from the file's name and a number if it is omitted.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
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
    /// Only these tables: `sales_*`, `public.orders`; separate several with commas, or repeat the option.
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
    /// Platform of the source: redshift, postgresql or sqlserver.
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
pub struct OperatorArguments {
    /// The workflow's name or id.
    #[arg(value_name = "NAME|ID")]
    pub workflow: String,
    /// Only this table: the source table as the workflow has it, its last part, or its number from 0. Repeat the option for
    /// several.
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
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// A workflow (JSON, or YAML by its ending): its tables are checked on both sides.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The worker's configuration (TOML): its sources are checked too. With `--role orchestrator`, the orchestrator's.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the connection is for; both otherwise.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Option<RoleArgument>,
    /// Connection of Snowflake's connections.toml; wins over the one in the configuration.
    #[arg(long, value_name = "NAME")]
    pub connection_name: Option<String>,
    /// Platform of the workflow's source: redshift, postgresql or sqlserver; the configuration's if it has only one.
    #[arg(long, value_name = "PLATFORM")]
    pub source_platform: Option<String>,
    /// Machine-readable. `--json=FILE` writes it into a file, and the text is printed as usual.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option)] // The flag, and its file.
    pub json: Option<Option<PathBuf>>,
    /// Ask the account, in a schema that is dropped afterwards, what Snowflake's documentation leaves open: about a minute of a
    /// warehouse. The JSON of it has every statement with its answer, without data, secrets or names: to be sent in.
    #[arg(long, conflicts_with_all = ["file", "source_platform"])]
    pub probe: bool,
    /// Also run the probes that take six minutes more.
    #[arg(long, requires = "probe")]
    pub probe_long: bool,
}

/// [`crate::app::doctor::Role`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// Drives workflows.
    Orchestrator,
    /// Runs tasks.
    Worker,
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
