"""Which statements are refused, and which only look like it."""

from __future__ import annotations

import pytest
from local_redshift.refusals import refusal
from local_redshift.rewrite import Session
from local_redshift.tokens import statements


def code(sql: str, cursors: frozenset[str] = frozenset()) -> str | None:
    (statement,) = statements(sql)
    found = refusal(statement, set(cursors))
    return found.code if found else None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SAVEPOINT _EXEC_SVP_0x1", "0A000"),
        ("release _EXEC_SVP_0x1", "0A000"),
        ("ROLLBACK to _EXEC_SVP_0x1", "0A000"),
        ('declare "c" cursor with hold for SELECT 1', "42601"),
        ("DECLARE c SCROLL CURSOR FOR SELECT 1", "42601"),
        ("DECLARE c NO SCROLL CURSOR FOR SELECT 1", "42601"),
        ("DECLARE c BINARY CURSOR FOR SELECT 1", "42601"),
        ("DECLARE c INSENSITIVE CURSOR FOR SELECT 1", "42601"),
        ('fetch 100 in "c"', "42601"),
        ("FETCH 100 FROM c", "42601"),
        ("FETCH BACKWARD 1 FROM c", "42601"),
        ("FETCH ABSOLUTE 1 FROM c", "42601"),
        ("FETCH c", "42601"),
        ("FETCH FORWARD 1001 FROM c", "0A000"),
        ("FETCH ALL FROM c", "0A000"),
        ("FETCH FORWARD ALL FROM c", "0A000"),
        ("MOVE 1 FROM c", "42601"),
        ("CLOSE ALL", "42601"),
        ("EXPLAIN (FORMAT JSON) SELECT 1", "42601"),
        ("EXPLAIN ANALYZE SELECT 1", "42601"),
        ("SELECT to_json(a) FROM t", "42883"),
        ("SELECT pg_catalog.to_jsonb(a) FROM t", "42883"),
        ("SELECT jsonb_exists(a, 'b') FROM t", "42883"),
        ("SELECT string_agg(a, ',') FROM t", "42883"),
        ("SELECT format ('%s', a) FROM t", "42883"),
        ("SELECT encode(a, 'hex'), 1", "42883"),
        ("SELECT decode(a, 'hex')", "42883"),
        ("SELECT current_setting('a', true)", "42883"),
        ("SELECT to_timestamp(1.5)", "42883"),
        ("SELECT sum(hashtextextended(a, 0)) FROM t", "42883"),
        ("SELECT hash_record_extended(a, 0) FROM t", "42883"),
        ("SELECT float8send(a) FROM t", "42883"),
        ("SELECT numeric_send(a) FROM t", "42883"),
        ("SELECT txid_current()", "42883"),
        ("SELECT pg_relation_size(1), pg_table_size(1)", "42883"),
        ("SELECT pg_is_in_recovery()", "42883"),
        ("SELECT * FROM generate_series(1, 2)", "42883"),
        ("SELECT * FROM pg_catalog.pg_stat_ssl", "42P01"),
        ("SELECT * FROM pg_policy", "42P01"),
        ("SELECT relrowsecurity FROM pg_class", "42703"),
        ("SELECT l.virtualtransaction FROM pg_locks l", "42703"),
        ("SELECT a.attgenerated FROM pg_attribute a", "42703"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (1)", "42601"),
        ('SELECT max(a COLLATE "C") FROM t', "42601"),
        ("SELECT count(*) FILTER (WHERE a > 1) FROM t", "42601"),
        ("SELECT * FROM t, LATERAL (SELECT t.a) x", "42601"),
        ("SELECT DISTINCT ON (a) b FROM t", "42601"),
        ("WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x", "42601"),
        ("SELECT * FROM t WHERE a IS NOT DISTINCT FROM b", "42601"),
        ("SELECT * FROM t WHERE (a, b) >= (1, 2)", "0A000"),
        ("SELECT ROW(a, b) FROM t", "42601"),
        ("SELECT ARRAY[a, b] FROM t", "42601"),
        ("SELECT * FROM (VALUES (1), (2)) x", "42601"),
        ("SELECT CAST(a AS jsonb) FROM t", "42704"),
        ("SELECT a::uuid FROM t", "42704"),
        ("SELECT a::int2[] FROM t", "0A000"),
        ("SET row_security TO off", "42704"),
        ("SET LOCAL row_security = off", "42704"),
        ("SET LOCAL idle_in_transaction_session_timeout TO 0", "42704"),
        ("SET standard_conforming_strings TO on", "42704"),
        ("SHOW lock_timeout", "42704"),
        ("SELECT set_config('row_security', 'off', true)", "42704"),
        ("SELECT current_setting ('jit')", "42704"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", "42601"),
    ],
)
def test_refused(sql: str, expected: str) -> None:
    assert code(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "ROLLBACK",
        "DECLARE c CURSOR FOR SELECT 'SAVEPOINT x'",
        'DECLARE "my cursor" CURSOR FOR SELECT 1',
        "FETCH FORWARD 1000 FROM c",
        'FETCH NEXT FROM "c"',
        "FETCH FROM c",
        "CLOSE c",
        "EXPLAIN SELECT 1",
        "EXPLAIN VERBOSE SELECT 1",
        "SELECT 'to_json(1)', \"to_json\", \"row\" FROM \"tablesample\" -- lateral\n",
        "SELECT /* string_agg(a) /* nested */ lateral */ 1",
        "SELECT $$ to_json(1) $$, $q$ $$ format(1) $q$",
        "SELECT 'it''s \\' to_json(1) '",
        "SELECT E'\\' lateral '",
        "SELECT format FROM t WHERE a = 'row (1)'",
        "SELECT listagg(a, ',') WITHIN GROUP (ORDER BY a) FROM t",
        "SELECT json_serialize(a), json_parse('1'), json_extract_path_text('{}', 'a'), json_typeof(a) FROM t",
        "SELECT decode(a, 1, 'one', 'other'), to_hex(b), farmfingerprint64(c) FROM t",
        "SELECT octet_length(a), max(b) OVER (PARTITION BY c ORDER BY d ROWS UNBOUNDED PRECEDING) FROM t WHERE a ILIKE 'x'",
        "SELECT to_timestamp('2024', 'YYYY'), current_setting('timezone')",
        "SELECT collate(a, 'case_sensitive') FROM t",
        "SELECT * FROM t WHERE (a, b) IN (SELECT 1, 2) AND greatest(a, b) > (SELECT 1)",
        "INSERT INTO t (a, b) VALUES (1, 2)",
        "SELECT DISTINCT a FROM t JOIN u ON t.a = u.a",
        "SELECT a::varchar, CAST(a AS numeric(10, 2)), a AS json FROM t",
        "SELECT a[0].b FROM t",
        "SET statement_timeout TO 0",
        "SET LOCAL extra_float_digits TO 2",
        "SET intervalstyle TO iso_8601",
        "SELECT set_config('timezone', 'UTC', true)",
        "SHOW search_path",
        "SELECT usename FROM pg_stat_activity JOIN pg_locks ON 1 = 1",
    ],
)
def test_taken(sql: str) -> None:
    assert code(sql) is None


def test_a_second_cursor_is_refused_until_the_first_one_is_closed_or_its_transaction_has_ended() -> None:
    session = Session()
    first, second = "DECLARE a CURSOR FOR SELECT 1", "DECLARE b CURSOR FOR SELECT 2"
    assert session.rewrite(f"BEGIN;{first};FETCH FORWARD 10 FROM a", False) == f"BEGIN;{first};FETCH FORWARD 10 FROM a"
    assert "one cursor can be open" in session.rewrite(second, True)
    assert session.rewrite(f"CLOSE a; {second}", True) == f"CLOSE a; {second}"
    assert session.rewrite(f"COMMIT; BEGIN; {first}", True) == f"COMMIT; BEGIN; {first}"
    # Whatever ended it: an error, then ROLLBACK by another message.
    assert session.rewrite(first, False) == first


def test_only_the_refused_statement_is_replaced() -> None:
    sql = "BEGIN; SAVEPOINT x; SELECT 1 -- end\n"
    rewritten = Session().rewrite(sql, False)
    assert rewritten.startswith("BEGIN; DO $refused$") and rewritten.endswith("; SELECT 1 -- end\n")


def test_text_that_is_taken_stays_as_it_is_byte_for_byte() -> None:
    sql = "  SELECT\t'\\\\ é😀' , \"ü\" ;;\n-- SAVEPOINT\n"
    assert Session().rewrite(sql, True) == sql
