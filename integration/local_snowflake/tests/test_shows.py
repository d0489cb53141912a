"""What SHOW says, EXPLAIN, and what the account's edition and parameters change."""

from __future__ import annotations

import json

HYBRID = "CREATE HYBRID TABLE t (a INT PRIMARY KEY)"


def test_transient_schemas_are_told_and_take_no_hybrid_table(raw, database):
    raw.rows(f"CREATE TRANSIENT SCHEMA {database}.passing")
    raw.rows(f"CREATE SCHEMA {database}.lasting")
    shown = {row["name"]: row["options"] for row in raw.named(f"SHOW SCHEMAS IN DATABASE {database}")}
    assert shown == {"INFORMATION_SCHEMA": "", "LASTING": "", "PASSING": "TRANSIENT", "PUBLIC": ""}
    assert [row["name"] for row in raw.named(f"SHOW SCHEMAS LIKE 'pass%' IN DATABASE {database}")] == ["PASSING"]
    answer = raw.query(HYBRID.replace(" t ", f" {database}.passing.t "))
    assert not answer["success"] and "transient" in answer["message"]
    raw.rows(HYBRID.replace(" t ", f" {database}.lasting.t "))
    # A standard table is transient there, and that is all.
    raw.rows(f"CREATE TABLE {database}.passing.t (a INT)")
    raw.rows(f"DROP SCHEMA {database}.passing")
    raw.rows(f"CREATE SCHEMA {database}.passing")
    raw.rows(HYBRID.replace(" t ", f" {database}.passing.t "))


def test_transient_databases_are_told_and_take_no_hybrid_table(raw, database):
    raw.rows(f"CREATE TRANSIENT DATABASE {database}_PASSING")
    shown = {row["name"]: row["options"] for row in raw.named(f"SHOW DATABASES LIKE '{database}%'")}
    assert shown == {database: "", f"{database}_PASSING": "TRANSIENT"}
    raw.rows(f"CREATE SCHEMA {database}_PASSING.s")
    assert not raw.query(HYBRID.replace(" t ", f" {database}_PASSING.s.t "))["success"]
    assert {row["options"] for row in raw.named(f"SHOW SCHEMAS IN DATABASE {database}_PASSING")} == {"TRANSIENT"}


def test_that_a_schema_is_transient_survives_a_restart(start):
    server = start()
    server.raw().rows("CREATE DATABASE d")
    server.raw().rows("CREATE TRANSIENT SCHEMA d.s")
    server.kill()
    server.start()
    assert not server.raw().query(HYBRID.replace(" t ", " d.s.t "))["success"]


def test_the_standard_edition_has_no_clusters(start):
    columns = list(start("--edition", "standard").raw().named("SHOW WAREHOUSES")[0])
    assert "auto_resume" in columns and not {"min_cluster_count", "max_cluster_count", "started_clusters"} & set(columns)


def test_parameters_have_levels(start, tmp_path):
    warehouses = tmp_path / "warehouses.json"
    warehouses.write_text(json.dumps({"W": {"parameters": {"STATEMENT_TIMEOUT_IN_SECONDS": "60"}}}))
    server = start("--account-parameter", "LOCK_TIMEOUT=7", "--account-parameter", "TIMEZONE=Asia/Tokyo", "--warehouses", str(warehouses))
    raw = server.raw(query="warehouse=W")
    raw.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
    shown = {row["key"]: (row["value"], row["level"]) for row in raw.named("SHOW PARAMETERS IN SESSION")}
    assert shown["LOCK_TIMEOUT"] == ("7", "ACCOUNT")
    assert shown["TIMEZONE"] == ("UTC", "SESSION")
    assert shown["ROWS_PER_RESULTSET"] == ("0", "")
    assert [row["value"] for row in raw.named("SHOW PARAMETERS LIKE 'LOCK_TIME%' IN ACCOUNT")] == ["7"]
    of_warehouse = {row["key"]: (row["value"], row["level"]) for row in raw.named("SHOW PARAMETERS IN WAREHOUSE W")}
    assert of_warehouse["STATEMENT_TIMEOUT_IN_SECONDS"] == ("60", "WAREHOUSE")
    assert of_warehouse["MAX_CONCURRENCY_LEVEL"] == ("8", "")
    assert raw.query("SHOW PARAMETERS IN WAREHOUSE none")["code"] == "002003"


def test_explain_compiles_and_runs_nothing(raw):
    raw.rows("CREATE HYBRID TABLE t (a INT NOT NULL, b VARCHAR, PRIMARY KEY (a))")
    raw.rows("INSERT INTO t VALUES (1, 'x')")
    for sql in (
        "SELECT a FROM t", "UPDATE t SET b = 'y'", "DELETE FROM t", "INSERT INTO t VALUES (2, 'z')",
        "UPDATE t SET b = v.b FROM (SELECT column1 AS a, column2 AS b FROM VALUES (1, 'q')) v WHERE t.a = v.a",
        "MERGE INTO t USING (SELECT column1 AS a FROM VALUES (9)) v ON t.a = v.a WHEN NOT MATCHED THEN INSERT (a) VALUES (v.a)",
    ):  # fmt: skip
        assert raw.named(f"EXPLAIN {sql}")[0]["operation"] == "GlobalStats"
        assert raw.query(f"EXPLAIN USING TEXT {sql}")["success"]
    assert raw.rows("SELECT a, b FROM t") == [["1", "x"]]
    assert not raw.query("EXPLAIN UPDATE t SET c = 1")["success"]
    assert raw.query("EXPLAIN SELECT * FROM nothing")["code"] == "002003"
