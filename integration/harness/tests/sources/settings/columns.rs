//! Columns of every type, and a table of them.

use snowhaul::domain::table::Platform;
use snowhaul_integration::Sql;

/// A column, its extremes, and another value that differs from the first of them as little as it can.
pub(super) struct Column {
    pub(super) name: &'static str,
    kind: &'static str,
    values: &'static [&'static str],
    pub(super) other: &'static str,
}

const fn column(
    name: &'static str,
    kind: &'static str,
    values: &'static [&'static str],
    other: &'static str,
) -> Column {
    Column {
        name,
        kind,
        values,
        other,
    }
}

/// Types of both platforms.
pub(super) const BOTH: &[Column] = &[
    column("c_bool", "bool", &["true", "false"], "false"),
    column(
        "c_int",
        "bigint",
        &["9223372036854775807", "-1"],
        "9223372036854775806",
    ),
    column("c_numeric", "numeric(20,4)", &["1.5", "-0.0001"], "1.5001"),
    column(
        "c_real",
        "real",
        &["0.1", "16777217", "1e-45", "'-0'", "'NaN'", "3.4028235e38"],
        "0.100000009",
    ),
    column(
        "c_double",
        "double precision",
        &[
            "0.3",
            "0.1::float8 + 0.2",
            "1e23",
            "5e-324",
            "'-0'",
            "'-Infinity'",
        ],
        "0.30000000000000004",
    ),
    column(
        "c_date",
        "date",
        &["'2024-02-01'", "'0001-01-01'", "'9999-12-31'"],
        "'2024-01-02'",
    ),
    column(
        "c_timestamp",
        "timestamp",
        &[
            "'2024-02-01 00:30:00.5'",
            "'0001-01-01 00:00:00.000001'",
            "'9999-12-31 23:59:59.999999'",
        ],
        "'2024-02-01 00:30:00.500001'",
    ),
    column(
        "c_timestamptz",
        "timestamptz",
        &[
            "'2024-02-01 00:30:00.123456+00'",
            "'0001-01-02 00:00:00+00'",
            "'1900-01-01 00:00:00+00'",
        ],
        "'2024-02-01 00:30:00.123457+00'",
    ),
    column(
        "c_time",
        "time",
        &["'00:30:00.000001'", "'23:59:59.999999'"],
        "'00:30:00.000002'",
    ),
    column(
        "c_timetz",
        "timetz",
        &["'12:00:00+05:45'", "'00:00:00-15:59'"],
        "'12:00:00+05:46'",
    ),
    column(
        "c_interval",
        "interval",
        &[
            "'1 day'",
            "'-1 year 2 mons -3 days 04:05:06.000007'",
            "'0'",
            "'-00:00:00.1'",
        ],
        "'24 hours'",
    ),
    column("c_char", "char(5)", &["'a'", "''"], "'b'"),
    column("c_varchar", "varchar(20)", &["E'a\\\\b'", "''"], "'a/b'"),
    column("c_text", "text", &["E'it''s \\\\'", "''"], "E'it''s '"),
    column(
        "c_bytea",
        "bytea",
        &["decode('005cff', 'hex')", "''"],
        "decode('005cfe', 'hex')",
    ),
];

/// Types of PostgreSQL alone.
pub(super) const POSTGRES: &[Column] = &[
    column("c_open", "numeric", &["1.0", "'NaN'", "1e60"], "1.00"),
    column(
        "c_money",
        "money",
        &["'1.25'", "'-92233720368547758.08'"],
        "'1.26'",
    ),
    column("c_json", "json", &["'{\"a\": 1.0}'"], "'{\"a\": 1.00}'"),
    column("c_jsonb", "jsonb", &["'{\"a\": 1.0}'"], "'{\"a\": 1.00}'"),
    column(
        "c_uuid",
        "uuid",
        &["'00000000-0000-0000-0000-000000000001'"],
        "'00000000-0000-0000-0000-000000000002'",
    ),
    column("c_inet", "inet", &["'10.0.0.1/8'"], "'10.0.0.2/8'"),
    column("c_bit", "bit(3)", &["B'101'"], "B'100'"),
    column("c_mood", "mood", &["'sad'"], "'glad'"),
    column("c_day", "day", &["'2024-02-01'"], "'2024-01-02'"),
    column("c_oid", "oid", &["4294967295"], "4294967294"),
    column(
        "c_numbers",
        "int4range",
        &["'[1,5)'", "'empty'", "'(,)'"],
        "'[1,6)'",
    ),
    column("c_decimals", "numrange", &["'[1.5,2.5)'"], "'[1.50,2.5)'"),
    column(
        "c_days",
        "daterange",
        &[
            "'[2024-02-01,2024-03-01)'",
            "'[0044-03-15 BC,infinity)'",
            "'empty'",
            "'(,2024-01-01)'",
        ],
        "'[2024-02-01,2024-03-02)'",
    ),
    column(
        "c_times",
        "tsrange",
        &["'[2024-02-01 00:30:00.5,infinity]'"],
        "'[2024-02-01 00:30:00.500001,infinity]'",
    ),
    column(
        "c_instants",
        "tstzrange",
        &[
            "'[2024-02-01 00:30:00+00,2024-02-02 00:00:00+00)'",
            "'[0044-03-15 00:00:00+00 BC,)'",
        ],
        "'[2024-02-01 00:30:00.000001+00,2024-02-02 00:00:00+00)'",
    ),
    column(
        "c_many_days",
        "datemultirange",
        &["'{[2024-02-01,2024-03-01),[2025-01-01,)}'", "'{}'"],
        "'{[2024-02-01,2024-03-01)}'",
    ),
    column(
        "c_many_times",
        "tsmultirange",
        &["'{[2024-02-01 00:30:00,2024-03-01 00:00:00)}'"],
        "'{}'",
    ),
    column(
        "c_many_instants",
        "tstzmultirange",
        &["'{[2024-02-01 00:30:00+00,2024-03-01 00:00:00+00)}'"],
        "'{[2024-02-01 00:30:00.000001+00,2024-03-01 00:00:00+00)}'",
    ),
    column("c_ints", "int[]", &["'{1,NULL}'", "'{}'"], "'{1}'"),
    column(
        "c_texts",
        "text[]",
        &["ARRAY['a', 'NULL', NULL]"],
        "ARRAY['a', NULL, NULL]",
    ),
    column(
        "c_reals",
        "real[]",
        &["'{0.1,NULL,NaN,-0}'"],
        "'{0.1,NULL,NaN,0}'",
    ),
    column(
        "c_doubles",
        "float8[]",
        &["'{{0.3,1e23},{-Infinity,NULL}}'", "'{}'"],
        "'{{0.30000000000000004,1e23},{-Infinity,NULL}}'",
    ),
    column(
        "c_dates",
        "date[]",
        &["'{2024-02-01,0044-03-15 BC,infinity}'"],
        "'{2024-01-02,0044-03-15 BC,infinity}'",
    ),
    column(
        "c_stamps",
        "timestamp[]",
        &["'{2024-02-01 00:30:00.5}'"],
        "'{2024-02-01 00:30:00.500001}'",
    ),
    column(
        "c_zoned",
        "timestamptz[]",
        &["'{2024-02-01 00:30:00.5+00,-infinity,NULL}'"],
        "'{2024-02-01 00:30:00.500001+00,-infinity,NULL}'",
    ),
    column(
        "c_durations",
        "interval[]",
        &["'{1 day,-00:00:00.000001}'"],
        "'{24 hours,-00:00:00.000001}'",
    ),
    column(
        "c_bytes",
        "bytea[]",
        &["ARRAY[decode('005cff', 'hex'), '']"],
        "ARRAY[decode('005cfe', 'hex'), '']",
    ),
    column("c_vector", "tsvector", &["'a:1 b:2'"], "'a:1 b:3'"),
];

/// Types of PostgreSQL whose text has doubles or dates in it, which the server writes: their checksums do not depend on
/// settings, and their text says where it does.
pub(super) const TEXT_OF_THE_SERVER: &[Column] = &[
    column(
        "c_point",
        "point",
        &["'(0.3,1e23)'"],
        "'(0.30000000000000004,1e23)'",
    ),
    column(
        "c_box",
        "box",
        &["'((1,1),(0,0.3))'"],
        "'((1,1),(0,0.30000000000000004))'",
    ),
    column(
        "c_pair",
        "pair",
        &["ROW('2024-02-01', 0.3)"],
        "ROW('2024-02-01', 0.30000000000000004)",
    ),
    column(
        "c_spans",
        "floatrange",
        &["'[0.3,1)'"],
        "'[0.30000000000000004,1)'",
    ),
    column(
        "c_pairs",
        "pair[]",
        &["ARRAY[ROW('2024-02-01', 0.3)::pair]"],
        "ARRAY[ROW('2024-02-01', 0.30000000000000004)::pair]",
    ),
];

pub(super) fn columns_of(platform: Platform) -> Vec<&'static Column> {
    let lists: &[&[Column]] = match platform {
        Platform::Postgresql => &[BOTH, POSTGRES, TEXT_OF_THE_SERVER],
        _ => &[BOTH],
    };
    lists.iter().copied().flatten().collect()
}

/// The table `t`: its nth row has the nth extreme of each column, the last one NULL in all.
pub(super) fn fill(sql: &Sql, columns: &[&Column]) {
    sql.run("CREATE TYPE mood AS ENUM ('sad', 'glad')");
    sql.run("CREATE DOMAIN day AS date");
    sql.run("CREATE TYPE pair AS (d date, f float8)");
    sql.run("CREATE TYPE floatrange AS RANGE (subtype = float8)");
    let list: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}", c.name, c.kind))
        .collect();
    sql.run(&format!("CREATE TABLE t (id int, {})", list.join(", ")));
    let most = columns.iter().map(|c| c.values.len()).max().unwrap();
    for row in 0..=most {
        let values: Vec<&str> = columns
            .iter()
            .map(|c| c.values.get(row).copied().unwrap_or("NULL"))
            .collect();
        sql.run(&format!(
            "INSERT INTO t VALUES ({row}, {})",
            values.join(", ")
        ));
    }
}
