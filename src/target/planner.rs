//! Plans a table's target: looks it up, or creates it, and matches its columns with the source's. A dry run has a target
//! of its own, in a transient schema.

use super::column_changes::{
    changes, move_again, moved_columns, stay_behind, unfilled, would_be_lost,
};
use super::columns::Ways;
use super::matching::{
    WantedColumn, column_warnings, match_columns, new_columns, wanted_columns, with_smaller_types,
};
use super::policies;
use super::replace::target_key;
use super::tables::{Targets, is_of_statement};
use super::{TargetTable, identity, of};
use crate::actors::ports::TargetPlanner;
use crate::checkpoint::{OwnedWorkflow, PlannedTable};
use crate::domain::WorkflowId;
use crate::domain::analysis::{AnalyzedPartition, TableAnalysis};
use crate::domain::problem::{Code, Problem, Problems};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::{Platform, TableRef, WrittenName};
use crate::domain::table_plan::{
    ExtractSpec, LoadMode, LoadSpec, MatchedColumn, SyncSpec, TablePlan,
};
use crate::domain::task::TaskFailure;
use crate::extract::route;
use crate::plan::synchronization::{load_mode, partitions, start_over, sync_key, sync_plan};
use crate::platform::{self, SourcePlatform};
use crate::snowflake::error::Kind;
use crate::snowflake::{SnowflakeClient, SnowflakeError};
use crate::types::snowflake_name::{exact_name, quote, quote_table};
use async_trait::async_trait;

/// How the table travels.
pub(crate) fn ways<'a>(dialect: &'a dyn SourcePlatform, spec: &TableSpec) -> Ways<'a> {
    Ways {
        dialect,
        route: route(spec.route),
        kind: of(spec.target_kind),
    }
}

/// The orchestrator's [`TargetPlanner`].
pub struct SnowflakeTargetPlanner {
    /// The account.
    pub client: SnowflakeClient,
}

#[async_trait]
impl TargetPlanner for SnowflakeTargetPlanner {
    fn state_key(&self, owned: &OwnedWorkflow, spec: &TableSpec) -> Result<Option<String>, String> {
        let dialect = platform::supported(owned.platform)?;
        Ok(sync_key(owned.platform, dialect, spec))
    }

    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<PlannedTable, TaskFailure> {
        let refused = |problems: Problems| {
            let place = format!("source {}, target {}", spec.source, spec.target);
            TaskFailure::permanent(problems.at(place).one_line())
        };
        let failed = |error: SnowflakeError| {
            let place = format!("target {}", spec.target);
            let message = error.problem().at(place).to_string();
            if error.is_retryable() {
                TaskFailure::transient(message)
            } else {
                TaskFailure::permanent(message)
            }
        };
        let dialect = platform::supported(owned.platform)
            .map_err(|why| refused(Code::UNSUPPORTED_PLATFORM.says(why).into()))?;
        let ways = ways(dialect, spec);
        let targets = Targets {
            client: &self.client,
            kind: ways.kind,
        };
        let mut wanted = wanted_columns(&ways, spec, analysis).map_err(refused)?;
        let mut found_before = Vec::new();
        let target = match spec.preflight {
            Some(_) => targets.dry_run_target(owned, spec).await.map_err(failed)?,
            None => spec.target.clone(),
        };
        let existing = match targets.describe(&target).await.map_err(failed)? {
            Some(existing) => {
                let checks = targets.checks(spec).await.map_err(failed)?;
                if !checks.is_empty() {
                    let problem = has_checks(&quote_table(&spec.target), &checks);
                    return Err(refused(problem.into()));
                }
                existing
            }
            None => {
                let statements = creation(ways.kind, spec, &target, &wanted, analysis);
                let created = targets.create(&target, &statements).await;
                match (created, with_smaller_types(&ways, &wanted)) {
                    (Err(error), Some(smaller)) if is_of_statement(&error) => {
                        let statements = creation(ways.kind, spec, &target, &smaller, analysis);
                        targets.create(&target, &statements).await.map_err(failed)?;
                        found_before.push(SMALL_COLUMNS.to_owned());
                        wanted = smaller;
                    }
                    (created, _) => created.map_err(failed)?,
                }
                // Read back: another process may have created it first, in another form.
                let created = targets.describe(&target).await.map_err(failed)?;
                created.ok_or_else(|| {
                    let problem = Code::PRIVILEGE_MISSING
                        .problem(format!(
                            "the target {target} exists but is not visible to the role"
                        ))
                        .hint(format!(
                            "GRANT SELECT, INSERT ON TABLE {} to the orchestrator's role, or its ownership",
                            quote_table(&target)
                        ));
                    refused(problem.into())
                })?
            }
        };
        let (columns, found) = match_columns(&ways, &wanted, &existing).map_err(refused)?;
        let is_empty = match spec.synchronization {
            Synchronization::Watermark { .. } | Synchronization::Checksum { .. } => {
                targets.is_empty(&target).await.map_err(failed)?
            }
            Synchronization::None | Synchronization::FullReplace => false,
        };
        let again = match is_empty {
            true => start_over(analysis),
            false => move_again(spec, analysis, &columns),
        };
        let analysis = again.as_ref().unwrap_or(analysis);
        let mut warnings = analysis.warnings.clone();
        warnings.extend(column_warnings(dialect, spec, analysis));
        warnings.extend(found_before);
        warnings.extend(found);
        let plan = table_plan(
            (owned.platform, dialect),
            spec,
            target,
            analysis,
            columns.clone(),
            load_mode(spec, analysis, is_empty),
        );
        if plan.load.mode == LoadMode::ReplaceRange {
            target_key(&plan).map_err(refused)?;
        }
        if policies::looks_at_rows(spec) {
            let found = targets.policies(spec, &existing).await.map_err(failed)?;
            policies::check(spec, &plan, &found).map_err(refused)?;
        }
        warnings.extend(changes(spec, analysis, &columns));
        let previous = analysis.previous.as_ref();
        let previous = previous.map(|previous| previous.columns.as_slice());
        let is_moved = |partition: &AnalyzedPartition| !partition.unchanged;
        let unfilled = if analysis.partitions.iter().any(is_moved) {
            unfilled(&existing, &columns, previous)
        } else {
            Vec::new()
        };
        // Of a dry run those of the table that its target was made like.
        let replaces = plan.load.mode == LoadMode::ReplaceRange;
        let held = match targets.held(&spec.target, unfilled).await {
            // Rows are added without it; nothing can be said then.
            Err(error) if error.kind == Kind::NoPrivilege && !replaces => Vec::new(),
            held => held.map_err(failed)?,
        };
        if !held.is_empty() && replaces {
            let target = quote_table(&spec.target);
            return Err(refused(would_be_lost(&held, previous, &target).into()));
        }
        if !held.is_empty() {
            warnings.push(stay_behind(&held, previous));
        }
        let state_key = plan.sync.state_key.clone();
        let synchronization = sync_plan(state_key, spec, analysis, moved_columns(&columns));
        Ok(PlannedTable {
            plan,
            partitions: partitions(spec, analysis),
            synchronization,
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            warnings,
        })
    }
}

/// What users should know of a target in an account that has no larger columns.
const SMALL_COLUMNS: &str = "the account refused columns of VARCHAR(134217728) and BINARY(67108864): the target was created with VARCHAR and BINARY, whose values have at most 16 MB and 8 MB there, and a longer value fails";

/// Why a target with CHECK constraints is not loaded: Snowflake's COPY INTO fails on one (documentation: "Overview of
/// constraints"), and constraints that were taken away for a load would stay away if the load was interrupted, or would find
/// rows that they keep out. So that is left to the user, with the statements.
fn has_checks(target: &str, checks: &[(String, String)]) -> Problem {
    let names: Vec<&str> = checks.iter().map(|(name, _)| name.as_str()).collect();
    let each = |text: &dyn Fn(&str, &str) -> String| -> String {
        let all = checks
            .iter()
            .map(|(name, clause)| text(&quote(name), clause));
        all.collect::<Vec<_>>().join("; ")
    };
    let what = format!(
        "the target has CHECK constraints ({}), and Snowflake's COPY INTO loads no such table. None is dropped without you, and nothing was moved",
        names.join(", ")
    );
    let hint = format!(
        "drop them: {}. After the load put them back: {}; and have the loaded rows checked: {}",
        each(&|name, _| format!("ALTER TABLE {target} DROP CONSTRAINT {name}")),
        each(&|name, clause| format!(
            "ALTER TABLE {target} ADD CONSTRAINT {name} CHECK ({clause}) ENABLE NOVALIDATE"
        )),
        each(&|name, _| format!("ALTER TABLE {target} ALTER CONSTRAINT {name} ENABLE VALIDATE")),
    );
    Code::TARGET_CHECK_CONSTRAINTS.problem(what).hint(hint)
}

/// What users should know before, where they say that the target has CHECK constraints.
pub(crate) fn check_constraints(spec: &TableSpec) -> Vec<String> {
    let told = (spec.has_check_constraints == Some(true)).then(|| {
        "targetHasCheckConstraints is true: Snowflake's COPY INTO loads no table with CHECK constraints, and none is dropped without you; a run refuses such a table before anything is moved, and names the statements that drop them and put them back".to_owned()
    });
    told.into_iter().collect()
}

/// The statements that create a target that does not exist.
pub(crate) fn creation(
    kind: &dyn TargetTable,
    spec: &TableSpec,
    target: &TableRef,
    wanted: &[WantedColumn],
    analysis: &TableAnalysis,
) -> Vec<String> {
    let mut new = new_columns(wanted);
    let mut statements = Vec::new();
    if spec.continue_identity && spec.preflight.is_none() {
        for (column, wanted) in new.iter_mut().zip(wanted) {
            if wanted.source.identity {
                let sequence = identity::sequence(target, &column.name);
                statements.push(identity::create_sequence(&sequence, 1, 1));
                column.default = Some(identity::next_value(&sequence));
            }
        }
    }
    statements.push(kind.create(target, &new, analysis.comment.as_deref()));
    statements
}

/// What extraction tasks and loads need to know of the table.
pub(crate) fn table_plan(
    (platform, dialect): (Platform, &dyn SourcePlatform),
    spec: &TableSpec,
    target: TableRef,
    analysis: &TableAnalysis,
    columns: Vec<MatchedColumn>,
    mode: LoadMode,
) -> TablePlan {
    let (extracted, loaded) = columns.into_iter().map(MatchedColumn::split).unzip();
    TablePlan {
        extract: ExtractSpec {
            platform,
            route: spec.route,
            source: spec.source.clone(),
            key: analysis.key.clone(),
            columns: extracted,
            primary_key: analysis.primary_key.clone(),
            where_clause: spec.where_clause.clone(),
            query_modifiers: spec.query_modifiers.clone(),
            row_security: spec.row_security,
            checksum: analysis.checksum.clone(),
            watermark: analysis.watermark.clone(),
        },
        load: LoadSpec {
            target,
            kind: spec.target_kind,
            columns: loaded,
            mode,
            segment_mb: spec.load_segment_mb,
        },
        sync: SyncSpec {
            state_key: sync_key(platform, dialect, spec),
        },
    }
}

/// The name of a dry run's copy of `target`: all of a workflow lie in one schema of each database, so a table's own schema
/// is part of its name.
pub(crate) fn dry_run_table(id: WorkflowId, target: &TableRef) -> TableRef {
    let exact = |name: String| WrittenName(quote(&name));
    let table = format!(
        "{}__{}",
        exact_name(&target.schema),
        exact_name(&target.table)
    );
    TableRef {
        database: target.database.clone(),
        schema: exact(format!("PREFLIGHT_{id}")),
        table: exact(table),
    }
}
