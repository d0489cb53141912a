//! The arrows between the modules are those of `arrows.txt`, and files are short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("arrows.txt");

/// From one module to another that it uses.
type Arrow = (String, String);

/// The modules in their order, each with those that it may use; and the exceptions.
fn table() -> (Vec<(String, BTreeSet<String>)>, BTreeSet<Arrow>) {
    let (mut modules, mut exceptions) = (Vec::new(), BTreeSet::new());
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if let Some((from, rest)) = line.split_once(" -> ") {
            let to = rest.split_whitespace().next().expect("a module");
            exceptions.insert((from.to_owned(), to.to_owned()));
        } else {
            let (module, used) = line.split_once(':').expect("a module and a colon");
            let used = used.split_whitespace().map(str::to_owned).collect();
            modules.push((module.to_owned(), used));
        }
    }
    (modules, exceptions)
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether only tests have it.
fn is_of_tests(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        part == "tests" || part == "testing" || part.ends_with("tests.rs") || part == "testing.rs"
    })
}

/// What stands after each `crate::` in a file, outside of comments and of the tests at its end.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    lines
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(is_part).collect())
        .collect()
}

/// Each arrow that is there, with the files that it is in.
fn arrows() -> BTreeMap<Arrow, Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    files(&root, &mut sources);
    let mut arrows: BTreeMap<Arrow, Vec<PathBuf>> = BTreeMap::new();
    for path in sources {
        let inside = path.strip_prefix(&root).expect("below src").to_owned();
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" || is_of_tests(&inside) {
            continue;
        }
        for used in uses(&fs::read_to_string(&path).expect("a text")) {
            if used != module {
                let arrow = (module.clone(), used);
                arrows.entry(arrow).or_default().push(inside.clone());
            }
        }
    }
    arrows
}

#[test]
fn modules_use_what_the_table_allows_and_nothing_else() {
    let (modules, exceptions) = table();
    let allowed: BTreeSet<Arrow> = modules
        .iter()
        .flat_map(|(from, used)| used.iter().map(move |to| (from.clone(), to.clone())))
        .collect();
    let arrows = arrows();
    assert!(arrows.len() > 20, "the modules were not found: {arrows:?}");
    let wrong: Vec<_> = arrows
        .iter()
        .filter(|(arrow, _)| !allowed.contains(arrow) && !exceptions.contains(arrow))
        .collect();
    assert!(wrong.is_empty(), "not in arrows.txt: {wrong:#?}");
    let gone: Vec<_> = allowed
        .iter()
        .chain(&exceptions)
        .filter(|arrow| !arrows.contains_key(arrow))
        .collect();
    assert!(gone.is_empty(), "to be removed from arrows.txt: {gone:?}");
}

#[test]
fn nothing_below_uses_what_is_above() {
    let (modules, _) = table();
    let mut below = BTreeSet::new();
    for (module, used) in modules {
        let above: Vec<_> = used.difference(&below).collect();
        assert!(above.is_empty(), "{module} uses {above:?}");
        below.insert(module);
    }
}

/// The most lines of a file that does not say why it has more.
const MOST_LINES: usize = 400;
/// What a longer file says of itself in its first lines.
const EXCUSE: &str = "Longer than 400 lines: ";

/// Whether a file has no more lines than it may have.
fn is_short_or_says_why_not(text: &str) -> bool {
    text.lines().count() <= MOST_LINES || text.lines().take(5).any(|line| line.contains(EXCUSE))
}

#[test]
fn no_file_is_longer_than_400_lines_without_saying_why() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("src"), &mut sources);
    files(&root.join("integration/harness"), &mut sources);
    assert!(sources.len() > 300, "the files were not found: {sources:?}");
    let long: Vec<_> = sources
        .iter()
        .filter(|path| !is_short_or_says_why_not(&fs::read_to_string(path).expect("a text")))
        .collect();
    assert!(long.is_empty(), "to be split: {long:#?}");
}

#[test]
fn a_long_file_is_found_unless_it_says_why() {
    let lines = |many: usize| "line\n".repeat(many);
    assert!(is_short_or_says_why_not(&lines(400)));
    assert!(!is_short_or_says_why_not(&lines(401)));
    let excused = format!(
        "//! A table.\n//! {EXCUSE}one table is one file.\n{}",
        lines(400)
    );
    assert!(is_short_or_says_why_not(&excused));
    assert!(!is_short_or_says_why_not(&(lines(400) + &excused)));
}
