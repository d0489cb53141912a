//! What has to hold for any input: names, texts and predicates stay what they are inside a statement, and readers of files
//! and of stored JSON do not panic. Called by the fuzz targets, and by a test with the corpus.
//!
//! Statements are read back by `sqlparser`, which knows nothing of snowhaul.

use snowhaul::config::workflow;
use snowhaul::domain::analysis::TableAnalysis;
use snowhaul::domain::staged_path::check_manifest;
use snowhaul::domain::table::{KeyRange, Platform, Slice, WrittenName};
use snowhaul::domain::table_plan::TablePlan;
use snowhaul::domain::task::Manifest;
use snowhaul::platform::{self, Scope, SourcePlatform};
use snowhaul::source::connection_string_value;
use snowhaul::types::snowflake_name;
use sqlparser::dialect::{PostgreSqlDialect, SnowflakeDialect};
use sqlparser::tokenizer::{Token, Tokenizer};
use std::path::Path;

/// A check of one input.
pub type Check = fn(&[u8]);

/// All checks by the names of their targets.
pub const ALL: &[(&str, Check)] = &[
    ("names", names),
    ("texts", texts),
    ("predicates", predicates),
    ("connection_string", connection_string),
    ("workflow_file", workflow_file),
    ("stored_json", stored_json),
];

fn dialects() -> impl Iterator<Item = &'static dyn SourcePlatform> {
    [Platform::Redshift, Platform::Postgresql]
        .into_iter()
        .filter_map(platform::source)
}

/// Text without the one character that no statement can hold.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn tokens(dialect: &dyn sqlparser::dialect::Dialect, sql: &str) -> Option<Vec<Token>> {
    let all = Tokenizer::new(dialect, sql).tokenize().ok()?;
    Some(
        all.into_iter()
            .filter(|token| !matches!(token, Token::Whitespace(_)))
            .collect(),
    )
}

#[track_caller]
fn assert_name(dialect: &dyn sqlparser::dialect::Dialect, quoted: &str, name: &str) {
    let sql = format!("SELECT 1 FROM {quoted} LIMIT 1");
    let tokens = tokens(dialect, &sql);
    let found = tokens.as_deref().and_then(|tokens| match tokens {
        [_, _, _, Token::Word(word), _, _] if word.quote_style == Some('"') => Some(&word.value),
        _ => None,
    });
    assert_eq!(
        found.map(String::as_str),
        Some(name),
        "{quoted}: {tokens:?}"
    );
}

/// A quoted name is one token, and means the name.
pub fn names(data: &[u8]) {
    let Some(name) = text(data).filter(|name| !name.is_empty()) else {
        return;
    };
    for dialect in dialects() {
        let quoted = dialect.quote_name(name);
        assert_name(&PostgreSqlDialect {}, &quoted, name);
        assert_eq!(dialect.exact_name(&WrittenName(quoted)), name);
    }
    let quoted = snowflake_name::quote(name);
    assert_name(&SnowflakeDialect {}, &quoted, name);
    assert_eq!(snowflake_name::exact_name(&WrittenName(quoted)), name);
}

#[track_caller]
fn assert_text(dialect: &dyn sqlparser::dialect::Dialect, literal: &str, value: &str) {
    let sql = format!("SELECT {literal} LIMIT 1");
    let tokens = tokens(dialect, &sql);
    let found = tokens.as_deref().and_then(|tokens| match tokens {
        [
            _,
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text),
            _,
            _,
        ] => Some(text),
        _ => None,
    });
    assert_eq!(
        found.map(String::as_str),
        Some(value),
        "{literal}: {tokens:?}"
    );
}

/// A text literal is one token, and means the text.
pub fn texts(data: &[u8]) {
    let Some(value) = text(data) else {
        return;
    };
    for dialect in dialects() {
        assert_text(&PostgreSqlDialect {}, &dialect.quote_text(value), value);
    }
    assert_text(
        &SnowflakeDialect {},
        &snowflake_name::quote_text(value),
        value,
    );
}

/// A predicate that the workflow's checks accept stays inside its parentheses. The first line is the table's name.
pub fn predicates(data: &[u8]) {
    let Some((name, predicate)) = text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    // PostgreSQL ends an operator where a comment begins (documentation: "Operators"); sqlparser reads on.
    let is_operator = |c: char| "+-*/<>=~!@#%^&|`?".contains(c);
    let is_glued = |comment: &str| {
        predicate
            .match_indices(comment)
            .any(|(at, _)| predicate[..at].ends_with(is_operator))
    };
    if is_glued("/*") || is_glued("--") {
        return;
    }
    let file = serde_json::json!({"tables": [{
        "source": {"databaseName": "d", "schemaName": "s", "tableName": name},
        "target": {"databaseName": "D", "schemaName": "S", "tableName": "T"},
        "columnNamesToPartitionBy": [],
        "whereClauseCriteria": predicate,
    }]});
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let accepted = workflow::parse(Path::new("w.json"), &file.to_string(), platform);
        let (Ok(accepted), Some(dialect)) = (accepted, platform::source(platform)) else {
            return;
        };
        let Some(spec) = accepted.tables.first() else {
            return;
        };
        let statement = |predicate: Option<&str>| {
            dialect
                .any_row(&Scope {
                    table: &spec.source,
                    key: &[],
                    range: &KeyRange::Everything,
                    window: None,
                    where_clause: predicate,
                    modifiers: &spec.query_modifiers,
                })
                .sql
        };
        let Some(predicate) = spec.where_clause.as_deref() else {
            continue;
        };
        let sql = statement(Some(predicate));
        // What is no SQL at all is the source's to refuse.
        let Some(with) = tokens(&PostgreSqlDialect {}, &sql) else {
            continue;
        };
        let plain = tokens(&PostgreSqlDialect {}, &statement(Some("1"))).unwrap_or_default();
        let (Some(open), Some(close)) = (
            plain.iter().position(|token| *token == Token::LParen),
            plain.iter().rposition(|token| *token == Token::RParen),
        ) else {
            panic!("no parentheses: {plain:?}");
        };
        let (head, tail) = (&plain[..=open], &plain[close..]);
        assert!(
            with.starts_with(head) && with.ends_with(tail),
            "{sql}: {with:?}"
        );
        let inside = &with[head.len()..with.len() - tail.len()];
        let mut depth = 0_i64;
        for token in inside {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::SemiColon => panic!("a second statement: {sql}"),
                _ => {}
            }
            assert!(depth >= 0, "out of its parentheses: {sql}");
        }
        assert_eq!(depth, 0, "{sql}");
    }
}

/// A value of an ODBC connection string is read back as it was, and ends where it ends.
pub fn connection_string(data: &[u8]) {
    let Some(value) = text(data) else {
        return;
    };
    let string = format!("PWD={};Server=h", connection_string_value(value));
    let rest = string.strip_prefix("PWD=").unwrap_or_default();
    // ODBC's grammar: a value in braces ends at a brace that is not doubled, any other at the semicolon.
    let (found, rest) = match rest.strip_prefix('{') {
        None => rest
            .split_once(';')
            .map_or((rest.to_owned(), ""), |(v, r)| (v.to_owned(), r)),
        Some(inside) => {
            let mut found = String::new();
            let mut chars = inside.char_indices().peekable();
            let mut end = inside.len();
            while let Some((at, c)) = chars.next() {
                if c != '}' {
                    found.push(c);
                } else if chars.peek().is_some_and(|(_, next)| *next == '}') {
                    chars.next();
                    found.push('}');
                } else {
                    end = at + 1;
                    break;
                }
            }
            (
                found,
                inside[end..].strip_prefix(';').unwrap_or("no semicolon"),
            )
        }
    };
    assert_eq!((found.as_str(), rest), (value, "Server=h"), "{string}");
}

/// Workflow files of any content are accepted or refused; what is accepted is accepted in its normal form too.
pub fn workflow_file(data: &[u8]) {
    let Ok(content) = std::str::from_utf8(data) else {
        return;
    };
    for file in ["w.json", "w.yaml"] {
        for platform in [Platform::Redshift, Platform::Postgresql] {
            let Ok(accepted) = workflow::parse(Path::new(file), content, platform) else {
                continue;
            };
            let again = workflow::parse(Path::new("w.json"), &accepted.configuration, platform);
            let again = again.map(|file| file.tables);
            assert_eq!(
                again.ok().as_ref(),
                Some(&accepted.tables),
                "{}",
                accepted.configuration
            );
        }
    }
}

/// JSON that workers have stored is read or refused, and no manifest leads out of its directory.
pub fn stored_json(data: &[u8]) {
    const DIRECTORY: &str = "workflows/7/0/12/1/";
    let _ = serde_json::from_slice::<TableAnalysis>(data);
    let _ = serde_json::from_slice::<TablePlan>(data);
    let _ = serde_json::from_slice::<Slice>(data);
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
        let _ = (manifest.rows(), manifest.bytes());
        if check_manifest(&manifest, DIRECTORY).is_ok() {
            for file in &manifest.files {
                let name = file.path.strip_prefix(DIRECTORY);
                let is_inside = name.is_some_and(|name| {
                    !name.is_empty()
                        && !name.contains(['/', '\\', '\'', '%'])
                        && !name.starts_with('.')
                });
                assert!(is_inside, "{}", file.path);
            }
        }
    }
}
