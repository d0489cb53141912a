//! What is found in a file, collected to its end.

use super::{ConfigErrors, Origin, Problem, placed};
use crate::domain::spelling::{closest_match, nearest};
use std::collections::BTreeSet;
use std::path::Path;

/// Problems and warnings of one file.
#[derive(Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Places whose value is wrong or has been offered for another key: not told a second time as missing.
    broken: BTreeSet<String>,
    /// What the problems that follow are about, e.g. `table public.orders`.
    pub(super) subject: Option<String>,
}

impl Findings {
    /// Adds a problem of the file, and takes its place as broken.
    pub(super) fn problem(&mut self, path: &str, message: impl AsRef<str>) {
        self.problem_of(Origin::File, path, message);
    }

    /// Adds a problem with a value that was set at `origin`.
    pub(super) fn problem_of(&mut self, origin: Origin, path: &str, message: impl AsRef<str>) {
        let message = match &self.subject {
            Some(subject) => format!("{subject}: {}", message.as_ref()),
            None => message.as_ref().to_owned(),
        };
        self.broken.insert(path.to_owned());
        let problem = Problem {
            origin,
            path: path.to_owned(),
            message,
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Adds a warning about the file.
    pub(super) fn warning(&mut self, path: &str, message: impl AsRef<str>) {
        self.warning_of(Origin::File, path, message);
    }

    /// Adds a warning about a value that was set at `origin`.
    pub(super) fn warning_of(&mut self, origin: Origin, path: &str, message: impl AsRef<str>) {
        self.warnings.push(Problem {
            origin,
            path: path.to_owned(),
            message: message.as_ref().to_owned(),
        });
    }

    /// Keeps `path` from being reported as missing.
    pub(super) fn suppress_missing(&mut self, path: String) {
        self.broken.insert(path);
    }

    /// Whether something is already said about `path` or what is around it.
    pub(super) fn has_problem_at_or_above(&self, path: &str) -> bool {
        self.broken.contains(path)
            || path
                .char_indices()
                .filter(|(_, c)| matches!(c, '.' | '['))
                .any(|(end, _)| self.broken.contains(&path[..end]))
    }

    /// The warnings, each with its origin, and the value when there is one and no problem.
    pub(super) fn finish<T>(
        self,
        file: &Path,
        value: Option<T>,
    ) -> Result<(T, Vec<String>), ConfigErrors> {
        match value {
            Some(value) if self.problems.is_empty() => {
                let named = |warning: &Problem| placed(file, warning);
                Ok((value, self.warnings.iter().map(named).collect()))
            }
            _ => Err(ConfigErrors {
                file: file.to_owned(),
                problems: self.problems,
            }),
        }
    }
}

/// The path of `key` inside the object at `path`.
pub(super) fn inside(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// A text of the file as messages show it: on one line, and not endless.
pub(super) fn shown(text: &str) -> String {
    one_line(text, 80)
}

/// A text on one line, cut after `most` characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == most {
            line.push('…');
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// More than these are not listed in one message.
const FEW: usize = 6;

/// `; did you mean `x`?`, or what is known when nothing is alike: all of it, or the nearest.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = known.into_iter().collect();
    if let Some(candidate) = closest_match(word, all.iter().copied()) {
        return format!("; did you mean `{candidate}`?");
    }
    if all.len() <= FEW {
        return format!("; known here: {}", all.join(", "));
    }
    let near = nearest(word, all.iter().copied(), FEW).join(", ");
    format!(
        "; known here: {near}, and {} more (`snowhaul workflow schema` has all)",
        all.len() - FEW
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_something_broken_has_problem_at_or_above() {
        let mut findings = Findings::default();
        findings.problem("tables[1].source", "must be an object");
        assert!(findings.has_problem_at_or_above("tables[1].source.tableName"));
        assert!(!findings.has_problem_at_or_above("tables[1].sourceStage"));
        assert!(!findings.has_problem_at_or_above("tables[10].source"));
    }

    #[test]
    fn long_lists_of_what_is_known_are_cut() {
        assert_eq!(hint("zzz", ["a", "b"]), "; known here: a, b");
        let many = ["a", "b", "c", "d", "e", "f", "g", "limits"];
        let told = hint("time", many);
        assert!(told.starts_with("; known here: limits, "), "{told}");
        assert!(
            told.ends_with(", and 2 more (`snowhaul workflow schema` has all)"),
            "{told}"
        );
    }

    #[test]
    fn texts_are_shown_on_one_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 81);
    }
}
