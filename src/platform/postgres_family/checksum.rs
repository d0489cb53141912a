//! Checksums: aggregates that see any change of any value.
//!
//! A row becomes a number by a hash that is not linear in its columns, or values that two rows exchange would not be seen
//! in the sum; the sum does not depend on the order of the rows. Where equal values can look different (1.0 and 1.00,
//! zeros of both signs) the text, or the binary form, is what is hashed. Neither depends on the session's settings: the
//! same rows have the same checksum whoever asks.

use super::PostgresLike;
use crate::domain::table::{SourceColumn, TypeClass};
use crate::platform::names::Names;
use crate::platform::types::Types;

/// Text that may be longer than this is taken by its digest: Redshift's `||` gives 65,535 bytes at most.
const MOST_BYTES: usize = 1_024;
/// What is concatenated at once, in bytes.
const MOST_CONCATENATED: usize = 60_000;

/// Bytes of a number's or a time's text at most, with its length in front.
const SHORT_BYTES: usize = 80;

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
pub(in crate::platform) fn counted(aggregate: &str, empty: &str) -> String {
    format!(
        "CAST(count(*) AS varchar) || ':' || COALESCE(CAST(({aggregate}\n) AS varchar), '{empty}')"
    )
}

/// By a fingerprint of all values' texts, each of which tells where it ends, so that no value looks like the end of
/// another.
pub(super) fn text_checksum(p: &impl PostgresLike, columns: &[SourceColumn]) -> String {
    let md5 = p.function("md5");
    let mut groups: Vec<(Vec<String>, usize)> = Vec::new();
    for column in columns {
        let (piece, bytes) = piece(p, column);
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
            let digests: Vec<String> = texts.iter().map(|t| format!("{md5}({t})")).collect();
            digests.join(" || ")
        }
    };
    counted(&p.hash_sum(&text), "0")
}

/// A column's part of the text, and its bytes at most. Never NULL, which would take the whole row's text with it:
/// whatever the catalog says of the column.
fn piece(p: &impl PostgresLike, column: &SourceColumn) -> (String, usize) {
    let (text, bytes) = text(p, column);
    let [md5, octet_length] = ["md5", "octet_length"].map(|name| p.function(name));
    match bytes {
        // Never empty, and without this sign.
        Bytes::Plain(bytes) => (format!("COALESCE({text}, '') || '|'"), bytes + 1),
        Bytes::Most(bytes) if bytes <= MOST_BYTES => (
            format!("COALESCE(CAST({octet_length}({text}) AS varchar) || ':' || {text}, '-')"),
            bytes + SHORT_BYTES,
        ),
        Bytes::Most(_) | Bytes::Any => (format!("COALESCE({md5}({text}), '-')"), SHORT_BYTES),
    }
}

/// A column's value as text (or bytes, whose digest is taken) that does not depend on the session, and its bytes at
/// most.
fn text(p: &impl PostgresLike, column: &SourceColumn) -> (String, Bytes) {
    let name = p.quote_name(&column.name);
    let cast = format!("CAST({name} AS varchar)");
    let short = |text| (text, Bytes::Plain(SHORT_BYTES));
    let type_name = match column.class {
        TypeClass::Base => column.type_name.as_str(),
        _ => return (whole(p, column, &name, cast), Bytes::Any),
    };
    if let Some(bits) = p.checksum_bits(type_name, &name) {
        return short(bits);
    }
    match type_name {
        "int2" | "int4" | "int8" | "oid" | "float8" | "time" | "timetz" | "uuid" => short(cast),
        "date" => short(p.date(&name)),
        "timestamp" => short(p.timestamp(&name)),
        "timestamptz" => short(p.timestamptz(&name)),
        "numeric" => (
            cast,
            column.length_or_precision.map_or(Bytes::Any, |precision| {
                Bytes::Plain(precision as usize + SHORT_BYTES)
            }),
        ),
        // Eight digits do not tell all of them apart.
        "float4" => short(format!("CAST(CAST({name} AS float8) AS varchar)")),
        "bool" => (
            format!("CASE WHEN {name} THEN 't' WHEN NOT {name} THEN 'f' END"),
            Bytes::Plain(1),
        ),
        // As in the other form.
        "bpchar" if column.length_or_precision.is_none() => (
            format!(
                "(CAST({}({name}) AS varchar) || ':' || {name})",
                p.function("octet_length")
            ),
            Bytes::Any,
        ),
        "varchar" | "bpchar" | "text" => {
            let bytes_each = p.bytes_of_character();
            let bytes = column.length_or_precision.map(|n| n as usize * bytes_each);
            (name, bytes.map_or(Bytes::Any, Bytes::Most))
        }
        _ => {
            // In the form that is extracted.
            let plan = p.plan_column(column, 0, None).plan;
            let extracted = plan.fetch.text_bound().map(|_| plan.expression);
            (
                whole(p, column, &name, extracted.unwrap_or(cast)),
                Bytes::Any,
            )
        }
    }
}

/// A value of any type: its binary form where there is one, else `text`.
fn whole(p: &impl PostgresLike, column: &SourceColumn, name: &str, text: String) -> String {
    p.whole_bits(column, name).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::postgres::Postgres;
    use crate::platform::redshift::Redshift;
    use crate::platform::sql::Sql;

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
    fn what_can_be_equal_and_look_different_is_hashed_as_text_or_bits() {
        let columns = [
            column("i", "int4", None),
            column("n", "numeric", Some(10)),
            column("u", "numeric", None),
            column("f", "float8", None),
            column("v", "varchar", Some(5)),
            column("b", "bpchar", None),
            SourceColumn {
                class: TypeClass::Array,
                has_binary_form: true,
                ..column("a", "int4", None)
            },
            column("w", "aclitem", None),
        ];
        assert_eq!(
            Postgres.checksum_aggregates(&columns)[0],
            "CAST(count(*) AS varchar) || ':' || COALESCE(CAST((sum(pg_catalog.hashint8extended(pg_catalog.hash_record_extended(ROW(\"i\", \"n\", \
             CAST(\"u\" AS text) COLLATE \"C\", pg_catalog.float8send(\"f\"), \"v\" COLLATE \"C\", \"b\" COLLATE \"C\", pg_catalog.octet_length(\"b\"), \
             pg_catalog.record_send(ROW(\"a\")), CAST(\"w\" AS text) COLLATE \"C\"), 0), 1))\n) AS varchar), '0')"
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
            Redshift.checksum_aggregates(&columns),
            [
                "CAST(count(*) AS varchar) || ':' || COALESCE(CAST((sum(CAST(farmFingerprint64(COALESCE(CAST(\"i\" AS varchar), '') || '|' || \
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
        let aggregate = text_checksum(&Redshift, &columns);
        // 54 of them fit together.
        assert_eq!(aggregate.matches("md5(COALESCE").count(), 4);
        assert!(aggregate.contains("farmFingerprint64(md5("));
    }
}
