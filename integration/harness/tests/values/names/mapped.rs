//! Names, types and predicates that the workflow gives.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn columns_are_renamed_and_types_replaced_as_the_workflow_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer, \"Old Name\" varchar(10), n numeric(10,2), other numeric(12,4), at timestamp)");
    sql.run("INSERT INTO t VALUES (1, 'one', 1.25, 1.0001, '2024-01-01 00:00:00.001'), (2, NULL, -1.25, NULL, NULL), (3, 'three', 0, 0, '2024-01-01')");
    let mappings = json!([
        {"sourceName": "\"Old Name\"", "targetName": "\"New \"\"Name\"\"\""},
        {"sourceName": "ID", "targetName": "number"},
        {"sourceName": "n", "targetName": "\"select\""},
    ]);
    let types = json!([
        {"sourceType": "NUMERIC", "targetType": "NUMBER(38, 4)"},
        {"sourceType": "timestamp", "targetType": "TIMESTAMP_NTZ(3)"},
    ]);
    let done = Migration::from(&database)
        .prepare(&["CREATE TABLE OLD (\"select\" NUMBER(20,6), OTHER NUMBER(12,4), AT TIMESTAMP_NTZ(9), NUMBER NUMBER(38,0), \"New \"\"Name\"\"\" VARCHAR(10))"])
        .table(json!({"source": {"tableName": "t"}, "target": {"tableName": "created"}, "columnNameMappings": mappings, "columnTypeMappings": types, "whereClauseCriteria": "id > 1 -- only new ones"}))
        .table(json!({"source": {"tableName": "t"}, "target": {"tableName": "old"}, "columnNameMappings": mappings, "whereClauseCriteria": "id < 3 /* and this */ OR n = 99 -- '"}))
        .run(0);
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(
        done.columns("CREATED"),
        [
            pair("NUMBER", "NUMBER(10,0)"),
            pair("New \"Name\"", "VARCHAR(10)"),
            pair("select", "NUMBER(38,4)"),
            pair("OTHER", "NUMBER(38,4)"),
            pair("AT", "TIMESTAMP_NTZ(3)"),
        ]
    );
    let target = "SELECT NUMBER, \"New \"\"Name\"\"\", \"select\", OTHER, AT FROM";
    let source = "SELECT id, \"Old Name\", CAST(n AS numeric(38,{})), other, at FROM t WHERE";
    assert_eq!(
        done.sql.rows(&format!("{target} CREATED ORDER BY 1")),
        sql.rows(&format!("{} id > 1 ORDER BY 1", source.replace("{}", "4")))
    );
    assert_eq!(
        done.sql.rows(&format!("{target} OLD ORDER BY 1")),
        sql.rows(&format!("{} id < 3 ORDER BY 1", source.replace("{}", "6")))
    );
}

#[test]
fn a_predicate_narrows_every_query_of_its_table() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, CASE WHEN n % 10 = 0 THEN repeat('wide', 5000) ELSE 'x' END AS v, n % 2 = 0 AS even FROM generate_series(1, 400) n");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 100},
            "whereClauseCriteria": "id > 200 OR even -- the others are old",
        }))
        .run(0);
    let rows = "SELECT id, v FROM t {} ORDER BY id";
    assert_eq!(
        done.sql.rows(&rows.replace("{}", "")),
        sql.rows(&rows.replace("{}", "WHERE id > 200 OR even"))
    );
    // Boundaries of what is extracted: no partition is empty but the one for NULL.
    assert_eq!(done.metadata.empty_partitions(), 1);
}
