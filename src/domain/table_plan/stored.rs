//! The stored form of a [`TablePlan`], and of those that older versions of the metadata have left.
//!
//! A migration may be half done when a newer snowhaul takes it over, so every form that was ever written is read. What
//! each version wrote is kept in `corpus/`; the tests read it.

use super::{
    ExtractSpec, LoadMode, LoadSpec, MatchedColumn, Route, SyncSpec, TablePlan, TargetKind,
};
use crate::domain::analysis::Watermark;
use crate::domain::spec::{ColumnTransform, RowSecurity};
use crate::domain::table::{KeyColumn, Platform, QueryModifiers, SourceColumn, TableRef};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The version of the metadata that has had this form first.
const VERSION: u64 = 4;

/// Why a stored plan cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadablePlan {
    /// A newer snowhaul has written it.
    #[error("a plan of version {0}, and this snowhaul reads versions up to {VERSION}")]
    Newer(u64),
    /// The two halves of the plan do not belong together.
    #[error("a plan that extracts {extracted} columns and loads {loaded}")]
    Uneven {
        /// Columns of the extraction.
        extracted: usize,
        /// Columns of the load.
        loaded: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Version4<E, L, S> {
    #[serde(default)]
    version: u64,
    extract: E,
    load: L,
    sync: S,
}

/// What versions 1 to 3 wrote: one object for workers and loads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version3 {
    platform: Platform,
    source: TableRef,
    target: TableRef,
    key: Vec<KeyColumn>,
    columns: Vec<Column3>,
    where_clause: Option<String>,
    #[serde(default)]
    query_modifiers: QueryModifiers,
    #[serde(default)]
    row_security: RowSecurity,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(default)]
    watermark: Option<Watermark>,
    #[serde(default)]
    load: LoadMode,
    #[serde(default)]
    primary_key: Vec<String>,
    #[serde(default)]
    sync_key: Option<String>,
    #[serde(default)]
    load_segment_mb: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Column3 {
    source: SourceColumn,
    target_name: String,
    target_type: String,
    #[serde(default)]
    transform: Option<ColumnTransform>,
}

impl From<Version3> for TablePlan {
    fn from(old: Version3) -> Self {
        let matched = old.columns.into_iter().map(|column| MatchedColumn {
            source: column.source,
            target_name: column.target_name,
            target_type: column.target_type,
            transform: column.transform,
        });
        let (extracted, loaded) = matched.map(MatchedColumn::split).unzip();
        Self {
            extract: ExtractSpec {
                platform: old.platform,
                route: Route::Stream,
                source: old.source,
                key: old.key,
                columns: extracted,
                primary_key: old.primary_key,
                where_clause: old.where_clause,
                query_modifiers: old.query_modifiers,
                row_security: old.row_security,
                checksum: old.checksum,
                watermark: old.watermark,
            },
            load: LoadSpec {
                target: old.target,
                kind: TargetKind::Native,
                columns: loaded,
                mode: old.load,
                segment_mb: old.load_segment_mb,
            },
            sync: SyncSpec {
                state_key: old.sync_key,
            },
        }
    }
}

impl Serialize for TablePlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Version4 {
            version: VERSION,
            extract: &self.extract,
            load: &self.load,
            sync: &self.sync,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TablePlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let version = value.get("version").and_then(Value::as_u64);
        if version.is_none() {
            let old: Version3 = serde_json::from_value(value).map_err(D::Error::custom)?;
            return Ok(old.into());
        }
        // Before its parts are read: they may have a form that nobody here knows.
        if let Some(newer) = version.filter(|version| *version > VERSION) {
            return Err(D::Error::custom(UnreadablePlan::Newer(newer)));
        }
        let Version4 {
            extract,
            load,
            sync,
            ..
        }: Version4<ExtractSpec, LoadSpec, SyncSpec> =
            serde_json::from_value(value).map_err(D::Error::custom)?;
        let plan = Self {
            extract,
            load,
            sync,
        };
        let (extracted, loaded) = (plan.extract.columns.len(), plan.load.columns.len());
        if extracted != loaded {
            return Err(D::Error::custom(UnreadablePlan::Uneven {
                extracted,
                loaded,
            }));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests;
