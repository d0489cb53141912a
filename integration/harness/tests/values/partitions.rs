//! Tables are cut on the source, in its own order: every row lands in exactly one partition.

use serde_json::{Value, json};
use snowhaul::domain::table::KeyKind;
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration, Row, Sql};

/// Rows of each table.
pub const ROWS: i64 = 1200;

/// A table `(id, a, b)` and its key.
pub struct Table {
    pub name: &'static str,
    /// Types of `a` and `b`, with NOT NULL where it is.
    pub columns: [&'static str; 2],
    /// Their values as expressions over the row's number `n`.
    values: [&'static str; 2],
    pub key: &'static [(&'static str, KeyKind)],
    /// Partitions of up to 250 rows: at least so many.
    pub partitions: i64,
}

const fn table(
    name: &'static str,
    columns: [&'static str; 2],
    values: [&'static str; 2],
    key: &'static [(&'static str, KeyKind)],
    partitions: i64,
) -> Table {
    Table {
        name,
        columns,
        values,
        key,
        partitions,
    }
}

/// Mixed case, accents, quotes, backslashes, blanks, what ODBC reads as its own: in every order but the bytes'.
const WORDS: &str = "(ARRAY['a', 'A', 'b', 'B', 'ä', 'Ä', 'z', 'Z', '', ' ', 'é', 'e', 'E', '''', '?', '{fn x}', '-- x', '\\', 'a\\''b', '😀', 'ß', 'ss', '/*', '_'])[1 + n % 24]";

/// The same with a number behind, so that most are different.
const NUMBERED_WORDS: &str = "(ARRAY['a', 'A', 'b', 'B', 'ä', 'Ä', 'z', 'Z', '', ' ', 'é', '?', '''', '\\'])[1 + n % 14] || n";
const LETTERS: &str = "(ARRAY['a', 'A', 'ä'])[1 + n % 3] || n";

pub fn tables() -> Vec<Table> {
    use KeyKind::{
        Boolean, Date, Decimal, Float, Integer, PaddedText, Text, Time, Timestamp, TimestampTz,
    };
    const INTEGER: &[(&str, KeyKind)] = &[("a", Integer)];
    const DECIMAL: &[(&str, KeyKind)] = &[("a", Decimal)];
    const TEXT: &[(&str, KeyKind)] = &[("a", Text)];
    const PAIR: &[(&str, KeyKind)] = &[("a", Integer), ("b", Text)];
    const BACKWARDS: &[(&str, KeyKind)] = &[("b", Text), ("a", TimestampTz)];
    vec![
        table(
            "integers",
            ["integer NOT NULL", "text"],
            ["(n * 37) % 20011 - 600 * 17", "'x'"],
            INTEGER,
            5,
        ),
        table(
            "bigints",
            ["bigint", "text"],
            ["(n - 600)::bigint * n * n * 10000000019", "'x'"],
            INTEGER,
            6,
        ),
        table(
            "decimals",
            ["numeric(14,4) NOT NULL", "text"],
            ["(n - 600) * abs(n - 600) / 7.0", "'x'"],
            DECIMAL,
            5,
        ),
        table(
            "numerics",
            ["numeric", "text"],
            [
                "CASE WHEN n % 50 = 0 THEN 'NaN' WHEN n % 3 = 0 THEN n * 1e25 ELSE -n / 1e12 END",
                "'x'",
            ],
            DECIMAL,
            5,
        ),
        table(
            "dates",
            ["date NOT NULL", "text"],
            ["date '0001-01-01' + n * 3000", "'x'"],
            &[("a", Date)],
            5,
        ),
        table(
            "timestamps",
            ["timestamp", "text"],
            [
                "timestamp '1969-12-31 23:59:59.5' + (n - 600) * interval '1.000001 second'",
                "'x'",
            ],
            &[("a", Timestamp)],
            6,
        ),
        table(
            "zoned",
            ["timestamptz", "text"],
            [
                "timestamptz '2024-03-31 00:00:00+02' + (n - 600) * interval '7.3 minutes'",
                "'x'",
            ],
            &[("a", TimestampTz)],
            6,
        ),
        table(
            "words",
            ["varchar(40) COLLATE \"und-x-icu\" NOT NULL", "text"],
            [NUMBERED_WORDS, "'x'"],
            TEXT,
            5,
        ),
        table(
            "german",
            ["text COLLATE \"de-x-icu\"", "text"],
            [WORDS, "'x'"],
            TEXT,
            3,
        ),
        table(
            "bytes",
            ["text COLLATE \"C\"", "text"],
            [WORDS, "'x'"],
            TEXT,
            3,
        ),
        table(
            "folded",
            ["text COLLATE ignoring_case NOT NULL", "text"],
            [WORDS, "'x'"],
            TEXT,
            3,
        ),
        table(
            "pairs",
            ["integer", "text COLLATE \"und-x-icu\""],
            ["nullif(n % 7, 3)", "nullif(n % 11, 5) || 'Ab'"],
            PAIR,
            6,
        ),
        table(
            "whole_pairs",
            [
                "integer NOT NULL",
                "varchar(10) COLLATE \"und-x-icu\" NOT NULL",
            ],
            ["-(n % 3)", LETTERS],
            PAIR,
            5,
        ),
        table(
            "backwards",
            ["timestamptz", "text COLLATE \"und-x-icu\" NOT NULL"],
            [
                "timestamptz '2024-01-01 00:00:00+00' + n * interval '1 hour'",
                "(ARRAY['a', 'B', 'c'])[1 + n % 3]",
            ],
            BACKWARDS,
            5,
        ),
        table(
            "repeated",
            ["integer NOT NULL", "text"],
            ["CASE WHEN n < 1000 THEN 5 ELSE n END", "'x'"],
            INTEGER,
            2,
        ),
        table(
            "same",
            ["integer NOT NULL", "text"],
            ["1", "'x'"],
            INTEGER,
            1,
        ),
        table(
            "half_null",
            ["bigint", "text"],
            ["CASE WHEN n % 2 = 0 THEN n - 600 END", "'x'"],
            INTEGER,
            3,
        ),
        table("all_null", ["bigint", "text"], ["NULL", "'x'"], INTEGER, 2),
        table(
            "floats",
            ["double precision", "text"],
            [
                "CASE n % 20 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0' WHEN 4 THEN 0 WHEN 5 THEN NULL ELSE (n - 600) / 7.0::float8 END",
                "'x'",
            ],
            &[("a", Float)],
            5,
        ),
        table(
            "singles",
            ["real NOT NULL", "text"],
            ["n * 0.1", "'x'"],
            &[("a", Float)],
            5,
        ),
        table(
            "times",
            ["time", "text"],
            [
                "CASE WHEN n % 100 = 0 THEN '23:59:59.999999' ELSE time '00:00:00.000001' + n * interval '71.5 seconds' END",
                "'x'",
            ],
            &[("a", Time)],
            5,
        ),
        table(
            "booleans",
            ["boolean", "text COLLATE \"und-x-icu\" NOT NULL"],
            ["CASE n % 5 WHEN 0 THEN NULL ELSE n % 2 = 0 END", LETTERS],
            &[("a", Boolean), ("b", Text)],
            5,
        ),
        table(
            "padded",
            ["char(8) NOT NULL", "text"],
            [
                "(ARRAY['a', 'A', 'ä', ' ', '', 'a b', 'Z', '!'])[1 + n % 8] || (n % 70)",
                "'x'",
            ],
            &[("a", PaddedText)],
            5,
        ),
    ]
}

pub fn fill(sql: &Sql, table: &Table) {
    let [a, b] = table.columns;
    sql.run(&format!(
        "CREATE TABLE {} (id integer NOT NULL, a {a}, b {b})",
        table.name
    ));
    let [a, b] = table.values;
    sql.run(&format!(
        "INSERT INTO {} SELECT n, {a}, {b} FROM generate_series(1, {ROWS}) n",
        table.name
    ));
}

pub fn prepare(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    sql
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// The table at `number` of the workflow has arrived as it was: the same rows as often, and each in one partition.
fn arrived(done: &Migrated, sql: &Sql, number: usize, name: &str) -> i64 {
    let all = format!("SELECT id, a, b FROM {name}");
    // What has single precision in the source arrives as the double that it is.
    let exact = all.replace("a, b FROM singles", "CAST(a AS float8), b FROM singles");
    let (source, target) = (sorted(sql.rows(&exact)), sorted(done.sql.rows(&all)));
    let differs = source.iter().zip(&target).find(|(was, is)| was != is);
    assert_eq!(differs, None, "{name}");
    assert_eq!(target.len(), source.len(), "{name}");
    let (partitions, extracted) = done.metadata.partitions(number);
    assert_eq!(extracted, i64::try_from(source.len()).unwrap(), "{name}");
    partitions
}

#[test]
fn every_kind_of_key_cuts_its_table_into_partitions_that_add_up() {
    let database = LocalRedshift::shared().database();
    let sql = prepare(&database);
    let tables = tables();
    let mut migration = Migration::from(&database);
    for (number, table) in tables.iter().enumerate() {
        fill(&sql, table);
        if number % 2 == 0 {
            // The others' size is counted.
            sql.run(&format!("ANALYZE {}", table.name));
        }
        let key: Vec<&str> = table.key.iter().map(|(name, _)| *name).collect();
        migration = migration.table(json!({
            "source": {"tableName": table.name},
            "target": {"tableName": table.name},
            "columnNamesToPartitionBy": key,
            "partitionSize": {"maxRowsPerPartition": 250},
        }));
    }
    let done = migration.run(0);
    for (number, table) in tables.iter().enumerate() {
        let partitions = arrived(&done, &sql, number, table.name);
        assert!(
            (table.partitions..=7).contains(&partitions),
            "{}: {partitions} partitions",
            table.name
        );
    }
}

#[test]
fn every_form_of_a_partition_size_cuts_and_small_tables_stay_whole() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE wide AS SELECT n AS id, n AS a, repeat(md5(n::text), 20) AS b FROM generate_series(1, 6000) n");
    sql.run("CREATE TABLE one AS SELECT 1 AS id, 1 AS a, 'x' AS b");
    sql.run("CREATE TABLE none AS SELECT * FROM one WHERE false");
    sql.run("ANALYZE");
    let cases: [(&str, Value, std::ops::RangeInclusive<i64>); 9] = [
        // 4 MB and a little, and a partition for NULL.
        ("wide", json!({"targetSizeMb": 1}), 5..=9),
        ("wide", json!({"maxRowsPerPartition": 1000}), 7..=7),
        ("wide", json!("auto"), 2..=2),
        ("one", json!({"targetSizeMb": 1}), 1..=2),
        ("one", json!({"maxRowsPerPartition": 1}), 1..=2),
        ("one", json!("auto"), 1..=2),
        ("none", json!({"targetSizeMb": 1}), 1..=2),
        ("none", json!({"maxRowsPerPartition": 1}), 1..=2),
        ("none", json!("auto"), 1..=2),
    ];
    let mut migration = Migration::from(&database);
    for (number, (table, size, _)) in cases.iter().enumerate() {
        migration = migration.table(json!({
            "source": {"tableName": table},
            "target": {"tableName": format!("t{number}")},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": size,
        }));
    }
    let done = migration.run(0);
    for (number, (table, size, expected)) in cases.iter().enumerate() {
        let (partitions, rows) = done.metadata.partitions(number);
        assert!(
            expected.contains(&partitions),
            "{table} {size}: {partitions} partitions"
        );
        let all = "SELECT COUNT(*), COUNT(DISTINCT id), COALESCE(SUM(a), 0), MIN(b), MAX(b) FROM";
        assert_eq!(
            done.sql.rows(&format!("{all} t{number}")),
            sql.rows(&format!("{all} {table}")),
            "{table} {size}"
        );
        assert_eq!(
            rows,
            sql.number(&format!("SELECT COUNT(*) FROM {table}")),
            "{table} {size}"
        );
    }
}
