//! The files that hold connections: where they are, and what is in them.

use super::{ConnectionError, Environment};
use crate::domain::problem::{Code, Problem};
use crate::snowflake::permissions;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of the files; `None`: no home is known.
pub(super) fn directory(environment: &Environment<'_>) -> Option<PathBuf> {
    if let Some(home) = (environment.var)("SNOWFLAKE_HOME") {
        return Some(PathBuf::from(home));
    }
    let home = environment.home.clone()?;
    let own = home.join(".snowflake");
    Some(if own.is_dir() {
        own
    } else {
        (environment.var)("XDG_CONFIG_HOME")
            .map_or_else(|| home.join(".config"), PathBuf::from)
            .join("snowflake")
    })
}

/// A file, its connections, and the name of the default one.
pub(super) type Found = (PathBuf, BTreeMap<String, toml::Value>, Option<String>);

/// Reads the connections of `directory`.
///
/// # Errors
/// When there are none, or a file is wrong: which one, and what to do.
pub(super) fn read_connections(
    directory: &Path,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<Problem>,
) -> Result<Found, ConnectionError> {
    let own = directory.join("connections.toml");
    let shared = directory.join("config.toml");
    let mut default = None;
    let mut found = None;
    if let Some(table) = read_toml(&shared, var, warnings)? {
        default = table
            .get("default_connection_name")
            .and_then(|v| v.as_str())
            .map(str::to_owned);
        if let Some(toml::Value::Table(connections)) = table.get("connections") {
            found = Some((shared, connections.clone()));
        }
    }
    if let Some(table) = read_toml(&own, var, warnings)?
        && !table.is_empty()
    {
        found = Some((own.clone(), table));
    }
    let (file, table) = found.ok_or_else(|| {
        let problem = Code::CONNECTION_NOT_FOUND
            .problem("there are no connections")
            .hint("write one there (see configs/connections.toml), or set SNOWFLAKE_HOME to the folder that has the file");
        ConnectionError::from(problem.at(own.display()))
    })?;
    Ok((file, table.into_iter().collect(), default))
}

fn read_toml(
    path: &Path,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<Problem>,
) -> Result<Option<toml::Table>, ConnectionError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let problem = Code::CONNECTION_FILE.problem(error.to_string());
            return Err(problem.at(path.display()).into());
        }
    };
    permissions::check(path, var, warnings)?;
    // The parser's message quotes the line, which may hold a secret: only the place is shown.
    text.parse::<toml::Table>().map(Some).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        let what = format!("line {line} is not valid TOML: {}", error.message());
        ConnectionError::from(Code::SYNTAX.problem(what).at(path.display()))
    })
}
