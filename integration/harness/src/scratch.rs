//! Directories of tests.

use crate::places;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static SWEEP: Once = Once::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A directory in `target/<profile>/integration` or in `SNOWHAUL_SCRATCH`, deleted when it is dropped, unless the test fails: then its path is
/// printed.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// An empty directory; `name` is for people who look into a failed test's.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let all = places::scratch_directory();
        SWEEP.call_once(|| sweep(&all));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = all.join(format!("{}.{number}.{name}", process::id()));
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file (e.g. `workflow.json`) into the directory and gives its path.
    pub fn write(&self, name: &str, contents: &str) -> PathBuf {
        let file = self.path.join(name);
        fs::write(&file, contents).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the failed test left is in {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Deletes what earlier test processes left: failed ones, and killed ones.
fn sweep(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('.').next());
        if owner.is_none_or(|pid| Path::new("/proc").join(pid).exists()) {
            continue;
        }
        let path = entry.path();
        if path.join("cluster").is_symlink() || path.join("cluster").exists() {
            remove_cluster(path.as_os_str());
        }
        let _ = fs::remove_dir_all(path);
    }
}

/// A local Redshift has files outside of its directory where the server's user cannot reach that.
fn remove_cluster(data: &OsStr) {
    let script = places::root().join("scripts/local-redshift");
    let _ = Command::new(script)
        .args([OsStr::new("remove"), OsStr::new("--data"), data])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
