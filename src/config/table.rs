//! A merged table: whether its settings fit together, whether this version can do what they ask for, and what they mean.

use super::findings::{Findings, inside, shown};
use super::identifier::folded;
use super::merge::{at, text_at};
use crate::domain::table::{PartitionSize, Platform, TableRef, WrittenName};
use crate::domain::task::TableSpec;
use crate::types::snowflake_name::exact_name;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A problem with an inherited value: told once, with the tables that inherit it.
type Inherited = BTreeMap<(String, String), Vec<String>>;

/// Checks merged tables one after the other.
pub(super) struct TableCheck<'a> {
    /// The source's platform.
    pub(super) platform: Platform,
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
    fn is(&self, key: &str, word: &str) -> bool {
        text_at(self.merged, key) == Some(word)
    }

    fn has(&self, key: &str) -> bool {
        at(self.merged, key).is_some()
    }

    fn is_on(&self, key: &str) -> bool {
        at(self.merged, key) == Some(&Value::Bool(true))
    }

    fn is_filled(&self, key: &str) -> bool {
        match at(self.merged, key) {
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(object)) => !object.is_empty(),
            other => other.is_some(),
        }
    }
}

/// The defaults' place.
pub(super) const DEFAULTS: &str = "defaultTableConfiguration";

impl TableCheck<'_> {
    /// What the table means, unless something is wrong.
    pub(super) fn check(&mut self, table: &Merged<'_>) -> Option<TableSpec> {
        self.extraction(table);
        self.synchronization(table);
        self.iceberg(table);
        self.unsupported(table);
        self.mappings(table);
        let source = self.table_ref(table, "source");
        let target = self.table_ref(table, "target");
        if !table.has("columnNamesToPartitionBy") {
            self.missing(
                table,
                "columnNamesToPartitionBy",
                "key inference is not supported yet, name the columns or write []",
            );
        }
        let texts = |list: &str, key: &str| -> Vec<String> {
            let items = at(table.merged, list).and_then(Value::as_array);
            let text = |item: &Value| item.get(key).and_then(Value::as_str).map(str::to_owned);
            items.into_iter().flatten().filter_map(text).collect()
        };
        let pairs = |list: &str, one: &str, other: &str| -> Vec<(String, String)> {
            texts(list, one)
                .into_iter()
                .zip(texts(list, other))
                .collect()
        };
        let strings = |key: &str| -> Vec<String> {
            let items = at(table.merged, key).and_then(Value::as_array);
            let texts = items.into_iter().flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        Some(TableSpec {
            key: Some(strings("columnNamesToPartitionBy")),
            partition_size: partition_size(table.merged),
            where_clause: text_at(table.merged, "whereClauseCriteria").map(str::to_owned),
            column_type_mappings: pairs("columnTypeMappings", "sourceType", "targetType"),
            column_name_mappings: pairs("columnNameMappings", "sourceName", "targetName"),
            ..TableSpec::new(source?, target?)
        })
    }

    /// Tells the problems with inherited values, each once.
    pub(super) fn tell_inherited(self) {
        for ((path, message), tables) in self.inherited {
            let more = match tables.len() {
                0..=3 => String::new(),
                n => format!(" and {} more", n - 3),
            };
            let named: Vec<String> = tables.into_iter().take(3).collect();
            self.findings.problem(
                &path,
                format!("{message} (inherited by {}{more})", named.join(", ")),
            );
        }
    }

    /// A problem with a value that is there: told where it is written.
    fn wrong(&mut self, table: &Merged<'_>, key: &str, message: &str) {
        if at(table.own, key).is_some() {
            self.findings
                .problem(&inside_all(&table.path, key), message);
        } else {
            self.inherited
                .entry((inside_all(DEFAULTS, key), message.to_owned()))
                .or_default()
                .push(table.label.clone());
        }
    }

    /// A problem with a value that is not there, unless what stands in its place is already told.
    fn missing(&mut self, table: &Merged<'_>, key: &str, message: &str) {
        let path = inside_all(&table.path, key);
        if !self.findings.is_broken(&path) && !self.findings.is_broken(&inside_all(DEFAULTS, key)) {
            self.findings.problem(&path, message);
        }
    }

    fn not_yet(&mut self, table: &Merged<'_>, key: &str, what: &str, remedy: &str) {
        self.wrong(
            table,
            key,
            &format!("{what} is not supported yet; {remedy}"),
        );
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

    fn extraction(&mut self, table: &Merged<'_>) {
        let (strategy, stage) = ("extraction.strategy", "extraction.externalStage");
        if table.is(strategy, "unload") {
            if self.platform == Platform::Redshift {
                self.not_yet(table, strategy, "\"unload\"", "write \"regular\"");
            } else {
                self.wrong(
                    table,
                    strategy,
                    &format!(
                        "\"unload\" is for redshift only, and the source is {}; write \"regular\"",
                        self.platform
                    ),
                );
            }
            if !table.has(stage) {
                self.missing(
                    table,
                    stage,
                    "\"unload\" needs the fully qualified name of its stage here",
                );
            }
        } else if table.has(stage) && !table.has(strategy) {
            self.lone(table, stage, strategy, "unload");
        }
    }

    /// A key that only counts with a strategy that nobody wrote: doing without would be a silent surprise.
    fn lone(&mut self, table: &Merged<'_>, key: &str, strategy: &str, word: &str) {
        let is_told = [table.path.as_str(), DEFAULTS]
            .iter()
            .any(|path| self.findings.is_broken(&inside_all(path, strategy)));
        if !is_told {
            let message = format!(
                "this is for strategy \"{word}\", and no strategy is given; write \"strategy\": \"{word}\" next to it or remove it"
            );
            self.wrong(table, key, &message);
        }
    }

    fn synchronization(&mut self, table: &Merged<'_>) {
        let strategy = "synchronization.strategy";
        let watermark_keys = ["watermarkColumn", "trackModifications", "trackDeletions"]
            .map(|key| format!("synchronization.{key}"));
        let written = text_at(table.merged, strategy).unwrap_or("none");
        if written == "watermark" {
            let [column, tracks @ ..] = &watermark_keys;
            if !table.has(column) {
                self.missing(
                    table,
                    column,
                    "strategy \"watermark\" needs the column here",
                );
            }
            for track in tracks {
                if table.is_on(track) && !table.is_filled("primaryKeyColumns") {
                    self.missing(
                        table,
                        "primaryKeyColumns",
                        &format!("`{track}` needs the key's columns here"),
                    );
                }
            }
        }
        if written != "none" {
            self.not_yet(
                table,
                strategy,
                &format!("\"{written}\""),
                "write \"none\" (every run extracts the whole table) or leave `synchronization` away",
            );
        } else if !table.has(strategy) {
            for key in &watermark_keys {
                let is_set = at(table.merged, key).is_some_and(|v| v != &Value::Bool(false));
                if is_set {
                    self.lone(table, key, strategy, "watermark");
                }
            }
            if table.has("synchronization.checksumExpression") {
                self.lone(
                    table,
                    "synchronization.checksumExpression",
                    strategy,
                    "checksum",
                );
            }
        }
    }

    fn iceberg(&mut self, table: &Merged<'_>) {
        let config = "target.icebergConfig";
        if !table.is("target.tableType", "iceberg") {
            if table.is_filled(config) {
                self.wrong(
                    table,
                    config,
                    "this is for tableType \"iceberg\", and this table is native; remove it or set the tableType",
                );
            }
            return;
        }
        self.not_yet(table, "target.tableType", "\"iceberg\"", "write \"native\"");
        let catalog = text_at(table.merged, "target.icebergConfig.catalog").unwrap_or("SNOWFLAKE");
        let (needed, why) = if catalog.eq_ignore_ascii_case("SNOWFLAKE") {
            (
                "target.icebergConfig.externalVolume",
                "catalog SNOWFLAKE needs an external volume here",
            )
        } else {
            (
                "target.icebergConfig.catalogTableName",
                "an external catalog needs the table's name in it here",
            )
        };
        if !table.has(needed) {
            self.missing(table, needed, why);
        }
    }

    fn unsupported(&mut self, table: &Merged<'_>) {
        for (key, remedy) in [
            (
                "loadSegmentation",
                "remove it: files are loaded up to 1,000 in a statement",
            ),
            (
                "excludeSourceColumns",
                "remove it or write [], or leave the columns out of a view",
            ),
            ("queryModifiers", "remove it"),
            (
                "samplingThresholdRows",
                "remove it: boundaries are found without sampling",
            ),
            (
                "samplingTargetRows",
                "remove it: boundaries are found without sampling",
            ),
            ("executionTimeoutMinutes", "remove it"),
        ] {
            if table.is_filled(key) {
                self.not_yet(table, key, "this", remedy);
            }
        }
        if table.has("resetPartitions") && !table.is("resetPartitions", "disabled") {
            self.not_yet(
                table,
                "resetPartitions",
                "this",
                "remove it: with strategy \"none\" every run makes its partitions anew",
            );
        }
        if table.is_on("continueIdentityColumns") {
            self.not_yet(
                table,
                "continueIdentityColumns",
                "this",
                "remove it or write false",
            );
        }
    }

    fn mappings(&mut self, table: &Merged<'_>) {
        let source = |text: &str| folded(text);
        let target = |text: &str| exact_name(&WrittenName(text.to_owned()));
        let list = "columnNameMappings";
        self.each_once(table, list, "sourceName", &source, "is renamed");
        self.each_once(
            table,
            list,
            "targetName",
            &target,
            "is the new name of a column",
        );
        self.each_once(
            table,
            "columnTypeMappings",
            "sourceType",
            &|text: &str| text.trim().to_lowercase(),
            "is mapped",
        );
    }

    fn each_once(
        &mut self,
        table: &Merged<'_>,
        list: &str,
        key: &str,
        meaning: &dyn Fn(&str) -> String,
        what: &str,
    ) {
        let items = at(table.merged, list).and_then(Value::as_array);
        let mut seen = BTreeMap::new();
        for (index, item) in items.into_iter().flatten().enumerate() {
            let Some(text) = item.get(key).and_then(Value::as_str) else {
                continue;
            };
            if let Some(first) = seen.insert(meaning(text), index) {
                let message = format!(
                    "`{}` {what} twice, here and in item {first}; keep one",
                    shown(text)
                );
                // Lists are inherited whole.
                let base = if at(table.own, list).is_some() {
                    &table.path
                } else {
                    DEFAULTS
                };
                let path = inside(&format!("{}[{index}]", inside(base, list)), key);
                if base == DEFAULTS {
                    let entry = self.inherited.entry((path, message)).or_default();
                    entry.push(table.label.clone());
                } else {
                    self.findings.problem(&path, message);
                }
            }
        }
    }
}

fn inside_all(path: &str, keys: &str) -> String {
    keys.split('.')
        .fold(path.to_owned(), |path, key| inside(&path, key))
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
