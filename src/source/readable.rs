//! Whether a login may read what a table's migration needs, and all of its rows.

use super::catalog::unreadable;
use super::error::{SourceError, SourceErrorKind};
use super::policies::refuse_policies;
use super::session::Ask;
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::{KeyRange, SourceColumn};
use crate::plan::names::{find_column, listed};
use crate::platform::{ColumnPrivilege, Scope, SourcePlatform};

/// Who reads which table.
pub(super) struct Reader<'a> {
    pub(super) platform: &'a dyn SourcePlatform,
    pub(super) spec: &'a TableSpec,
    /// The login.
    pub(super) user: &'a str,
    /// What messages call the table.
    pub(super) place: &'a str,
}

impl Reader<'_> {
    /// Selects no row, so that the predicate, the privileges on each needed column and the policies are checked and nothing
    /// is read. Answers how many columns are needed.
    pub(super) fn check(
        &self,
        source: &impl Ask,
        all: &[SourceColumn],
    ) -> Result<usize, SourceError> {
        let Self {
            platform,
            spec,
            user,
            place,
        } = *self;
        let columns = needed_columns(platform, spec, all);
        let each: Vec<String> = columns
            .iter()
            .map(|column| format!("{} IS NULL", platform.quote_name(&column.name)))
            .collect();
        let mut none = format!("1 = 0 AND ({})", each.join(" OR "));
        if let Some(predicate) = &spec.where_clause {
            none.push_str(&format!(" AND ({predicate}\n)"));
        }
        let scope = Scope {
            table: &spec.source,
            key: &[],
            range: &KeyRange::Everything,
            window: None,
            where_clause: Some(&none),
            modifiers: &spec.query_modifiers,
        };
        if let Err(error) = source.ask(&platform.any_row(&scope)) {
            let grants = (error.kind == SourceErrorKind::NoPrivilege)
                .then(|| source.ask(&platform.privileges(&spec.source)).ok())
                .flatten()
                .and_then(|rows| missing_grants(platform, spec, &columns, &rows, user));
            return Err(match grants {
                Some(what) => SourceError::new(error.kind, what).at(place),
                None => error,
            });
        }
        let whole = Scope {
            where_clause: spec.where_clause.as_deref(),
            ..scope
        };
        refuse_policies(source, platform, &whole, spec.row_security, place)?;
        Ok(columns.len())
    }
}

/// The columns that statements of the table name: all but those that are left out.
fn needed_columns<'a>(
    platform: &dyn SourcePlatform,
    spec: &TableSpec,
    all: &'a [SourceColumn],
) -> Vec<&'a SourceColumn> {
    let watermark = match &spec.synchronization {
        Synchronization::Watermark { column, .. } => Some(column),
        _ => None,
    };
    let find = |written: &String| find_column(platform, all, written);
    let excluded: Vec<&SourceColumn> = spec.excluded_columns.iter().filter_map(find).collect();
    let named = spec
        .key
        .iter()
        .flatten()
        .chain(&spec.primary_key)
        .chain(watermark);
    let named: Vec<&SourceColumn> = named.filter_map(find).collect();
    let needed = |column: &&SourceColumn| !excluded.contains(column) || named.contains(column);
    all.iter().filter(needed).collect()
}

/// What the login lacks, and the statements that give it; `None`: the catalog tells of nothing.
fn missing_grants(
    platform: &dyn SourcePlatform,
    spec: &TableSpec,
    needed: &[&SourceColumn],
    rows: &[ColumnPrivilege],
    user: &str,
) -> Option<String> {
    let [schema, table] = [&spec.source.schema, &spec.source.table]
        .map(|name| platform.quote_name(&platform.exact_name(name)));
    let user = platform.quote_name(user);
    let mut grants = Vec::new();
    if !rows.first()?.is_schema_usable {
        grants.push(format!("GRANT USAGE ON SCHEMA {schema} TO {user}"));
    }
    let hidden = unreadable(rows);
    let lacking: Vec<&str> = needed
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| hidden.iter().any(|hidden| hidden == name))
        .collect();
    if !lacking.is_empty() && hidden.len() == rows.len() && needed.len() == rows.len() {
        grants.push(format!("GRANT SELECT ON {schema}.{table} TO {user}"));
    } else if !lacking.is_empty() {
        let list: Vec<String> = lacking
            .iter()
            .map(|name| platform.quote_name(name))
            .collect();
        grants.push(format!(
            "GRANT SELECT ({}) ON {schema}.{table} TO {user}",
            list.join(", ")
        ));
    }
    let remedy = grants.join("; ");
    match lacking.as_slice() {
        _ if grants.is_empty() => None,
        [] => Some(format!("permission denied for schema {schema}; {remedy}")),
        lacking if lacking.len() == needed.len() => {
            Some(format!("permission denied for the table; {remedy}"))
        }
        lacking => Some(format!(
            "permission denied for the columns {}; {remedy}; or name them in excludeSourceColumns, and they stay behind",
            listed(lacking, 20)
        )),
    }
}
