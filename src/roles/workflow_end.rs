//! What is done once when all tables of a workflow have ended: nothing of it can fail the workflow, and all of it may be
//! repeated.

use super::table_loader::{TableLoader, staging_prefix};
use super::target_planner::dry_run_table;
use crate::checkpoint::{OwnedWorkflow, TableState};
use crate::domain::phase::TablePhase;
use crate::domain::retry::RetryPolicy;
use crate::domain::spec::CleanUp;
use crate::domain::table::TableRef;
use crate::failpoint::Step;
use crate::snowflake::{SnowflakeError, identity, merge};
use crate::types::snowflake_name::{exact_name, quote, quote_table, quote_text};
use std::collections::BTreeSet;

impl TableLoader {
    /// Drops the staging tables that a crash has left, and removes the staged files if the workflow asks for it.
    pub(super) async fn finish_workflow(&self, owned: &OwnedWorkflow, tables: &[TableState]) {
        let dropped = self.patiently(owned, || self.drop_left_staging(owned));
        if let Err(error) = dropped.await {
            tracing::warn!(workflow = %owned.name, %error, "staging tables could not be looked for; they can be dropped by hand");
        }
        self.drop_dry_runs(owned, tables).await;
        let completed = tables
            .iter()
            .filter(|table| table.phase == TablePhase::Completed);
        for table in completed.filter(|t| t.spec.continue_identity && t.spec.preflight.is_none()) {
            let target = &table.spec.target;
            let continued = self.patiently(owned, || self.continue_identity(target));
            if let Err(error) = continued.await {
                tracing::warn!(workflow = %owned.name, table = %table.spec.source, target = %table.spec.target, %error, "identity columns do not go on behind the rows that were moved; lead their defaults to a sequence that does");
            }
        }
        let is_success = tables
            .iter()
            .all(|table| table.phase == TablePhase::Completed);
        let clean_up = tables.first().map(|table| table.spec.clean_up);
        let is_wanted = match clean_up.unwrap_or_default() {
            CleanUp::Never => false,
            CleanUp::OnSuccess => is_success,
            CleanUp::Always => true,
        };
        if is_wanted {
            let sql = format!("REMOVE {}/workflows/{}/", self.stage, owned.id);
            let removed = self.patiently(owned, || self.client.run_step(Step::EndFiles, &sql));
            if let Err(error) = removed.await {
                tracing::warn!(workflow = %owned.name, %error, "staged files could not be removed; they can be removed by hand");
            }
        }
    }

    /// Waits out what passes, for as long as the workflow is ended here: what is left now, nobody looks for later.
    async fn patiently<T, F>(
        &self,
        owned: &OwnedWorkflow,
        effect: impl Fn() -> F,
    ) -> Result<T, SnowflakeError>
    where
        F: Future<Output = Result<T, SnowflakeError>>,
    {
        let mut failures = 0;
        loop {
            let error = match effect().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            failures += 1;
            let decision = RetryPolicy::OUTAGE.decide(error.failure(), failures, rand::random());
            let Some(pause) = decision.pause() else {
                return Err(error);
            };
            tracing::warn!(workflow = %owned.name, %error, "the workflow's end waits for Snowflake");
            tokio::time::sleep(pause).await;
            // Late, this could hit what a later run of the workflow stages.
            if let Ok(false) = self.is_driven_here(owned).await {
                return Err(SnowflakeError::refused(
                    "another orchestrator has taken the workflow over, and ends it".to_owned(),
                ));
            }
        }
    }

    async fn is_driven_here(&self, owned: &OwnedWorkflow) -> Result<bool, SnowflakeError> {
        let sql = format!(
            "SELECT WORKFLOW_ID FROM {}.WORKFLOW WHERE WORKFLOW_ID = {} AND OWNER_EPOCH = {} AND OWNER IS NOT NULL",
            self.metadata.quoted(),
            owned.id,
            owned.epoch.0
        );
        Ok(!self.client.query(&sql).await?.is_empty())
    }

    async fn drop_left_staging(&self, owned: &OwnedWorkflow) -> Result<(), SnowflakeError> {
        let sql = format!(
            "SELECT TABLE_NAME FROM {}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {} AND STARTSWITH(TABLE_NAME, {})",
            quote(&self.metadata.database),
            quote_text(&self.metadata.schema),
            quote_text(&staging_prefix(owned.id))
        );
        for row in self.client.query(&sql).await? {
            if let Some(Some(name)) = row.first() {
                let name = format!("{}.{}", self.metadata.quoted(), quote(name));
                self.client
                    .run_step(Step::EndStaging, &merge::drop_staging(&name))
                    .await?;
            }
        }
        Ok(())
    }

    async fn drop_dry_runs(&self, owned: &OwnedWorkflow, tables: &[TableState]) {
        let mut schemas = BTreeSet::new();
        for table in tables {
            if table
                .spec
                .preflight
                .is_some_and(|preflight| !preflight.keep_schema)
            {
                let copy = dry_run_table(owned.id, &table.spec.target);
                let [database, schema] =
                    [&copy.database, &copy.schema].map(|name| quote(&exact_name(name)));
                schemas.insert(format!("{database}.{schema}"));
            }
        }
        for schema in schemas {
            let sql = format!("DROP SCHEMA IF EXISTS {schema}");
            let dropped = self.patiently(owned, || self.client.run_step(Step::EndDryRun, &sql));
            if let Err(error) = dropped.await {
                tracing::warn!(workflow = %owned.name, schema, %error, "the dry run's schema could not be dropped; it can be dropped by hand");
            }
        }
    }

    /// Leads every generator of the table behind its column's largest value.
    async fn continue_identity(&self, target: &TableRef) -> Result<(), SnowflakeError> {
        let describe = format!("DESCRIBE TABLE {}", quote_table(target));
        for row in self.client.query(&describe).await? {
            // name, type, kind, null?, default, …
            let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
            let (column, default) = (cell(0), cell(4));
            let Some(increment) = identity::increment(&default) else {
                continue;
            };
            let rows = self
                .client
                .query(&identity::largest(target, &column))
                .await?;
            let Some(largest) = rows.into_iter().flatten().next().flatten() else {
                continue;
            };
            match largest.parse::<i128>() {
                Ok(largest) if increment > 0 => {
                    for sql in identity::lead_on(target, &column, largest + 1, increment) {
                        self.client.run_step(Step::EndIdentity, &sql).await?;
                    }
                }
                _ => {
                    tracing::warn!(target = %target, column, largest, increment, "this identity column cannot go on: it does not count upwards in whole numbers");
                }
            }
        }
        Ok(())
    }
}
