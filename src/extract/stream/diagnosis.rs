//! What is behind a failure, where the source's own words do not tell: which row, which column, and whether the table is
//! still the one that was planned. A new session asks, because the transaction that failed can answer nothing.

use super::Job;
use super::fetch::unfit_value;
use super::times::OUTSIDE_YEARS;
use crate::domain::table::SourceColumn;
use crate::platform::{Isolation, TransactionSettings};
use crate::source::session::SourceSession;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::{ColumnPlan, Fetch, key_text};

/// The failure that an extraction ended with, or a better one.
pub(super) fn explained(job: &Job, error: SourceError) -> SourceError {
    let better = match error.kind {
        SourceErrorKind::Value => time_outside_years(job),
        SourceErrorKind::Encoding => undecodable(job, &error),
        SourceErrorKind::NoSuchObject | SourceErrorKind::Refused => ask(job)
            .ok()
            .and_then(|session| same_columns(job, &session).err())
            .filter(|error| error.kind == SourceErrorKind::Changed),
        _ => None,
    };
    better.unwrap_or(error)
}

fn ask(job: &Job) -> Result<SourceSession<'static>, SourceError> {
    let settings = TransactionSettings {
        isolation: Isolation::EachStatement,
        statement_timeout: None,
        row_security: job.request.extract.row_security,
    };
    SourceSession::open(&job.request.settings, job.request.dialect, &settings)
}

/// Checks that the table's columns are those that its extraction was planned for: a column of another type would be read
/// as what it is not, or fail with words that blame the values.
pub(super) fn same_columns(job: &Job, session: &SourceSession<'_>) -> Result<(), SourceError> {
    let place = job.request.place();
    let table = &job.request.extract.source;
    let rows = session.ask(&job.request.dialect.columns(table), &place)?;
    let now: Vec<SourceColumn> = rows.into_iter().map(|row| row.column).collect();
    let planned = job.request.extract.columns.iter().map(|c| &c.source);
    let changes = changes(planned, &now);
    if changes.is_empty() {
        return Ok(());
    }
    Err(SourceError::new(
        SourceErrorKind::Changed,
        format!(
            "the table has changed since its migration was planned ({}), and nothing of this partition is moved; undo the change and let the table run again (`snowhaul workflow retry`), or cancel the workflow, empty the target (a table that is synchronized by full-replace or checksum needs no emptying), and create it again under another name",
            changes.join(", ")
        ),
    )
    .at(&place))
}

/// How the columns differ from those that were planned. New ones do no harm to what is read.
fn changes<'a>(
    planned: impl Iterator<Item = &'a SourceColumn>,
    now: &[SourceColumn],
) -> Vec<String> {
    if now.is_empty() {
        return vec!["it is not there any more, or this login may not see it".to_owned()];
    }
    planned
        .filter_map(|was| {
            let Some(is) = now.iter().find(|column| column.name == was.name) else {
                return Some(format!("column {} is gone", was.name));
            };
            let of = |column: &SourceColumn| {
                (
                    column.type_name.clone(),
                    column.length_or_precision,
                    column.scale,
                    column.class,
                )
            };
            (of(was) != of(is)).then(|| {
                format!(
                    "column {} was {} and is {}",
                    was.name,
                    was.type_text(),
                    is.type_text()
                )
            })
        })
        .collect()
}

/// The row that a date or timestamp outside the years 1 to 9999 stands in. Sources do not say it: infinity fails in
/// their arithmetic without a word of the column. `None`: there is none, or the source does not tell.
fn time_outside_years(job: &Job) -> Option<SourceError> {
    let place = job.request.place();
    let session = ask(job).ok()?;
    let is_time =
        |column: &&ColumnPlan| matches!(column.fetch, Fetch::EpochDays | Fetch::EpochMicros);
    job.columns.iter().filter(is_time).find_map(|column| {
        let scope = job.request.scope();
        let query = job.request.dialect.row_outside_years(&scope, column)?;
        let row = session.ask(&query, &place).ok()?.into_iter().next()?;
        let mut cells = row.into_iter();
        let value = cells.next().flatten()?;
        let row = row_with(job, cells);
        Some(unfit_value(column, &format!("{value}{row}"), OUTSIDE_YEARS).at(&place))
    })
}

/// The column and the row of text that cannot be sent as UTF-8. The server tells the bytes alone.
fn undecodable(job: &Job, error: &SourceError) -> Option<SourceError> {
    let place = job.request.place();
    let hex = told_bytes(&error.problem.what)?;
    let session = ask(job).ok()?;
    let encoding = session.begin().ok()?.encoding;
    let is_text = |column: &&ColumnPlan| column.fetch.text_bound().is_some();
    job.columns.iter().filter(is_text).find_map(|column| {
        let scope = job.request.scope();
        let dialect = job.request.dialect;
        let query = dialect.row_with_bytes(&scope, &column.expression, &hex)?;
        let found = session.ask(&query, &place).ok()?.into_iter().next()?;
        let row = row_with(job, found.into_iter());
        Some(SourceError::new(
            SourceErrorKind::Encoding,
            format!(
                "column {}: a value{row} has the bytes {hex} (hexadecimal), which stand for no text in UTF-8, and the database's encoding {encoding} does not say what they are; correct the value, leave the row out with whereClauseCriteria, or migrate a view that reads the column in its true encoding, as convert_from(convert_to({}, '{encoding}'), 'LATIN1') does",
                column.source_name, column.source_name
            ),
        )
        .at(&place))
    })
}

/// The bytes that PostgreSQL tells: `… for encoding "UTF8": 0xe9 0x20`, `… byte sequence 0x81 in encoding …`.
fn told_bytes(message: &str) -> Option<String> {
    let bytes: String = message
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix("0x"))
        .filter(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect();
    (!bytes.is_empty()).then_some(bytes)
}

/// ` in the row with id = 5`, from the key's cells.
fn row_with(job: &Job, cells: impl Iterator<Item = Option<String>>) -> String {
    let key: Vec<String> = job
        .request
        .extract
        .key
        .iter()
        .zip(cells)
        .map(|(column, cell)| {
            let cell = cell.map(|cell| key_text::read(column.kind, cell));
            format!("{} = {}", column.name, cell.as_deref().unwrap_or("NULL"))
        })
        .collect();
    if key.is_empty() {
        String::new()
    } else {
        format!(" in the row with {}", key.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, type_name: &str, length: Option<u32>) -> SourceColumn {
        SourceColumn {
            name: name.into(),
            type_name: type_name.into(),
            length_or_precision: length,
            ..SourceColumn::default()
        }
    }

    #[test]
    fn what_has_changed_is_told_column_by_column() {
        let planned = [
            column("a", "int4", None),
            column("b", "varchar", Some(10)),
            column("c", "text", None),
        ];
        let now = [
            column("a", "int8", None),
            column("b", "varchar", Some(20)),
            column("d", "text", None),
        ];
        assert_eq!(
            changes(planned.iter(), &now),
            [
                "column a was int4 and is int8",
                "column b was varchar(10) and is varchar(20)",
                "column c is gone"
            ]
        );
        assert!(changes(planned.iter(), &planned).is_empty());
        assert_eq!(changes(planned.iter(), &[]).len(), 1);
    }

    #[test]
    fn the_bytes_are_read_from_the_servers_words() {
        for (message, bytes) in [
            (
                "invalid byte sequence for encoding \"UTF8\": 0xe9 0x20 0x61 (SQL state 22021)",
                Some("e92061"),
            ),
            (
                "character with byte sequence 0x81 in encoding \"WIN1252\" has no equivalent in encoding \"UTF8\"",
                Some("81"),
            ),
            ("something else", None),
        ] {
            assert_eq!(told_bytes(message).as_deref(), bytes);
        }
    }
}
