//! Which workflows an orchestrator drives, by their affinity. Pure.

use super::wildcard::Wildcards;
use std::fmt;

/// An orchestrator's affinity. Workflows without an affinity match each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AffinityFilter {
    /// Workflows with exactly this affinity, whatever characters it has.
    Exactly(String),
    /// Workflows whose affinity the pattern means: `*` stands for any characters, every other character for itself.
    Pattern(String),
}

impl AffinityFilter {
    /// The filter that a user writes: a pattern if it has a `*`.
    pub fn parse(text: &str) -> Self {
        if text.contains(Wildcards::STAR.any) {
            Self::Pattern(text.to_owned())
        } else {
            Self::Exactly(text.to_owned())
        }
    }

    /// Whether workflows of this affinity are driven.
    pub fn matches(&self, affinity: Option<&str>) -> bool {
        match (self, affinity) {
            (_, None) => true,
            (Self::Exactly(own), Some(other)) => own == other,
            (Self::Pattern(own), Some(other)) => Wildcards::STAR.matches(own, other),
        }
    }
}

impl fmt::Display for AffinityFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Exactly(text) | Self::Pattern(text)) = self;
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_does() {
        for (filter, affinity, expected) in [
            ("dev-*", "dev-1", true),
            ("dev-*", "dev-", true),
            ("dev-*", "test-dev-1", false),
            ("dev-*", "DEV-1", false),
            ("*-east", "us-east", true),
            ("*", "anything", true),
            ("d*v*1", "dev-eu-1", true),
            ("dev_1", "dev-1", false),
            ("dev%", "dev-1", false),
            ("dev?", "dev1", false),
            ("dev_*", "dev-1", false),
            ("dev_*", "dev_1", true),
        ] {
            let filter = AffinityFilter::parse(filter);
            assert_eq!(
                filter.matches(Some(affinity)),
                expected,
                "{filter} {affinity}"
            );
            assert!(filter.matches(None), "{filter}");
        }
    }

    proptest! {
        #[test]
        fn without_a_star_an_affinity_means_itself_alone(own in "[ab_%?\\\\']{0,4}", other in "[ab_%?\\\\']{0,4}") {
            let filter = AffinityFilter::parse(&own);
            prop_assert_eq!(filter.matches(Some(&other)), own == other);
            prop_assert_eq!(filter.to_string(), own);
        }

        #[test]
        fn a_pattern_means_every_text_that_its_stars_can_be_filled_to(
            pieces in prop::collection::vec("[ab_%!]{0,3}", 1..4), fills in prop::collection::vec("[ab_%*!]{0,3}", 3),
        ) {
            let pattern = pieces.join("*");
            let mut filled = String::new();
            for (place, piece) in pieces.iter().enumerate() {
                filled.push_str(piece);
                if place + 1 < pieces.len() {
                    filled.push_str(&fills[place]);
                }
            }
            prop_assert!(AffinityFilter::parse(&pattern).matches(Some(&filled)), "{} {}", pattern, filled);
            // An exact one is not widened by a star in it.
            prop_assert_eq!(AffinityFilter::Exactly(pattern.clone()).matches(Some(&filled)), pattern == filled);
        }
    }
}
