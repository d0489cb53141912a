//! Workflows one after the other, of the same tables.

use crate::checks;
use crate::fleet::at;
use crate::journal::Journal;
use crate::site::{METADATA, Site};
use crate::tables::{LANES, Lane, Table, Writes};
use crate::writer::{Writing, quiet};
use serde_json::{Value, json};
use snowhaul_integration::Snowhaul;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Of the runs of a lane that is written to, every one of so many keeps the writers out, and is compared.
const COMPARED: u64 = 3;
/// How long a run may take when nothing breaks any more.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long a command may take; the servers may be away.
const COMMAND: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_secs(1);

/// Runs a lane's workflows until writing is over, and then a last one.
///
/// # Errors
/// Why it could not go on.
pub fn drive(
    place: usize,
    site: &Site,
    writing: &Writing,
    journal: &Journal,
) -> Result<(), String> {
    let lane = &LANES[place];
    let (mut account, mut source) = (site.account(), site.source_client());
    for run in 0.. {
        let is_last = writing.is_over.load(Ordering::SeqCst);
        let is_written = lane
            .tables
            .iter()
            .any(|table| table.writes != Writes::Nothing);
        let is_compared = is_last || !is_written || run % COMPARED == COMPARED - 1;
        // Writers stay out from here to the comparison.
        let _quiet = is_compared.then(|| quiet(writing, place));
        let target = if lane.name == "none" {
            format!("T_NONE_{run}")
        } else {
            format!("T_{}", lane.name.to_uppercase())
        };
        if lane.name == "full_replace" && run > 0 {
            for table in lane.tables {
                writing.change_once(&mut source, table)?;
            }
        }
        let name = format!("{}_{run}", lane.name);
        let file = format!("{name}.json");
        site.replace(&file, &workflow(site, lane, &target).to_string());
        journal.event(&format!(
            "{name} begins{}",
            if is_compared { ", to be compared" } else { "" }
        ));
        create(site, &mut account, lane, &name, &file, journal)?;
        wait(&mut account, &name, writing, journal)?;
        checks::check_workflow(&mut account, &name, journal)?;
        if is_compared {
            for table in lane.tables {
                table.compare(&mut source, &mut account, &target, journal)?;
            }
            journal.count("workflows compared", 1);
        }
        if lane.name == "none" {
            account.rows(&format!("DROP DATABASE IF EXISTS {target}"))?;
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

fn workflow(site: &Site, lane: &Lane, target: &str) -> Value {
    let entry = |table: &Table| table.entry((lane.synchronization)());
    json!({
        "cleanUpTransientResources": "always",
        "defaultTableConfiguration": {
            "source": {"databaseName": site.database.name(), "schemaName": "public"},
            "target": {"databaseName": target, "schemaName": "PUBLIC"},
        },
        "tables": lane.tables.iter().map(entry).collect::<Vec<_>>(),
    })
}

/// Creates the workflow by the command that users have; one that could not tell whether it did is looked at.
fn create(
    site: &Site,
    account: &mut crate::site::Client,
    lane: &Lane,
    name: &str,
    file: &str,
    journal: &Journal,
) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let file = site.file(file);
        let file = file.to_string_lossy();
        let platform = ["--source-platform", lane.platform, "--name", name];
        let words = ["workflow", "create", &file].into_iter().chain(platform);
        let ended = at(site, Snowhaul::new(words)).run(COMMAND);
        if ended.code() == Some(0) {
            return Ok(());
        }
        let query = format!(
            "SELECT COUNT(*) FROM {METADATA}.DATA_MIGRATION.WORKFLOW WHERE NAME = '{name}'"
        );
        // The metadata may not be there yet.
        let count = account
            .try_rows(&query)
            .ok()
            .and_then(|rows| rows.first()?.first()?.clone());
        if count.as_deref() == Some("1") {
            journal.event(&format!(
                "{name} was created though the command said {}",
                ended.stderr.trim()
            ));
            journal.count("creations whose command could not tell", 1);
            return Ok(());
        }
        if ended.code() != Some(3) && count.is_some() {
            journal.finding(&format!(
                "{name}: create ended with {:?}: {}",
                ended.code(),
                ended.stderr.trim()
            ));
        }
        if began.elapsed() > DEADLINE {
            return Err(format!("{name} cannot be created: {}", ended.stderr.trim()));
        }
        journal.count("creations that were repeated", 1);
        std::thread::sleep(POLL);
    }
}

/// Waits for the workflow's end; the deadline counts from the last fault.
fn wait(
    account: &mut crate::site::Client,
    name: &str,
    writing: &Writing,
    journal: &Journal,
) -> Result<(), String> {
    let query =
        format!("SELECT STATUS FROM {METADATA}.DATA_MIGRATION.WORKFLOW WHERE NAME = '{name}'");
    let mut calm = None;
    loop {
        let status = account
            .try_rows(&query)
            .ok()
            .and_then(|rows| rows.first()?.first()?.clone());
        if status.as_deref() == Some("COMPLETED") {
            return Ok(());
        }
        if writing.is_over.load(Ordering::SeqCst) {
            let since = *calm.get_or_insert_with(Instant::now);
            if since.elapsed() > DEADLINE {
                let stuck = checks::describe_stuck(account, name);
                journal.finding(&format!(
                    "{name} does not end though nothing breaks any more:\n{stuck}"
                ));
                return Err(format!("{name} is stuck"));
            }
        }
        std::thread::sleep(POLL);
    }
}
