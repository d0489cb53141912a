//! Creates the metadata objects, or upgrades them migration by migration.

use super::contract::*;
use super::hybrid::{Cells, HybridCheckpoint};
use super::schema;
use super::sql::text;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::bootstrap`] says.
    pub(super) async fn create_or_upgrade(&self) -> Result<(), CheckpointError> {
        let mut found = self.stored_version().await?;
        for (version, statements) in schema::migrations(&self.s) {
            if found >= version {
                continue;
            }
            self.migrate(version, &statements).await?;
            // Another orchestrator, which started at the same time, may have come further.
            found = self.stored_version().await?;
        }
        Ok(())
    }

    /// The version that the metadata have; 0 before the first.
    async fn stored_version(&self) -> Result<u32, CheckpointError> {
        let rows = self.stored_versions().await?;
        let found: u32 = rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?;
        if found > schema::VERSION {
            return Err(CheckpointError::Schema(format!(
                "the metadata in {} has version {found}, and this snowhaul knows version {}; start a newer snowhaul",
                self.s,
                schema::VERSION
            )));
        }
        Ok(found)
    }

    async fn migrate(&self, version: u32, statements: &[String]) -> Result<(), CheckpointError> {
        tracing::info!(
            version,
            schema = self.s,
            "metadata objects are created or upgraded"
        );
        if version == 3 {
            self.rename_columns().await?;
        }
        for statement in statements {
            // Who was held up since the last look must not undo what others do by now.
            if schema::is_for_its_time(statement) && self.stored_version().await? >= version {
                return Ok(());
            }
            self.create(Step::BootstrapMigrate, statement).await?;
        }
        let done = format!(
            "INSERT INTO {s}.SCHEMA_VERSION (VERSION) SELECT {version} WHERE NOT EXISTS (SELECT 1 FROM {s}.SCHEMA_VERSION WHERE VERSION = {version})",
            s = self.s
        );
        if let Err(error) = self.execute(Step::BootstrapVersion, &done).await {
            // Another orchestrator may have written the same row in this moment: then all is well.
            let rows = self
                .query(&format!(
                    "SELECT 1 FROM {}.SCHEMA_VERSION WHERE VERSION = {version}",
                    self.s
                ))
                .await?;
            if rows.is_empty() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Gives columns of older versions their new names. Where they have them, nothing that it sends can do anything.
    async fn rename_columns(&self) -> Result<(), CheckpointError> {
        for (table, column, name) in schema::RENAMED {
            if !self.has_column(table, column).await? {
                continue;
            }
            let rename = format!(
                "ALTER TABLE {}.{table} RENAME COLUMN {column} TO {name}",
                self.s
            );
            let renamed = self.create(Step::BootstrapMigrate, &rename).await;
            // Another orchestrator may have done it in this moment, or this one whose reply was lost.
            if renamed.is_err() && self.has_column(table, column).await? {
                return renamed;
            }
        }
        Ok(())
    }

    async fn has_column(&self, table: &str, column: &str) -> Result<bool, CheckpointError> {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} AND COLUMN_NAME = {}",
            crate::types::snowflake_name::quote(&self.location.database),
            text(&self.location.schema),
            text(table),
            text(column)
        );
        let rows = self.query(&sql).await?;
        let count: u64 = rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?;
        Ok(count > 0)
    }
}
