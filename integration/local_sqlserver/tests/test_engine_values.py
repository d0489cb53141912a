"""Types and conversions, by the examples of https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql and
the pages of the types."""

from __future__ import annotations

import uuid

import pytest

from local_sqlserver.values import Variant

from .engine_client import error_of, new_engine, new_session, rows, value


@pytest.fixture(scope="module")
def session():
    return new_session(new_engine())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The length of varchar is 30 where CAST says none, and 1 elsewhere.
        ("CAST(REPLICATE('a', 40) AS varchar)", "a" * 30),
        ("CONVERT(varbinary(8), 0x0102030405060708090a)", bytes(range(1, 9))),
        ("CAST(5 AS varchar(10)) + 'x'", "5x"),
        ("CAST(10.3496847 AS money)", 103497),
        ("CAST(10.6496 AS int)", 10),
        ("CAST(-10.6496 AS int)", -10),
        ("CAST(CAST(10.6 AS money) AS int)", 11),
        ("CAST(1234567 AS varchar(3))", "*"),
        ("CAST(-1 AS binary(8))", bytes(4) + b"\xff" * 4),
        ("CAST(CAST(1 AS bigint) AS binary(4))", b"\0\0\0\1"),
        ("CAST(0x00000001FFFFFFFF AS bigint)", 0x1FFFFFFFF),
        ("CAST(0x0102030405 AS int)", 0x02030405),
        ("CAST(1.5e0 AS binary(8))", b"\x3f\xf8" + bytes(6)),
        ("CONVERT(varchar(20), 0xABCD, 1)", "0xABCD"),
        ("CONVERT(varchar(20), 0xABCD, 2)", "ABCD"),
        ("CONVERT(varbinary(4), '0xABCD', 1)", b"\xab\xcd"),
        ("CONVERT(varbinary(4), 'ABCD', 2)", b"\xab\xcd"),
        ("CAST('Name' AS binary(8))", b"Name" + bytes(4)),
        ("CAST(N'Name' AS varbinary(8))", "Name".encode("utf-16-le")),
        ("CONVERT(varchar(30), CAST(12345.6789 AS money))", "12345.68"),
        ("CONVERT(varchar(30), CAST(12345.6789 AS money), 1)", "12,345.68"),
        ("CONVERT(varchar(30), CAST(12345.6789 AS money), 2)", "12345.6789"),
        ("CAST(1e10 AS varchar(30))", "1e+010"),
        ("CAST(0.1e0 AS varchar(30))", "0.1"),
        ("CONVERT(varchar(30), 0.1e0, 3)", "1.0000000000000001e-001"),
        ("CONVERT(varchar(30), 0.1e0, 2)", "1.000000000000000e-001"),
        ("CAST(CAST(.5 AS decimal(5,2)) AS varchar(9))", "0.50"),
        ("CAST(0.1 AS real)", 0.10000000149011612),
        ("TRY_CAST('x' AS int)", None),
        ("TRY_CONVERT(date, '2024-02-30')", None),
        ("CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS varchar(36))", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("CAST(CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS uniqueidentifier) AS varchar(36))", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        ("CAST(CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS uniqueidentifier) AS binary(4))", b"\x99\xbc\xee\xa0"),
        ("CAST(N'日é' AS varchar(10))", "?é"),
        ("CAST(N'日é' COLLATE Japanese_CI_AS AS varchar(10))", "日?"),
        ("DATALENGTH(CAST(N'日é€' COLLATE Latin1_General_100_CI_AS_SC_UTF8 AS varchar(10)))", 8),
        ("CAST(CAST('a' AS nchar(3)) AS varbinary(9))", b"a\0 \0 \0"),
        ("CAST(CAST(1 AS sql_variant) AS int)", 1),
        ("SQL_VARIANT_PROPERTY(CAST(1.50 AS decimal(5,2)), 'Scale')", 2),
        ("0x01 + 0x02", b"\1\2"),
        ("2 / 3", 0),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("CAST('0001-01-01' AS date)", 0),
        ("CAST('20240102' AS datetime2(0))", 638397504000000000),
        ("CAST('2024-01-02T03:04:05.9999999' AS datetime2(3))", 638397614460000000),
        ("CAST('9999-12-31T23:59:59.9999999' AS datetime2(7))", 3155378975999999999),
        ("CONVERT(varchar(30), CAST('2024-01-02T03:04:05.998' AS datetime), 121)", "2024-01-02 03:04:05.997"),
        ("CONVERT(varchar(30), CAST('2024-01-02T03:04:05.999' AS datetime), 121)", "2024-01-02 03:04:06.000"),
        ("CONVERT(varchar(30), CAST('2024-01-02T03:04:05' AS datetime))", "Jan  2 2024  3:04AM"),
        ("CONVERT(varchar(30), CAST('2024-01-02T03:04:05.1234567' AS datetime2(7)), 126)", "2024-01-02T03:04:05.1234567"),
        ("CONVERT(varchar(8), CAST('2024-01-02' AS date), 112)", "20240102"),
        ("CONVERT(varchar(40), CAST('2024-01-02 03:04:05.1 -14:00' AS datetimeoffset(7)), 121)", "2024-01-02 03:04:05.1000000 -14:00"),
        ("CAST(CAST('2024-01-02 03:04:05 +02:00' AS datetimeoffset(0)) AS datetime2(0))", 638397614450000000),
        ("CAST('23:59:59.9999999' AS time(7))", 863999999999),
        ("CAST(CAST('2024-01-02 03:04:30' AS datetime2(0)) AS smalldatetime)", 65219225),
        ("CAST(CAST(2 AS datetime) AS varchar(30))", "Jan  3 1900 12:00AM"),
        ("CAST(N'<?xml version=\"1.0\"?><a  x=''1''> <b></b></a>' AS xml)", '<a x="1"><b/></a>'),
        ("CAST('/1/2/' AS hierarchyid).ToString()", "/1/2/"),
        ("CAST(CAST('/1/2/' AS hierarchyid) AS varbinary(20))", b"\x5b\x40"),
        ("geometry::STGeomFromText('POINT(1 2.50 3 4)', 4326).AsTextZM()", "POINT (1 2.5 3 4)"),
        ("geometry::STGeomFromText('POINT(1 2.50 3 4)', 4326).STAsText()", "POINT (1 2.5)"),
        ("geometry::STGeomFromText('LINESTRING(0 0, 1 1)', 7).STSrid", 7),
        ("HASHBYTES('MD5', 'abc')", bytes.fromhex("900150983cd24fb0d6963f7d28e17f72")),
        ("HASHBYTES('SHA2_256', N'')", bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
    ],
)  # fmt: skip
def test_a_value(session, expression, expected):
    found = value(session, expression)
    assert (found.value if isinstance(found, Variant) else found) == expected


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("CAST('abc' AS int)", 245), ("CAST('abc' AS decimal(5,2))", 8114), ("CAST('2024-02-30' AS date)", 241),
        ("CAST('2024-01-01 00:00:00.1234567' AS datetime)", 241), ("CAST('1700-01-01' AS datetime)", 242),
        ("CAST(300 AS tinyint)", 220), ("CAST(3000000000 AS int)", 8115), ("CAST(123.45 AS decimal(4,2))", 8115),
        ("2147483647 + 1", 8115), ("1 / 0", 8134), ("1.0 / 0", 8134), ("1e0 / 0", 8134), ("CAST('x' AS uniqueidentifier)", 8169),
        ("CAST(1 AS xml)", 529), ("CAST(GETDATE() AS varchar(30)) + 1", 245), ("CAST('<a>' AS xml)", 9400),
        ("CAST(NEWID() AS varchar(10))", 8170), ("CAST(12345 AS decimal(39,0))", 2750), ("nope(1)", 195), ("dbo.nope(1)", 4121),
        ("CAST(SYSDATETIME() AS date) + 1", 206), ("CAST(1 AS nope)", 243), ("'a' COLLATE Nope_CI_AS", 448),
        ("1 + 0x01 + NEWID()", 8117), ("POWER(10, 30)", 8115), ("DATEADD(year, 9000, GETDATE())", 517),
        ("DATEDIFF(millisecond, '1900-01-01', '2024-01-01')", 535), ("@nope", 137), ("CONVERT(varchar(9), 1.5e0, 77)", 281),
        ("DATEFROMPARTS(2024, 13, 1)", 289), ("LEN(CAST('a' AS text))", 8116),
        ("DATEPART(nope, GETDATE())", 155), ("LEFT('a', -1)", 537), ("SUBSTRING('a', 1, -1)", 537),
    ],
)  # fmt: skip
def test_a_refused_value(session, expression, number):
    assert error_of(session, f"SELECT {expression}") == number


def test_every_type_is_kept(session):
    rows(session, """CREATE TABLE every (ti tinyint, bi bigint, de decimal(38,10), mo money, re real, fl float, ch char(5), vc varchar(5),
        nc nchar(3), nv nvarchar(20), vm varchar(max), bn binary(3), vb varbinary(max), ui uniqueidentifier, da date, t7 time(7),
        dt datetime, sd smalldatetime, d2 datetime2(7), dz datetimeoffset(7), x xml, sv sql_variant);
        INSERT every VALUES (255, -9223372036854775808, -1234567890123456789012345678.0123456789, 922337203685477.5807, 0.1, 1e308,
        'ab', 'caf' + CHAR(233), N'日', N'😀' + NCHAR(0xD800), REPLICATE(CAST('a' AS varchar(max)), 20000), 0x01, 0x,
        '00112233-4455-6677-8899-aabbccddeeff', '9999-12-31', '00:00:00.0000001', '1753-01-01', '2079-06-06T23:59:00',
        '0001-01-01', '0001-01-01T14:00:00 +14:00', N'<a/>', N'x')""")  # fmt: skip
    row = rows(session, "SELECT * FROM every")[0]
    assert row[:12] == (255, -(1 << 63), -12345678901234567890123456780123456789, (1 << 63) - 1, 0.10000000149011612, 1e308, "ab   ", "café", "日  ", "😀\ud800", "a" * 20000, b"\1\0\0")  # fmt: skip
    assert row[12:20] == (b"", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), 3652058, 1, -53690 * 86400 * 300, 65535 * 1440 + 1439, 0, (0, 840))  # fmt: skip
    assert row[20] == "<a/>"
    assert row[21].value == "x"
    assert row[21].type.name == "nvarchar"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("N'a' = N'A '", True), ("N'a' = N'A' COLLATE Latin1_General_CS_AS", False), ("N'é' = N'e'", False),
        ("N'é' = N'E' COLLATE Latin1_General_CI_AI", True), ("N'a' = N'a  ' COLLATE Latin1_General_BIN2", True),
        ("'a' + CHAR(9) < 'a'", True), ("N'B' < N'a' COLLATE Latin1_General_BIN2", True), ("N'a' < N'B'", True),
        ("N'ﾊ' = N'ハ' COLLATE Japanese_CI_AS", True), ("N'ﾊ' = N'ハ' COLLATE Japanese_CI_AS_KS_WS", False),
        ("N'straße' = N'STRASSE' COLLATE Latin1_General_CI_AS", True), ("0x01 = 0x0100", True), ("0x01 < 0x0101", True),
        # The last six bytes count first: https://learn.microsoft.com/sql/connect/ado-net/sql/compare-guid-uniqueidentifier-values
        ("CAST('ffffffff-0000-0000-0000-000000000001' AS uniqueidentifier) < CAST('00000000-0000-0000-0000-000000000002' AS uniqueidentifier)", True),
        ("CAST('2024-01-01 12:00 +02:00' AS datetimeoffset) = CAST('2024-01-01 10:00 +00:00' AS datetimeoffset)", True),
        ("CAST('2024-01-02T03:04:05.997' AS datetime) = CAST('2024-01-02T03:04:05.9966667' AS datetime2(7))", True),
        ("CAST('2024-01-02T03:04:05.997' AS datetime) = CAST('2024-01-02T03:04:05.997' AS datetime2(7))", False),
        ("1.10 = 1.1", True), ("NULL = NULL", False), ("1 = '1'", True), ("'abc' LIKE 'A_c%'", True), ("'a%b' LIKE 'a!%b' ESCAPE '!'", True),
        ("'b' LIKE '[^a-c]'", False), ("5 BETWEEN 1 AND 5", True), ("2 NOT IN (1, NULL)", False), ("NOT (1 = NULL)", False),
    ],
)  # fmt: skip
def test_a_comparison(session, condition, holds):
    assert value(session, f"CASE WHEN {condition} THEN 1 ELSE 0 END") == int(holds)


def test_concatenation_is_cut_unless_a_side_is_max(session):
    """https://learn.microsoft.com/sql/t-sql/language-elements/string-concatenation-transact-sql"""
    assert value(session, "LEN(REPLICATE('a', 8000) + REPLICATE('b', 10))") == 8000
    assert value(session, "LEN(CAST('' AS varchar(max)) + REPLICATE('a', 8000) + REPLICATE('b', 10))") == 8010
    assert value(session, "DATALENGTH(CAST(REPLICATE('a', 8000) AS varbinary(8000)) + 0x0102)") == 8000
    assert value(session, "DATALENGTH(CAST(0x AS varbinary(max)) + CAST(REPLICATE('a', 8000) AS varbinary(8000)) + 0x0102)") == 8002


def test_versions_know_what_they_know():
    old = new_session(new_engine(2012))
    assert error_of(old, "SELECT HASHBYTES('MD5', REPLICATE(CAST('a' AS varchar(max)), 8001))") == 8152
    assert error_of(old, "SELECT is_masked FROM sys.columns") == 207
    assert error_of(old, "SELECT STRING_AGG('a', ',')") == 195
    assert error_of(old, "SELECT 'a' COLLATE Latin1_General_100_CI_AS_SC_UTF8") == 448
    assert value(old, "CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(20))").startswith("11.")
