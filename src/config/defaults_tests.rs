//! The defaults as users read them: in README.md, docs/, actors.md and the comments of configs/*.toml.

use super::*;
use crate::domain::retry::RetryPolicy;
use crate::domain::table::Platform;
use crate::platform;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text")
}

/// README.md, actors.md and docs/, so that a sentence may move from one to another.
fn documents() -> String {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let pages = ["README.md", "actors.md"].map(|name| root().join(name));
    pages
        .into_iter()
        .chain(docs.filter(|path| path.extension().is_some_and(|end| end == "md")))
        .map(|path| text(&path))
        .collect()
}

#[track_caller]
fn assert_says(place: &str, text: &str, sentences: &[String]) {
    for sentence in sentences {
        assert!(text.contains(sentence), "{place} does not say: {sentence}");
    }
}

#[test]
fn the_numbers_in_documents_are_the_defaults() {
    // One number stands for both.
    assert_eq!(POLL_INTERVAL_MAX, TASK_FETCH_INTERVAL_MAX);
    assert_eq!(MAX_FAILURES, RetryPolicy::TASK.max_failures);
    assert_says(
        "a document",
        &documents(),
        &[
            format!("max_parallel_tasks = {MAX_PARALLEL_TASKS}\n"),
            format!("task_fetch_interval = {}\n", TASK_FETCH_INTERVAL.as_secs()),
            format!(
                "port = {}\n",
                platform::settings(Platform::Redshift).default_port()
            ),
            format!(
                "up to every {} s (`poll_interval_max`, `task_fetch_interval_max`)",
                POLL_INTERVAL_MAX.as_secs()
            ),
            format!(
                "a look every {} s keeps the warehouse awake",
                POLL_INTERVAL_MAX.as_secs()
            ),
            format!("the lease ({} s)", LEASE.as_secs()),
            format!("| `TASK` | | {MAX_FAILURES} failures"),
        ],
    );
}

#[test]
fn the_numbers_in_the_comments_of_the_examples_are_the_defaults() {
    let configs = root().join("configs");
    assert_eq!(REFRESHES_PER_LEASE, 4);
    assert_says(
        "configuration.toml",
        &text(&configs.join("configuration.toml")),
        &[format!(
            "(default: four intervals, and no less than {} s)",
            SHORTEST_DERIVED_LEASE.as_secs()
        )],
    );
    assert_says(
        "orchestrator.toml",
        &text(&configs.join("orchestrator.toml")),
        &[format!("is given up after {MAX_FAILURES})")],
    );
}
