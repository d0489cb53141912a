//! The user's SQL sees the settings that any other client sees, and values do not depend on them.

use serde_json::json;
use snowhaul::domain::source_settings::SourceSettings;
use snowhaul::domain::spec::TableSpec;
use snowhaul::domain::table::{
    KeyColumn, KeyRange, Platform, QueryModifiers, SourceColumn, TableRef, WrittenName,
};
use snowhaul::domain::table_plan::TargetKind;
use snowhaul::plan::ranges;
use snowhaul::platform::{self, Scope, SourcePlatform};
use snowhaul::source;
use snowhaul::target::of;
use snowhaul::types::{array_value, float_text, key_text};
use snowhaul_integration::{Database, LocalRedshift, Migration, Row, Sql};
use std::collections::BTreeMap;

/// A login's settings that change what values look like.
const ODD: &[(&str, &str)] = &[
    ("DateStyle", "'SQL, DMY'"),
    ("TimeZone", "'Asia/Kolkata'"),
    ("IntervalStyle", "'postgres_verbose'"),
    ("extra_float_digits", "0"),
    ("bytea_output", "'escape'"),
    ("standard_conforming_strings", "off"),
];

/// A column, its extremes, and another value that differs from the first of them as little as it can.
struct Column {
    name: &'static str,
    kind: &'static str,
    values: &'static [&'static str],
    other: &'static str,
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
const BOTH: &[Column] = &[
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
const POSTGRES: &[Column] = &[
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
const TEXT_OF_THE_SERVER: &[Column] = &[
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

fn columns_of(platform: Platform) -> Vec<&'static Column> {
    let lists: &[&[Column]] = match platform {
        Platform::Postgresql => &[BOTH, POSTGRES, TEXT_OF_THE_SERVER],
        _ => &[BOTH],
    };
    lists.iter().copied().flatten().collect()
}

/// The table `t`: its nth row has the nth extreme of each column, the last one NULL in all.
fn fill(sql: &Sql, columns: &[&Column]) {
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

fn dialect(platform: Platform) -> &'static dyn SourcePlatform {
    platform::source(platform).unwrap()
}

/// A session with the server's settings, and one with odd ones. On Redshift a double has no other exact text than that of
/// `extra_float_digits`, which is set there.
fn sessions(database: &Database<'_>, platform: Platform) -> [Sql; 2] {
    let (usual, odd) = (database.sql(), database.sql());
    for (name, value) in ODD {
        odd.run(&format!("SET {name} TO {value}"));
    }
    if platform == Platform::Redshift {
        for sql in [&usual, &odd] {
            sql.run("SET extra_float_digits TO 2");
        }
    }
    [usual, odd]
}

fn table_ref(name: &str) -> TableRef {
    let part = |text: &str| WrittenName(text.to_owned());
    TableRef {
        database: part("d"),
        schema: part("public"),
        table: part(name),
    }
}

fn analyzed(database: &Database<'_>, platform: Platform) -> Vec<SourceColumn> {
    let (username, password) = database.login();
    let settings = SourceSettings {
        platform,
        host: "127.0.0.1".to_owned(),
        port: database.port_of("postgresql"),
        database: database.name().to_owned(),
        username: username.to_owned(),
        password: password.to_owned().into(),
        odbc_driver: None,
        extra_options: BTreeMap::new(),
    };
    let spec = TableSpec {
        key: Some(Vec::new()),
        ..TableSpec::new(table_ref("t"), table_ref("t"))
    };
    let analysis = source::analyze(&settings, dialect(platform), &spec, None);
    let analysis = analysis.unwrap_or_else(|error| panic!("{error}"));
    analysis.columns
}

/// What stands in `t`, without a predicate of the user's.
fn scope<'a>(
    table: &'a TableRef,
    key: &'a [KeyColumn],
    range: &'a KeyRange,
    modifiers: &'a QueryModifiers,
) -> Scope<'a> {
    Scope {
        table,
        key,
        range,
        window: None,
        where_clause: None,
        modifiers,
    }
}

/// What differs between two answers, in words.
fn difference(what: &str, usual: &[Row], odd: &[Row]) -> Option<String> {
    (usual != odd).then(|| format!("{what}: {usual:?} became {odd:?}"))
}

#[test]
fn what_is_extracted_does_not_depend_on_the_session() {
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let database = LocalRedshift::shared().database();
        fill(&database.sql(), &columns_of(platform));
        let [usual, odd] = sessions(&database, platform);
        let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
        let mut wrong = Vec::new();
        for column in analyzed(&database, platform) {
            let is_servers = TEXT_OF_THE_SERVER.iter().any(|c| c.name == column.name);
            for target in [None, Some("VARCHAR")] {
                let planned = dialect(platform).plan_column(&column, 0, target);
                let warning = planned.warning.unwrap_or_default();
                if is_servers {
                    if !column.name.ends_with("pairs") && !warning.contains("extra_float_digits") {
                        wrong.push(format!("{}: {warning}", column.name));
                    }
                    continue;
                }
                if warning.contains("extra_float_digits")
                    || target.is_some_and(|target| {
                        let file = planned.plan.file_column();
                        of(TargetKind::Native)
                            .load_expression(&file, target)
                            .is_err()
                    })
                {
                    wrong.push(format!("{} into {target:?}: {warning}", column.name));
                }
                let everything = KeyRange::Everything;
                let query = dialect(platform).extraction(
                    &scope(&table, &[], &everything, &modifiers),
                    std::slice::from_ref(&planned.plan),
                );
                let query = format!("{query} ORDER BY id");
                let what = format!("{platform} {} into {target:?}", column.name);
                wrong.extend(difference(&what, &usual.rows(&query), &odd.rows(&query)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn a_checksum_does_not_depend_on_the_session_and_sees_the_least_change_and_null() {
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let database = LocalRedshift::shared().database();
        let own = columns_of(platform);
        fill(&database.sql(), &own);
        let [usual, odd] = sessions(&database, platform);
        let mut columns = analyzed(&database, platform);
        for column in &mut columns {
            // Whatever the catalog says.
            column.nullable = false;
        }
        let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
        let everything = KeyRange::Everything;
        for form in dialect(platform).checksum_aggregates(&columns) {
            let sql = dialect(platform)
                .aggregate(&scope(&table, &[], &everything, &modifiers), &form)
                .sql;
            let rows = usual.rows(&sql);
            assert_eq!(rows, odd.rows(&sql), "{platform}: {form}");
            for session in [&usual, &odd] {
                for column in &own {
                    for change in [
                        format!(
                            "UPDATE t SET {} = {} WHERE id = 0",
                            column.name, column.other
                        ),
                        format!("UPDATE t SET {} = NULL WHERE id = 0", column.name),
                        format!(
                            "UPDATE t SET {} = {} WHERE id = 6",
                            column.name, column.other
                        ),
                    ] {
                        session.run("BEGIN");
                        assert_eq!(session.run(&change).count, 1, "{change}");
                        assert_ne!(session.rows(&sql), rows, "{platform}: {change}: {form}");
                        session.run("ROLLBACK");
                    }
                }
                // A row with NULL in it is as much a row as another.
                session.run("BEGIN");
                session.run("UPDATE t SET c_text = 'else' WHERE id = 6");
                assert_ne!(
                    session.rows(&sql),
                    rows,
                    "{platform}: a row of NULL: {form}"
                );
                session.run("ROLLBACK");
            }
        }
    }
}

/// Values of keys, and how many of them are different.
const KEYS: &[(&str, &str)] = &[
    (
        "date",
        "(ARRAY['infinity', '-infinity', '0044-03-15 BC', '12345-01-01', '2024-02-01', '2024-01-02'])[1 + n % 6]::date + CASE WHEN n % 6 > 3 THEN n ELSE 0 END",
    ),
    (
        "timestamp",
        "(ARRAY['infinity', '-infinity', '0044-03-15 BC', '12345-01-01', '2024-02-01 00:30:00', '2024-01-02'])[1 + n % 6]::timestamp + n * interval '1.000001 second'",
    ),
    (
        "timestamptz",
        "(ARRAY['infinity', '-infinity', '0044-03-15 00:00:00+00 BC', '12345-01-01 00:00:00+00', '2024-02-01 00:30:00+00', '1900-01-02 00:00:00+00'])[1 + n % 6]::timestamptz + n * interval '1.000001 second'",
    ),
    (
        "float8",
        "CASE n % 20 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0' ELSE 0.3::float8 + (n - 300) * 5.551115123125783e-17 END",
    ),
    ("float4", "0.1::float4 + (n - 300) * 7.45e-9::float4"),
    (
        "time",
        "time '00:00:00.000001' + n * interval '71.5 seconds'",
    ),
    ("numeric", "n / 7.0"),
    ("bool", "n % 2 = 0"),
    ("text", "E'it''s \\\\' || n"),
];

#[test]
fn boundaries_and_ranges_do_not_depend_on_the_session() {
    for platform in [Platform::Redshift, Platform::Postgresql] {
        for (kind, value) in KEYS {
            let database = LocalRedshift::shared().database();
            let sql = database.sql();
            sql.run(&format!(
                "CREATE TABLE t AS SELECT n AS id, ({value})::{kind} AS k FROM generate_series(1, 600) n"
            ));
            let what = format!("{kind} on {platform}");
            let [usual, odd] = sessions(&database, platform);
            let column = analyzed(&database, platform).remove(1);
            let key = [KeyColumn {
                name: "k".to_owned(),
                kind: dialect(platform).key_kind(&column).unwrap(),
                nullable: true,
                bytewise: false,
            }];
            let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
            let everything = KeyRange::Everything;
            let all = scope(&table, &key, &everything, &modifiers);
            let boundaries = dialect(platform).boundaries(&all, 9, None).sql;
            let answered = usual.rows(&boundaries);
            assert_eq!(answered, odd.rows(&boundaries), "{what}");
            let firsts: Vec<Vec<String>> = answered
                .into_iter()
                .map(|mut row| vec![key_text::read(key[0].kind, row.remove(0).unwrap())])
                .collect();
            let id = SourceColumn {
                name: "id".into(),
                type_name: "int4".into(),
                ..SourceColumn::default()
            };
            let id = [dialect(platform).plan_column(&id, 0, None).plan];
            let (mut rows, cut) = (0, ranges(&key, &firsts));
            assert!(cut.len() > 2, "{what}: {firsts:?}");
            for range in &cut {
                let of_range = scope(&table, &key, range, &modifiers);
                let query = dialect(platform).extraction(&of_range, &id);
                let query = format!("SELECT c0 FROM ({query}) x ORDER BY 1");
                let ids = usual.rows(&query);
                assert_eq!(ids, odd.rows(&query), "{what}: {range:?}");
                rows += ids.len();
            }
            assert_eq!(rows, 600, "{what}");
            // The bound of a watermark is the largest value itself, to the last bit.
            let where_clause = (*kind == "float8").then_some("k < 1");
            let finite = Scope {
                where_clause,
                ..all
            };
            let maximum = dialect(platform).maximum(&finite, &key[0]).sql;
            if *kind != "bool" {
                let bound = usual.value(&maximum).unwrap();
                assert_eq!(odd.value(&maximum).unwrap(), bound, "{what}");
                let bound = key_text::read(key[0].kind, bound);
                let up_to = format!(
                    "SELECT count(*) FROM t WHERE k = CAST('{}' AS {})",
                    bound.replace('\'', "''").replace('\\', "\\\\"),
                    if kind.starts_with("float") {
                        "float8"
                    } else {
                        kind
                    }
                )
                .replace("CAST('", if *kind == "text" { "CAST(E'" } else { "CAST('" });
                assert!(odd.number(&up_to) > 0, "{what}: {bound}");
                assert_eq!(odd.number(&up_to), usual.number(&up_to), "{what}: {bound}");
            }
        }
    }
}

#[test]
fn the_row_of_a_time_outside_the_years_is_the_first_of_its_key_in_every_session() {
    let values = [
        ("date", ["10000-01-01", "9999-12-31"]),
        (
            "timestamp",
            ["0001-12-31 23:59:59.999999 BC", "0001-01-01 00:00:00"],
        ),
        (
            "timestamptz",
            ["10000-01-01 00:00:00+00", "9999-12-31 23:59:59+00"],
        ),
        (
            "timestamptz",
            ["0001-12-31 23:59:59+00 BC", "0001-01-01 00:00:00+00"],
        ),
    ];
    for platform in [Platform::Redshift, Platform::Postgresql] {
        for (kind, [outside, inside]) in values {
            let database = LocalRedshift::shared().database();
            let sql = database.sql();
            sql.run(&format!("CREATE TABLE t (k int, v {kind})"));
            sql.run(&format!(
                "INSERT INTO t VALUES (1, '{inside}'), (10, '{outside}'), (9, '{outside}')"
            ));
            let column = analyzed(&database, platform).remove(1);
            let plan = dialect(platform).plan_column(&column, 0, None).plan;
            let key = [KeyColumn {
                name: "k".to_owned(),
                kind: snowhaul::domain::table::KeyKind::Integer,
                nullable: true,
                bytewise: false,
            }];
            let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
            let everything = KeyRange::Everything;
            let query = dialect(platform)
                .row_outside_years(&scope(&table, &key, &everything, &modifiers), &plan)
                .unwrap()
                .sql;
            for session in &sessions(&database, platform) {
                let expected = [[Some(outside.to_owned()), Some("9".to_owned())]];
                assert_eq!(session.rows(&query), expected, "{kind} on {platform}");
            }
        }
    }
}

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ (self.0 >> 29)
    }
}

#[test]
fn doubles_look_as_the_server_writes_them() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("SET extra_float_digits TO 1");
    let mut numbers = Numbers(7);
    let mut doubles: Vec<f64> = (0..4_000).map(|_| f64::from_bits(numbers.next())).collect();
    let mut singles: Vec<f32> = (0..4_000)
        .map(|_| f32::from_bits(numbers.next() as u32))
        .collect();
    for power in -1_074..1_024 {
        doubles.push(2f64.powi(power));
    }
    for power in -320..309 {
        let near: f64 = format!("1e{power}").parse().unwrap();
        doubles.extend([near, near.next_up(), near.next_down(), near * 3.0]);
    }
    doubles.extend((0..2_000).map(|n| f64::from(n) / 100.0 - 7.0));
    doubles.extend((0..500).map(|n| 2f64.powi(53) + f64::from(n) * 2.0));
    for power in -149..128 {
        singles.push(2f32.powi(power));
    }
    for power in -45..39 {
        let near: f32 = format!("1e{power}").parse().unwrap();
        singles.extend([near, near.next_up(), near.next_down(), near * 3.0]);
    }
    let mut texts: Vec<(String, String, &str)> = doubles
        .iter()
        .filter(|value| !value.is_nan())
        .map(|value| (format!("{value:e}"), float_text::double(*value), "float8"))
        .collect();
    texts.extend(
        singles
            .iter()
            .filter(|value| !value.is_nan())
            .map(|value| (format!("{value:e}"), float_text::single(*value), "float4")),
    );
    for kind in ["float8", "float4"] {
        let of_kind: Vec<&(String, String, &str)> =
            texts.iter().filter(|(.., of)| *of == kind).collect();
        let values: Vec<String> = of_kind
            .iter()
            .enumerate()
            .map(|(place, (literal, ..))| {
                format!("({place}, '{}')", literal.replace("inf", "Infinity"))
            })
            .collect();
        let rows = sql.rows(&format!(
            "SELECT CAST(CAST(v AS {kind}) AS varchar) FROM (VALUES {}) x(n, v) ORDER BY n",
            values.join(", ")
        ));
        let wrong: Vec<_> = rows
            .iter()
            .zip(&of_kind)
            .filter(|(row, (_, ours, _))| row[0].as_deref() != Some(ours.as_str()))
            .take(5)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(rows.len() > 4_000, "{}", rows.len());
    }
}

#[test]
fn arrays_look_as_the_server_writes_them() {
    use array_value::{Element, Form};
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for (name, value) in [
        ("TimeZone", "'UTC'"),
        ("IntervalStyle", "iso_8601"),
        ("extra_float_digits", "1"),
    ] {
        sql.run(&format!("SET {name} TO {value}"));
    }
    let cases = [
        (
            Element::Float8,
            "float8",
            "(random() - 0.5) * power(10::float8, (random() * 600 - 300)::int)",
        ),
        (
            Element::Float4,
            "float4",
            "((random() - 0.5) * power(10::float8, (random() * 60 - 30)::int))::float4",
        ),
        (
            Element::Date,
            "date",
            "date '4713-01-02 BC' + (random() * 2145000000)::int",
        ),
        (
            Element::Timestamp,
            "timestamp",
            "timestamp '4713-01-02 BC' + (random() * 298000 * 365) * interval '1 day'",
        ),
        (
            Element::TimestampTz,
            "timestamptz",
            "timestamptz '4713-01-02 00:00:00+00 BC' + (random() * 298000 * 365) * interval '1 day'",
        ),
        (
            Element::Interval,
            "interval",
            "make_interval(months => (random() * 40000 - 20000)::int, days => (random() * 100 - 50)::int) + ((random() - 0.5) * power(10, (random() * 17)::int))::bigint * interval '1 microsecond'",
        ),
        (
            Element::Bytes,
            "bytea",
            "decode(md5(random()::text), 'hex')",
        ),
    ];
    for (element, kind, value) in cases {
        let mut arrays = format!(
            "SELECT ARRAY[{value}, NULL, {value}]::{kind}[] AS a FROM generate_series(1, 3000) n \
             UNION ALL SELECT '{{}}'::{kind}[] UNION ALL SELECT ARRAY[ARRAY[{value}, {value}], ARRAY[{value}, NULL]]::{kind}[]"
        );
        if matches!(
            element,
            Element::Date | Element::Timestamp | Element::TimestampTz
        ) {
            arrays.push_str(&format!(
                " UNION ALL SELECT '{{infinity,-infinity}}'::{kind}[]"
            ));
        }
        sql.run("DROP TABLE IF EXISTS a");
        sql.run(&format!("CREATE TABLE a AS {arrays}"));
        for row in sql.rows("SELECT encode(array_send(a), 'hex'), CAST(to_json(a) AS varchar), CAST(a AS varchar) FROM a") {
            let cell = |place: usize| row[place].clone().unwrap();
            let hex = cell(0);
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).unwrap())
                .collect();
            for (form, place) in [(Form::Json, 1), (Form::Text, 2)] {
                let ours = array_value::text(&bytes, element, form);
                assert_eq!(ours, Some(cell(place)), "{element:?}");
            }
        }
    }
}

#[test]
fn intervals_look_as_the_server_writes_them_in_iso_8601() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(
        "CREATE TABLE t AS SELECT make_interval(months => (random() * 200 - 100)::int * (random() > 0.5)::int, days => (random() * 200 - 100)::int * (random() > 0.5)::int) \
         + ((random() * 2 - 1) * power(10, (random() * 18)::int))::bigint * interval '1 microsecond' * (random() > 0.2)::int AS v FROM generate_series(1, 20000)",
    );
    for extreme in [
        "0",
        "-178956970 years -8 mons -2147483648 days -2562047788 hours -54.775807 secs",
        "178956970 years 7 mons 2147483647 days 2562047788 hours 54.775807 secs",
        "-9223372036854775807 us",
        "-0.000001 s",
        "1 year -1 mon",
        "-1 day +00:00:00.000001",
        "-59.999999 s",
        "60 s",
        "-00:01:00.5",
        "-13 mons",
    ] {
        sql.run(&format!("INSERT INTO t VALUES ('{extreme}')"));
    }
    sql.run("INSERT INTO t VALUES (NULL)");
    sql.run("SET IntervalStyle TO iso_8601");
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let column = analyzed(&database, platform).remove(0);
        let ours = dialect(platform)
            .plan_column(&column, 0, None)
            .plan
            .expression;
        let wrong = sql.rows(&format!(
            "SELECT CAST(v AS varchar), {ours} FROM t WHERE CAST(v AS varchar) IS DISTINCT FROM {ours} LIMIT 5"
        ));
        assert!(wrong.is_empty(), "{platform}: {wrong:?}");
    }
}

/// The login has these settings in this database, as any session of it finds them.
fn set_defaults(database: &Database<'_>) {
    let sql = database.sql();
    for (name, value) in ODD {
        sql.run(&format!(
            "ALTER ROLE snowhaul IN DATABASE \"{}\" SET {name} TO {value}",
            database.name()
        ));
    }
}

#[test]
fn values_arrive_whatever_settings_the_login_has() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let columns: Vec<&Column> = BOTH.iter().chain(POSTGRES).collect();
    fill(&sql, &columns);
    let whole = |done: &snowhaul_integration::Migrated| {
        let names: Vec<String> = columns
            .iter()
            .map(|c| format!("CAST({} AS VARCHAR)", c.name))
            .collect();
        let list = names.join(", ");
        done.sql
            .rows(&format!("SELECT ID, {list} FROM T ORDER BY ID"))
    };
    let run = || {
        Migration::from(&database)
            .platform("postgresql")
            .whole("t")
            .run(0)
    };
    let usual = whole(&run());
    set_defaults(&database);
    let odd = whole(&run());
    for (usual, odd) in usual.iter().zip(&odd) {
        for (place, column) in columns.iter().enumerate() {
            assert_eq!(usual[place + 1], odd[place + 1], "{}", column.name);
        }
    }
    assert_eq!(odd.len(), 7);
    let of = |name: &str, row: usize| {
        let place = columns.iter().position(|c| c.name == name).unwrap();
        odd[row][place + 1].clone().unwrap_or_default()
    };
    assert_eq!(of("c_interval", 1), "P-10M-3DT4H5M6.000007S");
    assert_eq!(
        of("c_instants", 0),
        "[\"2024-02-01 00:30:00+00\",\"2024-02-02 00:00:00+00\")"
    );
    assert_eq!(of("c_days", 1), "[\"0044-03-15 BC\",infinity)");
    assert_eq!(of("c_durations", 0), "[\"P1D\",\"PT-0.000001S\"]");
    assert_eq!(
        of("c_zoned", 0),
        "[\"2024-02-01T00:30:00.5+00:00\",\"-infinity\",null]"
    );
    let exact = "SELECT COUNT(*) FROM T WHERE c_double = 0.30000000000000004";
    assert_eq!(run().sql.number(exact), 1);
}

#[test]
fn a_watermark_of_doubles_is_exact_whatever_settings_the_login_has() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    set_defaults(&database);
    sql.run("CREATE TABLE t (id int PRIMARY KEY, w float8)");
    sql.run("INSERT INTO t VALUES (1, 0.3), (2, 0.29999999999999993)");
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"},
            "synchronization": {"strategy": "watermark", "watermarkColumn": "w"},
        }));
    let ids = "SELECT ID FROM T ORDER BY ID";
    assert_eq!(migration.run(0).sql.rows(ids).len(), 2);
    // With fifteen digits each of them is 0.3.
    for (id, value) in [(3, "0.30000000000000004"), (4, "0.3000000000000001")] {
        sql.run(&format!("INSERT INTO t VALUES ({id}, {value})"));
        let rows = migration.clone().again().run(0).sql.rows(ids);
        assert_eq!(rows.len(), id, "{value}: {rows:?}");
    }
}

#[test]
fn the_users_sql_sees_what_any_other_client_of_the_login_sees() {
    let database = LocalRedshift::shared().database();
    let owner = database.sql();
    owner.run("CREATE TABLE orders AS SELECT n AS id, timestamptz '2024-01-31 00:00:00+00' + n * interval '30 minutes' AS created_at, 1 AS n FROM generate_series(1, 200) n");
    owner.run("CREATE VIEW by_day AS SELECT id, created_at::date AS day FROM orders");
    set_defaults(&database);
    let client = database.sql();
    let of_zone = "created_at::date = date '2024-02-02'";
    let of_day = "created_at >= '02/02/2024' AND created_at < '03/02/2024'";
    let table = |source: &str, target: &str, keys: serde_json::Value| {
        let mut table = json!({"source": {"tableName": source}, "target": {"tableName": target}});
        let more = keys.as_object().cloned().unwrap_or_default();
        table.as_object_mut().unwrap().extend(more);
        table
    };
    let checksum = json!({"synchronization": {"strategy": "checksum", "checksumExpression": "sum(CASE WHEN created_at::date = date '2024-02-02' THEN n END)"}});
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(table("by_day", "by_day", json!({})))
        .table(table(
            "orders",
            "of_zone",
            json!({"whereClauseCriteria": of_zone}),
        ))
        .table(table(
            "orders",
            "of_day",
            json!({"whereClauseCriteria": of_day}),
        ))
        .table(table("orders", "summed", checksum));
    let done = migration.run(0);
    let text = |rows: Vec<Row>| -> Vec<Row> {
        let day = |text: Option<String>| text.map(|text| text.replace(" 00:00:00", ""));
        rows.into_iter()
            .map(|row| row.into_iter().map(day).collect())
            .collect()
    };
    assert_eq!(
        text(done.sql.rows("SELECT ID, DAY FROM BY_DAY ORDER BY ID")),
        text(client.rows("SELECT id, day FROM by_day ORDER BY id"))
    );
    for (target, predicate) in [("OF_ZONE", of_zone), ("OF_DAY", of_day)] {
        let expected = client.rows(&format!(
            "SELECT id FROM orders WHERE {predicate} ORDER BY id"
        ));
        assert_eq!(expected.len(), 48, "{target}");
        let rows = done
            .sql
            .rows(&format!("SELECT ID FROM {target} ORDER BY ID"));
        assert_eq!(rows, expected, "{target}");
    }
    // A row that is of that day in the login's zone and not in UTC.
    client.run("UPDATE orders SET n = 100 WHERE created_at = timestamptz '2024-02-01 18:30:00+00'");
    let again = migration.again().run(0);
    assert_eq!(again.sql.number("SELECT MAX(N) FROM SUMMED"), 100);
}
