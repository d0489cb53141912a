//! Settings section by section: typed values, `${VAR}`, unknown keys. No message shows a value: it may be a secret.

use super::findings::{Findings, Said, inside, one_line};
use super::layers::{Origin, Table, sorted};
use crate::domain::problem::Code;
use crate::domain::spelling::closest_match;
use ::config::{Value, ValueKind};
use std::path::Path;
use std::time::Duration;

/// The longest time that a setting may be: a day.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads the TOML file at `path`.
pub(super) fn read(path: &Path, findings: &mut Findings) -> Option<toml::Table> {
    let text = super::document::read(path, findings)?;
    match text.parse::<toml::Table>() {
        Ok(table) => Some(table),
        Err(error) => {
            // The parser's own message quotes the line, which may hold a secret: only the place is shown.
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default();
            let column = column.chars().count() + 1;
            let message = one_line(error.message(), 200);
            let what = format!("line {line} is not valid TOML at column {column}: {message}");
            findings.problem("", Code::SYNTAX.problem(what));
            None
        }
    }
}

/// One section of the merged settings.
pub(super) struct Section<'t, 'a> {
    table: Option<&'t Table>,
    path: String,
    /// Where findings go.
    pub(super) findings: &'a mut Findings,
    /// The environment, which `${VAR}` in texts refers to.
    pub(super) var: &'a dyn Fn(&str) -> Option<String>,
}

impl<'t, 'a> Section<'t, 'a> {
    /// The section `table` at `path`, in which the keys `known` mean something; others are warned of.
    pub(super) fn new(
        table: Option<&'t Table>,
        path: &str,
        known: &[&str],
        findings: &'a mut Findings,
        var: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        for (key, _) in table.into_iter().flat_map(sorted) {
            if !known.contains(&key.as_str()) {
                let mut problem = Code::UNKNOWN_KEY.problem("unknown key, ignored");
                if let Some(other) = closest_match(key, known.iter().copied()) {
                    problem = problem.hint(format!("did you mean `{other}`?"));
                }
                findings.warning(&inside(path, key), problem);
            }
        }
        Self {
            table,
            path: path.to_owned(),
            findings,
            var,
        }
    }

    /// The path of a key.
    pub(super) fn at(&self, key: &str) -> String {
        inside(&self.path, key)
    }

    /// Where the key's value was set; a key that is not there is missing in the file.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.value(key).map_or(Origin::File, Origin::of)
    }

    /// Reports that `key` is wrong. A sentence alone is about a value that is not allowed, or about a key that is missing.
    pub(super) fn problem(&mut self, key: &str, said: impl Said) {
        let (origin, path) = (self.origin(key), self.at(key));
        let code = match self.has(key) {
            true => Code::INVALID_VALUE,
            false => Code::MISSING_KEY,
        };
        self.findings.problem_of(origin, &path, said.or(code));
    }

    /// Reports what users should know of `key`. A sentence alone is about a setting without effect.
    pub(super) fn warning(&mut self, key: &str, said: impl Said) {
        let (origin, path) = (self.origin(key), self.at(key));
        self.findings.warning_of(origin, &path, said);
    }

    /// Whether the key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the key's value is text.
    pub(super) fn is_text(&self, key: &str) -> bool {
        matches!(self.get(key), Some(ValueKind::String(_)))
    }

    fn value(&self, key: &str) -> Option<&'t Value> {
        self.table.and_then(|table| table.get(key))
    }

    fn get(&self, key: &str) -> Option<&'t ValueKind> {
        self.value(key).map(|value| &value.kind)
    }

    /// A section inside this one.
    pub(super) fn table(&mut self, key: &str) -> Option<&'t Table> {
        match self.get(key)? {
            ValueKind::Table(table) => Some(table),
            _ => {
                self.problem(key, Code::WRONG_TYPE.problem("must be a section"));
                None
            }
        }
    }

    /// A text with its variables replaced; a problem when it is of another type.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.get(key)? {
            ValueKind::String(text) => self.expanded(key, text),
            _ => {
                self.problem(key, Code::WRONG_TYPE.problem("must be text, in quotes"));
                None
            }
        }
    }

    /// A text that is not blank.
    pub(super) fn filled_text(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.problem(key, "is empty; fill it in or remove it");
            return None;
        }
        Some(text)
    }

    /// A text that has to be there; `what` it is.
    pub(super) fn required_text(&mut self, key: &str, what: &str) -> Option<String> {
        if !self.has(key) {
            self.problem(key, format!("is missing; it is {what}"));
        }
        self.filled_text(key)
    }

    /// One of some words, whatever its case.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
        if found.is_none() {
            let known: Vec<String> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            self.problem(key, format!("must be {}", known.join(" or ")));
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        let value = match self.get(key)? {
            ValueKind::Boolean(on) => return Some(*on),
            ValueKind::String(text) => self.expanded(key, text)?.trim().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            self.problem(key, Code::WRONG_TYPE.problem("must be true or false"));
        }
        value
    }

    /// A whole number from `least` to `most`. Text is taken too, for the sake of `${VAR}`.
    pub(super) fn whole(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let number = match self.get(key)? {
            ValueKind::I64(number) => Some(*number),
            ValueKind::String(text) => self.expanded(key, text)?.trim().parse().ok(),
            _ => None,
        };
        let number = number
            .and_then(|number: i64| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let what = format!("must be a whole number from {least} to {most}");
            self.problem(key, Code::OUT_OF_RANGE.problem(what));
        }
        number
    }

    /// A time in seconds, above zero and up to a day.
    pub(super) fn seconds(&mut self, key: &str) -> Option<Duration> {
        let seconds = match self.get(key)? {
            #[expect(clippy::cast_precision_loss, reason = "what is lost is beyond a day")]
            ValueKind::I64(seconds) => Some(*seconds as f64),
            ValueKind::Float(seconds) => Some(*seconds),
            ValueKind::String(text) => self.expanded(key, text)?.trim().parse().ok(),
            _ => None,
        };
        let duration = seconds
            .filter(|seconds| *seconds <= LONGEST.as_secs_f64())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|duration| *duration >= Duration::from_millis(1));
        if duration.is_none() {
            let what = "must be a number of seconds above 0, at most 86400";
            self.problem(key, Code::OUT_OF_RANGE.problem(what));
        }
        duration
    }

    fn expanded(&mut self, key: &str, text: &str) -> Option<String> {
        match expand(text, self.var) {
            Ok(text) => Some(text),
            Err(unset) => {
                for name in unset {
                    let what = format!("the environment variable {name} is not set");
                    let problem = Code::UNSET_VARIABLE.problem(what);
                    self.problem(key, problem.hint("set it, or write $${ for a plain ${"));
                }
                None
            }
        }
    }
}

/// Replaces each `${VAR}`; `$${` is a plain `${`, and what is not a variable's name stays as it is.
///
/// # Errors
/// The variables that are not set.
pub(super) fn expand(
    text: &str,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Vec<String>> {
    let mut expanded = String::new();
    let mut unset = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let name = after.find('}').map(|end| &after[..end]).filter(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        match name {
            Some(name) => {
                match var(name) {
                    Some(value) => expanded.push_str(&value),
                    None => unset.push(name.to_owned()),
                }
                rest = &after[name.len() + 1..];
            }
            None => {
                expanded.push_str("${");
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    if unset.is_empty() {
        Ok(expanded)
    } else {
        Err(unset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn var(name: &str) -> Option<String> {
        (name == "SET").then(|| "${SET}!".to_owned())
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a ${SET} b${SET}", "a ${SET}! b${SET}!"),
            ("$${SET}", "${SET}"),
            ("p${ss}w$rd${", "p${ss}w$rd${"),
            ("${}", "${}"),
            ("${1}", "${1}"),
        ] {
            let expanded = expand(text, &|name| {
                if name == "ss" {
                    Some("${ss}".into())
                } else {
                    var(name)
                }
            });
            assert_eq!(expanded, Ok(expected.to_owned()), "{text}");
        }
        assert_eq!(
            expand("${A}${SET}${B}", &var),
            Err(vec!["A".into(), "B".into()])
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[${}A é]{0,20}") {
            let _ = expand(&text, &var);
        }
    }
}
