//! JSON and YAML text into one tree, without losing keys that are given twice.

use super::findings::{Findings, inside};
use crate::domain::problem::Code;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::path::Path;

/// How a workflow file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// YAML by its extension, otherwise JSON.
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()) {
            Some(e) if e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml") => {
                Self::Yaml
            }
            _ => Self::Json,
        }
    }
}

/// The text of a file, without a byte order mark.
pub(super) fn read(path: &Path, findings: &mut Findings) -> Option<String> {
    match std::fs::read(path) {
        Err(error) => {
            let problem = match error.kind() {
                std::io::ErrorKind::NotFound => Code::FILE_UNREADABLE
                    .problem("there is no such file")
                    .hint("check the path, which starts at the current directory"),
                _ => Code::FILE_UNREADABLE
                    .problem(format!("the file cannot be read: {error}"))
                    .hint("check its permissions"),
            };
            findings.problem("", problem);
            None
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let problem = Code::FILE_UNREADABLE
                    .problem(format!("byte {at} is not valid UTF-8"))
                    .hint("save the file in that encoding");
                findings.problem("", problem);
                None
            }
            Ok(text) => Some(
                text.strip_prefix('\u{feff}')
                    .map_or_else(|| text.clone(), str::to_owned),
            ),
        },
    }
}

/// The tree of a text.
pub(super) fn parse(text: &str, format: Format, findings: &mut Findings) -> Option<Value> {
    let twice = RefCell::new(Vec::new());
    let seed = Tree {
        path: String::new(),
        twice: &twice,
    };
    let parsed = match format {
        Format::Json => {
            let mut json = serde_json::Deserializer::from_str(text);
            seed.deserialize(&mut json)
                .and_then(|value| json.end().map(|()| value))
                .map_err(|error| format!("this is not valid JSON: {error}"))
        }
        Format::Yaml => {
            let options = serde_saphyr::options! {
                duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
                strict_booleans: true,
                leading_zero_numbers_as_strings: true,
                underscored_numbers_as_strings: true,
                with_snippet: false,
            };
            serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
                seed.deserialize(yaml)
            })
            .map_err(|error| format!("this is not valid YAML: {}", error.without_snippet()))
        }
    };
    for path in twice.into_inner() {
        let problem = Code::GIVEN_TWICE.says("this key is given twice in one object; keep one");
        findings.problem(&path, problem);
    }
    match parsed {
        Ok(value) => Some(value),
        Err(message) => {
            let what = super::findings::one_line(&message, 300);
            findings.problem("", Code::SYNTAX.problem(what));
            None
        }
    }
}

/// Builds a value, and notes keys that an object has twice.
struct Tree<'a> {
    path: String,
    /// Paths of keys that are given twice.
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, items.len());
            let seed = Tree {
                path,
                twice: self.twice,
            };
            match seq.next_element_seed(seed)? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = inside(&self.path, &key);
            let value = map.next_value_seed(Tree {
                path: path.clone(),
                twice: self.twice,
            })?;
            if object.insert(key, value).is_some() {
                self.twice.borrow_mut().push(path);
            }
        }
        Ok(Value::Object(object))
    }
}
