//! The query for a table's columns.

use super::PostgresFamily;
use crate::dialect::Dialect;
use crate::domain::table::TableRef;

impl PostgresFamily {
    /// See [`Dialect::columns_query`].
    pub(super) fn columns_of(&self, table: &TableRef) -> String {
        // Sequences, types and indexes have columns too, and no rows of users.
        let of_table = format!(
            "n.nspname = {} AND c.relname = {} AND c.relkind NOT IN ('S', 'c', 'i', 'I', 't')",
            self.quote_text(&self.exact_name(&table.schema)),
            self.quote_text(&self.exact_name(&table.table))
        );
        let condition = format!("{of_table} AND a.attnum > 0 AND NOT a.attisdropped");
        if self.is_redshift {
            redshift_columns(&condition)
        } else {
            postgres_columns(&of_table, &condition)
        }
    }
}

/// Its catalog is that of PostgreSQL 8.0, without generated columns, identities and type categories; it has no domains.
/// The computing node cannot be asked with these tables, so only functions of the leader node are used.
fn redshift_columns(condition: &str) -> String {
    let array = "e.oid IS NOT NULL";
    format!(
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
    )
}

/// Domains are followed to their base, arrays to their elements. Attributes that old versions lack are asked for as JSON,
/// where what is missing is NULL.
fn postgres_columns(of_table: &str, condition: &str) -> String {
    let is_array = "t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A'";
    format!(
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
    )
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

const COLUMNS: &str = "pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Comments of the column and of the table, and the column's default.
const DETAILS: &str = "LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
     LEFT JOIN pg_catalog.pg_description dc ON dc.objoid = a.attrelid AND dc.objsubid = a.attnum AND dc.classoid = CAST('pg_catalog.pg_class' AS regclass) \
     LEFT JOIN pg_catalog.pg_description dt ON dt.objoid = a.attrelid AND dt.objsubid = 0 AND dt.classoid = CAST('pg_catalog.pg_class' AS regclass)";

/// Expressions that the platforms write differently.
struct Attributes {
    type_name: &'static str,
    kind: &'static str,
    modifier: &'static str,
    array: &'static str,
    not_null: &'static str,
    binary: &'static str,
    computed: &'static str,
    identity: &'static str,
}

/// A text's modifier is its length, a numeric's precision and scale (11 bits with sign), both plus 4; that of bits is
/// their length, that of a time its digits.
fn result(attributes: &Attributes) -> String {
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
