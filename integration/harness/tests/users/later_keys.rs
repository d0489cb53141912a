//! Keys of today's files that say something of the target, or of an account that is not of today.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};

/// COPY INTO fails on a table with CHECK constraints. Nobody drops them but the user, who is told how.
#[test]
fn a_target_with_check_constraints_is_refused_and_keeps_them() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE sold (id integer, quantity integer)");
    sql.run("INSERT INTO sold VALUES (1, 5), (2, 7)");
    let create = "CREATE TABLE sold (id NUMBER(10,0), quantity NUMBER(10,0) CHECK (quantity > 0))";
    for (hint, told) in [
        (json!(true), "ALTER CONSTRAINT"),
        (json!("unknown"), "DROP CONSTRAINT"),
        (json!(null), "ENABLE NOVALIDATE"),
        // Nobody asks, and Snowflake says it itself.
        (json!("false"), "COPY INTO a table with CHECK constraints"),
    ] {
        let done = Migration::from(&database)
            .prepare(&[create])
            .table(json!({"source": {"tableName": "sold"}, "target": {"tableName": "sold"}, "targetHasCheckConstraints": hint}))
            .run(1);
        let error = done.errors_of("sold");
        assert!(error.contains(told), "{hint}: {error}");
        assert_eq!(done.sql.number("SELECT COUNT(*) FROM sold"), 0);
        let violated = done.sql.try_run("INSERT INTO sold VALUES (3, 0)");
        assert!(violated.is_err(), "{hint}: the constraint is gone");
    }
    let plan = Migration::from(&database)
        .table(json!({"source": {"tableName": "sold"}, "target": {"tableName": "sold"}, "targetHasCheckConstraints": true}))
        .plan(&[]);
    assert!(
        plan.stdout
            .contains("warning: targetHasCheckConstraints is true"),
        "{}",
        plan.stdout
    );
}

/// Text and bytes that nothing bounds get the largest columns there are, and what an account has where it has less.
#[test]
fn an_account_without_larger_columns_gets_its_own_largest() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE long (id integer, t text, b bytea, v varchar(7), c char(3))");
    sql.run(
        "INSERT INTO long VALUES (1, repeat('x', 20000), decode('00ff', 'hex'), '1234567', 'a')",
    );
    let snowflake = LocalSnowflake::start(&["--lengths-before"]);
    for (server, text, bytes) in [
        (
            LocalSnowflake::shared(),
            "VARCHAR(134217728)",
            "BINARY(67108864)",
        ),
        (&snowflake, "VARCHAR(16777216)", "BINARY(8388608)"),
    ] {
        let done = Migration::from(&database)
            .on(server)
            .platform("postgresql")
            .whole("long")
            .run(0);
        let types: Vec<String> = done
            .columns("LONG")
            .into_iter()
            .map(|(_, kind)| kind)
            .collect();
        assert_eq!(
            types,
            ["NUMBER(10,0)", text, bytes, "VARCHAR(7)", "VARCHAR(3)"]
        );
        assert_eq!(done.sql.number("SELECT LENGTH(t) FROM long"), 20_000);
        let warned = done
            .warnings_of("long")
            .contains("the account refused columns of VARCHAR(134217728)");
        assert_eq!(warned, text == "VARCHAR(16777216)");
    }
}

/// A cap makes partitions smaller than their size would, and none larger.
#[test]
fn a_cap_cuts_what_the_size_would_leave_together() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE many AS SELECT n AS id FROM generate_series(1, 5000) n");
    sql.run("ANALYZE many");
    let sized = |target: &str, more: serde_json::Value| {
        let mut table = json!({"source": {"tableName": "many"}, "target": {"tableName": target}, "columnNamesToPartitionBy": ["id"]});
        for (key, value) in more.as_object().into_iter().flatten() {
            table[key] = value.clone();
        }
        table
    };
    let done = Migration::from(&database)
        .table(sized("a", json!({"maxPartitionSizeRows": 1000})))
        .table(sized(
            "b",
            json!({"targetPartitionSizeMb": 512, "maxPartitionSizeRows": 1000}),
        ))
        .table(sized(
            "c",
            json!({"targetPartitionSizeRows": 500, "maxPartitionSizeRows": 1000}),
        ))
        .run(0);
    for (number, expected) in [(0, 6), (1, 6), (2, 11)] {
        // One more is that of NULL.
        assert_eq!(
            done.metadata.partitions(number),
            (expected, 5000),
            "{number}"
        );
    }
    let largest = done.metadata.largest_partition();
    assert!(largest <= 1000, "{largest}");
}
