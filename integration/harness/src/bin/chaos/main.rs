//! `scripts/chaos`: workflows of all strategies while processes, servers and the network between them break, as a seed
//! says; then every row of both sides is compared. Ends with 1 if something is wrong.
//!
//! | module | |
//! |---|---|
//! | [`script`] | which faults come: pure |
//! | [`faults`], [`fleet`] | break and mend; the processes of snowhaul |
//! | [`site`] | the servers, the proxies before them, the checks' own clients |
//! | [`tables`], [`writer`] | what is moved, compared, and changed meanwhile |
//! | [`lanes`], [`checks`] | workflows one after the other, and what must hold after each |
//! | [`journal`] | the record, the totals, the findings |

mod checks;
mod faults;
mod fleet;
mod journal;
mod lanes;
mod script;
mod site;
mod tables;
mod writer;

use journal::Journal;
use script::Script;
use site::Site;
use snowhaul_integration::Proxy;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tables::LANES;
use writer::{WRITERS, Writing};

struct Arguments {
    length: Duration,
    seed: u64,
    logs: PathBuf,
}

/// What `scripts/chaos` passes on: minutes, seed and the directory of the logs.
fn arguments() -> Option<Arguments> {
    let mut words = std::env::args().skip(1);
    let minutes: f64 = words.next()?.parse().ok()?;
    let seed = words.next()?.parse().ok()?;
    let logs = words.next()?.into();
    Some(Arguments {
        length: Duration::try_from_secs_f64(minutes * 60.0).ok()?,
        seed,
        logs,
    })
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("usage: chaos MINUTES SEED LOGS; people call scripts/chaos");
        return ExitCode::from(2);
    };
    let journal = Journal::new(&arguments.logs);
    let site = Site::start();
    let sql = site.database.sql();
    for table in LANES.iter().flat_map(|lane| lane.tables) {
        table.create(&sql);
    }
    drop(sql);
    campaign(&arguments, &site, &journal);
    count_hits(&site, &journal);
    let findings = journal.findings();
    journal.count(
        "findings",
        u64::try_from(findings.len()).unwrap_or(u64::MAX),
    );
    let summary = journal.summary();
    journal.keep("summary.txt", &summary);
    println!("{summary}");
    if findings.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("what is wrong:\n{}", findings.join("\n"));
    keep_servers(&site, &arguments.logs);
    // Nothing is dropped: the directories stay. The source's cluster ends with this process.
    std::process::exit(1)
}

/// All threads of it end before it does.
fn campaign(arguments: &Arguments, site: &Site, journal: &Journal) {
    let writing = Writing::new();
    // Before the threads, which may fail: the processes end with this one.
    let mut faults = faults::Faults::new(site, journal);
    std::thread::scope(|scope| {
        let (writing, seed) = (&writing, arguments.seed);
        for number in 0..WRITERS {
            scope.spawn(move || writer::write(number, seed, site, writing, journal));
        }
        let lanes: Vec<_> = (0..LANES.len())
            .map(|place| {
                let drive = move || {
                    if let Err(error) = lanes::drive(place, site, writing, journal) {
                        journal.finding(&format!("{}: {error}", LANES[place].name));
                    }
                };
                scope.spawn(drive)
            })
            .collect();
        // Threads are waited for, also when this one fails.
        let abort = Abort(writing);
        let is_over =
            || journal.elapsed() > arguments.length || lanes.iter().all(|lane| lane.is_finished());
        for step in Script::new(arguments.seed) {
            faults.apply(&step, is_over);
            if is_over() {
                break;
            }
        }
        faults.end();
        writing.is_over.store(true, Ordering::SeqCst);
        while !lanes.iter().all(|lane| lane.is_finished()) {
            faults.mend();
            std::thread::sleep(Duration::from_millis(100));
        }
        std::mem::forget(abort);
        for (lane, of) in lanes.into_iter().zip(&LANES) {
            if lane.join().is_err() {
                journal.finding(&format!("the checks of {} failed: see above", of.name));
            }
        }
    });
    faults.end_processes();
    if let Err(error) = checks::check_the_end(&mut site.account(), journal) {
        journal.finding(&error);
    }
}

/// Makes all threads give up when it is dropped.
struct Abort<'a>(&'a Writing);

impl Drop for Abort<'_> {
    fn drop(&mut self) {
        self.0.is_aborted.store(true, Ordering::SeqCst);
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// HTTP faults count when a request was hit.
fn count_hits(site: &Site, journal: &Journal) {
    let hits = std::fs::read_to_string(site.file("faults.json.hits")).unwrap_or_default();
    for hit in hits
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
    {
        let what = match (hit["answer"].as_str(), hit["when"].as_str()) {
            (Some("expire" | "forget"), _) => "HTTP: all sessions expired or forgotten",
            (_, Some("after")) => "HTTP: replies lost after the effect",
            (Some(_), _) => "HTTP: connections reset before the effect",
            (None, _) => "HTTP: 500, 503 or 429 before the effect",
        };
        journal.count(what, 1);
    }
    journal.keep("http-hits.jsonl", &hits);
    let cuts = [script::Server::Snowflake, script::Server::Source]
        .into_iter()
        .flat_map(|server| site.proxies(server))
        .map(Proxy::num_cuts);
    journal.count("connections cut", cuts.sum());
}

/// What a finding is looked into with, beside the logs.
fn keep_servers(site: &Site, logs: &Path) {
    let snowflake = journal::lock(&site.snowflake);
    for file in ["statements.jsonl", "server.log"] {
        let _ = std::fs::copy(
            snowflake.home().join(file),
            logs.join(format!("snowflake-{file}")),
        );
    }
}
