//! Where things are: the checkout, the Python environment, the binary under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
pub(crate) fn root() -> &'static Path {
    // integration/harness is two levels down.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or_else(|| panic!("the harness is not in integration/harness of a checkout"))
}

/// Python with what `integration/requirements.txt` lists, able to import the packages of `integration/`.
pub(crate) fn python() -> Command {
    let environment =
        env::var_os("SNOWHAUL_VENV").map_or_else(|| cache_directory().join("venv"), PathBuf::from);
    let python = environment.join("bin/python");
    assert!(
        python.exists(),
        "the Python environment of the stand-ins is missing ({}): run scripts/setup",
        python.display()
    );
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", root().join("integration"))
        // Compiled once, and not into the checkout.
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env("PYTHONPYCACHEPREFIX", profile_directory().join("python"));
    command
}

/// Where `scripts/setup` registers ODBC drivers for tests and the demo: those of the system, and Microsoft's.
pub(crate) fn odbc_directory() -> PathBuf {
    cache_directory().join("odbc")
}

/// As scripts/lib.sh has it.
fn cache_directory() -> PathBuf {
    env::var_os("SNOWHAUL_CACHE").map_or_else(
        || {
            let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
            caches.unwrap_or_else(home).join("snowhaul")
        },
        PathBuf::from,
    )
}

/// `target/<profile>`: a test's executable is in its `deps`, a program's in itself.
pub(crate) fn profile_directory() -> PathBuf {
    let program =
        env::current_exe().unwrap_or_else(|error| panic!("where this runs from: {error}"));
    let directory = program.parent().map(|parent| match parent.file_name() {
        Some(name) if name == "deps" => parent.parent().unwrap_or(parent),
        _ => parent,
    });
    directory
        .unwrap_or_else(|| panic!("{} is not in target/<profile>", program.display()))
        .to_owned()
}

/// Where directories of tests are made: `SNOWHAUL_SCRATCH`, for those who want to find them, or one below the
/// executables.
pub(crate) fn scratch_directory() -> PathBuf {
    env::var_os("SNOWHAUL_SCRATCH")
        .map_or_else(|| profile_directory().join("integration"), PathBuf::from)
}

/// What local Snowflakes have learned of statements, for those that are started later.
pub(crate) fn translations_directory() -> PathBuf {
    profile_directory().join("translations")
}

/// The binary under test, which Cargo does not build for another package's tests.
pub(crate) fn binary() -> PathBuf {
    let binary = profile_directory().join("snowhaul");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --bin snowhaul` (with --release, if the tests run so) before the integration tests, as scripts/test does",
        binary.display()
    );
    binary
}
