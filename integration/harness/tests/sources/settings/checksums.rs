//! Checksums are the same in every session, and see each change.

use super::columns::{columns_of, fill};
use super::{analyzed, dialect, scope, sessions, table_ref};
use snowhaul::domain::table::{KeyRange, Platform, QueryModifiers};
use snowhaul_integration::LocalRedshift;

#[test]
fn a_checksum_does_not_depend_on_the_session_and_sees_the_least_change_and_null() {
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let database = LocalRedshift::shared().database();
        let own = columns_of(platform);
        fill(&database.sql(), &own);
        let [usual, odd] = sessions(&database, platform);
        let mut columns = analyzed(&database, platform);
        for column in &mut columns {
            // Whatever the catalog says.
            column.nullable = false;
        }
        let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
        let everything = KeyRange::Everything;
        for form in dialect(platform).checksum_aggregates(&columns) {
            let sql = dialect(platform)
                .aggregate(&scope(&table, &[], &everything, &modifiers), &form)
                .sql;
            let rows = usual.rows(&sql);
            assert_eq!(rows, odd.rows(&sql), "{platform}: {form}");
            for session in [&usual, &odd] {
                for column in &own {
                    for change in [
                        format!(
                            "UPDATE t SET {} = {} WHERE id = 0",
                            column.name, column.other
                        ),
                        format!("UPDATE t SET {} = NULL WHERE id = 0", column.name),
                        format!(
                            "UPDATE t SET {} = {} WHERE id = 6",
                            column.name, column.other
                        ),
                    ] {
                        session.run("BEGIN");
                        assert_eq!(session.run(&change).count, 1, "{change}");
                        assert_ne!(session.rows(&sql), rows, "{platform}: {change}: {form}");
                        session.run("ROLLBACK");
                    }
                }
                // A row with NULL in it is as much a row as another.
                session.run("BEGIN");
                session.run("UPDATE t SET c_text = 'else' WHERE id = 6");
                assert_ne!(
                    session.rows(&sql),
                    rows,
                    "{platform}: a row of NULL: {form}"
                );
                session.run("ROLLBACK");
            }
        }
    }
}
