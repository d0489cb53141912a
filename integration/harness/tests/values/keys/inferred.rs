//! Keys that nobody names.

use crate::analysis::{PLATFORMS, analyze, dialect, settings, spec, table_ref};
use snowhaul::source::infer_keys;
use snowhaul_integration::LocalRedshift;

#[test]
fn the_key_is_inferred_from_what_the_catalog_calls_unique() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for (statement, on_redshift, on_postgresql) in [
        (
            "t1 (a int, b int, c text, PRIMARY KEY (c, a), UNIQUE (b))",
            "c,a",
            "c,a",
        ),
        (
            "t2 (x int, a int NOT NULL, b int NOT NULL UNIQUE, UNIQUE (a, x))",
            "b",
            "b",
        ),
        (
            "t3 (a json, b int UNIQUE, c int NOT NULL, d int NOT NULL, UNIQUE (d, c))",
            "d,c",
            "d,c",
        ),
        ("t4 (a int, b int NOT NULL)", "", "b"),
        ("t5 (a bytea PRIMARY KEY, b int)", "", ""),
        ("t6 (a int, b int)", "", ""),
        ("t8 (a int, b bigserial)", "b", "b"),
        (
            "\"t ; \"\"7\"\"\" (\"a,b\" int, \"x \"\"\" date, PRIMARY KEY (\"x \"\"\", \"a,b\"))",
            "x \",a,b",
            "x \",a,b",
        ),
    ] {
        sql.run(&format!("CREATE TABLE {statement}"));
        let name = statement.split(" (").next().unwrap();
        if name == "t3" {
            // The numbers of columns have gaps.
            sql.run("ALTER TABLE t3 DROP COLUMN a");
        } else if name == "t4" {
            sql.run("CREATE UNIQUE INDEX i1 ON t4 (b) INCLUDE (a)");
        } else if name == "t6" {
            sql.run("CREATE UNIQUE INDEX i2 ON t6 (a) WHERE b > 1");
            sql.run("CREATE UNIQUE INDEX i3 ON t6 ((a + 1))");
            sql.run("CREATE INDEX i4 ON t6 (b)");
        }
        for (platform, expected) in PLATFORMS.into_iter().zip([on_redshift, on_postgresql]) {
            let analysis = analyze(&database, platform, &spec(name, None, 10), None);
            let names: Vec<&str> = analysis.key.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names.join(","), expected, "{statement} on {platform}");
            let told = if expected.is_empty() {
                analysis
                    .warnings
                    .iter()
                    .any(|w| w.contains("columnNamesToPartitionBy"))
            } else {
                analysis.notes.iter().any(|note| note.contains("inferred"))
            };
            assert!(told, "{:?} {:?}", analysis.warnings, analysis.notes);
            let inferred = infer_keys(
                &settings(&database, platform),
                dialect(platform),
                &[table_ref("none"), table_ref(name)],
            )
            .unwrap();
            let names = inferred[1]
                .as_ref()
                .map(|key| key.columns.join(","))
                .unwrap_or_default();
            assert!(inferred[0].is_none() && names == expected, "{inferred:?}");
        }
    }
}
