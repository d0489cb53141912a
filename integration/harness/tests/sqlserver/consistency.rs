//! Sources that are written to while they are read.

use serde_json::json;
use snowhaul_integration::{Migration, Source, SqlServer, unique_name};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn rows_that_move_while_they_are_read_are_seen_once() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, pair int NOT NULL, amount int NOT NULL)");
    let rows: Vec<String> = (0..400).map(|n| format!("({n}, {}, 100)", n / 2)).collect();
    sql.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = database.sql();
            let mut n = 0;
            while !is_over.load(Ordering::SeqCst) {
                n = (n + 7) % 200;
                // In each snapshot both rows of a pair have 200 together.
                let _ = writer.try_run(&format!("UPDATE t SET amount = amount + CASE id % 2 WHEN 0 THEN 1 ELSE -1 END WHERE pair = {n}"));
            }
        });
        let done = Migration::from(&database).whole("t").run(0);
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 400);
        assert_eq!(
            done.sql.number(
                "SELECT COUNT(*) FROM (SELECT PAIR FROM T GROUP BY PAIR HAVING SUM(AMOUNT) <> 200)"
            ),
            0
        );
        let warnings = done.warnings_of("t");
        assert!(!warnings.contains("SNAPSHOT"), "{warnings}");
    });
}

#[test]
fn a_database_without_snapshots_is_read_with_a_warning() {
    let server = SqlServer::shared();
    let database = server.database_named(&unique_name("locked").to_lowercase());
    let quoted = snowhaul_integration::bracketed(database.name());
    database.admin().run(&format!(
        "ALTER DATABASE {quoted} SET ALLOW_SNAPSHOT_ISOLATION OFF"
    ));
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, v nvarchar(max))");
    sql.run("INSERT INTO t VALUES (1, N'a'), (2, REPLICATE(CAST(N'b' AS nvarchar(max)), 5000))");
    let done = Migration::from(&database).whole("t").run(0);
    assert_eq!(done.sql.number("SELECT SUM(LENGTH(V)) FROM T"), 5001);
    let warnings = done.warnings_of("t");
    assert!(warnings.contains("ALLOW_SNAPSHOT_ISOLATION"), "{warnings}");
}

#[test]
fn nolock_is_taken_with_a_warning() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY)");
    sql.run("INSERT INTO t VALUES (1), (2)");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "T"},
            "queryModifiers": {"objectModifier": "WITH (NOLOCK)"},
        }))
        .run(0);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 2);
    let warnings = done.warnings_of("t");
    assert!(warnings.contains("NOLOCK"), "{warnings}");
}
