//! COPY INTO: its text, and what its answer says. Pure.
//!
//! Facts: `FILES` names at most 1,000 files and fails on a missing one; without `USE_LOGICAL_TYPE` a timestamp in
//! microseconds may load as seconds (documentation of COPY INTO and of the Parquet file format). A COPY may succeed as
//! a statement with rows not loaded, so its answer is always compared with the manifest.
//!
//! `FORCE = TRUE`: without it files are skipped that Snowflake remembers as loaded into this table, for 64 days; nothing
//! says that a rollback makes it forget them. That a file is loaded once is the business of the checkpoint, whose row
//! changes in the same transaction. `NULL_IF = ()`: the default of Parquet turns the text `\N` into NULL; whether it does so
//! where the COPY has a SELECT, the documentation denies, and nothing is to depend on it.

use crate::domain::task::StagedFile;
use crate::snowflake::Row;

/// Files that one COPY INTO can name at most (documentation of COPY INTO, `FILES`).
pub const MAX_FILES: usize = 1_000;

/// A COPY INTO. Names and expressions are quoted by the caller.
pub struct CopyInto<'a> {
    /// The quoted target table.
    pub table: &'a str,
    /// For each column: its quoted name, and the expression over the file.
    pub columns: &'a [(String, String)],
    /// The quoted stage with `@`.
    pub stage: &'a str,
    /// Files, as paths below the stage.
    pub files: &'a [&'a StagedFile],
}

impl CopyInto<'_> {
    /// The statement.
    pub fn sql(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let expressions: Vec<&str> = self
            .columns
            .iter()
            .map(|(_, expression)| expression.as_str())
            .collect();
        let files: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("'{}'", file.path.replace('\'', "''")))
            .collect();
        format!(
            "COPY INTO {} ({}) FROM (SELECT {} FROM {}/) FILES = ({}) \
             FILE_FORMAT = (TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ()) \
             ON_ERROR = ABORT_STATEMENT FORCE = TRUE",
            self.table,
            names.join(", "),
            expressions.join(", "),
            self.stage,
            files.join(", ")
        )
    }
}

/// Compares the answer of a COPY with the manifest: each file loaded, and each with all its rows.
///
/// # Errors
/// The first difference, in words.
pub fn verify(files: &[&StagedFile], answer: &[Row]) -> Result<(), String> {
    if answer.len() != files.len() {
        let status = answer
            .first()
            .and_then(|row| row.first())
            .cloned()
            .flatten()
            .unwrap_or_default();
        return Err(format!(
            "{} files were to be loaded, and Snowflake answers for {}: {status}",
            files.len(),
            answer.len()
        ));
    }
    for file in files {
        // file, status, rows_parsed, rows_loaded, …; the file has the stage in front.
        let row = answer
            .iter()
            .find(|row| cell(row, 0).ends_with(&file.path))
            .ok_or_else(|| format!("{} is not among the files that Snowflake loaded", file.path))?;
        let (status, rows) = (cell(row, 1), cell(row, 3));
        if status != "LOADED" || rows.parse::<u64>().ok() != Some(file.rows) {
            return Err(format!(
                "{} has {} rows, and Snowflake answers {status} with {rows} rows loaded {}",
                file.path,
                file.rows,
                cell(row, 6)
            ));
        }
    }
    Ok(())
}

fn cell(row: &Row, index: usize) -> &str {
    row.get(index)
        .and_then(Option::as_deref)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, rows: u64) -> StagedFile {
        StagedFile {
            path: path.to_owned(),
            rows,
            bytes: 1,
        }
    }

    fn loaded(path: &str, status: &str, rows: u64) -> Row {
        vec![
            Some(format!("task_results/{path}")),
            Some(status.to_owned()),
            Some(rows.to_string()),
            Some(rows.to_string()),
        ]
    }

    #[test]
    fn a_difference_of_rows_files_or_status_is_told() {
        let (a, b) = (file("w/1/a.parquet", 3), file("w/1/b.parquet", 4));
        let files = [&a, &b];
        let good = [
            loaded("w/1/b.parquet", "LOADED", 4),
            loaded("w/1/a.parquet", "LOADED", 3),
        ];
        assert_eq!(verify(&files, &good), Ok(()));
        assert!(verify(&files, &good[..1]).is_err());
        assert!(
            verify(
                &files,
                &[loaded("w/1/a.parquet", "LOADED", 2), good[0].clone()]
            )
            .is_err()
        );
        assert!(
            verify(
                &files,
                &[loaded("w/1/a.parquet", "LOAD_SKIPPED", 3), good[0].clone()]
            )
            .is_err()
        );
        assert!(
            verify(
                &files,
                &[loaded("w/1/c.parquet", "LOADED", 3), good[0].clone()]
            )
            .is_err()
        );
    }
}
