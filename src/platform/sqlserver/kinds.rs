//! The names of types, and which of them are keys.

use crate::domain::table::{KeyKind, SourceColumn, TypeClass};

/// The catalog's name of a type, from one that users write.
/// <https://learn.microsoft.com/sql/t-sql/data-types/data-type-synonyms-transact-sql>
pub(super) fn type_name(written: &str) -> String {
    let base = match (written.find('('), written.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{} {}", &written[..open], &written[close + 1..])
        }
        _ => written.to_owned(),
    };
    let words: Vec<String> = base
        .split_whitespace()
        .map(|word| word.trim_matches(['[', ']', '"']).to_lowercase())
        .collect();
    let name = words.join(" ");
    let catalog = match name.as_str() {
        "integer" => "int",
        "dec" => "decimal",
        "double precision" => "float",
        "character" => "char",
        "character varying" | "char varying" => "varchar",
        "national character" | "national char" => "nchar",
        "national character varying" | "national char varying" | "sysname" => "nvarchar",
        "national text" => "ntext",
        "binary varying" => "varbinary",
        "rowversion" => "timestamp",
        other => other,
    };
    catalog.to_owned()
}

/// What a column's values are as a key or a watermark.
pub(super) fn key_kind(column: &SourceColumn) -> Option<KeyKind> {
    if column.class != TypeClass::Base {
        return None;
    }
    match column.type_name.as_str() {
        "tinyint" | "smallint" | "int" | "bigint" => Some(KeyKind::Integer),
        "decimal" | "numeric" | "money" | "smallmoney" => Some(KeyKind::Decimal),
        "real" | "float" => Some(KeyKind::Float),
        "date" => Some(KeyKind::Date),
        "smalldatetime" | "datetime" | "datetime2" => Some(KeyKind::Timestamp),
        "datetimeoffset" => Some(KeyKind::TimestampTz),
        "time" => Some(KeyKind::Time),
        "bit" => Some(KeyKind::Boolean),
        // Trailing blanks never count, whatever the type and the collation.
        "char" | "nchar" | "varchar" | "nvarchar" if column.length_or_precision.is_some() => {
            Some(KeyKind::PaddedText)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_types_have_the_catalogs_name() {
        for (written, name) in [
            ("INTEGER", "int"),
            ("[nvarchar](max)", "nvarchar"),
            ("national character varying (20)", "nvarchar"),
            ("Double  Precision", "float"),
            ("dec(10, 2)", "decimal"),
            ("rowversion", "timestamp"),
            ("DATETIMEOFFSET(3)", "datetimeoffset"),
        ] {
            assert_eq!(type_name(written), name);
        }
    }
}
