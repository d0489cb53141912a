//! `actors.md` must not fall behind the code.

use std::path::Path;

/// Every file of an actor and every constant of one, with its file.
fn files_and_constants() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !path.is_file() || name == "mod.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            if let Some((constant, _)) = line.strip_prefix("const ").and_then(|c| c.split_once(':'))
            {
                found.push((name.clone(), constant.to_owned()));
            }
        }
        found.push((name.clone(), name));
    }
    found
}

#[test]
fn the_page_about_the_actors_names_every_file_and_every_constant() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors.md");
    let page = std::fs::read_to_string(page).unwrap();
    let missing: Vec<_> = files_and_constants()
        .into_iter()
        .filter(|(_, word)| !page.contains(word.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in actors.md: {missing:?}");
}
