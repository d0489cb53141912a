//! Names of workflows: what users give, and what is made where they give none. Pure.

use super::findings::shown;
use crate::domain::problem::{Code, Problem};
use std::path::Path;

/// The most of a file's name that goes into a workflow's, in bytes: a number follows, and the column holds 256.
const LONGEST_STEM: usize = 200;

/// Checks a workflow's name.
///
/// # Errors
/// What is wrong.
pub fn check_name(name: &str) -> Result<(), Problem> {
    let is_fine = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let begins_well = name.starts_with(|c: char| !c.is_ascii_digit());
    if is_fine && begins_well {
        Ok(())
    } else {
        Err(Code::INVALID_NAME
            .problem(format!("`{}` is not a valid workflow name", shown(name)))
            .hint("use letters, digits and underscores; the first character must not be a digit"))
    }
}

/// What the names of the workflows of this file begin with, where users give none: the file's name as far as it can be
/// in one.
pub fn stem(file: &Path) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut stem: String = name.chars().map(plain).take(LONGEST_STEM).collect();
    if !stem.starts_with(|c: char| c.is_ascii_alphabetic()) {
        stem.insert_str(0, "workflow_");
    }
    stem
}

/// The number of a name that was made from `stem`; `None`: it was not.
pub fn number(stem: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(stem)?.strip_prefix('_')?;
    let is_ours = digits.starts_with(|c: char| ('1'..='9').contains(&c));
    digits.parse().ok().filter(|_| is_ours)
}

/// The name after all of `taken` that were made from `stem`.
pub fn next<'a>(stem: &str, taken: impl IntoIterator<Item = &'a str>) -> String {
    let last = taken.into_iter().filter_map(|name| number(stem, name));
    format!("{stem}_{}", last.max().unwrap_or(0).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_next_name_is_numbered_after_those_of_the_same_file() {
        let stem = stem(Path::new("/some/where/orders-2026.yaml"));
        assert_eq!(stem, "orders_2026");
        assert_eq!(next(&stem, []), "orders_2026_1");
        let taken = [
            "orders_2026_2",
            "orders_2026_10",
            "orders_2026",
            "orders_2026_x",
            "orders_2026_011",
            "orders_2026_99_1",
            "orders_20267_88",
        ];
        assert_eq!(next(&stem, taken), "orders_2026_11");
    }

    #[test]
    fn workflow_names_are_letters_digits_and_underscores() {
        for good in ["a", "Nightly_2024", "_x"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "2x", "a-b", "a b", "é", "a\n", "a;b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_file_is_called_the_name_is_one_and_new(
            file in "\\PC{0,300}", taken in prop::collection::btree_set(1u64..40, 0..9),
        ) {
            let stem = stem(Path::new(&file));
            let taken: Vec<String> = taken.iter().map(|number| format!("{stem}_{number}")).collect();
            let name = next(&stem, taken.iter().map(String::as_str));
            prop_assert!(check_name(&name).is_ok() && name.len() <= 256, "{}", name);
            prop_assert!(!taken.contains(&name));
            prop_assert!(number(&stem, &name).is_some());
        }
    }
}
