//! What the probes find, as one JSON that a user can send in.

use crate::domain::quantity;
use serde::Serialize;

/// Longer statements are cut in the report.
const MOST_TEXT: usize = 2_000;

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeStatus {
    /// It is as snowhaul relies on.
    Holds,
    /// It is not, or it could not be asked.
    Differs,
    /// Something to know; snowhaul relies on nothing of it.
    Told,
    /// The account is no Snowflake account, and what answers there only repeats what snowhaul assumes.
    NotToldHere,
    /// It was not asked: it needs a flag of its own.
    NotAsked,
}

/// One probe and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeResult {
    /// Stays the same from version to version: `P4`.
    pub id: &'static str,
    /// What is tried.
    pub title: &'static str,
    /// How it ended.
    pub status: ProbeStatus,
    /// What was found.
    pub finding: String,
    /// What it means when it differs.
    pub if_it_differs: &'static str,
    /// Everything that was sent for it, in the order of the answers.
    pub statements: Vec<Statement>,
}

/// A statement as it was sent and answered. Names of the account, its objects, the user, the role and the warehouse are
/// replaced by words in braces; rows are not kept.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Which of the probe's sessions.
    pub session: &'static str,
    /// The statement.
    pub text: String,
    /// How many rows the answer had; none where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Snowflake's code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its SQLSTATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the answer took, in milliseconds.
    pub ms: u64,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// snowhaul's version.
    pub snowhaul: &'static str,
    /// What the account says it runs.
    pub snowflake_version: String,
    /// Where it says it is.
    pub region: String,
    /// Whether it is a Snowflake account at all, as far as it says.
    pub is_snowflake: bool,
    /// Whether a signal ended it early.
    pub interrupted: bool,
    /// What could not be dropped again, as the statement that drops it; not for the report, because it has names.
    #[serde(skip)]
    pub left_behind: Option<String>,
    /// The probes, in their order.
    pub probes: Vec<ProbeResult>,
}

impl ProbeReport {
    /// Whether something is not as snowhaul relies on.
    pub fn differs(&self) -> bool {
        let differs = |probe: &ProbeResult| probe.status == ProbeStatus::Differs;
        self.left_behind.is_some() || self.probes.iter().any(differs)
    }
}

/// A statement's text for the report: not too long.
pub fn shortened(text: &str) -> String {
    quantity::shortened(text, MOST_TEXT)
}
