//! What Redshift refuses and PostgreSQL takes. Platform `redshift` reaches the port that refuses it
//! (`integration/local_redshift/refusals.py`), so that all of these would fail over a statement that Redshift lacks.

use serde_json::json;
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration, Sql};

/// Table `t`: more rows than one FETCH takes, texts that have to be measured, doubles that 15 digits do not tell apart,
/// keys with what a literal would have to escape.
fn create_table(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run(
        "CREATE TABLE t (id integer, code varchar(20), note varchar(65535), f double precision, r real, n numeric(38,10), d date, s timestamp, z timestamptz)",
    );
    sql.run(
        "INSERT INTO t SELECT n, 'a\\b''c\"' || n, repeat(CASE n % 2 WHEN 0 THEN 'é😀' ELSE 'x' END, 1 + n % 1500), 0.1::float8 + n / 3.0::float8, \
         (n / 7.0)::float4, n * 1.0000000001, date '2024-02-28' + n % 3, timestamp '2024-02-29 23:59:59.999999' + n * interval '1 second', \
         timestamptz '2024-03-31 01:30:00.000001+00' + n * interval '1 hour' FROM generate_series(1, 2500) n",
    );
    sql.run("INSERT INTO t (id) VALUES (2501)");
    sql.run("ANALYZE t");
    sql
}

fn assert_arrived(sql: &Sql, done: &Migrated) {
    let there = sql.rows(
        "SELECT id::text, code, note, f, r::float8, n::text, to_char(d, 'YYYY-MM-DD'), to_char(s, 'YYYY-MM-DD HH24:MI:SS.US'), \
         to_char(z AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM t x ORDER BY x.id",
    );
    let here = done.sql.rows(
        "SELECT id::VARCHAR, code, note, f, r, n::VARCHAR, TO_CHAR(d, 'YYYY-MM-DD'), TO_CHAR(s, 'YYYY-MM-DD HH24:MI:SS.FF6'), \
         TO_CHAR(CONVERT_TIMEZONE('UTC', z), 'YYYY-MM-DD HH24:MI:SS.FF6') FROM t x ORDER BY x.id",
    );
    assert_eq!(there.len(), here.len());
    for (there, here) in there.iter().zip(&here) {
        assert_eq!(there, here);
    }
}

#[test]
fn lengths_checksum_and_rows_of_one_transaction_need_no_savepoint() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    let migration = Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"], "primaryKeyColumns": ["id"],
        "partitionSize": {"maxRowsPerPartition": 1250},
        "synchronization": {"strategy": "checksum"},
    }));
    let first = migration.run(0);
    assert_arrived(&sql, &first);
    sql.run("UPDATE t SET f = f + 0.0000000000001 WHERE id = 2000");
    let migration = migration.again();
    let second = migration.run(0);
    assert_arrived(&sql, &second);
    let (_, phases) = second.moved();
    assert!(phases.contains(&("LOADED".to_owned(), 1)), "{phases:?}");
    let migration = migration.again();
    let third = migration.run(0);
    assert_eq!(third.moved().0, 0);
}

#[test]
fn one_partition_of_more_rows_than_a_fetch_takes_arrives_whole() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    // 1,000 is the most that one FETCH may ask for: fewer, as many, more.
    for rows in [999, 1_000, 1_001, 2_000, 2_001] {
        sql.run(&format!(
            "CREATE TABLE of_{rows} AS SELECT id, note FROM t WHERE id <= {rows}"
        ));
    }
    let names = [999, 1_000, 1_001, 2_000, 2_001].map(|rows| format!("of_{rows}"));
    let migration = names
        .iter()
        .fold(Migration::from(&database).whole("t"), |migration, name| {
            migration.whole(name)
        });
    let done = migration.run(0);
    assert_arrived(&sql, &done);
    for name in &names {
        assert_eq!(
            done.sql.value(&format!(
                "SELECT COUNT(DISTINCT id) || '/' || SUM(LENGTH(note)) FROM {name}"
            )),
            sql.value(&format!(
                "SELECT count(DISTINCT id) || '/' || sum(length(note)) FROM {name}"
            )),
            "{name}"
        );
    }
}

#[test]
fn ranges_of_text_that_has_backslashes_and_quotes_are_without_a_gap() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["code"],
            "partitionSize": {"maxRowsPerPartition": 300},
            "whereClauseCriteria": "code IS NULL OR code <> 'a\\\\b''c\"7'",
        }))
        .run(0);
    let (partitions, rows) = done.metadata.partitions(0);
    assert!(partitions > 4, "{partitions}");
    assert_eq!(rows, 2_500);
    sql.run("DELETE FROM t WHERE id = 7");
    assert_arrived(&sql, &done);
}

#[test]
fn null_of_super_stays_null_and_null_of_json_stays_a_value() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer, v super)");
    sql.run(
        "INSERT INTO t VALUES (1, NULL), (2, 'null'), (3, '{\"a\":[1,null]}'), (4, '\"null\"')",
    );
    let migration = Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": [], "primaryKeyColumns": ["id"],
        "synchronization": {"strategy": "checksum"},
    }));
    let done = migration.run(0);
    let some = |text: &str| Some(text.to_owned());
    let query = "SELECT id::VARCHAR, (v IS NULL)::VARCHAR, TO_JSON(v) FROM t x ORDER BY x.id";
    assert_eq!(
        done.sql.rows(query),
        [
            vec![some("1"), some("true"), None],
            vec![some("2"), some("false"), some("null")],
            vec![some("3"), some("false"), some("{\"a\":[1,null]}")],
            vec![some("4"), some("false"), some("\"null\"")],
        ]
    );
    // One NULL becomes the other: the checksum tells them apart.
    sql.run("UPDATE t SET v = 'null' WHERE id = 1");
    let migration = migration.again();
    let done = migration.run(0);
    let one = done.sql.rows(query).remove(0);
    assert_eq!(one, [some("1"), some("false"), some("null")]);
}

#[test]
fn plan_run_and_doctor_ask_for_nothing_that_redshift_lacks() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    sql.run("COMMENT ON TABLE t IS 'its comment'; COMMENT ON COLUMN t.id IS 'sortkey 1'");
    let migration = Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"],
        "partitionSize": {"maxRowsPerPartition": 500},
    }));
    let plan = migration.plan(&[]);
    let done = migration.run(0);
    assert_arrived(&sql, &done);
    let doctor = migration.doctor(&[]);
    for ended in [&plan, &doctor] {
        let said = format!("{}\n{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code(), Some(0), "{said}");
        // Nor was anything refused and done without.
        assert!(!said.contains("SQL state 42"), "{said}");
    }
    assert!(doctor.stdout.contains("Redshift 1.0."), "{}", doctor.stdout);
}
