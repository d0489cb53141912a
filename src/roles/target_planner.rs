//! Plans a table's target: looks it up, or creates it, and matches its columns with the source's. A dry run has a target
//! of its own, in a transient schema.

use crate::actors::ports::TargetPlanner;
use crate::checkpoint::{OwnedWorkflow, PlannedTable};
use crate::dialect::{self, Dialect};
use crate::domain::WorkflowId;
use crate::domain::analysis::{AnalyzedPartition, TableAnalysis};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::{Platform, TableRef, WrittenName};
use crate::domain::table_plan::{
    ExtractSpec, LoadMode, LoadSpec, MatchedColumn, Route, SyncSpec, TablePlan, TargetKind,
};
use crate::domain::task::TaskFailure;
use crate::failpoint::Step;
use crate::plan::column_changes::{changes, move_again, moved_columns, stay_behind, unfilled, would_be_lost};
use crate::plan::synchronization::{load_mode, partitions, start_over, sync_key, sync_plan};
use crate::plan::target::policies::{self, Policies};
use crate::plan::target::{
    TargetColumn, WantedColumn, column_warnings, match_columns, new_columns, wanted_columns,
    with_default_lengths,
};
use crate::snowflake::error::Kind;
use crate::snowflake::identity;
use crate::snowflake::replace::target_key;
use crate::snowflake::{Row, SnowflakeClient, SnowflakeError};
use crate::types::load::create_table_ddl;
use crate::types::snowflake_name::{exact_name, quote, quote_table, quote_text};
use async_trait::async_trait;

/// What speaks to the workflow's source.
fn supported(owned: &OwnedWorkflow) -> Result<&'static dyn Dialect, String> {
    let dialect = dialect::for_platform(owned.platform);
    dialect.ok_or_else(|| format!("{} is not supported yet", owned.platform))
}

/// The orchestrator's [`TargetPlanner`].
pub struct SnowflakeTargetPlanner {
    /// The account.
    pub client: SnowflakeClient,
}

#[async_trait]
impl TargetPlanner for SnowflakeTargetPlanner {
    fn state_key(&self, owned: &OwnedWorkflow, spec: &TableSpec) -> Result<Option<String>, String> {
        let dialect = supported(owned)?;
        Ok(sync_key(owned.platform, dialect, spec))
    }

    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<PlannedTable, TaskFailure> {
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
        let dialect = supported(owned).map_err(|why| refused(vec![why]))?;
        let mut wanted = wanted_columns(dialect, spec, analysis).map_err(refused)?;
        let mut found_before = Vec::new();
        let target = match spec.preflight {
            Some(_) => self.dry_run_target(owned, spec).await.map_err(failed)?,
            None => spec.target.clone(),
        };
        let existing = match self.describe(&target).await.map_err(failed)? {
            Some(existing) => {
                let checks = self.checks(spec).await.map_err(failed)?;
                if !checks.is_empty() {
                    return Err(refused(vec![has_checks(
                        &quote_table(&spec.target),
                        &checks,
                    )]));
                }
                existing
            }
            None => {
                let statements = creation(spec, &target, &wanted, analysis);
                let created = self.create(&target, &statements).await;
                match (created, with_default_lengths(&wanted)) {
                    (Err(error), Some(smaller)) if is_of_statement(&error) => {
                        let statements = creation(spec, &target, &smaller, analysis);
                        self.create(&target, &statements).await.map_err(failed)?;
                        found_before.push(SMALL_COLUMNS.to_owned());
                        wanted = smaller;
                    }
                    (created, _) => created.map_err(failed)?,
                }
                // Read back: another process may have created it first, in another form.
                let created = self.describe(&target).await.map_err(failed)?;
                created.ok_or_else(|| {
                    refused(vec![format!(
                        "the target {target} was created or is there, and the role may not see it; GRANT SELECT, INSERT ON TABLE {} to the orchestrator's role, or its ownership",
                        quote_table(&target)
                    )])
                })?
            }
        };
        let (columns, found) = match_columns(dialect, &wanted, &existing).map_err(refused)?;
        let is_empty = match spec.synchronization {
            Synchronization::Watermark { .. } | Synchronization::Checksum { .. } => {
                self.is_empty(&target).await.map_err(failed)?
            }
            Synchronization::None | Synchronization::FullReplace => false,
        };
        let anew = match is_empty {
            true => start_over(analysis),
            false => move_again(spec, analysis, &columns),
        };
        let analysis = anew.as_ref().unwrap_or(analysis);
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
            let found = self.policies(spec, &existing).await.map_err(failed)?;
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
        let held = match self.held(&spec.target, unfilled).await {
            // Rows are added without it; nothing can be told then.
            Err(error) if error.kind == Kind::NoPrivilege && !replaces => Vec::new(),
            held => held.map_err(failed)?,
        };
        if !held.is_empty() && replaces {
            let target = quote_table(&spec.target);
            return Err(refused(vec![would_be_lost(&held, previous, &target)]));
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

/// Whether Snowflake refused a statement for what it says.
fn is_of_statement(error: &SnowflakeError) -> bool {
    matches!(error.kind, Kind::Refused | Kind::Rejected | Kind::Unknown)
}

/// Why a target with CHECK constraints is not loaded: Snowflake's COPY INTO fails on one (documentation: "Overview of
/// constraints"), and constraints that were taken away for a load would stay away if the load was interrupted, or would find
/// rows that they keep out. So that is left to the user, with the statements.
fn has_checks(target: &str, checks: &[(String, String)]) -> String {
    let names: Vec<&str> = checks.iter().map(|(name, _)| name.as_str()).collect();
    let each = |text: &dyn Fn(&str, &str) -> String| -> String {
        let all = checks
            .iter()
            .map(|(name, clause)| text(&quote(name), clause));
        all.collect::<Vec<_>>().join("; ")
    };
    format!(
        "the target has CHECK constraints ({}), and Snowflake's COPY INTO loads no such table. None is dropped without you, and nothing was moved. Drop them: {}. After the load put them back: {}; and have the loaded rows checked: {}",
        names.join(", "),
        each(&|name, _| format!("ALTER TABLE {target} DROP CONSTRAINT {name}")),
        each(&|name, clause| format!(
            "ALTER TABLE {target} ADD CONSTRAINT {name} CHECK ({clause}) ENABLE NOVALIDATE"
        )),
        each(&|name, _| format!("ALTER TABLE {target} ALTER CONSTRAINT {name} ENABLE VALIDATE")),
    )
}

/// What users should know before, where they say that the target has CHECK constraints.
pub(super) fn check_constraints(spec: &TableSpec) -> Vec<String> {
    let told = (spec.has_check_constraints == Some(true)).then(|| {
        "targetHasCheckConstraints is true: Snowflake's COPY INTO loads no table with CHECK constraints, and none is dropped without you; a run refuses such a table before anything is moved, and names the statements that drop them and put them back".to_owned()
    });
    told.into_iter().collect()
}

/// The statements that create a target that does not exist.
pub(super) fn creation(
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
    statements.push(create_table_ddl(target, &new, analysis.comment.as_deref()));
    statements
}

/// What extraction tasks and loads need to know of the table.
pub(super) fn table_plan(
    (platform, dialect): (Platform, &dyn Dialect),
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
            route: Route::Stream,
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
            kind: TargetKind::Native,
            columns: loaded,
            mode,
            segment_mb: spec.load_segment_mb,
        },
        sync: SyncSpec {
            state_key: sync_key(platform, dialect, spec),
        },
    }
}

impl SnowflakeTargetPlanner {
    async fn is_empty(&self, target: &TableRef) -> Result<bool, SnowflakeError> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quote_table(target));
        Ok(self.client.query(&sql).await?.is_empty())
    }

    /// Those of the columns that have a value in some row.
    async fn held<'a>(
        &self,
        target: &TableRef,
        columns: Vec<&'a str>,
    ) -> Result<Vec<&'a str>, SnowflakeError> {
        let mut held = Vec::new();
        for name in columns {
            let sql = format!(
                "SELECT 1 FROM {} WHERE {} IS NOT NULL LIMIT 1",
                quote_table(target),
                quote(name)
            );
            match self.client.query(&sql).await {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => held.push(name),
                // Of a dry run.
                Err(error) if error.kind == Kind::NoSuchObject => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// Names and conditions of the target's CHECK constraints, as far as the role may see them; nobody asks where the user
    /// says that there are none.
    async fn checks(&self, spec: &TableSpec) -> Result<Vec<(String, String)>, SnowflakeError> {
        if spec.has_check_constraints == Some(false) {
            return Ok(Vec::new());
        }
        let TableRef {
            database,
            schema,
            table,
        } = &spec.target;
        let sql = format!(
            "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM {}.INFORMATION_SCHEMA.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {} AND CONSTRAINT_TABLE = {} ORDER BY CONSTRAINT_NAME",
            quote(&exact_name(database)),
            quote_text(&exact_name(schema)),
            quote_text(&exact_name(table))
        );
        match self.client.query(&sql).await {
            Ok(rows) => Ok(rows
                .into_iter()
                .filter_map(|row| {
                    let [name, clause]: [Option<String>; 2] = row.try_into().ok()?;
                    Some((name?, clause.unwrap_or_default()))
                })
                .collect()),
            // What cannot be seen is told by COPY INTO itself.
            Err(error)
                if is_of_statement(&error)
                    || matches!(error.kind, Kind::NoSuchObject | Kind::NoPrivilege) =>
            {
                tracing::debug!(%error, "whether the target has CHECK constraints is not told");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// The target's columns; `None`: there is no such table.
    async fn describe(
        &self,
        target: &TableRef,
    ) -> Result<Option<Vec<TargetColumn>>, SnowflakeError> {
        let sql = format!("DESCRIBE TABLE {}", quote_table(target));
        let answer = match self.client.query_named(&sql).await {
            Ok(answer) => answer,
            Err(error) if error.kind == Kind::NoSuchObject => return Ok(None),
            Err(error) => return Err(error),
        };
        let column = |row: &Row| {
            let cell = |name: &str| answer.value(row, name);
            let text = |name: &str| cell(name).unwrap_or_default().to_owned();
            let default = text("default");
            TargetColumn {
                name: text("name"),
                target_type: text("type"),
                nullable: text("null?") == "Y",
                // A virtual column computes its values.
                has_default: !default.is_empty() || text("kind").starts_with("VIRTUAL"),
                sequence: identity::sequence_of(&default).map(str::to_owned),
                masking_policy: cell("policy name").map(str::to_owned),
            }
        };
        Ok(Some(answer.rows.iter().map(column).collect()))
    }

    /// What is known of the policies of the table's target. A dry run only adds rows to a table of its own, and asks for none.
    async fn policies(
        &self,
        spec: &TableSpec,
        columns: &[TargetColumn],
    ) -> Result<Policies, SnowflakeError> {
        let target = quote_table(&spec.target);
        let masked = columns.iter().filter_map(|column| {
            let policy = column.masking_policy.clone()?;
            Some((column.name.clone(), policy))
        });
        // A plan says whether a row access policy is between, to everybody who may read the table, and needs no warehouse
        // (documentation of "Understanding row access policies", query profile).
        let plan = self
            .client
            .query(&format!("EXPLAIN SELECT * FROM {target}"))
            .await?;
        let mut cells = plan.iter().flatten().flatten();
        let mut found = Policies {
            masked: masked.collect(),
            hides_rows: cells.any(|cell| cell.contains("RowAccessPolicy")),
        };
        // The policies of tags stand nowhere else, and here only for roles that may see policies.
        let database = quote(&exact_name(&spec.target.database));
        let references = format!(
            "SELECT POLICY_KIND, POLICY_NAME, REF_COLUMN_NAME FROM TABLE({database}.INFORMATION_SCHEMA.POLICY_REFERENCES(\
             REF_ENTITY_NAME => {}, REF_ENTITY_DOMAIN => 'TABLE'))",
            quote_text(&target)
        );
        match self.client.query(&references).await {
            Ok(rows) => {
                for row in rows {
                    if let [Some(kind), Some(policy), Some(column)] = row.as_slice()
                        && kind == "MASKING_POLICY"
                        && found.masked.iter().all(|(known, _)| known != column)
                    {
                        found.masked.push((column.clone(), policy.clone()));
                    }
                }
            }
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                tracing::debug!(target, %error, "masking policies of tags cannot be seen by this role");
            }
        }
        Ok(found)
    }

    /// Creates the table, and, where they are missing, its schema and its database.
    async fn create(&self, target: &TableRef, statements: &[String]) -> Result<(), SnowflakeError> {
        match self.run_all(statements).await {
            Err(error) if error.kind == Kind::NoSuchObject => {}
            result => return result,
        }
        self.create_schema(target, "SCHEMA").await?;
        self.run_all(statements).await
    }

    /// Creates a table's schema (`SCHEMA` or `TRANSIENT SCHEMA`), and its database where it is missing.
    async fn create_schema(&self, target: &TableRef, kind: &str) -> Result<(), SnowflakeError> {
        let database = quote(&exact_name(&target.database));
        let schema = format!(
            "CREATE {kind} IF NOT EXISTS {database}.{}",
            quote(&exact_name(&target.schema))
        );
        match self.client.run_step(Step::TargetCreate, &schema).await {
            Err(error) if error.kind == Kind::NoSuchObject => {}
            result => return result.map(|_| ()),
        }
        self.client
            .run_step(
                Step::TargetCreate,
                &format!("CREATE DATABASE IF NOT EXISTS {database}"),
            )
            .await?;
        self.client
            .run_step(Step::TargetCreate, &schema)
            .await
            .map(|_| ())
    }

    async fn run_all(&self, statements: &[String]) -> Result<(), SnowflakeError> {
        for statement in statements {
            self.client.run_step(Step::TargetCreate, statement).await?;
        }
        Ok(())
    }

    /// Where a dry run loads the table: into a copy of the target's form, if there is a target.
    async fn dry_run_target(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
    ) -> Result<TableRef, SnowflakeError> {
        let target = dry_run_table(owned.id, &spec.target);
        self.create_schema(&target, "TRANSIENT SCHEMA").await?;
        if self.describe(&spec.target).await?.is_some() {
            let like = format!(
                "CREATE TABLE IF NOT EXISTS {} LIKE {}",
                quote_table(&target),
                quote_table(&spec.target)
            );
            self.client.run_step(Step::TargetCreate, &like).await?;
        }
        Ok(target)
    }
}

/// The name of a dry run's copy of `target`: all of a workflow lie in one schema of each database, so a table's own schema
/// is part of its name.
pub(super) fn dry_run_table(id: WorkflowId, target: &TableRef) -> TableRef {
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
