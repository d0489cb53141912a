//! Keys of every kind: the rows of a bucket are those of its range.

use crate::analysis::{PLATFORMS, aggregate, analyze, dialect, spec};
use crate::partitions::{ROWS, fill, prepare, tables};
use snowhaul::domain::analysis::TableAnalysis;
use snowhaul::domain::spec::{Synchronization, TableSpec};
use snowhaul::domain::table::{KeyRange, Platform, QueryModifiers};
use snowhaul::platform::Scope;
use snowhaul_integration::{LocalRedshift, Sql};

const ROWS_OF_A_RANGE: &str =
    "count(*) || ' ' || COALESCE(sum(id), 0) || ' ' || COALESCE(sum(id::bigint * id), 0)";

/// Each range has the rows of its bucket, and together all.
fn buckets_are_ranges(
    sql: &Sql,
    platform: Platform,
    spec: &TableSpec,
    analysis: &TableAnalysis,
    what: &str,
) {
    let ranges: Vec<KeyRange> = analysis
        .partitions
        .iter()
        .map(|p| p.range.clone())
        .collect();
    let scope = Scope {
        table: &spec.source,
        key: &analysis.key,
        range: &KeyRange::Everything,
        window: None,
        where_clause: None,
        modifiers: &QueryModifiers::default(),
    };
    let summary = dialect(platform)
        .partition_summary(&scope, &ranges, &[ROWS_OF_A_RANGE])
        .query
        .sql;
    let mut buckets = vec!["0 0 0".to_owned(); ranges.len()];
    let mut all = 0;
    for row in sql.rows(&summary) {
        let [Some(index), Some(rows), Some(aggregate)] = row.as_slice() else {
            panic!("{what}: {row:?}");
        };
        all += rows.parse::<i64>().unwrap();
        buckets[index.parse::<usize>().unwrap()].clone_from(aggregate);
    }
    assert_eq!(all, ROWS, "{what}");
    for (range, bucket) in ranges.iter().zip(&buckets) {
        let rows = aggregate(sql, platform, spec, &analysis.key, range, ROWS_OF_A_RANGE);
        assert_eq!(rows, *bucket, "{what}: {range:?}");
    }
}

#[test]
fn every_row_is_in_the_bucket_of_the_range_that_it_satisfies() {
    let database = LocalRedshift::shared().database();
    let sql = prepare(&database);
    for table in tables() {
        fill(&sql, &table);
        let names: Vec<&str> = table.key.iter().map(|(name, _)| *name).collect();
        for platform in PLATFORMS {
            // As the source orders text; in the order of its bytes.
            for synchronization in [Synchronization::None, Synchronization::FullReplace] {
                let bytewise = synchronization == Synchronization::FullReplace;
                let what = format!("{} on {platform}, by bytes: {bytewise}", table.name);
                if bytewise && platform == Platform::Redshift && sql.value(&format!("SELECT string_agg(collation_name, '') FROM information_schema.columns WHERE table_name = '{}'", table.name)).is_some_and(|name| name != "C") {
                    // Redshift has no such collation.
                    continue;
                }
                let spec = TableSpec {
                    synchronization,
                    ..spec(table.name, Some(&names), 100)
                };
                let analysis = analyze(&database, platform, &spec, None);
                assert!(
                    analysis.partitions.len() as i64 >= table.partitions,
                    "{what}: {}",
                    analysis.partitions.len()
                );
                let is_bytewise = analysis.key.iter().any(|column| column.bytewise);
                let is_text = analysis.key.iter().any(|column| column.kind.is_text());
                assert_eq!(is_bytewise, bytewise && is_text, "{what}");
                buckets_are_ranges(&sql, platform, &spec, &analysis, &what);
            }
        }
    }
}

#[test]
fn kinds_of_postgresql_alone_are_keys_too() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(&format!("CREATE TABLE t AS SELECT n AS id, md5(n::text)::uuid AS u, (3000000000 + n)::oid AS o FROM generate_series(1, {ROWS}) n"));
    for key in ["u", "o"] {
        let spec = spec("t", Some(&[key]), 100);
        let analysis = analyze(&database, Platform::Postgresql, &spec, None);
        // One for NULL.
        assert_eq!(analysis.partitions.len(), 13, "{key}");
        buckets_are_ranges(&sql, Platform::Postgresql, &spec, &analysis, key);
    }
}
