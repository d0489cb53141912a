//! A workflow file for tables that a source has: which of them, and its text. Pure.

use super::identifier;
use crate::domain::problem::{Code, Problem};
use crate::domain::table::WrittenName;
use crate::domain::wildcard::Wildcards;
use crate::plan::names::listed;
use crate::platform::SourcePlatform;
use crate::types::snowflake_name::{column_name, exact_name, quote};
use serde::Serialize;
use std::collections::BTreeSet;

/// A table of the source, by exact names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The columns that it can be cut by; empty: one partition.
    pub key: Vec<String>,
    /// The columns that the login may not read.
    pub unreadable: Vec<String>,
    /// Whether the rows of its child tables stay out of it, because these are tables of the workflow themselves.
    pub without_child_tables: bool,
}

/// What the command line says of all tables.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// The source's database, by its exact name.
    pub database: String,
    /// The target's database, as the user wrote it; `None`: named like the source's.
    pub target_database: Option<WrittenName>,
    /// The target's schema, as the user wrote it; `None`: each named like the source's.
    pub target_schema: Option<WrittenName>,
}

/// Checks a name of the command line.
///
/// # Errors
/// What is wrong and what to write instead.
pub fn check_name(option: &str, written: &str) -> Result<WrittenName, Problem> {
    match identifier::check(written, false) {
        Ok(()) => Ok(WrittenName(written.to_owned())),
        Err(why) => Err(Code::INVALID_NAME
            .says(format!("`{written}`: {why}"))
            .at(option)),
    }
}

/// Whether a pattern means a table: `*` stands for any characters and `?` for one, upper and lower case are the same. A
/// pattern is compared with the table's name, and with `schema.table`.
pub fn selects(pattern: &str, schema: &str, table: &str) -> bool {
    let plain = |text: &str| text.trim().to_lowercase();
    let is_meant = |text: &str| Wildcards::FILES.matches(&plain(pattern), &plain(text));
    is_meant(table) || is_meant(&format!("{schema}.{table}"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workflow {
    schema_version: &'static str,
    default_table_configuration: Defaults,
    tables: Vec<Table>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    source: Place,
    target: Place,
    partition_size: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    source: Place,
    target: Place,
    column_names_to_partition_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_child_tables: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude_source_columns: Vec<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    database_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name: Option<String>,
}

/// The text of a workflow file for the tables, and what users should know of it.
pub fn workflow_text(
    dialect: &dyn SourcePlatform,
    options: &GenerateOptions,
    tables: &[FoundTable],
) -> (String, Vec<String>) {
    let source_name = |exact: &str| {
        written(
            exact,
            |name| dialect.exact_name(name),
            |n| dialect.quote_name(n),
        )
    };
    let target_name = |exact: &str| written(exact, exact_name, quote);
    let target_schema = |schema: &str| match &options.target_schema {
        Some(schema) => schema.0.clone(),
        None => target_name(&column_name(schema)),
    };
    let one_schema = match tables {
        [first, rest @ ..] if rest.iter().all(|table| table.schema == first.schema) => {
            Some(first.schema.as_str())
        }
        _ => None,
    };
    let one_target = match (&options.target_schema, one_schema) {
        (Some(schema), _) => Some(schema.0.clone()),
        (None, schema) => schema.map(target_schema),
    };
    let mut warnings = Vec::new();
    let mut taken = BTreeSet::new();
    let mut entries = Vec::new();
    for found in tables {
        let schema = target_schema(&found.schema);
        let plain = column_name(&found.table);
        let longer = column_name(&format!("{}_{}", found.schema, found.table));
        let numbered = (2..).map(|n: u32| format!("{longer}_{n}"));
        let exact_schema = exact_name(&WrittenName(schema.clone()));
        let free = [plain.clone(), longer.clone()]
            .into_iter()
            .chain(numbered)
            .find(|name| taken.insert((exact_schema.clone(), name.clone())));
        let name = free.unwrap_or_else(|| plain.clone());
        if name != plain {
            warnings.push(format!(
                "table {}.{} goes into {name}: there is another table whose target is {plain}",
                found.schema, found.table
            ));
        }
        if found.key.is_empty() {
            warnings.push(format!(
                "table {}.{} has no key that it could be cut by: it is one partition; name columns in columnNamesToPartitionBy if it is large",
                found.schema, found.table
            ));
        }
        if !found.unreadable.is_empty() {
            warnings.push(format!(
                "table {}.{}: the login may not read {}: they are in excludeSourceColumns and stay behind; GRANT SELECT on them to it, and take them out of there",
                found.schema,
                found.table,
                listed(&found.unreadable, 10)
            ));
        }
        entries.push(Table {
            source: Place {
                schema_name: one_schema.is_none().then(|| source_name(&found.schema)),
                table_name: Some(source_name(&found.table)),
                ..Place::default()
            },
            target: Place {
                schema_name: one_target.is_none().then_some(schema),
                table_name: Some(target_name(&name)),
                ..Place::default()
            },
            column_names_to_partition_by: found.key.iter().map(|name| source_name(name)).collect(),
            include_child_tables: found.without_child_tables.then_some(false),
            exclude_source_columns: found
                .unreadable
                .iter()
                .map(|name| source_name(name))
                .collect(),
        });
    }
    let target_database = match &options.target_database {
        Some(database) => database.0.clone(),
        None => target_name(&column_name(&options.database)),
    };
    let workflow = Workflow {
        schema_version: "1.0.0",
        default_table_configuration: Defaults {
            source: Place {
                database_name: Some(source_name(&options.database)),
                schema_name: one_schema.map(source_name),
                table_name: None,
            },
            target: Place {
                database_name: Some(target_database),
                schema_name: one_target,
                table_name: None,
            },
            partition_size: "auto",
        },
        tables: entries,
    };
    // Texts and lists alone: this cannot fail.
    let text = serde_json::to_string_pretty(&workflow).unwrap_or_default();
    (text + "\n", warnings)
}

/// An exact name as users write it: with quotes only where it needs them.
fn written(
    exact: &str,
    meaning: impl Fn(&WrittenName) -> String,
    quoted: impl Fn(&str) -> String,
) -> String {
    let bare = identifier::check(exact, true).is_ok() && !exact.starts_with('[');
    if bare && meaning(&WrittenName(exact.to_owned())) == exact {
        exact.to_owned()
    } else {
        quoted(exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::json_schema::takes;
    use crate::config::workflow::load;
    use crate::domain::table::Platform;
    use crate::platform;
    use proptest::prelude::*;

    fn found(schema: &str, table: &str, key: &[&str]) -> FoundTable {
        FoundTable {
            schema: schema.into(),
            table: table.into(),
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            unreadable: Vec::new(),
            without_child_tables: false,
        }
    }

    fn text(tables: &[FoundTable], target_schema: Option<&str>) -> (String, Vec<String>) {
        let options = GenerateOptions {
            database: "shop".into(),
            target_database: None,
            target_schema: target_schema.map(|name| WrittenName(name.to_owned())),
        };
        let dialect = platform::source(Platform::Postgresql).expect("a platform");
        workflow_text(dialect, &options, tables)
    }

    #[test]
    fn what_is_common_stands_in_the_defaults_and_names_are_quoted_where_they_need_it() {
        let tables = [
            found("public", "orders", &["id"]),
            found("public", "Order Lines", &["order", "No"]),
        ];
        let (text, warnings) = text(&tables, None);
        assert_eq!(warnings, Vec::<String>::new());
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value,
            serde_json::json!({
                "schemaVersion": "1.0.0",
                "defaultTableConfiguration": {
                    "source": {"databaseName": "shop", "schemaName": "public"},
                    "target": {"databaseName": "SHOP", "schemaName": "PUBLIC"},
                    "partitionSize": "auto",
                },
                "tables": [
                    {"source": {"tableName": "orders"}, "target": {"tableName": "ORDERS"}, "columnNamesToPartitionBy": ["id"]},
                    {"source": {"tableName": "\"Order Lines\""}, "target": {"tableName": "\"Order Lines\""}, "columnNamesToPartitionBy": ["order", "\"No\""]},
                ],
            })
        );
        assert!(text.find("source") < text.find("target"), "{text}");
    }

    #[test]
    fn each_table_has_a_target_of_its_own_and_what_is_odd_is_told() {
        let tables = [
            found("a", "t", &["id"]),
            found("b", "t", &["id"]),
            found("b", "T", &[]),
        ];
        let (text, warnings) = text(&tables, Some("RAW"));
        for name in ["\"T\"", "\"B_T\""] {
            assert!(text.contains(&format!("\"tableName\": {name}")), "{text}");
        }
        assert!(text.contains("B_T") && warnings.len() == 3, "{warnings:?}");
        assert!(warnings[2].contains("no key"), "{warnings:?}");
    }

    #[test]
    fn a_parent_stands_without_its_child_tables_and_a_table_without_what_is_hidden() {
        let parent = FoundTable {
            without_child_tables: true,
            unreadable: vec!["Ssn".to_owned()],
            ..found("a", "t", &["id"])
        };
        let (text, warnings) = text(&[parent], None);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let table = &value["tables"][0];
        assert_eq!(table["includeChildTables"], false);
        assert_eq!(
            table["excludeSourceColumns"],
            serde_json::json!(["\"Ssn\""])
        );
        assert!(warnings[0].contains("may not read Ssn"), "{warnings:?}");
    }

    #[test]
    fn patterns_mean_tables() {
        for (pattern, table) in [
            ("sales_*", "sales_2024"),
            ("*", "anything"),
            ("SALES_?", "sales_1"),
            ("public.s*s", "sales"),
            ("*a*b*", "xxaxxbxx"),
            ("**", ""),
            (" sales ", "sales"),
        ] {
            assert!(selects(pattern, "public", table), "{pattern} {table}");
        }
        for (pattern, table) in [
            ("sales_*", "sales"),
            ("", "x"),
            ("s?les", "sles"),
            ("other.*", "sales"),
            ("a*b", "abc"),
        ] {
            assert!(!selects(pattern, "public", table), "{pattern} {table}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_names_the_file_is_one_that_means_them(
            names in prop::collection::btree_set(("[^\0]{1,8}", "[^\0]{1,8}"), 1..6),
            key in prop::collection::btree_set("[^\0]{1,6}", 0..3),
            target_schema in prop::option::of("[A-Z]{1,4}"),
        ) {
            let key: Vec<&str> = key.iter().map(String::as_str).collect();
            let tables: Vec<FoundTable> = names.iter().map(|(schema, table)| found(schema, table, &key)).collect();
            let (text, _) = text(&tables, target_schema.as_deref());
            let folder = tempfile::tempdir().expect("temporary directory");
            let path = folder.path().join("w.json");
            std::fs::write(&path, &text).expect("write");
            for platform in [Platform::Postgresql, Platform::Redshift] {
                let dialect = platform::source(platform).expect("a platform");
                let file = load(&path, platform).map_err(|errors| TestCaseError::fail(format!("{errors}\n{text}")))?;
                prop_assert_eq!(file.tables.len(), tables.len());
                for (spec, table) in file.tables.iter().zip(&tables) {
                    prop_assert_eq!(&dialect.exact_name(&spec.source.schema), &table.schema);
                    prop_assert_eq!(&dialect.exact_name(&spec.source.table), &table.table);
                    let key: Vec<String> = spec.key.iter().flatten().map(|name| dialect.exact_name(&WrittenName(name.clone()))).collect();
                    prop_assert_eq!(&key, &table.key);
                }
            }
            prop_assert!(takes(&serde_json::from_str(&text).expect("JSON")), "{}", text);
        }
    }
}
