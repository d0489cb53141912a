//! Inheritance trees, and tables with or without their child tables.

use super::{Source, assert_says, tables};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn a_tree_without_columns_of_its_own_is_written_as_its_root_and_every_row_moves_once() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE sales (id int PRIMARY KEY, amount numeric(10, 2))",
        "CREATE TABLE sales_q1 () INHERITS (sales)",
        "CREATE TABLE sales_q2 (CHECK (id > 0)) INHERITS (sales)",
        "CREATE TABLE sales_q2_may () INHERITS (sales_q2)",
        "CREATE TABLE lone (id int PRIMARY KEY)",
        "INSERT INTO sales SELECT n, 1 FROM generate_series(1, 10) n",
        "INSERT INTO sales_q1 SELECT n, 2 FROM generate_series(11, 30) n",
        "INSERT INTO sales_q2 SELECT n, 3 FROM generate_series(31, 70) n",
        "INSERT INTO sales_q2_may SELECT n, 4 FROM generate_series(71, 150) n",
        "INSERT INTO lone VALUES (1)",
    ] {
        sql.run(statement);
    }
    let (file, said) = source.generate(&[]);
    assert_eq!(tables(&file), [("lone", None), ("sales", None)]);
    assert_says(
        &said,
        &[
            "3 child tables left out",
            "public.sales_q1 (with public.sales)",
            "public.sales_q2_may",
        ],
    );
    let plan = source.plan_and_run();
    assert_says(
        &plan,
        &[
            "3 child tables come",
            "public.sales_q1",
            "moved twice",
            "includeChildTables",
        ],
    );
    let total = "SELECT COUNT(*), SUM(amount) FROM sales";
    assert_eq!(source.target().rows(total), sql.rows(total));
    // A child that is asked for by itself is a table like any other.
    let (file, _) = source.generate(&["--tables", "sales_q2"]);
    assert_eq!(tables(&file), [("sales_q2", None)]);
}

#[test]
fn each_member_of_a_tree_with_columns_of_its_own_is_written_and_no_column_is_lost() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE city (id int PRIMARY KEY, name text)",
        "CREATE TABLE capital (country text, PRIMARY KEY (id)) INHERITS (city)",
        "CREATE TABLE port (PRIMARY KEY (id)) INHERITS (city)",
        "CREATE TABLE old_capital () INHERITS (capital)",
        "CREATE TABLE river (id int, name text)",
        "CREATE TABLE mouth () INHERITS (city, river)",
        "INSERT INTO city SELECT n, 'c' FROM generate_series(1, 10) n",
        "INSERT INTO capital SELECT n, 'k', 'x' FROM generate_series(11, 30) n",
        "INSERT INTO port SELECT n, 'p' FROM generate_series(31, 60) n",
        "INSERT INTO old_capital SELECT n, 'o', 'y' FROM generate_series(61, 100) n",
        "INSERT INTO river SELECT n, 'r' FROM generate_series(101, 150) n",
        "INSERT INTO mouth SELECT n, 'm' FROM generate_series(151, 210) n",
    ] {
        sql.run(statement);
    }
    let (file, said) = source.generate(&[]);
    assert_eq!(
        tables(&file),
        [
            ("capital", None),
            ("city", Some(false)),
            ("mouth", None),
            ("port", None),
            ("river", Some(false)),
        ]
    );
    assert_says(&said, &["public.old_capital (with public.capital)"]);
    source.plan_and_run();
    let target = source.target();
    for (table, rows) in [
        ("CITY", 10),
        ("CAPITAL", 60),
        ("PORT", 30),
        ("RIVER", 50),
        ("MOUTH", 60),
    ] {
        assert_eq!(
            target.number(&format!("SELECT COUNT(*) FROM {table}")),
            rows,
            "{table}"
        );
    }
    let countries = "SELECT id, country FROM capital ORDER BY id";
    assert_eq!(target.rows(countries), sql.rows(countries));
}

#[test]
fn child_tables_come_with_their_parent_or_not_as_the_file_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE p (id int PRIMARY KEY, v text)",
        "CREATE TABLE q () INHERITS (p)",
        "INSERT INTO p SELECT n, 'p' FROM generate_series(1, 100) n",
        "INSERT INTO q SELECT n, 'q' FROM generate_series(101, 300) n",
        "CREATE TABLE cut (id int, v text) PARTITION BY RANGE (id)",
        "CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (1) TO (100)",
    ] {
        sql.run(statement);
    }
    let table = |source: &str, target: &str, include: bool| {
        json!({"source": {"tableName": source}, "target": {"tableName": target}, "includeChildTables": include,
            "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 50}})
    };
    let done = Migration::from(&database)
        .platform("postgresql")
        .table(table("p", "everything", true))
        .table(table("p", "alone", false))
        .table(table("cut", "nothing", false))
        .run(1);
    for (target, source) in [("EVERYTHING", "p"), ("ALONE", "ONLY p")] {
        assert_eq!(
            done.sql
                .rows(&format!("SELECT id, v FROM {target} ORDER BY id")),
            sql.rows(&format!("SELECT id, v FROM {source} ORDER BY id")),
        );
    }
    assert!(done.metadata.partitions(1).0 > 1);
    let warnings = done.metadata.warnings();
    let told: Vec<_> = warnings
        .iter()
        .filter(|(_, w)| w.contains("1 child table comes"))
        .collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    assert_says(
        &told[0].1,
        &["public.q", "moved twice", "\"includeChildTables\": false"],
    );
    assert_says(
        &done.errors_of("cut"),
        &["is partitioned", "nothing would be read"],
    );
}

#[test]
fn the_choice_of_child_tables_cannot_change_under_a_watermark() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE q () INHERITS (p)",
        "INSERT INTO p SELECT n FROM generate_series(100, 110) n",
        "INSERT INTO q SELECT n FROM generate_series(1, 50) n",
    ] {
        sql.run(statement);
    }
    let table = |include: bool| {
        json!({"source": {"tableName": "p"}, "target": {"tableName": "p"}, "includeChildTables": include,
            "synchronization": {"strategy": "watermark", "watermarkColumn": "id"}})
    };
    let first = Migration::from(&database)
        .platform("postgresql")
        .table(table(false));
    assert_eq!(first.run(0).sql.number("SELECT COUNT(*) FROM P"), 11);
    // What the child holds is below what was moved, and would never be.
    let second = first.again().without_tables().table(table(true)).run(1);
    assert_says(
        &second.errors_of("p"),
        &["includeChildTables has changed", "resetPartitions"],
    );
}
