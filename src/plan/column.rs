//! How a column travels and is loaded, by the user's own SQL ([`ColumnTransform`]) where there is any. Pure.
//!
//! What the source computes for a column travels as text, and is read as the target's type as text of the source is: a value
//! that the target does not hold exactly is an error. What COPY INTO computes is the user's own business.

use crate::dialect::Dialect;
use crate::domain::spec::ColumnTransform;
use crate::domain::table::SourceColumn;
use crate::domain::task::ExtractColumn;
use crate::types::PlannedColumn;
use crate::types::load::{LoadColumn, load_column};
use crate::types::transform::filled;

/// How the column at `index` travels into a target of type `target` (without one, into the default target), by the user's
/// SQL where there is any.
pub fn plan_column(
    dialect: &dyn Dialect,
    column: &SourceColumn,
    transform: Option<&ColumnTransform>,
    index: usize,
    target: Option<&str>,
) -> PlannedColumn {
    let Some(encode) = transform.and_then(|t| t.encode.as_deref()) else {
        // What COPY INTO makes of a value is told apart from what it is made of.
        let target = target.filter(|_| transform.is_none_or(|t| t.decode.is_none()));
        return dialect.plan_column(column, index, target);
    };
    let decodes = transform.is_some_and(|t| t.decode.is_some());
    let text = SourceColumn {
        name: column.name.clone(),
        type_name: dialect.text_type().to_owned(),
        // Whatever the column is.
        nullable: true,
        ..SourceColumn::default()
    };
    let mut planned = dialect.plan_column(&text, index, target.filter(|_| !decodes));
    let (value, _) = filled(encode, &dialect.quote_name(&column.name));
    // On a line of its own: the user's expression may end in a comment.
    planned.plan.expression = format!("CAST(({value}\n) AS varchar)");
    planned.warning = None;
    planned
}

/// How the column at `index` is loaded, and how it travels.
///
/// # Errors
/// When its values could not be loaded as they are: why, for a message that names the column.
pub fn load(
    dialect: &dyn Dialect,
    column: &ExtractColumn,
    index: usize,
) -> Result<(LoadColumn, PlannedColumn), String> {
    let transform = column.transform.as_ref();
    let target = Some(column.target_type.as_str());
    let planned = plan_column(dialect, &column.source, transform, index, target);
    let decode = transform.and_then(|t| t.decode.as_deref());
    let loaded = match decode {
        // What the user makes of the value is the user's own business; the value itself is the source's.
        Some(decode) => {
            let file = load_column(&planned.plan, &planned.default_target)?;
            LoadColumn {
                expression: format!("({}\n)", filled(decode, &file.expression).0),
                ..file
            }
        }
        None => load_column(&planned.plan, &column.target_type)?,
    };
    Ok((loaded, planned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::for_platform;
    use crate::domain::table::Platform;
    use crate::types::Fetch;
    use proptest::prelude::*;

    #[test]
    fn what_the_source_computes_is_read_as_text() {
        let dialect = for_platform(Platform::Postgresql).expect("a dialect");
        let column = SourceColumn {
            name: "N\"o".into(),
            type_name: "int4".into(),
            ..SourceColumn::default()
        };
        let transform = ColumnTransform {
            encode: Some("{{ col_name }} + 1 -- one more".into()),
            decode: None,
        };
        let planned = plan_column(dialect, &column, Some(&transform), 0, Some("NUMBER(9,0)"));
        assert_eq!(
            planned.plan.expression,
            "CAST((\"N\"\"o\" + 1 -- one more\n) AS varchar)"
        );
        assert!(matches!(planned.plan.fetch, Fetch::DecimalText { .. }));
        let untyped = plan_column(dialect, &column, Some(&transform), 0, None);
        assert!(matches!(
            untyped.plan.fetch,
            Fetch::Text { max_bytes: None }
        ));
    }

    #[test]
    fn what_is_decoded_is_the_value_of_the_file() {
        let dialect = for_platform(Platform::Postgresql).expect("a dialect");
        let column = |encode: Option<&str>| ExtractColumn {
            source: SourceColumn {
                name: "n".into(),
                type_name: "int4".into(),
                ..SourceColumn::default()
            },
            target_name: "N".into(),
            target_type: "VARIANT".into(),
            transform: Some(ColumnTransform {
                encode: encode.map(str::to_owned),
                decode: Some("OBJECT_CONSTRUCT('n', {{ col_name }})".into()),
            }),
        };
        let expression = |encode| load(dialect, &column(encode), 3).map(|(l, _)| l.expression);
        assert_eq!(
            expression(None).as_deref(),
            Ok("(OBJECT_CONSTRUCT('n', $1:\"c3\"::NUMBER(38,0))\n)")
        );
        assert_eq!(
            expression(Some("-{{ col_name }}")).as_deref(),
            Ok("(OBJECT_CONSTRUCT('n', $1:\"c3\"::VARCHAR)\n)")
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[{} a-c_ol_name]{0,30}") {
            let (filled, num) = filled(&text, "x");
            prop_assert_eq!(num == 0, filled == text);
        }
    }
}
