//! Keys that cannot be, and statements that take too long.

use crate::analysis::{analyze, by_checksum, spec, try_analyze};
use snowhaul::domain::spec::{Synchronization, TableSpec};
use snowhaul::domain::table::{KeyRange, Platform};
use snowhaul_integration::LocalRedshift;

#[test]
fn keys_that_cannot_be_are_refused_by_name() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int PRIMARY KEY, j json, x int)");
    let refused = |spec: &TableSpec| {
        try_analyze(&database, Platform::Postgresql, spec, None)
            .unwrap_err()
            .to_string()
    };
    let message = refused(&spec("t", Some(&["J", "nope", "id"]), 10));
    assert!(
        message.contains("J of type json")
            && message.contains("names nope")
            && message.contains("id, j, x"),
        "{message}"
    );
    let excluded = |synchronization, key| TableSpec {
        synchronization,
        excluded_columns: vec!["ID".to_owned()],
        ..spec("t", key, 10)
    };
    let message = refused(&excluded(by_checksum(), Some(&["id"])));
    assert!(message.contains("excludeSourceColumns"), "{message}");
    // Elsewhere the target does not need it, and by itself nobody takes it where it does.
    for (spec, key) in [
        (excluded(Synchronization::None, Some(&["id"])), 1),
        (excluded(Synchronization::None, None), 1),
        (excluded(Synchronization::FullReplace, None), 0),
    ] {
        assert_eq!(
            analyze(&database, Platform::Postgresql, &spec, None)
                .key
                .len(),
            key
        );
    }
    let empty = analyze(
        &database,
        Platform::Postgresql,
        &spec("t", Some(&[]), 10),
        None,
    );
    assert_eq!(empty.partitions[0].range, KeyRange::Everything);
    assert!(
        empty.warnings[0].contains("one partition"),
        "{:?}",
        empty.warnings
    );
}

#[test]
fn a_statement_that_takes_too_long_is_ended_and_the_setting_named() {
    let database = LocalRedshift::shared().database();
    database
        .sql()
        .run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 3) n");
    let spec = TableSpec {
        // Counting leaves less time to what follows.
        where_clause: Some("set_config('statement_timeout', '60', false) IS NOT NULL AND pg_sleep(0.05) IS NOT NULL".to_owned()),
        ..spec("t", Some(&["id"]), 1)
    };
    let error = try_analyze(&database, Platform::Postgresql, &spec, None).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("raise the table's executionTimeoutMinutes")
            && error.to_string().contains("20 minutes"),
        "{error}"
    );
    assert!(!error.is_retryable());
}
