//! Our own texts of doubles, arrays and intervals are those of the server.

use super::{analyzed, dialect};
use snowhaul::domain::table::Platform;
use snowhaul::types::{array_value, float_text};
use snowhaul_integration::LocalRedshift;

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
