//! Values too long to have room in every row of a buffer: read in pieces, once their row has been fetched.
//!
//! SQL Server's drivers give pieces of a row that was fetched alone, and of columns behind all that are bound.
//! <https://learn.microsoft.com/sql/connect/odbc/linux-mac/programming-guidelines>, and "Getting Long Data" of ODBC's
//! reference: <https://learn.microsoft.com/sql/odbc/reference/develop-app/getting-long-data>

use super::fetch::most_rows;
use super::{native, texts};
use crate::source::{SourceError, SourceErrorKind};
use crate::types::{ColumnPlan, Fetch};
use arrow::array::ArrayRef;
use odbc_api::Error;
use odbc_api::buffers::Indicator;
use odbc_api::handles::{CDataMut, Record, SqlResult, Statement, StatementRef};
use odbc_api::parameter::{Binary, VarCell, VarKind, WideText};
use std::sync::Arc;

/// A column is not long whose values are no longer than this, in bytes: as long as those of types with a length.
const SHORT_BYTES: usize = 8_000;
/// So many rows in a buffer are enough: with fewer, pieces are the better way.
const ENOUGH_ROWS: usize = 100;
/// Elements of a piece.
const PIECE: usize = 32 * 1_024;
/// Bytes of the longest text and of the longest binary value of Snowflake.
/// <https://docs.snowflake.com/en/sql-reference/data-types-text>
const MOST_TEXT: usize = 128 * 1_024 * 1_024;
const MOST_BYTES: usize = 64 * 1_024 * 1_024;

/// Where the columns of a table stand in a statement: those that are read in pieces are the last ones.
pub(super) struct Order {
    /// For each column of the statement, its place in the file.
    pub(super) places: Vec<usize>,
    /// How many of the last ones are read in pieces.
    pub(super) num_long: usize,
}

impl Order {
    /// As in the file; none is long.
    pub(super) fn of_file(num_columns: usize) -> Self {
        Self {
            places: (0..num_columns).collect(),
            num_long: 0,
        }
    }

    /// The long ones last, if buffers that have room for all of them would have room for few rows.
    pub(super) fn long_last(
        columns: &[ColumnPlan],
        longest: &[Option<usize>],
        memory_bytes: usize,
    ) -> Self {
        if most_rows(columns, longest, memory_bytes) >= ENOUGH_ROWS {
            return Self::of_file(columns.len());
        }
        let (long, mut places): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|index| is_long(&columns[*index], longest[*index]));
        places.extend(&long);
        Self {
            places,
            num_long: long.len(),
        }
    }

    /// What belongs to the columns, in the statement's order.
    pub(super) fn sorted<T: Clone>(&self, of_columns: &[T]) -> Vec<T> {
        let sorted = self.places.iter().map(|place| of_columns[*place].clone());
        sorted.collect()
    }
}

fn is_long(column: &ColumnPlan, longest: Option<usize>) -> bool {
    let has_pieces = matches!(column.fetch, Fetch::Bytes { .. })
        || column.is_wide && column.fetch.text_bound().is_some();
    let bytes = longest.or(column.fetch.text_bound().flatten());
    has_pieces && bytes.is_none_or(|bytes| bytes > SHORT_BYTES)
}

/// A value that has come in pieces.
pub(super) enum LongValue {
    Text(Option<Vec<u16>>),
    Bytes(Option<Vec<u8>>),
}

impl LongValue {
    /// Reads the value of a column of the row that was fetched last.
    pub(super) fn read(
        statement: &mut StatementRef<'_>,
        column: &ColumnPlan,
        number: u16,
    ) -> Result<Self, LongError> {
        if matches!(column.fetch, Fetch::Bytes { .. }) {
            pieces::<Binary>(statement, number, MOST_BYTES).map(Self::Bytes)
        } else {
            // A unit is at least one byte of UTF-8.
            pieces::<WideText>(statement, number, MOST_TEXT).map(Self::Text)
        }
    }

    /// The value as an array of one.
    pub(super) fn array(self, column: &ColumnPlan) -> Result<ArrayRef, SourceError> {
        match self {
            Self::Bytes(value) => native::bytes_array(column, std::iter::once(value.as_deref()), 1),
            Self::Text(units) => {
                let text = native::utf8(column, std::iter::once(units), 1)?;
                if text.value_data().len() > MOST_TEXT {
                    return Err(too_long(column));
                }
                if matches!(column.fetch, Fetch::Text { .. }) {
                    return Ok(Arc::new(text));
                }
                let values = text.iter().map(|text| text.map(str::as_bytes));
                texts::array(column, values, 1)
            }
        }
    }
}

/// Why a value has not come.
pub(super) enum LongError {
    /// What the driver says.
    Driver(Error),
    /// It is longer than anything that Snowflake holds.
    TooLong,
}

/// The error of a value that is longer than any in Snowflake.
pub(super) fn too_long(column: &ColumnPlan) -> SourceError {
    SourceError::new(
        SourceErrorKind::Value,
        format!(
            "column {}: a value is longer than Snowflake holds (128 MB of text, 64 MB of bytes); leave the row out with whereClauseCriteria, or the column with excludeColumns",
            column.source_name
        ),
    )
}

/// A value's elements; `None`: NULL.
fn pieces<K: VarKind>(
    statement: &mut StatementRef<'_>,
    number: u16,
    most_bytes: usize,
) -> Result<Option<Vec<K::Element>>, LongError>
where
    K::Element: Copy,
    for<'a> VarCell<&'a mut [K::Element], K>: CDataMut,
{
    let mut value = Vec::new();
    let mut piece = vec![K::ZERO; PIECE];
    loop {
        let mut target =
            VarCell::<&mut [K::Element], K>::from_buffer(piece.as_mut_slice(), Indicator::NoTotal);
        match statement.get_data(number, &mut target) {
            SqlResult::Success(()) | SqlResult::SuccessWithInfo(()) => {}
            // All of it has come with the piece before.
            SqlResult::NoData => return Ok(Some(value)),
            SqlResult::Error { function } => {
                let mut record = Record::with_capacity(512);
                record.fill_from(statement, 1);
                return Err(LongError::Driver(Error::Diagnostics { record, function }));
            }
            SqlResult::NeedData | SqlResult::StillExecuting => {
                return Err(LongError::Driver(Error::NoDiagnostics {
                    function: "SQLGetData",
                }));
            }
        }
        let Some(part) = target.as_slice() else {
            return Ok(None);
        };
        value.extend_from_slice(part);
        if target.is_complete() {
            return Ok(Some(value));
        }
        if value.len() > most_bytes {
            return Err(LongError::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::{Platform, SourceColumn};
    use crate::platform::{self, SourcePlatform};
    use arrow::array::{Array, AsArray};
    use proptest::prelude::*;

    const MEMORY: usize = 16 * 1_024 * 1_024;

    fn plan(type_name: &str, length: Option<u32>) -> ColumnPlan {
        let platform: &dyn SourcePlatform =
            platform::source(Platform::Sqlserver).expect("a platform");
        let column = SourceColumn {
            name: "c".into(),
            type_name: type_name.into(),
            length_or_precision: length,
            ..SourceColumn::default()
        };
        platform.plan_column(&column, 0, None).plan
    }

    #[test]
    fn what_would_leave_room_for_few_rows_comes_in_pieces() {
        let columns = [
            plan("nvarchar", None),
            plan("int", None),
            plan("varbinary", None),
            plan("nvarchar", Some(10)),
        ];
        let order = |longest: [Option<usize>; 4]| {
            let order = Order::long_last(&columns, &longest, MEMORY);
            (order.places, order.num_long)
        };
        let short = order([Some(4_000), None, Some(2_000), None]);
        assert_eq!(short, (vec![0, 1, 2, 3], 0));
        let long = order([Some(20_000_000), None, Some(100), None]);
        assert_eq!(long, (vec![1, 2, 3, 0], 1));
        let both = order([Some(20_000_000), None, Some(9_000), None]);
        assert_eq!(both, (vec![1, 3, 0, 2], 2));
    }

    #[test]
    fn a_value_is_read_as_its_column_is() {
        let text = |units: Option<&[u16]>| {
            LongValue::Text(units.map(<[u16]>::to_vec)).array(&plan("nvarchar", None))
        };
        let array = text(Some(&[0xD83D, 0xDE00])).expect("text");
        assert_eq!(array.as_string::<i32>().value(0), "😀");
        assert!(text(None).expect("NULL").is_null(0));
        // Half of a pair is no character.
        assert!(text(Some(&[0xD83D])).is_err());
        let bytes = LongValue::Bytes(Some(vec![0, 255])).array(&plan("image", None));
        assert_eq!(bytes.expect("bytes").as_binary::<i32>().value(0), [0, 255]);
    }

    proptest! {
        #[test]
        fn each_column_has_one_place(
            longest in prop::collection::vec(prop::option::of(0usize..50_000_000), 1..8),
        ) {
            let columns = vec![plan("nvarchar", None); longest.len()];
            let order = Order::long_last(&columns, &longest, MEMORY);
            let mut places = order.places.clone();
            places.sort_unstable();
            prop_assert_eq!(places, (0..longest.len()).collect::<Vec<_>>());
            let sorted = order.sorted(&longest);
            let bound = &sorted[..sorted.len() - order.num_long];
            let is_short = |bytes: &Option<usize>| bytes.is_some_and(|bytes| bytes <= SHORT_BYTES);
            prop_assert!(order.num_long == 0 || bound.iter().all(is_short));
        }
    }
}
