//! What happened, when, and how often; and what is wrong.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The campaign's record, shared by its threads.
pub struct Journal {
    began: Instant,
    directory: PathBuf,
    file: Mutex<File>,
    counts: Mutex<BTreeMap<String, u64>>,
    findings: Mutex<Vec<String>>,
}

impl Journal {
    /// A record in `directory`, which must be there.
    pub fn new(directory: &Path) -> Self {
        let path = directory.join("events.log");
        let file =
            File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            began: Instant::now(),
            directory: directory.to_owned(),
            file: Mutex::new(file),
            counts: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// How long the campaign runs.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes a line with the time since the beginning.
    pub fn event(&self, text: &str) {
        let line = format!("{:9.3} {text}\n", self.elapsed().as_secs_f64());
        // The campaign does not end for a full disk of its own record.
        let _ = lock(&self.file).write_all(line.as_bytes());
    }

    /// Counts for the summary.
    pub fn count(&self, what: &str, number: u64) {
        *lock(&self.counts).entry(what.to_owned()).or_default() += number;
    }

    /// Something that must not be.
    pub fn finding(&self, text: &str) {
        self.event(&format!("FINDING {text}"));
        eprintln!("FINDING {text}");
        lock(&self.findings).push(text.to_owned());
    }

    /// Writes a file beside the record.
    pub fn keep(&self, name: &str, contents: &str) {
        if let Err(error) = fs::write(self.directory.join(name), contents) {
            self.event(&format!("{name} could not be kept: {error}"));
        }
    }

    /// Adds to a file beside the record.
    pub fn append(&self, name: &str, contents: &str) {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join(name));
        if let Err(error) = file.and_then(|mut file| file.write_all(contents.as_bytes())) {
            self.event(&format!("{name} could not be kept: {error}"));
        }
    }

    /// The totals, one a line.
    pub fn summary(&self) -> String {
        let counts = lock(&self.counts);
        let lines = counts
            .iter()
            .map(|(what, number)| format!("{number:9}  {what}\n"));
        lines.collect()
    }

    /// All that is wrong.
    pub fn findings(&self) -> Vec<String> {
        lock(&self.findings).clone()
    }
}

/// A lock that a failed thread has held serves on: what it guards is whole at any time.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
