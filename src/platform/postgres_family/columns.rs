//! The query for a table's columns.

use super::names::literals;
use crate::domain::table::{SourceColumn, TableRef, TypeClass};
use crate::platform::catalog::CatalogColumn;
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow};

/// The conditions that pick the table, and its columns.
pub(in crate::platform) struct Picked {
    pub(in crate::platform) table: String,
    pub(in crate::platform) columns: String,
}

/// Picks a table. Sequences, types and indexes have columns too, and no rows of users.
pub(in crate::platform) fn picked(p: &impl Names, table: &TableRef) -> Picked {
    let (schema, name) = literals(p, table);
    let table = format!(
        "n.nspname = {schema} AND c.relname = {name} AND c.relkind NOT IN ('S', 'c', 'i', 'I', 't')"
    );
    Picked {
        columns: format!("{table} AND a.attnum > 0 AND NOT a.attisdropped"),
        table,
    }
}

/// The query, with the way to read its rows.
pub(in crate::platform) fn query(sql: String) -> Query<CatalogColumn> {
    Query::new(sql, |row| Some(read(&row)))
}

fn read(row: &TextRow) -> CatalogColumn {
    let text = |index: usize| row.get(index).cloned().flatten();
    let flag = |index: usize| text(index).as_deref() == Some("true");
    let filled = |index: usize| text(index).filter(|text| !text.is_empty());
    CatalogColumn {
        column: SourceColumn {
            name: text(0).unwrap_or_default(),
            type_name: text(1).unwrap_or_default().to_lowercase(),
            length_or_precision: text(2).and_then(|n| n.parse().ok()),
            scale: text(3).and_then(|n| n.parse().ok()),
            nullable: text(4).as_deref() != Some("false"),
            class: match text(5).as_deref() {
                Some("array") => TypeClass::Array,
                Some("enum") => TypeClass::Enum,
                Some("composite") => TypeClass::Composite,
                _ => TypeClass::Base,
            },
            comment: filled(6),
            computed: flag(7),
            identity: flag(8),
            has_binary_form: flag(10),
        },
        table_comment: filled(9),
    }
}

pub(in crate::platform) const COLUMNS: &str = "pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Comments of the column and of the table, and the column's default.
pub(in crate::platform) const DETAILS: &str = "LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
     LEFT JOIN pg_catalog.pg_description dc ON dc.objoid = a.attrelid AND dc.objsubid = a.attnum AND dc.classoid = CAST('pg_catalog.pg_class' AS regclass) \
     LEFT JOIN pg_catalog.pg_description dt ON dt.objoid = a.attrelid AND dt.objsubid = 0 AND dt.classoid = CAST('pg_catalog.pg_class' AS regclass)";

/// Expressions that the platforms write differently.
pub(in crate::platform) struct Attributes {
    pub(in crate::platform) type_name: &'static str,
    pub(in crate::platform) kind: &'static str,
    pub(in crate::platform) modifier: &'static str,
    pub(in crate::platform) array: &'static str,
    pub(in crate::platform) not_null: &'static str,
    pub(in crate::platform) binary: &'static str,
    pub(in crate::platform) computed: &'static str,
    pub(in crate::platform) identity: &'static str,
}

/// The result's columns, in the order in which [`read`] takes them. A text's modifier is its length, a numeric's precision and scale (11 bits with sign), both plus 4; that of bits is
/// their length, that of a time its digits.
pub(in crate::platform) fn result(attributes: &Attributes) -> String {
    let Attributes {
        type_name,
        kind,
        modifier,
        array,
        not_null,
        binary,
        computed,
        identity,
    } = attributes;
    let flag = |condition: &str| format!("CASE WHEN {condition} THEN 'true' ELSE 'false' END");
    let scale = format!("(({modifier} - 4) % 2048)");
    [
        "a.attname".to_owned(),
        (*type_name).to_owned(),
        format!(
            "CASE WHEN {modifier} < 0 THEN NULL WHEN {type_name} = 'numeric' THEN CAST(({modifier} - 4) / 65536 AS varchar) \
             WHEN {type_name} IN ('varchar', 'bpchar') THEN CAST({modifier} - 4 AS varchar) \
             WHEN {type_name} IN ('bit', 'varbit') THEN CAST({modifier} AS varchar) ELSE NULL END"
        ),
        format!(
            "CASE WHEN {modifier} < 0 THEN NULL WHEN {type_name} = 'numeric' THEN CAST(CASE WHEN {scale} < 1024 THEN {scale} ELSE {scale} - 2048 END AS varchar) \
             WHEN {type_name} IN ('time', 'timetz', 'timestamp', 'timestamptz') THEN CAST({modifier} AS varchar) ELSE NULL END"
        ),
        format!("CASE WHEN {not_null} THEN 'false' ELSE 'true' END"),
        format!(
            "CASE WHEN {array} THEN 'array' WHEN {kind} = 'e' THEN 'enum' WHEN {kind} IN ('c', 'r', 'm') THEN 'composite' ELSE 'base' END"
        ),
        "dc.description".to_owned(),
        flag(computed),
        flag(identity),
        "dt.description".to_owned(),
        flag(binary),
    ]
    .join(", ")
}
