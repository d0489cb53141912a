"""The catalog, privileges, masks, policies:
https://learn.microsoft.com/sql/relational-databases/system-catalog-views/catalog-views-transact-sql"""

from __future__ import annotations

import pytest

from local_sqlserver.values import SqlError

from .engine_client import error_of, new_engine, new_session, results, rows, value

COLUMNS = """SELECT c.name, CASE WHEN t.is_assembly_type = 1 THEN t.name ELSE b.name END, c.max_length, c.precision, c.scale,
    c.is_nullable, c.is_identity, c.is_computed FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id
    LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id WHERE c.object_id = OBJECT_ID(N'[s].[t]') ORDER BY c.column_id"""


@pytest.fixture
def engine():
    made = new_engine()
    owner = new_session(made)
    rows(owner, "CREATE SCHEMA s; CREATE TYPE dbo.Phone FROM varchar(20) NOT NULL; CREATE LOGIN bob WITH PASSWORD = 'pw', DEFAULT_DATABASE = app; CREATE USER bob FOR LOGIN bob")  # fmt: skip
    rows(owner, """CREATE TABLE s.t (id int IDENTITY(1, 1) CONSTRAINT pk PRIMARY KEY, n nvarchar(10) NOT NULL, m varchar(max), d decimal(9, 2),
        t time(3), h hierarchyid, g geometry, p dbo.Phone, c AS (id * 2), x AS UPPER(n) PERSISTED, tx text, rv rowversion, dt datetime);
        CREATE UNIQUE INDEX ux ON s.t (n DESC, d) INCLUDE (dt); CREATE INDEX fx ON s.t (dt) WHERE dt IS NOT NULL;
        INSERT s.t (n, d, p) VALUES (N'a', 1, '1'), (N'b', 2, '2')""")  # fmt: skip
    return made


@pytest.fixture
def owner(engine):
    return new_session(engine)


@pytest.fixture
def bob(engine):
    return new_session(engine, None, "bob", "pw")


def test_columns_and_their_types(owner):
    assert rows(owner, COLUMNS) == [
        ("id", "int", 4, 10, 0, False, True, False), ("n", "nvarchar", 20, 0, 0, False, False, False),
        ("m", "varchar", -1, 0, 0, True, False, False), ("d", "decimal", 5, 9, 2, True, False, False),
        ("t", "time", 4, 12, 3, True, False, False), ("h", "hierarchyid", 892, 0, 0, True, False, False),
        ("g", "geometry", -1, 0, 0, True, False, False), ("p", "varchar", 20, 0, 0, False, False, False),
        ("c", "int", 4, 10, 0, False, False, True), ("x", "nvarchar", 20, 0, 0, False, False, True),
        ("tx", "text", 16, 0, 0, True, False, False), ("rv", "timestamp", 8, 0, 0, False, False, False),
        ("dt", "datetime", 8, 23, 3, True, False, False),
    ]  # fmt: skip


def test_keys_and_indexes(owner):
    asked = """SELECT i.name, i.type, i.is_primary_key, i.has_filter, ic.key_ordinal, ic.is_descending_key, ic.is_included_column, c.name
        FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
        JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
        WHERE i.object_id = OBJECT_ID('s.t') ORDER BY i.index_id, ic.index_column_id"""
    assert rows(owner, asked) == [
        ("pk", 1, True, False, 1, False, False, "id"), ("ux", 2, False, False, 1, True, False, "n"),
        ("ux", 2, False, False, 2, False, False, "d"), ("ux", 2, False, False, 0, False, True, "dt"),
        ("fx", 2, False, True, 1, False, False, "dt"),
    ]  # fmt: skip


def test_names(owner):
    rows(owner, "CREATE TABLE [s].[we ird]]'日] ([a]]b] int)")
    assert value(owner, "OBJECT_ID(N'[s].[we ird]]''日]')") == value(owner, "OBJECT_ID(N'S.[WE IRD]]''日]')")
    assert value(owner, "OBJECT_ID(N's.nope')") is None
    assert value(owner, "OBJECT_NAME(OBJECT_ID('s.t')) + '.' + OBJECT_SCHEMA_NAME(OBJECT_ID('s.t'))") == "t.s"
    assert rows(owner, "SELECT [a]]b] FROM [s].[we ird]]'日]") == []


def test_sizes_of_tables(owner, bob):
    asked = "SELECT row_count FROM sys.dm_db_partition_stats WHERE object_id = OBJECT_ID('s.t') AND index_id IN (0, 1)"
    assert rows(owner, asked) == [(2,)]
    assert error_of(bob, asked) == 262
    rows(owner, "GRANT SELECT ON s.t TO bob")
    asked = "SELECT SUM(p.rows), SUM(a.total_pages) FROM sys.partitions p JOIN sys.allocation_units a ON a.container_id = p.hobt_id WHERE p.object_id = OBJECT_ID('s.t') AND p.index_id IN (0, 1)"  # fmt: skip
    assert rows(bob, asked) == [(2, 2)]


def test_comments_and_identity(owner):
    rows(owner, """EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'about é', @level0type = N'SCHEMA', @level0name = N's',
        @level1type = N'TABLE', @level1name = N't', @level2type = N'COLUMN', @level2name = N'n'""")  # fmt: skip
    asked = "SELECT COL_NAME(major_id, minor_id), CAST(value AS nvarchar(4000)) FROM sys.extended_properties WHERE class = 1 AND name = N'MS_Description'"  # fmt: skip
    assert rows(owner, asked) == [("n", "about é")]
    assert rows(owner, "SELECT CAST(last_value AS bigint), CAST(increment_value AS bigint) FROM sys.identity_columns") == [(2, 1)]


def test_logins(engine):
    for login, password, database, number in (("bob", "x", None, 18456), ("eve", "", None, 18456), ("bob", "pw", "nope", 4060), ("bob", "pw", "model", 4060)):  # fmt: skip
        with pytest.raises(SqlError) as caught:
            engine.session(login, password, database, "tests")
        assert caught.value.number == number
    assert new_session(engine, None, "BOB", "pw").database == "app"


def test_who_may_read(owner, bob):
    assert error_of(bob, "SELECT * FROM s.t") == 229
    assert value(bob, "OBJECT_ID('s.t')") is None
    rows(owner, "GRANT SELECT ON SCHEMA::s TO bob; DENY SELECT ON s.t (d) TO bob")
    assert rows(bob, "SELECT n FROM s.t WHERE id = 1") == [("a",)]
    assert error_of(bob, "SELECT * FROM s.t") == 230
    assert error_of(bob, "SELECT d FROM s.t") == 230
    has = "HAS_PERMS_BY_NAME(N's.t', 'OBJECT', 'SELECT', N'{}', 'COLUMN')"
    assert rows(bob, f"SELECT {has.format('n')}, {has.format('d')}, {has.format('nope')}") == [(1, 0, None)]
    assert error_of(bob, "DELETE s.t") == 229
    assert error_of(bob, "SELECT * FROM sys.dm_exec_connections") == 300
    rows(owner, "REVOKE SELECT ON SCHEMA::s FROM bob; ALTER ROLE db_datareader ADD MEMBER bob; GRANT VIEW SERVER STATE TO bob")
    assert rows(bob, "SELECT COUNT(*) FROM s.t") == [(2,)]
    assert rows(bob, "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID") == [("FALSE",)]


def test_masked_columns(owner, bob):
    """https://learn.microsoft.com/sql/relational-databases/security/dynamic-data-masking"""
    rows(owner, "CREATE TABLE s.m (a nvarchar(9) MASKED WITH (FUNCTION = 'default()'), b int MASKED WITH (FUNCTION = 'default()'), c date); INSERT s.m VALUES (N'secret', 5, '2024-01-01'); GRANT SELECT ON s.m TO bob")  # fmt: skip
    assert rows(bob, "SELECT a, b, DATALENGTH(a), b + 1 FROM s.m WHERE b = 5") == [("xxxx", 0, 0, 0)]
    rows(owner, "CREATE VIEW s.mv AS SELECT a AS z, b FROM s.m; GRANT SELECT ON s.mv TO bob")
    assert rows(bob, "SELECT MAX(DATALENGTH(q.z)), MAX(z), COUNT(*) FROM (SELECT z FROM s.mv) q") == [(0, "xxxx", 1)]
    asked = "SELECT name, is_masked FROM sys.columns WHERE object_id = OBJECT_ID('s.m'); SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK')"
    assert results(bob, asked) == [[("a", True), ("b", True), ("c", False)], [(0,)]]
    rows(owner, "GRANT UNMASK TO bob")
    assert rows(bob, "SELECT a, b, DATALENGTH(a) FROM s.m") == [("secret", 5, 12)]


def test_row_level_security(owner, bob):
    """https://learn.microsoft.com/sql/relational-databases/security/row-level-security"""
    rows(owner, "CREATE FUNCTION s.f(@id int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @id = 1 OR USER_NAME() = 'dbo'; GRANT SELECT ON s.t TO bob")  # fmt: skip
    rows(owner, "CREATE SECURITY POLICY s.p ADD FILTER PREDICATE s.f(id) ON s.t WITH (STATE = ON)")
    assert rows(bob, "SELECT id FROM s.t") == [(1,)]
    assert rows(owner, "SELECT id FROM s.t") == [(1,), (2,)]
    asked = "SELECT p.is_enabled, r.predicate_type_desc FROM sys.security_policies p JOIN sys.security_predicates r ON r.object_id = p.object_id WHERE r.target_object_id = OBJECT_ID('s.t')"  # fmt: skip
    assert rows(owner, asked) == [(True, "FILTER")]
    rows(owner, "ALTER SECURITY POLICY s.p WITH (STATE = OFF)")
    assert rows(bob, "SELECT id FROM s.t") == [(1,), (2,)]


def test_temporal_tables_and_views(owner):
    """https://learn.microsoft.com/sql/relational-databases/tables/temporal-tables"""
    rows(owner, """CREATE TABLE s.v (id int PRIMARY KEY, a int, f datetime2 GENERATED ALWAYS AS ROW START HIDDEN NOT NULL,
        u datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL, PERIOD FOR SYSTEM_TIME (f, u))
        WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = s.v_old)); INSERT s.v VALUES (1, 1); UPDATE s.v SET a = 2""")  # fmt: skip
    assert rows(owner, "SELECT * FROM s.v") == [(1, 2)]
    assert rows(owner, "SELECT a FROM s.v FOR SYSTEM_TIME ALL ORDER BY a") == [(1,), (2,)]
    assert rows(owner, "SELECT name, temporal_type FROM sys.tables WHERE name LIKE 'v%' ORDER BY 1") == [("v", 2), ("v_old", 1)]
    rows(owner, "CREATE VIEW s.w AS SELECT id, a AS b FROM s.v")
    assert rows(owner, "SELECT * FROM s.w WHERE b = 2") == [(1, 2)]
    assert error_of(owner, "SELECT * FROM s.w TABLESAMPLE (10 PERCENT)") == 494


def test_samples_are_whole_pages_and_repeatable(owner):
    rows(owner, "CREATE TABLE s.big (id int); WITH n AS (SELECT 1 x UNION ALL SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 1) INSERT s.big SELECT ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) FROM n a, n b, n c, n d, n e, n f")  # fmt: skip
    assert value(owner, "COUNT(*) FROM s.big") == 15625
    first = value(owner, "COUNT(*) FROM s.big TABLESAMPLE (30 PERCENT) REPEATABLE (5) WITH (NOLOCK)")
    assert first == value(owner, "COUNT(*) FROM s.big TABLESAMPLE (30 PERCENT) REPEATABLE (5)")
    assert 0 < first < 15625
    assert value(owner, "COUNT(*) FROM s.big TABLESAMPLE (100 PERCENT)") == 15625


def test_azure_has_one_database():
    session = new_session(new_engine(2022, azure=True))
    assert value(session, "CAST(SERVERPROPERTY('EngineEdition') AS int)") == 5
    assert error_of(session, "USE master") == 40508
    assert error_of(session, "SELECT * FROM master.dbo.t") == 40515
    assert rows(session, "SELECT is_read_committed_snapshot_on, snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()") == [(True, 1)]  # fmt: skip
