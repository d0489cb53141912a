//! What would lose or change rows without a word is refused, and said.

use serde_json::{Value, json};
use snowhaul_integration::{Migrated, Migration, Source, SqlServer, SqlServerDatabase};

fn refused(
    database: &SqlServerDatabase<'_>,
    login: &(String, String),
    table: Value,
) -> (Migrated, String) {
    let done = Migration::from(database)
        .prepare(&[])
        .login(&login.0, &login.1)
        .table(table)
        .run(1);
    let errors = done.errors_of("t");
    let said = format!("{errors}\n{}{}", done.ended.stdout, done.ended.stderr);
    assert!(!said.contains(&login.1), "the password is shown");
    (done, said)
}

/// A login that may read the schema of a database.
fn reader(database: &SqlServerDatabase<'_>) -> (String, String) {
    let login = database.server().login();
    let admin = database.admin();
    let name = snowhaul_integration::bracketed(&login.0);
    admin.run(&format!("CREATE USER {name} FOR LOGIN {name}"));
    admin.run(&format!("ALTER ROLE db_datareader ADD MEMBER {name}"));
    login
}

fn whole() -> Value {
    json!({"source": {"tableName": "t"}, "target": {"tableName": "T"}})
}

#[test]
fn masked_columns() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, mail varchar(40) MASKED WITH (FUNCTION = 'default()') NULL, n int MASKED WITH (FUNCTION = 'default()') NULL)");
    sql.run("INSERT INTO t VALUES (1, 'a@b.example', 7)");
    let login = reader(&database);
    let (_, said) = refused(&database, &login, whole());
    for part in ["mail", "UNMASK", "excludeSourceColumns"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let mut without = whole();
    without["excludeSourceColumns"] = json!(["mail", "n"]);
    let done = Migration::from(&database)
        .login(&login.0, &login.1)
        .table(without)
        .run(0);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 1);
    database.admin().run(&format!(
        "GRANT UNMASK TO {}",
        snowhaul_integration::bracketed(&login.0)
    ));
    let done = Migration::from(&database)
        .login(&login.0, &login.1)
        .table(whole())
        .run(0);
    assert_eq!(
        done.sql.rows("SELECT MAIL, N FROM T"),
        [[Some("a@b.example".to_owned()), Some("7".to_owned())]]
    );
}

#[test]
fn rows_behind_a_security_policy() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, owner sysname NOT NULL)");
    sql.run("INSERT INTO t VALUES (1, N'somebody'), (2, N'nobody')");
    sql.run("CREATE FUNCTION dbo.visible (@owner sysname) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS visible WHERE @owner = USER_NAME()");
    sql.run("CREATE SECURITY POLICY hidden ADD FILTER PREDICATE dbo.visible(owner) ON dbo.t WITH (STATE = ON)");
    let login = reader(&database);
    let (done, said) = refused(&database, &login, whole());
    for part in ["policy", "rowLevelSecurity"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    drop(done);
    let mut accepted = whole();
    accepted["rowLevelSecurity"] = json!("accept");
    let done = Migration::from(&database)
        .login(&login.0, &login.1)
        .table(accepted)
        .run(0);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 0);
}

#[test]
fn what_the_login_may_not_read() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, secret int)");
    let login = database.server().login();
    let name = snowhaul_integration::bracketed(&login.0);
    database
        .admin()
        .run(&format!("CREATE USER {name} FOR LOGIN {name}"));
    let (_, said) = refused(&database, &login, whole());
    // Of what a login may not read, SQL Server does not say that it is there.
    assert!(said.contains("no such table"), "{said}");
    database
        .admin()
        .run(&format!("GRANT SELECT ON dbo.t (id) TO {name}"));
    let (_, said) = refused(&database, &login, whole());
    assert!(said.contains("secret"), "{said}");
    let mut without = whole();
    without["excludeSourceColumns"] = json!(["secret"]);
    let done = Migration::from(&database)
        .login(&login.0, &login.1)
        .table(without)
        .run(0);
    assert_eq!(done.columns("T").len(), 1);
}

#[test]
fn logins_and_places_that_are_wrong() {
    let database = SqlServer::shared().database();
    database
        .sql()
        .run("CREATE TABLE t (id int NOT NULL PRIMARY KEY)");
    let wrong = (
        database.login().0.to_owned(),
        "Not the password 1".to_owned(),
    );
    for driver in ["ODBC Driver 18 for SQL Server", "FreeTDS"] {
        let planned = Migration::from(&database)
            .driver(driver)
            .login(&wrong.0, &wrong.1)
            .table(whole())
            .plan(&[]);
        let said = format!("{}{}", planned.stdout, planned.stderr);
        assert_ne!(planned.code(), Some(0));
        assert!(
            said.contains("SH0202") || said.contains("Login failed"),
            "{driver}: {said}"
        );
        assert!(said.contains("username and password"), "{driver}: {said}");
        assert!(!said.contains(&wrong.1), "{driver}: the password is shown");
    }
    let planned = Migration::from(&database)
        .table(json!({"source": {"tableName": "missing"}, "target": {"tableName": "T"}}))
        .plan(&[]);
    let said = format!("{}{}", planned.stdout, planned.stderr);
    assert!(said.contains("missing"), "{said}");
    let planned = Migration::from(&database)
        .table(json!({"source": {"databaseName": "no_such_database", "tableName": "t"}, "target": {"tableName": "T"}}))
        .plan(&[]);
    let said = format!("{}{}", planned.stdout, planned.stderr);
    assert!(said.contains("no_such_database"), "{said}");
    assert_ne!(planned.code(), Some(0));
}
