//! Connection poolers (PgBouncer): in transaction mode a client's next transaction may meet another session of the server,
//! and what a session was told stays for whoever comes next.

use serde_json::json;
use snowhaul_integration::{
    Database, Ended, LocalRedshift, Migrated, Migration, Pooler, Pooling, Sql,
};
use std::collections::BTreeSet;

/// All that a session can be told, and what it can hold. `extra_float_digits` is left out: the driver sets it to 2 at every
/// login, whoever uses it, which since PostgreSQL 12 means what the default means.
const STATE: &str = "SELECT name || ' = ' || setting FROM pg_settings WHERE name <> 'extra_float_digits' \
     UNION ALL SELECT 'cursor ' || name FROM pg_cursors \
     UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements \
     UNION ALL SELECT 'lock ' || mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' \
     UNION ALL SELECT 'temporary ' || relname FROM pg_class WHERE relpersistence = 't' ORDER BY 1";

/// What clients of a pool leave behind in one of its sessions each.
const LEFT_BEHIND: [&str; 4] = [
    "SET IntervalStyle TO sql_standard; SET TimeZone TO 'Asia/Tokyo'; SET DateStyle TO 'SQL, DMY'; \
     SET extra_float_digits TO -10; SET bytea_output TO escape; SET default_transaction_isolation TO 'read committed'",
    "SET IntervalStyle TO postgres_verbose; SET TimeZone TO 'America/St_Johns'; SET DateStyle TO 'German'; \
     SET search_path TO decoy, public; SET enable_seqscan TO off; SET enable_hashagg TO off; SET lc_monetary TO 'C'",
    "SET IntervalStyle TO iso_8601; SET TimeZone TO 'UTC'; SET row_security TO off; \
     SET default_transaction_read_only TO on; SET enable_indexscan TO off; SET enable_sort TO off",
    "SET IntervalStyle TO postgres; SET TimeZone TO '+05:45'; SET DateStyle TO 'Postgres, MDY'; SET search_path TO decoy; \
     SET default_transaction_isolation TO 'serializable'; SET xmlbinary TO hex; SET extra_float_digits TO 0",
];

fn state(client: &Sql) -> BTreeSet<String> {
    let rows = client.rows(STATE);
    rows.into_iter().flatten().flatten().collect()
}

#[track_caller]
fn assert_state(client: &Sql, before: &BTreeSet<String>, after: &str) {
    let now = state(client);
    let new: Vec<_> = now.difference(before).collect();
    let gone: Vec<_> = before.difference(&now).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "after {after}: {new:?}, not {gone:?}"
    );
}

/// In each of the pool's sessions: all of them are held at once, so that each client has one.
fn leave_settings_behind(pooler: &Pooler<'_>) {
    let clients = LEFT_BEHIND.map(|settings| {
        let client = pooler.sql();
        client.run("BEGIN");
        client.run(settings);
        client
    });
    for client in &clients {
        client.run("COMMIT");
    }
}

/// Table `t`: many rows whose times, intervals and doubles have several texts, and columns whose order and names say
/// nothing.
fn create_table(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run(
        "CREATE TABLE public.t (id integer PRIMARY KEY, span interval, moment timestamptz, day date, double float8, single float4, \
         raw bytea, amount numeric(20,4), words text, list timestamptz[])",
    );
    sql.run(
        "INSERT INTO public.t SELECT n, CASE n % 3 WHEN 0 THEN interval '-1 year 2 days -03:04:05.000006' WHEN 1 THEN interval '1 day' END, \
         timestamptz '2024-03-31 01:30:00.000001+00' + n * interval '7 hours', date '2024-02-01' + n, n / 3.0::float8, (n / 7.0)::float4, \
         decode('5c00ff27', 'hex'), n * 1.0001, 'a\\b''c' || n, ARRAY[timestamptz '2024-01-02 03:04:05+00'] \
         FROM generate_series(1, 2000) n",
    );
    // Of the same name: whoever looks it up by the search path finds the wrong one.
    sql.run("CREATE SCHEMA decoy; CREATE TABLE decoy.t (id integer PRIMARY KEY, span text)");
    sql.run("INSERT INTO decoy.t VALUES (1, 'decoy'); ANALYZE");
    sql
}

fn migration<'a>(database: &'a Database<'a>, pooler: &Pooler<'_>) -> Migration<'a> {
    Migration::from(database).through(pooler).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"], "primaryKeyColumns": ["id"],
        "partitionSize": {"maxRowsPerPartition": 400},
        "synchronization": {"strategy": "checksum"},
    }))
}

/// Every value of `t`, by expressions that no setting changes.
fn assert_arrived(sql: &Sql, done: &Migrated) {
    let there = sql.rows(
        "SELECT id::text, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(day, 'YYYY-MM-DD'), double, single::float8, \
         encode(raw, 'hex'), amount::text, words FROM public.t x ORDER BY x.id",
    );
    let here = done.sql.rows(
        "SELECT id::VARCHAR, TO_CHAR(CONVERT_TIMEZONE('UTC', moment), 'YYYY-MM-DD HH24:MI:SS.FF6'), TO_CHAR(day, 'YYYY-MM-DD'), double, single, \
         LOWER(TO_CHAR(raw, 'HEX')), amount::VARCHAR, words FROM t x ORDER BY x.id",
    );
    assert_eq!(there.len(), here.len());
    for (there, here) in there.iter().zip(&here) {
        assert_eq!(there, here);
    }
    // The interval's text is one, whichever, and means the same to the server.
    let spans = done
        .sql
        .rows("SELECT span, COUNT(*)::VARCHAR FROM t GROUP BY span ORDER BY span NULLS LAST");
    assert_eq!(spans.len(), 3, "more than one text of a value: {spans:?}");
    for span in spans.iter().filter_map(|row| row[0].as_deref()) {
        let same = format!("SELECT count(*)::text FROM public.t WHERE span = interval '{span}'");
        let counted = format!("SELECT COUNT(*)::VARCHAR FROM t WHERE span = '{span}'");
        assert_eq!(sql.value(&same), done.sql.value(&counted), "{span}");
    }
    let lists = done.sql.rows("SELECT DISTINCT TO_JSON(list) FROM t");
    assert_eq!(lists.len(), 1, "more than one text of an array: {lists:?}");
}

#[track_caller]
fn assert_ended(ended: &Ended, code: i32) {
    let said = format!("{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code(), Some(code), "{said}");
}

#[test]
fn nothing_stays_behind_in_a_pool_of_one_session() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    let pooler = Pooler::start(&database, Pooling::Transaction, 1);
    let application = pooler.sql();
    application.run("SET work_mem TO '7MB'");
    let before = state(&application);
    let migration = migration(&database, &pooler);

    assert_ended(&migration.plan(&[]), 0);
    assert_state(&application, &before, "plan");
    // The application goes on as before.
    application.run("UPDATE public.t SET amount = amount + 1 WHERE id = 1");

    let done = migration.run(0);
    assert_state(&application, &before, "run");
    application.run("CREATE TEMPORARY TABLE scratch (a integer); DROP TABLE scratch");
    assert_arrived(&sql, &done);

    assert_ended(&migration.doctor(&[]), 0);
    assert_state(&application, &before, "doctor");
    application.run("UPDATE public.t SET amount = amount + 1 WHERE id = 2");
}

#[test]
fn what_other_clients_leave_behind_changes_no_value_and_no_table() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    let pooler = Pooler::start(&database, Pooling::Transaction, 4);
    leave_settings_behind(&pooler);
    let migration = migration(&database, &pooler);
    let first = migration.run(0);
    assert_arrived(&sql, &first);
    let (moved, phases) = first.moved();
    // The range of NULL is one of them, though the key has none.
    let unchanged = match phases.as_slice() {
        [(phase, count)] if phase == "LOADED" && *count >= 6 => *count,
        _ => panic!("{phases:?}"),
    };
    let nothing_moves = (0, vec![("UNCHANGED".to_owned(), unchanged)]);
    assert_eq!(moved, 2_000);

    // Other sessions answer the second time: the same checksums.
    leave_settings_behind(&pooler);
    let migration = migration.again();
    assert_eq!(migration.run(0).moved(), nothing_moves);
    // Past the pooler as well.
    let migration = migration.again().direct();
    let third = migration.run(0);
    assert_eq!(third.moved(), nothing_moves);
    assert_arrived(&sql, &third);
}

#[test]
fn a_session_pool_takes_part_as_any_server_does() {
    let database = LocalRedshift::shared().database();
    let sql = create_table(&database);
    let pooler = Pooler::start(&database, Pooling::Session, 10);
    let done = migration(&database, &pooler).run(0);
    assert_arrived(&sql, &done);
}

#[test]
fn row_level_security_is_told_through_a_pooler() {
    let server = LocalRedshift::shared();
    let database = server.database();
    let (user, password) = server.login();
    let sql = database.sql();
    sql.run("CREATE TABLE public.invoice AS SELECT n AS id, CASE n % 4 WHEN 0 THEN 'acme' ELSE 'other' END AS tenant FROM generate_series(1, 1000) n");
    sql.run("ALTER TABLE public.invoice ENABLE ROW LEVEL SECURITY");
    sql.run("CREATE POLICY acme ON public.invoice USING (tenant = 'acme')");
    sql.run(&format!(
        "GRANT USAGE ON SCHEMA public TO {user}; GRANT SELECT ON public.invoice TO {user}"
    ));
    let pooler = Pooler::start_for(&database, Pooling::Transaction, 1, &[(&user, &password)]);
    // A session that was told to filter in silence.
    pooler
        .session(&user, &password)
        .run("SET row_security TO on");
    let done = Migration::from(&database)
        .through(&pooler)
        .login(&user, &password)
        .whole("invoice")
        .prepare(&[])
        .run(1);
    let errors = done.errors_of("invoice");
    for words in ["row-level security", "BYPASSRLS"] {
        assert!(errors.contains(words), "no {words} in {errors}");
    }
    let arrived = done.sql.try_run("SELECT * FROM invoice");
    assert_eq!(arrived.map_or(0, |answer| answer.rows.len()), 0);
}

#[test]
fn a_pool_in_statement_mode_is_refused_with_what_to_do() {
    let database = LocalRedshift::shared().database();
    create_table(&database);
    let pooler = Pooler::start(&database, Pooling::Statement, 2);
    let migration = migration(&database, &pooler);
    let plan = migration.plan(&[]);
    let doctor = migration.doctor(&[]);
    for ended in [&plan, &doctor] {
        assert!(ended.code().is_some_and(|code| code != 0), "{ended:?}");
        let said = format!("{}\n{}", ended.stdout, ended.stderr);
        for words in ["statement", "pool_mode", "transaction", "session"] {
            assert!(said.contains(words), "no {words} in {said}");
        }
    }
    // Nothing arrives by it.
    let (ended, _) = migration.run_with("");
    assert!(ended.code().is_some_and(|code| code != 0), "{ended:?}");
}
