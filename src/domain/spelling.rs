//! What a misspelt word was meant to be.

/// How alike two words must be (Jaro-Winkler) for one to be offered in the other's place.
const ALIKE: f64 = 0.8;

/// The known word that `word` was probably meant to be.
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&plain(candidate), &wanted), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_word_is_offered_whatever_its_style() {
        let known = ["tables", "tableName", "targetSizeMb"];
        assert_eq!(meant("tabels", known), Some("tables"));
        assert_eq!(meant("target-size-mb", known), Some("targetSizeMb"));
        assert_eq!(meant("zzz", known), None);
    }
}
