//! What a workflow would do, without doing it: asks the source alone, and writes down the statements.

use super::AppError;
use super::planned_table::{Outcome, PlannedTable, Statement, TablePreview};
use super::sources::reach;
use crate::config::worker::WorkerConfig;
use crate::domain::analysis::TableAnalysis;
use crate::domain::problem::{Code, Problems};
use crate::domain::spec::TableSpec;
use crate::domain::table::{Content, KeyRange, Platform};
use crate::domain::table_plan::{LoadMode, TablePlan};
use crate::domain::task::StagedFile;
use crate::extract::route;
use crate::plan::synchronization::{load_mode, partitions};
use crate::platform::{self, Scope, SourcePlatform};
use crate::source;
use crate::target::columns::load_columns;
use crate::target::copy::CopyInto;
use crate::target::load::{merge_key, staging_columns};
use crate::target::matching::{
    TargetColumn, column_warnings, match_columns, new_columns, wanted_columns,
};
use crate::target::merge;
use crate::target::planner::{check_constraints, creation, table_plan, ways};
use crate::target::replace::{delete_ranges, target_key};
use crate::types::snowflake_name::quote_table;
use futures::StreamExt;

/// The placeholder of the workflow's number, which it gets when it is created.
const WORKFLOW: &str = "<workflow>";
/// The placeholder of the staging table of a load by primary key.
const STAGING: &str = "\"<staging table>\"";

/// Analyzes the tables, as many at a time as the worker would, and returns what would be done with each, in their order.
///
/// # Errors
/// When the source cannot be reached at all. A table that cannot be analyzed has its error in its place.
pub async fn preview(
    worker: &WorkerConfig,
    platform: Platform,
    tables: Vec<TableSpec>,
) -> Result<Vec<TablePreview>, AppError> {
    let (settings, dialect) = reach(worker, platform).await?;
    let stage = worker.metadata.stage();
    let each = tables.into_iter().enumerate().map(|(table_no, spec)| {
        let (settings, stage) = (settings.clone(), stage.clone());
        async move {
            let (source, target) = (spec.source.to_string(), spec.target.to_string());
            let work = move || {
                let database = dialect.exact_name(&spec.source.database);
                let settings = platform::in_database(settings, &database);
                let analysis = source::analyze(&settings, dialect, &spec, None)
                    .map_err(|error| error.to_string())?;
                let table = Table {
                    platform,
                    dialect,
                    spec: &spec,
                    analysis: &analysis,
                    stage: &stage,
                    table_no,
                };
                table.plan().map_err(|problems| problems.one_line())
            };
            let planned = match tokio::task::spawn_blocking(work).await {
                Ok(planned) => planned,
                Err(error) => {
                    let what = format!("the analysis ended unexpectedly: {error}");
                    Err(Code::INTERNAL.problem(what).to_string())
                }
            };
            TablePreview {
                source,
                target,
                outcome: match planned {
                    Ok(plan) => Outcome::Plan(Box::new(plan)),
                    Err(error) => Outcome::Error(error),
                },
            }
        }
    });
    let at_once = worker.max_parallel_tasks.max(1);
    Ok(futures::stream::iter(each)
        .buffered(at_once)
        .collect()
        .await)
}

/// A table that has been analyzed.
struct Table<'a> {
    platform: Platform,
    dialect: &'a dyn SourcePlatform,
    spec: &'a TableSpec,
    analysis: &'a TableAnalysis,
    stage: &'a str,
    table_no: usize,
}

impl Table<'_> {
    fn plan(&self) -> Result<PlannedTable, Problems> {
        let Self {
            dialect,
            spec,
            analysis,
            ..
        } = *self;
        let ways = ways(dialect, spec);
        let wanted = wanted_columns(&ways, spec, analysis)?;
        let created = new_columns(&wanted);
        let target: Vec<TargetColumn> = created
            .iter()
            .map(|column| TargetColumn {
                name: column.name.clone(),
                target_type: column.target_type.clone(),
                nullable: column.nullable,
                has_default: false,
                sequence: None,
                masking_policy: None,
            })
            .collect();
        let (columns, found) = match_columns(&ways, &wanted, &target)?;
        let mut warnings = analysis.warnings.clone();
        warnings.extend(column_warnings(dialect, spec, analysis));
        warnings.extend(check_constraints(spec));
        warnings.extend(found);
        // As a later run finds it: with rows.
        let load = load_mode(spec, analysis, false);
        let table_plan = table_plan(
            (self.platform, dialect),
            spec,
            spec.target.clone(),
            analysis,
            columns,
            load,
        );
        Ok(PlannedTable {
            key: analysis.key.clone(),
            key_is_given: spec.key.is_some(),
            synchronization: spec.synchronization.clone(),
            partition_size: spec.partition_size,
            max_partition_rows: spec.max_partition_rows,
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            partitions: analysis
                .partitions
                .iter()
                .map(|p| p.range.clone())
                .collect(),
            preflight: spec.preflight.is_some(),
            notes: analysis.notes.clone(),
            warnings,
            ddl: creation(ways.kind, spec, &spec.target, &wanted, analysis).join(";\n"),
            source_statements: self.source_statements(&table_plan),
            load_statements: self.load_statements(&table_plan)?,
        })
    }

    /// Those that depend on the table's settings: not those of the catalog.
    fn source_statements(&self, plan: &TablePlan) -> Vec<Statement> {
        let (dialect, analysis) = (self.dialect, self.analysis);
        let mut statements = Vec::new();
        let mut add = |purpose: &str, sql: String| {
            statements.push(Statement {
                purpose: purpose.to_owned(),
                sql,
            });
        };
        let everything = Scope {
            table: &self.spec.source,
            key: &analysis.key,
            range: &KeyRange::Everything,
            window: None,
            where_clause: self.spec.where_clause.as_deref(),
            modifiers: &self.spec.query_modifiers,
        };
        let cut = analysis.partitions.iter();
        let num_cut = cut
            .filter(|p| matches!(p.range, KeyRange::Between { .. }))
            .count();
        let dated = self.spec.partition_by_date.zip(analysis.key.first());
        if let Some((unit, column)) = dated {
            add(
                "units of the calendar that have rows",
                dialect.date_units(&everything, column, unit).sql,
            );
        } else if num_cut > 1 {
            let sampling = self.spec.sampling;
            let share = (analysis.row_estimate > sampling.threshold_rows)
                .then(|| sampling.target_rows as f64 / analysis.row_estimate as f64)
                .filter(|share| *share < 1.0);
            add(
                "boundaries of the partitions",
                dialect.boundaries(&everything, num_cut as u64, share).sql,
            );
        }
        if let Some(watermark) = &analysis.watermark {
            add(
                "upper bound of the watermark",
                dialect.maximum(&everything, &watermark.column).sql,
            );
        }
        let slices = partitions(self.spec, analysis);
        for (no, planned) in slices.iter().enumerate() {
            let slice = &planned.slice;
            let (is_first, is_keys) = (no == 0, slice.content == Content::Keys);
            if !is_first && !is_keys {
                continue;
            }
            let scope = Scope::of(&plan.extract, slice);
            if let (true, Some(checksum)) = (is_first, &plan.extract.checksum) {
                add(
                    "checksum of partition 0",
                    dialect.aggregate(&scope, checksum).sql,
                );
            }
            let purpose = if is_keys {
                "keys that are there, of all partitions"
            } else {
                "extraction of partition 0"
            };
            let statement = route(plan.extract.route).statement(dialect, &plan.extract, slice);
            add(purpose, statement);
        }
        statements
    }

    /// Those of partition 0, and those of the keys that are there.
    fn load_statements(&self, plan: &TablePlan) -> Result<Vec<Statement>, Problems> {
        let target = quote_table(&self.spec.target);
        let mut statements = Vec::new();
        let mut add = |purpose: &str, sql: String| {
            statements.push(Statement {
                purpose: purpose.to_owned(),
                sql,
            });
        };
        let columns =
            |content| load_columns(plan, content).map_err(|why| Code::TARGET_TYPE.problem(why));
        let rows = columns(Content::Rows)?;
        let copy = |table: &str, columns: &[(String, String)], partition: usize| {
            let file = StagedFile {
                path: format!(
                    "workflows/{WORKFLOW}/{}/{partition}/1/part-00000.parquet",
                    self.table_no
                ),
                rows: 0,
                bytes: 0,
            };
            let (stage, files) = (self.stage, &[&file]);
            CopyInto {
                table,
                columns,
                stage,
                files,
            }
            .sql()
        };
        let names = |columns: &[(String, String)]| -> Vec<String> {
            columns.iter().map(|(name, _)| name.clone()).collect()
        };
        let slices = partitions(self.spec, self.analysis);
        // The load has the number of rows that are staged.
        let staged = self.analysis.row_estimate;
        match plan.load.mode {
            LoadMode::Append => add("partition 0", copy(&target, &rows, 0)),
            LoadMode::ReplaceRange => {
                let key = target_key(plan)?;
                let ranges: Vec<&KeyRange> =
                    slices.iter().take(1).map(|p| &p.slice.range).collect();
                add(
                    "partition 0, what is there of it",
                    delete_ranges(&target, &key, &ranges)
                        .map_err(|why| Code::TARGET_KEY_ORDER.problem(why))?,
                );
                add("partition 0", copy(&target, &rows, 0));
            }
            LoadMode::Merge => {
                let key = merge_key(plan)?;
                add("partition 0 into an empty target", copy(&target, &rows, 0));
                add(
                    "later runs, staging table",
                    merge::create_staging(STAGING, &staging_columns(plan, Content::Rows)),
                );
                add(
                    "later runs, into the staging table",
                    copy(STAGING, &rows, 0),
                );
                add(
                    "later runs, from the staging table",
                    merge::merge(&target, STAGING, &key, &names(&rows), staged),
                );
            }
        }
        if let Some(no) = slices.iter().position(|p| p.slice.content == Content::Keys) {
            let keys = columns(Content::Keys)?;
            let key = merge_key(plan)?;
            add(
                "keys that are there, staging table",
                merge::create_staging(STAGING, &staging_columns(plan, Content::Keys)),
            );
            add(
                "keys that are there, into the staging table",
                copy(STAGING, &keys, no),
            );
            add(
                "rows whose keys are gone",
                merge::delete_missing(&target, STAGING, &key, staged),
            );
        }
        Ok(statements)
    }
}
