//! P8: one file with the extremes of every type that snowhaul writes, and what arrives.

use super::bench::Bench;
use super::{Answer, Outcome};
use crate::domain::task::StagedFile;
use crate::snowflake::SnowflakeError;
use crate::target::copy::CopyInto;
use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Of the years 1 and 9999, in days and microseconds since 1970.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
const FIRST_MOMENT: i64 = -62_135_596_800_000_000;
const LAST_MOMENT: i64 = 253_402_300_799_999_999;
const LARGEST: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
/// POINT(1 2) with SRID 4326, as snowhaul writes it.
const POINT: &str = "0101000020E6100000000000000000F03F0000000000000040";

/// Column in the table, its type, and the expression over the file.
const COLUMNS: [(&str, &str, &str); 11] = [
    ("ROW_NO", "NUMBER(38,0)", "$1:\"c0\"::NUMBER(38,0)"),
    ("N", "NUMBER(38,0)", "$1:\"c1\"::NUMBER(38,0)"),
    ("S", "NUMBER(38,37)", "$1:\"c2\"::NUMBER(38,37)"),
    ("F", "FLOAT", "$1:\"c3\"::FLOAT"),
    ("D", "DATE", "$1:\"c4\"::DATE"),
    ("T", "TIME(6)", "$1:\"c5\"::TIME(6)"),
    ("M", "TIMESTAMP_NTZ(6)", "$1:\"c6\"::TIMESTAMP_NTZ(6)"),
    ("Z", "TIMESTAMP_TZ(6)", "$1:\"c7\"::TIMESTAMP_TZ(6)"),
    ("B", "BINARY", "$1:\"c8\"::BINARY"),
    ("V", "VARCHAR", "$1:\"c9\"::VARCHAR"),
    ("J", "VARIANT", "PARSE_JSON($1:\"c10\"::VARCHAR)"),
];

/// What must be true of each row: what it is called, the row, and the condition.
const CHECKS: [(&str, u8, &str); 24] = [
    (
        "the largest NUMBER(38,0)",
        1,
        "N = 99999999999999999999999999999999999999",
    ),
    (
        "the smallest NUMBER(38,0)",
        2,
        "N = -99999999999999999999999999999999999999",
    ),
    ("a NUMBER that is NULL", 3, "N IS NULL"),
    (
        "the largest NUMBER(38,37)",
        1,
        "S = 9.9999999999999999999999999999999999999",
    ),
    (
        "the smallest step of NUMBER(38,37)",
        2,
        "S = -0.0000000000000000000000000000000000001",
    ),
    ("the FLOAT NaN", 1, "F = 'NaN'::FLOAT"),
    ("the FLOAT infinity", 2, "F = 'inf'::FLOAT"),
    ("the FLOAT minus infinity", 3, "F = '-inf'::FLOAT"),
    ("the DATE 9999-12-31", 1, "D = '9999-12-31'::DATE"),
    ("the DATE 0001-01-01", 2, "D = '0001-01-01'::DATE"),
    ("the TIME 23:59:59.999999", 1, "T = '23:59:59.999999'::TIME"),
    ("the TIME 00:00:00", 2, "T = '00:00:00'::TIME"),
    (
        "the last TIMESTAMP_NTZ",
        1,
        "M = '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ",
    ),
    (
        "the first TIMESTAMP_NTZ",
        2,
        "M = '0001-01-01 00:00:00'::TIMESTAMP_NTZ",
    ),
    (
        "a TIMESTAMP_NTZ before 1970",
        3,
        "M = '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ",
    ),
    (
        "the last TIMESTAMP_TZ",
        1,
        "Z = '9999-12-31 23:59:59.999999 +00:00'::TIMESTAMP_TZ",
    ),
    (
        "the first TIMESTAMP_TZ",
        2,
        "Z = '0001-01-01 00:00:00 +00:00'::TIMESTAMP_TZ",
    ),
    (
        "a TIMESTAMP_TZ before 1970",
        3,
        "Z = '1969-12-31 23:59:59.999999 +00:00'::TIMESTAMP_TZ",
    ),
    ("BINARY", 1, "B = TO_BINARY('00FF10', 'HEX')"),
    ("empty BINARY", 2, "LENGTH(B) = 0"),
    ("the text \\N", 1, "V = '\\\\N'"),
    ("the empty text", 2, "V = ''"),
    ("text that is NULL", 3, "V IS NULL"),
    ("JSON", 1, "J:a::NUMBER = 1"),
];

fn batch() -> Result<RecordBatch, ArrowError> {
    let moments = |zone: Option<&str>| {
        let array = TimestampMicrosecondArray::from(vec![LAST_MOMENT, FIRST_MOMENT, -1]);
        Arc::new(array.with_timezone_opt(zone.map(str::to_owned))) as ArrayRef
    };
    let whole = Decimal128Array::from(vec![Some(LARGEST), Some(-LARGEST), None]);
    let fraction = Decimal128Array::from(vec![Some(LARGEST), Some(-1), None]);
    let columns: [ArrayRef; 11] = [
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(whole.with_precision_and_scale(38, 0)?),
        Arc::new(fraction.with_precision_and_scale(38, 37)?),
        Arc::new(Float64Array::from(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])),
        Arc::new(Date32Array::from(vec![LAST_DAY, FIRST_DAY, -1])),
        Arc::new(Time64MicrosecondArray::from(vec![86_399_999_999, 0, 1])),
        moments(None),
        moments(Some("UTC")),
        Arc::new(BinaryArray::from_opt_vec(vec![
            Some(&[0, 255, 16][..]),
            Some(&[]),
            None,
        ])),
        Arc::new(StringArray::from(vec![Some("\\N"), Some(""), None])),
        Arc::new(StringArray::from(vec![
            Some("{\"a\": 1}"),
            Some("[]"),
            None,
        ])),
    ];
    let named = columns.into_iter().enumerate();
    RecordBatch::try_from_iter(named.map(|(no, column)| (format!("c{no}"), column)))
}

fn copy_of(bench: &Bench, table: &str, file: &str, columns: &[(&str, &str)], rows: u64) -> String {
    let file = StagedFile {
        path: file.to_owned(),
        rows,
        bytes: 0,
    };
    let columns: Vec<(String, String)> = columns
        .iter()
        .map(|(name, expression)| ((*name).to_owned(), (*expression).to_owned()))
        .collect();
    CopyInto {
        table: &format!("{}.{table}", bench.s()),
        columns: &columns,
        stage: &bench.stage_name(),
        files: &[&file],
    }
    .sql()
}

pub(super) async fn arrive(bench: &Bench) -> Answer {
    let (a, s) = (bench.session("a"), bench.s());
    let refused = |error: ArrowError| SnowflakeError::refused(error.to_string());
    let declared: Vec<String> = COLUMNS
        .iter()
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .collect();
    a.ask(&format!(
        "CREATE TABLE {s}.EXTREMES ({})",
        declared.join(", ")
    ))
    .await?;
    let stage = bench.stage(&a).await?;
    bench
        .upload(&stage, "values/0.parquet", batch().map_err(refused)?)
        .await?;
    let columns = COLUMNS.map(|(name, _, expression)| (name, expression));
    a.ask(&copy_of(bench, "EXTREMES", "values/0.parquet", &columns, 3))
        .await?;
    let counts: Vec<String> = CHECKS
        .iter()
        .map(|(_, row, condition)| format!("COUNT_IF(ROW_NO = {row} AND {condition})"))
        .collect();
    let rows = a
        .ask(&format!("SELECT {} FROM {s}.EXTREMES", counts.join(", ")))
        .await?;
    let row = rows.first().cloned().unwrap_or_default();
    let mut wrong: Vec<&str> = CHECKS
        .iter()
        .zip(row.iter().chain(std::iter::repeat(&None)))
        .filter(|(_, count)| count.as_deref() != Some("1"))
        .map(|((what, ..), _)| *what)
        .collect();
    if !spatial(bench).await? {
        wrong.push("GEOGRAPHY");
    }
    Ok(if wrong.is_empty() {
        Outcome::Holds(format!(
            "{} values of {} types are as they were",
            CHECKS.len() + 1,
            COLUMNS.len()
        ))
    } else {
        Outcome::Differs(format!("not as they were: {}", wrong.join(", ")))
    })
}

/// A point, in a table of its own.
async fn spatial(bench: &Bench) -> Result<bool, SnowflakeError> {
    let (a, s) = (bench.session("a"), bench.s());
    a.ask(&format!("CREATE TABLE {s}.PLACES (G GEOGRAPHY)"))
        .await?;
    let point: ArrayRef = Arc::new(StringArray::from(vec![POINT]));
    let batch = RecordBatch::try_from_iter([("c0", point)])
        .map_err(|error| SnowflakeError::refused(error.to_string()))?;
    let stage = bench.stage(&a).await?;
    bench.upload(&stage, "values/place.parquet", batch).await?;
    let columns = [("G", "$1:\"c0\"::VARCHAR::GEOGRAPHY")];
    a.ask(&copy_of(
        bench,
        "PLACES",
        "values/place.parquet",
        &columns,
        1,
    ))
    .await?;
    Ok(a.cell(&format!("SELECT COUNT(G) FROM {s}.PLACES")).await? == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_a_column_for_each_of_the_table() {
        let batch = batch().unwrap();
        assert_eq!(batch.num_columns(), COLUMNS.len());
        for (no, (_, _, expression)) in COLUMNS.iter().enumerate() {
            assert!(expression.contains(&format!("\"c{no}\"")), "{expression}");
        }
    }
}
