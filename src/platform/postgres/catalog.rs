//! PostgreSQL's catalog.

use super::{Postgres, columns};
use crate::domain::catalog::Relation;
use crate::domain::table::TableRef;
use crate::platform::catalog::{
    Catalog, CatalogColumn, ClockReading, ColumnPrivilege, ConstraintRow, Estimate, Lookalike,
    Relative, ServerFacts,
};
use crate::platform::postgres_family::relations::{self, COLUMNS, Parts, estimate, of_table};
use crate::platform::postgres_family::{Parts as _, clock, literals};
use crate::platform::query::Query;
use crate::platform::scope::Scope;

/// Every transaction holds a lock on its own virtual number, from its first statement to after its commit can be seen;
/// one that has not written yet may still write a time at which it began. Prepared ones have no session, and on a standby
/// the primary's sessions are not seen, but their numbers are. Who is no member of a session's role sees of it only
/// database and role, which is enough. Background processes have no role.
const RUNNING: &str = "SELECT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND a.datname = current_database() AND a.usename IS NOT NULL \
     AND a.pid <> pg_backend_pid() AND COALESCE(a.application_name, '') <> 'snowhaul' \
     UNION ALL SELECT CAST(p.transaction AS varchar) FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database() \
     UNION ALL SELECT CAST(x AS varchar) FROM txid_snapshot_xip(txid_current_snapshot()) AS x WHERE pg_is_in_recovery()";

const CLOCK: &str = "SELECT pg_catalog.to_char(clock.utc, 'YYYY-MM-DD HH24:MI:SS.US'), pg_catalog.to_char(clock.local, 'YYYY-MM-DD HH24:MI:SS.US'), \
     pg_catalog.to_char(clock.utc - interval '1 day', 'YYYY-MM-DD'), pg_catalog.to_char(clock.local - interval '1 day', 'YYYY-MM-DD') \
     FROM (SELECT pg_catalog.clock_timestamp() AT TIME ZONE 'UTC' AS utc, CAST(pg_catalog.clock_timestamp() AS timestamp) AS local) clock";

/// What the view tells of other sessions is for their owners.
const ENCRYPTION: &str = "SELECT CASE WHEN ssl THEN 'true' ELSE 'false' END FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()";

/// What a relation is, in the words of [`RelationKind`](crate::domain::catalog::RelationKind).
const KIND: &str = "CASE WHEN c.relkind IN ('r', 'f', 'v', 'm', 'p') AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
     WHERE d.classid = CAST('pg_catalog.pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e') THEN 'object of an extension' \
     ELSE CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' \
     WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite type' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'relation' END END";

impl Catalog for Postgres {
    fn server(&self) -> Query<ServerFacts> {
        clock::server()
    }

    fn clock(&self) -> Query<ClockReading> {
        clock::clock(CLOCK)
    }

    fn encryption(&self) -> Option<Query<bool>> {
        Some(Query::flag(ENCRYPTION))
    }

    fn columns(&self, table: &TableRef) -> Query<CatalogColumn> {
        columns::of_table(table)
    }

    fn estimates(&self, scope: &Scope<'_>) -> Vec<Query<Option<Estimate>>> {
        let (schema, name) = literals(self, scope.table);
        // Partitions and child tables, whose rows are read with the table's.
        let below = match scope.modifiers.without_child_tables {
            true => "",
            false => {
                " UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.id = i.inhparent"
            }
        };
        // Rows a page as the last ANALYZE saw them, and the pages of now; long values stand elsewhere. A part that was
        // never analyzed is taken to be as dense as the others, one on another server to be as large as then.
        let analyzed = format!(
            "WITH RECURSIVE tree (id) AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {schema} AND c.relname = {name}{below}), \
                 sized AS (SELECT CAST(c.reltuples AS float8) AS tuples, CAST(c.relpages AS float8) AS relpages, c.reltuples > 0 AND c.relpages > 0 AS known, \
                 CASE WHEN c.relkind = 'f' THEN c.relpages ELSE pg_relation_size(c.oid) / b.size END AS pages, \
                 CASE WHEN c.relkind = 'f' THEN c.relpages * b.size ELSE pg_table_size(c.oid) END AS bytes \
                 FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.id CROSS JOIN (SELECT CAST(current_setting('block_size') AS bigint) AS size) b WHERE c.relkind IN ('r', 'm', 'f')), \
                 usual AS (SELECT sum(tuples) / sum(relpages) AS density FROM sized WHERE known) \
                 SELECT CAST(CAST(sum(CASE WHEN s.known THEN s.tuples / s.relpages ELSE u.density END * s.pages) AS bigint) AS varchar), CAST(CAST(sum(s.bytes) AS bigint) AS varchar) \
                 FROM sized s CROSS JOIN usual u WHERE u.density IS NOT NULL HAVING count(*) > 0"
        );
        vec![estimate(analyzed), estimate(self.counted_text(scope))]
    }

    fn constraints(&self, table: &TableRef) -> Query<ConstraintRow> {
        // Every constraint has an index. It has an operator class for each column of the key; what INCLUDE adds has none.
        let unique = format!(
            "SELECT CASE WHEN i.indisprimary THEN 'primary' ELSE 'unique' END, CAST(x.relname AS varchar), \
             array_to_string((CAST(i.indkey AS int2[]))[0:array_upper(i.indclass, 1)], ',') \
             {} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL",
            of_table(self, table)
        );
        relations::constraints(self, table, &unique)
    }

    fn enforces_keys(&self) -> bool {
        true
    }

    fn relations(&self) -> Query<Relation> {
        relations::relations(&Parts {
            kind: KIND,
            own_columns: "COALESCE(k.own, 0)",
            parents: "COALESCE(p.parents, '')",
            some_readable: " WHEN has_any_column_privilege(c.oid, 'SELECT') THEN 'some'",
            joins: " LEFT JOIN (SELECT i.inhrelid, string_agg(CAST(i.inhparent AS varchar), ',') AS parents FROM pg_catalog.pg_inherits i GROUP BY i.inhrelid) p ON p.inhrelid = c.oid",
            // Partitions come with their table. Old versions have none.
            which: "c.relkind IN ('r', 'p', 'f', 'v', 'm') AND COALESCE(to_jsonb(c) ->> 'relispartition', 'false') = 'false'",
        })
    }

    fn relatives(&self, table: &TableRef) -> Option<Query<Relative>> {
        let (schema, name) = literals(self, table);
        // Of a partitioned table there may be very many, which are nobody else's.
        let sql = format!(
            "WITH RECURSIVE root (id, kind) AS (SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {schema} AND c.relname = {name}), \
             below (id) AS (SELECT r.id FROM root r WHERE r.kind <> 'p' UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON b.id = i.inhparent), \
             above (id) AS (SELECT r.id FROM root r UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN above a ON a.id = i.inhrelid) \
             SELECT CASE WHEN r.id IS NULL THEN 'child' ELSE 'table' END, CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {KIND}, CAST(COALESCE(k.own, 0) AS varchar) \
             FROM (SELECT id FROM below UNION SELECT id FROM root) x JOIN pg_catalog.pg_class c ON c.oid = x.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN root r ON r.id = x.id {COLUMNS} UNION ALL \
             SELECT 'parent', CAST(n.nspname AS varchar), CAST(c.relname AS varchar), {KIND}, '0' \
             FROM above x JOIN pg_catalog.pg_class c ON c.oid = x.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN root r ON r.id = x.id WHERE r.id IS NULL ORDER BY 2, 3"
        );
        Some(Query::new(sql, relations::relative))
    }

    fn lookalikes(&self, table: &TableRef) -> Query<Lookalike> {
        relations::lookalikes(self, table, KIND)
    }

    fn privileges(&self, table: &TableRef) -> Query<ColumnPrivilege> {
        relations::privileges(
            self,
            table,
            "has_column_privilege(c.oid, a.attnum, 'SELECT')",
        )
    }

    fn running_transactions(&self) -> Option<Query<String>> {
        Some(Query::text(RUNNING))
    }
}
