//! Queries for what a source has, how its tables hang together, and what the login may read of it: the parts that both
//! platforms write alike, and how the answers are read.

use super::names::literals;
use crate::domain::catalog::{Reading, Relation, RelationKind};
use crate::domain::table::TableRef;
use crate::platform::catalog::{
    ColumnPrivilege, ConstraintRow, Estimate, Kinship, Lookalike, Relative,
};
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow, cells, texts};

/// Schemas of the system, and of an extension that keeps the parts of users' tables there: they come with these.
const NOT_OF_SYSTEM: &str = "n.nspname NOT LIKE 'pg!_%' ESCAPE '!' AND n.nspname NOT LIKE '!_timescaledb!_%' ESCAPE '!' \
     AND n.nspname NOT IN ('information_schema', 'catalog_history')";

/// Columns of each relation, and those of them that it has not from others.
pub(in crate::platform) const COLUMNS: &str = "LEFT JOIN (SELECT a.attrelid, count(*) AS num, sum(CASE WHEN a.attinhcount = 0 THEN 1 ELSE 0 END) AS own \
     FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid) k ON k.attrelid = c.oid";

const USABLE: &str = "has_schema_privilege(n.oid, 'USAGE')";

/// What the platforms write differently in the query for all relations.
pub(in crate::platform) struct Parts {
    /// What a relation is, in the words of [`RelationKind`].
    pub(in crate::platform) kind: &'static str,
    /// How many columns it has not from a parent.
    pub(in crate::platform) own_columns: &'static str,
    /// Its parents, with commas between.
    pub(in crate::platform) parents: &'static str,
    /// The case of a login that may read some columns only.
    pub(in crate::platform) some_readable: &'static str,
    /// More tables of the catalog.
    pub(in crate::platform) joins: &'static str,
    /// Which relations are users' tables and views.
    pub(in crate::platform) which: &'static str,
}

/// See [`Catalog::relations`](crate::platform::Catalog::relations).
pub(in crate::platform) fn relations(parts: &Parts) -> Query<Relation> {
    let Parts {
        kind,
        own_columns,
        parents,
        some_readable,
        joins,
        which,
    } = parts;
    let sql = format!(
        "SELECT CAST(c.oid AS varchar), CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {kind}, \
         CAST(COALESCE(k.num, 0) AS varchar), CAST({own_columns} AS varchar), {parents}, \
         CASE WHEN NOT {USABLE} THEN 'none' WHEN has_table_privilege(c.oid, 'SELECT') THEN 'all'{some_readable} ELSE 'none' END \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {COLUMNS}{joins} \
         WHERE {which} AND {NOT_OF_SYSTEM} ORDER BY n.nspname, c.relname"
    );
    Query::new(sql, |row| {
        let [id, schema, name, kind, columns, own, parents, reading] = texts(row)?;
        Some(Relation {
            id,
            schema,
            name,
            kind: RelationKind::parse(&kind),
            num_columns: columns.parse().ok()?,
            num_own_columns: own.parse().ok()?,
            parents: parents
                .split(',')
                .filter(|parent| !parent.is_empty())
                .map(str::to_owned)
                .collect(),
            reading: match reading.as_str() {
                "all" => Reading::All,
                "some" => Reading::SomeColumns,
                _ => Reading::Nothing,
            },
        })
    })
}

/// Reads rows of (`table`, `child` or `parent`; schema, name, kind, number of own columns).
pub(in crate::platform) fn relative(row: TextRow) -> Option<Relative> {
    let [relation, schema, name, kind, own] = texts(row)?;
    Some(Relative {
        relation: match relation.as_str() {
            "table" => Kinship::Itself,
            "parent" => Kinship::Parent,
            _ => Kinship::Child,
        },
        schema,
        name,
        kind: RelationKind::parse(&kind),
        has_own_columns: own != "0",
    })
}

/// See [`Catalog::lookalikes`](crate::platform::Catalog::lookalikes).
pub(in crate::platform) fn lookalikes(
    p: &impl Names,
    table: &TableRef,
    kind: &str,
) -> Query<Lookalike> {
    let (schema, name) = literals(p, table);
    let usable = format!("CASE WHEN {USABLE} THEN 'true' ELSE 'false' END");
    let sql = format!(
        "SELECT 'schema', CAST(n.nspname AS varchar), CAST('' AS varchar), {usable}, '0' \
         FROM pg_catalog.pg_namespace n WHERE lower(CAST(n.nspname AS varchar)) = lower({schema}) UNION ALL \
         SELECT {kind}, CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {usable}, CAST(COALESCE(k.num, 0) AS varchar) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {COLUMNS} \
         WHERE lower(CAST(c.relname AS varchar)) = lower({name})"
    );
    Query::new(sql, |row| {
        let [kind, schema, name, usable, columns] = texts(row)?;
        Some(Lookalike {
            kind: (kind != "schema").then(|| RelationKind::parse(&kind)),
            schema,
            name,
            is_usable: usable == "true",
            has_columns: columns != "0",
        })
    })
}

/// See [`Catalog::privileges`](crate::platform::Catalog::privileges). `readable`: whether the login may read the column.
pub(in crate::platform) fn privileges(
    p: &impl Names,
    table: &TableRef,
    readable: &str,
) -> Query<ColumnPrivilege> {
    let (schema, name) = literals(p, table);
    let sql = format!(
        "SELECT CAST(a.attname AS varchar), CASE WHEN {readable} THEN 'true' ELSE 'false' END, CASE WHEN {USABLE} THEN 'true' ELSE 'false' END \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {schema} AND c.relname = {name} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    Query::new(sql, |row| {
        let [column, readable, usable] = texts(row)?;
        Some(ColumnPrivilege {
            column,
            is_readable: readable == "true",
            is_schema_usable: usable == "true",
        })
    })
}

/// See [`Catalog::constraints`](crate::platform::Catalog::constraints). `unique`: the query for what is unique, which
/// begins with [`of_table`].
pub(in crate::platform) fn constraints(
    p: &impl Names,
    table: &TableRef,
    unique: &str,
) -> Query<ConstraintRow> {
    let of_table = of_table(p, table);
    let sql = format!(
        "SELECT 'column', CAST(a.attname AS varchar), CAST(a.attnum AS varchar) \
         {of_table} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped UNION ALL {unique}"
    );
    Query::new(sql, |row| {
        let [what, name, numbers] = texts(row)?;
        Some(match what.as_str() {
            "column" => ConstraintRow::Column {
                name,
                number: numbers,
            },
            _ => ConstraintRow::Key {
                is_primary: what == "primary",
                name,
                columns: numbers.split(',').map(str::to_owned).collect(),
            },
        })
    })
}

/// The part of a query that picks one table.
pub(in crate::platform) fn of_table(p: &impl Names, table: &TableRef) -> String {
    let (schema, name) = literals(p, table);
    format!(
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = {schema} AND c.relname = {name}"
    )
}

/// A query of rows and bytes, or of no row.
pub(in crate::platform) fn estimate(sql: String) -> Query<Option<Estimate>> {
    Query::new(sql, |row| {
        let [rows, bytes] = cells(row)?;
        let number = |cell: Option<String>| cell?.parse().ok();
        Some(
            number(rows)
                .zip(number(bytes))
                .map(|(rows, bytes)| Estimate { rows, bytes }),
        )
    })
}
