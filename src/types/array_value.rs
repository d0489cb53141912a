//! Arrays whose text would depend on the session: they come in PostgreSQL's binary form (`array_send`), and their text is
//! made here, as the server writes it in UTC, with ISO dates and durations, all digits of a double, and bytes in
//! hexadecimal.

use super::float_text;
use std::fmt::Write;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    Float4,
    /// Double precision.
    Float8,
    /// A date.
    Date,
    /// A timestamp without zone.
    Timestamp,
    /// A timestamp with zone.
    TimestampTz,
    /// An interval.
    Interval,
    /// Bytes.
    Bytes,
}

/// What is written of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON array, as `to_json` gives it. One whose bounds are not 1 has no place for them there: it comes as
    /// [`Text`](Self::Text), which is no JSON.
    Json,
    /// The array's own text: `{1,NULL,2}`.
    Text,
}

/// The text of an array; `None`: the bytes are no array of such elements.
pub fn text(bytes: &[u8], element: Element, form: Form) -> Option<String> {
    let mut reader = Reader(bytes);
    let count = usize::try_from(reader.int()?).ok()?;
    // Whether there is a NULL, and the type of the elements.
    reader.int()?;
    reader.int()?;
    let mut dimensions = Vec::with_capacity(count.min(6));
    for _ in 0..count {
        dimensions.push((usize::try_from(reader.int()?).ok()?, reader.int()?));
    }
    let mut text = String::new();
    let mut form = form;
    if dimensions.iter().any(|(_, first)| *first != 1) {
        form = Form::Text;
        for (length, first) in &dimensions {
            let last = i64::from(*first) + i64::try_from(*length).ok()? - 1;
            write!(text, "[{first}:{last}]").ok()?;
        }
        text.push('=');
    }
    if dimensions.is_empty() {
        text.push_str(if form == Form::Json { "[]" } else { "{}" });
    } else {
        let lengths: Vec<usize> = dimensions.iter().map(|(length, _)| *length).collect();
        write_level(&mut text, &mut reader, &lengths, element, form)?;
    }
    reader.0.is_empty().then_some(text)
}

fn write_level(
    text: &mut String,
    reader: &mut Reader<'_>,
    lengths: &[usize],
    element: Element,
    form: Form,
) -> Option<()> {
    let Some((length, inner)) = lengths.split_first() else {
        return write_element(text, reader, element, form);
    };
    let (open, close) = match form {
        Form::Json => ('[', ']'),
        Form::Text => ('{', '}'),
    };
    text.push(open);
    for place in 0..*length {
        if place > 0 {
            text.push(',');
        }
        write_level(text, reader, inner, element, form)?;
    }
    text.push(close);
    Some(())
}

fn write_element(
    text: &mut String,
    reader: &mut Reader<'_>,
    element: Element,
    form: Form,
) -> Option<()> {
    let Ok(length) = usize::try_from(reader.int()?) else {
        text.push_str(if form == Form::Json { "null" } else { "NULL" });
        return Some(());
    };
    let value = value_text(reader.take(length)?, element, form)?;
    let is_number = match element {
        Element::Float4 | Element::Float8 => value.ends_with(|c: char| c.is_ascii_digit()),
        _ => false,
    };
    let is_bare = match form {
        Form::Json => is_number,
        Form::Text => !value.contains([' ', '\\']),
    };
    if is_bare {
        text.push_str(&value);
    } else {
        write!(text, "\"{}\"", value.replace('\\', "\\\\")).ok()?;
    }
    Some(())
}

fn value_text(bytes: &[u8], element: Element, form: Form) -> Option<String> {
    let separator = match form {
        Form::Json => 'T',
        Form::Text => ' ',
    };
    let zone = match form {
        Form::Json => "+00:00",
        Form::Text => "+00",
    };
    Some(match element {
        Element::Float4 => float_text::single(f32::from_be_bytes(bytes.try_into().ok()?)),
        Element::Float8 => float_text::double(f64::from_be_bytes(bytes.try_into().ok()?)),
        Element::Date => match i32::from_be_bytes(bytes.try_into().ok()?) {
            i32::MAX => "infinity".to_owned(),
            i32::MIN => "-infinity".to_owned(),
            days => {
                let (date, era) = date_text(days.into());
                format!("{date}{era}")
            }
        },
        Element::Timestamp => timestamp_text(bytes, separator, "")?,
        Element::TimestampTz => timestamp_text(bytes, separator, zone)?,
        Element::Interval => interval_text(bytes)?,
        Element::Bytes => {
            let mut text = String::from("\\x");
            for byte in bytes {
                write!(text, "{byte:02x}").ok()?;
            }
            text
        }
    })
}

const DAY: i64 = 86_400_000_000;

/// From days since 2000: the date, and what follows it before Christ.
fn date_text(days: i64) -> (String, &'static str) {
    // Counted from the first of March of the year 0, so that a leap day is the last of its year.
    let days = days + 730_425;
    let cycle = days.div_euclid(146_097);
    let day_of_cycle = days.rem_euclid(146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn timestamp_text(bytes: &[u8], separator: char, zone: &str) -> Option<String> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    if micros == i64::MAX || micros == i64::MIN {
        let sign = if micros < 0 { "-" } else { "" };
        return Some(format!("{sign}infinity"));
    }
    let (date, era) = date_text(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let seconds = of_day / 1_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = fraction_text(of_day % 1_000_000);
    Some(format!(
        "{date}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}{era}"
    ))
}

/// `.5`, or nothing.
fn fraction_text(micros: i64) -> String {
    if micros == 0 {
        String::new()
    } else {
        format!(".{:06}", micros.abs())
            .trim_end_matches('0')
            .to_owned()
    }
}

/// As ISO 8601, in which each part has its own sign.
fn interval_text(bytes: &[u8]) -> Option<String> {
    let (micros, rest) = bytes.split_at_checked(8)?;
    let (days, months) = rest.split_at_checked(4)?;
    let micros = i64::from_be_bytes(micros.try_into().ok()?);
    let days = i32::from_be_bytes(days.try_into().ok()?);
    let months = i32::from_be_bytes(months.try_into().ok()?);
    if (micros, days, months) == (i64::MAX, i32::MAX, i32::MAX) {
        return Some("infinity".to_owned());
    }
    if (micros, days, months) == (i64::MIN, i32::MIN, i32::MIN) {
        return Some("-infinity".to_owned());
    }
    let part = |number: i64, unit: char| match number {
        0 => String::new(),
        number => format!("{number}{unit}"),
    };
    let mut text = format!(
        "P{}{}{}",
        part((months / 12).into(), 'Y'),
        part((months % 12).into(), 'M'),
        part(days.into(), 'D')
    );
    if micros != 0 {
        text.push('T');
        text.push_str(&part(micros / 3_600_000_000, 'H'));
        text.push_str(&part(micros / 60_000_000 % 60, 'M'));
        let seconds = micros % 60_000_000;
        if seconds != 0 {
            let sign = if seconds < 0 { "-" } else { "" };
            let fraction = fraction_text(seconds % 1_000_000);
            write!(text, "{sign}{}{fraction}S", (seconds / 1_000_000).abs()).ok()?;
        }
    }
    if text == "P" {
        text = "PT0S".to_owned();
    }
    Some(text)
}

/// The bytes that are left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dimensions: &[(i32, i32)], elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut int = |n: i32| bytes.extend(n.to_be_bytes());
        int(i32::try_from(dimensions.len()).unwrap());
        int(1);
        int(701);
        for (length, first) in dimensions {
            int(*length);
            int(*first);
        }
        for element in elements {
            match element {
                Some(value) => {
                    bytes.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                    bytes.extend(*value);
                }
                None => bytes.extend((-1i32).to_be_bytes()),
            }
        }
        bytes
    }

    #[test]
    fn numbers_are_bare_and_all_else_is_quoted_where_it_must_be() {
        let (tenth, nan) = (0.1f64.to_be_bytes(), f64::NAN.to_be_bytes());
        let doubles = array(&[(1, 1), (3, 1)], &[Some(&tenth), None, Some(&nan)]);
        let text = |bytes: &[u8], element, form| text(bytes, element, form);
        assert_eq!(
            text(&doubles, Element::Float8, Form::Json).as_deref(),
            Some("[[0.1,null,\"NaN\"]]")
        );
        assert_eq!(
            text(&doubles, Element::Float8, Form::Text).as_deref(),
            Some("{{0.1,NULL,NaN}}")
        );
        let at = 0i64.to_be_bytes();
        let instants = array(&[(1, 0)], &[Some(&at)]);
        assert_eq!(
            text(&instants, Element::TimestampTz, Form::Json).as_deref(),
            Some("[0:0]={\"2000-01-01 00:00:00+00\"}")
        );
        let bytes = array(&[(1, 1)], &[Some(&[0, 255])]);
        assert_eq!(
            text(&bytes, Element::Bytes, Form::Json).as_deref(),
            Some("[\"\\\\x00ff\"]")
        );
        assert_eq!(
            text(&array(&[], &[]), Element::Date, Form::Text).as_deref(),
            Some("{}")
        );
    }

    #[test]
    fn bytes_that_are_no_such_array_are_refused() {
        let whole = array(&[(2, 1)], &[Some(&[0; 4]), Some(&[0; 4])]);
        assert!(text(&whole, Element::Date, Form::Json).is_some());
        for length in 0..whole.len() {
            assert_eq!(text(&whole[..length], Element::Date, Form::Json), None);
        }
        assert_eq!(text(&whole, Element::Float8, Form::Json), None);
        assert_eq!(
            text(
                &[whole.as_slice(), &[0]].concat(),
                Element::Date,
                Form::Json
            ),
            None
        );
    }
}
