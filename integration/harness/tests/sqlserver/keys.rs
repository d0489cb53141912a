//! Keys of every kind: each row is in one partition, whatever the type's own order is.

use serde_json::json;
use snowhaul_integration::{Migration, Source, SqlServer};

/// Rows of each table.
const ROWS: usize = 90;

/// A key: its type, and its value in row `n`, as T-SQL.
const KEYS: &[(&str, &str)] = &[
    ("int", "{n} * 7 - 200"),
    (
        "bigint",
        "CAST({n} AS bigint) * 1000000000000 - 40000000000000",
    ),
    ("tinyint", "{n} * 2"),
    ("decimal(38,10)", "CAST({n} AS decimal(38,10)) / 7 - 5"),
    ("money", "CAST({n} AS money) / 10000"),
    ("float", "CAST({n} AS float) / 3 - 10"),
    ("real", "CAST({n} AS real) / 3"),
    (
        "date",
        "DATEADD(day, {n} * 100, CAST('0001-01-01' AS date))",
    ),
    (
        "time(7)",
        "DATEADD(millisecond, {n} * 1001, CAST('00:00:00.0000001' AS time(7)))",
    ),
    (
        "smalldatetime",
        "DATEADD(minute, {n}, CAST('2024-01-01T00:00:00' AS smalldatetime))",
    ),
    // Each 3.33 ms.
    (
        "datetime",
        "DATEADD(millisecond, {n} * 10 / 3, CAST('2024-02-28T23:59:59.850' AS datetime))",
    ),
    (
        "datetime2(7)",
        "DATEADD(nanosecond, {n} * 100, CAST('2024-02-28T23:59:59.9999950' AS datetime2(7)))",
    ),
    (
        "datetime2(3)",
        "DATEADD(millisecond, {n}, CAST('9999-12-31T23:59:59.000' AS datetime2(3)))",
    ),
    (
        "datetimeoffset(7)",
        "TODATETIMEOFFSET(DATEADD(minute, {n} * 10, CAST('2024-01-01T00:00:00.1234567' AS datetime2(7))), {n} % 14 * 60 - 420)",
    ),
    // The last six bytes count first.
    (
        "uniqueidentifier",
        "CAST(HASHBYTES('MD5', CAST({n} AS varbinary(4))) AS uniqueidentifier)",
    ),
    (
        "binary(8)",
        "CAST(HASHBYTES('MD5', CAST({n} AS varbinary(4))) AS binary(8))",
    ),
    (
        "varchar(20)",
        "CHAR(97 + {n} % 26) + CHAR(65 + {n} / 26) + REPLICATE('z', {n} % 3)",
    ),
    (
        "varchar(20) COLLATE Cyrillic_General_CI_AS",
        "NCHAR(1040 + {n} % 32) + CAST({n} AS varchar(3))",
    ),
    ("char(6)", "CHAR(97 + {n} % 26) + CHAR(65 + {n} / 26)"),
    (
        "nvarchar(20)",
        "NCHAR(192 + {n}) + N'é''' + CAST({n} AS nvarchar(3))",
    ),
    (
        "nvarchar(20) COLLATE Latin1_General_BIN2",
        "NCHAR(65 + {n} % 58) + NCHAR(12354 + {n} % 80)",
    ),
    (
        "nchar(5)",
        "NCHAR(55357) + NCHAR(56832 + {n} % 60) + CAST({n} AS nvarchar(3))",
    ),
];

fn create(database: &dyn Source, number: usize) -> String {
    let (kind, value) = KEYS[number];
    let table = format!("t{number}");
    let sql = database.sql();
    sql.run(&format!(
        "CREATE TABLE {table} (k {kind} NOT NULL, id int NOT NULL, v int NOT NULL)"
    ));
    let rows: Vec<String> = (0..ROWS)
        .map(|n| format!("({}, {n}, 0)", value.replace("{n}", &n.to_string())))
        .collect();
    sql.run(&format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
    sql.run(&format!(
        "CREATE UNIQUE CLUSTERED INDEX k ON {table} (k, id)"
    ));
    table
}

fn entries<'a>(migration: Migration<'a>, strategy: &str) -> Migration<'a> {
    (0..KEYS.len()).fold(migration, |migration, number| {
        migration.table(json!({
            "source": {"tableName": format!("t{number}")}, "target": {"tableName": format!("T{number}")},
            "columnNamesToPartitionBy": ["k", "id"],
            "partitionSize": {"maxRowsPerPartition": 12},
            "synchronization": {"strategy": strategy},
        }))
    })
}

fn moves_every_row_once(strategy: &str) {
    let database = SqlServer::shared().database();
    let tables: Vec<String> = (0..KEYS.len())
        .map(|number| create(&database, number))
        .collect();
    let migration = entries(Migration::from(&database), strategy);
    let mut done = migration.run(0);
    if strategy != "none" {
        let sql = database.sql();
        for table in &tables {
            sql.run(&format!("UPDATE {table} SET v = 1 WHERE id % 10 = 3"));
            sql.run(&format!("DELETE FROM {table} WHERE id % 10 = 4"));
        }
        done = migration.clone().again().run(0);
    }
    for (number, table) in tables.iter().enumerate() {
        let ids = |sql: &snowhaul_integration::Sql, table: &str| {
            sql.rows(&format!("SELECT id, v FROM {table} ORDER BY 1, 2"))
        };
        assert_eq!(
            ids(&done.sql, &format!("T{number}")),
            ids(&database.sql(), table),
            "{}",
            KEYS[number].0
        );
        let partitions = done.metadata.rows(&format!(
            "SELECT p.PHASE FROM {{s}}.\"PARTITION\" p JOIN {{s}}.TABLE_STATE t ON t.WORKFLOW_ID = p.WORKFLOW_ID AND t.TABLE_NO = p.TABLE_NO \
             JOIN {{s}}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID WHERE w.NAME = '{}' AND t.TARGET_TABLE LIKE '%T{number}%'",
            done.workflow
        ));
        let num = partitions.len();
        // Of varchar only ASCII values are bounds.
        let least = if KEYS[number].0.contains("Cyrillic") {
            1
        } else {
            5
        };
        assert!(num >= least, "{}: {num} partitions", KEYS[number].0);
    }
}

#[test]
fn every_row_is_in_one_partition() {
    moves_every_row_once("none");
}

#[test]
fn ranges_mean_the_same_rows_in_snowflake() {
    moves_every_row_once("full-replace");
}

#[test]
fn checksums_find_the_ranges_that_have_changed() {
    moves_every_row_once("checksum");
}

#[test]
fn collations_that_take_two_texts_for_one_lose_none_of_them() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (k varchar(20) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL, id int NOT NULL)");
    for n in 0..60 {
        // 'a', 'A', 'a ', 'A  ' are one key for this collation.
        let text = ["a", "A", "a ", "A  ", "b", "B "][n % 6];
        sql.run(&format!("INSERT INTO t VALUES ('{text}', {n})"));
    }
    for strategy in ["none", "full-replace"] {
        let done = Migration::from(&database)
            .table(json!({
                "source": {"tableName": "t"}, "target": {"tableName": "T"},
                "columnNamesToPartitionBy": ["k"], "partitionSize": {"maxRowsPerPartition": 10},
                "synchronization": {"strategy": strategy},
            }))
            .run(0);
        assert_eq!(
            done.sql.number("SELECT COUNT(DISTINCT ID) FROM T"),
            60,
            "{strategy}"
        );
        assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 60, "{strategy}");
        assert_eq!(
            done.sql
                .number("SELECT COUNT(*) FROM T WHERE LENGTH(K) = 2"),
            20,
            "{strategy}"
        );
    }
}

#[test]
fn keys_are_inferred_from_what_the_catalog_has() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    for (table, columns, row) in [
        (
            "by_primary_key",
            "a int NOT NULL, b int NOT NULL, CONSTRAINT pk PRIMARY KEY (b, a)",
            "(a, b) VALUES (1, 1)",
        ),
        (
            "by_unique_index",
            "a int NOT NULL, b nvarchar(20) NOT NULL CONSTRAINT uq UNIQUE",
            "(a, b) VALUES (1, N'1')",
        ),
        (
            "by_identity",
            "a int IDENTITY, b int NULL",
            "(b) VALUES (1)",
        ),
    ] {
        sql.run(&format!("CREATE TABLE {table} ({columns})"));
        sql.run(&format!("INSERT INTO {table} {row}"));
    }
    let mut migration = Migration::from(&database).top(json!({"defaultTableConfiguration": {
        "source": {"databaseName": database.written_name(), "schemaName": "dbo"},
        "target": {"databaseName": "T", "schemaName": "PUBLIC"},
    }}));
    for table in ["by_primary_key", "by_unique_index", "by_identity"] {
        migration = migration.table(json!({
            "source": {"tableName": table}, "target": {"tableName": table.to_uppercase()},
        }));
    }
    let planned = migration.plan(&[]);
    assert_eq!(
        planned.code(),
        Some(0),
        "{}{}",
        planned.stdout,
        planned.stderr
    );
    for key in ["key: b, a", "key: b", "key: a"] {
        assert!(planned.stdout.contains(key), "{key}: {}", planned.stdout);
    }
}
