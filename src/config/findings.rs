//! What is found in a file, collected to its end.

use super::{ConfigErrors, Origin};
use crate::domain::problem::{Code, Problem};
use crate::domain::spelling::{closest_match, nearest};
use std::collections::BTreeSet;
use std::path::Path;

/// What a check says: a problem with its code, or a sentence, for which the caller has a code.
pub(super) trait Said {
    /// The problem; `code` is that of a sentence.
    fn or(self, code: Code) -> Problem;
}

impl Said for Problem {
    fn or(self, _: Code) -> Problem {
        self
    }
}

impl Said for &str {
    fn or(self, code: Code) -> Problem {
        code.says(self)
    }
}

impl Said for String {
    fn or(self, code: Code) -> Problem {
        code.says(self)
    }
}

impl Said for &String {
    fn or(self, code: Code) -> Problem {
        code.says(self)
    }
}

/// One finding, before its file is known.
#[derive(PartialEq)]
struct Finding {
    /// Where the value was set.
    origin: Origin,
    /// Which: `tables[1].source.tableName`, `connections.source.redshift.port`; empty for the file as a whole.
    path: String,
    problem: Problem,
}

impl Finding {
    /// The problem with its whole place.
    fn placed(&self, file: &Path) -> Problem {
        let problem = self.problem.clone();
        match &self.origin {
            Origin::Variable(name) => problem.at(name).at("environment"),
            Origin::Flag(flag) => problem.at(flag).at("command line"),
            Origin::Default | Origin::File if self.path.is_empty() => problem.at(file.display()),
            Origin::Default | Origin::File => problem.at(&self.path).at(file.display()),
        }
    }
}

/// Problems and warnings of one file.
#[derive(Default)]
pub(super) struct Findings {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Places whose value is wrong or has been offered for another key: not reported a second time as missing.
    broken: BTreeSet<String>,
    /// What the problems that follow are about, e.g. `table public.orders`.
    pub(super) subject: Option<String>,
}

impl Findings {
    /// Adds a problem of the file, and takes its place as broken. A sentence alone is about a value that is not allowed.
    pub(super) fn problem(&mut self, path: &str, said: impl Said) {
        self.problem_of(Origin::File, path, said);
    }

    /// Adds a problem with a value that was set at `origin`.
    pub(super) fn problem_of(&mut self, origin: Origin, path: &str, said: impl Said) {
        let mut problem = said.or(Code::INVALID_VALUE);
        if let Some(subject) = &self.subject {
            problem = problem.at(subject);
        }
        self.broken.insert(path.to_owned());
        let finding = Finding {
            origin,
            path: path.to_owned(),
            problem,
        };
        if !self.problems.contains(&finding) {
            self.problems.push(finding);
        }
    }

    /// Adds a warning about the file. A sentence alone is about a setting without effect.
    pub(super) fn warning(&mut self, path: &str, said: impl Said) {
        self.warning_of(Origin::File, path, said);
    }

    /// Adds a warning about a value that was set at `origin`.
    pub(super) fn warning_of(&mut self, origin: Origin, path: &str, said: impl Said) {
        self.warnings.push(Finding {
            origin,
            path: path.to_owned(),
            problem: said.or(Code::NO_EFFECT),
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
    ) -> Result<(T, Vec<Problem>), ConfigErrors> {
        let placed = |findings: &[Finding]| -> Vec<Problem> {
            findings
                .iter()
                .map(|finding| finding.placed(file))
                .collect()
        };
        match value {
            Some(value) if self.problems.is_empty() => {
                let warnings = placed(&self.warnings);
                Ok((value, warnings))
            }
            _ => Err(ConfigErrors {
                problems: placed(&self.problems).into(),
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

/// `did you mean `x`?`, or what is known when nothing is alike: all of it, or the nearest.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = known.into_iter().collect();
    if let Some(candidate) = closest_match(word, all.iter().copied()) {
        return format!("did you mean `{candidate}`?");
    }
    if all.len() <= FEW {
        return format!("known here: {}", all.join(", "));
    }
    let near = nearest(word, all.iter().copied(), FEW).join(", ");
    format!(
        "known here: {near}, and {} more (`snowhaul workflow schema` has all)",
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
        assert_eq!(hint("zzz", ["a", "b"]), "known here: a, b");
        let many = ["a", "b", "c", "d", "e", "f", "g", "limits"];
        let told = hint("time", many);
        assert!(told.starts_with("known here: limits, "), "{told}");
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
