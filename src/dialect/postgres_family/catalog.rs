//! What the catalog tells beside the columns: sizes, constraints, transactions.

use super::PostgresFamily;
use crate::dialect::Scope;
use crate::domain::table::TableRef;

/// Every transaction holds a lock on its own virtual number, from its first statement to after its commit can be seen;
/// one that has not written yet may still write a time at which it began. Prepared ones have no session, and on a standby
/// the primary's sessions are not seen, but their numbers are. Who is no member of a session's role sees of it only
/// database and role, which is enough. Background processes have no role.
const RUNNING: &str = "SELECT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND a.datname = current_database() AND a.usename IS NOT NULL \
     AND a.pid <> pg_backend_pid() AND COALESCE(a.application_name, '') <> 'snowhaul' \
     UNION ALL SELECT CAST(p.transaction AS varchar) FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database() \
     UNION ALL SELECT CAST(x AS varchar) FROM txid_snapshot_xip(txid_current_snapshot()) AS x WHERE pg_is_in_recovery()";

pub(super) const SERVER: &str = "SELECT version(), CAST(EXTRACT(epoch FROM now()) AS varchar)";

const CLOCK: &str = "SELECT pg_catalog.to_char(clock.utc, 'YYYY-MM-DD HH24:MI:SS.US'), pg_catalog.to_char(clock.local, 'YYYY-MM-DD HH24:MI:SS.US'), \
     pg_catalog.to_char(clock.utc - interval '1 day', 'YYYY-MM-DD'), pg_catalog.to_char(clock.local - interval '1 day', 'YYYY-MM-DD') \
     FROM (SELECT pg_catalog.clock_timestamp() AT TIME ZONE 'UTC' AS utc, CAST(pg_catalog.clock_timestamp() AS timestamp) AS local) clock";

/// GETDATE() is the statement's time, in whole seconds and in the session's zone. No table: the leader answers by itself.
/// https://docs.aws.amazon.com/redshift/latest/dg/r_GETDATE.html
const REDSHIFT_CLOCK: &str = "SELECT to_char(CAST(getdate() AS timestamptz) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), \
     to_char(getdate(), 'YYYY-MM-DD HH24:MI:SS.US'), \
     to_char((CAST(getdate() AS timestamptz) AT TIME ZONE 'UTC') - interval '1 day', 'YYYY-MM-DD'), \
     to_char(getdate() - interval '1 day', 'YYYY-MM-DD')";

/// What the view tells of other sessions is for their owners.
pub(super) const ENCRYPTION: &str = "SELECT CASE WHEN ssl THEN 'true' ELSE 'false' END FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()";

impl PostgresFamily {
    pub(super) fn estimates(&self, scope: &Scope<'_>) -> Vec<String> {
        let (schema, name) = self.texts(scope.table);
        let mut queries = Vec::new();
        if self.is_redshift {
            queries.push(format!("SELECT CAST(tbl_rows AS bigint)::varchar, (CAST(size AS bigint) * 1048576)::varchar FROM svv_table_info WHERE \"schema\" = {schema} AND \"table\" = {name}"));
            queries.push(format!(
                "SELECT CAST(c.reltuples AS bigint)::varchar, (CAST(c.relpages AS bigint) * 8192)::varchar FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {schema} AND c.relname = {name} AND c.reltuples > 0"
            ));
        } else {
            // Partitions and child tables, whose rows are read with the table's.
            let below = match scope.modifiers.without_child_tables {
                true => "",
                false => {
                    " UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.id = i.inhparent"
                }
            };
            // Rows a page as the last ANALYZE saw them, and the pages of now; long values stand elsewhere. A part that was
            // never analyzed is taken to be as dense as the others, one on another server to be as large as then.
            queries.push(format!(
                "WITH RECURSIVE tree (id) AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {schema} AND c.relname = {name}{below}), \
                 sized AS (SELECT CAST(c.reltuples AS float8) AS tuples, CAST(c.relpages AS float8) AS relpages, c.reltuples > 0 AND c.relpages > 0 AS known, \
                 CASE WHEN c.relkind = 'f' THEN c.relpages ELSE pg_relation_size(c.oid) / b.size END AS pages, \
                 CASE WHEN c.relkind = 'f' THEN c.relpages * b.size ELSE pg_table_size(c.oid) END AS bytes \
                 FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.id CROSS JOIN (SELECT CAST(current_setting('block_size') AS bigint) AS size) b WHERE c.relkind IN ('r', 'm', 'f')), \
                 usual AS (SELECT sum(tuples) / sum(relpages) AS density FROM sized WHERE known) \
                 SELECT CAST(CAST(sum(CASE WHEN s.known THEN s.tuples / s.relpages ELSE u.density END * s.pages) AS bigint) AS varchar), CAST(CAST(sum(s.bytes) AS bigint) AS varchar) \
                 FROM sized s CROSS JOIN usual u WHERE u.density IS NOT NULL HAVING count(*) > 0"
            ));
        }
        // Never analyzed: 100 bytes a row is as good a guess as any.
        queries.push(format!(
            "{} count(*)::varchar, (count(*) * 100)::varchar FROM {}{}",
            self.select(scope),
            self.from(scope),
            self.condition(scope, Vec::new())
        ));
        queries
    }

    pub(super) fn constraints(&self, table: &TableRef) -> String {
        let (schema, name) = self.texts(table);
        let of_table = format!(
            "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = {schema} AND c.relname = {name}"
        );
        let unique = if self.is_redshift {
            // There they are promises of the user; ranges need no more.
            format!(
                "SELECT CASE WHEN k.contype = 'p' THEN 'primary' ELSE 'unique' END, CAST(k.conname AS varchar), array_to_string(k.conkey, ',') \
                 {of_table} JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid WHERE k.contype IN ('p', 'u')"
            )
        } else {
            // Every constraint has an index. It has an operator class for each column of the key; what INCLUDE adds has none.
            format!(
                "SELECT CASE WHEN i.indisprimary THEN 'primary' ELSE 'unique' END, CAST(x.relname AS varchar), \
                 array_to_string((CAST(i.indkey AS int2[]))[0:array_upper(i.indclass, 1)], ',') \
                 {of_table} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
                 WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
            )
        };
        format!(
            "SELECT 'column', CAST(a.attname AS varchar), CAST(a.attnum AS varchar) \
             {of_table} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped UNION ALL {unique}"
        )
    }

    pub(super) fn layout(&self, table: &TableRef) -> Option<String> {
        let (schema, name) = self.texts(table);
        self.is_redshift.then(|| format!(
            "SELECT CAST(column_name AS varchar), CAST(sortkey AS varchar), CASE WHEN distkey THEN 'true' ELSE 'false' END \
             FROM svv_redshift_columns WHERE database_name = current_database() AND schema_name = {schema} AND table_name = {name}"
        ))
    }

    pub(super) fn clock(&self) -> &'static str {
        if self.is_redshift {
            REDSHIFT_CLOCK
        } else {
            CLOCK
        }
    }

    pub(super) fn running_transactions(&self) -> Option<&'static str> {
        // Redshift lets one transaction at a time write a table, and the next begins where it ended.
        (!self.is_redshift).then_some(RUNNING)
    }
}
