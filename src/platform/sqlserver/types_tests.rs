use super::*;
use crate::domain::table_plan::TargetKind;
use crate::target::{TargetTable, of};

fn column(type_name: &str, length: Option<u32>, scale: Option<i32>) -> SourceColumn {
    SourceColumn {
        name: "c".into(),
        type_name: type_name.into(),
        length_or_precision: length,
        scale,
        ..SourceColumn::default()
    }
}

/// Each type of the catalog, and the type that its target is created with.
fn all() -> Vec<(SourceColumn, &'static str)> {
    [
        ("tinyint", None, None, "NUMBER(3,0)"),
        ("smallint", None, None, "NUMBER(5,0)"),
        ("int", None, None, "NUMBER(10,0)"),
        ("bigint", None, None, "NUMBER(19,0)"),
        ("bit", None, None, "BOOLEAN"),
        ("decimal", Some(38), Some(10), "NUMBER(38,10)"),
        ("numeric", Some(38), Some(37), "NUMBER(38,37)"),
        ("numeric", Some(38), Some(38), "VARCHAR"),
        ("money", None, None, "NUMBER(19,4)"),
        ("smallmoney", None, None, "NUMBER(10,4)"),
        ("real", Some(24), None, "FLOAT"),
        ("float", Some(53), None, "FLOAT"),
        ("char", Some(6), None, "VARCHAR(6)"),
        ("varchar", Some(8_000), None, "VARCHAR(8000)"),
        ("varchar", None, None, "VARCHAR"),
        ("nchar", Some(5), None, "VARCHAR(5)"),
        ("nvarchar", Some(30), None, "VARCHAR(30)"),
        ("nvarchar", None, None, "VARCHAR"),
        ("text", None, None, "VARCHAR"),
        ("ntext", None, None, "VARCHAR"),
        ("xml", None, None, "VARCHAR"),
        ("binary", Some(4), None, "BINARY(4)"),
        ("varbinary", Some(10), None, "BINARY(10)"),
        ("varbinary", None, None, "BINARY"),
        ("image", None, None, "BINARY"),
        ("timestamp", None, None, "BINARY(8)"),
        ("uniqueidentifier", None, None, "VARCHAR(36)"),
        ("date", None, None, "DATE"),
        ("time", None, Some(0), "TIME(0)"),
        ("time", None, Some(7), "TIME(7)"),
        ("smalldatetime", None, Some(0), "TIMESTAMP_NTZ(0)"),
        ("datetime", None, Some(3), "TIMESTAMP_NTZ(3)"),
        ("datetime2", None, Some(6), "TIMESTAMP_NTZ(6)"),
        ("datetime2", None, Some(7), "TIMESTAMP_NTZ(7)"),
        ("datetimeoffset", None, Some(7), "TIMESTAMP_TZ(7)"),
        ("datetimeoffset", None, Some(3), "TIMESTAMP_TZ(3)"),
        ("hierarchyid", None, None, "VARCHAR"),
        ("geometry", None, None, "VARCHAR"),
        ("geography", None, None, "VARCHAR"),
        ("sql_variant", None, None, "VARCHAR"),
        ("my_clr_type", None, None, "VARCHAR"),
    ]
    .into_iter()
    .map(|(name, length, scale, target)| (column(name, length, scale), target))
    .collect()
}

fn load(planned: &PlannedColumn, target: &str) -> Result<String, String> {
    let native: &dyn TargetTable = of(TargetKind::Native);
    let loaded = native.load_expression(&planned.plan.file_column(), target);
    loaded.map(|loaded| loaded.sql)
}

#[test]
fn each_type_has_the_target_that_holds_it() {
    for (column, target) in all() {
        let planned = SqlServer.plan_column(&column, 0, None);
        assert_eq!(planned.default_target, target, "{}", column.type_text());
        assert!(load(&planned, target).is_ok(), "{}", column.type_text());
        // The same way, once the target has been created.
        let again = SqlServer.plan_column(&column, 0, Some(target));
        assert_eq!(again.plan.expression, planned.plan.expression);
        assert_eq!(again.plan.wider, None, "{}", column.type_text());
        assert!(load(&again, target).is_ok(), "{}", column.type_text());
    }
}

#[test]
fn whatever_has_a_value_can_be_text() {
    for (column, _) in all() {
        let planned = SqlServer.plan_column(&column, 0, Some("VARCHAR"));
        assert!(load(&planned, "VARCHAR").is_ok(), "{}", column.type_text());
    }
}

#[test]
fn types_without_a_counterpart_are_told() {
    let warned: Vec<String> = all()
        .into_iter()
        .filter(|(column, _)| SqlServer.plan_column(column, 0, None).warning.is_some())
        .map(|(column, _)| column.type_name)
        .collect();
    assert_eq!(
        warned,
        [
            "numeric",
            "hierarchyid",
            "geometry",
            "geography",
            "sql_variant",
            "my_clr_type"
        ]
    );
}

#[test]
fn a_seventh_digit_travels_as_text() {
    for (name, target, sql) in [
        (
            "datetime2",
            "TIMESTAMP_NTZ(7)",
            "TO_TIMESTAMP_NTZ($1:\"c0\"::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7')",
        ),
        (
            "datetime2",
            "TIMESTAMP_NTZ(6)",
            "$1:\"c0\"::TIMESTAMP_NTZ(6)",
        ),
        (
            "time",
            "TIME(9)",
            "TO_TIME($1:\"c0\"::VARCHAR, 'HH24:MI:SS.FF7')",
        ),
        (
            "datetimeoffset",
            "TIMESTAMP_TZ(9)",
            "TO_TIMESTAMP_TZ($1:\"c0\"::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM')",
        ),
        (
            "datetimeoffset",
            "TIMESTAMP_NTZ(9)",
            "TO_TIMESTAMP_NTZ($1:\"c0\"::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF7')",
        ),
    ] {
        let planned = SqlServer.plan_column(&column(name, None, Some(7)), 0, Some(target));
        assert_eq!(
            load(&planned, target).as_deref(),
            Ok(sql),
            "{name} {target}"
        );
    }
    let narrow = column("datetime2", None, Some(7));
    let planned = SqlServer.plan_column(&narrow, 0, Some("TIMESTAMP_NTZ(3)"));
    assert_eq!(planned.plan.fraction_digits, 3);
    let wider = planned.plan.wider.map(|wider| wider.target_type);
    assert_eq!(wider.as_deref(), Some("TIMESTAMP_NTZ(7)"));
}

#[test]
fn text_is_never_cut_and_read_as_what_the_target_holds() {
    let expression = |name: &str, length, target| {
        let planned = SqlServer.plan_column(&column(name, length, None), 0, target);
        planned.plan.expression
    };
    assert_eq!(
        expression("varchar", Some(20), None),
        "CAST([c] AS nvarchar(20))"
    );
    assert_eq!(
        expression("varchar", Some(4_001), None),
        "CAST([c] AS nvarchar(max))"
    );
    assert_eq!(expression("nvarchar", Some(4_000), None), "[c]");
    assert_eq!(
        expression("char", Some(20), Some("NUMBER(9,2)")),
        "RTRIM(CAST([c] AS nvarchar(20)))"
    );
    for (column, _) in all() {
        let text = SqlServer.plan_column(&column, 0, None).plan.expression;
        assert!(!text.contains("varchar)"), "{text}");
    }
}

#[test]
fn a_variant_is_never_printed_or_cut_by_the_server() {
    let planned = SqlServer.plan_column(&column("sql_variant", None, None), 0, None);
    assert_eq!(planned.plan.fetch, Fetch::TaggedText);
    let sql = planned.plan.expression;
    assert!(
        sql.contains("WHEN N'float' THEN N'f' + CONVERT(nvarchar(16)"),
        "{sql}"
    );
    assert!(
        sql.contains("WHEN N'varchar' THEN CASE WHEN DATALENGTH("),
        "{sql}"
    );
    assert!(!sql.contains("CAST([c] AS nvarchar(max))"), "{sql}");
}
