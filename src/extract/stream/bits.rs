//! Values that come as hexadecimal text of their bits or bytes: what no setting of the session changes.

use super::fetch::{internal, unfit_value};
use super::texts::text_of;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::{ColumnContent, ColumnPlan, Fetch, float_text, json};
use arrow::array::{ArrayRef, Float64Builder, StringBuilder};
use arrow::datatypes::DataType;
use odbc_api::buffers::AnyColumnBufferSlice;
use std::sync::Arc;

/// Bits of doubles, into the file's double or into text.
pub(super) fn float_bits(
    column: &ColumnPlan,
    single: bool,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let why = "are no floating-point number's bits";
    if column.data_type == DataType::Utf8 {
        let text = |bytes: &[u8]| {
            let hex = std::str::from_utf8(bytes).ok()?;
            if single {
                float_text::single_of_bits(hex).map(float_text::single)
            } else {
                float_text::double_of_bits(hex).map(float_text::double)
            }
        };
        return made_texts(column, slice, rows, text, why);
    }
    let values = slice.as_text().ok_or_else(|| internal(column))?;
    let mut builder = Float64Builder::with_capacity(rows);
    for value in values.iter() {
        let Some(bytes) = value else {
            builder.append_null();
            continue;
        };
        let hex = text_of(column, bytes)?;
        let number = if single {
            float_text::single_of_bits(hex).map(f64::from)
        } else {
            float_text::double_of_bits(hex)
        };
        builder.append_value(number.ok_or_else(|| unfit_value(column, hex, why))?);
    }
    Ok(Arc::new(builder.finish()))
}

/// Text that is made of what the source hands over.
pub(super) fn made_texts(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
    make: impl Fn(&[u8]) -> Option<String>,
    why: &str,
) -> Result<ArrayRef, SourceError> {
    let values = slice.as_text().ok_or_else(|| internal(column))?;
    let root = match column.fetch.content() {
        ColumnContent::Document(root) => Some(root),
        _ => None,
    };
    let mut builder = StringBuilder::with_capacity(rows, rows * 16);
    for value in values.iter() {
        let Some(bytes) = value else {
            builder.append_null();
            continue;
        };
        let text =
            make(bytes).ok_or_else(|| unfit_value(column, &String::from_utf8_lossy(bytes), why))?;
        if let Some(root) = root {
            json::check_shape(&text, root).map_err(|why| unfit_value(column, &text, &why))?;
        }
        builder.append_value(text);
    }
    Ok(Arc::new(builder.finish()))
}

/// The error of what is no hexadecimal text.
pub(super) fn no_bytes(column: &ColumnPlan, text: &str) -> SourceError {
    match text.strip_prefix('-') {
        Some(number) if column.fetch == Fetch::LargeObject => SourceError::new(
            SourceErrorKind::Value,
            format!(
                "column {}: there is no large object {number}, which a row names; set the column to NULL there, leave the row out with whereClauseCriteria, or move the numbers alone by mapping oid to NUMBER(10,0) with columnTypeMappings",
                column.source_name
            ),
        ),
        _ => unfit_value(column, text, "is no hexadecimal text"),
    }
}

/// Bytes of hexadecimal text; `None`: it is none.
pub(super) fn decode_hex(text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let nibble = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    into.clear();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    for pair in text.chunks_exact(2) {
        into.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hex_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            let mut decoded = Vec::new();
            prop_assert_eq!(decode_hex(text.as_bytes(), &mut decoded), Some(()));
            prop_assert_eq!(decoded, bytes);
        }
    }
}
