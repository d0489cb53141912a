//! What comes in kinds: the routes out of a source, and the target tables. Each kind has a folder of its own, in
//! [`crate::extract`] and [`crate::target`].

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $kind:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum $name { $($(#[$attribute])* $kind),+ }

        impl $name {
            /// The kind of this word of a workflow's file; the default where there is none.
            pub fn of_word(word: Option<&str>) -> Self {
                [$(($word, Self::$kind)),+]
                    .into_iter()
                    .find(|(known, _)| Some(*known) == word)
                    .map(|(_, kind)| kind)
                    .unwrap_or_default()
            }

            /// Whether it is the default.
            pub fn is_default(&self) -> bool {
                *self == Self::default()
            }
        }
    };
}

kinds! {
    /// How rows leave the source.
    Route {
        /// A worker reads them and writes Parquet files to the stage.
        #[default]
        Stream = "regular",
    }
}

kinds! {
    /// The kind of a target table.
    TargetKind {
        /// A table in Snowflake's own format.
        #[default]
        Native = "native",
    }
}
