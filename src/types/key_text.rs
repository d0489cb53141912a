//! Values of keys and watermarks, as a source answers them.

use super::float_text;
use crate::domain::table::KeyKind;

/// What stands before a double's bits, which are no number's text.
pub const BITS: char = 'x';

/// A value in the text form of its kind, from what the source answered: a double may come as its bits, because its text
/// has fifteen digits in some sessions, and a rounded watermark loses rows.
pub fn read(kind: KeyKind, answered: String) -> String {
    let bits = answered
        .strip_prefix(BITS)
        .filter(|_| kind == KeyKind::Float);
    match bits.and_then(float_text::double_of_bits) {
        Some(value) => float_text::double(value),
        None => answered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_comes_as_its_bits_or_as_text_and_all_else_as_it_is() {
        let read = |kind, text: &str| read(kind, text.to_owned());
        assert_eq!(read(KeyKind::Float, "x3fb999999999999a"), "0.1");
        assert_eq!(read(KeyKind::Float, "x7ff0000000000000"), "Infinity");
        assert_eq!(read(KeyKind::Float, "1234567890123456"), "1234567890123456");
        assert_eq!(
            read(KeyKind::Text, "x3fb999999999999a"),
            "x3fb999999999999a"
        );
    }
}
