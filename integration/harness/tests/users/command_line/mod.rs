//! Commands, flags, and what they print.

mod affinity;
mod flags;
mod help;
mod lists;
mod workflows;

use crate::site::{DEADLINE, Site};
use snowhaul_integration::Running;

/// A running role: it must have come to `line`.
fn role(site: &Site<'_>, arguments: &[&str], line: &str) -> Running {
    let running = site
        .command(arguments)
        .env("RUST_LOG", "snowhaul=info")
        .start();
    running.wait_to_say(line, DEADLINE);
    running
}
