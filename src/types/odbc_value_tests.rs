use super::*;
use proptest::prelude::*;

fn numeric_struct(unscaled: i128, scale: u8) -> Vec<u8> {
    let mut bytes = vec![38, scale, u8::from(unscaled >= 0)];
    bytes.extend(unscaled.unsigned_abs().to_le_bytes());
    bytes
}

fn offset_struct(moment: [u16; 6], nanos: u32, zone: [i16; 2]) -> Vec<u8> {
    let mut bytes: Vec<u8> = moment.iter().flat_map(|n| n.to_ne_bytes()).collect();
    bytes.extend(nanos.to_ne_bytes());
    bytes.extend(zone.iter().flat_map(|n| n.to_ne_bytes()));
    bytes
}

#[test]
fn the_ends_of_each_range_are_read() {
    assert_eq!(money(&[0, 0, 0, 0x80, 0, 0, 0, 0]), Some(i64::MIN.into()));
    assert_eq!(
        money(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff]),
        Some(i64::MAX.into())
    );
    assert_eq!(money(&[0xff, 0xff, 0xff, 0xff]), Some(-1));
    assert_eq!(money(&[1]), None);
    assert_eq!(days(1, 1, 1), Some(-719_162));
    assert_eq!(days(9999, 12, 31), Some(2_932_896));
    assert_eq!(days(2023, 2, 29), None);
    assert_eq!(days(0, 1, 1), None);
    assert_eq!(date_text(-719_162).as_deref(), Some("0001-01-01"));
    assert_eq!(date_text(-719_163), None);
    assert_eq!(numeric(&[1, 0, 2, 0]), None);
}

#[test]
fn an_offset_belongs_to_the_local_time() {
    let bytes = offset_struct([2024, 2, 28, 22, 0, 0], 100, [-14, 0]);
    let (moment, minutes) = timestamp_with_offset(&bytes).expect("a time");
    assert_eq!(
        moment.text(7).as_deref(),
        Some("2024-02-28 22:00:00.0000001")
    );
    assert_eq!(offset_text(minutes), "-14:00");
    let utc = moment.minus_minutes(minutes);
    assert_eq!(utc.text(7).as_deref(), Some("2024-02-29 12:00:00.0000001"));
    // Both parts of an offset have its sign.
    let bytes = offset_struct([2024, 1, 1, 0, 0, 0], 0, [0, -30]);
    let (_, minutes) = timestamp_with_offset(&bytes).expect("a time");
    assert_eq!(offset_text(minutes), "-00:30");
    let beyond = offset_struct([2024, 1, 1, 0, 0, 0], 0, [14, 1]);
    assert_eq!(timestamp_with_offset(&beyond), None);
}

#[test]
fn a_guid_has_its_first_groups_reversed() {
    let bytes = [
        0xff, 0x19, 0x96, 0x6f, 0x86, 0x8b, 0x11, 0xd0, 0xb4, 0x2d, 0, 0xc0, 0x4f, 0xc9, 0x64, 0xff,
    ];
    assert_eq!(
        guid(&bytes).as_deref(),
        Some("6F9619FF-8B86-D011-B42D-00C04FC964FF")
    );
    assert_eq!(guid(&bytes[1..]), None);
}

#[test]
fn digits_that_are_not_there_are_not_dropped() {
    assert_eq!(time_text(1, 7).as_deref(), Some("00:00:00.0000001"));
    assert_eq!(time_text(1, 6), None);
    assert_eq!(time_text(10, 6).as_deref(), Some("00:00:00.000001"));
    assert_eq!(
        time_text(TICKS_PER_DAY - 10_000_000, 0).as_deref(),
        Some("23:59:59")
    );
    assert_eq!(ticks(23, 59, 59, 999_999_950), None);
    assert_eq!(ticks(24, 0, 0, 0), None);
    assert_eq!(decimal_text(-50, 2), "-0.50");
    assert_eq!(decimal_text(0, 0), "0");
    assert_eq!(rescaled(1250, 2, 1, 38), Some(125));
    assert_eq!(rescaled(1251, 2, 1, 38), None);
    assert_eq!(rescaled(10, 0, 2, 3), None);
}

#[test]
fn half_a_pair_is_no_text() {
    let mut text = Vec::new();
    assert_eq!(push_utf16(&[0x61, 0xd83d], &mut text), None);
    assert_eq!(push_utf16(&[0xde00, 0x61], &mut Vec::new()), None);
    assert_eq!(push_utf16(&[0xd83d, 0x61, 0xde00], &mut Vec::new()), None);
}

proptest! {
    #[test]
    fn text_is_the_same_in_both_forms(text in any::<String>()) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut bytes = Vec::new();
        prop_assert_eq!(push_utf16(&units, &mut bytes), Some(()));
        prop_assert_eq!(bytes, text.into_bytes());
    }

    #[test]
    fn a_number_reads_back(unscaled in -(10i128.pow(38) - 1)..10i128.pow(38), scale in 0u8..=38) {
        prop_assert_eq!(numeric(&numeric_struct(unscaled, scale)), Some((unscaled, scale)));
        let text = decimal_text(unscaled, scale);
        prop_assert_eq!(text.replace('.', "").parse::<i128>().ok(), Some(unscaled), "{}", text);
        let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        prop_assert_eq!(fraction, usize::from(scale));
    }

    #[test]
    fn a_time_reads_back(ticks_of_day in 0..TICKS_PER_DAY, days in -719_162i64..=2_932_896) {
        let text = time_text(ticks_of_day, 7).unwrap_or_default();
        let part = |at: usize| text[at..at + 2].parse::<u16>().unwrap_or_default();
        let nanos = text[9..].parse::<u32>().unwrap_or_default() * 100;
        prop_assert_eq!(ticks(part(0), part(3), part(6), nanos), Some(ticks_of_day));
        let moment = Moment { days, ticks: ticks_of_day };
        prop_assert_eq!(moment.minus_minutes(345).minus_minutes(-345), moment);
        prop_assert_eq!(moment.text(7).map(|text| text.len()), Some(27));
    }
}
