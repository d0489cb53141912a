//! Patterns with wildcards, compared with texts character by character. Pure.

/// The characters of a pattern that stand for others.
#[derive(Clone, Copy, Debug)]
pub struct Wildcards {
    /// Stands for any characters, also for none.
    pub any: char,
    /// Stands for one character, whichever it is.
    pub one: Option<char>,
}

impl Wildcards {
    /// Of SQL's LIKE without an escape character.
    pub const LIKE: Self = Self {
        any: '%',
        one: Some('_'),
    };
    /// Of file names, as shells have them.
    pub const FILES: Self = Self {
        any: '*',
        one: Some('?'),
    };
    /// The star alone.
    pub const STAR: Self = Self {
        any: '*',
        one: None,
    };

    /// Whether `pattern` means the whole of `text`; case counts.
    pub fn matches(self, pattern: &str, text: &str) -> bool {
        let (pattern, text): (Vec<char>, Vec<char>) =
            (pattern.chars().collect(), text.chars().collect());
        let (mut p, mut t) = (0, 0);
        // Where the last wildcard for many is, and up to where it has taken the text: one that took too little takes more.
        let mut last: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(&c) if c == self.any => {
                    last = Some((p, t));
                    p += 1;
                }
                Some(&c) if Some(c) == self.one || c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((at, taken)) = last else {
                        return false;
                    };
                    last = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
            }
        }
        pattern[p..].iter().all(|rest| *rest == self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By recursion, which is slow and plainly right.
    fn slow(wildcards: Wildcards, p: &[u8], t: &[u8]) -> bool {
        match (p.first(), t.first()) {
            (None, _) => t.is_empty(),
            (Some(&c), _) if char::from(c) == wildcards.any => {
                slow(wildcards, &p[1..], t) || (!t.is_empty() && slow(wildcards, p, &t[1..]))
            }
            (Some(_), None) => false,
            (Some(a), Some(b)) => {
                (Some(char::from(*a)) == wildcards.one || a == b)
                    && slow(wildcards, &p[1..], &t[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_their_definition_says(pattern in "[ab%_*?]{0,6}", text in "[ab%_*?]{0,8}") {
            for wildcards in [Wildcards::LIKE, Wildcards::FILES, Wildcards::STAR] {
                let expected = slow(wildcards, pattern.as_bytes(), text.as_bytes());
                prop_assert_eq!(wildcards.matches(&pattern, &text), expected, "{:?}", wildcards);
            }
        }
    }
}
