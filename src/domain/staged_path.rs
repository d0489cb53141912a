//! Where staged files lie, and which of them a load may take. Pure.
//!
//! A manifest comes from a worker, which is trusted with its task and no more: a path that leads anywhere else would load
//! another workflow's rows, or text of a worker's choice into a statement.

use super::task::{ClaimedTask, Manifest};
use super::{Attempt, PartitionNo, TableNo, WorkflowId};
use std::collections::BTreeSet;

/// The directory below the stage of the files of one attempt at one partition, with a slash at its end.
pub fn attempt_directory(
    workflow: WorkflowId,
    table: TableNo,
    partition: PartitionNo,
    attempt: Attempt,
) -> String {
    format!("workflows/{workflow}/{table}/{partition}/{attempt}/")
}

/// How the files of one claim at one partition begin, below the stage. Two claims may have the same number of attempts (see
/// the checkpoint's fences): the token keeps their files apart.
pub fn claim_files(task: &ClaimedTask, partition: PartitionNo) -> String {
    let (workflow, table) = (task.workflow_id, task.table_no);
    let directory = attempt_directory(workflow, table, partition, task.attempt);
    format!("{directory}{}-", task.token.short())
}

/// Checks that each file of a manifest lies in `directory` itself, under a plain name, and that none is named twice.
///
/// # Errors
/// The first file that does not.
pub fn check_manifest(manifest: &Manifest, directory: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for file in &manifest.files {
        let name = file.path.strip_prefix(directory).unwrap_or_default();
        if !is_plain(name) {
            return Err(format!(
                "its worker reports the staged file {:?}, which is none of {directory}, so nothing of it is loaded; find out who wrote that",
                file.path
            ));
        }
        if !seen.insert(name) {
            return Err(format!(
                "its worker reports the staged file {:?} twice, so nothing of it is loaded; find out who wrote that",
                file.path
            ));
        }
    }
    Ok(())
}

/// A file's name that means the same to every storage and needs no quoting.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::StagedFile;
    use proptest::prelude::*;

    const DIRECTORY: &str = "workflows/7/0/12/1/";

    fn check(paths: &[&str]) -> Result<(), String> {
        let file = |path: &&str| StagedFile {
            path: (*path).to_owned(),
            rows: 1,
            bytes: 1,
        };
        let manifest = Manifest {
            files: paths.iter().map(file).collect(),
            ..Manifest::default()
        };
        check_manifest(&manifest, DIRECTORY)
    }

    #[test]
    fn the_files_of_the_attempt_are_taken() {
        assert_eq!(
            attempt_directory(WorkflowId(7), TableNo(0), PartitionNo(12), Attempt(1)),
            DIRECTORY
        );
        let paths = [
            "workflows/7/0/12/1/part-00000.parquet",
            "workflows/7/0/12/1/part-00001.parquet",
            "workflows/7/0/12/1/0af3c9d2-part-00000.parquet",
        ];
        assert_eq!(check(&paths), Ok(()));
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn nothing_else_is_taken() {
        for path in [
            "workflows/8/0/12/1/part-00000.parquet",
            "workflows/7/0/12/2/part-00000.parquet",
            "workflows/7/0/12/11/part-00000.parquet",
            "workflows/7/0/12/1/../2/part-00000.parquet",
            "workflows/7/0/12/1/..",
            "workflows/7/0/12/1/",
            "workflows/7/0/12/1/a/part-00000.parquet",
            "workflows/7/0/12/1/a\\..\\b",
            "workflows/7/0/12/1/%2e%2e%2f2",
            "workflows/7/0/12/1/a'), ('b",
            "/workflows/7/0/12/1/part-00000.parquet",
            "part-00000.parquet",
            "",
        ] {
            let told = check(&[path]).expect_err(path);
            assert!(told.contains(DIRECTORY), "{told}");
        }
        let twice = ["workflows/7/0/12/1/a", "workflows/7/0/12/1/a"];
        assert!(check(&twice).is_err_and(|told| told.contains("twice")));
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_in_its_directory(name in "\\PC{0,20}") {
            let path = format!("{DIRECTORY}{name}");
            if check(&[&path]).is_ok() {
                prop_assert!(!name.contains(['/', '\\', '\'', '%', ' ']) && name != ".." && !name.is_empty());
            }
        }
    }
}
