//! The names of types, and which of them are keys.

use crate::domain::table::{KeyKind, SourceColumn, TypeClass};

/// See [`Types::key_kind`](crate::platform::Types::key_kind).
pub(super) fn key_kind(column: &SourceColumn) -> Option<KeyKind> {
    if column.class != TypeClass::Base {
        return None;
    }
    match column.type_name.as_str() {
        "tinyint" | "smallint" | "int" | "bigint" => Some(KeyKind::Integer),
        "decimal" | "numeric" | "money" | "smallmoney" => Some(KeyKind::Decimal),
        "real" | "float" => Some(KeyKind::Float),
        "bit" => Some(KeyKind::Boolean),
        "date" => Some(KeyKind::Date),
        "smalldatetime" | "datetime" => Some(KeyKind::DateTime),
        "datetime2" => Some(KeyKind::Timestamp),
        "datetimeoffset" => Some(KeyKind::TimestampTz),
        "time" => Some(KeyKind::Time),
        "uniqueidentifier" => Some(KeyKind::Guid),
        // Trailing zeros do not count when they are compared: of fixed length nothing else differs.
        "binary" | "timestamp" => Some(KeyKind::Binary),
        // Text of (max) can be no key of an index either.
        "char" | "varchar" => column.length_or_precision.map(|_| KeyKind::PageText),
        "nchar" | "nvarchar" => column.length_or_precision.map(|_| KeyKind::Text),
        _ => None,
    }
}

/// See [`Types::type_name`](crate::platform::Types::type_name).
/// <https://learn.microsoft.com/sql/t-sql/data-types/data-type-synonyms-transact-sql>
pub(super) fn type_name(written: &str) -> String {
    let base = match (written.find('('), written.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{} {}", &written[..open], &written[close + 1..])
        }
        _ => written.to_owned(),
    };
    let words: Vec<String> = base.split_whitespace().map(str::to_lowercase).collect();
    let name = words.join(" ");
    match name.trim_matches(['[', ']']) {
        "integer" => "int",
        "dec" => "decimal",
        "double precision" => "float",
        "character" => "char",
        "char varying" | "character varying" => "varchar",
        "national char" | "national character" => "nchar",
        "national char varying" | "national character varying" => "nvarchar",
        "national text" => "ntext",
        "binary varying" => "varbinary",
        "rowversion" => "timestamp",
        "sysname" => "nvarchar",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_are_the_types_that_they_stand_for() {
        for (written, name) in [
            ("INTEGER", "int"),
            ("National Character Varying(20)", "nvarchar"),
            ("rowversion", "timestamp"),
            ("datetime2(7)", "datetime2"),
            ("[int]", "int"),
        ] {
            assert_eq!(type_name(written), name);
        }
    }
}
