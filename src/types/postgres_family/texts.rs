//! Expressions for the text of values, in one form whatever the session's DateStyle, TimeZone, IntervalStyle,
//! extra_float_digits and bytea_output are: those are the user's.

/// A function of the platform's own. PostgreSQL takes one of the users' in its place where that fits the arguments better,
/// in whatever schema of the search path it is; Redshift's are not all in a schema.
pub(crate) fn function(name: &str, is_redshift: bool) -> String {
    if is_redshift {
        name.to_owned()
    } else {
        format!("pg_catalog.{name}")
    }
}

/// ISO 8601, ` BC` at its end where it is; `infinity`.
pub(crate) fn date(value: &str, is_redshift: bool) -> String {
    if is_redshift {
        // Where there is no such text, the value is infinite.
        format!(
            "COALESCE(to_char({value}, 'YYYY-MM-DD') || {}, CAST({value} AS varchar))",
            era(value)
        )
    } else {
        format!("(pg_catalog.to_json({value}) #>> '{{}}')")
    }
}

/// The same with the time, and as many digits of its fraction as it has.
pub(crate) fn timestamp(value: &str, is_redshift: bool) -> String {
    if is_redshift {
        format!(
            "COALESCE({} || {}, CAST({value} AS varchar))",
            to_micros(value),
            era(value)
        )
    } else {
        format!("pg_catalog.replace(pg_catalog.to_json({value}) #>> '{{}}', 'T', ' ')")
    }
}

/// In UTC, with `+00`.
pub(crate) fn timestamptz(value: &str, is_redshift: bool) -> String {
    let utc = in_utc(value);
    if is_redshift {
        format!(
            "COALESCE({} || '+00' || {}, CAST({value} AS varchar))",
            to_micros(&utc),
            era(&utc)
        )
    } else {
        let text = timestamp(&utc, false);
        format!(
            "CASE WHEN NOT pg_catalog.isfinite({value}) THEN CAST({value} AS varchar) \
             WHEN {value} < '0001-01-01 00:00:00+00' THEN pg_catalog.replace({text}, ' BC', '+00 BC') ELSE {text} || '+00' END"
        )
    }
}

/// The timestamp without zone that a clock in UTC shows.
pub(crate) fn in_utc(value: &str) -> String {
    format!("({value} AT TIME ZONE 'UTC')")
}

/// The bits of a double in hexadecimal, on PostgreSQL.
pub(crate) fn double_bits(value: &str) -> String {
    sent("float8send", value)
}

/// The same in single precision.
pub(crate) fn single_bits(value: &str) -> String {
    sent("float4send", value)
}

/// A value's binary form in hexadecimal, on PostgreSQL.
pub(crate) fn sent(function: &str, value: &str) -> String {
    format!("pg_catalog.encode(pg_catalog.{function}({value}), 'hex')")
}

/// An ISO 8601 duration in which each part has its own sign; an infinite one in the server's word.
pub(crate) fn interval(value: &str, type_name: &str, is_redshift: bool) -> String {
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
        let micros = if is_redshift {
            format!(
                "(CAST(trunc(EXTRACT(second FROM {value})) AS bigint) * 1000000 + {})",
                redshift_fraction(value)
            )
        } else {
            format!("CAST(EXTRACT(microseconds FROM {value}) AS bigint)")
        };
        let rtrim = function("rtrim", is_redshift);
        let seconds = format!(
            "CASE WHEN {micros} <> 0 THEN {rtrim}({rtrim}(CAST(CAST({micros} * 0.000001 AS numeric(18,6)) AS varchar), '0'), '.') || 'S' ELSE '' END"
        );
        format!(
            "{date} || COALESCE(NULLIF('T' || {} || {} || {seconds}, 'T'), '')",
            part("hour", "H"),
            part("minute", "M")
        )
    };
    let is_finite = if is_redshift {
        format!("{value} IS NOT NULL")
    } else {
        format!("pg_catalog.isfinite({value})")
    };
    format!(
        "CASE WHEN {is_finite} THEN COALESCE(NULLIF('P' || {text}, 'P'), 'PT0S') ELSE CAST({value} AS varchar) END"
    )
}

/// The microseconds of a second, as a whole number. EXTRACT of milliseconds and microseconds takes in the larger parts in
/// PostgreSQL, and leaves them out in Redshift.
/// https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
pub(crate) fn redshift_fraction(value: &str) -> String {
    format!(
        "(CAST(trunc(EXTRACT(milliseconds FROM {value})) AS bigint) % 1000 * 1000 + CAST(EXTRACT(microseconds FROM {value}) AS bigint) % 1000)"
    )
}

/// A range or multirange of dates or timestamps of PostgreSQL's own, as the server writes it in UTC with ISO dates; `None`:
/// the type is none of these.
pub(crate) fn range(value: &str, type_name: &str) -> Option<String> {
    let bound: fn(&str, bool) -> String = match type_name {
        "daterange" | "datemultirange" => date,
        "tsrange" | "tsmultirange" => timestamp,
        "tstzrange" | "tstzmultirange" => timestamptz,
        _ => return None,
    };
    Some(if type_name.ends_with("multirange") {
        format!(
            "CASE WHEN {value} IS NOT NULL THEN (SELECT '{{' || COALESCE(pg_catalog.string_agg({}, ',' ORDER BY parts.place), '') || '}}' \
             FROM pg_catalog.unnest({value}) WITH ORDINALITY AS parts(part, place)) END",
            one_range("parts.part", bound)
        )
    } else {
        one_range(value, bound)
    })
}

fn one_range(value: &str, bound: fn(&str, bool) -> String) -> String {
    let text = |end: &str| {
        let text = bound(&format!("pg_catalog.{end}({value})"), false);
        format!(
            "COALESCE(CASE WHEN pg_catalog.strpos({text}, ' ') > 0 THEN '\"' || {text} || '\"' ELSE {text} END, '')"
        )
    };
    format!(
        "CASE WHEN pg_catalog.isempty({value}) THEN 'empty' WHEN NOT pg_catalog.isempty({value}) THEN \
         CASE WHEN pg_catalog.lower_inc({value}) THEN '[' ELSE '(' END || {} || ',' || {} || \
         CASE WHEN pg_catalog.upper_inc({value}) THEN ']' ELSE ')' END END",
        text("lower"),
        text("upper")
    )
}

/// NULL where the value is infinite.
fn to_micros(value: &str) -> String {
    format!("rtrim(rtrim(to_char({value}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')")
}

fn era(value: &str) -> String {
    format!("CASE WHEN {value} < '0001-01-01' THEN ' BC' ELSE '' END")
}
