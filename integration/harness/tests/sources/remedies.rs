//! What messages say to do.

use serde_json::json;
use snowhaul_integration::{Database, LocalRedshift, Migration};

/// Asserts that doctor says all of `parts` to a login of its own, which may read the table `t` and for which `setting` holds.
fn assert_doctor_says(database: &Database<'_>, setting: &str, parts: &[&str]) {
    let (user, password) = LocalRedshift::shared().login();
    database.admin().run(&format!(
        "GRANT SELECT ON public.t TO {user}; ALTER ROLE {user} {setting}"
    ));
    let doctor = Migration::from(database)
        .platform("postgresql")
        .whole("t")
        .login(&user, &password)
        .doctor(&[]);
    for part in parts {
        assert!(doctor.stdout.contains(part), "{part}: {}", doctor.stdout);
    }
}

#[test]
fn a_role_without_connections_left_is_told_which_numbers_to_change() {
    let database = LocalRedshift::shared().database();
    database
        .admin()
        .run("CREATE TABLE public.t AS SELECT 1 AS id");
    assert_doctor_says(
        &database,
        "CONNECTION LIMIT 0",
        &[
            "too many connections",
            "max_parallel_tasks",
            "CONNECTION LIMIT",
        ],
    );
}

#[test]
fn a_lock_that_is_not_given_up_is_told_as_one() {
    let database = LocalRedshift::shared().database();
    let locking = database.admin();
    locking.run("CREATE TABLE public.t AS SELECT 1 AS id");
    // Granting waits for nobody who holds this one.
    locking.run("BEGIN");
    locking.run("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE");
    assert_doctor_says(
        &database,
        "SET lock_timeout = '200ms'",
        &[
            "lock timeout",
            "another session holds a lock",
            "lock_timeout",
        ],
    );
    locking.run("ROLLBACK");
}

/// A stage that is slow is not a source that is away: the source must not throw the transaction away meanwhile.
#[test]
fn a_source_that_ends_idle_transactions_waits_for_a_slow_stage() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(&format!(
        "ALTER DATABASE \"{}\" SET idle_in_transaction_session_timeout = '300ms'",
        database.name()
    ));
    sql.run("CREATE TABLE t AS SELECT n AS id, repeat(md5(n::text), 60) AS v FROM generate_series(1, 60000) n");
    let migration = Migration::from(&database).platform("postgresql").table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"}, "columnNamesToPartitionBy": [],
    }));
    let (ended, caused) = migration.run_with("file.part.before=2*return(slow)");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(
        caused.iter().any(|line| line.contains("slow")),
        "{caused:?}"
    );
    let ended = migration.left(ended);
    assert_eq!(ended.sql.number("SELECT COUNT(*) FROM t"), 60_000);
    assert_eq!(ended.metadata.most_attempts(), 1);
}
