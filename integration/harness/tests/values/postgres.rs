//! What PostgreSQL has and Redshift has not: types of its own, domains, arrays, computed columns.

use crate::compared::{assert_created, source};
use crate::extremes::{ANY_TEXT, Column, TEXT, column};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

pub const TYPES: &[&str] = &[
    "CREATE EXTENSION hstore",
    "CREATE EXTENSION ltree",
    "CREATE EXTENSION citext",
    "CREATE TYPE \"Mood\" AS ENUM ('sad; \"or\" not', 'glad')",
    "CREATE TYPE pair AS (x integer, y text)",
    "CREATE DOMAIN price AS numeric(10,2) CHECK (value >= 0)",
    "CREATE DOMAIN offer AS price",
    "CREATE DOMAIN short AS varchar(7)",
    "CREATE DOMAIN numbers AS integer[]",
];

/// Arrives as text, in the words of the source.
const fn as_text(
    name: &'static str,
    source: &'static str,
    extremes: &'static [&'static str],
) -> Column {
    column(name, source, ANY_TEXT, extremes).compared(TEXT, "{c}")
}

const fn as_array(
    name: &'static str,
    source: &'static str,
    extremes: &'static [&'static str],
) -> Column {
    column(name, source, "ARRAY", extremes).compared("to_json({c})", "TO_JSON({c})")
}

pub const COLUMNS: &[Column] = &[
    column("c_oid", "oid", "NUMBER(10,0)", &["0", "4294967295"]),
    column(
        "c_left",
        "numeric(3,-2)",
        "NUMBER(5,0)",
        &["99900", "-99900", "100", "0"],
    ),
    column(
        "c_right",
        "numeric(2,5)",
        "NUMBER(5,5)",
        &["0.00099", "-0.00099", "0.00001", "0"],
    ),
    as_text("c_wide", "numeric(100,50)", &["1e49", "-1e-50", "'NaN'"]),
    as_text(
        "c_open",
        "numeric",
        &["'Infinity'", "'-Infinity'", "'NaN'", "-0.10", "1e130000"],
    ),
    column(
        "c_money",
        "money",
        "NUMBER(23,4)",
        &[
            "'92233720368547758.07'",
            "'-92233720368547758.08'",
            "'0.01'",
        ],
    )
    .compared("CAST(CAST({c} AS numeric) AS numeric(23,4))", "{c}"),
    column("c_price", "offer", "NUMBER(10,2)", &["99999999.99", "0.00"]),
    column("c_short", "short", "VARCHAR(7)", &["'é😀 '", "''"]),
    as_text("c_mood", "\"Mood\"", &["'glad'", "'sad; \"or\" not'"]),
    as_text("c_char", "\"char\"", &["'a'", "''", "' '"]),
    as_text("c_name", "name", &["repeat('n', 63)", "''"]),
    as_text("c_citext", "citext", &["'MiXed '", "''"]),
    column(
        "c_millis",
        "timestamp(3)",
        "TIMESTAMP_NTZ(3)",
        &["'2024-02-29 23:59:59.999'", "'0001-01-01'"],
    ),
    column(
        "c_seconds",
        "timestamptz(0)",
        "TIMESTAMP_TZ(0)",
        &["'9999-12-31 23:59:59+00'", "'1969-12-31 23:59:59-11'"],
    ),
    column(
        "c_tenths",
        "time(1)",
        "TIME(1)",
        &["'23:59:59.9'", "'00:00:00'"],
    ),
    as_text(
        "c_interval",
        "interval",
        &[
            "'-1 year 2 days -03:04:05.000006'",
            "'178000000 years'",
            "'-00:00:00.1'",
        ],
    ),
    as_text("c_bits", "bit(3)", &["B'000'", "B'101'"]),
    as_text(
        "c_varbits",
        "varbit",
        &["B''", "B'1010101010101010101010101010101010101010101'"],
    ),
    as_text(
        "c_xml",
        "xml",
        &["'<a b=\"c\">é &amp; ]]&gt;</a>'", "'<!-- x -->'"],
    ),
    as_text("c_point", "point", &["'(1e-300,-0.1)'", "'(Infinity,NaN)'"]),
    as_text("c_polygon", "polygon", &["'((0,0),(1,1),(2,0.1))'"]),
    as_text("c_circle", "circle", &["'<(1,2),3>'"]),
    as_text("c_cidr", "cidr", &["'10.0.0.0/8'", "'2001:db8::/32'"]),
    as_text("c_mac", "macaddr", &["'08:00:2b:01:02:03'"]),
    as_text("c_range", "int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    as_text(
        "c_times",
        "tstzrange",
        &["'[2024-01-01 00:00:00+09,infinity)'"],
    ),
    as_text("c_ranges", "nummultirange", &["'{[1.5,2.5),[7,]}'", "'{}'"]),
    as_text(
        "c_pair",
        "pair",
        &["ROW(1, 'a,\"b')", "ROW(NULL, NULL)", "ROW(-1, '')"],
    ),
    as_text("c_words", "tsvector", &["'a:1A fat:2 ''it''''s'':3'"]),
    as_text("c_query", "tsquery", &["'fat & (rat | !cat)'"]),
    as_text("c_hstore", "hstore", &["'a=>1, \"b c\"=>NULL, \"\"=>\"\"'"]),
    as_text("c_ltree", "ltree", &["'Top.Science'", "''"]),
    as_text("c_lsn", "pg_lsn", &["'FFFFFFFF/FFFFFFFF'", "'0/0'"]),
    as_array("c_domains", "offer[]", &["'{1.50,NULL,99999999.99}'"]),
    as_array("c_numbers", "numbers", &["'{{1,2},{3,4}}'", "'{}'"]),
    as_array(
        "c_decimals",
        "numeric[]",
        &[
            "'{99999999999999999999999999999999999999,-0.0000000000000000000000000000000000001,NULL,NaN}'",
        ],
    ),
    as_array(
        "c_doubles",
        "double precision[]",
        &["'{1.7976931348623157e308,5e-324,0.1,-Infinity}'"],
    ),
    as_array(
        "c_texts",
        "text[]",
        &[
            "ARRAY['', NULL, 'NULL', 'a,\"}b', E'\\\\ \\n é😀']",
            "'{{a,b},{c,d}}'",
        ],
    ),
    as_array(
        "c_instants",
        "timestamptz[]",
        &["'{2024-03-31 02:30:00.5+05:45,infinity,0044-03-15 00:00:00+00 BC}'"],
    ),
    as_array("c_days", "date[]", &["'{2024-02-29,NULL}'"]),
    as_array("c_moods", "\"Mood\"[]", &["'{glad,NULL}'"]),
    as_array("c_bytes", "bytea[]", &["ARRAY[decode('00ff', 'hex'), '']"]),
    as_array(
        "c_documents",
        "jsonb[]",
        &["ARRAY['{\"a\": [1, null]}'::jsonb, 'null']"],
    ),
    as_array("c_pairs", "pair[]", &["ARRAY[ROW(1, 'a')::pair, NULL]"]),
];

/// Columns whose type has no faithful counterpart, and some that have one.
const WARNED: &[(&str, bool)] = &[
    ("c_wide", true),
    ("c_open", true),
    ("c_bits", true),
    ("c_xml", true),
    ("c_point", true),
    ("c_mac", true),
    ("c_range", true),
    ("c_ranges", true),
    ("c_pair", true),
    ("c_words", true),
    ("c_hstore", true),
    ("c_ltree", true),
    ("c_lsn", true),
    ("c_doubles", true),
    ("c_instants", true),
    ("c_pairs", true),
    ("c_money", false),
    ("c_price", false),
    ("c_mood", false),
    ("c_decimals", true),
    ("c_texts", false),
    ("c_domains", true),
    ("c_numbers", false),
];

#[test]
fn every_type_of_postgresqls_own_arrives_by_value() {
    let database = LocalRedshift::shared().database();
    source(&database, TYPES, COLUMNS);
    let done = Migration::from(&database)
        .platform("postgresql")
        .whole("t")
        .run(0);
    assert_created(&database, &done, COLUMNS);
    let warnings = done.warnings_of("t");
    let wrong: Vec<_> = WARNED
        .iter()
        .filter(|(column, warned)| warnings.contains(&format!("column {column}:")) != *warned)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?} in {warnings}");
}

#[test]
fn what_a_semi_structured_column_would_change_is_refused_and_arrives_as_text() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let cases = [
        (
            "long_number",
            "json",
            "'{\"k\": 1.23456789012345678901234567890123456789}'",
            "would round",
        ),
        (
            "exponent",
            "json",
            "'[1.2345678901234567891e2]'",
            "would round",
        ),
        ("twice", "json", "'{\"k\": 1, \"k\": 2}'", "\"k\" twice"),
        (
            "long_element",
            "numeric[]",
            "'{123456789012345678901234567890123456789}'",
            "would round",
        ),
        ("bounds", "integer[]", "'[0:1]={1,2}'", "[0:1]={1,2}"),
    ];
    let mut migration = Migration::from(&database).platform("postgresql");
    for (table, kind, value, _) in cases {
        sql.run(&format!("CREATE TABLE {table} (id integer, v {kind})"));
        sql.run(&format!("INSERT INTO {table} VALUES (1, {value})"));
        migration = migration.whole(table).table(json!({
            "source": {"tableName": table},
            "target": {"tableName": format!("{table}_as_text")},
            "columnTypeMappings": [{"sourceType": kind, "targetType": "VARCHAR"}],
        }));
    }
    let done = migration.run(1);
    for (table, _, _, says) in cases {
        let errors = done.errors_of(table);
        for words in ["column v:", says, "columnTypeMappings"] {
            assert!(errors.contains(words), "{table}: no {words} in {errors}");
        }
        assert_eq!(
            done.sql.value(&format!("SELECT v FROM {table}_as_text")),
            sql.value(&format!("SELECT CAST(v AS varchar) FROM {table}")),
        );
        let refused = done.sql.number(&format!("SELECT COUNT(*) FROM {table}"));
        assert_eq!(refused, 0, "{table}");
    }
}

#[test]
fn a_created_target_keeps_not_null_and_comments_and_leaves_columns_out() {
    for platform in ["redshift", "postgresql"] {
        let database = LocalRedshift::shared().database();
        let sql = database.sql();
        sql.run("CREATE DOMAIN needed AS integer NOT NULL");
        sql.run("CREATE TABLE t (id serial PRIMARY KEY, v text NOT NULL, d needed, twice integer GENERATED ALWAYS AS (1 + 1) STORED, secret text)");
        sql.run("INSERT INTO t (v, d, secret) VALUES ('a', 1, 'x')");
        let comment = "It's a \\ \"table\"; DROP -- é\n%s 😀";
        let literal = format!("E'{}'", comment.replace('\\', "\\\\").replace('\'', "''"));
        sql.run(&format!("COMMENT ON TABLE t IS {literal}"));
        sql.run(&format!("COMMENT ON COLUMN t.v IS {literal}"));
        sql.run("COMMENT ON COLUMN t.id IS 'the key'");
        let migration = match platform {
            "postgresql" => Migration::from(&database).platform("postgresql"),
            _ => Migration::from(&database),
        };
        let done = migration
            .table(json!({
                "source": {"tableName": "t"},
                "target": {"tableName": "t"},
                "excludeSourceColumns": ["SECRET"],
            }))
            .run(0);
        // Redshift has no domains, and no computed columns.
        let is_postgres = platform == "postgresql";
        let row = |name: &str, nullable: &str, comment: Option<&str>| {
            vec![
                Some(name.to_owned()),
                Some(nullable.to_owned()),
                comment.map(str::to_owned),
            ]
        };
        assert_eq!(
            done.sql.rows(&format!(
                "SELECT COLUMN_NAME, IS_NULLABLE, COMMENT FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T' ORDER BY ORDINAL_POSITION",
                done.target
            )),
            [
                row("ID", "NO", Some("the key")),
                row("V", "NO", Some(comment)),
                // What a domain says of NULL, a stored row need not keep.
                row("D", "YES", None),
                row("TWICE", "YES", None),
            ]
        );
        let of_table = done.sql.value(&format!(
            "SELECT COMMENT FROM {}.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'T'",
            done.target
        ));
        assert_eq!(of_table.as_deref(), Some(comment));
        let warnings = done.warnings_of("t");
        let told = "column secret is left out, as excludeSourceColumns says";
        assert!(warnings.contains(told), "{warnings}");
        assert_eq!(
            warnings.contains("column twice is computed"),
            is_postgres,
            "{warnings}"
        );
        assert_eq!(
            done.sql.rows("SELECT ID, V, TWICE FROM T"),
            sql.rows("SELECT id, v, twice FROM t")
        );
    }
}
