//! Each row is in one run of a watermark.

use super::kinds::{KINDS, Kind};
use super::{Case, PLATFORMS, condition, seeds, true_of};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snowhaul::domain::table::KeyRange;
use snowhaul::platform::{self, Window};
use snowhaul_integration::LocalRedshift;

#[test]
fn every_row_falls_into_exactly_one_run_of_a_watermark() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let kinds: Vec<&Kind> = KINDS.iter().take(6).collect();
    for seed in seeds() {
        let case = Case::new(seed, &kinds, true);
        case.fill(&sql);
        let mut random = StdRng::seed_from_u64(seed);
        let column = &case.key()[0];
        // What can be a bound, in order.
        let is_endless = |value: &str| {
            value == "NaN"
                || value
                    .trim_start_matches('-')
                    .eq_ignore_ascii_case("infinity")
        };
        let bounds: Vec<&str> = case.kinds[0]
            .values
            .iter()
            .copied()
            .filter(|value| !is_endless(value) && random.random_bool(0.5))
            .collect();
        let afters = std::iter::once(None).chain(bounds.iter().copied().map(Some));
        let uptos = bounds
            .iter()
            .copied()
            .map(Some)
            .chain(std::iter::once(None));
        let windows: Vec<(Option<&str>, Option<&str>)> = afters.zip(uptos).collect();
        for platform in PLATFORMS {
            let dialect = platform::source(platform).unwrap();
            for with_nulls in [false, true] {
                let conditions: Vec<String> = windows
                    .iter()
                    .map(|(after, upto)| {
                        let window = Window {
                            column,
                            after: *after,
                            upto: *upto,
                            with_nulls,
                        };
                        condition(dialect, &[], &KeyRange::Everything, Some(window))
                    })
                    .collect();
                for (row, (of, _, query)) in case.rows.iter().zip(true_of(&sql, &conditions, "''"))
                {
                    let is_right = match row[0] {
                        None if with_nulls => of.len() == windows.len(),
                        None => of == [0],
                        Some(_) => of.len() == 1,
                    };
                    assert!(
                        is_right,
                        "seed {} on {platform}: the row {row:?} is in the windows {of:?} of {windows:?}\n{query}",
                        case.seed
                    );
                }
            }
        }
    }
}
