//! What a misspelt word was meant to be.

/// How alike two words must be (Jaro-Winkler) for one to be offered in the other's place.
const ALIKE: f64 = 0.8;

/// The known word that `word` was probably meant to be.
pub fn closest_match<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (likeness, candidate) = by_likeness(word, known).into_iter().next()?;
    (likeness >= ALIKE).then_some(candidate)
}

/// So many of the known words at most: those that are most like `word`, the first most.
pub fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<&'a str> {
    let nearest = by_likeness(word, known).into_iter().take(count);
    nearest.map(|(_, candidate)| candidate).collect()
}

/// The known words, each with its likeness to `word`, the most alike first.
fn by_likeness<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<(f64, &'a str)> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(word);
    let mut known: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&plain(candidate), &wanted), candidate))
        .collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_word_is_offered_whatever_its_style() {
        let known = ["tables", "tableName", "targetSizeMb"];
        assert_eq!(closest_match("tabels", known), Some("tables"));
        assert_eq!(closest_match("target-size-mb", known), Some("targetSizeMb"));
        assert_eq!(closest_match("zzz", known), None);
        assert_eq!(nearest("tabels", known, 2), ["tables", "tableName"]);
        assert_eq!(nearest("tabels", known, 9).len(), 3);
    }
}
