//! Rows of the future that every run moves again.

use super::{TIMES, Times, prepared, session};
use snowhaul_integration::LocalRedshift;

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
