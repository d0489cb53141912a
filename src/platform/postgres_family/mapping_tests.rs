use super::*;
use crate::platform::postgres::Postgres;
use crate::platform::redshift::Redshift;
use crate::platform::types::Types;

fn numeric(precision: u32, scale: i32) -> SourceColumn {
    SourceColumn {
        name: "x".into(),
        type_name: "numeric".into(),
        length_or_precision: Some(precision),
        scale: Some(scale),
        ..SourceColumn::default()
    }
}

fn target(column: &SourceColumn) -> String {
    Postgres.plan_column(column, 0, None).default_target
}

#[test]
fn a_numeric_becomes_the_number_that_holds_all_its_values() {
    for (precision, scale, created) in [
        (10, 2, "NUMBER(10,2)"),
        (38, 37, "NUMBER(38,37)"),
        (3, -2, "NUMBER(5,0)"),
        (2, 5, "NUMBER(5,5)"),
        (39, 0, "VARCHAR"),
        (30, -9, "VARCHAR"),
        (38, 38, "VARCHAR"),
        (1000, 1000, "VARCHAR"),
    ] {
        let column = numeric(precision, scale);
        assert_eq!(target(&column), created, "numeric({precision},{scale})");
    }
}

#[test]
fn a_type_of_the_users_is_not_taken_for_the_platforms_of_the_same_name() {
    let column = SourceColumn {
        class: TypeClass::Enum,
        ..numeric(10, 2)
    };
    assert_eq!(target(&column), "VARCHAR");
}

#[test]
fn spatial_values_are_asked_for_by_the_platforms_own_function() {
    let column = SourceColumn {
        type_name: "geography".into(),
        ..numeric(10, 2)
    };
    let redshift = Redshift.plan_column(&column, 0, None).plan.expression;
    assert_eq!(redshift, "ST_AsHexEWKB(\"x\")");
    let postgres = Postgres.plan_column(&column, 0, None).plan.expression;
    assert_eq!(postgres, "CAST(\"x\" AS varchar)");
    assert_eq!(target(&column), "GEOGRAPHY");
}

#[test]
fn null_of_a_super_is_no_json() {
    let column = SourceColumn {
        type_name: "super".into(),
        ..numeric(10, 2)
    };
    assert_eq!(
        Redshift.plan_column(&column, 0, None).plan.expression,
        "CASE WHEN \"x\" IS NOT NULL THEN JSON_SERIALIZE(\"x\") END"
    );
}

#[test]
fn redshifts_intervals_are_asked_for_the_parts_that_they_have() {
    let expression = |type_name: &str| {
        let column = SourceColumn {
            type_name: type_name.into(),
            ..numeric(10, 2)
        };
        Redshift.plan_column(&column, 0, None).plan.expression
    };
    let asks = |expression: &str, part: &str| expression.contains(&format!("EXTRACT({part} "));
    let (months, seconds) = (expression("intervaly2m"), expression("intervald2s"));
    for (part, of_months) in [
        ("year", true),
        ("month", true),
        ("day", false),
        ("hour", false),
        ("minute", false),
        ("second", false),
        ("microseconds", false),
    ] {
        assert_eq!(asks(&months, part), of_months, "{part}");
        assert_eq!(asks(&seconds, part), !of_months, "{part}");
    }
}
