//! Decimals from text.

/// Plain decimal text to the unscaled number; `None` when it is no number, or does not fit exactly.
pub(super) fn parse_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mut value, mut after_point, mut seen, mut point) = (0i128, 0u8, false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' if point && after_point == scale => {
                if *byte != b'0' {
                    return None;
                }
            }
            b'0'..=b'9' => {
                value = value
                    .checked_mul(10)?
                    .checked_add(i128::from(byte - b'0'))?;
                after_point += u8::from(point);
                seen = true;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    value = value.checked_mul(10i128.checked_pow(u32::from(scale - after_point))?)?;
    let fits = value < 10i128.checked_pow(u32::from(precision))?;
    (seen && fits).then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(parse_decimal(b"-12.50", 10, 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.5", 10, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.500", 10, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.501", 10, 2), None);
        assert_eq!(parse_decimal(b"1000", 3, 0), None);
        assert_eq!(parse_decimal(b"NaN", 10, 2), None);
        assert_eq!(parse_decimal(b"", 10, 2), None);
        assert_eq!(parse_decimal(&[b'9'; 38], 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(
            parse_decimal(b"-9.9999999999999999999999999999999999999", 38, 37),
            Some(-(10i128.pow(38) - 1))
        );
    }

    proptest! {
        #[test]
        fn a_decimal_reads_back(unscaled in -(10i128.pow(38) - 1)..10i128.pow(38), scale in 0u8..=37) {
            let digits = format!("{:0>1$}", unscaled.unsigned_abs(), usize::from(scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
            let text = format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" });
            prop_assert_eq!(parse_decimal(text.as_bytes(), 38, scale), Some(unscaled), "{}", text);
        }
    }
}
