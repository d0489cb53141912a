use super::*;
use crate::domain::table::Platform;
use std::collections::BTreeMap;

const MICROSOFTS: &str = "ODBC Driver 18 for SQL Server";

fn settings(host: &str, options: &[(&str, &str)]) -> SourceSettings {
    SourceSettings {
        platform: Platform::Sqlserver,
        host: host.into(),
        port: 1433,
        database: "d".into(),
        username: "u".into(),
        password: "p".to_owned().into(),
        odbc_driver: None,
        extra_options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned().into()))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn value(settings: &SourceSettings, driver: &str, key: &str) -> Option<String> {
    let keywords = SqlServer.keywords(settings, driver, None);
    let found = keywords.into_iter().find(|keyword| keyword.key == key)?;
    match found.value {
        Value::Escaped(value) | Value::Plain(value) => Some(value),
    }
}

#[test]
fn each_driver_is_told_the_server_in_its_own_words() {
    let plain = settings("h", &[]);
    assert_eq!(
        value(&plain, MICROSOFTS, "Server").as_deref(),
        Some("h,1433")
    );
    assert_eq!(value(&plain, MICROSOFTS, "Port"), None);
    assert_eq!(value(&plain, "FreeTDS", "Server").as_deref(), Some("h"));
    assert_eq!(value(&plain, "FreeTDS", "Port").as_deref(), Some("1433"));
    let named = settings("h\\one", &[]);
    assert_eq!(
        value(&named, MICROSOFTS, "Server").as_deref(),
        Some("h\\one")
    );
    assert_eq!(value(&named, "FreeTDS", "Port"), None);
    assert_eq!(SqlServer.address(&named), None);
    let both = SourceSettings {
        port: 14_330,
        ..named
    };
    assert_eq!(
        value(&both, MICROSOFTS, "Server").as_deref(),
        Some("h\\one,14330")
    );
    assert_eq!(SqlServer.address(&both), Some(("h".to_owned(), 14_330)));
    assert_eq!(SqlServer.address(&settings("np:h", &[])), None);
    assert_eq!(
        SqlServer.address(&settings("::1", &[])),
        Some(("::1".to_owned(), 1433))
    );
}

#[test]
fn what_leaves_the_machine_is_encrypted() {
    for (host, option, driver, keyword, word, protection) in [
        (
            "h",
            None,
            MICROSOFTS,
            "Encrypt",
            "yes",
            Protection::Verified,
        ),
        (
            "localhost",
            None,
            MICROSOFTS,
            "Encrypt",
            "no",
            Protection::Clear,
        ),
        (
            "h",
            Some("strict"),
            MICROSOFTS,
            "Encrypt",
            "strict",
            Protection::Verified,
        ),
        (
            "h",
            Some("no"),
            MICROSOFTS,
            "Encrypt",
            "no",
            Protection::Clear,
        ),
        (
            "h",
            None,
            "FreeTDS",
            "Encryption",
            "require",
            Protection::Encrypted,
        ),
        (
            "h",
            Some("no"),
            "FreeTDS",
            "Encryption",
            "request",
            Protection::Clear,
        ),
    ] {
        let options: Vec<(&str, &str)> = option.map(|word| ("Encrypt", word)).into_iter().collect();
        let settings = settings(host, &options);
        assert_eq!(
            value(&settings, driver, keyword).as_deref(),
            Some(word),
            "{host} {driver}"
        );
        assert_eq!(
            SqlServer.protection(&settings, driver, None, None),
            protection,
            "{host} {driver}"
        );
    }
    let trusting = settings("h", &[("TrustServerCertificate", "yes")]);
    assert_eq!(
        SqlServer.protection(&trusting, MICROSOFTS, None, None),
        Protection::Encrypted
    );
    let clear = SqlServer.protection(&settings("h", &[]), MICROSOFTS, None, Some(false));
    assert_eq!(clear, Protection::Clear);
}

#[test]
fn a_login_without_a_password_sends_none() {
    for (key, word, user, password) in [
        ("Trusted_Connection", "yes", false, false),
        ("Authentication", "ActiveDirectoryIntegrated", false, false),
        ("Authentication", "ActiveDirectoryMsi", true, false),
        (
            "Authentication",
            "ActiveDirectoryServicePrincipal",
            true,
            true,
        ),
        ("Trusted_Connection", "no", true, true),
    ] {
        let settings = settings("h", &[(key, word)]);
        assert_eq!(
            value(&settings, MICROSOFTS, "UID").is_some(),
            user,
            "{word}"
        );
        assert_eq!(
            value(&settings, MICROSOFTS, "PWD").is_some(),
            password,
            "{word}"
        );
    }
}

#[test]
fn what_freetds_cannot_do_is_refused() {
    let refused =
        |settings: &SourceSettings| SqlServer.cannot_honour(settings, "FreeTDS").is_some();
    assert!(!refused(&settings("h", &[])));
    assert!(refused(&settings("h", &[("Encrypt", "strict")])));
    assert!(refused(&settings("h", &[("Trusted_Connection", "yes")])));
    assert!(refused(&settings("h", &[("TrustServerCertificate", "no")])));
    let braced = SourceSettings {
        password: "p}".to_owned().into(),
        ..settings("h", &[])
    };
    assert!(refused(&braced));
    let why = SqlServer
        .cannot_honour(&braced, "FreeTDS")
        .unwrap_or_default();
    assert!(!why.contains("p}"), "{why}");
    assert_eq!(SqlServer.cannot_honour(&braced, MICROSOFTS), None);
    assert_eq!(SqlServer.rows_per_fetch("FreeTDS"), Some(1));
    assert_eq!(SqlServer.rows_per_fetch(MICROSOFTS), None);
}
