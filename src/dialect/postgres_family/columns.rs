//! The query for a table's columns.

use super::PostgresFamily;
use crate::dialect::Dialect;
use crate::domain::table::TableRef;

impl PostgresFamily {
    /// See [`Dialect::columns_query`].
    pub(super) fn columns_of(&self, table: &TableRef) -> String {
        // Sequences, types and indexes have columns too, and no rows of users.
        let condition = format!(
            "n.nspname = {} AND c.relname = {} AND c.relkind NOT IN ('S', 'c', 'i', 'I', 't') AND a.attnum > 0 AND NOT a.attisdropped",
            self.quote_text(&self.exact_name(&table.schema)),
            self.quote_text(&self.exact_name(&table.table))
        );
        if self.is_redshift {
            redshift_columns(&condition)
        } else {
            postgres_columns(&condition)
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
            not_null: "a.attnotnull",
            computed: "1 = 0",
            identity: "pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE '\"%identity\"(%' OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%'",
        })
    )
}

/// Domains are followed to their base, arrays to their elements. Attributes that old versions lack are asked for as JSON,
/// where what is missing is NULL.
fn postgres_columns(condition: &str) -> String {
    let is_array = "t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A'";
    format!(
        "WITH RECURSIVE resolved (attnum, type_id, modifier, is_array, not_null) AS (\
         SELECT a.attnum, a.atttypid, a.atttypmod, 1 = 0, a.attnotnull FROM {COLUMNS} WHERE {condition} UNION ALL \
         SELECT r.attnum, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE r.modifier END, \
         r.is_array OR t.typtype <> 'd', r.not_null OR (t.typtype = 'd' AND t.typnotnull AND NOT r.is_array) \
         FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.type_id WHERE t.typtype = 'd' OR ({is_array})) \
         SELECT {} FROM {COLUMNS} JOIN resolved r ON r.attnum = a.attnum JOIN pg_catalog.pg_type t ON t.oid = r.type_id AND t.typtype <> 'd' AND NOT ({is_array}) \
         {DETAILS} WHERE {condition} ORDER BY a.attnum",
        result(&Attributes {
            type_name: "t.typname",
            kind: "t.typtype",
            modifier: "r.modifier",
            array: "r.is_array",
            not_null: "r.not_null",
            computed: "COALESCE(to_jsonb(a) ->> 'attgenerated', '') <> ''",
            identity: "COALESCE(to_jsonb(a) ->> 'attidentity', '') <> '' OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%'",
        })
    )
}

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
    ]
    .join(", ")
}
