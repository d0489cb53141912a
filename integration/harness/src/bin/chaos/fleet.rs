//! The processes of snowhaul: started, killed, stopped, and started again.

use crate::journal::Journal;
use crate::script::{ROLES, Role, WITH_CLOCK, WITHOUT_DISK};
use crate::site::{METADATA, Site};
use snowhaul_integration::{Running, Signal, Snowhaul};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a stop by SIGTERM may take, on a machine that is busy.
const DRAIN: Duration = Duration::from_secs(30);
/// Where Debian and others keep libfaketime.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// All processes; each is killed when this ends.
pub struct Fleet<'a> {
    site: &'a Site,
    journal: &'a Journal,
    faketime: PathBuf,
    processes: Vec<Option<Running>>,
}

impl<'a> Fleet<'a> {
    pub fn start(site: &'a Site, journal: &'a Journal) -> Self {
        let faketime = FAKETIME
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists());
        let faketime = faketime
            .unwrap_or_else(|| panic!("libfaketime is missing: run scripts/setup --for chaos"));
        let mut fleet = Self {
            site,
            journal,
            faketime,
            processes: ROLES.iter().map(|_| None).collect(),
        };
        for role in WITH_CLOCK {
            fleet.set_clock(role, 0);
        }
        for role in 0..ROLES.len() {
            fleet.launch(role);
        }
        fleet
    }

    fn clock(role: Role) -> String {
        format!("clock-{}", ROLES[role])
    }

    /// The process's clock is off by so many seconds from now on.
    pub fn set_clock(&self, role: Role, seconds: i64) {
        self.site
            .replace(&Self::clock(role), &format!("{seconds:+}\n"));
    }

    /// Starts a process that does not run.
    pub fn launch(&mut self, role: Role) {
        let name = ROLES[role];
        let (command, file) = match name.split_once('-') {
            Some(("orchestrator", _)) => ("orchestrator", "orchestrator.toml"),
            _ => ("worker", "configuration.toml"),
        };
        let arguments = [
            command.into(),
            "-c".into(),
            self.site.file(file).into_os_string(),
        ];
        let mut process = if role == WITHOUT_DISK {
            at(self.site, Snowhaul::without_disk(arguments))
        } else {
            at(self.site, Snowhaul::new(arguments))
        };
        if WITH_CLOCK.contains(&role) {
            // Read again every second; what counts time that passes stays as it is.
            process = process
                .env("LD_PRELOAD", &self.faketime)
                .env(
                    "FAKETIME_TIMESTAMP_FILE",
                    self.site.file(&Self::clock(role)),
                )
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        self.processes[role] = Some(process.start());
        self.journal.count("starts of processes", 1);
    }

    /// SIGKILL.
    pub fn kill(&mut self, role: Role) {
        if let Some(process) = self.processes[role].take() {
            // First, so that what it said is complete.
            process.signal(Signal::KILL);
            self.keep_log(role, &process, "killed");
        }
    }

    pub fn signal(&self, role: Role, signal: Signal) {
        if let Some(process) = &self.processes[role] {
            process.signal(signal);
        }
    }

    /// Whether a process that was told to terminate `since` then has ended: well, or as a finding.
    pub fn has_terminated(&mut self, role: Role, since: Instant) -> bool {
        let Some(process) = &mut self.processes[role] else {
            return true;
        };
        let (name, took) = (ROLES[role], since.elapsed());
        match process.ended() {
            None if took < DRAIN => return false,
            None => {
                let text = format!("{name} did not end within {DRAIN:?} of SIGTERM");
                self.journal.finding(&text);
            }
            Some(status) if status.success() => self.journal.event(&format!(
                "{name} has ended {:.1} s after SIGTERM",
                took.as_secs_f64()
            )),
            // It had just started, and did not listen for signals yet, or found a server away.
            Some(status)
                if status.code() == Some(3)
                    || status.signal() == Some(Signal::TERM.as_raw())
                        && has_said_nothing(process) =>
            {
                self.journal
                    .event(&format!("{name} has ended in its start: {status}"));
            }
            Some(status) => self
                .journal
                .finding(&format!("{name} ended with {status} after SIGTERM")),
        }
        if let Some(process) = self.processes[role].take() {
            self.keep_log(role, &process, "terminated");
        }
        true
    }

    /// Processes that have ended though nobody told them to; they start again.
    pub fn look_for_the_dead(&mut self) {
        for (role, name) in ROLES.iter().enumerate() {
            let Some(process) = &mut self.processes[role] else {
                continue;
            };
            let Some(status) = process.ended() else {
                continue;
            };
            let text = format!("{name} ended by itself with {status}");
            // As its users' service managers do.
            if status.code() == Some(3) {
                self.journal.event(&text);
                self.journal
                    .count("starts that found a server away, and were repeated", 1);
            } else {
                self.journal.finding(&text);
            }
            if let Some(process) = self.processes[role].take() {
                self.keep_log(role, &process, "ended by itself");
            }
            self.launch(role);
        }
    }

    /// Ends all, politely.
    pub fn end(mut self) {
        let since = Instant::now();
        for role in 0..ROLES.len() {
            self.signal(role, Signal::TERM);
        }
        while !(0..ROLES.len()).all(|role| self.has_terminated(role, since)) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn keep_log(&self, role: Role, process: &Running, how: &str) {
        let text = format!(
            "{}{}=== {how} at {:.3}\n",
            process.stdout(),
            process.stderr(),
            self.journal.elapsed().as_secs_f64()
        );
        self.journal.append(&format!("{}.log", ROLES[role]), &text);
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for role in 0..ROLES.len() {
            self.kill(role);
        }
    }
}

fn has_said_nothing(process: &Running) -> bool {
    process.stdout().is_empty() && process.stderr().is_empty()
}

/// A call of snowhaul that goes through the proxies.
pub fn at(site: &Site, call: Snowhaul) -> Snowhaul {
    call.env("SNOWFLAKE_HOME", site.home())
        .env("SNOWFLAKE_CONNECTION_NAME", "local")
        .metadata(METADATA)
}
