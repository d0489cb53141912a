//! What users type: arguments, commands, exit codes.

mod arguments;
mod commands;

use crate::roles::RoleError;
use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

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
            // As shells tell of a process that SIGINT has ended.
            Self::Interrupted => 130,
        }
    }
}

impl From<&RoleError> for Ending {
    fn from(error: &RoleError) -> Self {
        match error {
            RoleError::Refused(_) => Self::Refused,
            RoleError::Unreachable(_) => Self::Unreachable,
            RoleError::Internal(_) => Self::Failed,
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::from(Ending::Failed.code());
        }
    };
    let ending = match runtime.block_on(commands::run(arguments)) {
        Ok(ending) => ending,
        Err(error) => {
            eprintln!("error: {error}");
            Ending::from(&error)
        }
    };
    // A thread that waits for the source does not hold up the exit.
    runtime.shutdown_background();
    ExitCode::from(ending.code())
}
