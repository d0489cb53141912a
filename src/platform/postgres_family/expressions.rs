//! Expressions for the values of columns, in one form whatever the session's DateStyle, TimeZone, IntervalStyle,
//! extra_float_digits and bytea_output are: those are the user's.

use crate::domain::table::{KeyKind, SourceColumn};
use crate::types::Fetch;

/// How to take about a share of a table's rows.
pub(in crate::platform) enum Sample {
    /// By what stands behind the table.
    Clause(String),
    /// By a condition.
    Condition(String),
}

/// What the two platforms write differently where values are concerned.
pub(in crate::platform) trait Expressions: Send + Sync {
    /// A function of the platform's own.
    fn function(&self, name: &str) -> String;

    /// A date as ISO 8601, ` BC` at its end where it is; `infinity`.
    fn date(&self, value: &str) -> String;

    /// The same of a timestamp without zone, and as many digits of its fraction as it has.
    fn timestamp(&self, value: &str) -> String;

    /// The same of a timestamp with zone: in UTC, with `+00`.
    fn timestamptz(&self, value: &str) -> String;

    /// Whole microseconds since 1970, without passing through a double; an infinity fails in the source.
    fn epoch_micros(&self, value: &str) -> String;

    /// The microseconds of the second that a time is in, as a whole number.
    fn micros_of_second(&self, value: &str) -> String;

    /// The seconds of an interval, in microseconds.
    fn interval_micros(&self, value: &str) -> String;

    /// Whether an interval is neither NULL nor infinite.
    fn is_finite_interval(&self, value: &str) -> String;

    /// How a double travels: the expression and its form.
    fn float(&self, value: &str, single: bool) -> (String, Fetch);

    /// A double of a key, as text that [`key_text::read`](crate::types::key_text::read) takes.
    fn float_key(&self, value: &str) -> String;

    /// A spatial value in the form that is extracted.
    fn spatial(&self, value: &str) -> String;

    /// The binary form of an array in hexadecimal; `None`: the platform does not give it.
    fn array_bits(&self, value: &str) -> Option<String>;

    /// The content of a large object in hexadecimal; `None`: the platform has none.
    fn large_object(&self, _value: &str) -> Option<String> {
        None
    }

    /// How a column of a type that only this platform has travels.
    fn own_mapping(
        &self,
        _column: &SourceColumn,
        _quoted: &str,
    ) -> Option<super::mapping::Mapping> {
        None
    }

    /// What values of `varchar` are as a key.
    fn varchar_key(&self) -> KeyKind;

    /// A text's name where it is compared or ordered by its bytes.
    fn bytewise(&self, name: &str) -> String;

    /// About a share of the rows.
    fn sample(&self, share: f64) -> Sample;

    /// Whether text is sent in the bytes in which the database stores it.
    fn sends_as_stored(&self, encoding: &str) -> bool;

    /// What keeps the platform from sorting all rows for a summary of few groups: a statement before, and one after.
    fn around_summary(&self) -> Option<[&'static str; 2]> {
        None
    }

    /// The platform's own hash of rows, where it has one that sees every change.
    fn row_checksum(&self, _columns: &[SourceColumn]) -> Option<String> {
        None
    }

    /// The sum of a hash of text over the rows.
    fn hash_sum(&self, text: &str) -> String;

    /// The binary form of a value of a type whose text depends on the session, or whose equal values can look different;
    /// `None`: the type has another form for checksums.
    fn checksum_bits(&self, _type_name: &str, _name: &str) -> Option<String> {
        None
    }

    /// The binary form of a value of any type; `None`: there is none.
    fn whole_bits(&self, _column: &SourceColumn, _name: &str) -> Option<String> {
        None
    }

    /// The most bytes of a character that a declared length counts.
    fn bytes_of_character(&self) -> usize;
}

/// The timestamp without zone that a clock in UTC shows.
pub(in crate::platform) fn in_utc(value: &str) -> String {
    format!("({value} AT TIME ZONE 'UTC')")
}

pub(in crate::platform) fn as_varchar(expression: &str) -> String {
    format!("CAST({expression} AS varchar)")
}

/// An ISO 8601 duration in which each part has its own sign; an infinite one in the server's word.
pub(super) fn interval(p: &impl Expressions, value: &str, type_name: &str) -> String {
    let part = |name: &str, unit: &str| {
        format!(
            "COALESCE(CAST(NULLIF(CAST(EXTRACT({name} FROM {value}) AS bigint), 0) AS varchar) || '{unit}', '')"
        )
    };
    let date = match type_name {
        "intervald2s" => part("day", "D"),
        "intervaly2m" => format!("{} || {}", part("year", "Y"), part("month", "M")),
        _ => format!(
            "{} || {} || {}",
            part("year", "Y"),
            part("month", "M"),
            part("day", "D")
        ),
    };
    let text = if type_name == "intervaly2m" {
        date
    } else {
        let micros = p.interval_micros(value);
        let rtrim = p.function("rtrim");
        let seconds = format!(
            "CASE WHEN {micros} <> 0 THEN {rtrim}({rtrim}(CAST(CAST({micros} * 0.000001 AS numeric(18,6)) AS varchar), '0'), '.') || 'S' ELSE '' END"
        );
        format!(
            "{date} || COALESCE(NULLIF('T' || {} || {} || {seconds}, 'T'), '')",
            part("hour", "H"),
            part("minute", "M")
        )
    };
    format!(
        "CASE WHEN {} THEN COALESCE(NULLIF('P' || {text}, 'P'), 'PT0S') ELSE CAST({value} AS varchar) END",
        p.is_finite_interval(value)
    )
}

/// A range or multirange of dates or timestamps of PostgreSQL's own, as the server writes it in UTC with ISO dates; `None`:
/// the type is none of these.
pub(super) fn range(p: &impl Expressions, value: &str, type_name: &str) -> Option<String> {
    let bound = |value: &str| match type_name {
        "daterange" | "datemultirange" => Some(p.date(value)),
        "tsrange" | "tsmultirange" => Some(p.timestamp(value)),
        "tstzrange" | "tstzmultirange" => Some(p.timestamptz(value)),
        _ => None,
    };
    if !type_name.ends_with("multirange") {
        return one_range(value, bound);
    }
    let parts = one_range("parts.part", bound)?;
    Some(format!(
        "CASE WHEN {value} IS NOT NULL THEN (SELECT '{{' || COALESCE(pg_catalog.string_agg({parts}, ',' ORDER BY parts.place), '') || '}}' \
         FROM pg_catalog.unnest({value}) WITH ORDINALITY AS parts(part, place)) END"
    ))
}

fn one_range(value: &str, bound: impl Fn(&str) -> Option<String>) -> Option<String> {
    let text = |end: &str| {
        let text = bound(&format!("pg_catalog.{end}({value})"))?;
        Some(format!(
            "COALESCE(CASE WHEN pg_catalog.strpos({text}, ' ') > 0 THEN '\"' || {text} || '\"' ELSE {text} END, '')"
        ))
    };
    let (lower, upper) = (text("lower")?, text("upper")?);
    Some(format!(
        "CASE WHEN pg_catalog.isempty({value}) THEN 'empty' WHEN NOT pg_catalog.isempty({value}) THEN \
         CASE WHEN pg_catalog.lower_inc({value}) THEN '[' ELSE '(' END || {lower} || ',' || {upper} || \
         CASE WHEN pg_catalog.upper_inc({value}) THEN ']' ELSE ')' END END"
    ))
}
