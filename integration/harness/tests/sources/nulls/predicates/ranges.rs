//! Each row is in one range and in its bucket.

use super::kinds::{KINDS, Kind};
use super::{Case, PLATFORMS, condition, cut, seeds, table, true_of};
use rand::SeedableRng;
use rand::rngs::StdRng;
use snowhaul::domain::table::{KeyRange, QueryModifiers};
use snowhaul::platform::{self, Scope};
use snowhaul_integration::LocalRedshift;

#[test]
fn every_row_satisfies_the_predicate_of_exactly_one_range_and_is_in_its_bucket() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let kinds: Vec<&Kind> = KINDS.iter().collect();
    for seed in seeds() {
        let case = Case::new(seed, &kinds, true);
        case.fill(&sql);
        let key = case.key();
        for platform in PLATFORMS {
            let dialect = platform::source(platform).unwrap();
            let mut random = StdRng::seed_from_u64(seed);
            let ranges = cut(dialect, &sql, &key, &mut random);
            let conditions: Vec<String> = ranges
                .iter()
                .map(|range| condition(dialect, &key, range, None))
                .collect();
            let (table, modifiers) = (table(), QueryModifiers::default());
            let summary = dialect
                .partition_summary(
                    &Scope {
                        table: &table,
                        key: &key,
                        range: &KeyRange::Everything,
                        window: None,
                        where_clause: None,
                        modifiers: &modifiers,
                    },
                    &ranges,
                    &[],
                )
                .query
                .sql;
            let bucket = summary
                .split_once(", CAST(count(*) AS varchar)")
                .and_then(|(bucket, _)| bucket.strip_prefix("SELECT "))
                .unwrap();
            let found = true_of(&sql, &conditions, bucket);
            assert_eq!(found.len(), case.rows.len());
            for (row, (of, bucket, query)) in case.rows.iter().zip(found) {
                let bucket: Option<usize> = bucket.and_then(|text| text.parse().ok());
                assert!(
                    of.len() == 1 && bucket == Some(of[0]),
                    "seed {} on {platform}: the row {row:?} is in the ranges {of:?} and in bucket {bucket:?} of {ranges:?}\n{query}",
                    case.seed
                );
                let has_null = row.iter().any(Option::is_none);
                assert_eq!(ranges[of[0]] == KeyRange::NullKey, has_null, "{row:?}");
            }
        }
    }
}
