"""Stages and COPY: what is uploaded is loaded once, exactly, or refused with the column's name."""

from __future__ import annotations

import datetime as dt
import io
import socket
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

STAGE = "CREATE STAGE IF NOT EXISTS results ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') DIRECTORY = (ENABLE = TRUE) FILE_FORMAT = (TYPE = PARQUET)"
FORMAT = "FILE_FORMAT = (TYPE=PARQUET USE_VECTORIZED_SCANNER=TRUE USE_LOGICAL_TYPE=TRUE BINARY_AS_TEXT=FALSE) ON_ERROR=ABORT_STATEMENT"
NINES = Decimal("9" * 38)
SMALL = Decimal("1." + "1" * 37)


def parquet(**columns) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def copy(table: str, columns: str, select: str, *files: str, options: str = "") -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"COPY INTO {table} ({columns}) FROM (SELECT {select} FROM @results/w/) FILES = ({listed}) {FORMAT} {options}"


@pytest.fixture
def stage(raw):
    raw.rows(STAGE)
    raw.rows(STAGE)
    return raw


def test_every_value_arrives_exactly(stage, cursor):
    rows = {
        "d": pa.array([NINES, NINES.copy_negate(), None], pa.decimal128(38, 0)),
        "e": pa.array([SMALL, SMALL.copy_negate(), None], pa.decimal128(38, 37)),
        "f": pa.array([float("nan"), float("-inf"), None]),
        "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
        "at": pa.array([dt.datetime(1, 1, 1, 0, 0, 0, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
        "utc": pa.array([-1, 1, None], pa.timestamp("us", "UTC")),
        "text tz": pa.array(["2020-06-01 12:00:00.123456 +02:00", "0001-01-01 00:00:00.000000 +00:00", None]),
        "tod": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], pa.time64("us")),
        "b": pa.array([b"\0\1\0", b"", None]),
        'quo"te.d': pa.array(["😀" * 3, "x" * 65536, None]),
        "j": pa.array(['{"a": [1, null]}', "7", None]),
        "ok": pa.array([True, False, None]),
        "i": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
    }
    stage.upload("@results/w/p 1/", "it's a.parquet", parquet(**rows))
    stage.rows(
        'CREATE TABLE "Ta. ""b" (d NUMBER(38,0), e NUMBER(38,37), f FLOAT, day DATE, at TIMESTAMP_NTZ(6), utc TIMESTAMP_LTZ,'
        ' "text tz" TIMESTAMP_TZ, tod TIME, b BINARY, "quo""te.d" VARCHAR, j VARIANT, ok BOOLEAN, i NUMBER(19,0))'
    )
    select = (
        '$1:"d"::NUMBER(38,0), $1:"e"::NUMBER(38,37), $1:"f"::FLOAT, $1:"day"::DATE, $1:"at"::TIMESTAMP_NTZ(6),'
        ' $1:"utc"::TIMESTAMP_LTZ, TO_TIMESTAMP_TZ($1:"text tz"::VARCHAR, \'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM\'),'
        ' $1:"tod"::TIME, $1:"b"::BINARY, $1:"quo""te.d"::VARCHAR, PARSE_JSON($1:"j"::VARCHAR), $1:"ok"::BOOLEAN,'
        ' TRY_CAST($1:"i"::VARCHAR AS NUMBER(19,0))'
    )
    names = 'D, "E", F, day, at, utc, "text tz", tod, b, "quo""te.d", j, ok, i'
    answer = stage.rows(copy('"Ta. ""b"', names, select, "p 1/it's a.parquet"))
    assert answer == [["results/w/p 1/it's a.parquet", "LOADED", "3", "3", "1", "0", None, None, None, None]]
    first, second, third = stage.rows('SELECT * FROM "Ta. ""b" ORDER BY d DESC NULLS LAST')
    assert first == [
        "9" * 38, str(SMALL), "NaN", "-719162", "-62135596799.999999000", "-0.000001000 1440",
        "1591005600.123456000 1440", "86399.999999000", "000100", "😀😀😀", '{"a":[1,null]}', "1", str(-(2**63)),
    ]  # fmt: skip
    assert second == [
        "-" + "9" * 38, "-" + str(SMALL), "-inf", "2932896", "253402300799.999999000", "0.000001000 1440",
        "-62135596800.000000000 1440", "0.000000000", "", "x" * 65536, "7", "0", str(2**63 - 1),
    ]  # fmt: skip
    assert third == [None] * 13
    cursor.execute('SELECT d, at, b, "quo""te.d" FROM "Ta. ""b" ORDER BY d DESC NULLS LAST')
    row = cursor.fetchone()
    assert Context(prec=60).compare(row[0], NINES) == 0
    assert row[1:] == (dt.datetime(1, 1, 1, 0, 0, 0, 1), b"\0\1\0", "😀" * 3)


def test_the_connector_puts_and_gets(stage, cursor, tmp_path):
    (tmp_path / "a b.txt").write_bytes(b"x" * 100_000)
    cursor.execute(f"PUT 'file://{tmp_path}/a b.txt' @results/w/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
    assert cursor.fetchone()[6] == "UPLOADED"
    assert [r[:2] for r in cursor.execute("LIST @results").fetchall()] == [("results/w/a b.txt", 100_000)]
    assert cursor.execute("LIST @results PATTERN = '.*[.]parquet'").fetchall() == []
    (tmp_path / "back").mkdir()
    cursor.execute(f"GET @results/w/ 'file://{tmp_path}/back/'")
    assert (tmp_path / "back" / "a b.txt").read_bytes() == b"x" * 100_000
    assert cursor.execute("REMOVE @results/w").fetchall() == [("results/w/a b.txt", "removed")]
    assert cursor.execute("LS @results").fetchall() == []


def put_url(raw, name: str) -> str:
    answer = raw.query(f"PUT 'file:///any/{name}' @results/up/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE SOURCE_COMPRESSION=NONE")
    data = answer["data"]
    assert data["command"] == "UPLOAD" and data["encryptionMaterial"] is None
    assert data["stageInfo"]["locationType"] == "GCS"
    return data["stageInfo"]["presignedUrl"]


def test_chunked_and_aborted_uploads(stage, server):
    body = bytes(range(256)) * 40_000
    assert stage.put(put_url(stage, "big.bin"), body, chunked=True) == 200
    url = put_url(stage, "half.bin")
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        path = url.split(f":{server.port}", 1)[1]
        peer.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 5000)
    assert [r[:2] for r in stage.rows("LIST @results/up")] == [["results/up/big.bin", str(len(body))]]
    assert stage.put(url.replace("signature=", "signature=0"), b"x") == 403
    assert stage.put(put_url(stage, "a.bin").replace("a.bin", "b.bin"), b"x") == 403


def test_a_file_is_loaded_once(stage):
    stage.rows("CREATE TABLE t (a NUMBER(10,0))")
    for n in (1, 2):
        stage.upload("@results/w/", f"{n}.parquet", parquet(a=[n]))
    load = copy("t", "A", '$1:"a"::NUMBER(10,0)', "1.parquet", "2.parquet")
    stage.rows("BEGIN")
    assert [r[1] for r in stage.rows(load)] == ["LOADED", "LOADED"]
    stage.rows("ROLLBACK")
    assert stage.rows("SELECT COUNT(*) FROM t") == [["0"]]
    assert [r[1] for r in stage.rows(copy("t", "A", "$1:a::INT", "1.parquet"))] == ["LOADED"]
    assert [r[1] for r in stage.rows(load)] == ["LOAD_SKIPPED", "LOADED"]
    whole = f"COPY INTO t (a) FROM (SELECT $1:a::INT FROM @results/w/) {FORMAT}"
    assert stage.rows(whole) == [["Copy executed with 0 files processed."]]
    assert stage.rows("SELECT a FROM t ORDER BY a") == [["1"], ["2"]]
    # The same content again is the same file; other content is not; TRUNCATE forgets.
    stage.upload("@results/w/", "1.parquet", parquet(a=[1]))
    assert [r[1] for r in stage.rows(load)] == ["LOAD_SKIPPED", "LOAD_SKIPPED"]
    stage.upload("@results/w/", "1.parquet", parquet(a=[11]))
    assert [r[1] for r in stage.rows(load)] == ["LOADED", "LOAD_SKIPPED"]
    stage.rows("TRUNCATE TABLE t")
    stage.rows("CREATE TABLE IF NOT EXISTS t (a INT)")
    assert [r[1] for r in stage.rows(load)] == ["LOADED", "LOADED"]
    stage.rows("CREATE TABLE IF NOT EXISTS t (a INT)")
    assert [r[1] for r in stage.rows(load)] == ["LOAD_SKIPPED", "LOAD_SKIPPED"]


def test_a_parquet_format_takes_a_text_for_null_unless_it_says_otherwise(stage):
    stage.upload("@results/w/", "f.parquet", parquet(a=["\\N", "NULL", "", None], b=[1, 2, 3, None]))
    load = copy("t", "A, B", "$1:a::VARCHAR, $1:b::INT", "f.parquet")
    for null_if, arrived in [
        ("", [[None, "1"], ["NULL", "2"], ["", "3"], [None, None]]),
        ("NULL_IF = ('', '2')", [["\\N", "1"], ["NULL", None], [None, "3"], [None, None]]),
        ("NULL_IF = ()", [["\\N", "1"], ["NULL", "2"], ["", "3"], [None, None]]),
    ]:
        stage.rows("CREATE OR REPLACE TABLE t (a VARCHAR, b INT)")
        stage.rows(load.replace("BINARY_AS_TEXT=FALSE", f"BINARY_AS_TEXT=FALSE {null_if}"))
        assert stage.rows("SELECT a, b FROM t") == arrived


def test_a_thousand_files(stage):
    stage.rows("CREATE TABLE t (a INT)")
    body = parquet(a=[1])
    names = [f"part-{n}.parquet" for n in range(300)]
    for name in names:
        stage.upload("@results/w/", name, body)
    answer = stage.rows(copy("t", "A", "$1:a::INT", *names))
    assert [r[0] for r in answer] == [f"results/w/{name}" for name in names]
    assert stage.rows("SELECT COUNT(*) FROM t") == [["300"]]
    assert stage.query(copy("t", "A", "$1:a::INT", *[f"{n}.parquet" for n in range(1001)]))["code"] == "001086"


@pytest.mark.parametrize(
    ("column", "values", "select", "code", "message", "row"),
    [
        ("NUMBER(10,0)", ["1", "abc"], "$1:a::VARCHAR", "100038", "Numeric value 'abc' is not recognized", 2),
        ("NUMBER(5,2)", ["999.99", "1000"], "$1:a::NUMBER(5,2)", "100039", "Numeric value '1000' is out of range", 2),
        ("NUMBER(3,0)", [1, 2, 12345], "$1:a::NUMBER(10,0)", "100039", "Numeric value '12345' is out of range", 3),
        ("VARCHAR(3)", ["abc", "ünï", "abcd"], "$1:a::VARCHAR", "100074", "User character length limit (3) exceeded by string 'abcd'", 3),
        ("DATE", ["2020-01-01", "soon"], "$1:a::DATE", "100040", "Date 'soon' is not recognized", 2),
        ("TIMESTAMP_NTZ", ["never"], "TO_TIMESTAMP_NTZ($1:a::VARCHAR, 'YYYY-MM-DD')", "100035", "Timestamp 'never' is not recognized", 1),
        ("VARIANT", ["{}", "{"], "PARSE_JSON($1:a::VARCHAR)", "100069", "Error parsing JSON: {", 2),
        ("INT NOT NULL", [1, None], "$1:a::INT", "100072", "NULL result in a non-nullable column", 2),
    ],
)
def test_a_value_that_does_not_fit_names_its_place(stage, column, values, select, code, message, row):
    stage.rows(f'CREATE TABLE "T x" (before INT, "a b" {column})')
    stage.upload("@results/w/", "f.parquet", parquet(a=values))
    answer = stage.query(copy('"T x"', 'BEFORE, "a b"', f"1, {select}", "f.parquet"))
    assert answer["code"] == code
    assert answer["message"].startswith(message)
    assert f'Row {row}, column "T x"["a b":2]' in answer["message"]
    assert "File 'results/w/f.parquet'" in answer["message"]
    assert stage.rows('SELECT COUNT(*) FROM "T x"') == [["0"]]


def test_copy_refusals(stage):
    stage.rows("CREATE TABLE t (a INT)")
    answer = stage.query(copy("t", "A", "$1:a::INT", "missing.parquet"))
    assert answer["code"] == "091016" and "w/missing.parquet' was not found" in answer["message"]
    stage.upload("@results/w/", "bad.parquet", b"PAR1 nothing PAR1")
    assert not stage.query(copy("t", "A", "$1:a::INT", "bad.parquet"))["success"]
    stage.upload("@results/w/", "ok.parquet", parquet(a=[1]))
    assert stage.query(copy("t", "NOPE", "$1:a::INT", "ok.parquet"))["code"] == "000904"
    assert stage.query(copy("nope", "A", "$1:a::INT", "ok.parquet"))["code"] == "002003"
    assert stage.query("PUT 'file:///a' @missing/x/")["code"] == "002003"
    assert not stage.query("LIST @results/../../x")["success"]
    # A name in another case, or missing in the file, is NULL as in Snowflake.
    stage.rows(copy("t", "A", '$1:"A"::INT', "ok.parquet"))
    assert stage.rows("SELECT a FROM t") == [[None]]


def test_a_column_that_is_left_out_may_be_an_identity_and_no_sequence(stage, database):
    stage.rows("CREATE SEQUENCE s")
    stage.rows(f'CREATE TABLE t (a INT, id INT DEFAULT "{database}"."PUBLIC"."S".NEXTVAL)')
    stage.rows("CREATE TABLE u (a INT, id INT AUTOINCREMENT)")
    stage.upload("@results/w/", "f.parquet", parquet(a=[1, 2]))
    answer = stage.query(copy("t", "A", "$1:a::INT", "f.parquet"))
    assert answer["code"] == "000002" and "excluded column ID has a sequence" in answer["message"]
    assert [r[1] for r in stage.rows(copy("u", "A", "$1:a::INT", "f.parquet"))] == ["LOADED"]
    assert [r[1] for r in stage.rows(copy("t", "A, ID", "$1:a::INT, $1:a::INT", "f.parquet"))] == ["LOADED"]


def test_copy_in_a_transaction_over_two_databases(stage, server, database):
    other = f"{database}_T"
    stage.rows("CREATE HYBRID TABLE part (id INT NOT NULL, phase VARCHAR, PRIMARY KEY (id))")
    stage.rows("INSERT INTO part VALUES (1, 'STAGED')")
    stage.rows(f'CREATE DATABASE "{other}"')
    stage.rows(f'CREATE TABLE "{other}".PUBLIC.t (a INT)')
    stage.rows(f"USE SCHEMA {database}.PUBLIC")
    stage.upload(f'@"{database}"."PUBLIC"."RESULTS"/w/', "f.parquet", parquet(a=[1, 2, 3]))
    load = copy(f'"{other}"."PUBLIC"."T"', "A", "$1:a::INT", "f.parquet")
    for end in ("ROLLBACK", "COMMIT"):
        stage.rows("BEGIN")
        assert stage.rows("UPDATE part SET phase = 'LOADED' WHERE id = 1 AND phase = 'STAGED'") == [["1", "0"]]
        stage.rows(f'DELETE FROM "{other}".PUBLIC.t')
        assert [r[1] for r in stage.rows(load)] == ["LOADED"]
        stage.rows(end)
    assert stage.rows("SELECT phase FROM part") == [["LOADED"]]
    assert stage.rows(f'SELECT SUM(a) FROM "{other}".PUBLIC.t') == [["6"]]


def test_spatial_types_keep_the_text_that_was_loaded(stage):
    point = "0101000020E6100000000000000000F03F0000000000000040"
    stage.upload("@results/w/", "spatial.parquet", parquet(g=pa.array([point, None])))
    stage.rows('CREATE TABLE places ("a" GEOMETRY NOT NULL, b GEOGRAPHY COMMENT \'it\'\'s \\\\ here\') COMMENT = \'all "places"\'')
    stage.rows("ALTER TABLE places ALTER COLUMN \"a\" DROP NOT NULL")
    stage.rows(copy("places", '"a", b', '$1:"g"::VARCHAR::GEOMETRY, $1:"g"::VARCHAR::GEOGRAPHY', "spatial.parquet"))
    assert stage.rows('SELECT "a", b FROM places ORDER BY 1') == [[point, point], [None, None]]
    assert [row[1] for row in stage.rows("DESCRIBE TABLE places")] == ["GEOMETRY", "GEOGRAPHY"]
    said = "SELECT COMMENT FROM INFORMATION_SCHEMA.{} WHERE TABLE_NAME = 'PLACES' ORDER BY 1"
    assert stage.rows(said.format("COLUMNS")) == [["it's \\ here"], [None]]
    assert stage.rows(said.format("TABLES")) == [['all "places"']]


def test_lengths_are_those_that_the_columns_were_declared_with(stage, cursor):
    stage.rows("CREATE TABLE sized (c VARCHAR(3), v VARCHAR, w VARCHAR(134217728), b BINARY(2), d BINARY, l BINARY(67108864))")
    kinds = [row[1] for row in stage.rows("DESCRIBE TABLE sized")]
    assert kinds == ["VARCHAR(3)", "VARCHAR(16777216)", "VARCHAR(134217728)", "BINARY(2)", "BINARY(8388608)", "BINARY(67108864)"]
    for column, longest in (("c", "\U0001f600" * 3), ("v", "x" * 16777216), ("w", "x" * 20_000_000)):
        stage.upload("@results/w/", f"{column}.parquet", parquet(x=pa.array([longest])))
        stage.rows(copy("sized", column, '$1:"x"::VARCHAR', f"{column}.parquet"))
        assert stage.rows(f"SELECT LENGTH({column}) FROM sized WHERE {column} IS NOT NULL") == [[str(len(longest))]]
    for column, longest in (("b", 2), ("d", 8388608), ("l", 9_000_000)):
        stage.upload("@results/w/", f"{column}.parquet", parquet(x=pa.array([b"x" * longest])))
        stage.rows(copy("sized", column, '$1:"x"::BINARY', f"{column}.parquet"))
    for column, kind, value in (("c", "VARCHAR", "abcd"), ("v", "VARCHAR", "x" * 16777217), ("b", "BINARY", b"abc"), ("d", "BINARY", b"x" * 8388609)):
        stage.upload("@results/w/", f"too-{column}.parquet", parquet(x=pa.array([value])))
        answer = stage.query(copy("sized", column, f'$1:"x"::{kind}', f"too-{column}.parquet"))
        assert answer["code"] == ("100074" if kind == "VARCHAR" else "100078"), column
        assert f'"{column.upper()}"' in answer["message"]


def test_no_length_is_above_the_largest(raw):
    for kind in ("VARCHAR(134217729)", "BINARY(67108865)", "TEXT(0)"):
        answer = raw.query(f"CREATE TABLE too_long (a {kind})")
        assert not answer["success"] and "invalid length" in answer["message"], kind


def test_check_constraints_are_enforced_copied_shown_and_refuse_copy(stage, database):
    stage.rows("CREATE TABLE sold (id INT, quantity INT CHECK (quantity > 0))")
    stage.rows("INSERT INTO sold VALUES (1, 5), (2, NULL)")
    assert not stage.query("INSERT INTO sold VALUES (3, 0)")["success"]
    stage.rows("CREATE TABLE copied LIKE sold")
    shown = f"SELECT CONSTRAINT_TABLE, CHECK_CLAUSE FROM {database}.INFORMATION_SCHEMA.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'PUBLIC' ORDER BY 1"
    assert [[row[0], "QUANTITY" in row[1].upper()] for row in stage.rows(shown)] == [["COPIED", True], ["SOLD", True]]
    stage.upload("@results/w/", "good.parquet", parquet(i=pa.array([7])))
    for table in ("sold", "copied"):
        answer = stage.query(copy(table, "quantity", '$1:"i"::NUMBER(38,0)', "good.parquet"))
        assert not answer["success"] and "CHECK constraints" in answer["message"]


def test_a_length_that_has_grown_counts(stage):
    stage.rows("CREATE TABLE grown (a VARCHAR(3) COMMENT 'short', \"b c\" NUMBER(5,0))")
    stage.rows("ALTER TABLE grown ALTER COLUMN a SET DATA TYPE VARCHAR(5)")
    stage.rows('ALTER TABLE grown ALTER COLUMN "b c" SET DATA TYPE NUMBER(9,0)')
    assert [row[1] for row in stage.rows("DESCRIBE TABLE grown")] == ["VARCHAR(5)", "NUMBER(9,0)"]
    stage.upload("@results/w/", "five.parquet", parquet(x=pa.array(["12345"])))
    stage.rows(copy("grown", "a", '$1:"x"::VARCHAR', "five.parquet"))
    stage.upload("@results/w/", "six.parquet", parquet(x=pa.array(["123456"])))
    assert stage.query(copy("grown", "a", '$1:"x"::VARCHAR', "six.parquet"))["code"] == "100074"
    assert not stage.query("ALTER TABLE grown ALTER COLUMN a SET DATA TYPE VARCHAR(134217729)")["success"]
