//! From a column of the files into its column in the target, by the user's own SQL where there is any. Pure.
//!
//! What COPY INTO computes by the user's SQL is the user's own business; the value that it is computed from is the source's.

use super::{LoadExpression, TargetTable, of};
use crate::domain::table::Content;
use crate::domain::table_plan::{ExtractColumn, LoadColumn, TablePlan};
use crate::extract::{ExtractionRoute, PlannedFileColumn, route};
use crate::platform::{self, SourcePlatform};
use crate::types::snowflake_name::quote;
use crate::types::transform::filled;

/// What decides how the columns of a table travel.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// The source's SQL.
    pub dialect: &'a dyn SourcePlatform,
    /// How rows leave the source.
    pub route: &'a dyn ExtractionRoute,
    /// The kind of the target.
    pub kind: &'a dyn TargetTable,
}

impl Ways<'_> {
    /// How the column at `index` of the files is loaded, and how it gets into them.
    ///
    /// # Errors
    /// When its values could not be loaded as they are: why, for a message that names the column.
    pub fn load(
        &self,
        (extract, load): (&ExtractColumn, &LoadColumn),
        index: usize,
    ) -> Result<(LoadExpression, PlannedFileColumn), String> {
        let planned = self.route.plan_column(self.dialect, extract, index);
        let loaded = match &load.decode {
            Some(decode) => {
                let file = self
                    .kind
                    .load_expression(&planned.file, &planned.default_target)?;
                LoadExpression {
                    sql: format!("({}\n)", filled(decode, &file.sql).0),
                    ..file
                }
            }
            None => self
                .kind
                .load_expression(&planned.file, &load.target_type)?,
        };
        Ok((loaded, planned))
    }

    /// The columns whose declared type holds more than the target's, with the type that would do.
    pub fn narrow_columns<'a>(
        &self,
        columns: impl IntoIterator<Item = (&'a ExtractColumn, &'a LoadColumn)>,
    ) -> Vec<String> {
        let narrow = |(index, (extract, load)): (usize, (&ExtractColumn, &LoadColumn))| {
            narrow_column(
                extract,
                load,
                &self.route.plan_column(self.dialect, extract, index),
            )
        };
        columns.into_iter().enumerate().filter_map(narrow).collect()
    }
}

/// That a column's declared type holds more than the target's, if it does.
pub(super) fn narrow_column(
    extract: &ExtractColumn,
    load: &LoadColumn,
    planned: &PlannedFileColumn,
) -> Option<String> {
    let wider = planned.wider.as_ref()?;
    Some(format!(
        "column {} of type {} into {} of type {}: not all values that the source may hold fit, and one that does not fails; what holds all is {wider}",
        extract.source.name,
        extract.source.type_text(),
        load.name,
        load.target_type
    ))
}

/// The ways of a planned table.
///
/// # Errors
/// When the source's platform is not supported.
pub fn ways_of(plan: &TablePlan) -> Result<Ways<'static>, String> {
    Ok(Ways {
        dialect: platform::supported(plan.extract.platform)?,
        route: route(plan.extract.route),
        kind: of(plan.load.kind),
    })
}

/// For each target column of a slice its quoted name and the expression over the file.
///
/// # Errors
/// As [`Ways::load`].
pub fn load_columns(plan: &TablePlan, content: Content) -> Result<Vec<(String, String)>, String> {
    let ways = ways_of(plan)?;
    let columns = plan.columns_of(content).into_iter().enumerate();
    columns
        .map(|(index, (extract, load))| {
            let (loaded, _) = ways
                .load((extract, load), index)
                .map_err(|why| format!("column {}: {why}", extract.source.name))?;
            Ok((quote(&load.name), loaded.sql))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::ColumnTransform;
    use crate::domain::table::{Platform, SourceColumn};
    use crate::domain::table_plan::{MatchedColumn, Route, TargetKind};
    use crate::platform;

    #[test]
    fn what_is_decoded_is_the_value_of_the_file() {
        let ways = Ways {
            dialect: platform::source(Platform::Postgresql).expect("a platform"),
            route: route(Route::Stream),
            kind: of(TargetKind::Native),
        };
        let column = |encode: Option<&str>| MatchedColumn {
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
        let expression = |encode| {
            let (extract, loaded) = column(encode).split();
            ways.load((&extract, &loaded), 3).map(|(l, _)| l.sql)
        };
        assert_eq!(
            expression(None).as_deref(),
            Ok("(OBJECT_CONSTRUCT('n', $1:\"c3\"::NUMBER(38,0))\n)")
        );
        assert_eq!(
            expression(Some("-{{ col_name }}")).as_deref(),
            Ok("(OBJECT_CONSTRUCT('n', $1:\"c3\"::VARCHAR)\n)")
        );
    }
}
