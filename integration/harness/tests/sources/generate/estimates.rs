//! Estimates of trees and of partitioned tables.

use super::Source;
use serde_json::{Value, json};
use snowhaul_integration::LocalRedshift;

#[test]
fn estimates_are_of_all_that_is_read() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE p (id int, pad text)",
        "CREATE TABLE q () INHERITS (p)",
        "CREATE TABLE cut (id int, pad text) PARTITION BY RANGE (id)",
        "CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (0) TO (10000)",
        "CREATE TABLE cut_2 PARTITION OF cut FOR VALUES FROM (10000) TO (20000)",
        "INSERT INTO p SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n",
        "INSERT INTO q SELECT n, repeat('x', 100) FROM generate_series(1, 9000) n",
        "INSERT INTO cut SELECT n, repeat('x', 100) FROM generate_series(0, 19999) n",
        "ANALYZE",
        // Not counted yet, but of the size of the others.
        "CREATE TABLE cut_3 PARTITION OF cut FOR VALUES FROM (20000) TO (30000)",
        "INSERT INTO cut SELECT n, repeat('x', 100) FROM generate_series(20000, 29999) n",
    ] {
        sql.run(statement);
    }
    let admin = LocalRedshift::shared().admin(source.database.name());
    admin.run("CREATE EXTENSION file_fdw");
    admin.run("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw");
    admin.run("CREATE FOREIGN TABLE public.cut_far PARTITION OF public.cut FOR VALUES FROM (30000) TO (40000) SERVER files OPTIONS (filename '/dev/null')");
    admin.run("GRANT pg_read_server_files TO snowhaul");
    let table = |name: &str, include: bool| {
        json!({"source": {"databaseName": source.database.name(), "schemaName": "public", "tableName": name},
            "target": {"databaseName": "D", "schemaName": "S", "tableName": format!("{name}_{include}")},
            "includeChildTables": include, "columnNamesToPartitionBy": []})
    };
    let file = json!({"tables": [table("p", true), table("p", false), table("cut", true)]});
    let file = source.scratch.write("workflow.json", &file.to_string());
    let mut rows = Vec::new();
    let asked = source.database.statements_of(|| {
        let plan = source.snowhaul(&["workflow", "plan", file.to_str().unwrap(), "--json"]);
        assert_eq!(plan.code(), Some(0), "{}{}", plan.stdout, plan.stderr);
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let tables = plan["tables"].as_array().unwrap().iter();
        rows = tables
            .map(|t| t["plan"]["rowEstimate"].as_u64().unwrap_or(0))
            .collect();
    });
    let near = |estimate: u64, rows: u64| estimate.abs_diff(rows) <= rows / 20;
    assert!(
        near(rows[0], 10_000) && near(rows[1], 1_000) && near(rows[2], 30_000),
        "{rows:?}"
    );
    // No scan was needed to know.
    let counted: Vec<_> = asked
        .iter()
        .filter(|s| s.contains("count(*)::varchar"))
        .collect();
    assert!(counted.is_empty(), "{counted:?}");
}
