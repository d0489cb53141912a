//! `[connections.source.<platform>]`: how a worker reaches a source.

use super::findings::{Findings, inside};
use super::layers::{Table, sorted};
use super::section::{Section, expand};
use crate::domain::problem::{Code, Problem};
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;
use crate::platform::{self, Credentials, Settings, UseOfKey};
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
    let own = platform::settings(platform).own_keys();
    COMMON
        .iter()
        .copied()
        .chain(own.iter().map(|key| key.name))
        .collect()
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
                findings.problem(PATH, Code::WRONG_TYPE.problem("must be a section"));
                return sources;
            }
        },
    };
    let mut is_none = true;
    for (name, value) in table.into_iter().flat_map(sorted) {
        let path = inside(PATH, name);
        let Some(platform) = Platform::parse(name) else {
            let supported = Platform::ALL.map(Platform::as_str).join(", ");
            findings.warning(
                &path,
                Code::UNSUPPORTED_PLATFORM
                    .problem("this platform is not supported, the section is ignored")
                    .hint(format!("supported: {supported}")),
            );
            continue;
        };
        is_none = false;
        let ValueKind::Table(source) = &value.kind else {
            findings.problem(&path, Code::WRONG_TYPE.problem("must be a section"));
            continue;
        };
        let known = known_keys(platform);
        let mut section = Section::new(Some(source), &path, &known, findings, var);
        if let Some(settings) = read(&mut section, platform)
            && sources.insert(platform, settings).is_some()
        {
            let problem = Code::GIVEN_TWICE.says("this platform is given twice; keep one");
            findings.problem(&path, problem);
        }
    }
    if is_none {
        findings.problem(
            PATH,
            Code::NO_SOURCE
                .says("there is no source; add a section like [connections.source.redshift]"),
        );
    }
    sources
}

/// Reads a platform's section; `None` when something is wrong, which is reported.
fn read(section: &mut Section<'_, '_>, platform: Platform) -> Option<SourceSettings> {
    let own = platform::settings(platform);
    let auth = if section.has("auth_method") {
        section.word("auth_method", AUTH)
    } else {
        Some(Auth::Standard)
    };
    if let Some(Auth::Iam(method)) = auth {
        let problem = if own.has_iam() {
            Code::UNSUPPORTED_SETTING.says(format!(
                "\"{method}\" is not supported yet; write \"standard\" with host, username and password of a database user"
            ))
        } else {
            Code::INVALID_VALUE.says(format!(
                "\"{method}\" is for {} only; write \"standard\"",
                platform::names(|other| platform::settings(other).has_iam())
            ))
        };
        section.problem("auth_method", problem);
    }
    warn_unused(section, own, auth);
    let mut extra_options = BTreeMap::new();
    keywords(section, own, &mut extra_options);
    let credentials = own.credentials(&extra_options);
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
    let is_user_needed = credentials == Credentials::UserAndPassword;
    let username = if is_user_needed {
        required("username", "the database user")
    } else if section.has("username") {
        section.filled_text("username")
    } else {
        Some(String::new())
    };
    if is_standard && is_user_needed && !section.has("password") {
        section.problem(
            "password",
            "is missing; it is the user's password, e.g. \"${SOURCE_PASSWORD}\" from the environment",
        );
    }
    let password = if is_user_needed || section.has("password") {
        section.text("password").map(SecretString::from)
    } else {
        Some(SecretString::default())
    };
    let port = if section.has("port") {
        let port = section.whole("port", 1, u32::from(u16::MAX));
        port.and_then(|port| u16::try_from(port).ok())
    } else {
        Some(own.default_port())
    };
    let odbc_driver = section.filled_text("odbc_driver");
    extra(section, own, &mut extra_options);
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

fn warn_unused(section: &mut Section<'_, '_>, own: &dyn Settings, auth: Option<Auth>) {
    for key in own.own_keys() {
        let why = match key.use_of {
            UseOfKey::Unload => {
                "extraction strategy \"unload\" is not supported yet, so this is not used"
            }
            UseOfKey::Iam if auth == Some(Auth::Standard) => {
                "this is for IAM authentication, so it is not used"
            }
            UseOfKey::Iam => "",
            UseOfKey::Keyword { .. } => continue,
        };
        // Read all the same, so that a wrong one is reported.
        let is_given = section.text(key.name).is_some();
        if is_given && !why.is_empty() {
            section.warning(key.name, why);
        }
    }
}

/// The platform's own keys that become keywords of the connection string.
fn keywords(
    section: &mut Section<'_, '_>,
    own: &dyn Settings,
    options: &mut BTreeMap<String, SecretString>,
) {
    let yes_no = |on: bool| if on { "yes" } else { "no" };
    for key in own.own_keys() {
        let UseOfKey::Keyword { keyword, words } = key.use_of else {
            continue;
        };
        let value = if !words.is_empty() && section.is_text(key.name) {
            section.word(key.name, words)
        } else {
            section.switch(key.name).map(yes_no)
        };
        if let Some(value) = value {
            options.insert(keyword.to_owned(), value.to_owned().into());
        }
    }
}

/// The keywords that users add to the connection string.
fn extra(
    section: &mut Section<'_, '_>,
    own: &dyn Settings,
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
        let named = OWN_KEY
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(keyword.trim()));
        let problem = if keyword.trim().is_empty()
            || keyword.contains(|c: char| ";={}[]".contains(c) || c.is_control())
        {
            // No `says`: its semicolon begins no hint.
            Code::INVALID_VALUE
                .problem("no keyword of a connection string: it may have no ; = { } [ ]")
        } else if let Some((_, key)) = named {
            Code::INVALID_VALUE.says(format!("use the key `{key}` of this source instead"))
        } else if taken {
            Code::GIVEN_TWICE.says("this keyword is given twice; keep one")
        } else {
            match option(section, own, keyword, &value.kind) {
                Ok(value) => {
                    options.insert(keyword.clone(), value.into());
                    continue;
                }
                Err(problem) => problem,
            }
        };
        wrong.push((inside(&path, keyword), problem));
    }
    for (path, problem) in wrong {
        section.findings.problem(&path, problem);
    }
}

/// The value of a keyword that users add.
fn option(
    section: &Section<'_, '_>,
    own: &dyn Settings,
    keyword: &str,
    value: &ValueKind,
) -> Result<String, Problem> {
    let value = match value {
        ValueKind::String(text) => expand(text, section.var).map_err(|unset| {
            let what = format!("the environment variable {} is not set", unset.join(", "));
            let problem = Code::UNSET_VARIABLE.problem(what);
            problem.hint("set it, or write $${ for a plain ${")
        })?,
        ValueKind::I64(number) => number.to_string(),
        ValueKind::Boolean(on) => on.to_string(),
        _ => {
            let what = "must be text, a whole number, true or false";
            return Err(Code::WRONG_TYPE.problem(what));
        }
    };
    own.extra_option(keyword, value)
        .map_err(|why| Code::INVALID_VALUE.says(why))
}
