//! The source's clock.

use snowhaul::domain::table::Platform;
use snowhaul::platform;
use snowhaul_integration::LocalRedshift;
use std::time::Duration;

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
