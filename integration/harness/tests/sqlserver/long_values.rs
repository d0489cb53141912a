//! Long values among short ones.

use snowhaul_integration::{Migration, Source, SqlServer};

/// Characters of the longest value.
const LONG: usize = 20_000_000;

fn moves_long_values(driver: &str) {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, n nvarchar(max), short int, v varchar(max), b varbinary(max), x xml)");
    for thousand in 0..3 {
        let rows: Vec<String> = (1..=1000)
            .map(|n| {
                format!(
                    "({}, N'kurz 😀', 1, 'short', 0x01, N'<a/>')",
                    thousand * 1000 + n
                )
            })
            .collect();
        sql.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    }
    sql.run(&format!("UPDATE t SET n = REPLICATE(CAST(N'é日' AS nvarchar(max)), {}), v = REPLICATE(CAST('xy' AS varchar(max)), {}) WHERE id = 1500", LONG / 20, LONG / 2));
    sql.run(&format!("UPDATE t SET b = CAST(REPLICATE(CAST('ab' AS varchar(max)), 3000000) AS varbinary(max)), x = CAST(N'<a>' + REPLICATE(CAST(N'é' AS nvarchar(max)), {}) + N'</a>' AS xml) WHERE id = 2500", LONG / 10));
    let rows = sql.number("SELECT COUNT(*) FROM t");
    let done = Migration::from(&database).driver(driver).whole("t").run(0);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), rows);
    let read = |query: &str| done.sql.number(query);
    assert_eq!(
        read("SELECT LENGTH(N) FROM T WHERE ID = 1500"),
        (LONG / 10) as i64
    );
    assert_eq!(read("SELECT LENGTH(V) FROM T WHERE ID = 1500"), LONG as i64);
    assert_eq!(read("SELECT LENGTH(B) FROM T WHERE ID = 2500"), 6_000_000);
    assert_eq!(
        read("SELECT LENGTH(X) FROM T WHERE ID = 2500"),
        (LONG / 10 + 7) as i64
    );
    assert_eq!(
        read("SELECT COUNT(*) FROM T WHERE N = 'kurz 😀' AND V = 'short' AND SHORT = 1"),
        rows - 1
    );
    assert_eq!(
        read("SELECT COUNT(*) FROM T WHERE REPLACE(N, 'é日', '') = '' AND ID = 1500"),
        1
    );
}

#[test]
fn twenty_megabytes_come_through_microsofts_driver() {
    moves_long_values("ODBC Driver 18 for SQL Server");
}

#[test]
fn twenty_megabytes_come_through_freetds() {
    moves_long_values("FreeTDS");
}

#[test]
fn an_unpaired_surrogate_is_an_error_that_names_the_column() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, good nvarchar(10), bad nvarchar(10))");
    sql.run("INSERT INTO t VALUES (1, N'😀', N'ok'), (2, N'ok', N'a' + NCHAR(55357) + N'b')");
    for driver in ["ODBC Driver 18 for SQL Server", "FreeTDS"] {
        let done = Migration::from(&database).driver(driver).whole("t").run(1);
        let error = done.errors_of("t");
        assert!(
            error.contains("column bad") && error.contains("surrogate"),
            "{driver}: {error}"
        );
        assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 0);
    }
}
