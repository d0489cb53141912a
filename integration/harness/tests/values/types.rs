//! Every type by its extremes, into created targets and into targets that exist: both sides are read by their own
//! drivers and compared.

use serde_json::Value;
use snowhaul_integration::{Database, LocalRedshift, Migration, Row, Sql};

/// A column of the source with its extremes. `from` and `to` are what is compared of a value, where it is not the value
/// itself: expressions in the source's and in the target's SQL, over `{c}`.
struct Column {
    name: &'static str,
    source: &'static str,
    extremes: &'static [&'static str],
    created: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn column(
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
    const fn compared(self, from: &'static str, to: &'static str) -> Self {
        Self { from, to, ..self }
    }
}

const TEXT: &str = "CAST({c} AS varchar)";
const ANY_TEXT: &str = "VARCHAR(16777216)";

const COLUMNS: &[Column] = &[
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
        "BINARY(8388608)",
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
        ANY_TEXT,
        &["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'"],
    )
    .compared(TEXT, "{c}"),
];

/// `t (id, …COLUMNS)`: row n has the nth extreme of each column, or NULL; the last row is all NULL.
fn source(database: &Database<'_>) {
    let sql = database.sql();
    sql.run("CREATE TYPE mood AS ENUM ('sad; \"or\" not', 'glad')");
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| format!("{} {}", column.name, column.source))
        .collect();
    sql.run(&format!(
        "CREATE TABLE t (id integer NOT NULL, {})",
        columns.join(", ")
    ));
    let most = COLUMNS.iter().map(|column| column.extremes.len()).max();
    for row in 0..=most.unwrap() {
        let values: Vec<&str> = COLUMNS
            .iter()
            .map(|column| column.extremes.get(row).copied().unwrap_or("NULL"))
            .collect();
        sql.run(&format!(
            "INSERT INTO t VALUES ({row}, {})",
            values.join(", ")
        ));
    }
}

/// A column's values by `id`, through an expression.
fn values(sql: &Sql, expression: &str, column: &str) -> Vec<Option<String>> {
    let expression = expression.replace("{c}", column);
    let first = |mut row: Row| row.remove(0);
    let rows = sql.rows(&format!("SELECT {expression} FROM t ORDER BY id"));
    rows.into_iter().map(first).collect()
}

/// Both sides in words, for the first value that differs.
fn difference(name: &str, source: &[Option<String>], target: &[Option<String>]) -> Option<String> {
    let short = |value: Option<&Option<String>>| {
        let text = format!("{value:?}");
        let shown: String = text.chars().take(100).collect();
        format!("{shown} ({} bytes)", text.len())
    };
    let longest = source.len().max(target.len());
    let place = (0..longest).find(|&row| source.get(row) != target.get(row))?;
    let (was, is) = (short(source.get(place)), short(target.get(place)));
    Some(format!("{name}, row {place}: {was} arrived as {is}"))
}

fn reading_like_the_worker(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("SET intervalstyle TO iso_8601");
    sql
}

/// JSON in one form: blanks and the order of keys do not matter.
fn canonical(texts: Vec<Option<String>>) -> Vec<Option<String>> {
    let one = |text: String| serde_json::from_str::<Value>(&text).unwrap().to_string();
    texts.into_iter().map(|text| text.map(one)).collect()
}

#[test]
fn every_type_arrives_by_value_in_a_created_target() {
    let database = LocalRedshift::shared().database();
    source(&database);
    let done = Migration::from(&database).whole("t").run(0);
    let described = done.columns("T");
    let sql = reading_like_the_worker(&database);
    let mut wrong = Vec::new();
    for column in COLUMNS {
        let mut there = values(&sql, column.from, column.name);
        let mut here = values(&done.sql, column.to, column.name);
        if column.created == "VARIANT" {
            (there, here) = (canonical(there), canonical(here));
        }
        wrong.extend(difference(column.name, &there, &here));
        let name = column.name.to_uppercase();
        let created = described.iter().find(|(other, _)| *other == name);
        let created = created.map(|(_, kind)| kind.as_str());
        if created != Some(column.created) {
            wrong.push(format!(
                "{name} was created as {created:?}, not {}",
                column.created
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let warnings = done.warnings_of("t");
    for column in ["c_numeric", "c_inet", "c_enum", "c_array"] {
        assert!(warnings.contains(&format!("column {column}")), "{warnings}");
    }
    assert_eq!(described[0], ("ID".to_owned(), "NUMBER(10,0)".to_owned()));
}

/// Target types that are not the default, and what is compared then: the column, its target type, source's expression,
/// target's expression.
const EXISTING: &[(&str, &str, &str, &str)] = &[
    (
        "c_smallint",
        "NUMBER(38,5)",
        "CAST({c} AS numeric(38,5))",
        "{c}",
    ),
    ("c_integer", "VARCHAR", TEXT, "{c}"),
    ("c_bigint", "VARCHAR(20)", TEXT, "{c}"),
    ("c_whole", "NUMBER(38,0)", "{c}", "{c}"),
    ("c_fraction", "VARCHAR(60)", TEXT, "{c}"),
    (
        "c_money",
        "NUMBER(38,10)",
        "CAST({c} AS numeric(38,10))",
        "{c}",
    ),
    ("c_real", "VARCHAR", TEXT, "{c}"),
    ("c_double", "VARCHAR(40)", TEXT, "{c}"),
    ("c_boolean", "VARCHAR(5)", TEXT, "{c}"),
    ("c_date", "VARCHAR(10)", TEXT, "{c}"),
    ("c_timestamp", "VARCHAR", TEXT, "{c}"),
    ("c_timestamptz", "TIMESTAMP_LTZ(9)", "{c}", "{c}"),
    ("c_time", "VARCHAR", TEXT, "{c}"),
    ("c_timetz", "VARCHAR(100)", TEXT, "{c}"),
    ("c_interval", "VARCHAR(100)", TEXT, "{c}"),
    ("c_char", "VARCHAR", "{c}", "{c}"),
    ("c_varchar", "VARCHAR(16777216)", "{c}", "{c}"),
    ("c_text", "VARCHAR(100000)", "{c}", "{c}"),
    ("c_bytea", "VARCHAR", "encode({c}, 'hex')", "{c}"),
    ("c_json", "VARCHAR", TEXT, "{c}"),
    ("c_jsonb", "VARCHAR", TEXT, "{c}"),
    ("c_uuid", "VARCHAR(36)", TEXT, "{c}"),
    ("c_inet", "VARCHAR(50)", TEXT, "{c}"),
    ("c_enum", "VARCHAR(50)", TEXT, "{c}"),
    ("c_array", "VARCHAR", TEXT, "{c}"),
    ("c_numeric", "VARCHAR(100)", TEXT, "{c}"),
];

#[test]
fn every_type_arrives_by_value_in_a_target_that_decides_the_types() {
    let database = LocalRedshift::shared().database();
    source(&database);
    // Another order than the source's, and columns that no source column fills.
    let mut columns: Vec<String> = EXISTING
        .iter()
        .rev()
        .map(|(name, kind, ..)| format!("{name} {kind}"))
        .collect();
    columns.insert(3, "extra_date DATE".to_owned());
    columns.push("extra_default NUMBER(3,0) DEFAULT 7".to_owned());
    let ddl = format!(
        "CREATE TABLE T ({}, id NUMBER(38,0) NOT NULL)",
        columns.join(", ")
    );
    let done = Migration::from(&database)
        .prepare(&[&ddl])
        .whole("t")
        .run(0);
    let sql = reading_like_the_worker(&database);
    let wrong: Vec<String> = EXISTING
        .iter()
        .filter_map(|(name, _, from, to)| {
            difference(
                name,
                &values(&sql, from, name),
                &values(&done.sql, to, name),
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows = sql.number("SELECT COUNT(*) FROM t");
    let unfilled = "SELECT COUNT(*) FROM T WHERE extra_date IS NULL AND extra_default = 7";
    assert_eq!(done.sql.number(unfilled), rows);
}

#[test]
fn narrower_targets_take_the_values_that_fit_exactly() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer, c_numeric numeric, c_timestamp timestamp, c_time time, c_date date, c_bigint bigint, c_integer integer, c_timestamptz timestamptz, c_plain timestamp)");
    sql.run("INSERT INTO t VALUES (1, 1234567890123456789012345678.0123456789, '1969-12-31 23:59:59.999', '23:59:59.999', '0001-01-01', 9999, -2147483648, '1999-12-31 23:59:59.5+00', '9999-12-31 23:59:59.999999'), (2, -0.0000000001, '9999-12-31 23:59:59.001', '00:00:00', '9999-12-31', -9999, 16777217, '0001-01-01 00:00:00+00', '1969-12-31 23:59:59.999999'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 1.50, '2024-01-01', '12:00:00.1', '1970-01-01', 0, 0, '2024-01-01 00:00:00+09', '0001-01-01')");
    let ddl = "CREATE TABLE T (c_plain TIMESTAMP_TZ(9), id NUMBER(3,0), c_numeric NUMBER(38,10), c_timestamp TIMESTAMP_NTZ(3), c_time TIME(3), c_date TIMESTAMP_NTZ(0), c_bigint NUMBER(4,0), c_integer FLOAT, c_timestamptz TIMESTAMP_NTZ(3))";
    let done = Migration::from(&database).prepare(&[ddl]).whole("t").run(0);
    let wrong: Vec<String> = [
        ("c_numeric", "CAST({c} AS numeric(38,10))"),
        ("c_timestamp", "{c}"),
        ("c_time", "{c}"),
        ("c_date", "CAST({c} AS timestamp)"),
        ("c_bigint", "{c}"),
        ("c_integer", "CAST({c} AS double precision)"),
        ("c_timestamptz", "{c} AT TIME ZONE 'UTC'"),
        ("c_plain", "{c} AT TIME ZONE 'UTC'"),
    ]
    .iter()
    .filter_map(|(name, from)| {
        difference(
            name,
            &values(&sql, from, name),
            &values(&done.sql, "{c}", name),
        )
    })
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let warnings = done.warnings_of("t");
    for column in ["c_timestamptz", "c_plain"] {
        assert!(warnings.contains(&format!("column {column}")), "{warnings}");
    }
}
