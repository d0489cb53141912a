//! The checksum of rows: one hash a row over an encoding in which each value tells where it ends, and their sum, which does
//! not depend on the order.
//!
//! CHECKSUM and BINARY_CHECKSUM miss changes, and know no xml. HASHBYTES takes any length from 2016 on; before, a row of
//! more than 8,000 bytes is an error that ends the analysis.
//! <https://learn.microsoft.com/sql/t-sql/functions/hashbytes-transact-sql>

use super::SqlServer;
use crate::domain::table::SourceColumn;
use crate::platform::names::Names;

/// A value's bytes. Text by its bytes, so that case, accents and blanks count.
fn bytes(column: &SourceColumn, name: &str) -> String {
    match column.type_name.as_str() {
        "text" => format!("CAST(CAST({name} AS varchar(max)) AS varbinary(max))"),
        "ntext" | "xml" => format!("CAST(CAST({name} AS nvarchar(max)) AS varbinary(max))"),
        // The same bytes are other values in another type.
        "sql_variant" => format!(
            "CAST(CONCAT(CAST(SQL_VARIANT_PROPERTY({name}, 'BaseType') AS nvarchar(128)), N':', \
             CAST(SQL_VARIANT_PROPERTY({name}, 'Precision') AS nvarchar(10)), N':', CAST(SQL_VARIANT_PROPERTY({name}, 'Scale') AS nvarchar(10)), N':', \
             CAST(SQL_VARIANT_PROPERTY({name}, 'Collation') AS nvarchar(128)), N':') AS varbinary(max)) + CAST({name} AS varbinary(8000))"
        ),
        _ => format!("CAST({name} AS varbinary(max))"),
    }
}

fn piece(column: &SourceColumn) -> String {
    let name = SqlServer.quote_name(&column.name);
    let bytes = bytes(column, &name);
    // Never NULL, which would take the whole row's bytes with it.
    format!(
        "CASE WHEN {name} IS NULL THEN 0x00 ELSE 0x01 + CAST(CAST(DATALENGTH({bytes}) AS bigint) AS binary(8)) + {bytes} END"
    )
}

/// `count:sum` of the rows.
pub(super) fn row_checksum(columns: &[SourceColumn]) -> String {
    // Of (max) from the beginning: `+` cuts at 8,000 bytes otherwise.
    // https://learn.microsoft.com/sql/t-sql/language-elements/string-concatenation-transact-sql
    let mut row = "CAST(0x AS varbinary(max))".to_owned();
    for column in columns {
        row += " + ";
        row += &piece(column);
    }
    // SUM of bigint overflows: as decimals.
    format!(
        "CAST(COUNT_BIG(*) AS nvarchar(20)) + N':' + \
         COALESCE(CAST(SUM(CAST(CAST(SUBSTRING(HASHBYTES('SHA2_256', {row}), 1, 8) AS bigint) AS decimal(38,0))) AS nvarchar(41)), N'0')"
    )
}

/// `count:hash` of the user's own aggregate, by the bytes of its value: as text the server would give a float six digits,
/// money two after the point, and a datetime no seconds.
/// <https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql>
pub(super) fn counted(aggregate: &str) -> String {
    // On a line of its own: it may end in a comment.
    format!(
        "CAST(COUNT_BIG(*) AS nvarchar(20)) + N':' + \
         COALESCE(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', CAST(({aggregate}\n) AS varbinary(max))), 2), N'')"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_printed_by_the_server() {
        let column = |name: &str, type_name: &str| SourceColumn {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            ..SourceColumn::default()
        };
        let row = row_checksum(&[column("f]", "float"), column("m", "money")]);
        for name in ["[f]]]", "[m]"] {
            let piece = format!(
                "CASE WHEN {name} IS NULL THEN 0x00 ELSE 0x01 + CAST(CAST(DATALENGTH(CAST({name} AS varbinary(max))) AS bigint) AS binary(8)) + CAST({name} AS varbinary(max)) END"
            );
            assert!(row.contains(&piece), "{row}");
        }
        assert!(counted("SUM(f) -- all").contains("CAST((SUM(f) -- all\n) AS varbinary(max))"));
    }
}
