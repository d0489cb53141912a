//! Rows of the future that wait.

use super::{PLATFORMS, TIMES, Times, prepared, session};
use serde_json::Value;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Snowhaul};
use std::time::Duration;

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
