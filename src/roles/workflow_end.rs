//! What is done once when all tables of a workflow have ended: nothing of it can fail the workflow, and all of it may be
//! repeated.

use super::table_loader::{TableLoader, staging_prefix};
use crate::checkpoint::{OwnedWorkflow, TableState};
use crate::domain::phase::TablePhase;
use crate::domain::task::CleanUp;
use crate::snowflake::SnowflakeError;
use crate::types::snowflake_name::{quote, text_literal};

impl TableLoader {
    /// Drops the staging tables that a crash has left, and removes the staged files if the workflow asks for it.
    pub(super) async fn finish_workflow(&self, owned: &OwnedWorkflow, tables: &[TableState]) {
        if let Err(error) = self.drop_left_staging(owned).await {
            tracing::warn!(workflow = %owned.name, %error, "staging tables could not be looked for; they can be dropped by hand");
        }
        let has_failed = tables.iter().any(|table| table.phase == TablePhase::Failed);
        let clean_up = tables.first().map(|table| table.spec.clean_up);
        let is_wanted = match clean_up.unwrap_or_default() {
            CleanUp::Never => false,
            CleanUp::OnSuccess => !has_failed,
            CleanUp::Always => true,
        };
        if is_wanted {
            let sql = format!("REMOVE {}/workflows/{}/", self.stage, owned.id);
            if let Err(error) = self.client.query(&sql).await {
                tracing::warn!(workflow = %owned.name, %error, "staged files could not be removed; they can be removed by hand");
            }
        }
    }

    async fn drop_left_staging(&self, owned: &OwnedWorkflow) -> Result<(), SnowflakeError> {
        let sql = format!(
            "SELECT TABLE_NAME FROM {}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {} AND STARTSWITH(TABLE_NAME, {})",
            quote(&self.metadata.database),
            text_literal(&self.metadata.schema),
            text_literal(&staging_prefix(owned.id))
        );
        for row in self.client.query(&sql).await? {
            if let Some(Some(name)) = row.first() {
                let name = format!("{}.{}", self.metadata.quoted(), quote(name));
                self.client
                    .query(&crate::snowflake::merge::drop_staging(&name))
                    .await?;
            }
        }
        Ok(())
    }
}
