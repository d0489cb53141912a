//! What users type: arguments, commands, exit codes.

mod arguments;
mod commands;
mod doctor;
mod inputs;
mod logging;
mod operator_commands;
mod report;
mod role_commands;
mod source_commands;
mod workflow_commands;

use crate::app::AppError;
use crate::app::doctor::finding::Cause;
use crate::domain::problem::Code;
use arguments::Arguments;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How long the exit waits for threads that still run.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(1);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Everything asked for is done.
    Done,
    /// A table failed, or something failed inside.
    Failed,
    /// A configuration or the usage was refused.
    Refused,
    /// Snowflake or the source cannot be reached.
    Unreachable,
    /// No table failed, and some were cancelled by an operator.
    Cancelled,
    /// A signal came before the end; nothing is lost.
    Interrupted,
}

impl Ending {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Refused => 2,
            Self::Unreachable => 3,
            Self::Cancelled => 4,
            // As shells report a process that SIGINT has ended.
            Self::Interrupted => 130,
        }
    }
}

impl From<Cause> for Ending {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Configuration => Self::Refused,
            Cause::Unreachable => Self::Unreachable,
            Cause::Other => Self::Failed,
        }
    }
}

impl From<&AppError> for Ending {
    fn from(error: &AppError) -> Self {
        match error {
            AppError::Refused(_) => Self::Refused,
            AppError::Unreachable(_) => Self::Unreachable,
            AppError::Internal(_) => Self::Failed,
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    crate::failpoint::set_up();
    let arguments = Arguments::read(std::env::args_os());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let problem = Code::INTERNAL.problem(format!("no runtime: {error}"));
            eprintln!("error: {problem}");
            return ExitCode::from(Ending::Failed.code());
        }
    };
    let ending = match runtime.block_on(commands::run(arguments)) {
        Ok(ending) => ending,
        Err(error) => {
            for problem in &error.problems().0 {
                eprintln!("error: {problem}");
            }
            Ending::from(&error)
        }
    };
    runtime.block_on(crate::snowflake::close_all());
    // Not for ever: a thread that waits for the source does not hold up the exit.
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    leave(ending.code())
}

/// Ends the process at once, without the exit handlers of loaded libraries: ODBC drivers bring OpenSSL, whose handler
/// frees memory that a thread which is still ending, or waits in the driver, uses; the process then dies of a
/// segmentation fault after its work is done.
fn leave(code: u8) -> ! {
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // SAFETY: `_exit` has no preconditions; nothing of ours is left to an exit handler.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(code.into())
    }
}
