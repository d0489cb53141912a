//! Columns that name large objects.

use serde_json::json;
use snowhaul_integration::{Database, LocalRedshift, Migration, Sql};

/// The table `t`: a small content, none, one of some megabytes, an empty one, as numbers and as the domain of the
/// extension `lo`.
fn source(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("CREATE EXTENSION lo");
    sql.run("CREATE TABLE t (id int PRIMARY KEY, photo oid, scan lo)");
    sql.run(
        "INSERT INTO t SELECT n, lo_from_bytea(0, content), lo_from_bytea(0, content || decode('ff', 'hex')) \
         FROM (VALUES (1, decode('00ff5c27', 'hex')), (3, decode(repeat('c3281f00', 1500000), 'hex')), (4, '')) x(n, content)",
    );
    sql.run("INSERT INTO t VALUES (2, NULL, NULL)");
    sql
}

#[test]
fn numbers_of_large_objects_are_moved_with_a_warning_that_the_content_stays() {
    let database = LocalRedshift::shared().database();
    let sql = source(&database);
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&["CREATE TABLE EXISTING (ID NUMBER(10,0), PHOTO NUMBER(38,0), SCAN VARCHAR)"])
        .whole("t")
        .table(json!({"source": {"tableName": "t"}, "target": {"tableName": "existing"}}))
        .run(0);
    let expected = sql.rows("SELECT id, photo::bigint, scan::oid::bigint FROM t ORDER BY id");
    for target in ["T", "EXISTING"] {
        let rows = done
            .sql
            .rows(&format!("SELECT * FROM {target} ORDER BY ID"));
        assert_eq!(rows, expected, "{target}");
    }
    let warnings = done.warnings_of("t");
    for column in [
        "column photo: it is",
        "column scan: it is",
        "column photo of type oid into NUMBER(38,0)",
        "column scan of type oid into VARCHAR",
    ] {
        let told = warnings
            .lines()
            .filter(|line| line.contains(column) && line.contains("BINARY with columnTypeMappings"))
            .count();
        assert_eq!(told, 1, "{column}: {warnings}");
    }
}

#[test]
fn the_content_of_large_objects_is_moved_on_request() {
    let database = LocalRedshift::shared().database();
    let sql = source(&database);
    for (name, mapped) in [("oid", "BINARY"), ("lo", "BINARY(8388608)")] {
        let done = Migration::from(&database)
            .platform("postgresql")
            .table(json!({
                "source": {"tableName": "t"},
                "target": {"tableName": "t"},
                "columnTypeMappings": [{"sourceType": name, "targetType": mapped}],
            }))
            .run(0);
        // The long ones by what can be told of them.
        let source = sql.rows(
            "SELECT id, length(lo_get(photo)), md5(lo_get(photo)), length(lo_get(scan)), md5(lo_get(scan)) FROM t ORDER BY id",
        );
        let target = done.sql.rows(
            "SELECT ID, LENGTH(PHOTO), MD5(PHOTO), LENGTH(SCAN), MD5(SCAN) FROM T ORDER BY ID",
        );
        assert_eq!(target, source, "{name}");
        assert_eq!(source[2][1].as_deref(), Some("6000000"));
        assert_eq!(source[1][1], None);
        let bytes = done.sql.value("SELECT SCAN FROM T WHERE ID = 1");
        assert_eq!(bytes.as_deref(), Some("00ff5c27ff"), "{name}");
        let warnings = done.warnings_of("t");
        assert!(!warnings.contains("stays behind"), "{warnings}");
        assert!(
            warnings.contains("column photo of type oid into BINARY"),
            "{warnings}"
        );
    }
}

#[test]
fn a_large_object_that_is_gone_fails_its_table_by_name() {
    let database = LocalRedshift::shared().database();
    let sql = source(&database);
    let gone = sql
        .value("SELECT photo::bigint FROM t WHERE id = 3")
        .unwrap();
    sql.run(&format!("SELECT lo_unlink({gone})"));
    let done = Migration::from(&database)
        .platform("postgresql")
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnTypeMappings": [{"sourceType": "oid", "targetType": "BINARY"}],
        }))
        .run(1);
    let errors = done.errors_of("t");
    for words in [
        "column photo:",
        &format!("no large object {gone}"),
        "whereClauseCriteria",
    ] {
        assert!(errors.contains(words), "no {words} in {errors}");
    }
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 0);
}

#[test]
fn numbers_that_are_said_to_be_plain_are_moved_without_a_word() {
    let database = LocalRedshift::shared().database();
    source(&database);
    let done = Migration::from(&database)
        .platform("postgresql")
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnTypeMappings": [{"sourceType": "OID", "targetType": "NUMBER(10,0)"}],
        }))
        .run(0);
    let warnings = done.warnings_of("t");
    assert!(
        !warnings.contains("photo") && !warnings.contains("scan"),
        "{warnings}"
    );
    assert_eq!(done.sql.number("SELECT COUNT(PHOTO) FROM T"), 3);
}
