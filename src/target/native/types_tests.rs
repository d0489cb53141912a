use super::*;
use crate::domain::table::{Platform, SourceColumn, TypeClass, WrittenName};
use crate::platform::{self, SourcePlatform};
use crate::types::PlannedColumn;
use proptest::prelude::*;

fn postgres() -> &'static dyn SourcePlatform {
    platform::source(Platform::Postgresql).expect("a platform")
}

fn source(type_name: &str, precision: Option<u32>, scale: Option<i32>) -> SourceColumn {
    SourceColumn {
        name: "x".into(),
        type_name: type_name.into(),
        length_or_precision: precision,
        scale,
        nullable: true,
        ..SourceColumn::default()
    }
}

fn array(type_name: &str) -> SourceColumn {
    SourceColumn {
        class: TypeClass::Array,
        ..source(type_name, None, None)
    }
}

fn loaded(source: &SourceColumn, target: &str) -> Result<LoadExpression, String> {
    let PlannedColumn { plan, .. } = postgres().plan_column(source, 0, Some(target));
    load_expression(&plan.file_column(), target)
}

fn expression(source: &SourceColumn, target: &str) -> Result<String, String> {
    loaded(source, target).map(|loaded| loaded.sql)
}

#[test]
fn numbers_come_with_the_digits_of_the_target() {
    let column = source("numeric", Some(10), Some(2));
    assert_eq!(
        expression(&column, "NUMBER(12,4)").as_deref(),
        Ok("$1:\"c0\"::NUMBER(38,4)")
    );
    let narrow = postgres()
        .plan_column(&column, 0, Some("NUMBER(10,0)"))
        .plan;
    assert_eq!(narrow.data_type, DataType::Decimal128(10, 0));
}

#[test]
fn text_is_cast_without_a_length_so_that_the_target_refuses_what_is_too_long() {
    assert_eq!(
        expression(&source("varchar", Some(10), None), "VARCHAR(3)").as_deref(),
        Ok("$1:\"c0\"::VARCHAR")
    );
}

/// Types with a way to each of the targets, and no other.
const MATRIX: &[(&str, &[&str])] = &[
    ("int4", &["NUMBER(38,0)", "FLOAT", "VARCHAR", "VARIANT"]),
    ("bool", &["BOOLEAN", "VARCHAR", "VARIANT"]),
    ("numeric", &["NUMBER(38,0)", "FLOAT", "VARCHAR"]),
    ("money", &["NUMBER(38,0)", "FLOAT", "VARCHAR", "VARIANT"]),
    ("float8", &["FLOAT", "VARCHAR"]),
    (
        "date",
        &[
            "DATE",
            "VARCHAR",
            "TIMESTAMP_NTZ(9)",
            "TIMESTAMP_TZ(9)",
            "TIMESTAMP_LTZ(9)",
        ],
    ),
    (
        "timestamp",
        &[
            "DATE",
            "VARCHAR",
            "TIMESTAMP_NTZ(9)",
            "TIMESTAMP_TZ(9)",
            "TIMESTAMP_LTZ(9)",
        ],
    ),
    (
        "timestamptz",
        &[
            "VARCHAR",
            "TIMESTAMP_NTZ(9)",
            "TIMESTAMP_TZ(9)",
            "TIMESTAMP_LTZ(9)",
        ],
    ),
    ("time", &["TIME(9)", "VARCHAR"]),
    ("timetz", &["VARCHAR"]),
    ("interval", &["VARCHAR"]),
    (
        "varchar",
        &[
            "NUMBER(38,0)",
            "FLOAT",
            "VARCHAR",
            "BOOLEAN",
            "DATE",
            "TIME(9)",
            "TIMESTAMP_NTZ(9)",
            "TIMESTAMP_TZ(9)",
            "TIMESTAMP_LTZ(9)",
            "VARIANT",
            "ARRAY",
            "OBJECT",
        ],
    ),
    ("bytea", &["BINARY", "VARCHAR"]),
    ("jsonb", &["VARIANT", "ARRAY", "OBJECT", "VARCHAR"]),
    ("uuid", &["VARCHAR"]),
    ("geometry", &["GEOMETRY", "GEOGRAPHY", "VARCHAR"]),
    ("inet", &["VARCHAR"]),
];

const TARGETS: &[&str] = &[
    "NUMBER(38,0)",
    "FLOAT",
    "VARCHAR",
    "BOOLEAN",
    "BINARY",
    "DATE",
    "TIME(9)",
    "TIMESTAMP_NTZ(9)",
    "TIMESTAMP_TZ(9)",
    "TIMESTAMP_LTZ(9)",
    "VARIANT",
    "ARRAY",
    "OBJECT",
    "GEOMETRY",
    "GEOGRAPHY",
    "VECTOR(INT, 3)",
];

#[test]
fn each_type_goes_where_it_stays_exact_and_nowhere_else() {
    for (name, ways) in MATRIX {
        for target in TARGETS {
            let found = expression(&source(name, None, None), target);
            assert_eq!(
                found.is_ok(),
                ways.contains(target),
                "{name} into {target}: {found:?}"
            );
        }
    }
    for target in TARGETS {
        let found = expression(&array("int4"), target);
        let ways = ["ARRAY", "VARIANT", "VARCHAR"];
        assert_eq!(found.is_ok(), ways.contains(target), "int4[] into {target}");
    }
}

#[test]
fn what_is_written_in_another_way_than_before_is_told() {
    for (name, target) in [
        ("int8", "FLOAT"),
        ("timestamptz", "TIMESTAMP_NTZ(6)"),
        ("timestamp", "TIMESTAMP_TZ(6)"),
        ("date", "TIMESTAMP_LTZ(6)"),
        ("varchar", "NUMBER(10,0)"),
        ("varchar", "BOOLEAN"),
        ("text", "VARIANT"),
        ("numeric", "FLOAT"),
    ] {
        let column = source(name, None, None);
        let planned = postgres().plan_column(&column, 0, Some(target));
        let loaded = load_expression(&planned.plan.file_column(), target).expect("a way");
        assert!(
            planned.conversion.or(loaded.warning).is_some(),
            "{name} into {target}"
        );
    }
}

#[test]
fn every_default_target_can_be_loaded_without_a_conversion() {
    let names = [
        "int2",
        "int4",
        "int8",
        "oid",
        "bool",
        "numeric",
        "money",
        "float4",
        "float8",
        "date",
        "timestamp",
        "timestamptz",
        "time",
        "timetz",
        "interval",
        "bpchar",
        "varchar",
        "text",
        "name",
        "char",
        "bytea",
        "varbyte",
        "json",
        "jsonb",
        "super",
        "uuid",
        "geometry",
        "geography",
        "hllsketch",
        "inet",
    ];
    let columns = names.iter().map(|name| source(name, None, None));
    for column in columns.chain([array("int4"), source("numeric", Some(10), Some(2))]) {
        for source in Platform::ALL.into_iter().filter_map(platform::source) {
            let default = source.plan_column(&column, 0, None);
            let target = default.default_target;
            let planned = source.plan_column(&column, 0, Some(&target));
            assert_eq!(planned.plan, default.plan, "{column:?}");
            let loaded = load_expression(&planned.plan.file_column(), &target);
            assert_eq!(
                loaded.map(|loaded| loaded.warning),
                Ok(None),
                "{column:?} into {target}"
            );
            assert_eq!(planned.conversion, None, "{column:?}");
        }
    }
}

/// The tokens of Snowflake's SQL that a DDL consists of: quoted names and texts by their content, the rest as it is.
fn tokens(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(first) = rest.next() {
        let mut token = String::from(first);
        if first == '"' || first == '\'' {
            while let Some(next) = rest.next() {
                if next == first && rest.peek() != Some(&first) {
                    break;
                }
                if next == first || (first == '\'' && next == '\\') {
                    token.extend(rest.next());
                } else {
                    token.push(next);
                }
            }
        } else {
            while let Some(next) = rest.next_if(|next| !matches!(next, '"' | '\'')) {
                token.push(next);
            }
        }
        found.push(token);
    }
    found
}

proptest! {
    #[test]
    fn names_and_comments_of_the_ddl_are_data(
        names in prop::collection::vec(".{1,127}", 1..5),
        comment in ".{0,40}",
        of_table in ".{0,40}",
    ) {
        let written = |name: &str| WrittenName(quote(name));
        let target = TableRef {
            database: written(&names[0]),
            schema: written(&comment),
            table: written("t"),
        };
        let columns: Vec<NewColumn> = names
            .iter()
            .map(|name| NewColumn {
                name: name.clone(),
                target_type: "DATE".into(),
                nullable: false,
                comment: Some(comment.clone()),
                default: None,
            })
            .collect();
        let found = tokens(&create_table_ddl(&target, &columns, Some(&of_table)));
        let mut expected: Vec<String> = vec![
            "CREATE TABLE IF NOT EXISTS ".into(),
            format!("\"{}", names[0]),
            ".".into(),
            format!("\"{comment}"),
            ".".into(),
            "\"t".into(),
            " (".into(),
        ];
        for (number, name) in names.iter().enumerate() {
            if number > 0 {
                expected.push(", ".into());
            }
            expected.push(format!("\"{name}"));
            expected.push(" DATE NOT NULL COMMENT ".into());
            expected.push(format!("'{comment}"));
        }
        expected.push(") DEFAULT_DDL_COLLATION = ".into());
        expected.push("'".into());
        expected.push(" COMMENT = ".into());
        expected.push(format!("'{of_table}"));
        prop_assert_eq!(found, expected);
    }
}
