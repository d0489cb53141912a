//! Snowflake's column types as DESCRIBE TABLE and users write them: `NUMBER(10,2)`, `VARCHAR`, `timestamp_ntz(3)`
//! (documentation: "Summary of data types").

/// What a column of the target can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetType {
    /// `NUMBER(p,s)` and its aliases.
    Number {
        /// All digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `FLOAT` and its aliases: always double precision.
    Float,
    /// `VARCHAR` and its aliases.
    Text,
    /// `BOOLEAN`.
    Boolean,
    /// `BINARY`.
    Binary,
    /// `DATE`.
    Date,
    /// `TIME(n)`.
    Time(u8),
    /// `TIMESTAMP_NTZ(n)`, and `DATETIME`.
    TimestampNtz(u8),
    /// `TIMESTAMP_TZ(n)`.
    TimestampTz(u8),
    /// `TIMESTAMP_LTZ(n)`.
    TimestampLtz(u8),
    /// `VARIANT`.
    Variant,
    /// `ARRAY`, semi-structured.
    Array,
    /// `OBJECT`, semi-structured.
    Object,
    /// `GEOMETRY`.
    Geometry,
    /// `GEOGRAPHY`.
    Geography,
    /// Anything else, as written.
    Other(String),
}

impl TargetType {
    /// Reads a type as Snowflake writes it; blanks and case do not matter.
    pub fn parse(text: &str) -> Self {
        let other = || Self::Other(text.trim().to_owned());
        let Some((base, sizes)) = parts(text) else {
            return other();
        };
        // A length may be too large for this, and does not matter.
        let arguments: Vec<u8> = sizes
            .iter()
            .map(|n| u8::try_from(*n).unwrap_or(u8::MAX))
            .collect();
        let base = base.split_whitespace().collect::<Vec<_>>().join(" ");
        let digits = arguments.first().copied().unwrap_or(9);
        match base.to_uppercase().as_str() {
            "NUMBER" | "DECIMAL" | "NUMERIC" | "DEC" => Self::Number {
                precision: arguments.first().copied().unwrap_or(38),
                scale: arguments.get(1).copied().unwrap_or(0),
            },
            "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "BYTEINT" => Self::Number {
                precision: 38,
                scale: 0,
            },
            "FLOAT" | "FLOAT4" | "FLOAT8" | "DOUBLE" | "DOUBLE PRECISION" | "REAL" => Self::Float,
            "VARCHAR" | "TEXT" | "STRING" | "CHAR" | "CHARACTER" | "NCHAR" | "NVARCHAR"
            | "NVARCHAR2" | "CHAR VARYING" | "NCHAR VARYING" | "CHARACTER VARYING" => Self::Text,
            "BOOLEAN" => Self::Boolean,
            "BINARY" | "VARBINARY" => Self::Binary,
            "DATE" => Self::Date,
            "TIME" => Self::Time(digits),
            "TIMESTAMP_NTZ"
            | "TIMESTAMPNTZ"
            | "TIMESTAMP WITHOUT TIME ZONE"
            | "DATETIME"
            | "TIMESTAMP" => Self::TimestampNtz(digits),
            "TIMESTAMP_TZ" | "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => {
                Self::TimestampTz(digits)
            }
            "TIMESTAMP_LTZ" | "TIMESTAMPLTZ" | "TIMESTAMP WITH LOCAL TIME ZONE" => {
                Self::TimestampLtz(digits)
            }
            "VARIANT" => Self::Variant,
            "ARRAY" if sizes.is_empty() => Self::Array,
            "OBJECT" if sizes.is_empty() => Self::Object,
            "GEOMETRY" => Self::Geometry,
            "GEOGRAPHY" => Self::Geography,
            _ => other(),
        }
    }

    /// Digits of a fraction of a second that the type keeps, for types that have any.
    pub fn fraction_digits(&self) -> Option<u8> {
        match self {
            Self::Time(n)
            | Self::TimestampNtz(n)
            | Self::TimestampTz(n)
            | Self::TimestampLtz(n) => Some(*n),
            _ => None,
        }
    }
}

/// Types without a length, and the same with the largest that they have: columns without one are created for 16 MB of text
/// or 8 MB of bytes (documentation: "String & binary data types").
const LARGEST: [(&str, &str); 2] = [
    ("VARCHAR", "VARCHAR(134217728)"),
    ("BINARY", "BINARY(67108864)"),
];

/// The type for values that nothing bounds: of a type without a length the largest one.
pub fn largest(target_type: &str) -> &str {
    let found = LARGEST.iter().find(|(plain, _)| *plain == target_type);
    found.map_or(target_type, |(_, largest)| largest)
}

/// The type for an account that has no [`largest`]; `None`: it is none of these.
pub fn without_length(target_type: &str) -> Option<&'static str> {
    let found = LARGEST.iter().find(|(_, largest)| *largest == target_type);
    found.map(|(plain, _)| *plain)
}

/// Name and arguments of `NAME(1, 2) COLLATE 'x'`; `None`: it is more than that. What users write here becomes a part
/// of DDL.
fn parts(text: &str) -> Option<(&str, Vec<u32>)> {
    let (text, collation) = match text.to_ascii_uppercase().find(" COLLATE ") {
        Some(place) => (&text[..place], text[place + " COLLATE ".len()..].trim()),
        None => (text, "''"),
    };
    let is_collation = collation
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .is_some_and(|name| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        });
    let (base, sizes) = match text.trim().split_once('(') {
        None => (text, Vec::new()),
        Some((base, rest)) => {
            let list = rest.strip_suffix(')')?.split(',');
            let number = |n: &str| {
                let n = n.trim();
                n.bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| n.parse().ok())?
            };
            (base, list.map(number).collect::<Option<_>>()?)
        }
    };
    is_collation.then_some((base, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_snowflake_writes_them() {
        let read = TargetType::parse;
        assert_eq!(
            read("NUMBER(10,2)"),
            TargetType::Number {
                precision: 10,
                scale: 2
            }
        );
        assert_eq!(
            read("number"),
            TargetType::Number {
                precision: 38,
                scale: 0
            }
        );
        assert_eq!(read("timestamp_ntz ( 3 )"), TargetType::TimestampNtz(3));
        assert_eq!(read("TIME"), TargetType::Time(9));
        assert_eq!(read("VARCHAR(16777216)"), TargetType::Text);
        assert_eq!(read("double  precision"), TargetType::Float);
        assert_eq!(read("VARCHAR(10) COLLATE 'en-ci'"), TargetType::Text);
        for more in [
            "VARCHAR(1)); DROP TABLE t; --",
            "VARCHAR) x",
            "NUMBER(10,0) DEFAULT 1",
            "VARCHAR(10) COLLATE ''; x'",
            "NUMBER(-1)",
            "NUMBER()",
        ] {
            assert_eq!(read(more), TargetType::Other(more.into()));
        }
        assert_eq!(
            read("VECTOR(INT, 3)"),
            TargetType::Other("VECTOR(INT, 3)".into())
        );
    }
}
