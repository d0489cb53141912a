//! What the keys mean, each by itself.

use super::tests::{load_json, one, spec, with_keys};
use super::*;
use crate::domain::spec::{ResetPartitions, RowSecurity, Sampling, TransformRule};
use crate::domain::table::{DateUnit, PartitionSize, QueryModifiers};

#[test]
fn every_key_arrives_in_the_table() {
    let all = r#", "primaryKeyColumns": ["id", "\"No\""], "excludeSourceColumns": ["note"],
        "queryModifiers": {"objectModifier": " WITH (NOLOCK)", "selectModifier": "/*+ x */"},
        "samplingThresholdRows": 5, "samplingTargetRows": 4, "executionTimeoutMinutes": 90,
        "resetPartitions": "enabledWithDedup", "rowLevelSecurity": "accept", "continueIdentityColumns": true,
        "loadSegmentation": {"targetSegmentSizeMb": 5000},
        "synchronization": {"strategy": "watermark", "watermarkColumn": "\"At\"", "trackModifications": true, "trackDeletions": true}"#;
    let own = spec(all, "");
    let plain = spec("", "");
    let expected = TableSpec {
        primary_key: vec!["id".to_owned(), "\"No\"".to_owned()],
        excluded_columns: vec!["note".to_owned()],
        query_modifiers: QueryModifiers {
            object: Some(" WITH (NOLOCK)".to_owned()),
            select: Some("/*+ x */".to_owned()),
            without_child_tables: false,
        },
        row_security: RowSecurity::Accept,
        sampling: Sampling {
            threshold_rows: 5,
            target_rows: 4,
        },
        analysis_timeout_minutes: Some(90),
        reset_partitions: ResetPartitions::EnabledWithDedup,
        continue_identity: true,
        load_segment_mb: Some(5000),
        synchronization: Synchronization::Watermark {
            column: "\"At\"".to_owned(),
            track_modifications: true,
            track_deletions: true,
        },
        ..plain.clone()
    };
    assert_eq!(own, expected);
    assert_eq!(spec("", all), expected, "inherited");
    assert_eq!(
        plain,
        TableSpec {
            key: Some(vec!["id".to_owned()]),
            ..TableSpec::new(plain.source.clone(), plain.target.clone())
        }
    );
}

#[test]
fn a_key_that_is_left_away_is_inferred_and_an_empty_one_is_none() {
    let with = |key: &str| {
        let text = one("").replace(r#", "columnNamesToPartitionBy": ["id"]"#, key);
        let file = load_json(&text).expect("a workflow");
        file.tables.into_iter().next().expect("a table").key
    };
    assert_eq!(with(""), None);
    assert_eq!(with(r#", "columnNamesToPartitionBy": null"#), None);
    assert_eq!(
        with(r#", "columnNamesToPartitionBy": []"#),
        Some(Vec::new())
    );
}

#[test]
fn every_synchronization_is_accepted() {
    for (keys, expected) in [
        (r#"{"strategy": "none"}"#, Synchronization::None),
        (
            r#"{"strategy": "FULL_REPLACE"}"#,
            Synchronization::FullReplace,
        ),
        (
            r#"{"strategy": "checksum"}"#,
            Synchronization::Checksum { expression: None },
        ),
        (
            r#"{"strategy": "checksum", "checksumExpression": "max(version)"}"#,
            Synchronization::Checksum {
                expression: Some("max(version)".to_owned()),
            },
        ),
        (
            r#"{"strategy": "watermark", "watermarkColumn": "u"}"#,
            Synchronization::Watermark {
                column: "u".to_owned(),
                track_modifications: false,
                track_deletions: false,
            },
        ),
    ] {
        let own = spec(&format!(r#", "synchronization": {keys}"#), "");
        assert_eq!(own.synchronization, expected, "{keys}");
    }
}

#[test]
fn child_tables_are_left_out_where_the_file_says_so() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join("w.json");
    for (table, defaults, without) in [
        ("", "", false),
        (r#""includeChildTables": true"#, "", false),
        (r#""include_child_tables": false"#, "", true),
        ("", r#""includeChildTables": false"#, true),
        (
            r#""includeChildTables": true"#,
            r#""includeChildTables": false"#,
            false,
        ),
    ] {
        let text = with_keys(&[("table", table), ("defaults", defaults)]);
        std::fs::write(&path, text).expect("write");
        let file = load(&path, Platform::Postgresql).expect("a workflow");
        let modifiers = &file.tables[0].query_modifiers;
        assert_eq!(
            modifiers.without_child_tables, without,
            "{table} {defaults}"
        );
    }
}

#[test]
fn modifiers_that_say_nothing_are_none() {
    for select in ["NONE", "none", "", " "] {
        let modifiers = format!(
            r#", "queryModifiers": {{"selectModifier": "{select}", "objectModifier": " "}}"#
        );
        let inherited = r#", "queryModifiers": {"selectModifier": "TOP 1", "objectModifier": "x"}"#;
        assert_eq!(
            spec(&modifiers, inherited).query_modifiers,
            QueryModifiers::default(),
            "{select}"
        );
    }
}

#[test]
fn what_is_said_of_the_whole_workflow_is_said_of_each_table() {
    let load_top = |top: &str| load_json(&with_keys(&[("top", top)])).expect("a workflow");
    for (word, expected) in [
        ("never", CleanUp::Never),
        ("on_success", CleanUp::OnSuccess),
        ("Always", CleanUp::Always),
    ] {
        let file = load_top(&format!(r#""clean_up_transient_resources": "{word}""#));
        assert_eq!(file.tables[0].clean_up, expected);
    }
    for (top, keep_schema) in [
        (r#""preflight": true"#, false),
        (r#""preflight": true, "preflightKeepSchema": true"#, true),
    ] {
        let file = load_top(top);
        assert_eq!(file.tables[0].preflight, Some(Preflight { keep_schema }));
        assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    }
    let file = load_top(r#""preflightKeepSchema": true"#);
    assert_eq!(file.tables[0].preflight, None);
    assert!(
        file.warnings[0].place.contains("preflightKeepSchema"),
        "{:?}",
        file.warnings
    );
    assert_eq!(
        load_top(r#""$schema": "workflow.schema.json""#),
        load_top(r#""schemaVersion": "1.0.0""#)
    );
}

#[test]
fn a_dry_run_ignores_synchronization_and_says_so() {
    let text = one(r#", "synchronization": {"strategy": "full-replace"}"#);
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join("w.json");
    std::fs::write(&path, &text).expect("write");
    let overrides = WorkflowOverrides {
        platform: Some(Platform::Redshift),
        preflight: true,
    };
    let file = load(&path, overrides).expect("a workflow");
    assert_eq!(file.tables[0].synchronization, Synchronization::None);
    assert_eq!(
        file.tables[0].preflight,
        Some(Preflight { keep_schema: false })
    );
    assert!(
        file.warnings[0].what.contains("ignores `synchronization`"),
        "{:?}",
        file.warnings
    );
    // What the command line asks for stays with the workflow.
    std::fs::write(&path, &file.configuration).expect("write");
    let again = load(&path, Platform::Redshift).expect("a workflow");
    assert_eq!(again, file);
}

#[test]
fn the_cap_of_a_partition_stands_beside_its_size_and_is_inherited_by_itself() {
    let sized = |more: &str, defaults: &str| {
        let own = spec(more, defaults);
        (own.partition_size, own.max_partition_rows)
    };
    for (more, size) in [
        ("", PartitionSize::Auto),
        (r#", "partitionSize": "auto""#, PartitionSize::Auto),
        (
            r#", "targetPartitionSizeMb": 7"#,
            PartitionSize::TargetSizeMb(7),
        ),
        (
            r#", "targetPartitionSizeRows": 7"#,
            PartitionSize::MaxRowsPerPartition(7),
        ),
        (
            r#", "partitionSize": {"targetSizeMb": 7}"#,
            PartitionSize::TargetSizeMb(7),
        ),
    ] {
        assert_eq!(sized(more, ""), (size, None), "{more}");
        let own = format!(r#"{more}, "max_partition_size_rows": 5"#);
        assert_eq!(sized(&own, ""), (size, Some(5)), "{own}");
        let cap = r#", "maxPartitionSizeRows": 9"#;
        assert_eq!(sized(more, cap), (size, Some(9)), "{more} under {cap}");
        assert_eq!(sized(&own, cap), (size, Some(5)), "{own} over {cap}");
    }
    // In the object as well, which may hold nothing else.
    for (object, expected) in [
        (
            r#"{"maxPartitionSizeRows": 5}"#,
            (PartitionSize::Auto, Some(5)),
        ),
        (
            r#"{"targetSizeMb": 7, "maxPartitionSizeRows": 5}"#,
            (PartitionSize::TargetSizeMb(7), Some(5)),
        ),
    ] {
        let text = one(&format!(r#", "partitionSize": {object}"#));
        assert_eq!(
            sized(&format!(r#", "partitionSize": {object}"#), ""),
            expected
        );
        let json = serde_json::from_str(&text).expect("JSON");
        assert!(crate::config::json_schema::takes(&json), "{object}");
    }
}

#[test]
fn the_table_s_transforms_stand_before_those_that_it_inherits() {
    let rules = |more: &str, defaults: &str| spec(more, defaults).column_transforms;
    let own = r#", "customColumnTransforms": [{"column": "a", "columnPattern": "^a", "dataType": "text", "encodeExpression": "lower({{ col_name }})", "decodeExpression": "UPPER({{col_name}})", "targetType": "VARCHAR(9)"}]"#;
    let inherited =
        r#", "custom_column_transforms": [{"data_type": "numeric", "target_type": "FLOAT"}]"#;
    let text = |text: &str| Some(text.to_owned());
    let one = TransformRule {
        column: text("a"),
        column_pattern: text("^a"),
        data_type: text("text"),
        encode: text("lower({{ col_name }})"),
        decode: text("UPPER({{col_name}})"),
        target_type: text("VARCHAR(9)"),
    };
    let other = TransformRule {
        data_type: text("numeric"),
        target_type: text("FLOAT"),
        ..TransformRule::default()
    };
    assert_eq!(rules(own, ""), std::slice::from_ref(&one));
    assert_eq!(rules("", inherited), std::slice::from_ref(&other));
    assert_eq!(rules(own, inherited), [one.clone(), other.clone()]);
    // A list of none keeps what is inherited, unlike other lists.
    assert_eq!(
        rules(r#", "customColumnTransforms": []"#, inherited),
        [other]
    );
    assert_eq!(rules(own, r#", "customColumnTransforms": null"#), [one]);
}

#[test]
fn hints_about_targets_dates_and_intervals_arrive() {
    for (value, expected) in [
        ("true", Some(true)),
        (r#""TRUE""#, Some(true)),
        ("false", Some(false)),
        (r#""false""#, Some(false)),
        (r#""Unknown""#, None),
        ("null", None),
    ] {
        let own = spec(&format!(r#", "targetHasCheckConstraints": {value}"#), "");
        assert_eq!(own.has_check_constraints, expected, "{value}");
    }
    for (word, unit) in [
        ("year", DateUnit::Year),
        ("Month", DateUnit::Month),
        ("day", DateUnit::Day),
    ] {
        let own = spec(&format!(r#", "partitionByDate": "{word}""#), "");
        assert_eq!(own.partition_by_date, Some(unit));
    }
    let wants = |parts: &[(&str, &str)]| {
        let file = load_json(&with_keys(parts)).expect("loads");
        file.tables[0].wants_intervals
    };
    let (text, interval) = (
        r#""intervalHandling": "VARCHAR""#,
        r#""interval_handling": "interval""#,
    );
    assert_eq!(wants(&[]), None);
    for part in ["top", "defaults", "table"] {
        assert_eq!(wants(&[(part, text)]), Some(false), "{part}");
        assert_eq!(wants(&[(part, interval)]), Some(true), "{part}");
    }
    assert_eq!(wants(&[("top", interval), ("table", text)]), Some(false));
}

#[test]
fn what_earlier_versions_stored_of_a_table_is_read() {
    let stored = r#"{"source": {"database": "d", "schema": "s", "table": "t"}, "target": {"database": "D", "schema": "S", "table": "T"},
        "key": ["id"], "partitionSize": "auto", "whereClause": null, "columnTypeMappings": [], "columnNameMappings": []}"#;
    let read: TableSpec = serde_json::from_str(stored).expect("reads");
    let expected = TableSpec {
        key: Some(vec!["id".to_owned()]),
        ..TableSpec::new(read.source.clone(), read.target.clone())
    };
    assert_eq!(read, expected);
}
