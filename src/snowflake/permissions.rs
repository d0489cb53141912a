//! Who may touch the files that hold credentials, as Snowflake's own tools see it: what others can write is refused, what
//! others can read is warned of.

use crate::domain::problem::{Code, Problem};
use std::path::Path;

/// Set to `true`, it silences the warning about files that others can read, here as in Snowflake's drivers.
pub(super) const SKIP_READ_WARNING: &str = "SF_SKIP_WARNING_FOR_READ_PERMISSIONS_ON_CONFIG_FILE";

/// Whether others may touch a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exposure {
    /// Only its owner may.
    Private,
    /// Others may read it.
    Readable,
    /// Others may write it.
    Writable,
}

impl Exposure {
    /// Of the permission bits of a file: a group counts as others.
    fn of(mode: u32) -> Self {
        if mode & 0o022 != 0 {
            Self::Writable
        } else if mode & 0o044 != 0 {
            Self::Readable
        } else {
            Self::Private
        }
    }
}

/// Checks a file with credentials, and adds what users should know to `warnings`.
///
/// # Errors
/// That others can write it.
pub(super) fn check(
    path: &Path,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let file = path.display();
    match exposure(path) {
        Exposure::Writable => Err(Code::CONNECTION_FILE
            .problem("others can write it, so it is not trusted")
            .hint(format!("run `chmod 600 {file}`"))
            .at(file)),
        Exposure::Readable => {
            let is_silent = var(SKIP_READ_WARNING)
                .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
            if !is_silent {
                let hint = format!("run `chmod 600 {file}`, or set {SKIP_READ_WARNING}=true");
                let problem = Code::CONNECTION_FILE
                    .problem("others can read this file with credentials")
                    .hint(hint);
                warnings.push(problem.at(file));
            }
            Ok(())
        }
        Exposure::Private => Ok(()),
    }
}

/// A missing file is for its reader to report.
#[cfg(unix)]
fn exposure(path: &Path) -> Exposure {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).map_or(Exposure::Private, |meta| {
        Exposure::of(meta.permissions().mode())
    })
}

#[cfg(not(unix))]
fn exposure(_: &Path) -> Exposure {
    Exposure::Private
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_counts_as_others_and_execution_does_not() {
        for (mode, exposure) in [
            (0o100_600, Exposure::Private),
            (0o100_400, Exposure::Private),
            (0o100_711, Exposure::Private),
            (0o100_640, Exposure::Readable),
            (0o100_604, Exposure::Readable),
            (0o100_620, Exposure::Writable),
            (0o100_602, Exposure::Writable),
            (0o100_666, Exposure::Writable),
        ] {
            assert_eq!(Exposure::of(mode), exposure, "{mode:o}");
        }
    }
}
