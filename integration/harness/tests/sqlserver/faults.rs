//! What breaks on the way, through both drivers: nothing is lost, nothing is taken for complete that is not.

use serde_json::json;
use snowhaul_integration::{Migration, Proxy, Source, SqlServer, SqlServerDatabase};

const DRIVERS: [&str; 2] = ["ODBC Driver 18 for SQL Server", "FreeTDS"];
const ROWS: i64 = 5_000;

fn fill(database: &SqlServerDatabase<'_>) {
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, note nvarchar(200) NOT NULL)");
    for thousand in 0..ROWS / 1000 {
        let rows: Vec<String> = (0..1000)
            .map(|n| format!("({}, REPLICATE(N'x', 150))", thousand * 1000 + n))
            .collect();
        sql.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    }
}

fn assert_whole(database: &SqlServerDatabase<'_>, migration: &Migration<'_>, fault: &str) {
    let done = migration.run(0);
    let counts = "SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID), SUM(LENGTH(NOTE)) FROM T";
    let expected = database.sql().rows("SELECT COUNT_BIG(*), COUNT_BIG(DISTINCT id), SUM(CAST(id AS bigint)), SUM(LEN(note)) FROM t");
    assert_eq!(done.sql.rows(counts), expected, "{fault}");
}

#[test]
fn connections_that_are_cut_midway() {
    let server = SqlServer::shared();
    let database = server.database();
    fill(&database);
    let proxy = Proxy::start(server.port());
    for driver in DRIVERS {
        for bytes in [20_000, 300_000, 900_000] {
            let migration = Migration::from(&database)
                .driver(driver)
                .port(proxy.port())
                .application("max_parallel_tasks = 1\ntask_fetch_interval = 1")
                .table(json!({
                    "source": {"tableName": "t"}, "target": {"tableName": "T"},
                    "columnNamesToPartitionBy": ["id"],
                    "partitionSize": {"maxRowsPerPartition": 2500},
                }));
            proxy.cut_after(bytes);
            assert_whole(
                &database,
                &migration,
                &format!("{driver}, cut after {bytes}"),
            );
        }
    }
}

#[test]
fn errors_midway_and_refused_logins() {
    let server = SqlServer::start(&[]);
    let database = server.database();
    fill(&database);
    for driver in DRIVERS {
        for fault in [
            // Of the first rows, a deadlock.
            json!({"fault": "error", "after_rows": 334, "number": 1205, "times": 1}),
            // One of Azure's passing errors.
            json!({"fault": "fail_statement", "contains": "FROM [dbo].[t]", "number": 40197, "times": 1}),
            json!({"fault": "cut", "after_rows": 1200, "times": 1}),
        ] {
            server.fault(&fault.to_string());
            let migration = Migration::from(&database)
                .driver(driver)
                .application("max_parallel_tasks = 1\ntask_fetch_interval = 1")
                .whole("t");
            assert_whole(&database, &migration, &format!("{driver}, {fault}"));
        }
    }
}
