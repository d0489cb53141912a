//! The sources that a worker's file names.

use super::AppError;
use crate::config::worker::WorkerConfig;
use crate::domain::problem::Code;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;
use crate::platform::{self, SourcePlatform};
use crate::source::{self, SourceErrorKind};
use std::collections::BTreeMap;

/// Logs in to each source once, and reports all that fail.
///
/// # Errors
/// All logins that fail.
pub async fn check_sources(sources: &BTreeMap<Platform, SourceSettings>) -> Result<(), AppError> {
    let (mut problems, mut refused) = (Vec::new(), true);
    for (platform, settings) in sources {
        let Some(dialect) = platform::source(*platform) else {
            problems.push(
                Code::UNSUPPORTED_PLATFORM
                    .problem("this platform is not supported yet")
                    .hint("remove the section")
                    .at(format!("[connections.source.{platform}]")),
            );
            continue;
        };
        let settings = settings.clone();
        let checked = tokio::task::spawn_blocking(move || source::check(&settings, dialect)).await;
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                // Waiting fixes neither; what else fails may be the network's or the server's doing.
                refused &= matches!(
                    error.kind,
                    SourceErrorKind::NoSuchObject | SourceErrorKind::DriverMissing
                );
                problems.push(error.problem.at(format!("[connections.source.{platform}]")));
            }
            Err(error) => return Err(AppError::internal(error.to_string())),
        }
    }
    match (problems.is_empty(), refused) {
        (true, _) => Ok(()),
        (false, true) => Err(AppError::refused(problems)),
        (false, false) => Err(AppError::Unreachable(problems.into())),
    }
}

/// The source's settings of a worker that the command line asks for, once a login has shown that they work.
///
/// # Errors
/// When there are none for the platform, or the login fails.
pub async fn reach(
    worker: &WorkerConfig,
    platform: Platform,
) -> Result<(SourceSettings, &'static dyn SourcePlatform), AppError> {
    let settings = worker
        .source(platform)
        .map_err(|problem| AppError::refused(problem.at("the worker's configuration")))?;
    let dialect = platform::supported(platform)
        .map_err(|why| AppError::refused(Code::UNSUPPORTED_PLATFORM.says(why)))?;
    check_sources(&BTreeMap::from([(platform, settings.clone())])).await?;
    Ok((settings.clone(), dialect))
}
