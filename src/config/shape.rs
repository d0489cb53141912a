//! Brings a tree into its normal form (camelCase keys, no nulls, words in their one spelling), and tells every key that is
//! unknown and every value that is of the wrong type or malformed.

use super::findings::{Findings, hint, inside, shown};
use super::identifier;
use super::predicate::{self, Piece};
use super::schema::{Key, Kind, MAX_ROWS, PARTITION_SIZE, Side, TABLE, size_key, snake_case};
use super::transforms;
use crate::domain::spelling::meant;
use crate::domain::table::Platform;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the values' shape depends on, and where findings go.
pub(super) struct Shape<'a> {
    /// The source's platform.
    pub(super) platform: Platform,
    /// Where findings go.
    pub(super) findings: &'a mut Findings,
}

impl Shape<'_> {
    /// The object at `path` in normal form. A wrong value is told and left away.
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
                self.findings.problem(
                    &path,
                    format!("`{other}` and `{written}` are the same key; keep one"),
                );
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
            self.findings.problem(
                &inside(path, other),
                format!("the partition size is given twice, by `{one}` and `{other}`; keep one"),
            );
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
            self.findings.problem(
                &inside(path, MAX_ROWS),
                "it is given twice, here and in `partitionSize`; keep one",
            );
        }
    }

    fn unknown(&mut self, written: &str, object: &Map<String, Value>, keys: &[Key], path: &str) {
        let names = keys.iter().map(|key| key.name);
        // What it was probably meant to be is then not missing.
        if let Some(name) = meant(written, names.clone())
            && !object.contains_key(name)
        {
            self.findings.excuse(inside(path, name));
        }
        self.findings.problem(
            &inside(path, written),
            format!("unknown key{}", hint(written, names)),
        );
    }

    fn wrong_type(&mut self, path: &str, expected: &str, found: &Value) {
        let remedy = match (expected, found) {
            ("text", Value::Bool(_) | Value::Number(_)) => "; put it in quotes",
            ("true or false" | "a whole number above 0", Value::String(_)) => {
                "; write it without quotes"
            }
            _ => "",
        };
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.findings
            .problem(path, format!("expected {expected}, found {found}{remedy}"));
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
                self.findings.problem(path, why);
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
                    self.findings.warning(
                        path,
                        "it is blank, which is taken as none; leave the key away",
                    );
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
                    Err(message) => {
                        self.findings.problem(path, message);
                        None
                    }
                }
            }
        }
    }

    fn check_text(&self, text: &str, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Name(side) => identifier::check(
                text,
                side == Side::Source && self.platform == Platform::Sqlserver,
            )
            .map_err(|message| format!("`{}`: {message}", shown(text))),
            Kind::TargetType => predicate::check_type(text),
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
                Err("the text is empty; leave the key away or fill it in".to_owned())
            }
            Kind::StagePath if !text.starts_with('@') => Err(format!(
                "`{}` is no path on a stage; it starts with @, e.g. @DB.SCHEMA.STAGE/path",
                shown(text)
            )),
            _ => Ok(()),
        }
    }

    fn choice(&mut self, text: &str, words: &[&'static str], path: &str) -> Option<Value> {
        let plain = |word: &str| word.trim().to_lowercase().replace('_', "-");
        let found = words.iter().find(|word| plain(word) == plain(text));
        if found.is_none() {
            self.findings.problem(
                path,
                format!(
                    "`{}` is none of {}{}",
                    shown(text),
                    words.join(", "),
                    meant(text, words.iter().copied())
                        .map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
                ),
            );
        }
        found.map(|word| (*word).into())
    }

    fn count(&mut self, value: &Value, path: &str) -> Option<Value> {
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
                self.findings.problem(
                    path,
                    format!("{n} is out of range; write a whole number above 0"),
                );
                None
            }
            (other, _) => {
                self.wrong_type(path, "a whole number above 0", other);
                None
            }
        }
    }

    fn names(&mut self, value: &Value, side: Side, path: &str) -> Option<Value> {
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
                self.findings.problem(
                    &path,
                    format!(
                        "column `{}` is already item {first} of this list",
                        shown(&name)
                    ),
                );
            }
            names.push(Value::String(name));
        }
        is_whole.then_some(Value::Array(names))
    }

    fn objects(&mut self, value: &Value, keys: &[Key], path: &str) -> Option<Value> {
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
                if !object.contains_key(key.name) && !self.findings.is_broken(&path) {
                    self.findings.problem(&path, "this key is missing");
                }
            }
            objects.push(Value::Object(object));
        }
        Some(Value::Array(objects))
    }

    fn transforms(&mut self, value: &Value, keys: &[Key], path: &str) -> Option<Value> {
        let Value::Array(items) = value else {
            self.wrong_type(path, "a list of objects", value);
            return None;
        };
        let mut rules = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let rule = self.object(item, keys, &path);
            // Otherwise what is inside is wrong, and told.
            if item.as_object().is_some_and(|o| o.len() == rule.len())
                && let Err(message) = transforms::check_rule(&rule)
            {
                self.findings.problem(&path, message);
            }
            rules.push(Value::Object(rule));
        }
        Some(Value::Array(rules))
    }

    fn partition_size(&mut self, value: &Value, path: &str) -> Option<Value> {
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
                        self.findings.problem(
                            path,
                            format!("`{one}` and `{other}` are both given; keep one"),
                        );
                        None
                    }
                    (None, _) => {
                        // Otherwise what is inside is wrong, and told.
                        if value
                            .as_object()
                            .is_some_and(|o| o.values().all(Value::is_null))
                        {
                            self.findings.problem(
                                path,
                                "the size is missing; write \"auto\", {\"targetSizeMb\": n} or {\"maxRowsPerPartition\": n}",
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
            "`{}` is no version; write major, major.minor or major.minor.patch, e.g. 1.0.0",
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
