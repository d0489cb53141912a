//! Creates the metadata objects, or upgrades them migration by migration.

use super::contract::*;
use super::hybrid::{Cells, HybridCheckpoint};
use super::schema;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::bootstrap`] says.
    pub(super) async fn create_or_upgrade(&self) -> Result<(), CheckpointError> {
        let rows = self.stored_versions().await?;
        let found: u32 = rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?;
        if found > schema::VERSION {
            return Err(CheckpointError::Schema(format!(
                "the metadata in {} has version {found}, and this snowhaul knows version {}; start a newer snowhaul",
                self.s,
                schema::VERSION
            )));
        }
        for (version, statements) in schema::migrations(&self.s)
            .into_iter()
            .filter(|(version, _)| *version > found)
        {
            tracing::info!(
                version,
                schema = self.s,
                "metadata objects are created or upgraded"
            );
            for statement in statements {
                self.create(Step::BootstrapMigrate, &statement).await?;
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
        }
        Ok(())
    }
}
