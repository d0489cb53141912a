//! Checksums: aggregates that see any change of any value.
//!
//! A row becomes a number by a hash that is not linear in its columns, or values that two rows exchange would not be seen
//! in the sum; the sum does not depend on the order of the rows. Where equal values can look different (1.0 and 1.00,
//! zeros of both signs) the text is what is hashed.

use super::PostgresFamily;
use crate::dialect::Dialect;
use crate::domain::table::{SourceColumn, TypeClass};
use crate::types::Fetch;

/// Text that may be longer than this is taken by its digest: Redshift's `||` gives 65,535 bytes at most.
const MOST_BYTES: usize = 1_024;
/// Bytes of a number's or a time's text at most, with its length in front.
const SHORT_BYTES: usize = 80;
/// What is concatenated at once, in bytes.
const MOST_CONCATENATED: usize = 60_000;

/// What is known of a value's text.
enum Bytes {
    /// At most so many bytes, at least one, none of them a `|`.
    Plain(usize),
    /// At most so many bytes, of any kind.
    Most(usize),
    /// Nothing.
    Any,
}

/// `count:value` of an aggregate, with `empty` where it is NULL.
pub(super) fn counted(aggregate: &str, empty: &str) -> String {
    format!(
        "CAST(count(*) AS varchar) || ':' || COALESCE(CAST(({aggregate}\n) AS varchar), '{empty}')"
    )
}

impl PostgresFamily {
    /// By PostgreSQL's own hash of a row, from version 14 on. That is linear in the hashes of its columns: so it is
    /// hashed again.
    pub(super) fn hash_checksum(&self, columns: &[SourceColumn]) -> String {
        let values: Vec<String> = columns.iter().map(|c| self.hashed(c)).collect();
        counted(
            &format!(
                "sum(hashint8extended(hash_record_extended(ROW({}), 0), 1))",
                values.join(", ")
            ),
            "0",
        )
    }

    /// A column as an expression whose hash differs where its text does.
    fn hashed(&self, column: &SourceColumn) -> String {
        let name = self.quote_name(&column.name);
        if column.class != TypeClass::Base {
            return format!("CAST({name} AS text)");
        }
        match (column.type_name.as_str(), column.length_or_precision) {
            (
                "int2" | "int4" | "int8" | "oid" | "bool" | "date" | "timestamp" | "timestamptz"
                | "time" | "bytea" | "uuid",
                _,
            )
            | ("numeric", Some(_)) => name,
            // A collation may call different texts equal.
            ("varchar" | "text", _) | ("bpchar", Some(_)) => format!("{name} COLLATE \"C\""),
            // Not padded to a length: its trailing blanks are its own, and no text of it has them.
            ("bpchar", None) => format!("{name} COLLATE \"C\", octet_length({name})"),
            _ => format!("CAST({name} AS text)"),
        }
    }

    /// By a fingerprint of all values' texts, each of which tells where it ends, so that no value looks like the end of
    /// another.
    pub(super) fn text_checksum(&self, columns: &[SourceColumn]) -> String {
        let mut groups: Vec<(Vec<String>, usize)> = Vec::new();
        for column in columns {
            let (piece, bytes) = self.piece(column);
            match groups.last_mut() {
                Some((pieces, taken)) if *taken + bytes <= MOST_CONCATENATED => {
                    pieces.push(piece);
                    *taken += bytes;
                }
                _ => groups.push((vec![piece], bytes)),
            }
        }
        let mut texts: Vec<String> = groups
            .iter()
            .map(|(pieces, _)| pieces.join(" || "))
            .collect();
        let text = match texts.len() {
            1 => texts.remove(0),
            0 => "''".to_owned(),
            _ => {
                let digests: Vec<String> = texts.iter().map(|t| format!("md5({t})")).collect();
                digests.join(" || ")
            }
        };
        let hash = if self.is_redshift {
            // https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html. FNV_HASH would not do: where the
            // states of two rows agree in one byte, values that they exchange leave the sum as it was.
            format!("sum(CAST(farmFingerprint64({text}) AS decimal(38,0)))")
        } else {
            // Sixty bits of the digest: they fit a whole number with its sign.
            format!("sum(CAST(CAST('x' || substring(md5({text}), 1, 15) AS bit(60)) AS bigint))")
        };
        counted(&hash, "0")
    }

    /// A column's part of the text, and its bytes at most.
    fn piece(&self, column: &SourceColumn) -> (String, usize) {
        let (text, bytes) = self.text(column);
        match bytes {
            // Never empty, and without this sign.
            Bytes::Plain(bytes) if column.nullable => {
                (format!("COALESCE({text}, '') || '|'"), bytes + 1)
            }
            Bytes::Plain(bytes) => (format!("{text} || '|'"), bytes + 1),
            Bytes::Most(bytes) if bytes <= MOST_BYTES => (
                format!("COALESCE(CAST(octet_length({text}) AS varchar) || ':' || {text}, '-')"),
                bytes + SHORT_BYTES,
            ),
            Bytes::Most(_) | Bytes::Any => (format!("COALESCE(md5({text}), '-')"), SHORT_BYTES),
        }
    }

    /// A column's value as text, and its bytes at most.
    fn text(&self, column: &SourceColumn) -> (String, Bytes) {
        let name = self.quote_name(&column.name);
        let cast = format!("CAST({name} AS varchar)");
        if column.class != TypeClass::Base {
            return (cast, Bytes::Any);
        }
        match column.type_name.as_str() {
            "int2" | "int4" | "int8" | "oid" | "float8" | "date" | "timestamp" | "timestamptz"
            | "time" | "timetz" | "uuid" => (cast, Bytes::Plain(SHORT_BYTES)),
            "numeric" => (
                cast,
                column.length_or_precision.map_or(Bytes::Any, |precision| {
                    Bytes::Plain(precision as usize + SHORT_BYTES)
                }),
            ),
            // Redshift's eight digits do not tell all of them apart.
            "float4" => (
                format!("CAST(CAST({name} AS float8) AS varchar)"),
                Bytes::Plain(SHORT_BYTES),
            ),
            "bool" => (
                format!("CASE WHEN {name} THEN 't' WHEN NOT {name} THEN 'f' END"),
                Bytes::Plain(1),
            ),
            // As in the other form.
            "bpchar" if column.length_or_precision.is_none() => (
                format!("(CAST(octet_length({name}) AS varchar) || ':' || {name})"),
                Bytes::Any,
            ),
            "varchar" | "bpchar" | "text" => {
                let bytes_each = if self.is_redshift { 1 } else { 4 };
                let bytes = column.length_or_precision.map(|n| n as usize * bytes_each);
                (name, bytes.map_or(Bytes::Any, Bytes::Most))
            }
            // In the form that is extracted.
            _ => {
                let plan = self.plan_column(column, 0, None).plan;
                match plan.fetch {
                    Fetch::Text { .. } | Fetch::HexText { .. } => (plan.expression, Bytes::Any),
                    _ => (cast, Bytes::Any),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDSHIFT: PostgresFamily = PostgresFamily { is_redshift: true };
    const POSTGRES: PostgresFamily = PostgresFamily { is_redshift: false };

    fn column(name: &str, type_name: &str, length: Option<u32>) -> SourceColumn {
        SourceColumn {
            name: name.into(),
            type_name: type_name.into(),
            length_or_precision: length,
            nullable: true,
            ..SourceColumn::default()
        }
    }

    #[test]
    fn what_can_be_equal_and_look_different_is_hashed_as_text() {
        let columns = [
            column("i", "int4", None),
            column("n", "numeric", Some(10)),
            column("u", "numeric", None),
            column("f", "float8", None),
            column("v", "varchar", Some(5)),
            column("b", "bpchar", None),
            SourceColumn {
                class: TypeClass::Array,
                ..column("a", "int4", None)
            },
        ];
        assert_eq!(
            POSTGRES.checksum_aggregates(&columns)[0],
            "CAST(count(*) AS varchar) || ':' || COALESCE(CAST((sum(hashint8extended(hash_record_extended(ROW(\"i\", \"n\", \
             CAST(\"u\" AS text), CAST(\"f\" AS text), \"v\" COLLATE \"C\", \"b\" COLLATE \"C\", octet_length(\"b\"), \
             CAST(\"a\" AS text)), 0), 1))\n) AS varchar), '0')"
        );
    }

    #[test]
    fn redshift_takes_values_that_tell_where_they_end_and_wide_ones_by_their_digest() {
        let columns = [
            SourceColumn {
                nullable: false,
                ..column("i", "int4", None)
            },
            column("b", "bool", None),
            column("v", "varchar", Some(10)),
            column("w", "varchar", Some(1025)),
        ];
        assert_eq!(
            REDSHIFT.checksum_aggregates(&columns),
            [
                "CAST(count(*) AS varchar) || ':' || COALESCE(CAST((sum(CAST(farmFingerprint64(CAST(\"i\" AS varchar) || '|' || \
                 COALESCE(CASE WHEN \"b\" THEN 't' WHEN NOT \"b\" THEN 'f' END, '') || '|' || \
                 COALESCE(CAST(octet_length(\"v\") AS varchar) || ':' || \"v\", '-') || \
                 COALESCE(md5(\"w\"), '-')) AS decimal(38,0)))\n) AS varchar), '0')"
            ]
        );
    }

    #[test]
    fn no_concatenation_is_longer_than_redshift_allows() {
        let columns: Vec<SourceColumn> = (0..200)
            .map(|n| column(&format!("c{n}"), "varchar", Some(1024)))
            .collect();
        let aggregate = REDSHIFT.text_checksum(&columns);
        // 54 of them fit together.
        assert_eq!(aggregate.matches("md5(COALESCE").count(), 4);
        assert!(aggregate.contains("farmFingerprint64(md5("));
    }
}
