//! Expressions for values on PostgreSQL. A function without its schema could be one of the users', which PostgreSQL takes
//! where it fits the arguments better, in whatever schema of the search path it is.

use super::Postgres;
use super::checksum;
use crate::domain::table::{KeyKind, SourceColumn};
use crate::platform::postgres_family::{Expressions, Sample, as_varchar, in_utc};
use crate::types::{Fetch, key_text};

/// A value's binary form in hexadecimal.
pub(super) fn sent(function: &str, value: &str) -> String {
    format!("pg_catalog.encode(pg_catalog.{function}({value}), 'hex')")
}

impl Expressions for Postgres {
    fn function(&self, name: &str) -> String {
        format!("pg_catalog.{name}")
    }

    fn date(&self, value: &str) -> String {
        format!("(pg_catalog.to_json({value}) #>> '{{}}')")
    }

    fn timestamp(&self, value: &str) -> String {
        format!("pg_catalog.replace(pg_catalog.to_json({value}) #>> '{{}}', 'T', ' ')")
    }

    fn timestamptz(&self, value: &str) -> String {
        let text = self.timestamp(&in_utc(value));
        format!(
            "CASE WHEN NOT pg_catalog.isfinite({value}) THEN CAST({value} AS varchar) \
             WHEN {value} < '0001-01-01 00:00:00+00' THEN pg_catalog.replace({text}, ' BC', '+00 BC') ELSE {text} || '+00' END"
        )
    }

    fn epoch_micros(&self, value: &str) -> String {
        // Before version 9.6 EXTRACT of an infinity is zero.
        format!(
            "CASE WHEN pg_catalog.isfinite({value}) THEN CAST(EXTRACT(EPOCH FROM date_trunc('second', {value})) AS bigint) * 1000000 + {} \
             ELSE CAST(CAST(CAST({value} AS varchar) AS double precision) AS bigint) END",
            self.micros_of_second(value)
        )
    }

    fn micros_of_second(&self, value: &str) -> String {
        format!("CAST(EXTRACT(microseconds FROM {value}) AS bigint) % 1000000")
    }

    fn interval_micros(&self, value: &str) -> String {
        format!("CAST(EXTRACT(microseconds FROM {value}) AS bigint)")
    }

    fn is_finite_interval(&self, value: &str) -> String {
        format!("pg_catalog.isfinite({value})")
    }

    fn float(&self, value: &str, single: bool) -> (String, Fetch) {
        let function = if single { "float4send" } else { "float8send" };
        (sent(function, value), Fetch::FloatBits { single })
    }

    fn float_key(&self, value: &str) -> String {
        let bits = sent("float8send", &format!("CAST({value} AS float8)"));
        format!("'{}' || {bits}", key_text::BITS)
    }

    fn spatial(&self, value: &str) -> String {
        as_varchar(value)
    }

    fn array_bits(&self, value: &str) -> Option<String> {
        Some(sent("array_send", value))
    }

    fn large_object(&self, value: &str) -> Option<String> {
        // The server's own error for one that is missing does not name the column. The column stands where no name of the
        // catalog's can be taken for it.
        Some(format!(
            "CASE WHEN EXISTS (SELECT 1 FROM (SELECT {value} AS number) wanted JOIN pg_catalog.pg_largeobject_metadata objects ON objects.oid = wanted.number) \
             THEN pg_catalog.encode(pg_catalog.lo_get({value}), 'hex') ELSE '-' || CAST(CAST({value} AS bigint) AS varchar) END"
        ))
    }

    fn varchar_key(&self) -> KeyKind {
        KeyKind::Text
    }

    fn bytewise(&self, name: &str) -> String {
        format!("{name} COLLATE \"C\"")
    }

    fn sample(&self, share: f64) -> Sample {
        // Whole blocks, the others not even read.
        Sample::Clause(format!("TABLESAMPLE SYSTEM ({})", share * 100.0))
    }

    fn sends_as_stored(&self, encoding: &str) -> bool {
        matches!(encoding, "UTF8" | "SQL_ASCII")
    }

    fn around_summary(&self) -> Option<[&'static str; 2]> {
        // It guesses that an expression over the key has about as many values as the key, and would sort all rows, on
        // disk when they are many. They are few: a hash table holds them.
        Some([
            "SET LOCAL enable_sort TO off",
            "SET LOCAL enable_sort TO DEFAULT",
        ])
    }

    fn row_checksum(&self, columns: &[SourceColumn]) -> Option<String> {
        Some(checksum::of_rows(columns))
    }

    fn hash_sum(&self, text: &str) -> String {
        // Sixty bits of the digest: they fit a whole number with its sign.
        format!(
            "sum(CAST(CAST('x' || pg_catalog.substring(pg_catalog.md5({text}), 1, 15) AS bit(60)) AS bigint))"
        )
    }

    fn checksum_bits(&self, type_name: &str, name: &str) -> Option<String> {
        checksum::send_function(type_name).map(|function| sent(function, name))
    }

    fn whole_bits(&self, column: &SourceColumn, name: &str) -> Option<String> {
        column.has_binary_form.then(|| checksum::binary_form(name))
    }

    fn bytes_of_character(&self) -> usize {
        4
    }
}
