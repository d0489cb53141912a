//! The checksum by PostgreSQL's own hash of a row.

use super::Postgres;
use crate::domain::table::{SourceColumn, TypeClass};
use crate::platform::names::Names;
use crate::platform::postgres_family::counted;

/// By PostgreSQL's own hash of a row, from version 14 on. That is linear in the hashes of its columns: so it is
/// hashed again.
pub(super) fn of_rows(columns: &[SourceColumn]) -> String {
    let values: Vec<String> = columns.iter().map(hashed).collect();
    counted(
        &format!(
            "sum(pg_catalog.hashint8extended(pg_catalog.hash_record_extended(ROW({}), 0), 1))",
            values.join(", ")
        ),
        "0",
    )
}

/// A column as an expression whose hash differs where the value does, and does not depend on the session.
fn hashed(column: &SourceColumn) -> String {
    let name = Postgres.quote_name(&column.name);
    if column.class == TypeClass::Base {
        match (column.type_name.as_str(), column.length_or_precision) {
            (
                "int2" | "int4" | "int8" | "oid" | "bool" | "date" | "timestamp" | "timestamptz"
                | "time" | "bytea" | "uuid",
                _,
            )
            | ("numeric", Some(_)) => return name,
            // A collation may call different texts equal.
            ("varchar" | "text", _) | ("bpchar", Some(_)) => {
                return format!("{name} COLLATE \"C\"");
            }
            // Not padded to a length: its trailing blanks are its own, and no text of it has them.
            ("bpchar", None) => {
                return format!("{name} COLLATE \"C\", pg_catalog.octet_length({name})");
            }
            (type_name, _) => {
                if let Some(function) = send_function(type_name) {
                    return format!("pg_catalog.{function}({name})");
                }
            }
        }
    }
    if column.has_binary_form {
        binary_form(&name)
    } else {
        format!("CAST({name} AS text) COLLATE \"C\"")
    }
}

/// PostgreSQL's function for the binary form of types whose text depends on the session, or whose equal values can look
/// different: it keeps every bit.
pub(super) fn send_function(type_name: &str) -> Option<&'static str> {
    Some(match type_name {
        "float4" => "float4send",
        "float8" => "float8send",
        "date" => "date_send",
        "timestamp" => "timestamp_send",
        "timestamptz" => "timestamptz_send",
        "interval" => "interval_send",
        "timetz" => "timetz_send",
        "money" => "cash_send",
        _ => return None,
    })
}

/// The binary form of a value of any type that has one; of NULL too.
pub(super) fn binary_form(name: &str) -> String {
    format!("pg_catalog.record_send(ROW({name}))")
}
