//! `defaultTableConfiguration` and a table into one, both in normal form.

use super::schema::{Key, Kind, TABLE};
use serde_json::{Map, Value};

/// The table with what it inherits: objects key by key, transforms behind the table's own, everything else whole. Partition
/// sizes are one setting in normal form. An inherited `icebergConfig` stays with iceberg tables only.
pub(super) fn merge(
    defaults: &Map<String, Value>,
    table: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = merge_keys(defaults, table, TABLE);
    let is_iceberg = text_at(&merged, "target.tableType") == Some("iceberg");
    let has_own = at(table, "target.icebergConfig").is_some();
    if !is_iceberg
        && !has_own
        && let Some(Value::Object(target)) = merged.get_mut("target")
    {
        target.remove("icebergConfig");
    }
    merged
}

fn merge_keys(
    defaults: &Map<String, Value>,
    own: &Map<String, Value>,
    keys: &[Key],
) -> Map<String, Value> {
    let mut merged = own.clone();
    for key in keys {
        let Some(inherited) = defaults.get(key.name) else {
            continue;
        };
        match (key.kind, inherited, own.get(key.name)) {
            (_, _, None) => {
                merged.insert(key.name.to_owned(), inherited.clone());
            }
            (Kind::Object(keys), Value::Object(inherited), Some(Value::Object(own))) => {
                let object = merge_keys(inherited, own, keys);
                merged.insert(key.name.to_owned(), Value::Object(object));
            }
            // The first rule for a column counts.
            (Kind::Transforms(_), Value::Array(inherited), Some(Value::Array(own))) => {
                let rules = own.iter().chain(inherited).cloned().collect();
                merged.insert(key.name.to_owned(), Value::Array(rules));
            }
            _ => {}
        }
    }
    merged
}

/// The value at a dotted path.
pub(super) fn at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut value = object.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

/// The text at a dotted path.
pub(super) fn text_at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    at(object, path).and_then(Value::as_str)
}
