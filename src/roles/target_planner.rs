//! Plans a table's target: looks it up, or creates it, and matches its columns with the source's.

use crate::actors::ports::TargetPlanner;
use crate::checkpoint::{OwnedWorkflow, TablePlan};
use crate::dialect;
use crate::domain::table::TableRef;
use crate::domain::task::{
    ExtractionSpec, LoadMode, Synchronization, TableAnalysis, TableSpec, TaskFailure,
};
use crate::plan::synchronization::{load_mode, partitions, sync_key, sync_plan};
use crate::plan::target::{
    TargetColumn, column_warnings, match_columns, new_columns, wanted_columns,
};
use crate::snowflake::error::Kind;
use crate::snowflake::replace::target_key;
use crate::snowflake::{SnowflakeClient, SnowflakeError};
use crate::types::load::create_table_ddl;
use crate::types::snowflake_name::{exact_name, quote, quote_table};
use async_trait::async_trait;

/// The orchestrator's [`TargetPlanner`].
pub struct SnowflakeTargetPlanner {
    /// The account.
    pub client: SnowflakeClient,
}

#[async_trait]
impl TargetPlanner for SnowflakeTargetPlanner {
    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<TablePlan, TaskFailure> {
        let refused = |problems: Vec<String>| {
            TaskFailure::last(format!(
                "source {}, target {}: {}",
                spec.source,
                spec.target,
                problems.join("; ")
            ))
        };
        let failed = |error: SnowflakeError| {
            let message = format!("target {}: {}", spec.target, error.message);
            if error.is_retryable() {
                TaskFailure::passing(message)
            } else {
                TaskFailure::last(message)
            }
        };
        let dialect = dialect::for_platform(owned.platform)
            .ok_or_else(|| refused(vec![format!("{} is not supported yet", owned.platform)]))?;
        let wanted = wanted_columns(dialect, spec, analysis).map_err(refused)?;
        let existing = match self.describe(&spec.target).await.map_err(failed)? {
            Some(existing) => existing,
            None => {
                let ddl = create_table_ddl(
                    &spec.target,
                    &new_columns(&wanted),
                    analysis.comment.as_deref(),
                );
                self.create(&spec.target, &ddl).await.map_err(failed)?;
                // Read back: another process may have created it first, in another form.
                self.describe(&spec.target)
                    .await
                    .map_err(failed)?
                    .unwrap_or_default()
            }
        };
        let (columns, found) = match_columns(dialect, &wanted, &existing).map_err(refused)?;
        let mut warnings = analysis.warnings.clone();
        warnings.extend(column_warnings(dialect, spec, analysis));
        warnings.extend(found);
        let is_empty = match spec.synchronization {
            Synchronization::Watermark { .. } => {
                self.is_empty(&spec.target).await.map_err(failed)?
            }
            _ => false,
        };
        let sync_key = sync_key(owned.platform, dialect, spec);
        let extraction = ExtractionSpec {
            platform: owned.platform,
            source: spec.source.clone(),
            target: spec.target.clone(),
            key: analysis.key.clone(),
            columns,
            where_clause: spec.where_clause.clone(),
            query_modifiers: spec.query_modifiers.clone(),
            checksum: analysis.checksum.clone(),
            watermark: analysis.watermark.clone(),
            load: load_mode(spec, is_empty),
            primary_key: analysis.primary_key.clone(),
            sync_key: sync_key.clone(),
            load_segment_mb: spec.load_segment_mb,
        };
        if extraction.load == LoadMode::ReplaceRange {
            target_key(&extraction).map_err(refused)?;
        }
        Ok(TablePlan {
            extraction,
            partitions: partitions(spec, analysis),
            synchronization: sync_plan(sync_key, spec, analysis),
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            warnings,
        })
    }
}

impl SnowflakeTargetPlanner {
    async fn is_empty(&self, target: &TableRef) -> Result<bool, SnowflakeError> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quote_table(target));
        Ok(self.client.query(&sql).await?.is_empty())
    }

    /// The target's columns; `None`: there is no such table.
    async fn describe(
        &self,
        target: &TableRef,
    ) -> Result<Option<Vec<TargetColumn>>, SnowflakeError> {
        let sql = format!("DESCRIBE TABLE {}", quote_table(target));
        let rows = match self.client.query(&sql).await {
            Ok(rows) => rows,
            Err(error) if error.kind == Kind::NoSuchObject => return Ok(None),
            Err(error) => return Err(error),
        };
        // name, type, kind, null?, default, …
        let cell = |row: &crate::snowflake::Row, index: usize| {
            row.get(index).cloned().flatten().unwrap_or_default()
        };
        Ok(Some(
            rows.iter()
                .map(|row| TargetColumn {
                    name: cell(row, 0),
                    target_type: cell(row, 1),
                    nullable: cell(row, 3) == "Y",
                    has_default: !cell(row, 4).is_empty(),
                })
                .collect(),
        ))
    }

    /// Creates the table, and, where they are missing, its schema and its database.
    async fn create(&self, target: &TableRef, ddl: &str) -> Result<(), SnowflakeError> {
        let missing = |error: &SnowflakeError| error.kind == Kind::NoSuchObject;
        match self.client.query(ddl).await {
            Err(error) if missing(&error) => {}
            result => return result.map(|_| ()),
        }
        let database = quote(&exact_name(&target.database));
        let schema = format!(
            "CREATE SCHEMA IF NOT EXISTS {database}.{}",
            quote(&exact_name(&target.schema))
        );
        if let Err(error) = self.client.query(&schema).await {
            if !missing(&error) {
                return Err(error);
            }
            self.client
                .query(&format!("CREATE DATABASE IF NOT EXISTS {database}"))
                .await?;
            self.client.query(&schema).await?;
        }
        self.client.query(ddl).await.map(|_| ())
    }
}
