"""SHOW OBJECTS, TABLES and STAGES of a schema: names, kinds and comments."""

from __future__ import annotations

import pytest
from snowflake.connector.errors import ProgrammingError


def shown(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_objects_tell_kind_and_comment(server):
    with server.connect() as connection:
        for sql in [
            "CREATE DATABASE D1",
            'CREATE SCHEMA D1."Odd one"',
            "CREATE HYBRID TABLE D1.\"Odd one\".H (ID INT NOT NULL, T VARCHAR(3), PRIMARY KEY (ID), INDEX I (T)) DEFAULT_DDL_COLLATION = '' COMMENT = 'it''s ours'",
            'CREATE TABLE D1."Odd one"."x_y" (ID INT)',
            "CREATE VIEW IF NOT EXISTS D1.\"Odd one\".V COMMENT = 'ours' AS SELECT ID FROM D1.\"Odd one\".H",
            "CREATE VIEW IF NOT EXISTS D1.\"Odd one\".V COMMENT = 'other' AS SELECT 1 AS ONE",
        ]:
            connection.cursor().execute(sql)
        rows = shown(connection, 'SHOW OBJECTS IN SCHEMA D1."Odd one"')
        assert [(r["name"], r["kind"], r["comment"], r["is_hybrid"], r["schema_name"]) for r in rows] == [
            ("H", "TABLE", "it's ours", "Y", "Odd one"),
            ("V", "VIEW", "ours", "N", "Odd one"),
            ("x_y", "TABLE", "", "N", "Odd one"),
        ]
        assert connection.cursor().execute('SELECT COUNT(*) FROM D1."Odd one".V').fetchone() == (0,)
        assert [r["name"] for r in shown(connection, "SHOW TABLES LIKE 'X\\\\_%' IN SCHEMA D1.\"Odd one\"")] == ["x_y"]
        assert shown(connection, "SHOW TABLES LIKE 'H\\\\_%' IN SCHEMA D1.\"Odd one\"") == []
        assert shown(connection, "SHOW OBJECTS IN SCHEMA D1.\"Odd one\" STARTS WITH 'X'") == []
        assert list(shown(connection, 'SHOW TERSE TABLES IN SCHEMA D1."Odd one"')[0]) == [
            "created_on", "name", "kind", "database_name", "schema_name",
        ]  # fmt: skip
        with pytest.raises(ProgrammingError, match="does not exist"):
            shown(connection, "SHOW OBJECTS IN SCHEMA D1.NONE")


def test_stages_tell_comment_and_encryption(server):
    with server.connect() as connection:
        for sql in [
            "CREATE DATABASE D2",
            "CREATE STAGE D2.PUBLIC.A ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') COMMENT = 'ours'",
            "CREATE STAGE IF NOT EXISTS D2.PUBLIC.A",
            'CREATE STAGE D2.PUBLIC."b"',
        ]:
            connection.cursor().execute(sql)
        rows = shown(connection, "SHOW STAGES IN SCHEMA D2.PUBLIC")
        assert [(r["name"], r["type"], r["comment"]) for r in rows] == [("A", "INTERNAL NO CSE", "ours"), ("b", "INTERNAL", "")]
        assert [r["name"] for r in shown(connection, "SHOW STAGES LIKE 'A' IN SCHEMA D2.PUBLIC")] == ["A"]


def test_columns_of_a_table_and_a_view_are_told_without_a_current_database(server):
    with server.connect() as connection:
        for sql in [
            "CREATE DATABASE D3",
            'CREATE HYBRID TABLE D3.PUBLIC."PARTITION" (ID INT NOT NULL, T VARCHAR(3), PRIMARY KEY (ID))',
            'CREATE VIEW D3.PUBLIC.V AS SELECT T AS U FROM D3.PUBLIC."PARTITION"',
        ]:
            connection.cursor().execute(sql)
    with server.connect() as connection:
        for what, columns in [("TABLE D3.PUBLIC.\"PARTITION\"", ["ID", "T"]), ('VIEW "D3"."PUBLIC"."V"', ["U"])]:
            rows = shown(connection, f"SHOW COLUMNS IN {what}")
            assert [row["column_name"] for row in rows] == columns
