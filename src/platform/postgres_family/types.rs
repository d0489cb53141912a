//! The names of types, and which of them are keys.

use super::PostgresLike;
use super::mapping::plan_column;
use crate::domain::table::{KeyKind, SourceColumn, TypeClass};
use crate::platform::names::Names;
use crate::platform::types::Types;
use crate::types::PlannedColumn;

impl<P: PostgresLike> Types for P {
    fn plan_column(
        &self,
        column: &SourceColumn,
        index: usize,
        target: Option<&str>,
    ) -> PlannedColumn {
        plan_column(self, column, &self.quote_name(&column.name), index, target)
    }

    fn type_name(&self, written: &str) -> String {
        // Arguments may stand inside: `timestamp(3) with time zone`.
        let base = match (written.find('('), written.rfind(')')) {
            (Some(open), Some(close)) if open < close => {
                format!("{} {}", &written[..open], &written[close + 1..])
            }
            _ => written.to_owned(),
        };
        let words: Vec<String> = base.split_whitespace().map(str::to_lowercase).collect();
        let name = words.join(" ");
        if let Some(element) = name.strip_suffix("[]") {
            return format!("{}[]", self.type_name(element));
        }
        let catalog = match name.as_str() {
            "smallint" | "smallserial" | "serial2" => "int2",
            "integer" | "int" | "serial" | "serial4" => "int4",
            "bigint" | "bigserial" | "serial8" => "int8",
            "decimal" => "numeric",
            "real" => "float4",
            "double precision" | "float" => "float8",
            "boolean" => "bool",
            "character" | "char" | "nchar" => "bpchar",
            "character varying" | "nvarchar" => "varchar",
            "timestamp without time zone" => "timestamp",
            "timestamp with time zone" => "timestamptz",
            "time without time zone" => "time",
            "time with time zone" => "timetz",
            "binary varying" | "varbinary" => "varbyte",
            "bit varying" => "varbit",
            // The domain that names large objects, of the extension of this name.
            "lo" => "oid",
            other => other,
        };
        catalog.to_owned()
    }

    fn text_type(&self) -> &'static str {
        "text"
    }

    fn is_interval(&self, type_name: &str) -> bool {
        ["interval", "intervaly2m", "intervald2s"].contains(&type_name)
    }

    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind> {
        if column.class != TypeClass::Base {
            return None;
        }
        match column.type_name.as_str() {
            "int2" | "int4" | "int8" | "oid" => Some(KeyKind::Integer),
            "numeric" => Some(KeyKind::Decimal),
            "float4" | "float8" => Some(KeyKind::Float),
            "date" => Some(KeyKind::Date),
            "timestamp" => Some(KeyKind::Timestamp),
            "timestamptz" => Some(KeyKind::TimestampTz),
            "time" => Some(KeyKind::Time),
            "bool" => Some(KeyKind::Boolean),
            "uuid" => Some(KeyKind::Uuid),
            "varchar" | "text" => Some(self.varchar_key()),
            "bpchar" => Some(KeyKind::PaddedText),
            _ => None,
        }
    }
}
