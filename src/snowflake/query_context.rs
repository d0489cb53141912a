//! The query context of a session: Snowflake's answers give it, and the next statement sends it again, so that hybrid tables
//! are read up to date without waiting. What it says is Snowflake's own. Nothing of it is documented; rules and form are those
//! of the drivers (JDBC `QueryContextCache.java`, Python connector `_query_context_cache.py`, gosnowflake `htap.go`).

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// The session parameter that says how many entries are kept.
const SIZE_PARAMETER: &str = "QUERY_CONTEXT_CACHE_SIZE";
/// How many without it.
const DEFAULT_SIZE: usize = 5;

/// What Snowflake gave to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QueryContext {
    /// By priority: no two have the same, nor the same id.
    entries: Vec<Entry>,
    size: usize,
}

/// What it gave about one database; id 0 is the main entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: i64,
    timestamp: i64,
    /// 0 is the highest: the others go first.
    priority: i64,
    context: Option<String>,
}

/// What matters here of an answer, of a refusal too: a transaction that is aborted may change the context.
#[derive(Deserialize)]
struct Told {
    data: Option<ToldData>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ToldData {
    #[serde(deserialize_with = "given")]
    query_context: Option<Value>,
    parameters: Value,
}

/// Null is something else than nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Default for QueryContext {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            size: DEFAULT_SIZE,
        }
    }
}

impl QueryContext {
    /// Takes up what an answer says; most say nothing.
    pub(super) fn learn(&mut self, answer: &[u8]) {
        let told = serde_json::from_slice::<Told>(answer).ok();
        let Some(data) = told.and_then(|told| told.data) else {
            return;
        };
        if let Some(size) = size(&data.parameters) {
            self.size = size;
        }
        if let Some(context) = data.query_context {
            match entries(&context) {
                Some(entries) => self.merge(entries),
                // A part of it might mislead.
                None => self.entries.clear(),
            }
        }
        self.entries.truncate(self.size);
    }

    /// Of one id the newer entry counts; of one priority the one that came last.
    fn merge(&mut self, given: Vec<Entry>) {
        // Against what was there before: priorities may change places in one answer.
        let mut fresh: Vec<Entry> = given.into_iter().filter(|e| self.is_fresh(e)).collect();
        fresh.sort_by_key(|entry| entry.timestamp);
        for entry in fresh {
            self.entries
                .retain(|known| known.id != entry.id && known.priority != entry.priority);
            self.entries.push(entry);
        }
        self.entries.sort_by_key(|entry| entry.priority);
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        let known = self.entries.iter().find(|known| known.id == entry.id);
        known.is_none_or(|known| {
            entry.timestamp > known.timestamp
                || entry.timestamp == known.timestamp && entry.priority != known.priority
        })
    }

    /// The `queryContextDTO` of a request.
    pub(super) fn to_json(&self) -> Value {
        if self.entries.is_empty() {
            return json!({});
        }
        let entries = self.entries.iter().map(|entry| {
            let context = match &entry.context {
                Some(context) => json!({"base64Data": context}),
                None => json!({}),
            };
            json!({
                "id": entry.id, "timestamp": entry.timestamp, "priority": entry.priority, "context": context,
            })
        });
        json!({"entries": entries.collect::<Vec<_>>()})
    }
}

/// How many entries the parameters of an answer allow.
fn size(parameters: &Value) -> Option<usize> {
    let mut parameters = parameters.as_array()?.iter();
    let value = &parameters.find(|parameter| parameter["name"] == SIZE_PARAMETER)?["value"];
    match value {
        Value::String(text) => text.parse().ok(),
        value => usize::try_from(value.as_u64()?).ok(),
    }
}

/// The entries of a `queryContext`; `None` where it has none, or has another form.
fn entries(context: &Value) -> Option<Vec<Entry>> {
    context
        .get("entries")?
        .as_array()?
        .iter()
        .map(entry)
        .collect()
}

fn entry(value: &Value) -> Option<Entry> {
    let number = |name| value.get(name).and_then(Value::as_i64);
    let context = match value.get("context") {
        None | Some(Value::Null) => None,
        Some(Value::Object(fields)) if fields.is_empty() => None,
        Some(context) => Some(context.as_str()?.to_owned()),
    };
    Some(Entry {
        id: number("id")?,
        timestamp: number("timestamp")?,
        priority: number("priority")?,
        context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: i64, timestamp: i64, priority: i64) -> Value {
        let context = format!("{id}/{timestamp}/{priority}");
        json!({"id": id, "timestamp": timestamp, "priority": priority, "context": context})
    }

    fn learn(context: &mut QueryContext, data: &Value) {
        let answer = json!({"success": false, "data": data}).to_string();
        context.learn(answer.as_bytes());
    }

    fn give(context: &mut QueryContext, entries: &[Value]) {
        learn(context, &json!({"queryContext": {"entries": entries}}));
    }

    fn after(answers: &[&[Value]]) -> QueryContext {
        let mut context = QueryContext::default();
        for entries in answers {
            give(&mut context, entries);
        }
        context
    }

    fn kept(context: &QueryContext) -> Vec<(i64, i64, i64)> {
        let entries = context.entries.iter();
        entries.map(|e| (e.id, e.timestamp, e.priority)).collect()
    }

    #[test]
    fn it_is_told_as_the_drivers_tell_it() {
        let mut context = QueryContext::default();
        assert_eq!(context.to_json(), json!({}));
        give(
            &mut context,
            &[
                entry(7, 100, 1),
                json!({"id": 0, "timestamp": 200, "priority": 0, "context": null}),
            ],
        );
        assert_eq!(
            context.to_json(),
            json!({"entries": [
                {"id": 0, "timestamp": 200, "priority": 0, "context": {}},
                {"id": 7, "timestamp": 100, "priority": 1, "context": {"base64Data": "7/100/1"}},
            ]})
        );
    }

    #[test]
    fn the_newer_entry_counts() {
        let context = after(&[
            &[entry(0, 5, 0), entry(1, 5, 1), entry(2, 5, 2)],
            // Older; as old with another priority; newer.
            &[entry(0, 4, 3), entry(1, 5, 4), entry(2, 6, 2)],
        ]);
        assert_eq!(kept(&context), [(0, 5, 0), (2, 6, 2), (1, 5, 4)]);
    }

    #[test]
    fn a_priority_goes_to_the_entry_that_comes_last() {
        let first = [entry(1, 5, 1), entry(2, 5, 2)];
        let context = after(&[&first, &[entry(3, 1, 2)]]);
        assert_eq!(kept(&context), [(1, 5, 1), (3, 1, 2)]);
        // They change places, within one answer or in part.
        let context = after(&[&first, &[entry(2, 6, 1), entry(1, 6, 2)]]);
        assert_eq!(kept(&context), [(2, 6, 1), (1, 6, 2)]);
        let context = after(&[&first, &[entry(2, 6, 1)]]);
        assert_eq!(kept(&context), [(2, 6, 1)]);
    }

    #[test]
    fn the_lowest_priorities_go_when_there_are_too_many() {
        let many: Vec<_> = (0..7).rev().map(|n| entry(n, 1, n)).collect();
        let mut context = after(&[&many]);
        assert_eq!(context.entries.len(), DEFAULT_SIZE);
        assert_eq!(context.entries[4].priority, 4);
        for (size, expected) in [
            (json!(2), 2),
            (json!("3"), 3),
            (json!("many"), 3),
            (json!(-1), 3),
            (json!(0), 0),
        ] {
            let parameters = json!([{"name": "TIMEZONE", "value": "UTC"}, {"name": SIZE_PARAMETER, "value": size}]);
            learn(&mut context, &json!({"parameters": parameters}));
            give(&mut context, &many);
            assert_eq!(context.entries.len(), expected, "{size}");
        }
    }

    #[test]
    fn nothing_changes_nothing_and_what_is_not_understood_leaves_nothing() {
        let first = after(&[&[entry(0, 5, 0)]]);
        for kept in [json!({}), json!(null), json!([]), json!("text")] {
            let mut context = first.clone();
            learn(&mut context, &kept);
            assert_eq!(context, first, "{kept}");
        }
        let mut context = first.clone();
        context.learn(b"<html>");
        give(&mut context, &[]);
        assert_eq!(context, first);
        for wrong in [
            json!(null),
            json!({}),
            json!("text"),
            json!({"entries": {}}),
            json!({"entries": [entry(1, 6, 1), {"id": 2, "timestamp": 6}]}),
            json!({"entries": [{"id": "2", "timestamp": 6, "priority": 2}]}),
            json!({"entries": [{"id": 2, "timestamp": 6.5, "priority": 2}]}),
            json!({"entries": [{"id": 2, "timestamp": 6, "priority": 2, "context": 7}]}),
        ] {
            let mut context = first.clone();
            learn(&mut context, &json!({"queryContext": wrong}));
            assert_eq!(context, QueryContext::default(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn it_stays_small_and_sorted_and_no_entry_becomes_older(
            answers in prop::collection::vec(prop::collection::vec((0i64..6, 0i64..9, 0i64..8), 0..8), 0..8)
        ) {
            let mut context = QueryContext::default();
            for answer in answers {
                let before = kept(&context);
                let given: Vec<_> = answer.iter().map(|&(id, t, p)| entry(id, t, p)).collect();
                give(&mut context, &given);
                let now = kept(&context);
                prop_assert!(now.len() <= DEFAULT_SIZE);
                prop_assert!(now.windows(2).all(|pair| pair[0].2 < pair[1].2));
                for (index, entry) in now.iter().enumerate() {
                    prop_assert!(now[..index].iter().all(|other| other.0 != entry.0));
                    prop_assert!(before.contains(entry) || answer.contains(entry));
                    prop_assert!(before.iter().all(|old| old.0 != entry.0 || old.1 <= entry.1));
                }
            }
        }
    }
}
