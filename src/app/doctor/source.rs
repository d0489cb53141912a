//! The source: driver manager, drivers, login, how the connection is protected, and each table of the workflow.

use super::account::clock;
use crate::app::doctor::finding::{Cause, Finding};
use crate::domain::problem::Code;
use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::TableSpec;
use crate::domain::table::Platform;
use crate::platform::Protection;
use crate::platform::{self, SourcePlatform};
use crate::source::{self, SourceError, SourceErrorKind, SourceFacts};
use chrono::Utc;
use std::collections::BTreeMap;

pub(super) async fn check(
    sources: &BTreeMap<Platform, SourceSettings>,
    workflow: Option<&(Platform, Vec<TableSpec>)>,
    findings: &mut Vec<Finding>,
) {
    if !drivers(findings) {
        findings.push(Finding::skipped("source", "odbc"));
        return;
    }
    let mut reached = Vec::new();
    for (platform, settings) in sources {
        let Some(dialect) = platform::source(*platform) else {
            findings.push(Finding::fail(
                "source",
                Code::UNSUPPORTED_PLATFORM,
                Cause::Configuration,
                format!("[connections.source.{platform}]: this platform is not supported yet"),
                "remove the section",
            ));
            continue;
        };
        if log_in(*platform, settings, dialect, findings).await {
            reached.push(*platform);
        }
    }
    let Some((platform, tables)) = workflow else {
        return;
    };
    let (Some(settings), Some(dialect), true) = (
        sources.get(platform),
        platform::source(*platform),
        reached.contains(platform),
    ) else {
        findings.push(Finding::skipped("source_table", "source"));
        return;
    };
    each_table(settings, dialect, tables, findings).await;
}

/// Whether there is a driver manager with drivers.
fn drivers(findings: &mut Vec<Finding>) -> bool {
    const INSTALL: &str = "on Debian: apt-get install unixodbc odbc-postgresql";
    match source::installed_drivers() {
        Ok(drivers) if drivers.is_empty() => {
            let message = "the driver manager works, and no driver is installed";
            findings.push(Finding::fail(
                "odbc",
                Code::SOURCE_DRIVER_MISSING,
                Cause::Configuration,
                message,
                INSTALL,
            ));
            false
        }
        Ok(drivers) => {
            findings.push(Finding::ok(
                "odbc",
                format!("drivers: {}", drivers.join(", ")),
            ));
            true
        }
        Err(error) => {
            findings.push(Finding::fail(
                "odbc",
                error.kind.code(),
                Cause::Configuration,
                error.problem.cause(),
                INSTALL,
            ));
            false
        }
    }
}

async fn log_in(
    platform: Platform,
    settings: &SourceSettings,
    dialect: &'static dyn SourcePlatform,
    findings: &mut Vec<Finding>,
) -> bool {
    let asked_of = settings.clone();
    let asked = Utc::now();
    let probed = tokio::task::spawn_blocking(move || source::probe(&asked_of, dialect)).await;
    let answered = Utc::now();
    match probed {
        Ok(Ok(facts)) => {
            findings.push(Finding::ok(
                "source",
                format!(
                    "{}: as {}, driver \"{}\", {}",
                    settings.place(),
                    settings.username,
                    facts.driver,
                    facts.server
                ),
            ));
            if let Some(weakness) = dialect.driver_weakness(&facts.driver) {
                findings.push(Finding::warn(
                    "source_driver",
                    Code::SOURCE_DRIVER_MISSING,
                    format!(
                        "{}: driver \"{}\" {weakness}",
                        settings.place(),
                        facts.driver
                    ),
                    dialect.driver_remedy(),
                ));
            }
            findings.push(protection(settings, dialect, &facts));
            if facts.is_pooled {
                findings.push(pooled(settings));
            }
            findings.push(clock(
                &format!("{platform}'s"),
                facts.clock,
                asked,
                answered,
            ));
            true
        }
        Ok(Err(error)) => {
            let message = format!("[connections.source.{platform}]: {}", error.problem.cause());
            findings.push(Finding::fail(
                "source",
                error.kind.code(),
                cause(&error),
                message,
                remedy(&error),
            ));
            false
        }
        Err(error) => {
            findings.push(Finding::fail(
                "source",
                Code::SOURCE_DRIVER_CRASHED,
                Cause::Other,
                format!("the driver ended unexpectedly: {error}"),
                "install the driver again, or another one",
            ));
            false
        }
    }
}

fn protection(
    settings: &SourceSettings,
    dialect: &dyn SourcePlatform,
    facts: &SourceFacts,
) -> Finding {
    let verify = dialect.verifying_remedy();
    let place = settings.place();
    match facts.protection {
        Protection::Verified => Finding::ok(
            "source_encryption",
            format!("{place}: encrypted, certificate verified"),
        ),
        Protection::Encrypted => Finding::warn(
            "source_encryption",
            Code::SOURCE_UNENCRYPTED,
            format!("{place}: encrypted, and the server's certificate is not verified"),
            verify,
        ),
        Protection::Clear if settings.is_loopback() => Finding::ok(
            "source_encryption",
            format!("{place}: not encrypted, on this machine"),
        ),
        Protection::Clear => Finding::warn(
            "source_encryption",
            Code::SOURCE_UNENCRYPTED,
            format!("{place}: not encrypted: passwords and rows can be read on the way"),
            format!("let the server offer TLS; {verify}"),
        ),
    }
}

fn pooled(settings: &SourceSettings) -> Finding {
    Finding::warn(
        "source_pooler",
        Code::SOURCE_POOLER,
        format!(
            "{}: a pooler gives each transaction whichever session of the server is free",
            settings.place()
        ),
        "nothing is set for a session, and each transaction checks that it has what it needs, so that this works; each running task holds one of the pool's sessions for as long as its statement takes: connect to the server itself where you can, or give the pool at least max_parallel_tasks sessions more",
    )
}

async fn each_table(
    settings: &SourceSettings,
    dialect: &'static dyn SourcePlatform,
    tables: &[TableSpec],
    findings: &mut Vec<Finding>,
) {
    let mut by_database: BTreeMap<String, Vec<TableSpec>> = BTreeMap::new();
    for spec in tables {
        let database = dialect.exact_name(&spec.source.database);
        by_database.entry(database).or_default().push(spec.clone());
    }
    for (database, tables) in by_database {
        let asked_of = platform::in_database(settings.clone(), &database);
        let specs = tables.clone();
        let probed =
            tokio::task::spawn_blocking(move || source::probe_tables(&asked_of, dialect, &specs))
                .await;
        match probed {
            Ok(Ok(answers)) => {
                for (spec, answer) in tables.iter().zip(answers) {
                    match answer {
                        Ok(probed) => {
                            findings.push(Finding::ok(
                                "source_table",
                                format!(
                                    "{} can be read: {} columns",
                                    spec.source, probed.num_columns
                                ),
                            ));
                            findings.extend(probed.warnings.iter().map(|warning| {
                                let (what, remedy) =
                                    warning.split_once("; ").unwrap_or((warning, ""));
                                Finding::warn(
                                    "source_table",
                                    Code::SOURCE_PRIVILEGE_MISSING,
                                    format!("{}: {what}", spec.source),
                                    remedy,
                                )
                            }));
                        }
                        Err(error) => findings.push(unreadable(&error)),
                    }
                }
            }
            Ok(Err(error)) => findings.push(unreadable(&error)),
            Err(error) => findings.push(Finding::fail(
                "source_table",
                Code::SOURCE_DRIVER_CRASHED,
                Cause::Other,
                format!("the driver ended unexpectedly: {error}"),
                "install the driver again, or another one",
            )),
        }
    }
}

fn cause(error: &SourceError) -> Cause {
    match error.kind {
        SourceErrorKind::DriverMissing => Cause::Configuration,
        SourceErrorKind::Unreachable | SourceErrorKind::Login => Cause::Unreachable,
        _ => Cause::Other,
    }
}

fn unreadable(error: &SourceError) -> Finding {
    Finding::fail(
        "source_table",
        error.kind.code(),
        cause(error),
        error.problem.cause(),
        remedy(error),
    )
}

/// What to do: nearly every failure says it.
fn remedy(error: &SourceError) -> &str {
    let hint = error.problem.hint.as_deref();
    hint.unwrap_or("fix at the source what the message says")
}
