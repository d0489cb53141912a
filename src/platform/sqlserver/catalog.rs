//! SQL Server's catalog: the views of the schema `sys`.
//! <https://learn.microsoft.com/sql/relational-databases/system-catalog-views/catalog-views-transact-sql>
//!
//! Objects are found by `OBJECT_ID`, under the database's own collation. A login sees of the catalog what it has a
//! permission on.

use super::SqlServer;
use super::names::{object_id, two_parts};
use super::rows::counted_text;
use crate::domain::catalog::{LayoutColumn, Reading, Relation, RelationKind};
use crate::domain::table::{SourceColumn, TableRef, TypeClass};
use crate::platform::catalog::{
    Catalog, CatalogColumn, ClockReading, ColumnPrivilege, ConstraintRow, Estimate, Lookalike,
    ServerFacts,
};
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow, cells, texts};
use crate::platform::scope::Scope;

/// The first line: the others are about copyright and the system.
const SERVER: &str = "SELECT CAST(@@VERSION AS nvarchar(300)), \
     CAST(CAST(DATEDIFF(day, '19700101', SYSUTCDATETIME()) AS bigint) * 86400 + DATEDIFF(second, CAST(CAST(SYSUTCDATETIME() AS date) AS datetime2(7)), SYSUTCDATETIME()) AS nvarchar(20))";

const CLOCK: &str = "SELECT CONVERT(nvarchar(27), c.utc, 121), CONVERT(nvarchar(27), c.here, 121), \
     CONVERT(nvarchar(10), DATEADD(day, -1, c.utc), 23), CONVERT(nvarchar(10), DATEADD(day, -1, c.here), 23) \
     FROM (SELECT SYSUTCDATETIME() AS utc, SYSDATETIME() AS here) c";

/// Of one's own session; needs VIEW SERVER STATE nevertheless.
/// <https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/sys-dm-exec-connections-transact-sql>
const ENCRYPTION: &str = "SELECT CASE c.encrypt_option WHEN 'TRUE' THEN N'true' ELSE N'false' END FROM sys.dm_exec_connections c WHERE c.session_id = @@SPID";

/// Needs VIEW SERVER STATE.
/// <https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/sys-dm-tran-session-transactions-transact-sql>
const RUNNING: &str = "SELECT CAST(t.transaction_id AS nvarchar(20)) FROM sys.dm_tran_database_transactions t \
     JOIN sys.dm_tran_session_transactions s ON s.transaction_id = t.transaction_id \
     JOIN sys.dm_exec_sessions e ON e.session_id = s.session_id \
     WHERE t.database_id = DB_ID() AND s.is_user_transaction = 1 AND s.session_id <> @@SPID AND e.program_name NOT LIKE N'snowhaul%'";

/// All at or below is committed. <https://learn.microsoft.com/sql/t-sql/functions/min-active-rowversion-transact-sql>
const COMMITTED: &str = "SELECT CONVERT(nvarchar(16), CAST(CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1 AS binary(8)), 2)";

/// <https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-databases-transact-sql>
const CONSISTENCY: &str = "SELECT CASE WHEN d.snapshot_isolation_state = 1 THEN NULL \
     WHEN d.is_read_committed_snapshot_on = 1 THEN N'the database allows no SNAPSHOT isolation: each statement sees one state of the table, but the checksum and the rows of a partition may be of two, so that a change between them is moved and counts as a change again; ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON gives both the same state' \
     ELSE N'the database allows no SNAPSHOT isolation, and its statements read under locks: a row that another session moves in an index while it is read may be missed or read twice; let nobody write the table while it is read, or ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON' END \
     FROM sys.databases d WHERE d.database_id = DB_ID()";

/// Columns of an index's key at most.
/// <https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server>
const MOST_KEY_COLUMNS: usize = 32;

/// Masked columns and row-level security came with 2016; Azure SQL Database has both.
const HAS_POLICIES: &str = "CAST(SERVERPROPERTY('EngineEdition') AS int) IN (5, 8) OR CAST(LEFT(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), 2) AS int) >= 13";

impl Catalog for SqlServer {
    fn server(&self) -> Query<ServerFacts> {
        Query::new(SERVER, |row| {
            let [version, clock] = cells(row)?;
            let version = version.unwrap_or_default();
            Some(ServerFacts {
                version: version.lines().next().unwrap_or_default().trim().to_owned(),
                clock: clock.and_then(|seconds| seconds.parse().ok()),
            })
        })
    }

    fn clock(&self) -> Query<ClockReading> {
        Query::new(CLOCK, |row| {
            let [utc, local, utc_yesterday, local_yesterday] = texts(row)?;
            Some(ClockReading {
                utc,
                local,
                utc_yesterday,
                local_yesterday,
            })
        })
    }

    fn encryption(&self) -> Option<Query<bool>> {
        Some(Query::flag(ENCRYPTION))
    }

    fn columns(&self, table: &TableRef) -> Query<CatalogColumn> {
        // A view's columns may be NULL whatever it says of them. What is computed of other columns stays behind.
        let sql = format!(
            "SELECT c.name, CASE WHEN c.system_type_id = 240 THEN t.name ELSE TYPE_NAME(c.system_type_id) END, \
             CAST(CASE WHEN TYPE_NAME(c.system_type_id) IN (N'decimal', N'numeric') THEN c.precision \
             WHEN TYPE_NAME(c.system_type_id) = N'real' THEN 24 WHEN TYPE_NAME(c.system_type_id) = N'float' THEN 53 \
             WHEN c.max_length = -1 THEN NULL WHEN TYPE_NAME(c.system_type_id) IN (N'nchar', N'nvarchar') THEN c.max_length / 2 \
             WHEN TYPE_NAME(c.system_type_id) IN (N'char', N'varchar', N'binary', N'varbinary', N'timestamp') THEN c.max_length END AS nvarchar(10)), \
             CAST(CASE WHEN TYPE_NAME(c.system_type_id) = N'datetime' THEN 3 WHEN TYPE_NAME(c.system_type_id) = N'smalldatetime' THEN 0 \
             WHEN TYPE_NAME(c.system_type_id) IN (N'decimal', N'numeric', N'time', N'datetime2', N'datetimeoffset') THEN c.scale END AS nvarchar(10)), \
             CASE WHEN c.is_nullable = 0 AND o.type = 'U' THEN N'false' ELSE N'true' END, \
             CASE WHEN c.system_type_id = 240 AND t.name NOT IN (N'hierarchyid', N'geometry', N'geography') THEN N'composite' ELSE N'base' END, \
             CAST(p.value AS nvarchar(4000)), N'false', \
             CASE WHEN c.is_identity = 1 THEN N'true' ELSE N'false' END, CAST(q.value AS nvarchar(4000)) \
             FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.types t ON t.user_type_id = c.user_type_id \
             LEFT JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = c.object_id AND p.minor_id = c.column_id AND p.name = N'MS_Description' \
             LEFT JOIN sys.extended_properties q ON q.class = 1 AND q.major_id = c.object_id AND q.minor_id = 0 AND q.name = N'MS_Description' \
             WHERE c.object_id = {} AND c.is_computed = 0 AND c.is_column_set = 0 ORDER BY c.column_id",
            object_id(table)
        );
        Query::new(sql, |row| Some(column(&row)))
    }

    fn estimates(&self, scope: &Scope<'_>) -> Vec<Query<Option<Estimate>>> {
        let id = object_id(scope.table);
        // Needs VIEW DATABASE STATE; the second does not, and knows no bytes. Where they know of no row, as of a
        // memory-optimised table, the rows are counted.
        // https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/sys-dm-db-partition-stats-transact-sql
        let sized = format!(
            "SELECT CAST(SUM(s.row_count) AS nvarchar(20)), CAST(SUM(s.used_page_count) * 8192 AS nvarchar(20)) FROM sys.dm_db_partition_stats s \
             WHERE s.object_id = {id} AND s.index_id IN (0, 1) HAVING SUM(s.row_count) > 0"
        );
        let counted = format!(
            "SELECT CAST(SUM(p.rows) AS nvarchar(20)), CAST(SUM(p.rows) * 100 AS nvarchar(20)) FROM sys.partitions p \
             WHERE p.object_id = {id} AND p.index_id IN (0, 1) HAVING SUM(p.rows) > 0"
        );
        [sized, counted, counted_text(scope)]
            .into_iter()
            .map(|sql| {
                Query::new(sql, |row| {
                    let [rows, bytes] = cells(row)?;
                    let number = |cell: Option<String>| cell?.parse().ok();
                    let found = number(rows).zip(number(bytes));
                    Some(found.map(|(rows, bytes)| Estimate { rows, bytes }))
                })
            })
            .collect()
    }

    fn constraints(&self, table: &TableRef) -> Query<ConstraintRow> {
        let id = object_id(table);
        // STRING_AGG came with 2017.
        let list: Vec<String> = (1..=MOST_KEY_COLUMNS)
            .map(|place| {
                format!(
                    "MAX(CASE WHEN k.key_ordinal = {place} THEN CAST(k.column_id AS nvarchar(10)) + N',' ELSE N'' END)"
                )
            })
            .collect();
        let sql = format!(
            "SELECT N'column', c.name, CAST(c.column_id AS nvarchar(10)) FROM sys.columns c WHERE c.object_id = {id} UNION ALL \
             SELECT CASE WHEN i.is_primary_key = 1 THEN N'primary' ELSE N'unique' END, i.name, {} FROM sys.indexes i \
             JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id \
             WHERE i.object_id = {id} AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND i.is_hypothetical = 0 AND k.is_included_column = 0 \
             GROUP BY i.name, i.is_primary_key",
            list.join(" + ")
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
                    columns: numbers
                        .split(',')
                        .filter(|number| !number.is_empty())
                        .map(str::to_owned)
                        .collect(),
                },
            })
        })
    }

    fn enforces_keys(&self) -> bool {
        true
    }

    fn layout(&self, table: &TableRef) -> Option<Query<LayoutColumn>> {
        // Of type 1: a clustered columnstore, of type 5, has no order. What it has only by way of partitioning has no
        // place in the key.
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-index-columns-transact-sql
        let sql = format!(
            "SELECT c.name, CAST(k.key_ordinal AS nvarchar(10)) FROM sys.indexes i \
             JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id \
             JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id \
             WHERE i.object_id = {} AND i.type = 1 AND i.is_disabled = 0 AND k.key_ordinal > 0 ORDER BY k.key_ordinal",
            object_id(table)
        );
        Some(Query::new(sql, |row| {
            let [name, place] = texts(row)?;
            Some(LayoutColumn {
                name,
                sort_place: place.parse().ok()?,
                distributes: false,
            })
        }))
    }

    fn layout_is_index(&self) -> bool {
        true
    }

    fn relations(&self) -> Query<Relation> {
        let sql = "SELECT CAST(o.object_id AS nvarchar(20)), s.name, o.name, CASE o.type WHEN 'V' THEN N'view' ELSE N'table' END, \
             CAST((SELECT COUNT_BIG(*) FROM sys.columns c WHERE c.object_id = o.object_id) AS nvarchar(10)), \
             CASE HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'SELECT') WHEN 1 THEN N'all' ELSE N'none' END \
             FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
             WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY s.name, o.name";
        Query::new(sql, |row| {
            let [id, schema, name, kind, columns, reading] = texts(row)?;
            let num_columns = columns.parse().ok()?;
            Some(Relation {
                id,
                schema,
                name,
                kind: RelationKind::parse(&kind),
                num_columns,
                num_own_columns: num_columns,
                parents: Vec::new(),
                reading: match reading.as_str() {
                    "all" => Reading::All,
                    _ => Reading::Nothing,
                },
            })
        })
    }

    fn lookalikes(&self, table: &TableRef) -> Query<Lookalike> {
        let quoted = |name| self.quote_text(&self.exact_name(name));
        let sql = format!(
            "SELECT N'schema', s.name, N'', N'0' FROM sys.schemas s WHERE LOWER(s.name) = LOWER({}) UNION ALL \
             SELECT CASE o.type WHEN 'V' THEN N'view' WHEN 'U' THEN N'table' ELSE N'relation' END, s.name, o.name, \
             CAST((SELECT COUNT_BIG(*) FROM sys.columns c WHERE c.object_id = o.object_id) AS nvarchar(10)) \
             FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE LOWER(o.name) = LOWER({})",
            quoted(&table.schema),
            quoted(&table.table)
        );
        Query::new(sql, |row| {
            let [kind, schema, name, columns] = texts(row)?;
            Some(Lookalike {
                kind: (kind != "schema").then(|| RelationKind::parse(&kind)),
                schema,
                name,
                // Schemas need no permission of their own: objects that are seen are within reach.
                is_usable: true,
                has_columns: columns != "0",
            })
        })
    }

    fn privileges(&self, table: &TableRef) -> Query<ColumnPrivilege> {
        let name = self.quote_text(&two_parts(table));
        let sql = format!(
            "SELECT c.name, CASE HAS_PERMS_BY_NAME({name}, 'OBJECT', 'SELECT', c.name, 'COLUMN') WHEN 1 THEN N'true' ELSE N'false' END \
             FROM sys.columns c WHERE c.object_id = {} ORDER BY c.column_id",
            object_id(table)
        );
        Query::new(sql, |row| {
            let [column, readable] = texts(row)?;
            Some(ColumnPrivilege {
                column,
                is_readable: readable == "true",
                is_schema_usable: true,
            })
        })
    }

    fn hidden_rows(&self, scope: &Scope<'_>) -> Option<Query<bool>> {
        // Only predicates that filter: those that block are for writers.
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-security-predicates-transact-sql
        let query = format!(
            "SELECT N'true' FROM sys.security_predicates r JOIN sys.security_policies p ON p.object_id = r.object_id \
             WHERE p.is_enabled = 1 AND r.predicate_type = 0 AND r.target_object_id = {}",
            object_id(scope.table)
        );
        Some(Query::flag(format!(
            "IF {HAS_POLICIES} EXEC({})",
            self.quote_text(&query)
        )))
    }

    fn running_transactions(&self) -> Option<Query<String>> {
        Some(Query::text(RUNNING))
    }

    fn committed_bound(&self, column: &SourceColumn) -> Option<Query<String>> {
        (column.type_name == "timestamp").then(|| Query::text(COMMITTED))
    }

    fn consistency(&self) -> Option<Query<Option<String>>> {
        Some(Query::value(CONSISTENCY))
    }

    fn table_warnings(&self, table: &TableRef) -> Option<Query<String>> {
        Some(Query::text(format!(
            "SELECT N'column ' + c.name + N' is computed from others and stays behind; create it in the target as a view has it, or move a view of the table' \
             FROM sys.columns c WHERE c.object_id = {} AND (c.is_computed = 1 OR c.is_column_set = 1) ORDER BY c.column_id",
            object_id(table)
        )))
    }

    fn disguised_columns(&self, table: &TableRef) -> Option<Query<(String, String)>> {
        let id = object_id(table);
        let name = self.quote_text(&two_parts(table));
        let masked = "is masked, and this login reads xxxx or 0 instead of its values; GRANT UNMASK to it, or leave the column out with excludeSourceColumns";
        let encrypted = "is encrypted by Always Encrypted, and this login reads its ciphertext; leave it out with excludeSourceColumns, or set ColumnEncryption = \"Enabled\" in extra_options where the driver can reach the keys";
        // https://learn.microsoft.com/sql/relational-databases/security/dynamic-data-masking
        let query = format!(
            "SELECT m.name, N'{masked}' FROM sys.masked_columns m WHERE m.object_id = {id} AND m.is_masked = 1 \
             AND COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK'), 0) = 0 AND COALESCE(HAS_PERMS_BY_NAME({name}, 'OBJECT', 'UNMASK'), 0) = 0 \
             UNION ALL SELECT c.name, N'{encrypted}' FROM sys.columns c WHERE c.object_id = {id} AND c.encryption_type IS NOT NULL"
        );
        let sql = format!("IF {HAS_POLICIES} EXEC({})", self.quote_text(&query));
        Some(Query::new(sql, |row| {
            let [column, why] = texts(row)?;
            Some((column, why))
        }))
    }
}

fn column(row: &TextRow) -> CatalogColumn {
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
                Some("composite") => TypeClass::Composite,
                _ => TypeClass::Base,
            },
            comment: filled(6),
            computed: flag(7),
            identity: flag(8),
            has_binary_form: false,
        },
        table_comment: filled(9),
    }
}
