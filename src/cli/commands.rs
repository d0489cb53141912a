//! The command line's commands: each is delegated to the function that runs it.

use super::Ending;
use super::arguments::*;
use super::role_commands::{run_orchestrator, run_standalone, run_worker};
use super::workflow_commands::{create, list, list_workers, status};
use super::{doctor, operator_commands, source_commands};
use crate::app::AppError;
use crate::config;
use crate::domain::problem::Code;
use crate::domain::request::OperatorCommand;

/// Runs a command.
pub(super) async fn run(arguments: Arguments) -> Result<Ending, AppError> {
    match arguments.command {
        Command::Orchestrator(arguments) => run_orchestrator(arguments).await,
        Command::Worker(WorkerArguments {
            command: Some(WorkerCommand::List(arguments)),
            ..
        }) => list_workers(arguments).await,
        Command::Worker(arguments) => run_worker(arguments).await,
        Command::Workflow(WorkflowCommand::Create(arguments))
        | Command::CreateDataMigrationWorkflow(arguments) => create(arguments).await,
        Command::CreateDataValidationWorkflow(_) => Err(AppError::refused(
            Code::DATA_VALIDATION
                .problem("data validation workflows are not supported yet, and nothing was written")
                .hint("a migration counts what it loads and compares it with what was extracted; compare further with your own queries on both sides"),
        )),
        Command::Workflow(WorkflowCommand::List(arguments)) => list(arguments).await,
        Command::Workflow(WorkflowCommand::Status(arguments)) => status(arguments).await,
        Command::Workflow(WorkflowCommand::Pause(arguments)) => {
            operator_commands::submit(OperatorCommand::Pause, arguments).await
        }
        Command::Workflow(WorkflowCommand::Resume(arguments)) => {
            operator_commands::submit(OperatorCommand::Resume, arguments).await
        }
        Command::Workflow(WorkflowCommand::Cancel(arguments)) => {
            operator_commands::submit(OperatorCommand::Cancel, arguments).await
        }
        Command::Workflow(WorkflowCommand::Retry(arguments)) => {
            operator_commands::submit(OperatorCommand::Retry, arguments).await
        }
        Command::Workflow(WorkflowCommand::Schema) => {
            println!("{:#}", config::json_schema::workflow_schema());
            Ok(Ending::Done)
        }
        Command::Workflow(WorkflowCommand::Plan(arguments)) => {
            source_commands::plan(arguments).await
        }
        Command::Workflow(WorkflowCommand::Generate(arguments)) => {
            source_commands::generate(arguments).await
        }
        Command::Run(arguments) => run_standalone(arguments).await,
        Command::Doctor(arguments) => doctor::examine(arguments).await,
    }
}
