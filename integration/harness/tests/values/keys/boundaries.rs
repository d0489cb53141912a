//! Boundaries from a sample, of frequent values, and of what the user's SQL leaves.

use crate::analysis::{PLATFORMS, analyze, spec};
use snowhaul::domain::spec::{Sampling, TableSpec};
use snowhaul::domain::table::{Platform, QueryModifiers};
use snowhaul_integration::LocalRedshift;

#[test]
fn boundaries_of_a_large_table_come_from_a_sample_of_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE big AS SELECT n AS id, repeat('x', 200) AS b FROM generate_series(1, 20000) n");
    sql.run("CREATE VIEW seen AS SELECT * FROM big");
    sql.run("ANALYZE big");
    for platform in PLATFORMS {
        for name in ["big", "seen"] {
            let spec = TableSpec {
                sampling: Sampling {
                    threshold_rows: 1000,
                    target_rows: 8000,
                },
                ..spec(name, Some(&["id"]), 2000)
            };
            let analysis = analyze(&database, platform, &spec, None);
            let (rows, parts) = (analysis.row_estimate, analysis.partitions.len());
            assert!(
                rows == 20_000 && (5..=11).contains(&parts),
                "{platform} {name}: {rows} {parts}"
            );
            let is_sampled = analysis
                .notes
                .iter()
                .any(|note| note.contains("sample of about 8,000 rows"));
            // A view is no heap of blocks.
            let can_be = name == "big" || platform == Platform::Redshift;
            assert_eq!(
                is_sampled, can_be,
                "{platform} {name}: {:?}",
                analysis.notes
            );
        }
    }
}

#[test]
fn a_value_that_fills_partitions_is_named() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE skewed AS SELECT CASE WHEN n BETWEEN 301 AND 900 THEN 'it''s me' ELSE 'i' || n END AS a, 1 AS b FROM generate_series(1, 1200) n");
    for platform in PLATFORMS {
        let analysis = analyze(
            &database,
            platform,
            &spec("skewed", Some(&["b", "a"]), 100),
            None,
        );
        let named: Vec<&String> = analysis
            .warnings
            .iter()
            .filter(|w| w.starts_with("b = 1, a = it's me stands in about"))
            .collect();
        assert_eq!(named.len(), 1, "{:?}", analysis.warnings);
        assert!(
            named[0].contains("about 600 rows")
                || named[0].contains("about 500 rows")
                || named[0].contains("about 700 rows"),
            "{named:?}"
        );
    }
}

#[test]
fn the_users_predicate_and_pieces_of_sql_stand_in_every_query() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 1000) n");
    for platform in PLATFORMS {
        let spec = TableSpec {
            where_clause: Some("u.id > 600 -- the new ones".to_owned()),
            query_modifiers: QueryModifiers {
                object: Some(" AS u".to_owned()),
                select: Some("ALL".to_owned()),
                ..QueryModifiers::default()
            },
            ..spec("t", Some(&["id"]), 100)
        };
        let analysis = analyze(&database, platform, &spec, None);
        // One for NULL.
        assert_eq!((analysis.row_estimate, analysis.partitions.len()), (400, 5));
        assert!(
            analysis
                .notes
                .iter()
                .any(|note| note.contains("whereClauseCriteria")),
            "{:?}",
            analysis.notes
        );
    }
}
