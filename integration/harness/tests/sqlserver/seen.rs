//! What users see of this platform: doctor, plan, generate.

use serde_json::Value;
use snowhaul_integration::{Migration, Scratch, Snowhaul, Source, SqlServer, worker_configuration};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn doctor_says_which_driver_and_server_there_are() {
    let database = SqlServer::shared().database();
    database
        .sql()
        .run("CREATE TABLE t (id int NOT NULL PRIMARY KEY)");
    let migration = Migration::from(&database).whole("t");
    let done = migration.run(0);
    assert_eq!(done.moved().0, 0);
    let ended = migration.doctor(&[]);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    for part in ["ODBC Driver 18 for SQL Server", "Microsoft SQL Server"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    let ended = Migration::from(&database)
        .driver("FreeTDS")
        .whole("t")
        .doctor(&[]);
    assert!(
        ended.stdout.contains("FreeTDS"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
}

#[test]
fn plan_shows_the_statements() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, note nvarchar(20))");
    sql.run("INSERT INTO t VALUES (1, N'x'), (2, N'y')");
    let ended = Migration::from(&database).whole("t").plan(&[]);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("[dbo].[t]"), "{}", ended.stdout);
}

#[test]
fn generate_lists_the_tables_and_what_it_writes_runs() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE SCHEMA [sales & more]");
    sql.run(
        "CREATE TABLE [sales & more].[Order] ([Order Id] int NOT NULL PRIMARY KEY, total money)",
    );
    sql.run("CREATE TABLE dbo.log (at datetime2, line nvarchar(max))");
    sql.run("INSERT INTO [sales & more].[Order] VALUES (1, 2.5)");
    let scratch = Scratch::new("generate");
    let (user, password) = database.login();
    let section = database.section("sqlserver", database.server().port(), user, password);
    let worker = scratch.write("configuration.toml", &worker_configuration("", &section));
    let file = scratch.path().join("generated.json");
    let ended = Snowhaul::new([
        "workflow".as_ref(),
        "generate".as_ref(),
        "--source-platform".as_ref(),
        "sqlserver".as_ref(),
        "-c".as_ref(),
        worker.as_os_str(),
        "--target-database".as_ref(),
        "T".as_ref(),
        "--output".as_ref(),
        file.as_os_str(),
    ])
    .run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let workflow: Value = serde_json::from_str(&text).unwrap_or_default();
    let tables = workflow["tables"].as_array().cloned().unwrap_or_default();
    assert_eq!(tables.len(), 2, "{text}");
    assert!(text.contains("Order Id"), "{text}");
}
