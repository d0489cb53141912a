//! Whole migrations by a login with odd settings.

use super::ODD;
use super::columns::{BOTH, Column, POSTGRES, fill};
use serde_json::json;
use snowhaul_integration::{Database, LocalRedshift, Migration, Row};

/// The login has these settings in this database, as any session of it finds them.
fn set_defaults(database: &Database<'_>) {
    let sql = database.sql();
    for (name, value) in ODD {
        sql.run(&format!(
            "ALTER ROLE snowhaul IN DATABASE \"{}\" SET {name} TO {value}",
            database.name()
        ));
    }
}

#[test]
fn values_arrive_whatever_settings_the_login_has() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let columns: Vec<&Column> = BOTH.iter().chain(POSTGRES).collect();
    fill(&sql, &columns);
    let whole = |done: &snowhaul_integration::Migrated| {
        let names: Vec<String> = columns
            .iter()
            .map(|c| format!("CAST({} AS VARCHAR)", c.name))
            .collect();
        let list = names.join(", ");
        done.sql
            .rows(&format!("SELECT ID, {list} FROM T ORDER BY ID"))
    };
    let run = || {
        Migration::from(&database)
            .platform("postgresql")
            .whole("t")
            .run(0)
    };
    let usual = whole(&run());
    set_defaults(&database);
    let odd = whole(&run());
    for (usual, odd) in usual.iter().zip(&odd) {
        for (place, column) in columns.iter().enumerate() {
            assert_eq!(usual[place + 1], odd[place + 1], "{}", column.name);
        }
    }
    assert_eq!(odd.len(), 7);
    let of = |name: &str, row: usize| {
        let place = columns.iter().position(|c| c.name == name).unwrap();
        odd[row][place + 1].clone().unwrap_or_default()
    };
    assert_eq!(of("c_interval", 1), "P-10M-3DT4H5M6.000007S");
    assert_eq!(
        of("c_instants", 0),
        "[\"2024-02-01 00:30:00+00\",\"2024-02-02 00:00:00+00\")"
    );
    assert_eq!(of("c_days", 1), "[\"0044-03-15 BC\",infinity)");
    assert_eq!(of("c_durations", 0), "[\"P1D\",\"PT-0.000001S\"]");
    assert_eq!(
        of("c_zoned", 0),
        "[\"2024-02-01T00:30:00.5+00:00\",\"-infinity\",null]"
    );
    let exact = "SELECT COUNT(*) FROM T WHERE c_double = 0.30000000000000004";
    assert_eq!(run().sql.number(exact), 1);
}

#[test]
fn a_watermark_of_doubles_is_exact_whatever_settings_the_login_has() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    set_defaults(&database);
    sql.run("CREATE TABLE t (id int PRIMARY KEY, w float8)");
    sql.run("INSERT INTO t VALUES (1, 0.3), (2, 0.29999999999999993)");
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"},
            "synchronization": {"strategy": "watermark", "watermarkColumn": "w"},
        }));
    let ids = "SELECT ID FROM T ORDER BY ID";
    assert_eq!(migration.run(0).sql.rows(ids).len(), 2);
    // With fifteen digits each of them is 0.3.
    for (id, value) in [(3, "0.30000000000000004"), (4, "0.3000000000000001")] {
        sql.run(&format!("INSERT INTO t VALUES ({id}, {value})"));
        let rows = migration.clone().again().run(0).sql.rows(ids);
        assert_eq!(rows.len(), id, "{value}: {rows:?}");
    }
}

#[test]
fn the_users_sql_sees_what_any_other_client_of_the_login_sees() {
    let database = LocalRedshift::shared().database();
    let owner = database.sql();
    owner.run("CREATE TABLE orders AS SELECT n AS id, timestamptz '2024-01-31 00:00:00+00' + n * interval '30 minutes' AS created_at, 1 AS n FROM generate_series(1, 200) n");
    owner.run("CREATE VIEW by_day AS SELECT id, created_at::date AS day FROM orders");
    set_defaults(&database);
    let client = database.sql();
    let of_zone = "created_at::date = date '2024-02-02'";
    let of_day = "created_at >= '02/02/2024' AND created_at < '03/02/2024'";
    let table = |source: &str, target: &str, keys: serde_json::Value| {
        let mut table = json!({"source": {"tableName": source}, "target": {"tableName": target}});
        let more = keys.as_object().cloned().unwrap_or_default();
        table.as_object_mut().unwrap().extend(more);
        table
    };
    let checksum = json!({"synchronization": {"strategy": "checksum", "checksumExpression": "sum(CASE WHEN created_at::date = date '2024-02-02' THEN n END)"}});
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(table("by_day", "by_day", json!({})))
        .table(table(
            "orders",
            "of_zone",
            json!({"whereClauseCriteria": of_zone}),
        ))
        .table(table(
            "orders",
            "of_day",
            json!({"whereClauseCriteria": of_day}),
        ))
        .table(table("orders", "summed", checksum));
    let done = migration.run(0);
    let text = |rows: Vec<Row>| -> Vec<Row> {
        let day = |text: Option<String>| text.map(|text| text.replace(" 00:00:00", ""));
        rows.into_iter()
            .map(|row| row.into_iter().map(day).collect())
            .collect()
    };
    assert_eq!(
        text(done.sql.rows("SELECT ID, DAY FROM BY_DAY ORDER BY ID")),
        text(client.rows("SELECT id, day FROM by_day ORDER BY id"))
    );
    for (target, predicate) in [("OF_ZONE", of_zone), ("OF_DAY", of_day)] {
        let expected = client.rows(&format!(
            "SELECT id FROM orders WHERE {predicate} ORDER BY id"
        ));
        assert_eq!(expected.len(), 48, "{target}");
        let rows = done
            .sql
            .rows(&format!("SELECT ID FROM {target} ORDER BY ID"));
        assert_eq!(rows, expected, "{target}");
    }
    // A row that is of that day in the login's zone and not in UTC.
    client.run("UPDATE orders SET n = 100 WHERE created_at = timestamptz '2024-02-01 18:30:00+00'");
    let again = migration.again().run(0);
    assert_eq!(again.sql.number("SELECT MAX(N) FROM SUMMED"), 100);
}
