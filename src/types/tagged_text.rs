//! Values of a column whose values have types of their own: text with a letter in front that says what it is. Pure.

use super::float_text;
use std::borrow::Cow;

/// What precedes the text of a value.
pub const TEXT: char = 't';
/// What precedes the bits of a double, in hexadecimal.
pub const DOUBLE: char = 'f';
/// What precedes the bits of a number of single precision.
pub const SINGLE: char = 'r';

/// The text of a value; `None`: no such letter is in front, or no such bits follow it.
pub fn text(tagged: &str) -> Option<Cow<'_, str>> {
    let letter = tagged.chars().next()?;
    let rest = &tagged[letter.len_utf8()..];
    match letter {
        TEXT => Some(rest.into()),
        DOUBLE => Some(float_text::double(float_text::double_of_bits(rest)?).into()),
        SINGLE => Some(float_text::single(float_text::single_of_bits(rest)?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_read_back(value: f64, single: f32, plain in ".{0,20}") {
            prop_assume!(!value.is_nan() && !single.is_nan());
            let read = |tagged: &str| text(tagged).map(Cow::into_owned);
            prop_assert_eq!(read(&format!("t{plain}")), Some(plain));
            let double = read(&format!("f{:016X}", value.to_bits()));
            prop_assert_eq!(double.map(|text| text.parse()), Some(Ok(value)));
            let own = read(&format!("r{:08x}", single.to_bits()));
            prop_assert_eq!(own.map(|text| text.parse()), Some(Ok(single)));
        }
    }

    #[test]
    fn what_has_no_letter_is_no_value() {
        for tagged in ["", "x1", "f12", "rzzzzzzzz", "é"] {
            assert_eq!(text(tagged), None, "{tagged}");
        }
        assert_eq!(text("f3FB999999999999A").as_deref(), Some("0.1"));
    }
}
