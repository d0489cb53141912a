//! The source's types and the extremes of each.

/// A column of the source with its extremes. `from` and `to` are what is compared of a value, where it is not the value
/// itself: expressions in the source's and in the target's SQL, over `{c}`.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub source: &'static str,
    pub extremes: &'static [&'static str],
    pub created: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

pub const fn column(
    name: &'static str,
    source: &'static str,
    created: &'static str,
    extremes: &'static [&'static str],
) -> Column {
    let (from, to) = ("{c}", "{c}");
    Column {
        name,
        source,
        extremes,
        created,
        from,
        to,
    }
}

impl Column {
    pub const fn compared(self, from: &'static str, to: &'static str) -> Self {
        Self { from, to, ..self }
    }
}

/// Types that PostgreSQL has and Redshift has not:
/// <https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html>.
pub fn is_of_postgresql_alone(source: &str) -> bool {
    let types = [
        "bytea",
        "json",
        "jsonb",
        "uuid",
        "inet",
        "mood",
        "integer[]",
    ];
    types.contains(&source)
}

/// [`COLUMNS`] as far as the platform has their types.
pub fn columns_of(platform: &str) -> Vec<Column> {
    let has = |column: &&Column| platform == "postgresql" || !is_of_postgresql_alone(column.source);
    COLUMNS.iter().filter(has).copied().collect()
}

pub const TEXT: &str = "CAST({c} AS varchar)";
pub const ANY_TEXT: &str = "VARCHAR(134217728)";

pub const COLUMNS: &[Column] = &[
    column(
        "c_smallint",
        "smallint",
        "NUMBER(5,0)",
        &["-32768", "32767", "0"],
    ),
    column(
        "c_integer",
        "integer",
        "NUMBER(10,0)",
        &["-2147483648", "2147483647"],
    ),
    column(
        "c_bigint",
        "bigint",
        "NUMBER(19,0)",
        // 2^53 + 1 is no double.
        &[
            "-9223372036854775808",
            "9223372036854775807",
            "9007199254740993",
        ],
    ),
    column(
        "c_whole",
        "numeric(38,0)",
        "NUMBER(38,0)",
        &[
            "99999999999999999999999999999999999999",
            "-99999999999999999999999999999999999999",
            "0",
        ],
    ),
    column(
        "c_fraction",
        "numeric(38,37)",
        "NUMBER(38,37)",
        &[
            "9.9999999999999999999999999999999999999",
            "-9.9999999999999999999999999999999999999",
            "0.0000000000000000000000000000000000001",
            "-0.0000000000000000000000000000000000001",
        ],
    ),
    column(
        "c_money",
        "numeric(15,2)",
        "NUMBER(15,2)",
        &["9999999999999.99", "-9999999999999.99", "0.10", "-0.01"],
    ),
    column(
        "c_numeric",
        "numeric",
        ANY_TEXT,
        &[
            "123456789012345678901234567890.1234567890",
            "-0.000000000000000000000000000000000000000000001",
            "1e60",
            "'NaN'",
            "1.50",
        ],
    )
    .compared(TEXT, "{c}"),
    column(
        "c_real",
        "real",
        "FLOAT",
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1.4e-45",
            "0.1",
            "3.4028235e38",
            "-3.4028235e38",
            "1.17549435e-38",
            "16777217",
        ],
    )
    .compared("CAST({c} AS double precision)", "{c}"),
    column(
        "c_double",
        "double precision",
        "FLOAT",
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "5e-324",
            "0.1",
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "2.2250738585072014e-308",
            "9007199254740993",
            "'-0'",
        ],
    ),
    column("c_boolean", "boolean", "BOOLEAN", &["true", "false"]),
    column(
        "c_date",
        "date",
        "DATE",
        &[
            "'0001-01-01'",
            "'9999-12-31'",
            "'1969-12-31'",
            "'1970-01-01'",
            "'1582-10-10'",
            "'2024-02-29'",
        ],
    ),
    column(
        "c_timestamp",
        "timestamp",
        "TIMESTAMP_NTZ(6)",
        &[
            "'0001-01-01 00:00:00'",
            "'0001-01-01 00:00:00.000001'",
            "'9999-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.999999'",
            "'1900-01-01 12:34:56.789012'",
            "'2024-02-29 00:00:00.000001'",
        ],
    ),
    column(
        "c_timestamptz",
        "timestamptz",
        "TIMESTAMP_TZ(6)",
        &[
            "'0001-01-01 00:00:00.000001+00'",
            "'9999-12-31 23:59:59.999999+00'",
            "'1969-12-31 23:59:59.999999+00'",
            "'2024-03-31 02:30:00.5+05:45'",
            "'2024-03-31 23:30:00-11'",
        ],
    ),
    column(
        "c_time",
        "time",
        "TIME(6)",
        &[
            "'00:00:00'",
            "'23:59:59.999999'",
            "'00:00:00.000001'",
            "'12:34:56.7'",
        ],
    ),
    column(
        "c_timetz",
        "timetz",
        ANY_TEXT,
        &[
            "'00:00:00+14'",
            "'23:59:59.999999-15:59'",
            "'12:00:00.000001+05:45'",
        ],
    )
    .compared(TEXT, "{c}"),
    column(
        "c_interval",
        "interval",
        ANY_TEXT,
        &[
            "'1 year 2 months 3 days 04:05:06.789012'",
            "'-178000000 years'",
            "'0'",
            "'-1 day +00:00:00.000001'",
        ],
    )
    .compared(TEXT, "{c}"),
    column(
        "c_char",
        "char(6)",
        "VARCHAR(6)",
        &["'ab'", "'  ab'", "'abcdef'", "''", "'é😀'"],
    ),
    column(
        "c_varchar",
        "varchar(20)",
        "VARCHAR(20)",
        &[
            "''",
            "' trailing  '",
            "repeat('😀', 20)",
            "'NULL'",
            "E'a\\tb\\nc\\r\\\\\"'''",
            "'{\"a\": 1}'",
        ],
    ),
    column(
        "c_text",
        "text",
        ANY_TEXT,
        &[
            "''",
            "repeat('x', 65536)",
            "repeat('😀', 16384)",
            "repeat('é', 100000)",
            "E'\\u0001\\u001f\\u2028'",
            "' '",
        ],
    ),
    column(
        "c_bytea",
        "bytea",
        "BINARY(67108864)",
        &[
            "''",
            "decode('00', 'hex')",
            "decode('00ff00fe00', 'hex')",
            "decode(repeat('00', 65536), 'hex')",
            "decode(repeat('c328ff', 21845), 'hex')",
        ],
    ),
    column(
        "c_json",
        "json",
        "VARIANT",
        &[
            "'{\"b\": [1, 2.50, null, true], \"a\": \"é😀\\\\n\"}'",
            "'null'",
            "'\"\"'",
            "'[]'",
            "'12345678901234567890'",
            "'{\"k\": \"''\"}'",
        ],
    )
    .compared(TEXT, "TO_JSON({c})"),
    column(
        "c_jsonb",
        "jsonb",
        "VARIANT",
        &[
            "'{\"b\": {\"c\": [{}]}}'",
            "'null'",
            "'false'",
            "'-0.5'",
            "'\"\\\\\\\\ \\\"\"'",
        ],
    )
    .compared(TEXT, "TO_JSON({c})"),
    column(
        "c_uuid",
        "uuid",
        "VARCHAR(36)",
        &[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ],
    )
    .compared(TEXT, "{c}"),
    column(
        "c_inet",
        "inet",
        ANY_TEXT,
        &["'::1/128'", "'192.168.0.0/16'"],
    )
    .compared(TEXT, "{c}"),
    column("c_enum", "mood", ANY_TEXT, &["'sad; \"or\" not'", "'glad'"]).compared(TEXT, "{c}"),
    column(
        "c_array",
        "integer[]",
        "ARRAY",
        &["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'", "'{-2147483648}'"],
    )
    .compared("to_json({c})", "TO_JSON({c})"),
    column(
        "c_longest",
        "varchar(65535)",
        "VARCHAR(65535)",
        &["repeat('x', 65535)", "repeat('é', 32767)", "''", "' '"],
    ),
];
