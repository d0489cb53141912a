//! Cuts a table into disjoint ranges of its key, and memory into batches: pure.

pub mod dates;
pub mod earlier;
pub mod key;
pub mod names;
pub mod relations;
pub mod size;
pub mod synchronization;

use crate::domain::table::{KeyColumn, KeyKind, KeyRange, KeyTuple};
use std::cmp::Ordering;

/// Boundaries as they are used, and the values that fill more than one tile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundaries {
    /// The first keys of the second, third, … partition: ascending, each once.
    pub firsts: Vec<KeyTuple>,
    /// Keys that tiles next to each other begin with, and how many of them: no range can divide their rows.
    pub repeated: Vec<(KeyTuple, u64)>,
}

/// From the first key of each tile but the first, as the source answered them. A boundary with a NaN of binary floating
/// point is left out: not every source compares it as it orders it, and what is not below any boundary is in the last
/// range anyway.
pub fn boundaries(key: &[KeyColumn], tiles: Vec<KeyTuple>) -> Boundaries {
    let is_nan = |tuple: &KeyTuple| {
        key.iter().zip(tuple).any(|(column, value)| {
            column.kind == KeyKind::Float && value.parse::<f64>().is_ok_and(f64::is_nan)
        })
    };
    let mut found = Boundaries::default();
    let mut times = 1;
    for tuple in tiles.into_iter().filter(|tuple| !is_nan(tuple)) {
        match found.firsts.last() {
            Some(last) if *last == tuple || compare(key, last, &tuple) == Some(Ordering::Equal) => {
                times += 1;
            }
            last => {
                if let Some(last) = last.filter(|_| times > 1) {
                    found.repeated.push((last.clone(), times));
                }
                times = 1;
                found.firsts.push(tuple);
            }
        }
    }
    if let Some(last) = found.firsts.last().filter(|_| times > 1) {
        found.repeated.push((last.clone(), times));
    }
    found
}

/// The ranges between `boundaries` (the first keys of the second, third, … partition, ascending): below the first,
/// between them, from the last on; and the rows with a NULL in the key, in one range of their own, whether or not the
/// catalog calls the columns NOT NULL.
pub fn ranges(key: &[KeyColumn], boundaries: &[KeyTuple]) -> Vec<KeyRange> {
    if key.is_empty() {
        return vec![KeyRange::Everything];
    }
    let mut bounds: Vec<KeyTuple> = boundaries.to_vec();
    // Equal ones stand together: a value that fills more than one tile is one partition.
    bounds.dedup();
    let lowers = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let uppers = bounds
        .iter()
        .cloned()
        .map(Some)
        .chain(std::iter::once(None));
    let mut ranges: Vec<KeyRange> = lowers
        .zip(uppers)
        .map(|(lower, upper)| KeyRange::Between { lower, upper })
        .collect();
    ranges.push(KeyRange::NullKey);
    ranges
}

/// The first boundary that is not above the one before it, where the order can be known without the source: an
/// order that is wrong would make ranges overlap. Text that is not bytewise is ordered by the source's collation alone.
pub fn misplaced_boundary<'a>(
    key: &[KeyColumn],
    boundaries: &'a [KeyTuple],
) -> Option<&'a KeyTuple> {
    boundaries
        .windows(2)
        .find(|pair| {
            // What cannot be compared is left to the source.
            matches!(
                compare(key, &pair[0], &pair[1]),
                Some(Ordering::Equal | Ordering::Greater)
            )
        })
        .map(|pair| &pair[1])
}

/// The order of two keys, lexicographic; `None`: only the source knows.
pub fn compare(key: &[KeyColumn], a: &[String], b: &[String]) -> Option<Ordering> {
    key.iter()
        .zip(a.iter().zip(b))
        .map(|(column, (a, b))| compare_values(column, a, b))
        .find(|order| *order != Some(Ordering::Equal))
        // The first values of a key stand below all keys that begin with them.
        .unwrap_or_else(|| Some(a.len().cmp(&b.len())))
}

/// The order of two values of a column, in the text form of its kind; `None`: only the source knows.
pub fn compare_values(column: &KeyColumn, a: &str, b: &str) -> Option<Ordering> {
    match column.kind {
        KeyKind::Integer => Some(a.parse::<i128>().ok()?.cmp(&b.parse::<i128>().ok()?)),
        KeyKind::Decimal => compare_decimals(a, b),
        KeyKind::Date | KeyKind::Timestamp | KeyKind::DateTime | KeyKind::TimestampTz => {
            Some(instant(a)?.cmp(&instant(b)?))
        }
        KeyKind::Boolean | KeyKind::Time | KeyKind::Uuid | KeyKind::Binary => Some(a.cmp(b)),
        KeyKind::Float => {
            let (a, b) = (a.parse::<f64>().ok()?, b.parse::<f64>().ok()?);
            // NaN above everything, and equal to itself.
            Some(
                a.partial_cmp(&b)
                    .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
            )
        }
        _ if column.bytewise || a == b => Some(a.cmp(b)),
        KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText | KeyKind::Guid => None,
    }
}

/// Something in the order of dates and times, from their text: a year with its sign, and what follows, of which the
/// text's order is the time's. Whether a fraction ends in zeros does not matter.
fn instant(text: &str) -> Option<(i64, String)> {
    let text = text.trim_end_matches("+00");
    match text {
        "infinity" => return Some((i64::MAX, String::new())),
        "-infinity" => return Some((i64::MIN, String::new())),
        _ => {}
    }
    let (text, is_before_christ) = match text.strip_suffix(" BC") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (year, rest) = text.split_once('-')?;
    let year: u32 = year.parse().ok()?;
    let rest = match rest.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{fraction}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        None => rest.to_owned(),
    };
    let year = i64::from(year);
    // As PostgreSQL writes them, and nothing else: the order of other texts is not known.
    let is_plain = rest
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"-: .".contains(&byte));
    (is_plain && rest.as_bytes().get(2) == Some(&b'-'))
        .then_some((if is_before_christ { -year } else { year }, rest))
}

fn compare_decimals(a: &str, b: &str) -> Option<Ordering> {
    let split = |text: &str| -> Option<(bool, String, String)> {
        let negative = text.starts_with('-');
        let digits = text.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        (!whole.is_empty() && plain(whole) && plain(fraction)).then(|| {
            (
                negative,
                whole.trim_start_matches('0').to_owned(),
                fraction.trim_end_matches('0').to_owned(),
            )
        })
    };
    let ((a_negative, a_whole, a_fraction), (b_negative, b_whole, b_fraction)) =
        (split(a)?, split(b)?);
    let magnitude =
        (a_whole.len(), &a_whole, &a_fraction).cmp(&(b_whole.len(), &b_whole, &b_fraction));
    Some(match (a_negative, b_negative) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Key = Vec<Option<i64>>;

    /// What the ranges mean, apart from any SQL.
    fn holds(range: &KeyRange, key: &Key) -> bool {
        let parse = |tuple: &KeyTuple| {
            tuple
                .iter()
                .map(|v| v.parse::<i64>().expect("number"))
                .collect::<Vec<_>>()
        };
        match range {
            KeyRange::Everything => true,
            KeyRange::NullKey => key.iter().any(Option::is_none),
            KeyRange::Between { lower, upper } => {
                match key.iter().copied().collect::<Option<Vec<i64>>>() {
                    None => false,
                    Some(key) => {
                        lower.as_ref().is_none_or(|l| key >= parse(l))
                            && upper.as_ref().is_none_or(|u| key < parse(u))
                    }
                }
            }
        }
    }

    fn key(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: "k".into(),
            kind,
            nullable: true,
            bytewise: false,
        }
    }

    fn tuples(values: &[&str]) -> Vec<KeyTuple> {
        values
            .iter()
            .map(|value| vec![(*value).to_owned()])
            .collect()
    }

    #[test]
    fn boundaries_in_the_order_of_their_text_are_found_out() {
        let misplaced = |kind, values: &[&str]| {
            misplaced_boundary(&[key(kind)], &tuples(values)).map(|tuple| tuple[0].clone())
        };
        assert_eq!(
            misplaced(KeyKind::Integer, &["10", "9"]).as_deref(),
            Some("9")
        );
        assert_eq!(
            misplaced(KeyKind::Integer, &["9", "9"]).as_deref(),
            Some("9")
        );
        assert_eq!(misplaced(KeyKind::Integer, &["-10", "9", "10"]), None);
        assert_eq!(
            misplaced(KeyKind::Decimal, &["-0.50", "0.5", "9.99", "10"]),
            None
        );
        assert_eq!(
            misplaced(KeyKind::Decimal, &["10", "9.99"]).as_deref(),
            Some("9.99")
        );
        assert_eq!(
            misplaced(KeyKind::Date, &["2020-01-01", "2019-12-31"]).as_deref(),
            Some("2019-12-31")
        );
        assert_eq!(
            misplaced(
                KeyKind::Timestamp,
                &["2020-01-01 00:00:00", "2020-01-01 00:00:00.5"]
            ),
            None
        );
        assert_eq!(misplaced(KeyKind::Text, &["b", "A"]), None);
        assert_eq!(
            misplaced(KeyKind::Float, &["-Infinity", "-1e300", "1.5e-10", "2"]),
            None
        );
        assert_eq!(
            misplaced(KeyKind::Float, &["2", "1e1", "9.5"]).as_deref(),
            Some("9.5")
        );
        let bytewise = KeyColumn {
            bytewise: true,
            ..key(KeyKind::Text)
        };
        assert!(misplaced_boundary(&[bytewise], &tuples(&["b", "A"])).is_some());
    }

    #[test]
    fn times_are_compared_in_any_year_and_whatever_zeros_their_fractions_end_in() {
        let order = |a: &str, b: &str| compare_values(&key(KeyKind::TimestampTz), a, b);
        for pair in [
            "-infinity",
            "0045-12-31 00:00:00 BC+00",
            "0044-03-15 00:00:00 BC+00",
            "0044-03-15 00:00:00.5 BC+00",
            "0001-01-01 00:00:00+00",
            "2024-01-01 00:00:00+00",
            "2024-01-01 00:00:00.05+00",
            "2024-01-01 00:00:00.5+00",
            "9999-12-31 23:59:59.999999+00",
            "10000-01-01 00:00:00+00",
            "infinity+00",
        ]
        .windows(2)
        {
            assert_eq!(order(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
            assert_eq!(order(pair[1], pair[0]), Some(Ordering::Greater), "{pair:?}");
        }
        for (a, b) in [
            ("2024-01-01 00:00:00.500000", "2024-01-01 00:00:00.5"),
            ("2024-01-01 00:00:00.000000", "2024-01-01 00:00:00"),
            ("2024-01-01 00:00:10", "2024-01-01 00:00:10"),
        ] {
            assert_eq!(order(a, b), Some(Ordering::Equal), "{a} {b}");
        }
        assert_eq!(order("01/02/2024", "2024-01-01"), None);
        assert_eq!(order("2024-Jan-01", "2024-01-01"), None);
    }

    #[test]
    fn rows_with_null_have_a_range_whatever_the_catalog_says() {
        let key = [KeyColumn {
            nullable: false,
            ..key(KeyKind::Integer)
        }];
        assert_eq!(
            ranges(&key, &tuples(&["5"])).last(),
            Some(&KeyRange::NullKey)
        );
        assert_eq!(ranges(&[], &[]), [KeyRange::Everything]);
    }

    #[test]
    fn a_value_that_fills_tiles_is_one_boundary_and_is_named() {
        let found = |kind, values: &[&str]| {
            let found = boundaries(&[key(kind)], tuples(values));
            let firsts: Vec<String> = found.firsts.into_iter().flatten().collect();
            let repeated: Vec<(String, u64)> = found
                .repeated
                .into_iter()
                .map(|(mut tuple, times)| (tuple.remove(0), times))
                .collect();
            (firsts.join(" "), repeated)
        };
        let repeated = |value: &str, times| vec![(value.to_owned(), times)];
        assert_eq!(
            found(KeyKind::Integer, &["1", "5", "5", "5", "9"]),
            ("1 5 9".into(), repeated("5", 3))
        );
        assert_eq!(
            found(KeyKind::Integer, &["5", "5"]),
            ("5".into(), repeated("5", 2))
        );
        assert_eq!(
            found(KeyKind::Decimal, &["1.0", "1.00", "2"]),
            ("1.0 2".into(), repeated("1.0", 2))
        );
        assert_eq!(
            found(KeyKind::Float, &["-0", "0", "NaN", "NaN"]),
            ("-0".into(), repeated("-0", 2))
        );
        assert_eq!(found(KeyKind::Text, &["a", "A"]), ("a A".into(), vec![]));
    }

    proptest! {
        #[test]
        fn decimals_compare_as_numbers(a in -100_000i64..100_000, b in -100_000i64..100_000) {
            let text = |n: i64| {
                let digits = format!("{:03}", n.unsigned_abs());
                let (whole, fraction) = digits.split_at(digits.len() - 2);
                format!("{}{whole}.{fraction}", if n < 0 { "-" } else { "" })
            };
            prop_assert_eq!(compare_decimals(&text(a), &text(b)), Some(a.cmp(&b)));
        }

        #[test]
        fn every_key_falls_into_exactly_one_range(
            mut boundaries in prop::collection::vec(prop::collection::vec(-20i64..20, 2), 0..12),
            keys in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, -25i64..25), 2), 1..60),
        ) {
            boundaries.sort();
            let boundaries: Vec<KeyTuple> = boundaries.iter().map(|t| t.iter().map(i64::to_string).collect()).collect();
            let column = |name: &str| KeyColumn { name: name.into(), kind: KeyKind::Integer, nullable: true, bytewise: false };
            let ranges = ranges(&[column("a"), column("b")], &boundaries);
            for key in keys {
                prop_assert_eq!(ranges.iter().filter(|range| holds(range, &key)).count(), 1, "{:?} in {:?}", key, ranges);
            }
        }
    }
}
