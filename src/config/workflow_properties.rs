use super::*;
use crate::config::json_schema::takes;
use crate::config::schema::snake_case;
use proptest::prelude::*;

/// The same tree with its keys in snake_case.
fn snaked(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, value)| (snake_case(key), snaked(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(snaked).collect()),
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let known: Vec<&'static str> = crate::config::schema::every_key().into_iter().collect();
    let text = prop_oneof![
        prop::sample::select(vec![
            "auto",
            "none",
            "native",
            "regular",
            "iceberg",
            "watermark",
            "1.0",
            "id",
            "\"a",
            "a=1)",
            "@s"
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..5).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let key = prop_oneof![4 => prop::sample::select(known.clone()).prop_map(str::to_owned), 1 => "\\PC{0,5}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A workflow that has the frame of a right one and anything in it.
fn nearly_right() -> impl Strategy<Value = Value> {
    (
        any_json(),
        any_json(),
        prop::collection::vec(any_json(), 0..3),
    )
        .prop_map(|(top, defaults, tables)| {
            let mut workflow = top.as_object().cloned().unwrap_or_default();
            workflow.insert("defaultTableConfiguration".to_owned(), defaults);
            workflow.insert("tables".to_owned(), Value::Array(tables));
            Value::Object(workflow)
        })
}

fn check_text(
    text: &str,
    format: Format,
    platform: impl Into<WorkflowOverrides>,
) -> Result<WorkflowFile, ConfigErrors> {
    let mut findings = Findings::default();
    let file = check(text, format, platform.into(), &mut findings);
    let (file, _) = findings.finish(Path::new("w"), file)?;
    Ok(file)
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic(value in prop_oneof![any_json(), nearly_right()]) {
        for platform in [Some(Platform::Redshift), Some(Platform::Postgresql), Some(Platform::Sqlserver), None] {
            if let Err(errors) = check_text(&value.to_string(), Format::Json, platform) {
                prop_assert!(!errors.problems.0.is_empty());
                prop_assert_eq!(errors.to_string().lines().count(), errors.problems.0.len());
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"'a-c \n&*!|>%@-]{0,40}") {
        for format in [Format::Json, Format::Yaml] {
            let _ = check_text(&text, format, Platform::Redshift);
        }
    }

    #[test]
    fn snake_case_means_the_same(
        size in prop_oneof![Just(json!("auto")), (1u32..9).prop_map(|n| json!({"targetSizeMb": n})), (1u32..9).prop_map(|n| json!({"targetPartitionSizeRows": n}))],
        key in prop::collection::btree_set("[a-z]{1,5}", 0..4), predicate in prop::option::of("[a-z]{1,4} = '[^'\\\\\\pC]{0,9}'"),
        renamed in prop::collection::btree_map("[a-z]{1,5}", "[a-z]{1,9}[0-9]", 0..2), in_defaults: bool, timeout in prop::option::of(1u32..3),
        sync in prop::sample::select(vec![json!(null), json!({"strategy": "full-replace"}), json!({"strategy": "checksum", "checksumExpression": "max(x)"}), json!({"strategy": "watermark", "watermarkColumn": "u9", "trackDeletions": true}), json!({"strategy": "iceberg"})]),
        cap in prop::option::of(1u32..9),
        transforms in prop::collection::vec(("[a-z]{1,5}", "[a-z]{1,5}").prop_map(|(a, b)| json!({"column": a, "encodeExpression": format!("{b}({{{{ col_name }}}})"), "targetType": "VARCHAR"})), 0..3),
        reset in prop::sample::select(vec![json!(null), json!(true), json!("enabledWithDedup")]),
    ) {
        let renamed: Vec<Value> = renamed.into_iter().enumerate().map(|(i, (a, b))| json!({"sourceName": a, "targetName": format!("{b}{i}")})).collect();
        let more = json!({"partitionSize": size, "columnNamesToPartitionBy": key.clone(), "primaryKeyColumns": key, "synchronization": sync, "resetPartitions": reset, "whereClauseCriteria": predicate, "columnNameMappings": renamed, "executionTimeoutMinutes": timeout, "maxPartitionSizeRows": cap, "customColumnTransforms": transforms});
        let names = |table: &str| json!({"databaseName": "d", "schemaName": "s", "tableName": table});
        let mut table = json!({"source": names("t"), "target": names("T")});
        let mut defaults = json!({});
        for (name, value) in more.as_object().expect("an object") {
            (if in_defaults { &mut defaults } else { &mut table })[name] = value.clone();
        }
        let camel = json!({"defaultTableConfiguration": defaults, "tables": [table]});
        let loaded = check_text(&camel.to_string(), Format::Json, Platform::Redshift);
        let is_right = sync["strategy"] != "iceberg";
        prop_assert_eq!(loaded.is_ok(), is_right, "{:?}", loaded);
        prop_assert_eq!(&loaded, &check_text(&snaked(&camel).to_string(), Format::Json, Platform::Redshift));
        // JSON is YAML, and the normal form of a file is a file that means the same.
        prop_assert_eq!(&loaded, &check_text(&camel.to_string(), Format::Yaml, Platform::Redshift));
        if let Ok(loaded) = loaded {
            for file in [&camel, &snaked(&camel), &serde_json::from_str(&loaded.configuration).expect("JSON")] {
                prop_assert!(takes(file), "{}", file);
            }
            let again = check_text(&loaded.configuration, Format::Json, Platform::Redshift);
            prop_assert_eq!(again, Ok(loaded));
        }
    }
}
