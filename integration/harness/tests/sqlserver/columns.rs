//! The types of SQL Server with values that bend other tools, and what each must be in Snowflake.
//!
//! Longer than 400 lines: one table of types and values.

/// A column: its type, the type of the created target, how the target is read (over `{c}`), and its values as T-SQL with what
/// must be read.
pub struct Column {
    pub name: &'static str,
    pub source: &'static str,
    pub created: &'static str,
    pub read: &'static str,
    pub values: &'static [(&'static str, &'static str)],
}

const fn column(
    name: &'static str,
    source: &'static str,
    created: &'static str,
    values: &'static [(&'static str, &'static str)],
) -> Column {
    Column {
        name,
        source,
        created,
        read: "{c}",
        values,
    }
}

const fn timed(
    name: &'static str,
    source: &'static str,
    created: &'static str,
    read: &'static str,
    values: &'static [(&'static str, &'static str)],
) -> Column {
    Column {
        read,
        ..column(name, source, created, values)
    }
}

const SECONDS: &str = "TO_VARCHAR({c}, 'YYYY-MM-DD HH24:MI:SS')";
const MILLIS: &str = "LEFT(TO_VARCHAR({c}, 'YYYY-MM-DD HH24:MI:SS.FF6'), 23)";
const MICROS: &str = "TO_VARCHAR({c}, 'YYYY-MM-DD HH24:MI:SS.FF6')";
// The local Snowflake holds seven digits as text, and an offset behind the time in UTC.
const TICKS: &str = "{c}";
const ZONED: &str = "{c}";

pub const COLUMNS: &[Column] = &[
    column(
        "c_tinyint",
        "tinyint",
        "NUMBER(3,0)",
        &[("0", "0"), ("255", "255")],
    ),
    column(
        "c_smallint",
        "smallint",
        "NUMBER(5,0)",
        &[("-32768", "-32768"), ("32767", "32767")],
    ),
    column(
        "c_int",
        "int",
        "NUMBER(10,0)",
        &[("-2147483648", "-2147483648"), ("2147483647", "2147483647")],
    ),
    column(
        "c_bigint",
        "bigint",
        "NUMBER(19,0)",
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
            // 2^53 + 1 is no double.
            ("9007199254740993", "9007199254740993"),
        ],
    ),
    column("c_bit", "bit", "BOOLEAN", &[("1", "true"), ("0", "false")]),
    column(
        "c_decimal",
        "decimal(38,10)",
        "NUMBER(38,10)",
        &[
            (
                "-9999999999999999999999999999.9999999999",
                "-9999999999999999999999999999.9999999999",
            ),
            ("0.0000000001", "0.0000000001"),
            ("0.50", "0.5000000000"),
        ],
    ),
    column(
        "c_whole",
        "decimal(38,0)",
        "NUMBER(38,0)",
        &[
            (
                "99999999999999999999999999999999999999",
                "99999999999999999999999999999999999999",
            ),
            ("0", "0"),
        ],
    ),
    column(
        "c_fraction",
        "numeric(38,37)",
        "NUMBER(38,37)",
        &[(
            "-1.2345678901234567890123456789012345678",
            "-1.2345678901234567890123456789012345678",
        )],
    ),
    column(
        "c_short",
        "numeric(5,5)",
        "NUMBER(5,5)",
        &[("-0.00001", "-0.00001")],
    ),
    column(
        "c_money",
        "money",
        "NUMBER(19,4)",
        &[
            ("-922337203685477.5808", "-922337203685477.5808"),
            ("922337203685477.5807", "922337203685477.5807"),
            ("0.0001", "0.0001"),
        ],
    ),
    column(
        "c_smallmoney",
        "smallmoney",
        "NUMBER(10,4)",
        &[
            ("-214748.3648", "-214748.3648"),
            ("214748.3647", "214748.3647"),
        ],
    ),
    column(
        "c_real",
        "real",
        "FLOAT",
        // The double that has the value of the single, digit for digit.
        &[
            ("0.1", "0.10000000149011612"),
            ("3.4028235E38", "3.4028234663852886e+38"),
            ("-1.17549435E-38", "-1.1754943508222875e-38"),
        ],
    ),
    column(
        "c_float",
        "float",
        "FLOAT",
        &[
            ("0.1E0", "0.1"),
            ("1.7976931348623157E308", "1.7976931348623157e+308"),
            ("-2.2250738585072014E-308", "-2.2250738585072014e-308"),
            ("9007199254740993E0", "9007199254740992.0"),
        ],
    ),
    column(
        "c_float24",
        "float(24)",
        "FLOAT",
        &[("16777217E0", "16777216.0")],
    ),
    column(
        "c_char",
        "char(6)",
        "VARCHAR(6)",
        &[("'ab'", "ab    "), ("''", "      ")],
    ),
    column(
        "c_varchar",
        "varchar(20)",
        "VARCHAR(20)",
        &[
            ("''", ""),
            ("'trailing  '", "trailing  "),
            // The euro has one byte in this page, and three in UTF-8.
            ("N'5 €, naïve'", "5 €, naïve"),
        ],
    ),
    column(
        "c_cyrillic",
        "varchar(20) COLLATE Cyrillic_General_CI_AS",
        "VARCHAR(20)",
        &[("N'Привет, мир'", "Привет, мир")],
    ),
    column(
        "c_japanese",
        "varchar(20) COLLATE Japanese_CI_AS",
        "VARCHAR(20)",
        &[("N'日本語テスト'", "日本語テスト"), ("N'ｱｲｳ'", "ｱｲｳ")],
    ),
    column(
        "c_utf8",
        "varchar(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
        "VARCHAR(20)",
        &[("N'😀日é'", "😀日é")],
    ),
    column(
        "c_nchar",
        "nchar(5)",
        "VARCHAR(5)",
        &[("N'日😀'", "日😀  ")],
    ),
    column(
        "c_nvarchar",
        "nvarchar(30)",
        "VARCHAR(30)",
        &[
            ("N''", ""),
            ("N'😀 e' + NCHAR(769) + N' \\ '' \"'", "😀 e\u{301} \\ ' \""),
            ("N'a' + NCHAR(0) + N'b'", "a\0b"),
            ("N'line' + NCHAR(13) + NCHAR(10) + N' two'", "line\r\n two"),
            (
                "NCHAR(65279) + N'bom' + NCHAR(65535)",
                "\u{feff}bom\u{ffff}",
            ),
        ],
    ),
    column(
        "c_varcharmax",
        "varchar(max)",
        "VARCHAR",
        &[("''", ""), ("N'Ä long €'", "Ä long €")],
    ),
    column(
        "c_nvarcharmax",
        "nvarchar(max)",
        "VARCHAR",
        &[
            ("N''", ""),
            ("REPLICATE(CAST(N'😀' AS nvarchar(max)), 3)", "😀😀😀"),
        ],
    ),
    column("c_text", "text", "VARCHAR", &[("'old text'", "old text")]),
    column(
        "c_ntext",
        "ntext",
        "VARCHAR",
        &[("N'altes 日'", "altes 日")],
    ),
    column(
        "c_xml",
        "xml",
        "VARCHAR",
        &[("N'<a b=\"1\">é 日</a>'", "<a b=\"1\">é 日</a>")],
    ),
    column(
        "c_binary",
        "binary(4)",
        "BINARY(4)",
        &[("0x01", "01000000")],
    ),
    column(
        "c_varbinary",
        "varbinary(10)",
        "BINARY(10)",
        &[("0x", ""), ("0x00FF00", "00ff00")],
    ),
    column(
        "c_varbinarymax",
        "varbinary(max)",
        "BINARY",
        &[("0x", ""), ("0xDEADBEEF", "deadbeef")],
    ),
    column("c_image", "image", "BINARY", &[("0x0001", "0001")]),
    column(
        "c_uniqueidentifier",
        "uniqueidentifier",
        "VARCHAR(36)",
        &[(
            "'6f9619ff-8b86-d011-b42d-00c04fc964ff'",
            "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        )],
    ),
    column(
        "c_date",
        "date",
        "DATE",
        &[
            ("'0001-01-01'", "0001-01-01"),
            ("'9999-12-31'", "9999-12-31"),
        ],
    ),
    timed(
        "c_time0",
        "time(0)",
        "TIME(0)",
        "{c}",
        &[("'23:59:59'", "23:59:59.000000")],
    ),
    timed(
        "c_time3",
        "time(3)",
        "TIME(3)",
        "{c}",
        &[("'23:59:59.999'", "23:59:59.999000")],
    ),
    timed(
        "c_time7",
        "time(7)",
        "TIME(7)",
        "{c}",
        &[
            ("'23:59:59.9999999'", "23:59:59.9999999"),
            ("'00:00:00.0000001'", "00:00:00.0000001"),
        ],
    ),
    timed(
        "c_smalldatetime",
        "smalldatetime",
        "TIMESTAMP_NTZ(0)",
        SECONDS,
        &[
            ("'1900-01-01T00:00:00'", "1900-01-01 00:00:00"),
            ("'2079-06-06T23:59:00'", "2079-06-06 23:59:00"),
        ],
    ),
    timed(
        "c_datetime",
        "datetime",
        "TIMESTAMP_NTZ(3)",
        MILLIS,
        &[
            ("'1753-01-01T00:00:00'", "1753-01-01 00:00:00.000"),
            ("'9999-12-31T23:59:59.997'", "9999-12-31 23:59:59.997"),
            ("'2024-02-28T12:00:00.003'", "2024-02-28 12:00:00.003"),
            ("'1899-12-31T23:59:59.993'", "1899-12-31 23:59:59.993"),
        ],
    ),
    timed(
        "c_datetime20",
        "datetime2(0)",
        "TIMESTAMP_NTZ(0)",
        SECONDS,
        &[("'1582-10-10T12:13:14'", "1582-10-10 12:13:14")],
    ),
    timed(
        "c_datetime26",
        "datetime2(6)",
        "TIMESTAMP_NTZ(6)",
        MICROS,
        &[
            ("'0001-01-01T00:00:00.000001'", "0001-01-01 00:00:00.000001"),
            ("'9999-12-31T23:59:59.999999'", "9999-12-31 23:59:59.999999"),
        ],
    ),
    timed(
        "c_datetime2",
        "datetime2",
        "TIMESTAMP_NTZ(7)",
        TICKS,
        &[
            (
                "'0001-01-01T00:00:00.0000001'",
                "0001-01-01 00:00:00.0000001",
            ),
            (
                "'9999-12-31T23:59:59.9999999'",
                "9999-12-31 23:59:59.9999999",
            ),
            (
                "'2262-04-12T00:00:00.1234567'",
                "2262-04-12 00:00:00.1234567",
            ),
        ],
    ),
    timed(
        "c_datetimeoffset",
        "datetimeoffset",
        "TIMESTAMP_TZ(7)",
        ZONED,
        &[
            (
                "'2024-02-28 22:00:00.0000001 -14:00'",
                "2024-02-29 12:00:00.0000001 -14:00",
            ),
            (
                "'9999-12-31 09:59:59.9999999 +14:00'",
                "9999-12-30 19:59:59.9999999 +14:00",
            ),
            (
                "'2024-01-01 00:00:00 +05:45'",
                "2023-12-31 18:15:00.0000000 +05:45",
            ),
            (
                "'2024-01-01 00:00:00 -00:30'",
                "2024-01-01 00:30:00.0000000 -00:30",
            ),
        ],
    ),
    column(
        "c_hierarchyid",
        "hierarchyid",
        "VARCHAR",
        &[("hierarchyid::Parse('/1/2.1/')", "/1/2.1/")],
    ),
    column(
        "c_geometry",
        "geometry",
        "VARCHAR",
        &[(
            "geometry::STGeomFromText('POINT (1 2 3 4)', 4326)",
            "SRID=4326;POINT (1 2 3 4)",
        )],
    ),
    column(
        "c_variant",
        "sql_variant",
        "VARCHAR",
        &[
            ("CAST(-1.5 AS money)", "-1.5000"),
            ("CAST(0.1 AS float)", "0.1"),
            ("CAST(N'日 ' AS nvarchar(10))", "日 "),
            ("CAST(0x0AFF AS varbinary(4))", "0x0AFF"),
            (
                "CAST('2024-02-28T22:00:00.1234567' AS datetime2)",
                "2024-02-28 22:00:00.1234567",
            ),
        ],
    ),
    column(
        "c_alias",
        "dbo.ssn",
        "VARCHAR(11)",
        &[("'123-45-6789'", "123-45-6789")],
    ),
    column("c_sparse", "int SPARSE", "NUMBER(10,0)", &[("7", "7")]),
];
