//! What is said of a table that is not there: what is there instead, and what to do.

use super::error::{SourceError, SourceErrorKind};
use super::session::Ask;
use crate::domain::catalog::RelationKind;
use crate::domain::table::TableRef;
use crate::plan::names::{in_json, listed};
use crate::plan::relations::remedy;
use crate::platform::{Lookalike, Names, SourcePlatform};

/// Places that a message names at most.
const NAMED: usize = 5;

/// A failure for a table of whose columns the catalog has none. The source is asked once more, or twice.
pub(super) fn no_such_table(
    source: &impl Ask,
    platform: &dyn SourcePlatform,
    table: &TableRef,
    place: &str,
) -> SourceError {
    // It is no more than a better message: the failure is the same.
    let mut found = source.ask(&platform.lookalikes(table)).unwrap_or_default();
    if let Some(query) = platform.external_tables() {
        let schema = platform.exact_name(&table.schema);
        let name = platform.exact_name(&table.table);
        let others = source.ask(&query).unwrap_or_default().into_iter();
        let same = others.filter(|other| other.schema == schema && other.name == name);
        found.extend(same.map(|other| Lookalike {
            kind: Some(other.kind),
            schema: other.schema,
            name: other.name,
            is_usable: true,
            has_columns: false,
        }));
    }
    SourceError::new(
        SourceErrorKind::NoSuchObject,
        explanation(platform, table, &found),
    )
    .at(place)
}

/// Whether what is alike could have been meant.
fn is_readable_kind(found: &Lookalike) -> bool {
    !matches!(found.kind, None | Some(RelationKind::Other(_))) && found.has_columns
}

fn explanation(names: &dyn Names, table: &TableRef, found: &[Lookalike]) -> String {
    const CHECK: &str = "check schemaName and tableName in the workflow (an unquoted name is folded), and databaseName";
    let (schema, name) = (
        names.exact_name(&table.schema),
        names.exact_name(&table.table),
    );
    let relations = || found.iter().filter(|f| f.kind.is_some());
    if let Some((it, kind)) = relations()
        .find(|f| f.schema == schema && f.name == name)
        .and_then(|f| Some((f, f.kind?)))
    {
        let what = kind.as_str();
        return match kind {
            RelationKind::Other(_) => format!(
                "{schema}.{name} is of the kind {what}, and has no rows to move; name a table or a view as tableName, or take it out of the workflow"
            ),
            RelationKind::ExternalTable => {
                format!("{schema}.{name} is an {what}{}", remedy(kind))
            }
            RelationKind::LateBindingView => {
                format!("{schema}.{name} is a {what}{}", remedy(kind))
            }
            _ if !it.has_columns => format!(
                "the {what} {schema}.{name} has no columns, so that there is nothing to move; take it out of the workflow"
            ),
            _ => format!("the {what} {schema}.{name} has only just come; try again"),
        };
    }
    // Spelled otherwise: the nearest place first.
    let mut alike: Vec<&Lookalike> = relations().filter(|f| is_readable_kind(f)).collect();
    alike.sort_by_key(|f| {
        (
            f.schema != schema,
            f.name != name,
            f.schema.to_lowercase() != schema.to_lowercase(),
        )
    });
    let of_schema = |f: &&&Lookalike| f.schema.to_lowercase() == schema.to_lowercase();
    if let Some(near) = alike.iter().find(of_schema) {
        let mut keys = Vec::new();
        if near.schema != schema {
            keys.push(format!("\"schemaName\": {}", in_json(names, &near.schema)));
        }
        if near.name != name {
            keys.push(format!("\"tableName\": {}", in_json(names, &near.name)));
        }
        return format!(
            "there is no such table as {schema}.{name}, but {}.{}: write {}",
            near.schema,
            near.name,
            keys.join(", ")
        );
    }
    let elsewhere: Vec<String> = alike
        .iter()
        .map(|f| format!("{}.{}", f.schema, f.name))
        .collect();
    let elsewhere = match elsewhere.is_empty() {
        true => String::new(),
        false => format!("; there is {}", listed(&elsewhere, NAMED)),
    };
    let schemas = || found.iter().filter(|f| f.kind.is_none());
    match schemas().find(|f| f.schema == schema) {
        Some(it) if !it.is_usable => format!(
            "there is no such table, and the user may not use the schema {schema}: GRANT USAGE ON SCHEMA {} to it{elsewhere}; {CHECK}",
            names.quote_name(&schema)
        ),
        Some(_) => format!("there is no such table{elsewhere}; {CHECK}"),
        None => match schemas().next() {
            Some(near) => format!(
                "there is no such table, as there is no schema {schema}, but {}: write \"schemaName\": {}{elsewhere}; {CHECK}",
                near.schema,
                in_json(names, &near.schema)
            ),
            None => format!(
                "there is no such table, as there is no schema {schema} in this database{elsewhere}; {CHECK}"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::{Platform, WrittenName};
    use crate::platform;

    fn said(schema: &str, name: &str, rows: &[(&str, &str, &str, &str, &str)]) -> String {
        let written = |text: &str| WrittenName(text.to_owned());
        let table = TableRef {
            database: written("d"),
            schema: written(schema),
            table: written(name),
        };
        let found: Vec<Lookalike> = rows
            .iter()
            .map(|(kind, schema, name, usable, columns)| Lookalike {
                kind: (*kind != "schema").then(|| RelationKind::parse(kind)),
                schema: (*schema).to_owned(),
                name: (*name).to_owned(),
                is_usable: *usable == "true",
                has_columns: *columns != "0",
            })
            .collect();
        let names = platform::source(Platform::Postgresql).expect("a platform");
        explanation(names, &table, &found)
    }

    #[test]
    fn what_is_there_instead_is_named() {
        let schema = ("schema", "s", "", "true", "0");
        for (rows, parts) in [
            (
                &[schema, ("sequence", "s", "t", "true", "3")][..],
                &["s.t is of the kind sequence"][..],
            ),
            (
                &[schema, ("table", "s", "t", "true", "0")],
                &["has no columns", "take it out"],
            ),
            (
                &[schema, ("late-binding view", "s", "t", "true", "0")],
                &["NO SCHEMA BINDING"],
            ),
            (
                &[schema, ("external table", "s", "t", "true", "0")],
                &["is an external table"],
            ),
            (
                &[schema, ("table", "s", "T", "true", "2")],
                &["no such table", r#"write "tableName": "\"T\"""#],
            ),
            (
                &[
                    ("schema", "S", "", "true", "0"),
                    ("view", "S", "t", "true", "2"),
                ],
                &[r#"write "schemaName": "\"S\"""#],
            ),
            (
                &[schema, ("table", "other", "t", "true", "2")],
                &["no such table; there is other.t"],
            ),
            (
                &[("schema", "s", "", "false", "0")],
                &["GRANT USAGE ON SCHEMA \"s\""],
            ),
            (&[("schema", "S", "", "true", "0")], &["no schema s, but S"]),
            (&[], &["no schema s in this database", "check schemaName"]),
            (&[schema], &["there is no such table; check"]),
        ] {
            let said = said("s", "t", rows);
            assert!(
                parts.iter().all(|part| said.contains(part)),
                "{rows:?}: {said}"
            );
        }
        // Whoever quoted a name may have meant the folded one.
        let said = said("s", "\"T\"", &[schema, ("table", "s", "t", "true", "2")]);
        assert!(said.contains(r#"write "tableName": "t""#), "{said}");
    }
}
