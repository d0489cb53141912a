//! The query for a table's columns.

use super::Redshift;
use crate::domain::table::TableRef;
use crate::platform::catalog::CatalogColumn;
use crate::platform::postgres_family::columns::{
    Attributes, COLUMNS, DETAILS, picked, query, result,
};
use crate::platform::query::Query;

/// Its catalog is that of PostgreSQL 8.0, without generated columns, identities and type categories; it has no domains.
/// The computing node cannot be asked with these tables, so only functions of the leader node are used.
pub(super) fn of_table(table: &TableRef) -> Query<CatalogColumn> {
    let condition = picked(&Redshift, table).columns;
    let array = "e.oid IS NOT NULL";
    query(format!(
        "SELECT {} FROM {COLUMNS} JOIN pg_catalog.pg_type s ON s.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_type e ON e.oid = s.typelem AND s.typlen = -1 AND substring(s.typname, 1, 1) = '_' \
         {DETAILS} WHERE {condition} ORDER BY a.attnum",
        result(&Attributes {
            type_name: "COALESCE(e.typname, s.typname)",
            kind: "COALESCE(e.typtype, s.typtype)",
            modifier: "a.atttypmod",
            array,
            // A view has none of its own, and nobody enforces that of an external table.
            not_null: "a.attnotnull AND c.relkind = 'r'",
            binary: "1 = 0",
            computed: "1 = 0",
            identity: "pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE '\"%identity\"(%' OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%'",
        })
    ))
}
