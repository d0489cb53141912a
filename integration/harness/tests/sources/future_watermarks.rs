//! Watermarks that lie in the future, or go back.

use serde_json::{Value, json};
use snowhaul::domain::table::Platform;
use snowhaul::platform;
use snowhaul_integration::{
    Database, LocalRedshift, LocalSnowflake, Migrated, Migration, Snowhaul, Sql,
};
use std::time::Duration;

/// A table `(id, at, v)`, named after the type of its watermark.
struct Times {
    name: &'static str,
    of_type: &'static str,
    /// A value of the future; none where the clock says nothing.
    future: &'static str,
    /// The `n`th value of the past.
    value: &'static str,
}

const TIMES: [Times; 3] = [
    Times {
        name: "dates",
        of_type: "date",
        future: "9999-12-31",
        value: "date '2010-01-01' + n",
    },
    Times {
        name: "times",
        of_type: "timestamp",
        future: "2206-01-01 00:00:00",
        value: "timestamp '2010-01-01' + n * interval '1 hour'",
    },
    Times {
        name: "zoned",
        of_type: "timestamptz",
        future: "2206-01-01 00:00:00+00",
        value: "timestamptz '2010-01-01 00:00:00+00' + n * interval '1 hour'",
    },
];

const NUMBERS: [Times; 2] = [
    Times {
        name: "numbers",
        of_type: "bigint",
        future: "",
        value: "n",
    },
    Times {
        name: "decimals",
        of_type: "numeric(12,2)",
        future: "",
        value: "n / 4.0",
    },
];

const PLATFORMS: [&str; 2] = ["redshift", "postgresql"];

impl Times {
    /// With the rows 1 to 100.
    fn create(&self, sql: &Sql) {
        sql.run(&format!(
            "CREATE TABLE {} (id bigint PRIMARY KEY, at {}, v text)",
            self.name, self.of_type
        ));
        self.insert(sql, 1, 100);
    }

    fn insert(&self, sql: &Sql, from: i64, to: i64) {
        sql.run(&format!(
            "INSERT INTO {} SELECT n, {}, 'v' || n FROM generate_series({from}, {to}) n",
            self.name, self.value
        ));
    }

    /// Moves some rows into the future.
    fn postpone(&self, sql: &Sql, condition: &str) {
        sql.run(&format!(
            "UPDATE {} SET at = '{}' WHERE {condition}",
            self.name, self.future
        ));
    }

    /// Gives some rows the `n`th value.
    fn mend(&self, sql: &Sql, condition: &str, n: &str) {
        sql.run(&format!(
            "UPDATE {} SET v = 'mended', at = (SELECT {} FROM generate_series({n}, {n}) n) WHERE {condition}",
            self.name, self.value
        ));
    }

    /// In partitions of 40 rows, with a primary key that only some strategies need.
    fn entry(&self, track_modifications: bool, track_deletions: bool) -> Value {
        json!({
            "source": {"tableName": self.name}, "target": {"tableName": self.name},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 40},
            "primaryKeyColumns": ["id"],
            "synchronization": {
                "strategy": "watermark", "watermarkColumn": "at",
                "trackModifications": track_modifications, "trackDeletions": track_deletions,
            },
        })
    }

    /// The rows of the source that meet the condition have arrived, and no others, each once.
    fn assert_has(&self, sql: &Sql, done: &Migrated, condition: &str) {
        let at = match self.of_type {
            "bigint" | "numeric(12,2)" => "CAST(at * 100 AS bigint)",
            _ => "to_char(at, 'YYYY-MM-DD HH24:MI:SS')",
        };
        let name = self.name;
        let were = sql.rows(&format!(
            "SELECT id, {at}, v FROM {name} t WHERE {condition} ORDER BY t.id"
        ));
        let are = done.sql.rows(&format!(
            "SELECT id, {at}, v FROM {name} t ORDER BY t.id, v"
        ));
        assert_eq!(are, were, "{name}: {condition}");
    }
}

fn reset(mut entry: Value) -> Value {
    entry["resetPartitions"] = json!("enabledWithDedup");
    entry
}

fn session(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("SET timezone TO 'UTC'");
    sql
}

/// The tables as they are at first, and a workflow of them.
fn prepared<'a>(
    database: &'a Database<'a>,
    sql: &Sql,
    tables: &[&Times],
    entry: impl Fn(&Times) -> Value,
) -> Migration<'a> {
    let migration = Migration::from(database).platform("postgresql");
    tables.iter().fold(migration, |migration, table| {
        table.create(sql);
        migration.table(entry(table))
    })
}

#[test]
fn one_row_of_the_future_waits_and_later_rows_move_on() {
    for platform in PLATFORMS {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let tables: Vec<&Times> = TIMES.iter().collect();
        let mut migration = prepared(&database, &sql, &tables, |table| table.entry(false, false))
            .platform(platform);
        for table in &tables {
            table.postpone(&sql, "id = 50");
        }
        let first = migration.run(0);
        for table in &tables {
            table.assert_has(&sql, &first, "id <> 50");
        }
        for (from, to) in [(101, 110), (111, 130)] {
            for table in &tables {
                table.insert(&sql, from, to);
            }
            migration = migration.again();
            let later = migration.run(0);
            assert_eq!(later.moved().0, 3 * (to - from + 1), "{platform}");
            for table in &tables {
                table.assert_has(&sql, &later, "id <> 50");
                let warnings = later.warnings_of(table.name);
                assert!(
                    warnings.contains("the watermark at is later than the source's clock")
                        && warnings.contains(&format!("in 1 row, up to {}", &table.future[..10]))
                        && warnings.contains("these rows wait")
                        && warnings.contains("trackModifications"),
                    "{warnings}"
                );
            }
        }
        // Once its time has come, it moves like the others.
        for table in &tables {
            table.mend(&sql, "id = 50", "131");
            table.insert(&sql, 132, 140);
        }
        migration = migration.again();
        let mended = migration.run(0);
        assert_eq!(mended.moved().0, 30);
        let last = migration.again().run(0);
        assert_eq!(last.moved().0, 0);
        for table in &tables {
            table.assert_has(&sql, &mended, "true");
            // None of these runs has one.
            assert_eq!(last.warnings_of(table.name).lines().count(), 3);
        }
    }
}

#[test]
fn rows_of_the_future_are_merged_by_every_run() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let tables: Vec<&Times> = TIMES.iter().collect();
    let mut migration = prepared(&database, &sql, &tables, |table| table.entry(true, false));
    let changes: [&dyn Fn(&Times); 5] = [
        &|table| table.postpone(&sql, "id IN (50, 51)"),
        &|table| {
            let change = "UPDATE {} SET v = 'changed' WHERE id = 50";
            sql.run(&change.replace("{}", table.name));
        },
        &|table| table.insert(&sql, 101, 110),
        &|table| table.mend(&sql, "id IN (50, 51)", "111"),
        &|_| {},
    ];
    let mut moved = Vec::new();
    for change in changes {
        for table in &tables {
            change(table);
        }
        migration = migration.again();
        let done = migration.run(0);
        moved.push(done.moved().0 / 3);
        for table in &tables {
            table.assert_has(&sql, &done, "true");
            let warnings = done.warnings_of(table.name);
            assert!(
                warnings.contains(&format!("in 2 rows, up to {}", &table.future[..10]))
                    && warnings.contains("every run moves these rows again"),
                "{warnings}"
            );
            assert_eq!(warnings.lines().count(), moved.len().min(3), "{warnings}");
        }
    }
    assert_eq!(moved, [100, 2, 12, 2, 0]);
}

#[test]
fn status_shows_what_waits() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(false, false));
    table.postpone(&sql, "id = 5");
    let done = migration.run(0);
    let name = &done.workflow;
    let ended = Snowhaul::new(["workflow", "status", name, "--json"])
        .snowflake(LocalSnowflake::shared())
        .metadata(migration.metadata_database())
        .run(Duration::from_secs(60));
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let status: Value = serde_json::from_str(&ended.stdout).unwrap();
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("these rows wait") && warnings.contains(&table.future[..10]),
        "{warnings}"
    );
}

#[test]
fn a_table_of_the_future_alone_is_refused_or_merged() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let tables: Vec<&Times> = TIMES.iter().collect();
    let appends = prepared(&database, &sql, &tables, |table| table.entry(false, false));
    for table in &tables {
        table.postpone(&sql, "true");
    }
    let refused = appends.clone().prepare(&[]).run(1);
    for table in &tables {
        let error = refused.errors_of(table.name);
        assert!(
            error.contains("later than the source's clock") && error.contains("in every row"),
            "{error}"
        );
        // Not even created.
        let read = refused
            .sql
            .try_run(&format!("SELECT * FROM {}", table.name));
        assert!(read.is_err(), "{read:?}");
    }
    let mut migration = appends.without_tables().with_new_target();
    for table in &tables {
        migration = migration.table(table.entry(true, false));
    }
    let changes: [&dyn Fn(&Times); 3] = [
        &|_| {},
        &|table| {
            let change = "UPDATE {} SET v = 'changed' WHERE id = 50";
            sql.run(&change.replace("{}", table.name));
        },
        &|table| table.mend(&sql, "true", "CAST(id AS int)"),
    ];
    for change in changes {
        for table in &tables {
            change(table);
        }
        migration = migration.again();
        let done = migration.run(0);
        assert_eq!(done.moved().0, 300);
        for table in &tables {
            table.assert_has(&sql, &done, "true");
        }
    }
    let last = migration.again().run(0);
    assert_eq!(last.moved().0, 0);
    for table in &tables {
        let warnings = last.warnings_of(table.name);
        assert_eq!(warnings.matches("every run moves").count(), 2, "{warnings}");
    }
}

#[test]
fn rows_of_a_day_that_is_not_over_wait_or_are_merged() {
    for merges in [false, true] {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let table = &TIMES[0];
        let mut migration = prepared(&database, &sql, &[table], |table| {
            table.entry(merges, false)
        });
        sql.run("UPDATE dates SET at = current_date + 2 WHERE id = 100");
        sql.run("UPDATE dates SET at = current_date WHERE id IN (98, 99)");
        let condition = if merges {
            "true"
        } else {
            "id < 98 OR id > 200"
        };
        for change in [
            "SELECT 1",
            // Of the same day, after a run.
            "INSERT INTO dates VALUES (101, current_date, 'later')",
            "INSERT INTO dates VALUES (201, current_date - 2, 'before')",
        ] {
            sql.run(change);
            migration = migration.again();
            let done = migration.run(0);
            table.assert_has(&sql, &done, condition);
            let warnings = done.warnings_of("dates");
            assert_eq!(
                warnings.contains("a day that is not over in"),
                !merges,
                "{warnings}"
            );
            assert!(
                warnings.contains("later than the source's clock"),
                "{warnings}"
            );
        }
        // As if the days had passed.
        sql.run("UPDATE dates SET at = current_date - 1 WHERE id BETWEEN 98 AND 101");
        table.assert_has(&sql, &migration.again().run(0), "true");
    }
}

#[test]
fn a_source_that_was_filled_anew_is_refused_until_it_is_reset() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let tables: Vec<&Times> = TIMES.iter().chain(&NUMBERS).collect();
    let migration = prepared(&database, &sql, &tables, |table| table.entry(false, false));
    let first = migration.run(0);
    let stored = |table: &Times| {
        let mut stored = first.metadata.watermarks(&format!(".{}", table.name));
        assert_eq!(stored.len(), 1, "{stored:?}");
        stored.remove(0).unwrap()
    };
    for table in &tables {
        sql.run(&format!("TRUNCATE {}", table.name));
    }
    // Nothing to move is no reason to refuse.
    assert_eq!(migration.clone().again().run(0).moved().0, 0);
    for table in &tables {
        table.insert(&sql, 1, 60);
        sql.run(&format!("UPDATE {} SET v = 'anew'", table.name));
    }
    let refused = migration.clone().again().run(1);
    assert_eq!(refused.moved().0, 0);
    let with = |change: &dyn Fn(Value) -> Value| {
        let none = migration.clone().again().without_tables();
        tables.iter().fold(none, |migration, table| {
            migration.table(change(table.entry(false, false)))
        })
    };
    for table in &tables {
        let error = refused.errors_of(table.name);
        assert!(
            error.contains(&format!("below {}", stored(table)))
                && error.contains("resetPartitions to enabledWithDedup")
                && error.contains("primaryKeyColumns"),
            "{error}"
        );
        let anew = format!("SELECT COUNT(*) FROM {} WHERE v = 'anew'", table.name);
        assert_eq!(refused.sql.number(&anew), 0);
    }
    // As it says: what is there is replaced, the rest stays, as ever without trackDeletions.
    let done = with(&reset).run(0);
    for table in &tables {
        done.sql
            .run(&format!("DELETE FROM {} WHERE id > 60", table.name));
        table.assert_has(&sql, &done, "true");
        table.insert(&sql, 61, 80);
    }
    // And then it goes on as before, without the primary key too.
    let next = with(&|mut entry| {
        entry["primaryKeyColumns"] = json!(null);
        entry
    })
    .run(0);
    assert_eq!(next.moved().0, 100);
    for table in &tables {
        table.assert_has(&sql, &next, "true");
    }
}

/// The newest rows go now and then where deletions are tracked: all rows are moved again, which is right whatever has
/// happened there.
#[test]
fn a_watermark_that_goes_back_moves_all_rows_again_where_deletions_are_tracked() {
    for track_modifications in [false, true] {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let table = &TIMES[1];
        let mut migration = prepared(&database, &sql, &[table], |table| {
            table.entry(track_modifications, true)
        });
        let _ = migration.run(0);
        for changes in [
            &["DELETE FROM times WHERE id > 95"][..],
            &["TRUNCATE times"],
        ] {
            for change in changes {
                sql.run(change);
            }
            if sql.number("SELECT count(*) FROM times") == 0 {
                table.insert(&sql, 1, 60);
                sql.run("UPDATE times SET v = 'anew'");
            }
            migration = migration.again();
            let done = migration.run(0);
            table.assert_has(&sql, &done, "true");
            assert!(
                done.warnings_of("times")
                    .contains("the whole table is moved again")
            );
        }
        table.insert(&sql, 61, 70);
        let done = migration.again().run(0);
        assert_eq!(done.moved().0, 10);
        table.assert_has(&sql, &done, "true");
    }
}

/// A run that moves rows again, and fails half-way, leaves some of them in the target and some not: the next one replaces
/// them, though nobody tells it to.
#[test]
fn what_a_reset_has_moved_before_it_failed_is_not_added_again() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(false, false));
    sql.run("ALTER TABLE times ADD COLUMN d date");
    let _ = migration.run(0);
    sql.run("UPDATE times SET v = 'changed'");
    sql.run("UPDATE times SET d = '12024-01-01' WHERE id = 50");
    let migration = migration.again().without_tables();
    let failed = migration
        .clone()
        .table(reset(table.entry(false, false)))
        .run(1);
    assert!(failed.moved().0 > 0);
    sql.run("UPDATE times SET d = NULL WHERE id = 50");
    let next = migration.again().table(table.entry(false, false));
    table.assert_has(&sql, &next.run(0), "true");
    assert_eq!(next.again().run(0).moved().0, 0);
}

#[test]
fn rows_of_the_future_that_were_merged_are_not_added_when_merging_ends() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(true, false));
    table.postpone(&sql, "id = 50");
    let _ = migration.run(0);
    let migration = migration
        .without_tables()
        .table(table.entry(false, false))
        .again();
    table.assert_has(&sql, &migration.run(0), "true");
    table.mend(&sql, "id = 50", "101");
    table.insert(&sql, 102, 110);
    let migration = migration.again();
    table.assert_has(&sql, &migration.run(0), "true");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

/// What earlier versions stored once they had seen such a row: nothing below it ever moved again.
#[test]
fn a_stored_watermark_of_the_future_is_refused() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(false, false));
    table.postpone(&sql, "id = 50");
    let first = migration.run(0);
    first.metadata.run(&format!(
        "UPDATE {{s}}.SYNC_PARTITION SET WATERMARK = '{}'",
        table.future
    ));
    table.insert(&sql, 101, 110);
    for _ in 0..2 {
        let refused = migration.clone().again().run(1);
        let error = refused.errors_of("times");
        assert!(
            error.contains(&format!("below {}", table.future))
                && error.contains("enabledWithDedup"),
            "{error}"
        );
        // Mended or not.
        table.mend(&sql, "id = 50", "50");
    }
    let reset = migration
        .again()
        .without_tables()
        .table(reset(table.entry(false, false)));
    table.assert_has(&sql, &reset.run(0), "true");
}

#[test]
fn the_clock_is_told_in_utc_and_in_the_sessions_zone_whatever_the_sessions_settings() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let dialect = platform::source(platform).unwrap();
        for (zone, style) in [
            ("Pacific/Kiritimati", "German"),
            ("Pacific/Pago_Pago", "SQL, DMY"),
        ] {
            sql.run(&format!("SET timezone TO '{zone}'"));
            sql.run(&format!("SET datestyle TO '{style}'"));
            sql.run("BEGIN");
            let row = sql.rows(&dialect.clock().sql).remove(0);
            let cells: Vec<String> = row.into_iter().map(Option::unwrap).collect();
            // By itself, whether each is what it says: the texts are read back in the form that means one thing only.
            let right = format!(
                "SELECT CAST(abs(extract(epoch FROM clock_timestamp() - timestamptz '{0}+00')) < 30 \
                 AND abs(extract(epoch FROM clock_timestamp() - timestamp '{1}')) < 30 \
                 AND date '{2}' = CAST(timestamp '{0}' AS date) - 1 AND date '{3}' = CAST(timestamp '{1}' AS date) - 1 AS text)",
                cells[0], cells[1], cells[2], cells[3]
            );
            assert_eq!(sql.value(&right).as_deref(), Some("true"), "{cells:?}");
            // Not the transaction's time.
            std::thread::sleep(Duration::from_millis(1_100));
            assert_ne!(
                sql.rows(&dialect.clock().sql).remove(0)[0].as_deref(),
                Some(cells[0].as_str())
            );
            sql.run("COMMIT");
        }
    }
}
