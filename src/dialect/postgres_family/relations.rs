//! Queries for what a source has, how its tables hang together, and what the login may read of it.

use super::PostgresFamily;
use crate::dialect::Dialect;
use crate::domain::table::TableRef;

/// Schemas of the system, and of an extension that keeps the parts of users' tables there: they come with these.
const NOT_OF_SYSTEM: &str = "n.nspname NOT LIKE 'pg!_%' ESCAPE '!' AND n.nspname NOT LIKE '!_timescaledb!_%' ESCAPE '!' \
     AND n.nspname NOT IN ('information_schema', 'catalog_history')";

/// Columns of each relation, and those of them that it has not from others.
const COLUMNS: &str = "LEFT JOIN (SELECT a.attrelid, count(*) AS num, sum(CASE WHEN a.attinhcount = 0 THEN 1 ELSE 0 END) AS own \
     FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid) k ON k.attrelid = c.oid";

/// What a relation is, in the words of [`RelationKind`](crate::plan::relations::RelationKind).
const POSTGRES_KIND: &str = "CASE WHEN c.relkind IN ('r', 'f', 'v', 'm', 'p') AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
     WHERE d.classid = CAST('pg_catalog.pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e') THEN 'object of an extension' \
     ELSE CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' \
     WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite type' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'relation' END END";

/// The same on Redshift. The catalog has no columns of a late-binding view.
const REDSHIFT_KIND: &str = "CASE WHEN c.relkind = 'v' AND k.num IS NULL THEN 'late-binding view' \
     ELSE CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' \
     WHEN 'c' THEN 'composite type' WHEN 'i' THEN 'index' ELSE 'relation' END END";

const USABLE: &str = "has_schema_privilege(n.oid, 'USAGE')";

impl PostgresFamily {
    fn kind_of_relation(&self) -> &'static str {
        if self.is_redshift {
            REDSHIFT_KIND
        } else {
            POSTGRES_KIND
        }
    }

    /// See [`Dialect::relations_query`].
    pub(super) fn relations(&self) -> String {
        let kind = self.kind_of_relation();
        let (own, parents, some, more, which) = if self.is_redshift {
            (
                "0",
                "''",
                "",
                "",
                // What a materialized view is made of is the view's business.
                "c.relkind IN ('r', 'v', 'm') AND c.relname NOT LIKE 'mv!_tbl!_!_%' ESCAPE '!'",
            )
        } else {
            (
                "COALESCE(k.own, 0)",
                "COALESCE(p.parents, '')",
                " WHEN has_any_column_privilege(c.oid, 'SELECT') THEN 'some'",
                " LEFT JOIN (SELECT i.inhrelid, string_agg(CAST(i.inhparent AS varchar), ',') AS parents FROM pg_catalog.pg_inherits i GROUP BY i.inhrelid) p ON p.inhrelid = c.oid",
                // Partitions come with their table. Old versions have none.
                "c.relkind IN ('r', 'p', 'f', 'v', 'm') AND COALESCE(to_jsonb(c) ->> 'relispartition', 'false') = 'false'",
            )
        };
        format!(
            "SELECT CAST(c.oid AS varchar), CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {kind}, \
             CAST(COALESCE(k.num, 0) AS varchar), CAST({own} AS varchar), {parents}, \
             CASE WHEN NOT {USABLE} THEN 'none' WHEN has_table_privilege(c.oid, 'SELECT') THEN 'all'{some} ELSE 'none' END \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {COLUMNS}{more} \
             WHERE {which} AND {NOT_OF_SYSTEM} ORDER BY n.nspname, c.relname"
        )
    }

    /// See [`Dialect::external_tables_query`].
    pub(super) fn external_tables(&self) -> Option<&'static str> {
        // The view tells of other databases too.
        self.is_redshift.then_some(
            "SELECT CAST(schemaname AS varchar), CAST(tablename AS varchar) FROM svv_external_tables \
             WHERE redshift_database_name = current_database() ORDER BY 1, 2",
        )
    }

    /// See [`Dialect::relatives_query`].
    pub(super) fn relatives(&self, table: &TableRef) -> Option<String> {
        let (schema, name) = self.texts(table);
        // Of a partitioned table there may be very many, which are nobody else's.
        (!self.is_redshift).then(|| format!(
            "WITH RECURSIVE root (id, kind) AS (SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {schema} AND c.relname = {name}), \
             below (id) AS (SELECT r.id FROM root r WHERE r.kind <> 'p' UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON b.id = i.inhparent), \
             above (id) AS (SELECT r.id FROM root r UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN above a ON a.id = i.inhrelid) \
             SELECT CASE WHEN r.id IS NULL THEN 'child' ELSE 'table' END, CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {POSTGRES_KIND}, CAST(COALESCE(k.own, 0) AS varchar) \
             FROM (SELECT id FROM below UNION SELECT id FROM root) x JOIN pg_catalog.pg_class c ON c.oid = x.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN root r ON r.id = x.id {COLUMNS} UNION ALL \
             SELECT 'parent', CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {POSTGRES_KIND}, '0' \
             FROM above x JOIN pg_catalog.pg_class c ON c.oid = x.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN root r ON r.id = x.id WHERE r.id IS NULL ORDER BY 2, 3"
        ))
    }

    /// See [`Dialect::lookalikes_query`].
    pub(super) fn lookalikes(&self, table: &TableRef) -> String {
        let (schema, name) = self.texts(table);
        let kind = self.kind_of_relation();
        let usable = format!("CASE WHEN {USABLE} THEN 'true' ELSE 'false' END");
        format!(
            "SELECT 'schema', CAST(n.nspname AS varchar), CAST('' AS varchar), {usable}, '0' \
             FROM pg_catalog.pg_namespace n WHERE lower(CAST(n.nspname AS varchar)) = lower({schema}) UNION ALL \
             SELECT {kind}, CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {usable}, CAST(COALESCE(k.num, 0) AS varchar) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace {COLUMNS} \
             WHERE lower(CAST(c.relname AS varchar)) = lower({name})"
        )
    }

    /// See [`Dialect::privileges_query`].
    pub(super) fn privileges(&self, table: &TableRef) -> String {
        let (schema, name) = self.texts(table);
        let readable = if self.is_redshift {
            "has_table_privilege(c.oid, 'SELECT')"
        } else {
            "has_column_privilege(c.oid, a.attnum, 'SELECT')"
        };
        format!(
            "SELECT CAST(a.attname AS varchar), CASE WHEN {readable} THEN 'true' ELSE 'false' END, CASE WHEN {USABLE} THEN 'true' ELSE 'false' END \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {schema} AND c.relname = {name} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
    }

    /// Exact names of schema and table as literals.
    pub(super) fn texts(&self, table: &TableRef) -> (String, String) {
        (
            self.quote_text(&self.exact_name(&table.schema)),
            self.quote_text(&self.exact_name(&table.table)),
        )
    }
}
