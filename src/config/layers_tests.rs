//! What the crate `config` does with keys, lists and secrets, and what is done about it.

use super::*;
use crate::config::section::expand;
use proptest::prelude::*;

const LEASE: &[&str] = &["application", "lease"];

fn file(text: &str) -> toml::Table {
    text.parse().expect("TOML")
}

fn variable(name: &str) -> Origin {
    Origin::Variable(name.to_owned())
}

/// Every value that is not a section, as `path = value (origin)`.
fn flat(table: &Table) -> Vec<String> {
    fn walk(table: &Table, path: &str, lines: &mut Vec<String>) {
        for (key, value) in sorted(table) {
            let path = format!("{path}/{key}");
            match &value.kind {
                ValueKind::Table(inner) => walk(inner, &path, lines),
                ValueKind::Array(items) => {
                    let items: Vec<String> = items.iter().map(|i| i.kind.to_string()).collect();
                    lines.push(format!("{path} = {items:?} ({})", Origin::of(value)));
                }
                kind => lines.push(format!("{path} = {kind} ({})", Origin::of(value))),
            }
        }
    }
    let mut lines = Vec::new();
    walk(table, "", &mut lines);
    lines
}

#[test]
fn each_layer_wins_over_those_before_it_key_by_key_and_says_where_a_value_is_from() {
    let mut defaults = Settings::default();
    defaults.number(LEASE, &Origin::Default, 60);
    defaults.time(
        &["application", "poll"],
        &Origin::Default,
        Duration::from_millis(1500),
    );
    defaults.number(&["application", "window"], &Origin::Default, 64);
    let mut environment = Settings::default();
    environment.text(&["application", "affinity"], &variable("AFFINITY"), "env");
    environment.text(&["application", "window"], &variable("WINDOW"), "7");
    let mut flags = Settings::default();
    flags.text(
        &["application", "affinity"],
        &Origin::Flag("--affinity".to_owned()),
        "flag",
    );
    let merged = Layers::default()
        .with(defaults)
        .with(environment)
        .with_file(file(
            "[application]\nlease = 5\naffinity = 'file'\nlist = [9]\n",
        ))
        .with(flags)
        .merge();
    assert_eq!(
        flat(&merged),
        [
            "/application/affinity = flag (flag --affinity)",
            "/application/lease = 5 (file)",
            "/application/list = [\"9\"] (file)",
            "/application/poll = 1.5 (default)",
            "/application/window = 7 (environment variable WINDOW)",
        ]
    );
}

#[test]
fn lists_are_replaced_whole() {
    let lower = file("[a]\nlist = [1, 2, 3]\n[[b]]\nx = 1\n");
    let merged = Layers::default()
        .with_file(lower)
        .with_file(file("[a]\nlist = [4]\n[[b]]\ny = 2\n"))
        .merge();
    let lines = flat(&merged);
    assert_eq!(lines[0], "/a/list = [\"4\"] (file)");
    assert!(
        lines[1].contains("y => 2") && !lines[1].contains("x => 1"),
        "{lines:?}"
    );
}

#[test]
fn keys_are_taken_as_they_are_written() {
    let text = "\"application.lease\" = 5\n\"a[1]\" = 2\nTop = 1\n[application]\nLease = 7\n[application.\"a.b\"]\n\"C.d\" = 1\n";
    let mut defaults = Settings::default();
    defaults.number(LEASE, &Origin::Default, 60);
    let merged = Layers::default()
        .with(defaults)
        .with_file(file(text))
        .merge();
    assert_eq!(
        flat(&merged),
        [
            "/Top = 1 (file)",
            "/a[1] = 2 (file)",
            "/application/Lease = 7 (file)",
            "/application/a.b/C.d = 1 (file)",
            "/application/lease = 60 (default)",
            "/application.lease = 5 (file)",
        ]
    );
}

#[test]
fn a_flag_hides_no_mistake_of_the_file() {
    let mut flags = Settings::default();
    flags.number(LEASE, &Origin::Flag("--lease".to_owned()), 1);
    let merged = Layers::default()
        .with_file(file("application = 3\n"))
        .with(flags)
        .merge();
    assert_eq!(flat(&merged), ["/application = 3 (file)"]);
}

#[test]
fn times_of_toml_pass_for_nothing_else() {
    let merged = Layers::default()
        .with_file(file("when = 2024-01-01"))
        .merge();
    assert_eq!(merged["when"].kind, ValueKind::Nil);
}

#[test]
fn no_layer_shows_a_value() {
    let secret = File(table(file("password = 'hunter2'")));
    let mut setting = Settings::default();
    setting.text(LEASE, &Origin::Default, "hunter2");
    let builder = Config::builder().add_source(secret).add_source(setting);
    let shown = format!("{builder:?}");
    assert!(
        shown.contains("File(***)") && shown.contains("Settings(***)"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

proptest! {
    #[test]
    fn a_text_of_the_environment_means_what_it_says(text in "[${}A é]{0,20}") {
        let mut settings = Settings::default();
        settings.text(LEASE, &variable("X"), &text);
        let ValueKind::String(stored) = &settings.0[0].1.kind else {
            panic!("a text");
        };
        prop_assert_eq!(expand(stored, &|_| Some("replaced".to_owned())), Ok(text));
    }
}
