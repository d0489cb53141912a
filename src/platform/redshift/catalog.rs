//! Redshift's catalog: that of PostgreSQL 8.0, and views of its own.

use super::{Redshift, columns};
use crate::domain::catalog::{LayoutColumn, Reading, Relation, RelationKind};
use crate::domain::table::TableRef;
use crate::platform::catalog::{
    Catalog, CatalogColumn, ClockReading, ColumnPrivilege, ConstraintRow, Estimate, Lookalike,
    ServerFacts,
};
use crate::platform::postgres_family::relations::{self, Parts, estimate, of_table};
use crate::platform::postgres_family::{Parts as _, clock, literals};
use crate::platform::query::{Query, cells, texts};
use crate::platform::scope::Scope;

/// GETDATE() is the statement's time, in whole seconds and in the session's zone. No table: the leader answers by itself.
/// <https://docs.aws.amazon.com/redshift/latest/dg/r_GETDATE.html>
const CLOCK: &str = "SELECT to_char(CAST(getdate() AS timestamptz) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), \
     to_char(getdate(), 'YYYY-MM-DD HH24:MI:SS.US'), \
     to_char((CAST(getdate() AS timestamptz) AT TIME ZONE 'UTC') - interval '1 day', 'YYYY-MM-DD'), \
     to_char(getdate() - interval '1 day', 'YYYY-MM-DD')";

/// What a relation is, in the words of [`RelationKind`](crate::domain::catalog::RelationKind). The catalog has no columns of a late-binding view.
const KIND: &str = "CASE WHEN c.relkind = 'v' AND k.num IS NULL THEN 'late-binding view' \
     ELSE CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' \
     WHEN 'c' THEN 'composite type' WHEN 'i' THEN 'index' ELSE 'relation' END END";

impl Catalog for Redshift {
    fn server(&self) -> Query<ServerFacts> {
        clock::server()
    }

    fn clock(&self) -> Query<ClockReading> {
        clock::clock(CLOCK)
    }

    fn columns(&self, table: &TableRef) -> Query<CatalogColumn> {
        columns::of_table(table)
    }

    fn estimates(&self, scope: &Scope<'_>) -> Vec<Query<Option<Estimate>>> {
        let (schema, name) = literals(self, scope.table);
        vec![
            estimate(format!(
                "SELECT CAST(tbl_rows AS bigint)::varchar, (CAST(size AS bigint) * 1048576)::varchar FROM svv_table_info WHERE \"schema\" = {schema} AND \"table\" = {name}"
            )),
            estimate(format!(
                "SELECT CAST(c.reltuples AS bigint)::varchar, (CAST(c.relpages AS bigint) * 8192)::varchar FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {schema} AND c.relname = {name} AND c.reltuples > 0"
            )),
            estimate(self.counted_text(scope)),
        ]
    }

    fn constraints(&self, table: &TableRef) -> Query<ConstraintRow> {
        // Here they are promises of the user; ranges need no more.
        let unique = format!(
            "SELECT CASE WHEN k.contype = 'p' THEN 'primary' ELSE 'unique' END, CAST(k.conname AS varchar), array_to_string(k.conkey, ',') \
             {} JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid WHERE k.contype IN ('p', 'u')",
            of_table(self, table)
        );
        relations::constraints(self, table, &unique)
    }

    fn enforces_keys(&self) -> bool {
        // https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
        false
    }

    fn layout(&self, table: &TableRef) -> Option<Query<LayoutColumn>> {
        let (schema, name) = literals(self, table);
        let sql = format!(
            "SELECT CAST(column_name AS varchar), CAST(sortkey AS varchar), CASE WHEN distkey THEN 'true' ELSE 'false' END \
             FROM svv_redshift_columns WHERE database_name = current_database() AND schema_name = {schema} AND table_name = {name}"
        );
        Some(Query::new(sql, |row| {
            let [name, place, distributes] = cells(row)?;
            Some(LayoutColumn {
                name: name?,
                sort_place: place.and_then(|place| place.parse().ok()).unwrap_or(0),
                distributes: distributes.as_deref() == Some("true"),
            })
        }))
    }

    fn relations(&self) -> Query<Relation> {
        relations::relations(&Parts {
            kind: KIND,
            own_columns: "0",
            parents: "''",
            some_readable: "",
            joins: "",
            // What a materialized view is made of is the view's business.
            which: "c.relkind IN ('r', 'v', 'm') AND c.relname NOT LIKE 'mv!_tbl!_!_%' ESCAPE '!'",
        })
    }

    fn external_tables(&self) -> Option<Query<Relation>> {
        // The view tells of other databases too.
        const SQL: &str = "SELECT CAST(schemaname AS varchar), CAST(tablename AS varchar) FROM svv_external_tables \
             WHERE redshift_database_name = current_database() ORDER BY 1, 2";
        Some(Query::new(SQL, |row| {
            let [schema, name] = texts(row)?;
            Some(Relation {
                id: format!("{schema}.{name}"),
                schema,
                name,
                kind: RelationKind::ExternalTable,
                num_columns: 0,
                num_own_columns: 0,
                parents: Vec::new(),
                reading: Reading::All,
            })
        }))
    }

    fn lookalikes(&self, table: &TableRef) -> Query<Lookalike> {
        relations::lookalikes(self, table, KIND)
    }

    fn privileges(&self, table: &TableRef) -> Query<ColumnPrivilege> {
        relations::privileges(self, table, "has_table_privilege(c.oid, 'SELECT')")
    }

    fn hidden_rows(&self, scope: &Scope<'_>) -> Option<Query<bool>> {
        // Whoever may read a table sees in the plan that policies filter it, though not how; the catalog's views of
        // policies are for security administrators. https://docs.aws.amazon.com/redshift/latest/dg/r_EXPLAIN.html
        let sql = format!("EXPLAIN {}", self.any_row_text(scope));
        Some(Query::new(sql, |row| {
            let mut cells = row.into_iter().flatten();
            Some(cells.any(|line| line.contains("RLS SecureScan")))
        }))
    }
}
