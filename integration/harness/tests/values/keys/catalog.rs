//! What the catalog says of columns: NOT NULL, and the names of their types.

use crate::analysis::{dialect, table_ref};
use snowhaul::domain::table::Platform;
use snowhaul_integration::LocalRedshift;

#[test]
fn not_null_is_believed_only_where_the_source_enforces_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let admin = LocalRedshift::shared().admin(database.name());
    admin.run("CREATE EXTENSION postgres_fdw");
    admin.run("CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw");
    admin.run("GRANT USAGE ON FOREIGN SERVER elsewhere TO snowhaul");
    for statement in [
        "CREATE DOMAIN needed AS int NOT NULL",
        "CREATE TABLE plain (a int NOT NULL, b needed)",
        "CREATE TABLE parent (a int NOT NULL)",
        "CREATE TABLE child () INHERITS (parent)",
        "ALTER TABLE child ALTER a DROP NOT NULL",
        "CREATE TABLE grandparent (a int PRIMARY KEY)",
        "CREATE TABLE other_child () INHERITS (grandparent)",
        "CREATE VIEW seen AS SELECT a FROM plain",
        "CREATE MATERIALIZED VIEW kept AS SELECT a FROM plain",
        "CREATE FOREIGN TABLE far (a int NOT NULL) SERVER elsewhere",
        "CREATE TABLE parted (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_11 PARTITION OF parted_1 FOR VALUES FROM (0) TO (5)",
        "CREATE TABLE mixed (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a)",
        "CREATE FOREIGN TABLE mixed_11 PARTITION OF mixed_1 FOR VALUES FROM (0) TO (5) SERVER elsewhere",
        "CREATE TABLE later (a int NOT NULL CONSTRAINT later_a CHECK (a > 0), b int NOT NULL)",
        "CREATE TABLE parted_later (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_later_1 PARTITION OF parted_later (CONSTRAINT later_1 CHECK (a > 0)) FOR VALUES FROM (0) TO (10)",
    ] {
        sql.run(statement);
    }
    // As PostgreSQL 18 writes down NOT NULL … NOT VALID.
    admin.run("UPDATE pg_constraint SET contype = 'n', convalidated = false WHERE conname IN ('later_a', 'later_1')");
    for (table, expected) in [
        ("plain", vec![false, true]),
        ("parent", vec![true]),
        ("child", vec![true]),
        ("grandparent", vec![true]),
        ("seen", vec![true]),
        ("kept", vec![true]),
        ("far", vec![true]),
        ("parted", vec![false]),
        ("parted_11", vec![false]),
        ("mixed", vec![true]),
        ("later", vec![true, false]),
        ("parted_later", vec![true]),
    ] {
        let nullable = |platform| -> Vec<bool> {
            let query = dialect(platform).columns(&table_ref(table)).sql;
            let rows = sql.rows(&query).into_iter();
            rows.map(|row| row[4].as_deref() != Some("false")).collect()
        };
        assert_eq!(nullable(Platform::Postgresql), expected, "{table}");
        if ["seen", "kept", "far"].contains(&table) {
            assert_eq!(
                nullable(Platform::Redshift),
                expected,
                "{table} on Redshift"
            );
        }
    }
    assert_eq!(
        sql.rows(&dialect(Platform::Redshift).columns(&table_ref("plain")).sql)[0][4].as_deref(),
        Some("false")
    );
}

#[test]
fn a_type_of_the_users_that_is_called_as_one_of_the_platforms_has_its_schema_before_its_name() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TYPE public.daterange AS (a date, b date)");
    sql.run("CREATE TYPE public.interval AS ENUM ('day')");
    sql.run("CREATE TABLE t (a public.daterange, b public.interval[], c public.interval, d daterange, e interval)");
    sql.run(
        "INSERT INTO t VALUES (ROW('2024-01-01', NULL), '{day}', 'day', '[2024-01-01,)', '1 day')",
    );
    let rows = sql.rows(&dialect(Platform::Postgresql).columns(&table_ref("t")).sql);
    let names: Vec<&str> = rows.iter().filter_map(|row| row[1].as_deref()).collect();
    assert_eq!(
        names,
        [
            "public.daterange",
            "public.interval",
            "public.interval",
            "daterange",
            "interval"
        ]
    );
}
