//! Policies that hide rows of a table from the login.

use super::error::{SourceError, SourceErrorKind};
use super::session::Ask;
use crate::domain::spec::RowSecurity;
use crate::platform::{Scope, SourcePlatform};

/// Refuses a table whose rows a policy hides, on platforms that would answer the others without a word.
pub(crate) fn refuse_policies(
    source: &impl Ask,
    platform: &dyn SourcePlatform,
    scope: &Scope<'_>,
    row_security: RowSecurity,
    place: &str,
) -> Result<(), SourceError> {
    if row_security == RowSecurity::Accept {
        return Ok(());
    }
    let Some(query) = platform.hidden_rows(scope) else {
        return Ok(());
    };
    if source.ask(&query)?.contains(&true) {
        let error = SourceError::new(
            SourceErrorKind::NoPrivilege,
            "row-level security hides rows of the table from this login",
        );
        return Err(error.hint(platform.row_security_remedy()).at(place));
    }
    Ok(())
}
