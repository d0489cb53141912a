//! The user's SQL sees the settings that any other client sees, and values do not depend on them.

mod checksums;
mod columns;
mod extracted;
mod logins;
mod ranges;
mod texts;

use snowhaul::domain::source_settings::SourceSettings;
use snowhaul::domain::spec::TableSpec;
use snowhaul::domain::table::{
    KeyColumn, KeyRange, Platform, QueryModifiers, SourceColumn, TableRef, WrittenName,
};
use snowhaul::platform::{self, Scope, SourcePlatform};
use snowhaul::source;
use snowhaul_integration::{Database, Sql};
use std::collections::BTreeMap;

/// A login's settings that change what values look like.
const ODD: &[(&str, &str)] = &[
    ("DateStyle", "'SQL, DMY'"),
    ("TimeZone", "'Asia/Kolkata'"),
    ("IntervalStyle", "'postgres_verbose'"),
    ("extra_float_digits", "0"),
    ("bytea_output", "'escape'"),
    ("standard_conforming_strings", "off"),
];

fn dialect(platform: Platform) -> &'static dyn SourcePlatform {
    platform::source(platform).unwrap()
}

/// A session with the server's settings, and one with odd ones. On Redshift a double has no other exact text than that of
/// `extra_float_digits`, which is set there.
fn sessions(database: &Database<'_>, platform: Platform) -> [Sql; 2] {
    let (usual, odd) = (database.sql(), database.sql());
    for (name, value) in ODD {
        odd.run(&format!("SET {name} TO {value}"));
    }
    if platform == Platform::Redshift {
        for sql in [&usual, &odd] {
            sql.run("SET extra_float_digits TO 2");
        }
    }
    [usual, odd]
}

fn table_ref(name: &str) -> TableRef {
    let part = |text: &str| WrittenName(text.to_owned());
    TableRef {
        database: part("d"),
        schema: part("public"),
        table: part(name),
    }
}

fn analyzed(database: &Database<'_>, platform: Platform) -> Vec<SourceColumn> {
    let (username, password) = database.login();
    let settings = SourceSettings {
        platform,
        host: "127.0.0.1".to_owned(),
        port: database.port_of("postgresql"),
        database: database.name().to_owned(),
        username: username.to_owned(),
        password: password.to_owned().into(),
        odbc_driver: None,
        extra_options: BTreeMap::new(),
    };
    let spec = TableSpec {
        key: Some(Vec::new()),
        ..TableSpec::new(table_ref("t"), table_ref("t"))
    };
    let analysis = source::analyze(&settings, dialect(platform), &spec, None);
    let analysis = analysis.unwrap_or_else(|error| panic!("{error}"));
    analysis.columns
}

/// What stands in `t`, without a predicate of the user's.
fn scope<'a>(
    table: &'a TableRef,
    key: &'a [KeyColumn],
    range: &'a KeyRange,
    modifiers: &'a QueryModifiers,
) -> Scope<'a> {
    Scope {
        table,
        key,
        range,
        window: None,
        where_clause: None,
        modifiers,
    }
}
