//! Policies that hide rows of a table from the login.

use super::error::{SourceError, SourceErrorKind};
use super::session::TextRows;
use crate::dialect::{Dialect, Scope};
use crate::domain::spec::RowSecurity;

/// What to do where a policy hides rows, for every platform.
pub(super) const REMEDY: &str = "let the worker log in as one who sees all rows (PostgreSQL: the table's owner or a role with BYPASSRLS; Redshift: GRANT IGNORE RLS), and name the wanted part with whereClauseCriteria if it is to be a part; or set rowLevelSecurity of the table to \"accept\": then what this login sees is the whole table, and rows that it does not see are deleted in the target where the synchronization deletes";

/// Refuses a table whose rows a policy hides, on platforms that would answer the others without a word.
pub(crate) fn refuse_policies(
    query: impl Fn(&str) -> Result<TextRows, SourceError>,
    dialect: &dyn Dialect,
    scope: &Scope<'_>,
    row_security: RowSecurity,
    place: &str,
) -> Result<(), SourceError> {
    if row_security == RowSecurity::Accept {
        return Ok(());
    }
    let Some(sql) = dialect.policy_query(scope) else {
        return Ok(());
    };
    let lines = query(&sql)?;
    let hides = lines
        .iter()
        .flatten()
        .flatten()
        .any(|line| dialect.hides_rows(line));
    if hides {
        return Err(SourceError::new(
            SourceErrorKind::NoPrivilege,
            format!(
                "{place}: row-level security hides rows of the table from this login — {REMEDY}"
            ),
        ));
    }
    Ok(())
}
