//! Whether a merged table's settings fit together, and whether this version can do what they ask for.

use super::findings::shown;
use super::identifier::folded;
use super::merge::{at, text_at};
use super::table::{DEFAULTS, INCLUDE_CHILD_TABLES, Merged, TableCheck, inside_all};
use crate::domain::problem::Code;
use crate::domain::table::{Platform, WrittenName};
use crate::platform;
use crate::types::snowflake_name::exact_name;
use serde_json::Value;
use std::collections::BTreeMap;

/// The key of the key's columns.
const PRIMARY_KEY: &str = "primaryKeyColumns";
/// The key of the columns that are left out.
const EXCLUDED: &str = "excludeSourceColumns";

impl TableCheck<'_> {
    /// Tells everything about the table that does not fit together.
    pub(super) fn rules(&mut self, table: &Merged<'_>) {
        self.extraction(table);
        self.synchronization(table);
        self.iceberg(table);
        self.mappings(table);
        self.exclusions(table);
        self.child_tables(table);
        self.partition_by_date(table);
    }

    fn child_tables(&mut self, table: &Merged<'_>) {
        if let Some(platform) = self.platform
            && !platform::settings(platform).has_child_tables()
            && table.is_off(INCLUDE_CHILD_TABLES)
        {
            let message = format!(
                "no table of {platform} has child tables, so that there is nothing to leave out; remove it"
            );
            self.wrong(table, INCLUDE_CHILD_TABLES, &message);
        }
    }

    /// A key that only counts with a strategy that nobody wrote: doing without would be a silent surprise.
    pub(super) fn require_companion_of(
        &mut self,
        table: &Merged<'_>,
        key: &str,
        strategy: &str,
        word: &str,
    ) {
        let is_reported = [table.path.as_str(), DEFAULTS].iter().any(|path| {
            self.findings
                .has_problem_at_or_above(&inside_all(path, strategy))
        });
        if !is_reported {
            let message = format!(
                "this is for strategy \"{word}\", and no strategy is given; write \"strategy\": \"{word}\" next to it or remove it"
            );
            self.wrong(table, key, &message);
        }
    }

    fn synchronization(&mut self, table: &Merged<'_>) {
        let strategy = "synchronization.strategy";
        let column = "synchronization.watermarkColumn";
        let tracks =
            ["trackModifications", "trackDeletions"].map(|key| format!("synchronization.{key}"));
        match text_at(table.merged, strategy) {
            Some("watermark") => {
                if !table.has(column) {
                    self.missing(
                        table,
                        column,
                        "strategy \"watermark\" needs the column here",
                    );
                }
            }
            Some(other) => {
                let [_, deletions] = &tracks;
                // What the defaults say for another strategy than the table's own means nothing.
                let is_meant =
                    at(table.own, deletions).is_some() || at(table.own, strategy).is_none();
                if is_meant && table.is_on(deletions) {
                    let message = format!(
                        "this is for strategy \"watermark\", and the strategy is \"{other}\"; remove it or write false"
                    );
                    self.wrong(table, deletions, &message);
                }
            }
            None => {
                for key in tracks.iter().map(String::as_str).chain([column]) {
                    let is_set = at(table.merged, key).is_some_and(|v| v != &Value::Bool(false));
                    if is_set {
                        self.require_companion_of(table, key, strategy, "watermark");
                    }
                }
                let expression = "synchronization.checksumExpression";
                if table.has(expression) {
                    self.require_companion_of(table, expression, strategy, "checksum");
                }
            }
        }
    }

    fn partition_by_date(&mut self, table: &Merged<'_>) {
        let (key, columns) = ("partitionByDate", "columnNamesToPartitionBy");
        if table.has(key) && !table.is_filled(columns) {
            self.wrong(
                table,
                key,
                "it cuts at units of the one date column in columnNamesToPartitionBy, and that names no column; name it there",
            );
        }
    }

    fn mappings(&mut self, table: &Merged<'_>) {
        let platform = self.platform;
        let source = move |text: &str| meaning(platform, text);
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
                let what = format!("`{}` {what} twice, here and in item {first}", shown(text));
                let problem = Code::GIVEN_TWICE.problem(what).hint("keep one");
                self.wrong_item(table, (list, index, Some(key)), problem);
            }
        }
    }

    /// A column that is left out takes no part in anything else.
    fn exclusions(&mut self, table: &Merged<'_>) {
        let excluded = table.texts(EXCLUDED, Value::as_str);
        if excluded.is_empty() {
            return;
        }
        let mut uses: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (list, what) in [
            ("columnNamesToPartitionBy", "the table is partitioned by it"),
            (PRIMARY_KEY, "it is one of the primaryKeyColumns"),
        ] {
            for name in table.texts(list, Value::as_str) {
                uses.entry(self.meaning(&name)).or_default().push(what);
            }
        }
        if table.is("synchronization.strategy", "watermark")
            && let Some(name) = text_at(table.merged, "synchronization.watermarkColumn")
        {
            let used = uses.entry(self.meaning(name)).or_default();
            used.push("it is the watermarkColumn");
        }
        for (index, name) in excluded.iter().enumerate() {
            if let Some(used) = uses.get(&self.meaning(name)) {
                let what = format!(
                    "`{}` cannot be left out: {}",
                    shown(name),
                    used.join(", and ")
                );
                let problem = Code::CONFLICTING_SETTINGS.problem(what);
                self.wrong_item(table, (EXCLUDED, index, None), problem);
            }
        }
        let excluded: Vec<String> = excluded.iter().map(|name| self.meaning(name)).collect();
        let renamed = table.texts("columnNameMappings", |item| {
            item.get("sourceName")?.as_str()
        });
        for (index, name) in renamed.iter().enumerate() {
            if excluded.contains(&self.meaning(name)) {
                let what = format!("`{}` is renamed, and left out by {EXCLUDED}", shown(name));
                let problem = Code::CONFLICTING_SETTINGS.problem(what).hint("keep one");
                let place = ("columnNameMappings", index, Some("sourceName"));
                self.wrong_item(table, place, problem);
            }
        }
    }

    fn meaning(&self, written: &str) -> String {
        meaning(self.platform, written)
    }
}

/// What written names of the same source column have in common.
fn meaning(platform: Option<Platform>, written: &str) -> String {
    match platform.and_then(platform::source) {
        Some(source) => source.exact_name(&WrittenName(written.to_owned())),
        None => folded(written),
    }
}
