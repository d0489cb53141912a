//! The documents link to files and sections that exist, and name every module.

use crate::domain::problem::Code;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents, as paths below the root.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> = ["README.md", "actors.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(PathBuf::from)
        .into();
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path.strip_prefix(root()).expect("below").to_owned());
        }
    }
    documents
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The line without what stands in backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The target of each link.
fn links(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let line = without_code(line);
        let after = line.split("](").skip(1);
        let targets = after.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
        targets.collect::<Vec<_>>()
    };
    prose(text).flat_map(of_line).collect()
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text = heading.trim().to_lowercase();
    text.chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    prose(text).filter_map(|line| {
        line.trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
    })
}

/// The anchors of a document. A heading that comes again gets a number.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let of_heading = |heading: &str| {
        let anchor = anchor(heading);
        let before = seen.entry(anchor.clone()).or_default();
        *before += 1;
        match *before {
            1 => anchor,
            many => format!("{anchor}-{}", many - 1),
        }
    };
    headings(text).map(of_heading).collect()
}

/// `path` without `.` and `..`; `None`: it leads out of the root.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.pop() => {}
            Component::Normal(name) => plain.push(name),
            _ => return None,
        }
    }
    Some(plain)
}

/// What is wrong with a link of `document`, if anything.
fn problem(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, section) = match link.split_once('#') {
        Some((path, section)) => (path, Some(section)),
        None => (link, None),
    };
    let target = if path.is_empty() {
        document.to_owned()
    } else {
        let beside = document.parent().unwrap_or(Path::new("")).join(path);
        match plain(&beside) {
            Some(target) => target,
            None => return Some(format!("{link} leads out of the repository")),
        }
    };
    let there = root().join(&target);
    if !there.exists() {
        return Some(format!("{link}: there is no {}", target.display()));
    }
    let section = section?;
    let is_known = anchors(&read(&there))
        .iter()
        .any(|anchor| anchor == section);
    (!is_known).then(|| format!("{link}: {} has no such section", target.display()))
}

#[test]
fn every_relative_link_leads_to_a_file_and_every_anchor_to_a_section() {
    let mut links_seen = 0;
    let mut wrong = Vec::new();
    for document in documents() {
        for link in links(&read(&root().join(&document))) {
            links_seen += 1;
            wrong.extend(
                problem(&document, &link).map(|what| format!("{}: {what}", document.display())),
            );
        }
    }
    assert!(links_seen > 50, "the links were not found: {links_seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_broken_link_is_found() {
    let readme = Path::new("README.md");
    for good in [
        "docs/limits.md",
        "docs/limits.md#scopes",
        "#quick-start",
        "configs",
        "https://a.example/b",
    ] {
        assert_eq!(problem(readme, good), None);
    }
    for bad in [
        "docs/nowhere.md",
        "docs/limits.md#nowhere",
        "#nowhere",
        "../README.md",
    ] {
        assert!(problem(readme, bad).is_some(), "{bad}");
    }
    assert_eq!(
        problem(Path::new("docs/limits.md"), "../README.md#quick-start"),
        None
    );
    assert_eq!(
        links("[a](b.md#c), `[no](code)` [d](e)\n```\n[no](fence)\n```\n[f](g)"),
        ["b.md#c", "e", "g"]
    );
    assert_eq!(
        anchors("# A b\n## `c`: d-e → f!\n# A b"),
        ["a-b", "c-d-e--f", "a-b-1"]
    );
}

/// The files below `directory` with one of these endings.
fn files(directory: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            files(&path, endings, found);
        } else if endings.contains(&ending.as_ref()) {
            found.push(path);
        }
    }
}

/// `docs/NAME.md` in a text that is no document, and the section after it, where one is quoted: `docs/NAME.md, "Section"`.
fn mentions(text: &str) -> Vec<(String, Option<String>)> {
    let of_rest = |rest: &str| {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let name: String = rest.chars().take_while(is_part).collect();
        let rest = rest[name.len()..].strip_prefix(".md")?;
        let quoted = rest
            .strip_prefix(", \\\"")
            .or_else(|| rest.strip_prefix(", \""));
        let section = quoted.map(|quoted| {
            quoted
                .chars()
                .take_while(|c| !matches!(c, '"' | '\\'))
                .collect()
        });
        Some((format!("docs/{name}.md"), section))
    };
    text.split("docs/").skip(1).filter_map(of_rest).collect()
}

#[test]
fn messages_and_examples_name_documents_and_sections_that_exist() {
    let mut places = Vec::new();
    files(&root().join("src"), &["rs"], &mut places);
    files(
        &root().join("configs"),
        &["toml", "yaml", "json"],
        &mut places,
    );
    let mut seen = 0;
    for place in places
        .iter()
        .filter(|place| !place.ends_with("documents_tests.rs"))
    {
        for (document, section) in mentions(&read(place)) {
            seen += usize::from(section.is_some());
            let text = read(&root().join(&document));
            let is_there = section
                .as_deref()
                .is_none_or(|section| headings(&text).any(|heading| heading == section));
            assert!(
                is_there,
                "{}: {document} has no section {section:?}",
                place.display()
            );
        }
    }
    assert!(seen >= 2, "the messages of doctor were not found");
}

#[test]
fn every_code_has_its_section_in_order_and_every_section_its_code() {
    let page = read(&root().join("docs/errors.md"));
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in page.lines() {
        match line.strip_prefix("### ") {
            Some(code) => sections.push((code, String::new())),
            None if line.starts_with("## ") => {}
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    *text += line;
                    *text += " ";
                }
            }
        }
    }
    let codes: Vec<String> = Code::ALL.iter().map(|(code, _)| code.to_string()).collect();
    let named: Vec<&str> = sections.iter().map(|(code, _)| *code).collect();
    assert_eq!(named, codes);
    for ((code, meaning), (_, text)) in Code::ALL.iter().zip(&sections) {
        let start = format!(" **{meaning}** ");
        assert!(text.starts_with(&start), "{code}: {text}");
        assert!(text.contains(" *What to do:* "), "{code}: {text}");
    }
}

#[test]
fn the_architecture_has_every_module_in_the_order_of_the_arrows() {
    let arrows = include_str!("arrows.txt");
    let modules = arrows
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains(" -> "))
        .filter_map(|line| Some(line.split_once(':')?.0));
    let page = read(&root().join("docs/architecture.md"));
    let rows: Vec<_> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
        .collect();
    assert_eq!(rows, modules.collect::<Vec<_>>());
}
