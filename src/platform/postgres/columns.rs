//! The query for a table's columns.

use super::Postgres;
use crate::domain::table::TableRef;
use crate::platform::catalog::CatalogColumn;
use crate::platform::postgres_family::columns::{
    Attributes, COLUMNS, DETAILS, Picked, picked, query, result,
};
use crate::platform::query::Query;

/// Domains are followed to their base, arrays to their elements. Attributes that old versions lack are asked for as JSON,
/// where what is missing is NULL.
pub(super) fn of_table(table: &TableRef) -> Query<CatalogColumn> {
    let Picked {
        table: of_table,
        columns: condition,
    } = picked(&Postgres, table);
    let is_array = "t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A'";
    query(format!(
        "WITH RECURSIVE resolved (attnum, type_id, modifier, is_array) AS (\
         SELECT a.attnum, a.atttypid, a.atttypmod, 1 = 0 FROM {COLUMNS} WHERE {condition} UNION ALL \
         SELECT r.attnum, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE r.modifier END, \
         r.is_array OR t.typtype <> 'd' \
         FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.type_id WHERE t.typtype = 'd' OR ({is_array})), \
         parts (attnum, type_id) AS (\
         SELECT a.attnum, a.atttypid FROM {COLUMNS} WHERE {condition} UNION SELECT p.attnum, inside.type_id \
         FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type_id CROSS JOIN LATERAL ({INSIDE}) inside), \
         descendants (id) AS (\
         SELECT i.inhrelid FROM {TABLES} JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid WHERE {of_table} UNION \
         SELECT i.inhrelid FROM descendants d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.id) \
         SELECT {} FROM {COLUMNS} JOIN resolved r ON r.attnum = a.attnum JOIN pg_catalog.pg_type t ON t.oid = r.type_id AND t.typtype <> 'd' AND NOT ({is_array}) \
         {DETAILS} WHERE {condition} ORDER BY a.attnum",
        result(&Attributes {
            type_name: TYPE_NAME,
            kind: "t.typtype",
            modifier: "r.modifier",
            array: "r.is_array",
            not_null: NOT_NULL,
            binary: "NOT EXISTS (SELECT 1 FROM parts p JOIN pg_catalog.pg_type s ON s.oid = p.type_id WHERE p.attnum = a.attnum AND CAST(s.typsend AS oid) = 0)",
            computed: "COALESCE(to_jsonb(a) ->> 'attgenerated', '') <> ''",
            identity: "COALESCE(to_jsonb(a) ->> 'attidentity', '') <> '' OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%'",
        })
    ))
}

const TABLES: &str =
    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// The types that the type `t` is made of.
const INSIDE: &str = "SELECT t.typbasetype AS type_id WHERE t.typtype = 'd' \
     UNION ALL SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1 \
     UNION ALL SELECT m.atttypid FROM pg_catalog.pg_attribute m WHERE t.typtype = 'c' AND m.attrelid = t.typrelid AND m.attnum > 0 AND NOT m.attisdropped \
     UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE t.typtype = 'r' AND g.rngtypid = t.oid \
     UNION ALL SELECT g.rngtypid FROM pg_catalog.pg_range g WHERE t.typtype = 'm' AND to_jsonb(g) ->> 'rngmultitypid' = CAST(t.oid AS text)";

/// One of the users' that is called as one of the platform's own has its schema before its name.
const TYPE_NAME: &str = "CASE WHEN t.typnamespace <> CAST('pg_catalog' AS regnamespace) AND EXISTS (\
     SELECT 1 FROM pg_catalog.pg_type s WHERE s.typname = t.typname AND s.typnamespace = CAST('pg_catalog' AS regnamespace)) \
     THEN CAST(CAST(t.typnamespace AS regnamespace) AS text) || '.' || t.typname ELSE t.typname END";

/// Where no row of a query of the table can have NULL. A child table may have dropped NOT NULL, of a domain a NULL may be
/// without ever having been checked, nobody enforces what a foreign table says (as a partition too), and from PostgreSQL 18
/// on rows may be older than their NOT NULL.
const NOT_NULL: &str = "a.attnotnull AND CASE c.relkind WHEN 'r' THEN NOT EXISTS (SELECT 1 FROM descendants) \
     WHEN 'p' THEN NOT EXISTS (SELECT 1 FROM descendants d JOIN pg_catalog.pg_class s ON s.oid = d.id WHERE s.relkind = 'f') ELSE 1 = 0 END \
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_attribute m ON m.attrelid = k.conrelid AND m.attnum = ANY (k.conkey) \
     WHERE (k.conrelid = c.oid OR k.conrelid IN (SELECT d.id FROM descendants d)) AND k.contype = 'n' AND NOT k.convalidated AND m.attname = a.attname)";
