use super::*;
use crate::domain::analysis::{AnalyzedPartition, PreviousRun};
use crate::domain::table::{KeyRange, TableRef, TypeClass, WrittenName};

fn source(name: &str, type_name: &str, length: Option<u32>, scale: Option<i32>) -> SourceColumn {
    SourceColumn {
        name: name.into(),
        type_name: type_name.into(),
        length_or_precision: length,
        scale,
        ..SourceColumn::default()
    }
}

fn extracted(source: SourceColumn) -> MatchedColumn {
    MatchedColumn {
        target_name: source.name.to_uppercase(),
        target_type: "VARCHAR".into(),
        transform: None,
        source,
    }
}

fn spec(synchronization: Synchronization) -> TableSpec {
    let name = |text: &str| WrittenName(text.to_owned());
    let table = TableRef {
        database: name("d"),
        schema: name("s"),
        table: name("t"),
    };
    TableSpec {
        synchronization,
        ..TableSpec::new(table.clone(), table)
    }
}

fn watermark() -> TableSpec {
    spec(Synchronization::Watermark {
        column: "at".into(),
        track_modifications: false,
        track_deletions: false,
    })
}

fn checksum(expression: Option<&str>) -> TableSpec {
    spec(Synchronization::Checksum {
        expression: expression.map(str::to_owned),
    })
}

/// Of a table that a run has moved before, with these columns.
fn analysis(before: &[SourceColumn]) -> TableAnalysis {
    let before: Vec<_> = before.iter().cloned().map(extracted).collect();
    TableAnalysis {
        partitions: vec![AnalyzedPartition {
            after: Some("7".into()),
            checksum: Some("3:1".into()),
            unchanged: true,
            ..KeyRange::Everything.into()
        }],
        previous: Some(PreviousRun {
            columns: moved_columns(&before),
            watermark: Some("7".into()),
        }),
        ..TableAnalysis::default()
    }
}

fn said(spec: &TableSpec, analysis: &TableAnalysis, now: &[SourceColumn]) -> String {
    let now: Vec<_> = now.iter().cloned().map(extracted).collect();
    changes(spec, analysis, &now).join("\n")
}

#[test]
fn a_new_column_is_named_with_the_rows_that_lack_it_and_how_to_fill_them() {
    let (id, c, d) = (
        source("id", "int4", None, None),
        source("c", "text", None, None),
        source("d", "text", None, None),
    );
    let before = analysis(std::slice::from_ref(&id));
    let one = said(&watermark(), &before, &[id.clone(), c.clone()]);
    for words in [
        "column c is new",
        "whose at is at or below 7",
        "enabledWithDedup",
        "primaryKeyColumns",
    ] {
        assert!(one.contains(words), "{words}: {one}");
    }
    let both = said(&watermark(), &before, &[id.clone(), c.clone(), d]);
    assert!(both.starts_with("columns c, d are new"), "{both}");
    // The built-in checksum sees it; the user's own may not.
    let now = [id.clone(), c];
    assert_eq!(said(&checksum(None), &before, &now), "");
    let own = said(&checksum(Some("max(id)")), &before, &now);
    assert!(
        own.contains("1 partitions") && own.contains("resetPartitions"),
        "{own}"
    );
    // Nothing is left of what was moved: all is moved again.
    let mut anew = before.clone();
    anew.partitions = vec![KeyRange::Everything.into()];
    assert_eq!(said(&watermark(), &anew, &now), "");
    // An earlier version has stored no columns.
    let unknown = TableAnalysis {
        previous: None,
        ..before
    };
    assert_eq!(said(&watermark(), &unknown, &now), "");
}

#[test]
fn a_type_that_changed_is_told_unless_every_value_stays_what_it_was() {
    let numeric = |precision, scale| source("c", "numeric", Some(precision), Some(scale));
    let of = |name: &str| source("c", name, None, None);
    let array = SourceColumn {
        class: TypeClass::Array,
        ..of("int4")
    };
    for (before, now, is_told) in [
        (of("timestamp"), of("timestamptz"), true),
        (of("int4"), of("text"), true),
        (of("int4"), array, true),
        (of("int4"), of("int8"), false),
        (of("int8"), of("int4"), true),
        (of("float4"), of("float8"), false),
        (source("c", "varchar", Some(10), None), of("text"), false),
        (numeric(10, 2), numeric(14, 4), false),
        (numeric(10, 2), numeric(10, 4), true),
        (numeric(14, 4), numeric(10, 2), true),
        (numeric(10, 2), of("numeric"), false),
        (of("numeric"), numeric(10, 2), true),
        (
            source("c", "varchar", Some(10), None),
            source("c", "varchar", Some(20), None),
            false,
        ),
        (
            source("c", "bpchar", Some(10), None),
            source("c", "bpchar", Some(20), None),
            true,
        ),
        (of("int4"), of("int4"), false),
    ] {
        let told = said(
            &watermark(),
            &analysis(std::slice::from_ref(&before)),
            std::slice::from_ref(&now),
        );
        assert_eq!(!told.is_empty(), is_told, "{before:?} {now:?}: {told}");
        if is_told {
            assert!(told.contains("were moved as the old type"), "{told}");
        }
    }
}

#[test]
fn renamed_columns_with_the_same_values_are_moved_again() {
    let (a, b) = (
        source("a", "int4", None, None),
        source("b", "int4", None, None),
    );
    let both = [a.clone(), b.clone()];
    let is_moved = |spec: &TableSpec, now: &[SourceColumn]| {
        let now: Vec<_> = now.iter().cloned().map(extracted).collect();
        move_again(spec, &analysis(&both), &now).is_some_and(|anew| {
            !anew.reused
                && anew.partitions == [KeyRange::Everything.into()]
                && anew.warnings.len() == 1
        })
    };
    let built_in = checksum(None);
    let wide = source("b", "int8", None, None);
    let text = source("b", "text", None, None);
    assert!(!is_moved(&built_in, &both));
    assert!(!is_moved(&built_in, &[a.clone(), wide]));
    assert!(is_moved(&built_in, &[a.clone(), text]));
    assert!(is_moved(
        &built_in,
        &[a.clone(), source("c", "int4", None, None)]
    ));
    // Each has the other's name now: the same values in the same order.
    assert!(is_moved(&built_in, &[b, a.clone()]));
    assert!(is_moved(&built_in, std::slice::from_ref(&a)));
    assert!(!is_moved(&checksum(Some("max(a)")), &[a]));
}

#[test]
fn another_source_of_the_same_target_column_is_told() {
    let before = analysis(&[source("a", "int4", None, None)]);
    let now = [MatchedColumn {
        target_name: "A".into(),
        ..extracted(source("b", "int4", None, None))
    }];
    let told = changes(&watermark(), &before, &now).join("\n");
    assert!(
        told.contains("filled from the source column a, and is filled from b now"),
        "{told}"
    );
}

#[test]
fn columns_that_nothing_fills_are_those_without_a_default() {
    let column = |name: &str, has_default: bool| TargetColumn {
        name: name.into(),
        target_type: "DATE".into(),
        nullable: true,
        has_default,
        sequence: None,
        masking_policy: None,
    };
    let target = [column("A", false), column("B", false), column("C", true)];
    let columns = [extracted(source("a", "int4", None, None))];
    assert_eq!(unfilled(&target, &columns, None), ["B"]);
    // What an earlier run has filled is no default's.
    let before = moved_columns(&[extracted(source("c", "int4", None, None))]);
    assert_eq!(unfilled(&target, &columns, Some(&before)), ["B", "C"]);
    let previous = moved_columns(&[extracted(source("b", "int4", None, None))]);
    let lost = would_be_lost(&["B"], Some(&previous), "D.S.T");
    assert!(
        lost.code == Code::TARGET_VALUES_LOST
            && lost.what.contains("column B has values")
            && lost.what.contains("(the previous run did, from b)"),
        "{lost}"
    );
    assert!(stay_behind(&["B", "X"], None).contains("columns B, X have values"));
}
