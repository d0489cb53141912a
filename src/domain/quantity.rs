//! Numbers as people read them, everywhere in the same units: a MB has 1,000,000 bytes. Pure.

/// `5.8 GB`, `512 MB`, `12 kB`.
pub fn bytes_text(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        _ => (1_000_000_000_000, "TB"),
    };
    let tenths = bytes / (unit / 10);
    if tenths >= 100 || tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// `1,200,000 rows`.
pub fn rows_text(rows: u64) -> String {
    let noun = if rows == 1 { "row" } else { "rows" };
    format!("{} {noun}", grouped(rows))
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text of at most so many characters, with the number of all where it has more.
pub fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most).collect();
    format!("{head}… ({count} characters)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn bytes_have_decimal_units() {
        for (bytes, text) in [
            (999, "999 bytes"),
            (12_000, "12 kB"),
            (1 << 20, "1 MB"),
            (5_800_000_000, "5.8 GB"),
            (123_400_000_000_000, "123 TB"),
        ] {
            assert_eq!(bytes_text(bytes), text);
        }
        assert_eq!(
            [0, 1, 1_200_000].map(rows_text),
            ["0 rows", "1 row", "1,200,000 rows"]
        );
    }
}
