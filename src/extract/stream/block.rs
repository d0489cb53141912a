//! A buffer of rows, and how the driver says that each of them has come.
//!
//! A value that cannot be converted is no failure of a fetch: its row is marked, and the rest of the row keeps what the buffer
//! had before. <https://learn.microsoft.com/sql/odbc/reference/syntax/sqlfetch-function> ("Error handling")

use odbc_api::buffers::ColumnarDynBuffer;
use odbc_api::handles::{Statement, StatementRef};
use odbc_api::sys::{Pointer, SQLSetStmtAttr, StatementAttribute};
use odbc_api::{Cursor, Error, RowSetBuffer, TruncationInfo};

/// SQL_ROW_ERROR.
const FAILED: u16 = 5;
/// SQL_ROW_SUCCESS_WITH_INFO.
const CHANGED: u16 = 6;

/// A buffer, and the state of each of its rows.
pub(super) struct Block {
    columns: ColumnarDynBuffer,
    states: Vec<u16>,
}

impl Block {
    /// A buffer of so many rows.
    pub(super) fn new(columns: ColumnarDynBuffer, rows: usize) -> Self {
        Self {
            columns,
            states: vec![0; rows],
        }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &ColumnarDynBuffer {
        &self.columns
    }

    /// Rows of the last fetch.
    pub(super) fn num_rows(&self) -> usize {
        self.columns.num_rows()
    }

    /// Why the rows cannot be taken as they came. `is_strict`: what the driver has to say of a row is not taken for idle words.
    pub(super) fn trouble(&self, is_strict: bool) -> Option<String> {
        trouble(&self.states, self.num_rows(), is_strict)
    }

    /// Takes the states away from a cursor that another buffer may be bound to.
    pub(super) fn forget(cursor: &mut impl Cursor) {
        let statement = cursor.as_stmt_ref();
        set_states(&statement, std::ptr::null_mut());
    }
}

fn trouble(states: &[u16], rows: usize, is_strict: bool) -> Option<String> {
    let is_bad = |state: &u16| *state == FAILED || is_strict && *state == CHANGED;
    states.iter().take(rows).find(|state| is_bad(state))?;
    Some(
        "the ODBC driver could not hand over a value of one of the rows as it is; take another version of the driver, or leave the column out with excludeColumns"
            .to_owned(),
    )
}

fn set_states(statement: &StatementRef<'_>, states: *mut u16) -> bool {
    // SAFETY: the handle is a statement's. The driver writes one state for each row of a fetch, for which there is room; the
    // pointer is taken away, or replaced, before the next fetch.
    #[expect(unsafe_code)]
    let answer = unsafe {
        SQLSetStmtAttr(
            statement.as_sys(),
            StatementAttribute::RowStatusPtr,
            states.cast::<std::ffi::c_void>() as Pointer,
            0,
        )
    };
    answer == odbc_api::sys::SqlReturn::SUCCESS
        || answer == odbc_api::sys::SqlReturn::SUCCESS_WITH_INFO
}

// SAFETY: everything but the states is the columns' own. The states are on the heap, where they stay.
#[expect(unsafe_code)]
unsafe impl RowSetBuffer for Block {
    fn bind_type(&self) -> usize {
        self.columns.bind_type()
    }

    fn row_array_size(&self) -> usize {
        self.columns.row_array_size()
    }

    fn mut_num_fetch_rows(&mut self) -> &mut usize {
        self.columns.mut_num_fetch_rows()
    }

    unsafe fn bind_colmuns_to_cursor(&mut self, cursor: StatementRef<'_>) -> Result<(), Error> {
        self.states.fill(0);
        if !set_states(&cursor, self.states.as_mut_ptr()) {
            return Err(Error::NoDiagnostics {
                function: "SQLSetStmtAttr",
            });
        }
        // SAFETY: as the caller promises.
        unsafe { self.columns.bind_colmuns_to_cursor(cursor) }
    }

    fn find_truncation(&self) -> Option<TruncationInfo> {
        self.columns.find_truncation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_did_not_come_as_it_is_is_told() {
        assert_eq!(trouble(&[0, 0, FAILED], 2, true), None);
        assert!(trouble(&[0, FAILED], 2, false).is_some());
        assert!(trouble(&[0, CHANGED], 2, true).is_some());
        assert_eq!(trouble(&[0, CHANGED], 2, false), None);
    }
}
