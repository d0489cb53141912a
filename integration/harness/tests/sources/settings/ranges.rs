//! Boundaries, ranges, the bounds of watermarks and the rows of refused times are the same in every session.

use super::{analyzed, dialect, scope, sessions, table_ref};
use snowhaul::domain::table::{KeyColumn, KeyRange, Platform, QueryModifiers, SourceColumn};
use snowhaul::plan::ranges;
use snowhaul::platform::Scope;
use snowhaul::types::key_text;
use snowhaul_integration::LocalRedshift;

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
