//! What the configuration says of a platform: its keys, its port, its names.

use super::lexicon::Lexicon;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// A key of a source's section in the worker's configuration that belongs to one platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// The key.
    pub name: &'static str,
    /// What it does.
    pub use_of: UseOfKey,
}

/// What a key of a platform's own does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseOfKey {
    /// It belongs to logins by temporary credentials.
    Iam,
    /// It belongs to the extraction strategy `unload`.
    Unload,
    /// It becomes this keyword of the connection string: one of the words, or a switch where they say so.
    Keyword {
        /// The keyword.
        keyword: &'static str,
        /// What users write, and what the driver takes for it; empty: only true and false.
        words: &'static [(&'static str, &'static str)],
    },
}

/// What a login tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password.
    UserAndPassword,
    /// A user at most: something else on the machine proves who logs in.
    UserAtMost,
}

/// What the configuration has to know of a platform. It is known of platforms that are not supported yet too, so that
/// a file that serves others as well can be read.
pub trait Settings: Send + Sync {
    /// The TCP port when the file names none.
    fn default_port(&self) -> u16;

    /// The keys that its section has beyond those of every platform.
    fn own_keys(&self) -> &'static [OwnKey] {
        &[]
    }

    /// Whether a login may use temporary credentials of AWS.
    fn has_iam(&self) -> bool {
        false
    }

    /// What a login needs to tell of itself, with these keywords of the connection string.
    fn credentials(&self, _options: &BTreeMap<String, SecretString>) -> Credentials {
        Credentials::UserAndPassword
    }

    /// Whether the source can write files into the user's bucket by itself.
    fn has_unload(&self) -> bool {
        false
    }

    /// Whether tables can have child tables, whose rows are read with theirs.
    fn has_child_tables(&self) -> bool {
        false
    }

    /// Whether the sizes that its catalog tells are those of compressed columns.
    fn is_compressed(&self) -> bool {
        false
    }

    /// Whether two names of a database mean the same one: the one of the configuration, and an exact one of a workflow.
    fn is_same_database(&self, configured: &str, exact: &str) -> bool {
        configured.eq_ignore_ascii_case(exact)
    }

    /// Checks a keyword that the user adds to the connection string, and answers its value in the form that drivers take.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    fn extra_option(&self, keyword: &str, value: String) -> Result<String, String>;

    /// Where quotes and comments end in its SQL.
    fn lexicon(&self) -> &'static Lexicon;
}
