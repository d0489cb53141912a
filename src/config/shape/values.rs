//! Single values in their normal form: words, counts, lists of names, sizes of partitions.

use super::Shape;
use crate::config::findings::{inside, shown};
use crate::config::predicate::{self, Piece};
use crate::config::schema::{Key, Kind, MAX_ROWS, PARTITION_SIZE, Side, size_key};
use crate::config::{identifier, target_type, transforms};
use crate::domain::problem::{Code, Problem};
use crate::domain::spelling::closest_match;
use crate::platform;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Shape<'_> {
    pub(super) fn check_text(&self, text: &str, kind: Kind) -> Result<(), Problem> {
        let code = match kind {
            Kind::Name(_) => Code::INVALID_NAME,
            Kind::Predicate
            | Kind::Modifier
            | Kind::Expression
            | Kind::Encode
            | Kind::Decode
            | Kind::Pattern => Code::INVALID_SQL,
            _ => Code::INVALID_VALUE,
        };
        self.checked_text(text, kind).map_err(|why| code.says(why))
    }

    fn checked_text(&self, text: &str, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Name(side) => identifier::check(
                text,
                side == Side::Source
                    && self
                        .platform
                        .is_none_or(|p| platform::settings(p).lexicon().has_bracketed_names),
            )
            .map_err(|message| format!("`{}`: {message}", shown(text))),
            Kind::TargetType => target_type::check(text),
            Kind::Predicate => predicate::check(text, Piece::Predicate, self.platform),
            Kind::Modifier => predicate::check(text, Piece::Modifier, self.platform),
            // Not even inside quotes, as the format has it.
            Kind::Expression if text.contains(';') => {
                Err("a `;` is not allowed: this is one expression".to_owned())
            }
            Kind::Expression => predicate::check(text, Piece::Expression, self.platform),
            Kind::Encode => transforms::check_expression(text, Piece::Expression, self.platform),
            Kind::Decode => transforms::check_expression(text, Piece::Snowflake, self.platform),
            Kind::Pattern => transforms::check_pattern(text),
            Kind::Version => check_version(text),
            _ if text.trim().is_empty() => {
                Err("the text is empty; omit the key or fill it in".to_owned())
            }
            Kind::StagePath if !text.starts_with('@') => Err(format!(
                "`{}` is not a path on a stage; it starts with @, e.g. @DB.SCHEMA.STAGE/path",
                shown(text)
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn choice(
        &mut self,
        text: &str,
        words: &[&'static str],
        path: &str,
    ) -> Option<Value> {
        let plain = |word: &str| word.trim().to_lowercase().replace('_', "-");
        let found = words.iter().find(|word| plain(word) == plain(text));
        if found.is_none() {
            let what = format!("`{}` is none of {}", shown(text), words.join(", "));
            let mut problem = Code::INVALID_VALUE.problem(what);
            if let Some(word) = closest_match(text, words.iter().copied()) {
                problem = problem.hint(format!("did you mean `{word}`?"));
            }
            self.findings.problem(path, problem);
        }
        found.map(|word| (*word).into())
    }

    pub(super) fn count(&mut self, value: &Value, path: &str) -> Option<Value> {
        // 200.0 is a whole number too: some tools write all numbers so.
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && (1.0..1e15).contains(n))
                .map(|n| n as u64)
        });
        match (value, whole) {
            (Value::Number(_), Some(n)) if n > 0 && i64::try_from(n).is_ok() => Some(n.into()),
            (Value::Number(n), _) => {
                let problem = Code::OUT_OF_RANGE
                    .problem(format!("{n} is out of range"))
                    .hint("write a whole number above 0");
                self.findings.problem(path, problem);
                None
            }
            (other, _) => {
                self.wrong_type(path, "a whole number above 0", other);
                None
            }
        }
    }

    pub(super) fn names(&mut self, value: &Value, side: Side, path: &str) -> Option<Value> {
        let Value::Array(items) = value else {
            self.wrong_type(path, "a list of column names", value);
            return None;
        };
        let mut seen = BTreeMap::new();
        let mut names = Vec::new();
        let mut is_whole = true;
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Some(Value::String(name)) = self.value(item, Kind::Name(side), &path) else {
                is_whole = false;
                continue;
            };
            if let Some(first) = seen.insert(identifier::folded(&name), index) {
                let name = shown(&name);
                let what = format!("column `{name}` is already item {first} of this list");
                self.findings
                    .problem(&path, Code::GIVEN_TWICE.problem(what));
            }
            names.push(Value::String(name));
        }
        is_whole.then_some(Value::Array(names))
    }

    pub(super) fn objects(&mut self, value: &Value, keys: &[Key], path: &str) -> Option<Value> {
        let Value::Array(items) = value else {
            self.wrong_type(path, "a list of objects", value);
            return None;
        };
        let mut objects = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let object = self.object(item, keys, &path);
            for key in keys {
                let path = inside(&path, key.name);
                if !object.contains_key(key.name) && !self.findings.has_problem_at_or_above(&path) {
                    let problem = Code::MISSING_KEY.problem("this key is missing");
                    self.findings.problem(&path, problem);
                }
            }
            objects.push(Value::Object(object));
        }
        Some(Value::Array(objects))
    }

    pub(super) fn transforms(&mut self, value: &Value, keys: &[Key], path: &str) -> Option<Value> {
        let Value::Array(items) = value else {
            self.wrong_type(path, "a list of objects", value);
            return None;
        };
        let mut rules = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let rule = self.object(item, keys, &path);
            // Otherwise what is inside is wrong, and reported.
            if item.as_object().is_some_and(|o| o.len() == rule.len())
                && let Err(message) = transforms::check_rule(&rule)
            {
                self.findings
                    .problem(&path, Code::MISSING_KEY.says(message));
            }
            rules.push(Value::Object(rule));
        }
        Some(Value::Array(rules))
    }

    pub(super) fn partition_size(&mut self, value: &Value, path: &str) -> Option<Value> {
        match value {
            Value::String(text) => self.choice(text, &["auto"], path),
            Value::Object(_) => {
                let mut sizes = self.object(value, PARTITION_SIZE, path);
                let mut normal: Map<String, Value> =
                    sizes.remove_entry(MAX_ROWS).into_iter().collect();
                let mut sizes = sizes.iter();
                match (sizes.next(), sizes.next()) {
                    (Some((name, size)), None) => {
                        normal.insert(size_key(name).to_owned(), size.clone());
                        Some(Value::Object(normal))
                    }
                    (None, _) if !normal.is_empty() => Some(Value::Object(normal)),
                    (Some((one, _)), Some((other, _))) => {
                        let what = format!("`{one}` and `{other}` are both given");
                        let problem = Code::CONFLICTING_SETTINGS.problem(what).hint("keep one");
                        self.findings.problem(path, problem);
                        None
                    }
                    (None, _) => {
                        // Otherwise what is inside is wrong, and reported.
                        if value
                            .as_object()
                            .is_some_and(|o| o.values().all(Value::is_null))
                        {
                            self.findings.problem(
                                path,
                                Code::MISSING_KEY.says("the size is missing; write \"auto\", {\"targetSizeMb\": n} or {\"maxRowsPerPartition\": n}"),
                            );
                        }
                        None
                    }
                }
            }
            other => {
                self.wrong_type(
                    path,
                    "\"auto\", {\"targetSizeMb\": n} or {\"maxRowsPerPartition\": n}",
                    other,
                );
                None
            }
        }
    }
}

/// The major version of the format that this version reads.
const MAJOR: &str = "1";

fn check_version(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(is_number) {
        return Err(format!(
            "`{}` is not a version; write major, major.minor or major.minor.patch, e.g. 1.0.0",
            shown(text)
        ));
    }
    if parts.first().map(|major| major.trim_start_matches('0')) != Some(MAJOR) {
        return Err(format!(
            "version {} is not known; this program reads version {MAJOR}",
            shown(text)
        ));
    }
    Ok(())
}
