//! Which JSON arrives in a VARIANT as it is.
//!
//! `PARSE_JSON` keeps a number that fits NUMBER exactly; one with an exponent, or with more digits, it stores as a
//! DOUBLE. It refuses an object that has a key twice, and takes a text of blanks for NULL (documentation of
//! PARSE_JSON). So a document is looked through before it goes into a file, and one that would change is refused.

use serde::de::IgnoredAny;
use std::collections::HashSet;

/// What the document must be at its root: casts into ARRAY wrap what is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Anything.
    Any,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Digits that a NUMBER has at most, and of them behind the point.
const MAX_DIGITS: usize = 38;
const MAX_FRACTION: usize = 37;

/// Checks that every value of a document survives `PARSE_JSON`.
///
/// # Errors
/// Why not, as the end of a sentence that begins with "the value …".
pub fn check(text: &str, root: Root) -> Result<(), String> {
    check_shape(text, root)?;
    Scan { text, place: 0 }.run()
}

/// Checks that a document is one, with such a root: enough where its numbers are known to be doubles.
///
/// # Errors
/// As for [`check`].
pub fn check_shape(text: &str, root: Root) -> Result<(), String> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(format!("is not a JSON document ({error})"));
    }
    let first = text.trim_start().bytes().next();
    match root {
        Root::Array if first != Some(b'[') => return Err("is not a JSON array".to_owned()),
        Root::Object if first != Some(b'{') => return Err("is not a JSON object".to_owned()),
        _ => {}
    }
    Ok(())
}

/// A walk over a document that is known to be well-formed.
struct Scan<'a> {
    text: &'a str,
    place: usize,
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Result<(), String> {
        // The keys of each open object; `None` for an array.
        let mut open: Vec<Option<HashSet<String>>> = Vec::new();
        let mut is_key = false;
        while let Some(byte) = self.text.as_bytes().get(self.place).copied() {
            match byte {
                b'{' => {
                    open.push(Some(HashSet::new()));
                    is_key = true;
                }
                b'[' => {
                    open.push(None);
                    is_key = false;
                }
                b'}' | b']' => {
                    open.pop();
                }
                b',' => is_key = matches!(open.last(), Some(Some(_))),
                b':' => is_key = false,
                b'"' => {
                    let written = self.string();
                    if let (true, Some(Some(keys))) = (is_key, open.last_mut()) {
                        // Escapes may write one key in two ways.
                        let key: String = serde_json::from_str(written)
                            .map_err(|error| format!("has the key {written}: {error}"))?;
                        if !keys.insert(key) {
                            return Err(format!(
                                "has the key {written} twice in one object, which Snowflake's VARIANT cannot"
                            ));
                        }
                    }
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    let number = self.number();
                    if !is_kept(number) {
                        return Err(format!(
                            "has the number {number}, which Snowflake's VARIANT would round to a double"
                        ));
                    }
                    continue;
                }
                _ => {}
            }
            self.place += 1;
        }
        Ok(())
    }

    /// The string that begins here, with its quotes; goes behind it.
    fn string(&mut self) -> &'a str {
        let start = self.place;
        let bytes = self.text.as_bytes();
        self.place += 1;
        while let Some(byte) = bytes.get(self.place) {
            match byte {
                b'\\' => self.place += 2,
                b'"' => break,
                _ => self.place += 1,
            }
        }
        self.place += 1;
        &self.text[start..self.place]
    }

    /// The number that begins here; goes behind it.
    fn number(&mut self) -> &'a str {
        let start = self.place;
        let rest = &self.text[start..];
        let length = rest
            .bytes()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
            .count();
        self.place += length;
        &rest[..length]
    }
}

/// Whether NUMBER holds a JSON number, or a double that is written the same way does.
fn is_kept(number: &str) -> bool {
    let Some(exact) = Decimal::read(number) else {
        return false;
    };
    if !number.contains(['e', 'E']) && exact.is_number() {
        return true;
    }
    let double: f64 = match number.parse() {
        Ok(double) => double,
        Err(_) => return false,
    };
    double.is_finite() && Decimal::read(&format!("{double:e}")).as_ref() == Some(&exact)
}

/// A number by its digits without zeros at the ends, and the power of ten that the last one stands for.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;
        let all = format!("{whole}{fraction}");
        let kept = all.trim_end_matches('0');
        let cut = i64::try_from(all.len() - kept.len()).ok()?;
        let exponent = exponent
            .checked_sub(i64::try_from(fraction.len()).ok()?)?
            .checked_add(cut)?;
        let digits = kept.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            // JSON knows no negative zero.
            return Some(Self {
                negative: false,
                digits,
                exponent: 0,
            });
        }
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }

    fn is_number(&self) -> bool {
        let fraction = usize::try_from(-self.exponent).unwrap_or(0);
        let zeros = usize::try_from(self.exponent).unwrap_or(0);
        fraction <= MAX_FRACTION
            && (self.digits.len().saturating_add(zeros)).max(fraction) <= MAX_DIGITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documents_that_a_variant_holds_pass() {
        for text in [
            "null",
            "\"\"",
            " [1, 2.50, -0, true, {\"a\": {\"a\": [\"]}\\\\\\\"\", 1e3]}}] ",
            "99999999999999999999999999999999999999",
            "0.0000000000000000000000000000000000001",
            "1.7976931348623157e308",
            "5e-324",
            "123450000000000000000000000000000000000000",
            "[{\"a\": 1}, {\"a\": 2}]",
            "{\"a\": \"a\", \"b\": \"a\"}",
        ] {
            assert_eq!(check(text, Root::Any), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_a_variant_would_change_is_refused_with_the_reason() {
        for (text, says) in [
            ("", "not a JSON"),
            ("  ", "not a JSON"),
            ("{a: 1}", "not a JSON"),
            ("1 2", "not a JSON"),
            ("[0:1]={1,2}", "not a JSON"),
            ("NaN", "not a JSON"),
            ("[123456789012345678901234567890123456789]", "would round"),
            ("{\"k\": 1.234567890123456789e2}", "1.234567890123456789e2"),
            ("1e400", "1e400"),
            (
                "0.00000000000000000000000000000000000000000000012345678901234567891",
                "would round",
            ),
            ("{\"a\": 1, \"a\": 1}", "\"a\" twice"),
            ("[{\"b\": {\"x\": 0}, \"\\u0062\": 1}]", "twice"),
        ] {
            let why = check(text, Root::Any).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn the_root_is_what_the_target_needs() {
        assert_eq!(check(" [1]", Root::Array), Ok(()));
        assert_eq!(check("{}", Root::Object), Ok(()));
        assert!(check("{}", Root::Array).is_err());
        assert!(check("null", Root::Object).is_err());
    }

    proptest! {
        #[test]
        fn whole_numbers_of_38_digits_pass_and_strings_never_matter(
            number in -(10i128.pow(38) - 1)..10i128.pow(38),
            text in "\\PC{0,20}",
        ) {
            let document = serde_json::json!({"n": 0, "text": text, "list": [text]}).to_string();
            let document = document.replacen("\"n\":0", &format!("\"n\":{number}"), 1);
            prop_assert_eq!(check(&document, Root::Object), Ok(()), "{}", document);
        }

        #[test]
        fn doubles_in_their_shortest_form_pass(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            prop_assert_eq!(check(&format!("{number:e}"), Root::Any), Ok(()));
        }
    }
}
