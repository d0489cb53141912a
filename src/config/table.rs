//! A merged table: what it means, and where its problems are reported.

use super::findings::{Findings, Said, inside};
use super::merge::{at, text_at};
use super::schema::MAX_ROWS;
use super::transforms;
use crate::domain::kinds::{Route, TargetKind};
use crate::domain::problem::{Code, Problem};
use crate::domain::spec::{ResetPartitions, RowSecurity, Sampling, Synchronization, TableSpec};
use crate::domain::table::{
    DateUnit, PartitionSize, Platform, QueryModifiers, TableRef, WrittenName,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A problem with an inherited value: reported once, with the tables that inherit it.
type Inherited = BTreeMap<(String, Problem), Vec<String>>;

/// Checks merged tables one after the other.
pub(super) struct TableCheck<'a> {
    /// The source's platform; `None`: it is not known, and what depends on it is not checked.
    pub(super) platform: Option<Platform>,
    /// Where findings go.
    pub(super) findings: &'a mut Findings,
    /// Problems with inherited values.
    pub(super) inherited: Inherited,
}

/// One table on its way through the checks.
pub(super) struct Merged<'a> {
    /// Its place: `tables[1]`.
    pub(super) path: String,
    /// What messages call it.
    pub(super) label: String,
    /// What it says itself.
    pub(super) own: &'a Map<String, Value>,
    /// With what it inherits.
    pub(super) merged: &'a Map<String, Value>,
}

impl Merged<'_> {
    pub(super) fn is(&self, key: &str, word: &str) -> bool {
        text_at(self.merged, key) == Some(word)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        at(self.merged, key).is_some()
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        at(self.merged, key) == Some(&Value::Bool(true))
    }

    pub(super) fn is_off(&self, key: &str) -> bool {
        at(self.merged, key) == Some(&Value::Bool(false))
    }

    pub(super) fn is_filled(&self, key: &str) -> bool {
        match at(self.merged, key) {
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(object)) => !object.is_empty(),
            other => other.is_some(),
        }
    }

    /// A text of each item of a list.
    pub(super) fn texts(&self, list: &str, text: impl Fn(&Value) -> Option<&str>) -> Vec<String> {
        let items = at(self.merged, list).and_then(Value::as_array);
        let texts = items.into_iter().flatten().filter_map(text);
        texts.map(str::to_owned).collect()
    }
}

/// The key that says whether the rows of child tables come with a table.
pub(super) const INCLUDE_CHILD_TABLES: &str = "includeChildTables";

/// The defaults' place.
pub(super) const DEFAULTS: &str = "defaultTableConfiguration";

impl TableCheck<'_> {
    /// What the table means, unless something is wrong.
    pub(super) fn check(&mut self, table: &Merged<'_>) -> Option<TableSpec> {
        self.rules(table);
        let source = self.table_ref(table, "source");
        let target = self.table_ref(table, "target");
        let pairs = |list: &str, one: &str, other: &str| -> Vec<(String, String)> {
            let texts = |key: &str| table.texts(list, |item| item.get(key)?.as_str());
            texts(one).into_iter().zip(texts(other)).collect()
        };
        let names = |list: &str| table.texts(list, Value::as_str);
        let count = |key: &str| at(table.merged, key).and_then(Value::as_u64);
        let sampling = Sampling::default();
        Some(TableSpec {
            key: table
                .has("columnNamesToPartitionBy")
                .then(|| names("columnNamesToPartitionBy")),
            partition_size: partition_size(table.merged),
            max_partition_rows: count(MAX_ROWS),
            partition_by_date: match text_at(table.merged, "partitionByDate") {
                Some("year") => Some(DateUnit::Year),
                Some("month") => Some(DateUnit::Month),
                Some("day") => Some(DateUnit::Day),
                _ => None,
            },
            column_transforms: transforms::rules(at(table.merged, "customColumnTransforms")),
            has_check_constraints: match text_at(table.merged, "targetHasCheckConstraints") {
                Some("true") => Some(true),
                Some("false") => Some(false),
                _ => None,
            },
            wants_intervals: wants_intervals(table.merged),
            where_clause: text_at(table.merged, "whereClauseCriteria").map(str::to_owned),
            column_type_mappings: pairs("columnTypeMappings", "sourceType", "targetType"),
            column_name_mappings: pairs("columnNameMappings", "sourceName", "targetName"),
            synchronization: synchronization(table)?,
            primary_key: names("primaryKeyColumns"),
            excluded_columns: names("excludeSourceColumns"),
            query_modifiers: query_modifiers(table),
            sampling: Sampling {
                threshold_rows: count("samplingThresholdRows").unwrap_or(sampling.threshold_rows),
                target_rows: count("samplingTargetRows").unwrap_or(sampling.target_rows),
            },
            analysis_timeout_minutes: count("executionTimeoutMinutes"),
            row_security: match text_at(table.merged, "rowLevelSecurity") {
                Some("accept") => RowSecurity::Accept,
                _ => RowSecurity::Refuse,
            },
            reset_partitions: match text_at(table.merged, "resetPartitions") {
                Some("enabled") => ResetPartitions::Enabled,
                Some("enabledWithDedup") => ResetPartitions::EnabledWithDedup,
                _ => ResetPartitions::Disabled,
            },
            continue_identity: table.is_on("continueIdentityColumns"),
            load_segment_mb: count("loadSegmentation.targetSegmentSizeMb"),
            route: Route::of_word(text_at(table.merged, "extraction.strategy")),
            target_kind: TargetKind::of_word(text_at(table.merged, "target.tableType")),
            ..TableSpec::new(source?, target?)
        })
    }

    /// Reports the problems with inherited values, each once.
    pub(super) fn report_inherited(self) {
        for ((path, mut problem), tables) in self.inherited {
            let more = match tables.len() {
                0..=3 => String::new(),
                n => format!(" and {} more", n - 3),
            };
            let named: Vec<String> = tables.into_iter().take(3).collect();
            let end = problem.hint.as_mut().unwrap_or(&mut problem.what);
            *end += &format!(" (inherited by {}{more})", named.join(", "));
            self.findings.problem(&path, problem);
        }
    }

    /// A problem with a value that is there: reported where it is written. A sentence alone is about settings that do not
    /// go together.
    pub(super) fn wrong(&mut self, table: &Merged<'_>, key: &str, said: impl Said) {
        let problem = said.or(Code::CONFLICTING_SETTINGS);
        if at(table.own, key).is_some() {
            self.findings
                .problem(&inside_all(&table.path, key), problem);
        } else {
            self.inherited
                .entry((inside_all(DEFAULTS, key), problem))
                .or_default()
                .push(table.label.clone());
        }
    }

    /// A problem with a value that is not there, unless one with what is in its place is already reported.
    pub(super) fn missing(&mut self, table: &Merged<'_>, key: &str, message: &str) {
        let path = inside_all(&table.path, key);
        if !self.findings.has_problem_at_or_above(&path)
            && !self
                .findings
                .has_problem_at_or_above(&inside_all(DEFAULTS, key))
        {
            self.findings
                .problem(&path, Code::MISSING_KEY.says(message));
        }
    }

    /// A problem with an item of a list, or with a key of it. Lists are inherited whole.
    pub(super) fn wrong_item(
        &mut self,
        table: &Merged<'_>,
        (list, index, key): (&str, usize, Option<&str>),
        problem: Problem,
    ) {
        let is_own = at(table.own, list).is_some();
        let base = if is_own { &table.path } else { DEFAULTS };
        let item = format!("{}[{index}]", inside(base, list));
        let path = key.map_or_else(|| item.clone(), |key| inside(&item, key));
        if is_own {
            self.findings.problem(&path, problem);
        } else {
            let entry = self.inherited.entry((path, problem)).or_default();
            entry.push(table.label.clone());
        }
    }

    /// What this version cannot do.
    pub(super) fn not_yet(&mut self, table: &Merged<'_>, key: &str, what: &str, remedy: &str) {
        let problem = Code::UNSUPPORTED_SETTING
            .problem(format!("{what} is not supported yet"))
            .hint(remedy);
        self.wrong(table, key, problem);
    }

    fn table_ref(&mut self, table: &Merged<'_>, side: &str) -> Option<TableRef> {
        let mut part = |key: &str| {
            let path = format!("{side}.{key}");
            let name = text_at(table.merged, &path).map(|name| WrittenName(name.to_owned()));
            if name.is_none() {
                self.missing(
                    table,
                    &path,
                    "this key is missing, here and in defaultTableConfiguration",
                );
            }
            name
        };
        let (database, schema, name) =
            (part("databaseName"), part("schemaName"), part("tableName"));
        Some(TableRef {
            database: database?,
            schema: schema?,
            table: name?,
        })
    }
}

pub(super) fn inside_all(path: &str, keys: &str) -> String {
    keys.split('.')
        .fold(path.to_owned(), |path, key| inside(&path, key))
}

/// As a table says, its defaults, or the whole workflow.
pub(super) fn wants_intervals(part: &Map<String, Value>) -> Option<bool> {
    text_at(part, "intervalHandling").map(|word| word == "interval")
}

fn partition_size(table: &Map<String, Value>) -> PartitionSize {
    let size = |key: &str| at(table, key).and_then(Value::as_u64);
    if let Some(mb) = size("partitionSize.targetSizeMb") {
        PartitionSize::TargetSizeMb(mb)
    } else if let Some(rows) = size("partitionSize.maxRowsPerPartition") {
        PartitionSize::MaxRowsPerPartition(rows)
    } else {
        PartitionSize::Auto
    }
}

/// `None` when something is missing, which is reported.
fn synchronization(table: &Merged<'_>) -> Option<Synchronization> {
    let text = |key: &str| text_at(table.merged, key).map(str::to_owned);
    Some(match text_at(table.merged, "synchronization.strategy") {
        Some("full-replace") => Synchronization::FullReplace,
        Some("checksum") => Synchronization::Checksum {
            expression: text("synchronization.checksumExpression"),
        },
        Some("watermark") => Synchronization::Watermark {
            column: text("synchronization.watermarkColumn")?,
            track_modifications: table.is_on("synchronization.trackModifications"),
            track_deletions: table.is_on("synchronization.trackDeletions"),
        },
        _ => Synchronization::None,
    })
}

fn query_modifiers(table: &Merged<'_>) -> QueryModifiers {
    let filled = |key: &str| {
        let text = text_at(table.merged, key)?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    };
    QueryModifiers {
        object: filled("queryModifiers.objectModifier"),
        // Oracle's word for no hint at all.
        select: filled("queryModifiers.selectModifier")
            .filter(|text| !text.trim().eq_ignore_ascii_case("none")),
        without_child_tables: table.is_off(INCLUDE_CHILD_TABLES),
    }
}
