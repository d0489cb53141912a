//! Brings a tree into its normal form (camelCase keys, no nulls, words in their one spelling), and reports every key that
//! is unknown and every value that is of the wrong type or malformed.

mod values;

use super::findings::{Findings, hint, inside};
use super::schema::{Key, Kind, MAX_ROWS, PARTITION_SIZE, TABLE, size_key, snake_case};
use crate::domain::problem::Code;
use crate::domain::spelling::closest_match;
use crate::domain::table::Platform;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the values' shape depends on, and where findings go.
pub(super) struct Shape<'a> {
    /// The source's platform; `None`: it is not known, and what depends on it is not checked.
    pub(super) platform: Option<Platform>,
    /// Where findings go.
    pub(super) findings: &'a mut Findings,
}

impl Shape<'_> {
    /// The object at `path` in normal form. A wrong value is reported and omitted.
    pub(super) fn object(&mut self, value: &Value, keys: &[Key], path: &str) -> Map<String, Value> {
        let mut normal = Map::new();
        let Value::Object(object) = value else {
            self.wrong_type(path, "an object", value);
            return normal;
        };
        let mut spelled: BTreeMap<&str, &str> = BTreeMap::new();
        for (written, value) in object {
            let Some(key) = keys
                .iter()
                .find(|key| key.name == written || snake_case(key.name) == *written)
            else {
                self.unknown(written, object, keys, path);
                continue;
            };
            let path = inside(path, key.name);
            if let Some(other) = spelled.insert(key.name, written) {
                let what = format!("`{other}` and `{written}` are the same key");
                let problem = Code::GIVEN_TWICE.problem(what).hint("keep one");
                self.findings.problem(&path, problem);
                continue;
            }
            if value.is_null() {
                continue;
            }
            if let Some(value) = self.value(value, key.kind, &path) {
                normal.insert(key.name.to_owned(), value);
            }
        }
        normal
    }

    /// A table, or the defaults of all: like [`Self::object`], with its partition size as one setting.
    pub(super) fn table(&mut self, value: &Value, path: &str) -> Map<String, Value> {
        let mut table = self.object(value, TABLE, path);
        let mut sizes: Vec<(&str, Value)> = table
            .remove_entry("partitionSize")
            .map(|(_, size)| ("partitionSize", size))
            .into_iter()
            .collect();
        for key in PARTITION_SIZE.iter().filter(|key| key.name != MAX_ROWS) {
            if let Some(size) = table.remove(key.name) {
                let mut normal = Map::new();
                normal.insert(size_key(key.name).to_owned(), size);
                sizes.push((key.name, Value::Object(normal)));
            }
        }
        if let [(one, _), (other, _), ..] = sizes.as_slice() {
            let what = format!("the partition size is given twice, by `{one}` and `{other}`");
            let problem = Code::CONFLICTING_SETTINGS.problem(what).hint("keep one");
            self.findings.problem(&inside(path, other), problem);
        }
        if let Some((_, mut size)) = sizes.into_iter().next() {
            self.take_cap(&mut table, &mut size, path);
            table.insert("partitionSize".to_owned(), size);
        }
        table
    }

    /// The cap is a key of its own, wherever it is written.
    fn take_cap(&mut self, table: &mut Map<String, Value>, size: &mut Value, path: &str) {
        let Some(object) = size.as_object_mut() else {
            return;
        };
        let Some(cap) = object.remove(MAX_ROWS) else {
            return;
        };
        if object.is_empty() {
            *size = "auto".into();
        }
        if table.insert(MAX_ROWS.to_owned(), cap).is_some() {
            let problem = Code::CONFLICTING_SETTINGS
                .says("it is given twice, here and in `partitionSize`; keep one");
            self.findings.problem(&inside(path, MAX_ROWS), problem);
        }
    }

    fn unknown(&mut self, written: &str, object: &Map<String, Value>, keys: &[Key], path: &str) {
        let names = keys.iter().map(|key| key.name);
        // What it was probably meant to be is then not missing.
        if let Some(name) = closest_match(written, names.clone())
            && !object.contains_key(name)
        {
            self.findings.suppress_missing(inside(path, name));
        }
        let problem = Code::UNKNOWN_KEY
            .problem("unknown key")
            .hint(hint(written, names));
        self.findings.problem(&inside(path, written), problem);
    }

    fn wrong_type(&mut self, path: &str, expected: &str, found: &Value) {
        let hint = match (expected, found) {
            ("text", Value::Bool(_) | Value::Number(_)) => Some("put it in quotes"),
            ("true or false" | "a whole number above 0", Value::String(_)) => {
                Some("write it without quotes")
            }
            _ => None,
        };
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let mut problem = Code::WRONG_TYPE.problem(format!("expected {expected}, found {found}"));
        problem.hint = hint.map(str::to_owned);
        self.findings.problem(path, problem);
    }

    fn text<'v>(&mut self, value: &'v Value, path: &str) -> Option<&'v str> {
        match value {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(path, "text", other);
                None
            }
        }
    }

    fn value(&mut self, value: &Value, kind: Kind, path: &str) -> Option<Value> {
        match kind {
            Kind::Object(keys) => {
                if !value.is_object() {
                    self.wrong_type(path, "an object", value);
                    return None;
                }
                Some(Value::Object(self.object(value, keys, path)))
            }
            Kind::Objects(keys) => self.objects(value, keys, path),
            Kind::Transforms(keys) => self.transforms(value, keys, path),
            Kind::Refused(why) => {
                self.findings
                    .problem(path, Code::UNSUPPORTED_SETTING.says(why));
                None
            }
            Kind::Tables => match value {
                Value::Array(_) => Some(value.clone()),
                other => {
                    self.wrong_type(path, "a list of tables", other);
                    None
                }
            },
            Kind::Switch => match value {
                Value::Bool(_) => Some(value.clone()),
                other => {
                    self.wrong_type(path, "true or false", other);
                    None
                }
            },
            Kind::SwitchOrChoice(words) => match value {
                Value::Bool(on) => words.get(usize::from(*on)).map(|word| (*word).into()),
                Value::String(text) => self.choice(text, words, path),
                other => {
                    self.wrong_type(path, "true or false", other);
                    None
                }
            },
            Kind::Choice(words) => {
                let text = self.text(value, path)?;
                self.choice(text, words, path)
            }
            Kind::Count => self.count(value, path),
            Kind::Names(side) => self.names(value, side, path),
            Kind::PartitionSize => self.partition_size(value, path),
            Kind::Affinity => {
                let text = self.text(value, path)?;
                if text.trim().is_empty() {
                    self.findings
                        .warning(path, "it is blank, which is taken as none; omit the key");
                    return None;
                }
                Some(value.clone())
            }
            Kind::Text
            | Kind::Version
            | Kind::Name(_)
            | Kind::TargetType
            | Kind::Predicate
            | Kind::Expression
            | Kind::Modifier
            | Kind::Pattern
            | Kind::Encode
            | Kind::Decode
            | Kind::StagePath => {
                let text = self.text(value, path)?;
                match self.check_text(text, kind) {
                    Ok(()) => Some(value.clone()),
                    Err(problem) => {
                        self.findings.problem(path, problem);
                        None
                    }
                }
            }
        }
    }
}
