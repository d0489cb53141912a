//! How a column travels, by the user's own SQL ([`ColumnTransform`](crate::domain::spec::ColumnTransform)) where there is any. Pure.
//!
//! What the source computes for a column travels as text, and is read as the target's type as text of the source is: a value
//! that the target does not hold exactly is an error. What COPY INTO computes is the user's own business.

use crate::domain::table::{Content, SourceColumn};
use crate::domain::table_plan::{ExtractColumn, ExtractSpec};
use crate::platform::SourcePlatform;
use crate::types::transform::filled;
use crate::types::{ColumnPlan, PlannedColumn};

/// How a column at `index` of the file travels, by the user's SQL where there is any.
pub fn plan_column(
    dialect: &dyn SourcePlatform,
    column: &ExtractColumn,
    index: usize,
) -> PlannedColumn {
    let fits = column.fits.as_deref();
    let Some(encode) = &column.encode else {
        return dialect.plan_column(&column.source, index, fits);
    };
    let text = SourceColumn {
        name: column.source.name.clone(),
        type_name: dialect.text_type().to_owned(),
        // Whatever the column is.
        nullable: true,
        ..SourceColumn::default()
    };
    let mut planned = dialect.plan_column(&text, index, fits);
    let (value, _) = filled(encode, &dialect.quote_name(&column.source.name));
    // On a line of its own: the user's expression may end in a comment.
    planned.plan.expression = dialect.as_text(&format!("({value}\n)"));
    planned.warning = None;
    planned
}

/// How the columns of a slice travel.
pub fn column_plans(
    dialect: &dyn SourcePlatform,
    extract: &ExtractSpec,
    content: Content,
) -> Vec<ColumnPlan> {
    let columns = extract.columns_of(content).into_iter().enumerate();
    columns
        .map(|(index, column)| plan_column(dialect, column, index).plan)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::Platform;
    use crate::platform;
    use crate::types::Fetch;
    use proptest::prelude::*;

    #[test]
    fn what_the_source_computes_is_read_as_text() {
        let dialect = platform::source(Platform::Postgresql).expect("a platform");
        let column = SourceColumn {
            name: "N\"o".into(),
            type_name: "int4".into(),
            ..SourceColumn::default()
        };
        let encoded = |fits: Option<&str>| ExtractColumn {
            source: column.clone(),
            fits: fits.map(str::to_owned),
            encode: Some("{{ col_name }} + 1 -- one more".into()),
        };
        let planned = plan_column(dialect, &encoded(Some("NUMBER(9,0)")), 0);
        assert_eq!(
            planned.plan.expression,
            "CAST((\"N\"\"o\" + 1 -- one more\n) AS varchar)"
        );
        assert!(matches!(planned.plan.fetch, Fetch::DecimalText { .. }));
        let untyped = plan_column(dialect, &encoded(None), 0);
        assert!(matches!(
            untyped.plan.fetch,
            Fetch::Text { max_bytes: None }
        ));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[{} a-c_ol_name]{0,30}") {
            let (filled, num) = filled(&text, "x");
            prop_assert_eq!(num == 0, filled == text);
        }
    }
}
