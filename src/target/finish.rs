//! What is done once when all tables of a workflow have ended: nothing of it can fail the workflow, and all of it may be
//! repeated.

use super::loader::{TableLoader, staging_prefix};
use super::planner::dry_run_table;
use super::{identity, merge, of};
use crate::checkpoint::{OwnedWorkflow, TableState, shown};
use crate::domain::phase::TablePhase;
use crate::domain::retry::RetryPolicy;
use crate::domain::spec::{CleanUp, TableSpec};
use crate::domain::table::TableRef;
use crate::failpoint::Step;
use crate::snowflake::SnowflakeError;
use crate::types::snowflake_name::{exact_name, quote, quote_table, quote_text};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// What the log says when identity columns are not advanced.
const NOT_CONTINUED: &str = "identity columns were not advanced past the migrated rows; set their DEFAULT to a sequence that starts above the maximum";

/// The end of a workflow.
pub(super) struct WorkflowEnd<'a> {
    /// What it is done with.
    pub loader: &'a TableLoader,
    /// The workflow.
    pub owned: &'a OwnedWorkflow,
    /// Its tables, which have all ended.
    pub tables: &'a [TableState],
    /// Whether the workflow is still ended here.
    pub is_wanted: &'a (dyn Fn() -> bool + Send + Sync),
}

/// The workflow is not ended here any more: what its next owner or its next actor lets run again stages files again.
pub(super) struct NotWanted;

impl WorkflowEnd<'_> {
    /// Leads identity columns on, drops the staging tables that a crash has left, and removes the staged files if the
    /// workflow asks for it.
    ///
    /// # Errors
    /// [`NotWanted`]; what fails for another reason is logged and left.
    pub(super) async fn take(&self) -> Result<(), NotWanted> {
        let (loader, workflow) = (self.loader, &self.owned.name);
        if let Err(error) = self
            .patiently(|| loader.drop_left_staging(self.owned))
            .await?
        {
            tracing::warn!(%workflow, %error, "staging tables could not be looked for; they can be dropped by hand");
        }
        self.drop_dry_runs().await?;
        self.advance_identities().await?;
        let is_success = self
            .tables
            .iter()
            .all(|table| table.phase == TablePhase::Completed);
        let clean_up = self.tables.first().map(|table| table.spec.clean_up);
        let is_wanted = match clean_up.unwrap_or_default() {
            CleanUp::Never => false,
            CleanUp::OnSuccess => is_success,
            CleanUp::Always => true,
        };
        if is_wanted {
            self.wait_for_workers().await?;
            let sql = format!("REMOVE {}/workflows/{}/", loader.stage, self.owned.id);
            let removed = self.patiently(|| loader.client.run_step(Step::EndFiles, &sql));
            if let Err(error) = removed.await? {
                tracing::warn!(%workflow, %error, "staged files could not be removed; they can be removed by hand");
            }
        }
        Ok(())
    }

    /// Once for each table: after that, applications count on, and a generator that is set again, when another table of the
    /// workflow has run again, would give out what they have taken.
    async fn advance_identities(&self) -> Result<(), NotWanted> {
        let is_meant = |table: &&TableState| {
            table.phase == TablePhase::Completed
                && table.spec.continue_identity
                && table.spec.preflight.is_none()
        };
        let tables: Vec<_> = self.tables.iter().filter(is_meant).collect();
        if tables.is_empty() {
            return Ok(());
        }
        let workflow = &self.owned.name;
        let new = self.patiently(|| self.loader.checkpoint.completed_since_last_end(self.owned));
        let new = match new.await? {
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(%workflow, %error, "{NOT_CONTINUED}");
                return Ok(());
            }
        };
        for table in tables.into_iter().filter(|t| new.contains(&t.table_no)) {
            let target = &table.spec.target;
            let continued = self.patiently(|| self.loader.continue_identity(&table.spec));
            if let Err(error) = continued.await? {
                tracing::warn!(%workflow, table = %table.spec.source, %target, %error, "{NOT_CONTINUED}");
            }
        }
        Ok(())
    }

    /// The worker of a cancelled task learns of it at its next renewal, and may stage a file until then: until its lease
    /// is past, at most.
    async fn wait_for_workers(&self) -> Result<(), NotWanted> {
        let workflow = &self.owned.name;
        loop {
            let left = self.patiently(|| self.loader.checkpoint.cancelled_leases(self.owned));
            match left.await? {
                Ok(Some(left)) => {
                    tracing::info!(%workflow, ?left, "staged files are removed when no worker stages any more");
                    if !self.pause(left).await {
                        return Err(NotWanted);
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%workflow, %error, "workers that stage files could not be waited for; what they stage can be removed by hand");
                    return Ok(());
                }
            }
        }
    }

    async fn drop_dry_runs(&self) -> Result<(), NotWanted> {
        let mut schemas = BTreeSet::new();
        for table in self.tables {
            if table
                .spec
                .preflight
                .is_some_and(|preflight| !preflight.keep_schema)
            {
                let copy = dry_run_table(self.owned.id, &table.spec.target);
                let [database, schema] =
                    [&copy.database, &copy.schema].map(|name| quote(&exact_name(name)));
                schemas.insert(format!("{database}.{schema}"));
            }
        }
        for schema in schemas {
            let sql = format!("DROP SCHEMA IF EXISTS {schema}");
            let dropped = self.patiently(|| self.loader.client.run_step(Step::EndDryRun, &sql));
            if let Err(error) = dropped.await? {
                tracing::warn!(workflow = %self.owned.name, schema, %error, "the dry run's schema could not be dropped; it can be dropped by hand");
            }
        }
        Ok(())
    }

    /// Waits out what passes, for as long as the workflow is ended here: what is left now, nobody looks for later.
    async fn patiently<T, F>(
        &self,
        effect: impl Fn() -> F,
    ) -> Result<Result<T, SnowflakeError>, NotWanted>
    where
        F: Future<Output = Result<T, SnowflakeError>>,
    {
        let mut failures = 0;
        loop {
            // Late, the effect could hit what a later run of the workflow stages.
            let tried = match self.loader.checkpoint.is_driven_here(self.owned).await {
                Ok(true) if (self.is_wanted)() => effect().await,
                Ok(_) => return Err(NotWanted),
                Err(error) => Err(error),
            };
            let error = match tried {
                Ok(done) => return Ok(Ok(done)),
                Err(error) => error,
            };
            failures += 1;
            let decision = RetryPolicy::OUTAGE.decide(error.failure(), failures, rand::random());
            let Some(pause) = decision.pause() else {
                return Ok(Err(error));
            };
            tracing::warn!(workflow = %self.owned.name, %error, "the workflow's end waits for Snowflake");
            if !self.pause(pause).await {
                return Err(NotWanted);
            }
        }
    }

    /// Waits so long, or until the workflow is not ended here any more: the next owner then waits for this.
    async fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while (self.is_wanted)() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
        false
    }
}

/// Between looks whether the end is still wanted.
const LOOK: Duration = Duration::from_millis(250);

impl TableLoader {
    async fn drop_left_staging(&self, owned: &OwnedWorkflow) -> Result<(), SnowflakeError> {
        let sql = format!(
            "SHOW TABLES IN SCHEMA {} STARTS WITH {}",
            self.metadata.quoted(),
            quote_text(&staging_prefix(owned.id))
        );
        for name in shown(&self.client, &sql, &["name"])
            .await?
            .into_iter()
            .flatten()
        {
            let name = format!("{}.{}", self.metadata.quoted(), quote(&name));
            self.client
                .run_step(Step::EndStaging, &merge::drop_staging(&name))
                .await?;
        }
        Ok(())
    }

    /// Leads every generator of the table behind its column's largest value.
    async fn continue_identity(&self, spec: &TableSpec) -> Result<(), SnowflakeError> {
        let target = &spec.target;
        let describe = of(spec.target_kind).describe(target);
        let described = self.client.query_named(&describe).await?;
        for row in &described.rows {
            let cell = |name: &str| described.value(row, name).unwrap_or_default();
            let (column, default) = (cell("name"), cell("default"));
            let Some(increment) = identity::increment(default) else {
                continue;
            };
            let rows = self
                .client
                .query(&identity::largest(target, column))
                .await?;
            let Some(largest) = rows.into_iter().flatten().next().flatten() else {
                continue;
            };
            match largest.parse::<i128>() {
                Ok(largest) if increment > 0 => {
                    let sequence = identity::sequence_from(target, column, largest + 1);
                    let create = identity::create_sequence(&sequence, largest + 1, increment);
                    self.client.run_step(Step::EndIdentity, &create).await?;
                    // Before the column asks it for numbers.
                    self.grant_usage(target, default, &sequence).await?;
                    let alter = identity::restart_identity_after(target, column, &sequence);
                    let altered = self.client.run_step(Step::EndIdentity, &alter).await;
                    if let Err(error) = altered {
                        if !error.is_retryable() {
                            let drop = identity::drop_sequence(&sequence);
                            let _ = self.client.run_step(Step::EndIdentity, &drop).await;
                        }
                        return Err(error);
                    }
                }
                _ => {
                    tracing::warn!(target = %target, column, largest, increment, "this identity column cannot continue: it does not count upwards in whole numbers");
                }
            }
        }
        Ok(())
    }

    /// Lets the roles that may add rows use the sequence by which they are numbered from now on.
    async fn grant_usage(
        &self,
        target: &TableRef,
        default: &str,
        sequence: &str,
    ) -> Result<(), SnowflakeError> {
        let granted = async {
            let table = identity::show_grants("TABLE", &quote_table(target));
            let mut shown = vec![self.client.query_named(&table).await?];
            if let Some(before) = identity::sequence_of(default) {
                let before = identity::show_grants("SEQUENCE", before);
                shown.push(self.client.query_named(&before).await?);
            }
            for grant in identity::grants(sequence, target, &shown) {
                self.client.run_step(Step::EndIdentity, &grant).await?;
            }
            Ok::<(), SnowflakeError>(())
        };
        match granted.await {
            Err(error) if !error.is_retryable() => {
                tracing::warn!(%target, sequence, %error, "roles that add rows may be unable to use the sequence that numbers them now; fix it with GRANT USAGE ON SEQUENCE … TO ROLE …");
                Ok(())
            }
            result => result,
        }
    }
}
