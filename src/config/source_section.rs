//! `[connections.source.<platform>]`: how a worker reaches a source.

use super::defaults;
use super::findings::{Findings, inside};
use super::layers::{Table, sorted};
use super::section::{Section, expand};
use crate::domain::source_settings::{SourceSettings, TLS_MODES};
use crate::domain::table::Platform;
use ::config::ValueKind;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// The keys of every platform.
const COMMON: &[&str] = &[
    "username",
    "password",
    "database",
    "host",
    "port",
    "odbc_driver",
    "auth_method",
    EXTRA,
];
/// The keys that Redshift has beyond them.
const REDSHIFT: &[&str] = &[
    "cluster_id",
    "workgroup",
    "region",
    "access_key_id",
    "secret_access_key",
    "unload_s3_bucket",
    "unload_s3_prefix",
    "unload_iam_role_arn",
];
/// The keys that SQL Server has beyond them.
const SQLSERVER: &[&str] = &["encrypt", "trust_server_certificate"];
const EXTRA: &str = "extra_options";

/// Keywords of a connection string that have a key of their own.
const OWN_KEY: &[(&str, &str)] = &[
    ("driver", "odbc_driver"),
    ("dsn", "host"),
    ("filedsn", "host"),
    ("server", "host"),
    ("servername", "host"),
    ("host", "host"),
    ("address", "host"),
    ("port", "port"),
    ("database", "database"),
    ("uid", "username"),
    ("user", "username"),
    ("username", "username"),
    ("pwd", "password"),
    ("password", "password"),
];

/// How a login is proved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    Standard,
    Iam(&'static str),
}

const AUTH: &[(&str, Auth)] = &[
    ("standard", Auth::Standard),
    (
        "iam-provisioned-cluster",
        Auth::Iam("iam-provisioned-cluster"),
    ),
    ("iam-serverless", Auth::Iam("iam-serverless")),
];

/// The keys of a platform's section.
pub(super) fn known_keys(platform: Platform) -> Vec<&'static str> {
    let own = match platform {
        Platform::Redshift => REDSHIFT,
        Platform::Sqlserver => SQLSERVER,
        Platform::Postgresql => &[],
    };
    [COMMON, own].concat()
}

fn default_port(platform: Platform) -> u16 {
    match platform {
        Platform::Redshift => defaults::REDSHIFT_PORT,
        Platform::Postgresql => defaults::POSTGRESQL_PORT,
        Platform::Sqlserver => defaults::SQLSERVER_PORT,
    }
}

/// Reads all sections of `[connections.source]`; none, or one that is wrong, is reported.
pub(super) fn sources(
    connections: Option<&Table>,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<Platform, SourceSettings> {
    const PATH: &str = "connections.source";
    let mut sources = BTreeMap::new();
    let table = match connections.and_then(|table| table.get("source")) {
        None => None,
        Some(value) => match &value.kind {
            ValueKind::Table(table) => Some(table),
            _ => {
                findings.problem(PATH, "must be a section");
                return sources;
            }
        },
    };
    let mut is_none = true;
    for (name, value) in table.into_iter().flat_map(sorted) {
        let path = inside(PATH, name);
        let Some(platform) = Platform::parse(name) else {
            findings.warning(
                &path,
                "this platform is not supported, the section is ignored; supported: redshift, postgresql, sqlserver",
            );
            continue;
        };
        is_none = false;
        let ValueKind::Table(source) = &value.kind else {
            findings.problem(&path, "must be a section");
            continue;
        };
        let known = known_keys(platform);
        let mut section = Section::new(Some(source), &path, &known, findings, var);
        if let Some(settings) = read(&mut section, platform)
            && sources.insert(platform, settings).is_some()
        {
            findings.problem(&path, "this platform is given twice; keep one");
        }
    }
    if is_none {
        findings.problem(
            PATH,
            "there is no source; add a section like [connections.source.redshift]",
        );
    }
    sources
}

/// Reads a platform's section; `None` when something is wrong, which is reported.
fn read(section: &mut Section<'_, '_>, platform: Platform) -> Option<SourceSettings> {
    let auth = if section.has("auth_method") {
        section.word("auth_method", AUTH)
    } else {
        Some(Auth::Standard)
    };
    if let Some(Auth::Iam(method)) = auth {
        let message = if platform == Platform::Redshift {
            format!(
                "\"{method}\" is not supported yet; write \"standard\" with host, username and password of a database user"
            )
        } else {
            format!("\"{method}\" is for redshift only; write \"standard\"")
        };
        section.problem("auth_method", &message);
    }
    if platform == Platform::Redshift {
        warn_unused(section, auth);
    }
    // IAM stands in for the other keys, which are then not missing.
    let is_standard = !matches!(auth, Some(Auth::Iam(_)));
    let mut required = |key: &str, what: &str| {
        if is_standard {
            section.required_text(key, what)
        } else {
            section.filled_text(key)
        }
    };
    let host = required("host", "the server's name or address");
    let database = required("database", "the database to connect to");
    let username = required("username", "the database user");
    if is_standard && !section.has("password") {
        section.problem(
            "password",
            "is missing; it is the user's password, e.g. \"${SOURCE_PASSWORD}\" from the environment",
        );
    }
    let password = section.text("password").map(SecretString::from);
    let port = if section.has("port") {
        let port = section.whole("port", 1, u32::from(u16::MAX));
        port.and_then(|port| u16::try_from(port).ok())
    } else {
        Some(default_port(platform))
    };
    let odbc_driver = section.filled_text("odbc_driver");
    let mut extra_options = BTreeMap::new();
    if platform == Platform::Sqlserver {
        encryption(section, &mut extra_options);
    }
    extra(section, platform, &mut extra_options);
    Some(SourceSettings {
        platform,
        host: host?,
        port: port?,
        database: database?,
        username: username?,
        password: password?,
        odbc_driver,
        extra_options,
    })
}

fn warn_unused(section: &mut Section<'_, '_>, auth: Option<Auth>) {
    for key in REDSHIFT {
        // Read all the same, so that a wrong one is told.
        let is_given = section.text(key).is_some();
        let why = if key.starts_with("unload_") {
            "extraction strategy \"unload\" is not supported yet, so this is not used"
        } else if auth == Some(Auth::Standard) {
            "this is for IAM authentication, so it is not used"
        } else {
            continue;
        };
        if is_given {
            section.warning(key, why);
        }
    }
}

fn encryption(section: &mut Section<'_, '_>, options: &mut BTreeMap<String, SecretString>) {
    let yes_no = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let words: &[(&str, &str)] = &[
        ("true", "yes"),
        ("false", "no"),
        ("yes", "yes"),
        ("no", "no"),
        ("optional", "optional"),
        ("mandatory", "mandatory"),
        ("strict", "strict"),
    ];
    let encrypt = if section.is_text("encrypt") {
        section.word("encrypt", words).map(str::to_owned)
    } else {
        section.switch("encrypt").map(yes_no)
    };
    let trust = section.switch("trust_server_certificate").map(yes_no);
    for (keyword, value) in [("Encrypt", encrypt), ("TrustServerCertificate", trust)] {
        if let Some(value) = value {
            options.insert(keyword.to_owned(), value.into());
        }
    }
}

/// The keywords that users add to the connection string.
fn extra(
    section: &mut Section<'_, '_>,
    platform: Platform,
    options: &mut BTreeMap<String, SecretString>,
) {
    let Some(table) = section.table(EXTRA) else {
        return;
    };
    let path = section.at(EXTRA);
    let mut wrong = Vec::new();
    for (keyword, value) in sorted(table) {
        let taken = options
            .keys()
            .any(|other| other.eq_ignore_ascii_case(keyword));
        let own = OWN_KEY
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(keyword.trim()));
        let message = if keyword.trim().is_empty()
            || keyword.contains(|c: char| ";={}[]".contains(c) || c.is_control())
        {
            "no keyword of a connection string: it may have no ; = { } [ ]".to_owned()
        } else if let Some((_, key)) = own {
            format!("use the key `{key}` of this source instead")
        } else if taken {
            "this keyword is given twice; keep one".to_owned()
        } else {
            let value = match &value.kind {
                ValueKind::String(text) => expand(text, section.var).map_err(|unset| {
                    format!("the environment variable {} is not set", unset.join(", "))
                }),
                ValueKind::I64(number) => Ok(number.to_string()),
                ValueKind::Boolean(on) => Ok(on.to_string()),
                _ => Err("must be text, a whole number, true or false".to_owned()),
            };
            match value.and_then(|value| protected(keyword, value, platform)) {
                Ok(value) => {
                    options.insert(keyword.clone(), value.into());
                    continue;
                }
                Err(message) => message,
            }
        };
        wrong.push((inside(&path, keyword), message));
    }
    for (path, message) in wrong {
        section.findings.problem(&path, message);
    }
}

/// A value of PostgreSQL's or Amazon's driver with which it protects the connection as the user means it.
fn protected(keyword: &str, value: String, platform: Platform) -> Result<String, String> {
    if platform == Platform::Sqlserver {
        return Ok(value);
    }
    if keyword.eq_ignore_ascii_case("sslmode") {
        // Drivers compare the word exactly, and encrypt nothing when they do not know it.
        let mode = value.to_lowercase();
        return if TLS_MODES.contains(&mode.as_str()) {
            Ok(mode)
        } else {
            Err(format!("must be one of {}", TLS_MODES.join(", ")))
        };
    }
    if keyword.eq_ignore_ascii_case("ca") {
        // psqlODBC's short form of sslmode: whichever of the two comes last holds.
        return Err("write it as sslmode".to_owned());
    }
    Ok(value)
}
