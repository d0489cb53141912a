//! Names that quote, fold and encode badly elsewhere.

use serde_json::json;
use snowhaul_integration::{Migration, Source, SqlServer, bracketed};

#[test]
fn odd_names_arrive_as_they_are() {
    let long = "é".repeat(128);
    let names = [
        "with space",
        "semi;colon",
        "quo\"te",
        "brac]ket",
        "brac[ket",
        "it's",
        "日本😀",
        "select",
        "a.b",
        "tab\there",
        "q?mark",
        "{fn now()}",
        "--",
        "/*",
        &long,
    ];
    let database =
        SqlServer::shared().database_named(&snowhaul_integration::unique_name("odd ]\"' né"));
    let sql = database.sql();
    let mut migration = Migration::from(&database);
    for (number, name) in names.iter().enumerate() {
        let quoted = bracketed(name);
        sql.run(&format!("CREATE TABLE {quoted} ({quoted} int NOT NULL PRIMARY KEY, [other {number}] nvarchar(40))"));
        sql.run(&format!(
            "INSERT INTO {quoted} VALUES ({number}, N'日 ' + N'it''s'), (100, NULL)"
        ));
        migration = migration.table(json!({
            "source": {"tableName": quoted}, "target": {"tableName": format!("T{number}")},
            "columnNamesToPartitionBy": [quoted],
            "partitionSize": {"maxRowsPerPartition": 1},
            "synchronization": {"strategy": "checksum"},
        }));
    }
    let done = migration.run(0);
    for (number, name) in names.iter().enumerate() {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let columns = done.columns(&format!("T{number}"));
        let written = [name.to_string(), name.to_uppercase()];
        assert!(written.contains(&columns[0].0), "{columns:?}");
        let column = format!("\"{}\"", columns[0].0.replace('"', "\"\""));
        let rows = done
            .sql
            .rows(&format!("SELECT {column} FROM T{number} ORDER BY 1"));
        assert_eq!(
            rows,
            [[Some(number.to_string())], [Some("100".to_owned())]],
            "{quoted}"
        );
    }
}

#[test]
fn names_are_found_as_the_database_finds_them() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE SCHEMA Sales");
    sql.run("CREATE TABLE Sales.OrderLines (OrderId int NOT NULL PRIMARY KEY, CreatedAt datetime2 NOT NULL)");
    sql.run("INSERT INTO Sales.OrderLines VALUES (1, '2024-01-01T00:00:00')");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"schemaName": "sales", "tableName": "ORDERLINES"}, "target": {"tableName": "T"},
            "columnNamesToPartitionBy": ["orderid"],
        }))
        .run(0);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 1);
    let planned = Migration::from(&database)
        .table(json!({"source": {"tableName": "OrderLines"}, "target": {"tableName": "T"}}))
        .plan(&[]);
    assert_ne!(planned.code(), Some(0));
    let said = format!("{}{}", planned.stdout, planned.stderr);
    assert!(
        said.contains("Sales"),
        "it tells where the table is: {said}"
    );
}
