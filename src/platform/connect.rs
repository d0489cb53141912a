//! How a login to a platform is written down, and what its failures mean. Nothing here connects.

use crate::domain::source_failure::SourceErrorKind;
use crate::domain::source_settings::SourceSettings;

/// How a connection to a source is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted, and the server has proved who it is.
    Verified,
    /// Encrypted; whoever stands between could play the server.
    Encrypted,
    /// In the clear.
    Clear,
}

/// The connection string of a platform through its ODBC drivers.
pub trait Connect: Send + Sync {
    /// The names under which the platform's drivers are usually installed, best first.
    fn usual_drivers(&self) -> &'static [&'static str];

    /// How to install the first driver that can be had everywhere.
    fn driver_remedy(&self) -> &'static str;

    /// The keywords of a connection string beside the driver's name: key and value, the values as they are meant.
    /// `certificates`: the file of the certificates that the system trusts.
    fn keywords(
        &self,
        settings: &SourceSettings,
        driver: &str,
        certificates: Option<&str>,
    ) -> Vec<Keyword>;

    /// How a connection is protected; `is_encrypted`: what the server says of it, if it can say.
    fn protection(
        &self,
        settings: &SourceSettings,
        driver: &str,
        certificates: Option<&str>,
        is_encrypted: Option<bool>,
    ) -> Protection;

    /// What the server said in a driver's diagnostic, without what the driver has put around it, and without anything
    /// that may be a secret.
    fn server_words(&self, text: &str) -> String {
        text.to_owned()
    }

    /// What to do where a policy hides rows of a table from the login.
    fn row_security_remedy(&self) -> &'static str;

    /// What verifies a server, as it is written in the source's section.
    fn verifying_option(&self) -> &'static str;

    /// The same, with what it needs.
    fn verifying_remedy(&self) -> &'static str;

    /// Why a driver cannot do what the settings ask for, and after a semicolon what to do; `None`: it can.
    fn cannot_honour(&self, _settings: &SourceSettings, _driver: &str) -> Option<String> {
        None
    }

    /// Where a TCP connection is tried before the driver connects. `None`: the driver says by itself what is wrong.
    fn address(&self, _settings: &SourceSettings) -> Option<(String, u16)> {
        None
    }

    /// Whether the drivers answer in UTF-16 what they would not answer exactly in UTF-8.
    fn answers_in_utf16(&self) -> bool {
        false
    }

    /// The most rows that a driver may be asked for in one fetch. `None`: any number.
    fn rows_per_fetch(&self, _driver: &str) -> Option<usize> {
        None
    }

    /// Whether the drivers hand over pieces of a value of a row that was fetched alone.
    fn gives_pieces(&self) -> bool {
        false
    }

    /// What a driver does worse than the best one of the platform, for users to know.
    fn driver_weakness(&self, _driver: &str) -> Option<&'static str> {
        None
    }

    /// What a failure means, from its SQL state, the server's own number for it and its own words, and what to do; `None`:
    /// nothing that the platform alone could know.
    fn refusal(
        &self,
        state: &str,
        native: i32,
        words: &str,
    ) -> Option<(SourceErrorKind, &'static str)>;
}

/// A keyword of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// The keyword.
    pub key: String,
    /// Its value, as it is meant.
    pub value: Value,
}

/// A keyword's value. Not shown: it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// In braces where ODBC's grammar asks for them.
    Escaped(String),
    /// As it is, where the driver does not take braces off.
    Plain(String),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}
