//! The text of a double as PostgreSQL writes it: the shortest that reads back, as `CAST(x AS varchar)` gives it from version
//! 12 on. Servers round to fifteen digits where a session's `extra_float_digits` tells them to: so the bits are fetched,
//! and the text is made here.

/// The text of a double.
pub fn double(value: f64) -> String {
    text(
        value,
        15,
        value.to_bits() & 1 == 0,
        |digits| format!("{value:.digits$e}"),
        format!("{value:e}"),
        |text| text.parse() == Ok(value),
    )
}

/// The text of a number of single precision.
pub fn single(value: f32) -> String {
    text(
        f64::from(value),
        6,
        value.to_bits() & 1 == 0,
        |digits| format!("{value:.digits$e}"),
        format!("{value:e}"),
        |text| text.parse() == Ok(value),
    )
}

/// The double whose bits a server has written in hexadecimal.
pub fn double_of_bits(hex: &str) -> Option<f64> {
    (hex.len() == 16)
        .then(|| u64::from_str_radix(hex, 16).ok())
        .flatten()
        .map(f64::from_bits)
}

/// The same in single precision.
pub fn single_of_bits(hex: &str) -> Option<f32> {
    (hex.len() == 8)
        .then(|| u32::from_str_radix(hex, 16).ok())
        .flatten()
        .map(f32::from_bits)
}

/// `shortest` and `rounded` (to so many digits after the first) are Rust's forms of the value.
fn text(
    value: f64,
    plain_below: i32,
    is_even: bool,
    rounded: impl Fn(usize) -> String,
    shortest: String,
    reads_back: impl Fn(&str) -> bool,
) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    if value == 0.0 {
        return format!("{sign}0");
    }
    // As short as Rust's, but of two that are as near the even one; and none that lies just between two doubles, where
    // reading ends at the even one.
    let behind_first = parts(&shortest).0.len() - 1;
    let fits = |text: &String| reads_back(text) && !(is_even && is_between_two(text, &reads_back));
    let scientific = [rounded(behind_first), shortest.clone()]
        .into_iter()
        .chain((behind_first + 1..17).map(&rounded))
        .find(fits)
        .unwrap_or(shortest);
    let (digits, exponent) = parts(&scientific);
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    format!("{sign}{}", laid_out(digits, exponent, plain_below))
}

/// Whether a text a trifle larger, or smaller, reads as another number.
fn is_between_two(scientific: &str, reads_back: impl Fn(&str) -> bool) -> bool {
    let (digits, exponent) = parts(scientific);
    let sign = if scientific.starts_with('-') { "-" } else { "" };
    let exponent = exponent + 1;
    let more = format!("{sign}0.{digits}{}1e{exponent}", "0".repeat(40));
    let mut below: Vec<u8> = digits.bytes().collect();
    for digit in below.iter_mut().rev() {
        if *digit == b'0' {
            *digit = b'9';
        } else {
            *digit -= 1;
            break;
        }
    }
    let below = String::from_utf8(below).unwrap_or_default();
    let less = format!("{sign}0.{below}{}e{exponent}", "9".repeat(40));
    !reads_back(&more) || !reads_back(&less)
}

/// The digits of `-1.25e-7`, and its exponent.
fn parts(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse().unwrap_or(0))
}

fn laid_out(digits: &str, exponent: i32, plain_below: i32) -> String {
    if exponent < -4 || exponent >= plain_below {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}e{sign}{:02}", exponent.abs());
    }
    let before = usize::try_from(exponent + 1).unwrap_or(0);
    if before == 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        format!("0.{}{digits}", "0".repeat(zeros))
    } else if digits.len() <= before {
        format!("{digits}{}", "0".repeat(before - digits.len()))
    } else {
        let (whole, fraction) = digits.split_at(before);
        format!("{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_look_as_postgresql_writes_them() {
        for (value, expected) in [
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e20, "1e+20"),
            (1e-7, "1e-07"),
            (1e23, "9.999999999999999e+22"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (123.456, "123.456"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(double(value), expected);
        }
        for (value, expected) in [
            (0.1, "0.1"),
            (123_456.0, "123456"),
            (1e6, "1e+06"),
            (16_777_217.0, "1.6777216e+07"),
            (1e-45, "1e-45"),
        ] {
            assert_eq!(single(value), expected);
        }
    }

    #[test]
    fn bits_are_read_whole_or_not_at_all() {
        assert_eq!(double_of_bits("3ff0000000000000"), Some(1.0));
        assert_eq!(single_of_bits("3f800000"), Some(1.0));
        assert!(double_of_bits("7ff8000000000000").is_some_and(f64::is_nan));
        for hex in ["", "3ff", "3ff000000000000g", "3f800000"] {
            assert_eq!(double_of_bits(hex), None, "{hex}");
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(bits: u64, short: u32) {
            let (value, small) = (f64::from_bits(bits), f32::from_bits(short));
            prop_assert!(value.is_nan() || double(value).parse() == Ok(value));
            prop_assert!(small.is_nan() || single(small).parse() == Ok(small));
        }
    }
}
