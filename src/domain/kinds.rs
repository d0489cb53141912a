//! What comes in kinds: the routes out of a source, and the target tables. Each kind has a folder of its own, in
//! [`crate::extract`] and [`crate::target`].

use serde::{Deserialize, Serialize};

/// How rows leave the source.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Route {
    /// A worker reads them and writes Parquet files to the stage.
    #[default]
    Stream,
}

impl Route {
    /// The words of a workflow's file, each with its meaning.
    pub const WORDS: &'static [(&'static str, Self)] = &[("regular", Self::Stream)];

    /// The one of this word; the default where there is none.
    pub fn of_word(word: Option<&str>) -> Self {
        let mut known = Self::WORDS.iter();
        known
            .find(|(name, _)| Some(*name) == word)
            .map(|(_, meaning)| *meaning)
            .unwrap_or_default()
    }

    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The kind of a target table.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum TargetKind {
    /// A table in Snowflake's own format.
    #[default]
    Native,
}

impl TargetKind {
    /// The words of a workflow's file, each with its meaning.
    pub const WORDS: &'static [(&'static str, Self)] = &[("native", Self::Native)];

    /// The one of this word; the default where there is none.
    pub fn of_word(word: Option<&str>) -> Self {
        let mut known = Self::WORDS.iter();
        known
            .find(|(name, _)| Some(*name) == word)
            .map(|(_, meaning)| *meaning)
            .unwrap_or_default()
    }

    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
