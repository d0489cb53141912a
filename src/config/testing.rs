//! What tests of settings share.

use crate::domain::problem::Problem;
use std::path::Path;

/// An environment of these variables.
pub(super) fn env<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

/// The problems as lines, each without the name of `file`, which it must have.
pub(super) fn lines(problems: &[Problem], file: &Path) -> Vec<String> {
    let file = file.display().to_string();
    let line = |problem: &Problem| {
        let place = problem.place.strip_prefix(&file);
        let place = place.expect("each problem names the file");
        let place = place.trim_start_matches(": ").to_owned();
        Problem {
            place,
            ..problem.clone()
        }
        .to_string()
    };
    problems.iter().map(line).collect()
}
