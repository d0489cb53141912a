//! The JSON Schema (draft 2020-12) of workflow files, from the same keys as the reader, so that editors complete and
//! check them. It says what the reader says of one value's shape, with null wherever the reader takes null as absent.

use super::schema::{Key, Kind, MAX_ROWS, PARTITION_SIZE, Side, TABLE, WORKFLOW, snake_case};
use serde_json::{Map, Value, json};

/// The schema.
pub fn workflow_schema() -> Value {
    let mut builder = Builder::default();
    let Value::Object(object) = builder.object(WORKFLOW, &["tables"]) else {
        return Value::Null;
    };
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("snowhaul workflow"));
    schema.insert(
        "description".to_owned(),
        json!("Tables to migrate into Snowflake, and how. snake_case of each key is accepted."),
    );
    schema.extend(object);
    schema.insert("$defs".to_owned(), Value::Object(builder.definitions));
    Value::Object(schema)
}

/// Collects the objects that keys refer to.
#[derive(Default)]
struct Builder {
    definitions: Map<String, Value>,
}

impl Builder {
    /// An object with these keys in both spellings, of which only one may be there.
    fn object(&mut self, keys: &[Key], required: &[&str]) -> Value {
        let mut properties = Map::new();
        let mut patterns = Map::new();
        let mut either = Map::new();
        let mut needed = Vec::new();
        for key in keys {
            let is_required = required.contains(&key.name);
            let value = self.value(key, is_required);
            let snake = snake_case(key.name);
            let has_two = snake != key.name;
            if is_required {
                let mut spellings = vec![json!({"required": [key.name]})];
                if has_two {
                    spellings.push(json!({"required": [snake]}));
                }
                needed.push(json!({"anyOf": spellings}));
            }
            if has_two {
                patterns.insert(format!("^{snake}$"), value.clone());
                either.insert(snake, json!({"properties": {key.name: false}}));
            }
            properties.insert(key.name.to_owned(), value);
        }
        let mut object =
            json!({"type": "object", "properties": properties, "additionalProperties": false});
        for (word, part) in [
            ("patternProperties", patterns),
            ("dependentSchemas", either),
        ] {
            if !part.is_empty() {
                object[word] = Value::Object(part);
            }
        }
        if !needed.is_empty() {
            object["allOf"] = Value::Array(needed);
        }
        object
    }

    /// A reference to the object, which is defined once.
    fn reference(&mut self, name: &str, keys: &[Key], required: &[&str]) -> Value {
        if !self.definitions.contains_key(name) {
            // Its place first: what is inside may refer to it.
            self.definitions.insert(name.to_owned(), Value::Null);
            let object = self.object(keys, required);
            self.definitions.insert(name.to_owned(), object);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    /// A table, or the defaults: an object in which the partition size is given once at most.
    fn table(&mut self) -> Value {
        let reference = self.reference("table", TABLE, &[]);
        let sizes = ["partitionSize"]
            .into_iter()
            .chain(sizes())
            .filter(|name| TABLE.iter().any(|key| key.name == *name));
        let sizes: Vec<&str> = sizes.collect();
        if let Some(table) = self.definitions.get_mut("table") {
            let mut one_size = exactly_one(&sizes);
            let absent = spellings(&sizes).map(|name| (name, json!({"type": "null"})));
            let none = absent.collect::<Map<_, _>>();
            one_size.push(json!({"properties": none}));
            table["oneOf"] = Value::Array(one_size);
        }
        reference
    }

    fn value(&mut self, key: &Key, is_required: bool) -> Value {
        let mut schema = match key.kind {
            Kind::Object(_) if key.name == "defaultTableConfiguration" => self.table(),
            Kind::Object(keys) => self.reference(key.name, keys, &[]),
            Kind::Objects(keys) => {
                let all: Vec<&str> = keys.iter().map(|key| key.name).collect();
                let item = self.reference(key.name.trim_end_matches('s'), keys, &all);
                json!({"type": "array", "items": item})
            }
            Kind::Transforms(keys) => {
                let item = self.reference("customColumnTransform", keys, &[]);
                json!({"type": "array", "items": item})
            }
            Kind::Tables => json!({"type": "array", "items": self.table(), "minItems": 1}),
            Kind::PartitionSize => self.partition_size(),
            kind => leaf(kind),
        };
        if !is_required {
            schema = nullable(schema);
        }
        schema["description"] = json!(key.doc);
        schema
    }

    fn partition_size(&mut self) -> Value {
        let mut sizes = self.object(PARTITION_SIZE, &[]);
        let names: Vec<&str> = self::sizes().collect();
        let mut given = exactly_one(&names);
        // The cap alone means auto.
        let none = spellings(&names).map(|name| (name, json!({"type": "null"})));
        let none = none.collect::<Map<_, _>>();
        let caps = Value::Array(exactly_one(&[MAX_ROWS]));
        given.push(json!({"properties": none, "anyOf": caps}));
        sizes["oneOf"] = Value::Array(given);
        json!({"oneOf": [choice(&["auto"]), sizes]})
    }
}

/// The sizes that exclude each other.
fn sizes() -> impl Iterator<Item = &'static str> {
    PARTITION_SIZE
        .iter()
        .map(|key| key.name)
        .filter(|name| *name != MAX_ROWS)
}

fn spellings<'a>(names: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    names
        .iter()
        .flat_map(|name| [(*name).to_owned(), snake_case(name)])
}

/// For `oneOf`: exactly one of the keys is there and not null.
fn exactly_one(names: &[&str]) -> Vec<Value> {
    let given = |name: String| {
        let mut properties = Map::new();
        properties.insert(name.clone(), json!({"not": {"type": "null"}}));
        json!({"required": [name], "properties": properties})
    };
    spellings(names).map(given).collect()
}

fn nullable(mut schema: Value) -> Value {
    match schema.get("type").cloned() {
        Some(kind @ Value::String(_)) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// A value without keys of its own.
fn leaf(kind: Kind) -> Value {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match kind {
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Choice(words) => choice(words),
        Kind::SwitchOrChoice(words) => json!({"anyOf": [{"type": "boolean"}, choice(words)]}),
        Kind::Count => json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}),
        Kind::Name(side) => text(name_pattern(side)),
        Kind::Names(side) => {
            json!({"type": "array", "items": text(name_pattern(side)), "uniqueItems": true})
        }
        Kind::Version => text(r"^0*1(\.[0-9]+){0,2}$"),
        Kind::TargetType => text(r"^[ \t\r\n]*[A-Za-z][A-Za-z0-9_ ,()]*[ \t\r\n]*$"),
        Kind::Expression => text(r"^[^;]*[^; \t\r\n][^;]*$"),
        Kind::StagePath => text("^@"),
        Kind::Text | Kind::Predicate | Kind::Pattern | Kind::Encode | Kind::Decode => {
            text(r"[^ \t\r\n]")
        }
        Kind::Refused(_) => json!({"const": null}),
        // What holds other keys is built by its parent.
        Kind::Affinity
        | Kind::Modifier
        | Kind::PartitionSize
        | Kind::Object(_)
        | Kind::Objects(_)
        | Kind::Transforms(_)
        | Kind::Tables => json!({"type": "string"}),
    }
}

/// One of the words: as the documentation writes them for completion, or as the reader takes them.
fn choice(words: &[&str]) -> Value {
    let any_case = |word: &&str| -> String {
        word.chars()
            .map(|c| match c {
                '-' | '_' => "[-_]".to_owned(),
                c => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
            })
            .collect()
    };
    let all: Vec<String> = words.iter().map(any_case).collect();
    let pattern = format!(r"^[ \t\r\n]*({})[ \t\r\n]*$", all.join("|"));
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": pattern}]})
}

/// Quoted, with its quotes doubled inside, or without any. Brackets quote in some sources. Blanks are named: what `\s`
/// means differs between validators.
fn name_pattern(side: Side) -> &'static str {
    match side {
        Side::Source => {
            r#"^[ \t\r\n]*("([^"]|"")+"|\[([^\]]|\]\])+\]|[^" \t\r\n][^"]*)[ \t\r\n]*$"#
        }
        Side::Target => r#"^[ \t\r\n]*("([^"]|"")+"|[^" \t\r\n][^"]*)[ \t\r\n]*$"#,
    }
}

/// Whether the schema takes a file.
#[cfg(test)]
pub(super) fn takes(file: &Value) -> bool {
    static COMPILED: std::sync::OnceLock<(boon::Schemas, boon::SchemaIndex)> =
        std::sync::OnceLock::new();
    let (schemas, index) = COMPILED.get_or_init(|| {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        let place = "https://example.com/workflow.schema.json";
        compiler
            .add_resource(place, workflow_schema())
            .expect("a place");
        let index = compiler.compile(place, &mut schemas).expect("a schema");
        (schemas, index)
    });
    schemas.validate(file, *index).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::every_key;
    use std::collections::BTreeSet;

    /// Calls `see` with each property's name and schema.
    fn each_property(schema: &Value, see: &mut impl FnMut(&str, &Value)) {
        match schema {
            Value::Object(object) => {
                let is_object = object.contains_key("additionalProperties");
                let properties = object.get("properties").and_then(Value::as_object);
                for (name, value) in properties.into_iter().flatten().filter(|_| is_object) {
                    see(name, value);
                }
                object.values().for_each(|value| each_property(value, see));
            }
            Value::Array(items) => items.iter().for_each(|value| each_property(value, see)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_in_it_with_a_sentence() {
        let mut names = BTreeSet::new();
        each_property(&workflow_schema(), &mut |name, value| {
            let doc = value["description"].as_str().unwrap_or_default();
            assert!(doc.len() > 10 && doc.ends_with('.'), "{name}: {doc}");
            names.insert(name.to_owned());
        });
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, every_key());
    }

    #[test]
    fn null_is_taken_where_it_means_absent() {
        let names = json!({"databaseName": "d", "schemaName": "s", "tableName": "t"});
        let with = |key: &str, value: Value| {
            let mut table = json!({"source": names, "target": names});
            table[key] = value;
            json!({"tables": [table]})
        };
        for key in TABLE {
            assert!(takes(&with(key.name, Value::Null)), "{}", key.name);
        }
        assert!(takes(&with(
            "partitionSize",
            json!({"targetSizeMb": null, "max_rows_per_partition": 3})
        )));
        for (key, value) in [
            (
                "columnNameMappings",
                json!([{"sourceName": "a", "targetName": null}]),
            ),
            ("columnNameMappings", json!([null])),
            ("partitionSize", json!({"targetSizeMb": null})),
            ("primaryKeyColumns", json!([null])),
        ] {
            assert!(!takes(&with(key, value.clone())), "{value}");
        }
        assert!(!takes(&json!({"tables": null})));
    }
}
