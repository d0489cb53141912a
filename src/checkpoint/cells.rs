//! Values as the hybrid tables store them.

use super::contract::CheckpointError;
use crate::domain::table::Platform;
use crate::domain::task::TaskKind;
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use crate::snowflake::Row;

/// Reads a row's cells in order.
pub(super) struct Cells<'a>(pub(super) &'a Row, pub(super) usize);

impl Cells<'_> {
    pub(super) fn text_opt(&mut self) -> Option<String> {
        self.1 += 1;
        self.0.get(self.1 - 1).cloned().flatten()
    }

    pub(super) fn text(&mut self) -> Result<String, CheckpointError> {
        let index = self.1;
        self.text_opt()
            .ok_or_else(|| corrupt(&format!("column {}", index + 1), "it is NULL"))
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Result<T, CheckpointError> {
        let index = self.1;
        let text = self.text()?;
        // An aggregate may come with an empty fraction.
        let whole = text.split('.').next().unwrap_or_default();
        whole.parse().map_err(|_| {
            corrupt(
                &format!("column {}", index + 1),
                &format!("`{text}` is not a number of its kind"),
            )
        })
    }

    pub(super) fn number_opt<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.text_opt()
            .and_then(|text| text.split('.').next().unwrap_or_default().parse().ok())
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, CheckpointError> {
        let index = self.1;
        let text = self.text()?;
        serde_json::from_str(&text)
            .map_err(|error| corrupt(&format!("column {}", index + 1), &error.to_string()))
    }

    pub(super) fn json_opt<T: serde::de::DeserializeOwned>(
        &mut self,
    ) -> Result<Option<T>, CheckpointError> {
        let index = self.1;
        self.text_opt()
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| corrupt(&format!("column {}", index + 1), &error.to_string()))
    }

    /// A timestamp, which Snowflake writes as seconds since 1970 with a fraction, in ISO 8601.
    pub(super) fn time_opt(&mut self) -> Option<String> {
        let text = self.text_opt()?;
        let seconds: f64 = text.split(' ').next().unwrap_or_default().parse().ok()?;
        #[allow(clippy::cast_possible_truncation)] // Whole seconds are what people read.
        chrono::DateTime::from_timestamp(seconds as i64, 0)
            .map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

pub(super) fn corrupt(what: &str, reason: &str) -> CheckpointError {
    CheckpointError::Corrupt {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, CheckpointError> {
    serde_json::to_string(value).map_err(|error| corrupt("a value to store", &error.to_string()))
}

/// A task's key: the same work has the same key.
pub(super) fn task_id(
    workflow: WorkflowId,
    kind: TaskKind,
    table: TableNo,
    partition: Option<PartitionNo>,
) -> String {
    match partition {
        Some(partition) => format!("{workflow}/{table}/{partition}/{}", kind_text(kind)),
        None => format!("{workflow}/{table}/{}", kind_text(kind)),
    }
}

pub(super) fn kind_text(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Analyze => "ANALYZE",
        TaskKind::Extract => "EXTRACT",
    }
}

pub(super) fn parse_kind(text: &str) -> Result<TaskKind, CheckpointError> {
    match text {
        "ANALYZE" => Ok(TaskKind::Analyze),
        "EXTRACT" => Ok(TaskKind::Extract),
        other => Err(corrupt("a task's kind", &format!("`{other}` is none"))),
    }
}

pub(super) fn parse_platform(text: &str) -> Result<Platform, CheckpointError> {
    Platform::parse(text).ok_or_else(|| corrupt("a source platform", &format!("`{text}` is none")))
}
