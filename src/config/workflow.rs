//! Workflow files: JSON, or YAML with the same keys.

use super::ConfigErrors;
use super::document::{self, Format};
use super::findings::{Findings, shown};
use super::merge::{merge, text_at};
use super::schema::{SCHEMA_REFERENCE, WORKFLOW};
use super::shape::Shape;
use super::table::{DEFAULTS, Merged, TableCheck, wants_intervals};
use super::validation;
use crate::domain::problem::{Code, Problem};
use crate::domain::spec::{CleanUp, Preflight, Synchronization, TableSpec};
use crate::domain::table::{Platform, TableRef};
use crate::types::snowflake_name::exact_name;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A workflow file, checked and merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFile {
    /// Only orchestrators and workers with a matching affinity handle the workflow.
    pub affinity: Option<String>,
    /// The file in its normal form, as JSON: camelCase, each table with what it inherits. Loading it gives the same tables.
    pub configuration: String,
    /// The tables, in the file's order.
    pub tables: Vec<TableSpec>,
    /// What users should know, though it is not a mistake.
    pub warnings: Vec<Problem>,
}

/// What the command line says of a workflow.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowOverrides {
    /// The source's platform; `None`: it is not known, and what depends on it is not checked.
    pub platform: Option<Platform>,
    /// A dry run, whatever the file says.
    pub preflight: bool,
}

impl From<Option<Platform>> for WorkflowOverrides {
    fn from(platform: Option<Platform>) -> Self {
        Self {
            platform,
            preflight: false,
        }
    }
}

impl From<Platform> for WorkflowOverrides {
    fn from(platform: Platform) -> Self {
        Some(platform).into()
    }
}

/// Reads and checks the workflow file at `path`.
///
/// # Errors
/// All mistakes of the file.
pub fn load(
    path: &Path,
    overrides: impl Into<WorkflowOverrides>,
) -> Result<WorkflowFile, ConfigErrors> {
    let mut findings = Findings::default();
    let file = document::read(path, &mut findings)
        .and_then(|text| check(&text, Format::of(path), overrides.into(), &mut findings));
    let (mut file, warnings) = findings.finish(path, file)?;
    file.warnings = warnings;
    Ok(file)
}

/// Checks the text of a workflow file that would be at `path`, whose ending says how it is written.
///
/// # Errors
/// All its mistakes.
pub fn parse(
    path: &Path,
    text: &str,
    overrides: impl Into<WorkflowOverrides>,
) -> Result<WorkflowFile, ConfigErrors> {
    let mut findings = Findings::default();
    let file = check(text, Format::of(path), overrides.into(), &mut findings);
    let (mut file, warnings) = findings.finish(path, file)?;
    file.warnings = warnings;
    Ok(file)
}

fn check(
    text: &str,
    format: Format,
    overrides: WorkflowOverrides,
    findings: &mut Findings,
) -> Option<WorkflowFile> {
    let platform = overrides.platform;
    let document = document::parse(text, format, findings)?;
    if validation::refuse(&document, findings) {
        return None;
    }
    let mut shape = Shape { platform, findings };
    let mut workflow = shape.object(&document, WORKFLOW, "");
    workflow.remove(SCHEMA_REFERENCE);
    if overrides.preflight {
        workflow.insert("preflight".to_owned(), Value::Bool(true));
    }
    let empty = Value::Object(Map::new());
    let raw = |name: &str, snake: &str| {
        let value = document.get(name).or_else(|| document.get(snake));
        value.filter(|value| value.is_object()).unwrap_or(&empty)
    };
    let raw_defaults = raw(DEFAULTS, "default_table_configuration");
    // Its problems are reported already: this only brings its partition size into one form.
    let defaults = match workflow.remove(DEFAULTS) {
        Some(defaults) => Shape { platform, findings }.table(&defaults, DEFAULTS),
        None => Map::new(),
    };
    let tables = match workflow.remove("tables") {
        Some(Value::Array(tables)) => tables,
        _ => Vec::new(),
    };
    if tables.is_empty() && !findings.has_problem_at_or_above("tables") {
        findings.problem(
            "tables",
            Code::MISSING_KEY.says("there is no table; add at least one"),
        );
    }
    let mut checks = TableCheck {
        platform,
        findings,
        inherited: BTreeMap::new(),
    };
    let mut specs = Vec::new();
    let mut merged_tables = Vec::new();
    for (index, raw) in tables.iter().enumerate() {
        let path = format!("tables[{index}]");
        let name = label(raw, raw_defaults);
        checks.findings.subject = name.as_ref().map(|name| format!("table {name}"));
        let own = Shape {
            platform,
            findings: checks.findings,
        }
        .table(raw, &path);
        let merged = merge(&defaults, &own);
        let spec = if raw.is_object() {
            checks.check(&Merged {
                label: name.map_or_else(|| path.clone(), |name| format!("{path} {name}")),
                path,
                own: &own,
                merged: &merged,
            })
        } else {
            None
        };
        specs.push(spec);
        merged_tables.push(Value::Object(merged));
    }
    checks.findings.subject = None;
    checks.report_inherited();
    duplicates(&specs, findings);
    whole_workflow(&workflow, &mut specs, findings);
    let affinity = text_at(&workflow, "affinity").map(str::to_owned);
    workflow
        .entry("schemaVersion")
        .or_insert_with(|| json!("1.0.0"));
    workflow.insert("tables".to_owned(), Value::Array(merged_tables));
    Some(WorkflowFile {
        affinity,
        configuration: Value::Object(workflow).to_string(),
        tables: specs.into_iter().collect::<Option<Vec<_>>>()?,
        warnings: Vec::new(),
    })
}

/// What is said once for all tables.
fn whole_workflow(
    workflow: &Map<String, Value>,
    specs: &mut [Option<TableSpec>],
    findings: &mut Findings,
) {
    let is_on = |key: &str| workflow.get(key) == Some(&Value::Bool(true));
    let (is_preflight, keep_schema) = (is_on("preflight"), is_on("preflightKeepSchema"));
    if keep_schema && !is_preflight {
        findings.warning(
            "preflightKeepSchema",
            "this is for a dry run, and `preflight` is not set",
        );
    }
    let clean_up = match text_at(workflow, "cleanUpTransientResources") {
        Some("never") => CleanUp::Never,
        Some("always") => CleanUp::Always,
        _ => CleanUp::OnSuccess,
    };
    let intervals = wants_intervals(workflow);
    let mut ignored = 0;
    for spec in specs.iter_mut().flatten() {
        spec.clean_up = clean_up;
        spec.wants_intervals = spec.wants_intervals.or(intervals);
        if is_preflight {
            spec.preflight = Some(Preflight { keep_schema });
            let synchronization = std::mem::take(&mut spec.synchronization);
            ignored += usize::from(synchronization != Synchronization::None);
        }
    }
    if ignored > 0 {
        findings.warning(
            "preflight",
            format!("a dry run ignores `synchronization`, which {ignored} of its tables have"),
        );
    }
}

/// What messages call a table: its name in the source, as far as it is known.
fn label(table: &Value, defaults: &Value) -> Option<String> {
    let part = |keys: [&str; 2]| {
        let own = |object: &Value| {
            let source = object.get("source")?;
            let value = keys.iter().find_map(|key| source.get(key))?;
            value.as_str().map(shown)
        };
        own(table).or_else(|| own(defaults))
    };
    let name = part(["tableName", "table_name"])?;
    Some(match part(["schemaName", "schema_name"]) {
        Some(schema) => format!("{schema}.{name}"),
        None => name,
    })
}

/// Two tables with one target would fill it twice.
fn duplicates(specs: &[Option<TableSpec>], findings: &mut Findings) {
    let exact = |table: &TableRef| [&table.database, &table.schema, &table.table].map(exact_name);
    let mut seen = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let Some(spec) = spec else { continue };
        if let Some(first) = seen.insert(exact(&spec.target), index) {
            let what = format!(
                "table {}.{}: its target {} is the target of tables[{first}] as well",
                shown(&spec.source.schema.0),
                shown(&spec.source.table.0),
                shown(&spec.target.to_string()),
            );
            findings.problem(
                &format!("tables[{index}].target"),
                Code::SHARED_TARGET
                    .problem(what)
                    .hint("give each table its own"),
            );
        }
    }
}

#[cfg(test)]
#[path = "workflow_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "workflow_settings_tests.rs"]
mod settings_tests;

#[cfg(test)]
#[path = "workflow_properties.rs"]
mod properties;
