use super::*;
use crate::config::json_schema;
use crate::config::testing::lines;
use crate::domain::table::PartitionSize;

fn load_text(text: &str, name: &str, platform: Platform) -> Result<WorkflowFile, Vec<String>> {
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("write");
    load(&path, platform).map_err(|errors| lines(&errors.problems.0, &path))
}

pub(super) fn load_json(text: &str) -> Result<WorkflowFile, Vec<String>> {
    load_text(text, "w.json", Platform::Redshift)
}

/// A workflow of one table with more keys in it.
pub(super) fn one(more: &str) -> String {
    two(more, "")
}

/// The same with more keys in the defaults.
fn two(more: &str, defaults: &str) -> String {
    let keys = |text: &'_ str| text.trim_start_matches(", ").to_owned();
    with_keys(&[("table", &keys(more)), ("defaults", &keys(defaults))])
}

pub(super) fn spec(more: &str, defaults: &str) -> TableSpec {
    let file = load_json(&two(more, defaults)).expect("a workflow");
    file.tables.into_iter().next().expect("a table")
}

/// A workflow of one table with more keys in some of its parts.
pub(super) fn with_keys(parts: &[(&str, &str)]) -> String {
    let put = |wanted: &str| -> String {
        let keys = parts
            .iter()
            .filter(|(part, keys)| *part == wanted && !keys.is_empty());
        keys.map(|(_, keys)| format!(", {keys}")).collect()
    };
    format!(
        r#"{{"defaultTableConfiguration": {{"source": {{"databaseName": "d", "schemaName": "s"}}, "target": {{"databaseName": "D", "schemaName": "S"}}{}}},
            "tables": [{{"source": {{"tableName": "t"}}, "target": {{"tableName": "T"{}}}, "columnNamesToPartitionBy": ["id"]{}}}]{}}}"#,
        put("defaults"),
        put("target"),
        put("table"),
        put("top")
    )
}

/// A file that is refused: its platform, its text, and how the lines about it begin.
type Refusal = (Platform, String, Vec<&'static str>);

fn refusals() -> Vec<Refusal> {
    let mut cases: Vec<Refusal> = Vec::new();
    for line in include_str!("workflow_refusals.txt").lines() {
        if let Some(expected) = line.strip_prefix("    ") {
            cases.last_mut().expect("a case").2.push(expected);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (platform, case) = match line.strip_prefix('[').and_then(|c| c.split_once("] ")) {
                Some((name, case)) => (Platform::parse(name).expect("a platform"), case),
                None => (Platform::Redshift, line),
            };
            let text = match case.split_once(' ').expect("a part and its keys") {
                ("file", text) => text.to_owned(),
                part_and_keys => with_keys(&[part_and_keys]),
            };
            cases.push((platform, text, Vec::new()));
        }
    }
    cases
}

#[test]
fn every_mistake_is_told_with_its_path() {
    for (platform, text, expected) in refusals() {
        let lines = load_text(&text, "w.json", platform).expect_err(&text);
        let mut pairs = lines.iter().zip(&expected);
        let fits =
            lines.len() == expected.len() && pairs.all(|(line, start)| line.starts_with(start));
        assert!(fits, "{text}\n{lines:#?}\nexpected {expected:#?}");
    }
}

#[test]
fn a_file_with_many_mistakes_has_one_line_for_each() {
    let text = r#"{
        "schemaVersion": "2.0",
        "afinity": "blue",
        "defaultTableConfiguration": {"synchronization": {"strategy": "wotermark"}},
        "tables": [
            {"source": {"databaseName": "d", "schemaName": 7, "tableName": "orders"},
             "target": {"databaseName": "D", "schemaName": "S", "tableName": "\"T"},
             "whereClauseCriteria": "a = 1) OR (1 = 1",
             "partitionSize": {"targetSizeMb": 0}},
            {"source": {"databaseName": "d", "schemaName": "s"},
             "target": {"databaseName": "D", "schemaName": "S", "tableName": "T"},
             "extraction": {"strategy": "unload", "externalStage": "D.S.X"},
             "primaryKeyColumns": ["id", "ID"],
             "excludeSourceColumns": ["id"]}
        ]}"#;
    let errors = parse(Path::new("w.json"), text, Platform::Redshift).expect_err("mistakes");
    insta::assert_snapshot!(errors);
}

#[test]
fn without_a_platform_what_depends_on_it_is_not_checked_and_all_else_is() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join("w.json");
    let of_any = one(
        r#", "includeChildTables": false, "whereClauseCriteria": "path = 'C:\\' AND a[1] ? 'x'""#,
    );
    std::fs::write(&path, &of_any).expect("write");
    load(&path, None).expect("a workflow of some platform");
    load(&path, Platform::Postgresql).expect_err("a `?`");
    std::fs::write(&path, one(r#", "whereClauseCriterium": "a = 1", "columnTypeMappings": [{"sourceType": "int", "targetType": "INT); DROP"}]"#)).expect("write");
    let told = load(&path, None).expect_err("mistakes").to_string();
    assert!(
        told.contains("whereClauseCriterium") && told.contains("is not a Snowflake type"),
        "{told}"
    );
}

#[test]
fn what_is_refused_for_its_shape_is_refused_by_the_json_schema() {
    let shape = [
        "unknown key",
        "expected ",
        "there is no table",
        " is none of ",
        "is out of range",
        "are the same key",
        "is not a version",
        "is not known",
        "the partition size is given twice",
        "are both given",
        "the size is missing",
        "the name is empty",
        "the text is empty",
        "quoted name",
        "is not a Snowflake type",
        "is not a path on a stage",
    ];
    let mut num_shape = 0;
    for (_, text, expected) in refusals() {
        let Ok(file) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        if expected
            .iter()
            .any(|line| shape.iter().any(|part| line.contains(part)))
        {
            num_shape += 1;
            assert!(!json_schema::takes(&file), "{text}");
        }
    }
    assert!(num_shape > 30, "{num_shape}");
}

#[test]
fn what_is_not_supported_yet_is_refused_and_never_ignored() {
    let (key, path) = (
        r#""extraction": {"strategy": "unload", "externalStage": "D.S.X"}"#,
        "extraction.strategy",
    );
    let own = load_json(&one(&format!(", {key}"))).expect_err(key);
    assert!(
        matches!(own.as_slice(), [line] if line.starts_with(&format!("SH0110 tables[0].{path}: table s.t: ")) && line.contains("not supported yet")),
        "{own:?}"
    );
    let inherited = load_json(&two("", &format!(", {key}"))).expect_err(key);
    assert!(
        matches!(inherited.as_slice(), [line] if line.starts_with(&format!("SH0110 defaultTableConfiguration.{path}: ")) && line.ends_with("(inherited by tables[0] s.t)")),
        "{inherited:?}"
    );
}

#[test]
fn defaults_written_out_are_accepted() {
    let more = r#", "excludeSourceColumns": [], "queryModifiers": {}, "resetPartitions": false, "continueIdentityColumns": false,
        "synchronization": {"strategy": "NONE", "trackModifications": false}, "extraction": {"strategy": "regular"}, "primaryKeyColumns": ["id"],
        "samplingTargetRows": null, "loadSegmentation": null"#;
    let text = one(more).replace(
        "\"tableName\": \"T\"",
        "\"tableName\": \"T\", \"tableType\": \"native\"",
    );
    let text = text.replacen(
        '{',
        r#"{"preflight": false, "cleanUpTransientResources": "on_success", "schemaVersion": "1", "#,
        1,
    );
    load_json(&text).expect("a workflow");
}

#[test]
fn objects_merge_key_by_key_lists_are_replaced_and_null_inherits() {
    let defaults = r#", "whereClauseCriteria": "a = 1", "columnNameMappings": [{"sourceName": "a", "targetName": "b"}], "partitionSize": {"targetSizeMb": 7}"#;
    let inherited = spec("", defaults);
    assert_eq!(inherited.source.to_string(), "d.s.t");
    assert_eq!(inherited.where_clause.as_deref(), Some("a = 1"));
    assert_eq!(
        inherited.column_name_mappings,
        [("a".to_owned(), "b".to_owned())]
    );
    assert_eq!(inherited.partition_size, PartitionSize::TargetSizeMb(7));
    assert_eq!(
        spec(
            r#", "whereClauseCriteria": null, "columnNameMappings": null, "partitionSize": null"#,
            defaults
        ),
        inherited
    );
    let own = spec(
        r#", "whereClauseCriteria": "b = 2", "columnNameMappings": [], "partitionSize": {"maxRowsPerPartition": 9}"#,
        defaults,
    );
    assert_eq!(own.where_clause.as_deref(), Some("b = 2"));
    assert!(own.column_name_mappings.is_empty());
    assert_eq!(own.partition_size, PartitionSize::MaxRowsPerPartition(9));
}

#[test]
fn every_spelling_of_a_partition_size_is_one_setting() {
    for (more, size) in [
        (r#", "partitionSize": "AUTO""#, PartitionSize::Auto),
        (
            r#", "targetPartitionSizeMb": 3"#,
            PartitionSize::TargetSizeMb(3),
        ),
        (
            r#", "target_partition_size_rows": 3.0"#,
            PartitionSize::MaxRowsPerPartition(3),
        ),
        (
            r#", "partitionSize": {"target_size_mb": 3}"#,
            PartitionSize::TargetSizeMb(3),
        ),
        (
            r#", "partitionSize": {"targetPartitionSizeRows": 3}"#,
            PartitionSize::MaxRowsPerPartition(3),
        ),
    ] {
        for defaults in [
            "",
            r#", "targetPartitionSizeMb": 8"#,
            r#", "partitionSize": {"maxRowsPerPartition": 8}"#,
        ] {
            assert_eq!(
                spec(more, defaults).partition_size,
                size,
                "{more} over {defaults}"
            );
        }
    }
    assert_eq!(
        spec("", r#", "targetPartitionSizeRows": 8"#).partition_size,
        PartitionSize::MaxRowsPerPartition(8)
    );
}

#[test]
fn a_table_may_leave_what_it_inherits() {
    // Each table takes its own strategy, and the defaults' other keys then mean nothing.
    let defaults = r#", "extraction": {"strategy": "unload", "externalStage": "D.S.X"}, "synchronization": {"strategy": "watermark", "watermarkColumn": "u", "trackModifications": true}"#;
    spec(
        r#", "extraction": {"strategy": "regular"}, "synchronization": {"strategy": "none"}"#,
        defaults,
    );
    // A native table drops an inherited icebergConfig, said or not.
    for (own, inherited) in [
        (r#", "tableType": "native""#, r#""tableType": "iceberg", "#),
        ("", ""),
    ] {
        let text = one("")
            .replace(r#""tableName": "T""#, &format!(r#""tableName": "T"{own}"#))
            .replace(
                r#""databaseName": "D""#,
                &format!(
                    r#""databaseName": "D", {inherited}"icebergConfig": {{"externalVolume": "v"}}"#
                ),
            );
        let file = load_json(&text).expect("a workflow");
        assert!(
            !file.configuration.contains("icebergConfig"),
            "{}",
            file.configuration
        );
    }
}

#[test]
fn an_inherited_mistake_is_told_once_with_the_tables_that_have_it() {
    let table = |name: &str| {
        format!(r#"{{"source": {{"tableName": "{name}"}}, "target": {{"tableName": "{name}"}}}}"#)
    };
    let tables: Vec<String> = ["a", "b", "c", "e", "f"].map(table).to_vec();
    let text = format!(
        r#"{{"defaultTableConfiguration": {{"source": {{"databaseName": "d", "schemaName": "s"}}, "target": {{"databaseName": "D", "schemaName": "S"}}, "columnNamesToPartitionBy": [], "synchronization": {{"strategy": "watermark", "watermarkColumn": "u"}}, "excludeSourceColumns": ["U"]}}, "tables": [{}]}}"#,
        tables.join(",")
    );
    let lines = load_json(&text).expect_err("no watermark");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].ends_with("(inherited by tables[0] s.a, tables[1] s.b, tables[2] s.c and 2 more)"),
        "{lines:?}"
    );
}

#[test]
fn two_tables_with_one_target_are_refused_by_the_name_that_is_meant() {
    let table = |name: &str| {
        format!(
            r#"{{"source": {{"databaseName": "d", "schemaName": "s", "tableName": "t"}}, "target": {{"databaseName": "d", "schemaName": "\"S\"", "tableName": {name}}}, "columnNamesToPartitionBy": []}}"#
        )
    };
    let pair =
        |one: &str, other: &str| format!(r#"{{"tables": [{}, {}]}}"#, table(one), table(other));
    let lines = load_json(&pair(r#""orders""#, r#""\"ORDERS\"""#)).expect_err("one target");
    assert!(
        matches!(lines.as_slice(), [line] if line.starts_with("SH0114 tables[1].target: table s.t: its target")),
        "{lines:?}"
    );
    load_json(&pair(r#""orders""#, r#""\"orders\"""#)).expect("two targets");
}

#[test]
fn yaml_says_the_same_as_json() {
    let yaml = "defaultTableConfiguration:\n  source: {databaseName: d, schemaName: s}\n  target: &target {databaseName: D, schemaName: S}\ntables:\n- source: {tableName: t}\n  target: {tableName: T}\n  columnNamesToPartitionBy: [id]\n  partition_size: {targetSizeMb: 7}\n";
    let json = load_json(&one(r#", "partitionSize": {"targetSizeMb": 7}"#)).expect("a workflow");
    for name in ["w.yaml", "w.YML"] {
        assert_eq!(
            load_text(yaml, name, Platform::Redshift).as_ref(),
            Ok(&json)
        );
    }
    for (text, start) in [
        ("tables: [", "SH0102 this is not valid YAML: "),
        (
            "tables: []\ntables: []\n",
            "SH0108 tables: this key is given twice",
        ),
        (
            "schemaVersion: 1.0\ntables: [{}]\n",
            "SH0105 schemaVersion: expected text, found a number; put it in quotes",
        ),
    ] {
        let lines = load_text(text, "w.yaml", Platform::Redshift).expect_err(text);
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "{lines:?}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_or_is_no_text_is_told() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let missing = load(&folder.path().join("none.json"), Platform::Redshift).expect_err("no file");
    assert!(
        missing
            .to_string()
            .contains("none.json: there is no such file"),
        "{missing}"
    );
    let path = folder.path().join("w.json");
    std::fs::write(&path, b"{\"\xff\"}").expect("write");
    let latin = load(&path, Platform::Redshift).expect_err("no UTF-8");
    for error in [&missing, &latin] {
        assert_eq!(error.problems.0[0].code, Code::FILE_UNREADABLE, "{error}");
    }
    assert!(
        latin.to_string().contains("byte 2 is not valid UTF-8"),
        "{latin}"
    );
    load_json(&format!("\u{feff}{}", one(""))).expect("a byte order mark is no mistake");
}

#[test]
fn affinity_is_any_text_and_a_blank_one_is_none() {
    let with = |affinity: &str| {
        load_json(&one("").replacen('{', &format!("{{\"affinity\": \"{affinity}\", "), 1))
            .expect("a workflow")
    };
    assert_eq!(with("::blue::").affinity.as_deref(), Some("::blue::"));
    let blank = with(" ");
    assert_eq!((blank.affinity, blank.warnings.len()), (None, 1));
}
