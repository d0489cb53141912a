//! Expressions for values on Redshift. Its functions are not all in a schema.

use super::Redshift;
use crate::domain::table::{KeyKind, SourceColumn};
use crate::platform::postgres_family::{Expressions, Mapping, Sample, as_varchar, in_utc};
use crate::types::Fetch;
use crate::types::json::Root;
use arrow::datatypes::DataType;

impl Expressions for Redshift {
    fn function(&self, name: &str) -> String {
        name.to_owned()
    }

    fn date(&self, value: &str) -> String {
        // Where there is no such text, the value is infinite.
        format!(
            "COALESCE(to_char({value}, 'YYYY-MM-DD') || {}, CAST({value} AS varchar))",
            era(value)
        )
    }

    fn timestamp(&self, value: &str) -> String {
        format!(
            "COALESCE({} || {}, CAST({value} AS varchar))",
            to_micros(value),
            era(value)
        )
    }

    fn timestamptz(&self, value: &str) -> String {
        let utc = in_utc(value);
        format!(
            "COALESCE({} || '+00' || {}, CAST({value} AS varchar))",
            to_micros(&utc),
            era(&utc)
        )
    }

    fn epoch_micros(&self, value: &str) -> String {
        format!(
            "(CAST(EXTRACT(EPOCH FROM date_trunc('second', {value})) AS bigint) * 1000000 + {})",
            self.micros_of_second(value)
        )
    }

    /// EXTRACT of milliseconds and microseconds takes in the larger parts in PostgreSQL, and leaves them out in Redshift.
    /// <https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html>
    fn micros_of_second(&self, value: &str) -> String {
        format!(
            "(CAST(trunc(EXTRACT(milliseconds FROM {value})) AS bigint) % 1000 * 1000 + CAST(EXTRACT(microseconds FROM {value}) AS bigint) % 1000)"
        )
    }

    fn interval_micros(&self, value: &str) -> String {
        format!(
            "(CAST(trunc(EXTRACT(second FROM {value})) AS bigint) * 1000000 + {})",
            self.micros_of_second(value)
        )
    }

    fn is_finite_interval(&self, value: &str) -> String {
        format!("{value} IS NOT NULL")
    }

    fn float(&self, value: &str, single: bool) -> (String, Fetch) {
        // It has no other form; `extra_float_digits` is set for it.
        (as_varchar(value), Fetch::FloatText { single })
    }

    fn float_key(&self, value: &str) -> String {
        // Single precision is compared with doubles: 0.1 is another number there.
        format!("CAST(CAST({value} AS float8) AS varchar)")
    }

    fn spatial(&self, value: &str) -> String {
        format!("ST_AsHexEWKB({value})")
    }

    fn array_bits(&self, _value: &str) -> Option<String> {
        None
    }

    fn own_mapping(&self, column: &SourceColumn, quoted: &str) -> Option<Mapping> {
        Some(match column.type_name.as_str() {
            "varbyte" => Mapping::new(
                format!("to_hex({quoted})"),
                Fetch::HexText { max_bytes: None },
                DataType::Binary,
                "BINARY",
            ),
            // Of NULL it makes the text `null`, which is the JSON of another value.
            "super" => Mapping::json(
                format!("CASE WHEN {quoted} IS NOT NULL THEN JSON_SERIALIZE({quoted}) END"),
                Root::Any,
                "VARIANT",
            ),
            _ => return None,
        })
    }

    fn varchar_key(&self) -> KeyKind {
        // It compares varchar without its trailing blanks, as it does char.
        // https://docs.aws.amazon.com/redshift/latest/dg/r_Examples_with_character_types.html
        KeyKind::PaddedText
    }

    fn bytewise(&self, name: &str) -> String {
        // Its own collation is that of the bytes, and it has no other by this name.
        name.to_owned()
    }

    fn sample(&self, share: f64) -> Sample {
        Sample::Condition(format!("random() < {share}"))
    }

    fn sends_as_stored(&self, _encoding: &str) -> bool {
        true
    }

    fn hash_sum(&self, text: &str) -> String {
        // https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html. FNV_HASH would not do: where the
        // states of two rows agree in one byte, values that they exchange leave the sum as it was.
        format!("sum(CAST(farmFingerprint64({text}) AS decimal(38,0)))")
    }

    fn bytes_of_character(&self) -> usize {
        // A length counts bytes.
        1
    }
}

/// NULL where the value is infinite.
fn to_micros(value: &str) -> String {
    format!("rtrim(rtrim(to_char({value}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')")
}

fn era(value: &str) -> String {
    format!("CASE WHEN {value} < '0001-01-01' THEN ' BC' ELSE '' END")
}
