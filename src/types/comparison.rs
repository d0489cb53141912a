//! Comparisons of keys of several columns, as SQL. Pure.

/// `key >= bound` (`>` and `>=` as operators) or `key < bound` (`<` twice) in lexicographic order, of pairs of an operand
/// and its bound, in the key's order. The same text on every side that ranges are told to.
pub fn lexicographic(pairs: &[(String, String)], strict: &str, last: &str) -> String {
    let compare = |(operand, bound): &(String, String), operator: &str| {
        format!("{operand} {operator} {bound}")
    };
    let mut alternatives = Vec::with_capacity(pairs.len());
    for (depth, pair) in pairs.iter().enumerate() {
        let mut terms: Vec<String> = pairs[..depth].iter().map(|p| compare(p, "=")).collect();
        let operator = if depth + 1 == pairs.len() {
            last
        } else {
            strict
        };
        terms.push(compare(pair, operator));
        alternatives.push(terms.join(" AND "));
    }
    match pairs {
        [_] => alternatives.remove(0),
        // The leading column's own bound is implied, and lets an index on it serve, or micro-partitions be skipped.
        [first, ..] => format!(
            "({} AND ({}))",
            compare(first, &format!("{strict}=")),
            alternatives.join(" OR ")
        ),
        [] => "1 = 1".to_owned(),
    }
}
