use super::*;
use crate::domain::table::{Platform, TableRef};
use crate::domain::table_plan::{Route, TargetKind};
use crate::extract::route;
use crate::platform;
use crate::target::of;

fn dialect() -> &'static dyn SourcePlatform {
    platform::source(Platform::Redshift).expect("a platform")
}

fn ways() -> Ways<'static> {
    Ways {
        dialect: dialect(),
        route: route(Route::Stream),
        kind: of(TargetKind::Native),
    }
}

fn source(name: &str, type_name: &str) -> SourceColumn {
    SourceColumn {
        name: name.into(),
        type_name: type_name.into(),
        length_or_precision: None,
        scale: None,
        nullable: true,
        ..SourceColumn::default()
    }
}

fn spec() -> TableSpec {
    let name = |text: &str| WrittenName(text.to_owned());
    let table = TableRef {
        database: name("d"),
        schema: name("s"),
        table: name("t"),
    };
    TableSpec::new(table.clone(), table)
}

fn analysis(columns: Vec<SourceColumn>) -> TableAnalysis {
    TableAnalysis {
        columns,
        ..TableAnalysis::default()
    }
}

fn target(name: &str, target_type: &str, nullable: bool) -> TargetColumn {
    TargetColumn {
        name: name.into(),
        target_type: target_type.into(),
        nullable,
        has_default: false,
        sequence: None,
        masking_policy: None,
    }
}

#[test]
fn a_type_mapping_takes_any_of_the_types_names() {
    let spec = TableSpec {
        column_type_mappings: vec![("INTEGER".into(), "NUMBER(38,0)".into())],
        ..spec()
    };
    let wanted =
        wanted_columns(&ways(), &spec, &analysis(vec![source("a", "int4")])).expect("fits");
    assert_eq!(wanted[0].created_type, "NUMBER(38,0)");
}

#[test]
fn all_mistakes_of_the_mappings_are_told_together() {
    let spec = TableSpec {
        column_name_mappings: vec![("b".into(), "A".into()), ("nope".into(), "X".into())],
        ..spec()
    };
    let columns = vec![source("a", "int4"), source("b", "int4")];
    let problems = wanted_columns(&ways(), &spec, &analysis(columns)).expect_err("mistakes");
    let codes: Vec<Code> = problems.0.iter().map(|problem| problem.code).collect();
    // Both become A, and nope is no column.
    assert_eq!(codes, [Code::COLUMN_NOT_FOUND, Code::TARGET_COLUMN_SHARED]);
    assert!(problems.to_string().contains("nope"), "{problems}");
}

#[test]
fn a_fallback_to_text_is_told_although_snowflake_describes_the_type_with_a_length() {
    let columns = vec![source("a", "inet")];
    let wanted = wanted_columns(&ways(), &spec(), &analysis(columns)).expect("fits");
    let created = [target("A", "VARCHAR(16777216)", true)];
    let (_, warnings) = match_columns(&ways(), &wanted, &created).expect("fits");
    assert!(warnings[0].contains("inet"), "{warnings:?}");
}

#[test]
fn a_target_decides_the_types_and_everything_that_does_not_fit_is_told() {
    let columns = vec![
        source("a", "date"),
        source("b", "varchar"),
        source("c", "int4"),
    ];
    let wanted = wanted_columns(&ways(), &spec(), &analysis(columns)).expect("fits");
    let fits = [
        target("C", "NUMBER(38,0)", true),
        target("A", "VARCHAR(20)", true),
        target("B", "VARCHAR(10)", false),
        target("LOADED_AT", "DATE", true),
    ];
    let (found, _) = match_columns(&ways(), &wanted, &fits).expect("fits");
    assert_eq!(found[0].target_type, "VARCHAR(20)");
    let misfits = [
        target("A", "BOOLEAN", true),
        target("B", "VARCHAR(10)", true),
        target("EXTRA", "DATE", false),
    ];
    let problems = match_columns(&ways(), &wanted, &misfits).expect_err("misfits");
    let codes: Vec<Code> = problems.0.iter().map(|problem| problem.code).collect();
    let expected = [
        Code::TARGET_TYPE,
        Code::TARGET_COLUMN_MISSING,
        Code::TARGET_COLUMN_UNFILLED,
    ];
    assert_eq!(codes, expected, "{problems}");
}

#[test]
fn a_sequence_fills_no_column_that_a_copy_leaves_out() {
    let wanted =
        wanted_columns(&ways(), &spec(), &analysis(vec![source("a", "int4")])).expect("fits");
    let numbered = |name: &str| TargetColumn {
        has_default: true,
        sequence: Some("D.S.SEQ".into()),
        ..target(name, "NUMBER(38,0)", true)
    };
    let (_, warnings) = match_columns(&ways(), &wanted, &[numbered("A")]).expect("fits");
    assert!(warnings.is_empty(), "{warnings:?}");
    let with_another = [
        numbered("A"),
        numbered("No"),
        target("IDENTITY", "NUMBER(38,0)", true),
    ];
    let problems = match_columns(&ways(), &wanted, &with_another).expect_err("a sequence");
    assert!(
        matches!(problems.0.as_slice(), [one] if one.code == Code::TARGET_COLUMN_UNFILLED
            && one.what.contains("D.S.SEQ") && one.to_string().contains("\"No\"")),
        "{problems}"
    );
}

fn problems_of(spec: &TableSpec, columns: Vec<SourceColumn>) -> Vec<Problem> {
    let refused = wanted_columns(&ways(), spec, &analysis(columns));
    refused.expect_err("mistakes").0
}

fn numeric(name: &str, precision: u32, scale: i32) -> SourceColumn {
    SourceColumn {
        length_or_precision: Some(precision),
        scale: Some(scale),
        ..source(name, "numeric")
    }
}

#[test]
fn a_mapping_with_arguments_is_for_columns_with_these() {
    let mapping = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let spec = TableSpec {
        column_type_mappings: vec![
            mapping("NUMERIC", "NUMBER(38,5)"),
            mapping("decimal ( 10 , 2 )", "VARCHAR"),
            mapping("numeric(7)", "FLOAT"),
            mapping("timestamp(3) with time zone", "TIMESTAMP_LTZ(3)"),
            mapping("integer[]", "VARIANT"),
        ],
        ..spec()
    };
    let columns = vec![
        numeric("a", 10, 2),
        numeric("b", 7, 0),
        numeric("c", 7, 1),
        source("d", "numeric"),
        SourceColumn {
            scale: Some(3),
            ..source("e", "timestamptz")
        },
        source("f", "timestamptz"),
        SourceColumn {
            class: TypeClass::Array,
            ..source("g", "int4")
        },
        source("h", "int4"),
    ];
    let wanted = wanted_columns(&ways(), &spec, &analysis(columns)).expect("fits");
    let types: Vec<&str> = wanted.iter().map(|w| w.created_type.as_str()).collect();
    assert_eq!(
        types,
        [
            "VARCHAR",
            "FLOAT",
            "NUMBER(38,5)",
            "NUMBER(38,5)",
            "TIMESTAMP_LTZ(3)",
            "TIMESTAMP_TZ(6)",
            "VARIANT",
            "NUMBER(10,0)"
        ]
    );
}

#[test]
fn a_mapping_that_the_load_cannot_do_exactly_is_refused_with_column_and_both_types() {
    let mapping = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let spec = TableSpec {
        column_type_mappings: vec![
            mapping("bytea", "VARIANT"),
            mapping("numeric(10,2)", "DATE"),
            mapping("text", "VARCHAR(5)); DROP TABLE t; --"),
        ],
        ..spec()
    };
    let columns = vec![
        source("a", "bytea"),
        numeric("b", 10, 2),
        source("c", "text"),
    ];
    let problems = problems_of(&spec, columns);
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, words) in problems.iter().zip([
        ["column a of type bytea", "VARIANT"],
        ["column b of type numeric(10,2)", "DATE"],
        ["column c of type text", "DROP"],
    ]) {
        assert_eq!(problem.code, Code::TARGET_TYPE);
        let has = |word: &&str| problem.what.contains(word);
        assert!(words.iter().all(has), "{problem}");
    }
}

#[test]
fn excluded_columns_stay_behind_and_are_told() {
    let spec = TableSpec {
        excluded_columns: vec!["B".into(), "\"Mixed\"".into()],
        ..spec()
    };
    let columns = vec![
        source("a", "int4"),
        source("b", "int4"),
        source("Mixed", "inet"),
        SourceColumn {
            computed: true,
            ..source("sum", "int4")
        },
    ];
    let analysis = analysis(columns);
    let wanted = wanted_columns(&ways(), &spec, &analysis).expect("fits");
    let names: Vec<&str> = wanted.iter().map(|w| w.target_name.as_str()).collect();
    assert_eq!(names, ["A", "SUM"]);
    let warnings = column_warnings(dialect(), &spec, &analysis);
    assert_eq!(
        warnings,
        [
            "column b is left out, as excludeSourceColumns says",
            "column Mixed is left out, as excludeSourceColumns says",
            "column sum is computed by the source: the target has its values as plain ones"
        ]
    );
}

#[test]
fn intervals_that_shall_have_a_type_are_text_and_it_is_told() {
    let columns = || {
        vec![
            source("span", "interval"),
            source("months", "intervaly2m"),
            source("n", "int4"),
        ]
    };
    let told = |wants_intervals, mappings: &[(&str, &str)]| {
        let spec = TableSpec {
            wants_intervals,
            column_type_mappings: mappings
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect(),
            ..spec()
        };
        column_warnings(dialect(), &spec, &analysis(columns()))
    };
    let warnings = told(Some(true), &[]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("column span arrives as ISO 8601 text"));
    assert!(warnings[1].starts_with("column months arrives as"));
    assert_eq!(told(Some(true), &[("interval", "VARCHAR(64)")]).len(), 1);
    assert_eq!(told(Some(false), &[]).len() + told(None, &[]).len(), 0);
}

#[test]
fn exclusions_that_cannot_be_are_refused_with_the_columns_that_exist() {
    let excluded = |names: &[&str]| TableSpec {
        excluded_columns: names.iter().map(|name| (*name).to_owned()).collect(),
        primary_key: vec!["A".into()],
        ..spec()
    };
    let columns = || vec![source("a", "int4"), source("b", "int4")];
    let unknown = problems_of(&excluded(&["nope"]), columns());
    assert!(
        unknown[0].code == Code::COLUMN_NOT_FOUND
            && unknown[0].what.contains("nope")
            && unknown[0].what.contains("a, b"),
        "{unknown:?}"
    );
    let all = problems_of(&excluded(&["a", "b"]), columns());
    assert!(
        all.iter().all(|p| p.code == Code::EXCLUDED_NEEDED),
        "{all:?}"
    );
    let all = Problems(all).one_line();
    assert!(all.contains("no column to migrate"), "{all}");
    assert!(all.contains("primaryKeyColumns"), "{all}");
}

#[test]
fn the_ddl_has_what_the_source_says_of_columns() {
    let columns = vec![SourceColumn {
        nullable: false,
        comment: Some("It's \\ here".into()),
        ..source("a", "int4")
    }];
    let wanted = wanted_columns(&ways(), &spec(), &analysis(columns)).expect("fits");
    assert_eq!(
        of(TargetKind::Native).create(&spec().target, &new_columns(&wanted), Some("t")),
        "CREATE TABLE IF NOT EXISTS \"D\".\"S\".\"T\" (\"A\" NUMBER(10,0) NOT NULL COMMENT 'It''s \\\\ here') DEFAULT_DDL_COLLATION = '' COMMENT = 't'"
    );
}

#[test]
fn columns_that_become_one_are_refused_until_one_is_renamed() {
    let columns = || {
        vec![
            source("id", "int4"),
            source("ID", "int4"),
            source("Id", "int4"),
        ]
    };
    let problems = problems_of(&spec(), columns());
    assert!(
        matches!(problems.as_slice(), [one] if one.code == Code::TARGET_COLUMN_SHARED
            && one.what.contains("id and ID both become ID")),
        "{problems:?}"
    );
    let renamed = TableSpec {
        column_name_mappings: vec![("\"ID\"".into(), "other".into())],
        ..spec()
    };
    let wanted = wanted_columns(&ways(), &renamed, &analysis(columns())).expect("fits");
    let names: Vec<&str> = wanted.iter().map(|w| w.target_name.as_str()).collect();
    assert_eq!(names, ["ID", "OTHER", "Id"]);
}
