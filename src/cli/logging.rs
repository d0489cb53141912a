//! A role's log settings: flags over the configuration over the environment.

use super::inputs::{log_warnings, variable};
use crate::app::AppError;
use crate::config::environment;
use crate::domain::log_format::LogFormat;
use crate::domain::problem::Code;
use crate::telemetry::logs::{LogSettings, LogSink, start};
use clap::{Args, ValueEnum};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// The role that logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logs {
    /// An orchestrator's, or those of both roles in one process.
    Orchestrator,
    /// A worker's.
    Worker,
}

impl Logs {
    /// The variable that names the directory of the log file.
    fn directory_variable(self) -> &'static str {
        match self {
            Self::Orchestrator => "DATA_MIGRATION_ORCHESTRATOR_LOGS_DIR",
            Self::Worker => "DATA_EXCHANGE_AGENT_LOGS_DIR",
        }
    }

    /// The file in it; collectors of logs look for this name.
    fn file_name(self) -> &'static str {
        match self {
            Self::Orchestrator => "data_migration_orchestrator.log",
            Self::Worker => "data_exchange_agent.log",
        }
    }
}

#[derive(Clone, Debug, Default, Args)]
pub struct LogArguments {
    /// How logs are written.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArgument>,
    /// How much is logged; wins over RUST_LOG.
    #[arg(long, value_enum, value_name = "LEVEL", ignore_case = true)]
    pub log_level: Option<LogLevel>,
    /// Append logs to this file too; it and its directory are created. [environment:
    /// DATA_MIGRATION_ORCHESTRATOR_LOGS_DIR or, for a worker, DATA_EXCHANGE_AGENT_LOGS_DIR: the directory of a file]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Where logs go: without a file named, into logs/ of the current directory; both otherwise, if a file is named.
    #[arg(long, value_enum, value_name = "PLACE")]
    pub log_destination: Option<LogDestination>,
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

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What helps to find a mistake of snowhaul.
    Debug,
    /// What happens.
    Info,
    /// What users should know.
    #[value(alias = "warn")]
    Warning,
    /// What failed.
    #[value(alias = "critical")]
    Error,
}

impl LogLevel {
    /// Libraries log less: their messages may hold what nobody should read.
    fn filter(self) -> &'static str {
        match self {
            Self::Debug => "warn,snowhaul=debug",
            Self::Info => "warn,snowhaul=info",
            Self::Warning => "warn",
            Self::Error => "error",
        }
    }
}

/// Where logs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogDestination {
    /// Standard output (standard error while progress is shown).
    Stdout,
    /// A file.
    File,
    /// Both.
    Both,
}

/// Starts a role's logs, and logs what of the environment is ignored.
pub(super) fn start_logs(
    arguments: &LogArguments,
    of: Logs,
    format: LogFormat,
    sink: LogSink,
    default: &str,
) -> Result<(), AppError> {
    let path = log_file(arguments, of, &variable);
    let file = path.as_deref().map(open).transpose()?;
    let is_console = arguments.log_destination != Some(LogDestination::File);
    start(LogSettings {
        format,
        sink: is_console.then_some(sink),
        file,
        level: arguments.log_level.map(LogLevel::filter),
        default,
    });
    if let Some(line) = environment::ignored(&variable) {
        log_warnings(&[Code::NO_EFFECT.problem(line)]);
    }
    Ok(())
}

/// The file that logs go to.
fn log_file(
    arguments: &LogArguments,
    of: Logs,
    var: &dyn Fn(&str) -> Option<String>,
) -> Option<PathBuf> {
    let wanted = arguments.log_destination;
    if wanted == Some(LogDestination::Stdout) {
        return None;
    }
    let in_directory = |directory: PathBuf| directory.join(of.file_name());
    let named = arguments.log_file.clone();
    let named = named.or_else(|| {
        var(of.directory_variable())
            .map(PathBuf::from)
            .map(in_directory)
    });
    let named = named.or_else(|| wanted.map(|_| in_directory(PathBuf::from("logs"))))?;
    // A shell has done that for flags already, but not for variables and `--log-file=~/…`.
    match (named.strip_prefix("~"), var("HOME")) {
        (Ok(rest), Some(home)) => Some(Path::new(&home).join(rest)),
        _ => Some(named),
    }
}

fn open(path: &Path) -> Result<File, AppError> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let created = directory.map_or(Ok(()), fs::create_dir_all);
    let opened = created.and_then(|()| OpenOptions::new().append(true).create(true).open(path));
    opened.map_err(|error| {
        AppError::refused(
            Code::FILE_NOT_WRITABLE
                .problem(format!(
                    "the log file {} cannot be written: {error}",
                    path.display()
                ))
                .hint("name another with --log-file, or --log-destination stdout for none"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_the_file_or_else_a_variable_its_directory_and_nobody_gets_one_unasked() {
        use LogDestination::{Both, File, Stdout};
        let variables = |name: &str| match name {
            "DATA_MIGRATION_ORCHESTRATOR_LOGS_DIR" => Some("~/logs".to_owned()),
            "DATA_EXCHANGE_AGENT_LOGS_DIR" => Some("/var/log".to_owned()),
            "HOME" => Some("/home/u".to_owned()),
            _ => None,
        };
        let nothing = |_: &str| None;
        let place = |file: Option<&str>, wanted, of, var: &dyn Fn(&str) -> Option<String>| {
            let arguments = LogArguments {
                log_file: file.map(PathBuf::from),
                log_destination: wanted,
                ..LogArguments::default()
            };
            log_file(&arguments, of, var).map(|path| path.display().to_string())
        };
        let (orchestrator, worker) = (Logs::Orchestrator, Logs::Worker);
        for (file, wanted, of, expected) in [
            (
                None,
                None,
                orchestrator,
                Some("/home/u/logs/data_migration_orchestrator.log"),
            ),
            (None, None, worker, Some("/var/log/data_exchange_agent.log")),
            (Some("a.log"), None, worker, Some("a.log")),
            (Some("~/a.log"), Some(File), worker, Some("/home/u/a.log")),
            (Some("a.log"), Some(Stdout), worker, None),
        ] {
            let found = place(file, wanted, of, &variables);
            assert_eq!(found.as_deref(), expected, "{file:?} {wanted:?}");
        }
        assert_eq!(place(None, None, worker, &nothing), None);
        let asked = place(None, Some(Both), orchestrator, &nothing);
        assert_eq!(
            asked.as_deref(),
            Some("logs/data_migration_orchestrator.log")
        );
    }
}
