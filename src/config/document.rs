//! JSON and YAML text into one tree, without losing keys that are given twice.

use super::findings::{Findings, inside};
use super::{Origin, Problem};
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
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "there is no such file; check the path, which starts at the current directory"
                        .to_owned()
                }
                _ => format!("the file cannot be read: {error}; check its permissions"),
            };
            findings.problem("", message);
            None
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                findings.problem(
                    "",
                    format!("byte {at} is not valid UTF-8; save the file in that encoding"),
                );
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
    for problem in twice.into_inner() {
        findings.problem(&problem.path, problem.message);
    }
    match parsed {
        Ok(value) => Some(value),
        Err(message) => {
            findings.problem("", super::findings::one_line(&message, 300));
            None
        }
    }
}

/// Builds a value, and notes keys that an object has twice.
struct Tree<'a> {
    path: String,
    twice: &'a RefCell<Vec<Problem>>,
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
                self.twice.borrow_mut().push(Problem {
                    origin: Origin::File,
                    path,
                    message: "this key is given twice in one object; keep one".to_owned(),
                });
            }
        }
        Ok(Value::Object(object))
    }
}
