//! What codes, texts and states mean.

use super::*;
use proptest::prelude::*;

fn kind(code: &str, state: &str, message: &str) -> Kind {
    SnowflakeError::from_code(code, Some(state), message).kind
}

#[test]
fn codes_mean_what_public_reports_say() {
    for (code, state, message, expected) in [
        (
            "001003",
            "42000",
            "SQL compilation error: syntax error line 1 at 'lock'",
            Kind::Refused,
        ),
        (
            "000904",
            "42000",
            "SQL compilation error: invalid identifier 'W.NAME'",
            Kind::Refused,
        ),
        (
            "002003",
            "02000",
            "Table 'T' does not exist or not authorized.",
            Kind::NoSuchObject,
        ),
        (
            "003001",
            "42501",
            "Insufficient privileges to operate on schema 'S'",
            Kind::NoPrivilege,
        ),
        (
            "100038",
            "22018",
            "Numeric value 'timeout' is not recognized",
            Kind::Rejected,
        ),
        (
            "100078",
            "22000",
            "String 'x' is too long and would be truncated",
            Kind::Rejected,
        ),
        (
            "200001",
            "22000",
            "Primary key already exists",
            Kind::Refused,
        ),
        ("200001", "22000", "Lock timeout", Kind::Locked),
        (
            "000625",
            "57014",
            "Statement was aborted because the number of waiters for this lock exceeds the 20 statements limit.",
            Kind::Locked,
        ),
        (
            "000606",
            "57P03",
            "No active warehouse selected in the current session.",
            Kind::Held,
        ),
        ("000608", "57P03", "Warehouse 'W' was suspended", Kind::Held),
        (
            "090073",
            "22000",
            "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
            Kind::Held,
        ),
        (
            "000630",
            "57014",
            "Statement reached its statement or warehouse timeout of 60 second(s) and was canceled.",
            Kind::Unknown,
        ),
        (
            "000603",
            "XX000",
            "SQL execution internal error: Processing aborted by error 300005:3495968563; incident 4627069.",
            Kind::Unknown,
        ),
        (
            "390112",
            "08001",
            "Your session has expired. Please login again.",
            Kind::SessionExpired,
        ),
        (
            "390100",
            "08001",
            "Incorrect username or password was specified.",
            Kind::Login,
        ),
        (
            "391464",
            "0A000",
            "Collations are not supported on primary keys or indexed columns",
            Kind::Refused,
        ),
        // Codes that nobody documents: by their text, by their SQLSTATE, and else they may pass.
        (
            "399999",
            "XX000",
            "The transaction was chosen as the victim of a deadlock",
            Kind::Locked,
        ),
        (
            "399999",
            "XX000",
            "Requests to the hybrid table are throttled",
            Kind::Unknown,
        ),
        ("399999", "XX000", "The warehouse is suspended", Kind::Held),
        (
            "399999",
            "0A000",
            "This is not supported here",
            Kind::Refused,
        ),
        ("399999", "XX000", "Something else", Kind::Unknown),
        ("", "", "no message", Kind::Unknown),
    ] {
        assert_eq!(kind(code, state, message), expected, "{code} {message}");
    }
}

#[test]
fn what_a_login_is_refused_with_is_the_login() {
    let refused = SnowflakeError::from_code("399999", None, "Who are you?").of_login();
    assert_eq!(refused.kind, Kind::Login);
    let told = "Snowflake refused the login: Who are you? (Snowflake error 399999); check the user";
    assert!(refused.message.starts_with(told), "{}", refused.message);
    let unusable = SnowflakeError::refused("no key".to_owned()).of_login();
    assert_eq!(unusable.kind, Kind::Refused);
}

proptest! {
    #[test]
    fn an_unknown_code_is_never_final_at_once(code in 400_000u32..999_999, message in "[a-z ]{0,40}") {
        let error = SnowflakeError::from_code(&code.to_string(), Some("XX000"), &message);
        prop_assert!(error.is_retryable(), "{:?}", error);
        prop_assert!(error.message.contains(message.trim()));
    }
}
