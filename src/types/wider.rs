//! The type of a target column that would hold what another does not: for messages. Pure.

use super::snowflake_type::TargetType;

/// The largest precision and scale of Snowflake's NUMBER.
const MAX_PRECISION: u8 = 38;
const MAX_SCALE: u8 = 37;
/// Digits of a fraction of a second in the source.
const MICROSECONDS: u8 = 6;

/// A type that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wider {
    /// The type.
    pub target_type: String,
    /// Whether Snowflake changes a column into it: precision and length may grow, scale and fractions of a second may not
    /// (documentation: "ALTER TABLE … ALTER COLUMN").
    pub in_place: bool,
}

impl std::fmt::Display for Wider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            target_type,
            in_place,
        } = self;
        if *in_place {
            write!(
                f,
                "{target_type} (ALTER TABLE … ALTER COLUMN … SET DATA TYPE {target_type})"
            )
        } else {
            write!(
                f,
                "{target_type} (Snowflake does not change a column's scale or fraction digits: add a column of that type, copy the values into it, drop the old one and give the new one its name)"
            )
        }
    }
}

/// What holds all that `declared` does, as a target would be created for the source's declaration, and all that `target`
/// does, if `target` does not. `None`: it does, or it is of another kind, or nothing bounds the declaration.
pub fn wider(declared: &str, target: &str) -> Option<Wider> {
    let (own, found) = (TargetType::parse(declared), TargetType::parse(target));
    match (&own, &found) {
        (
            TargetType::Number { precision, scale },
            TargetType::Number {
                precision: found_precision,
                scale: found_scale,
            },
        ) => {
            let whole = precision.saturating_sub(*scale);
            number((whole, *scale), (*found_precision, *found_scale)).or_else(|| {
                // Nothing holds both: what the source declares is what matters.
                exceeds((whole, *scale), (*found_precision, *found_scale)).then(|| Wider {
                    target_type: declared.to_owned(),
                    in_place: false,
                })
            })
        }
        (TargetType::Text, TargetType::Text) => {
            let (length, found) = (length(declared)?, length(target)?);
            (length > found).then(|| Wider {
                target_type: format!("VARCHAR({length})"),
                in_place: true,
            })
        }
        (_, found) => {
            // Text that is read as times has any number of digits.
            let digits = match own {
                TargetType::Text => MICROSECONDS,
                ref own => own.fraction_digits()?,
            };
            (digits > found.fraction_digits()?).then(|| Wider {
                target_type: with_fraction(found, digits),
                in_place: false,
            })
        }
    }
}

/// The NUMBER that holds a value, and what a NUMBER of this precision and scale holds. `None`: it is no plain decimal, or no
/// NUMBER does, or this one does.
pub fn wider_for_value(text: &str, (precision, scale): (u8, u8)) -> Option<Wider> {
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let whole = u8::try_from(whole.trim_start_matches('0').len()).ok()?;
    let fraction = u8::try_from(fraction.trim_end_matches('0').len()).ok()?;
    number((whole, fraction), (precision, scale))
}

/// Whether digits before and after the point are more than a NUMBER of this precision and scale has.
fn exceeds((whole, fraction): (u8, u8), (precision, scale): (u8, u8)) -> bool {
    whole > precision.saturating_sub(scale) || fraction > scale
}

fn number((whole, fraction): (u8, u8), found: (u8, u8)) -> Option<Wider> {
    if !exceeds((whole, fraction), found) {
        return None;
    }
    let (precision, scale) = found;
    let whole = whole.max(precision.saturating_sub(scale));
    let needed = fraction.max(scale);
    let digits = whole.checked_add(needed)?;
    (digits <= MAX_PRECISION && needed <= MAX_SCALE).then(|| Wider {
        target_type: format!("NUMBER({digits},{needed})"),
        in_place: needed == scale,
    })
}

/// The length that is written in a type of text.
fn length(text_type: &str) -> Option<u32> {
    let (_, rest) = text_type.split_once('(')?;
    rest.split_once(')')?.0.trim().parse().ok()
}

fn with_fraction(found: &TargetType, digits: u8) -> String {
    let name = match found {
        TargetType::Time(_) => "TIME",
        TargetType::TimestampTz(_) => "TIMESTAMP_TZ",
        TargetType::TimestampLtz(_) => "TIMESTAMP_LTZ",
        _ => "TIMESTAMP_NTZ",
    };
    format!("{name}({digits})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(wider: Option<Wider>) -> Option<(String, bool)> {
        wider.map(|wider| (wider.target_type, wider.in_place))
    }

    fn found(target_type: &str, in_place: bool) -> Option<(String, bool)> {
        Some((target_type.to_owned(), in_place))
    }

    #[test]
    fn the_smallest_type_that_holds_both_is_advised() {
        for (declared, target, expected) in [
            ("NUMBER(14,4)", "NUMBER(10,2)", found("NUMBER(14,4)", false)),
            ("NUMBER(12,2)", "NUMBER(10,2)", found("NUMBER(12,2)", true)),
            ("NUMBER(6,4)", "NUMBER(10,2)", found("NUMBER(12,4)", false)),
            ("NUMBER(19,0)", "NUMBER(10,0)", found("NUMBER(19,0)", true)),
            ("NUMBER(10,0)", "NUMBER(9,2)", found("NUMBER(12,2)", true)),
            ("NUMBER(14,4)", "NUMBER(38,2)", found("NUMBER(14,4)", false)),
            ("NUMBER(10,2)", "NUMBER(38,2)", None),
            ("NUMBER(10,2)", "FLOAT", None),
            ("VARCHAR(40)", "VARCHAR(20)", found("VARCHAR(40)", true)),
            ("VARCHAR(20)", "VARCHAR(40)", None),
            ("VARCHAR", "VARCHAR(40)", None),
            ("VARCHAR(20)", "VARCHAR", None),
            (
                "TIMESTAMP_NTZ(6)",
                "TIMESTAMP_NTZ(3)",
                found("TIMESTAMP_NTZ(6)", false),
            ),
            (
                "TIMESTAMP_TZ(6)",
                "TIMESTAMP_NTZ(0)",
                found("TIMESTAMP_NTZ(6)", false),
            ),
            ("TIMESTAMP_TZ(3)", "TIMESTAMP_LTZ(9)", None),
            ("TIME(6)", "TIME(0)", found("TIME(6)", false)),
            ("VARCHAR(30)", "TIME(3)", found("TIME(6)", false)),
            ("TIMESTAMP_NTZ(6)", "DATE", None),
            ("BINARY", "VARCHAR", None),
        ] {
            assert_eq!(
                pair(wider(declared, target)),
                expected,
                "{declared} {target}"
            );
        }
    }

    #[test]
    fn a_value_that_nothing_bounds_has_the_number_that_holds_it() {
        for (value, target, expected) in [
            ("1234567.125", (8, 2), found("NUMBER(10,3)", false)),
            ("-123456789", (8, 2), found("NUMBER(11,2)", true)),
            ("0.5000", (8, 2), None),
            ("NaN", (8, 2), None),
            ("abc", (8, 2), None),
            ("", (8, 2), None),
            (&"9".repeat(40), (8, 2), None),
        ] {
            assert_eq!(pair(wider_for_value(value, target)), expected, "{value}");
        }
    }

    #[test]
    fn a_remedy_says_whether_snowflake_does_it_in_place() {
        let said = wider("NUMBER(12,2)", "NUMBER(10,2)").map(|wider| wider.to_string());
        assert_eq!(
            said.as_deref(),
            Some("NUMBER(12,2) (ALTER TABLE … ALTER COLUMN … SET DATA TYPE NUMBER(12,2))")
        );
        let said = wider("NUMBER(14,4)", "NUMBER(10,2)").map(|wider| wider.to_string());
        assert!(said.is_some_and(|said| said.contains("add a column of that type")));
    }
}
