//! Which columns a table is partitioned by when nobody says it: pure.

use crate::domain::catalog::{KeyCandidate, KeyOrigin, LayoutColumn};
use crate::domain::table::SourceColumn;

/// The best candidate all of whose columns may be part of a key: the primary key, else what is unique (without NULL
/// first, then of fewer columns, then by name), else an identity column. `constraints` are those of the catalog.
pub fn choose_key(
    constraints: &[KeyCandidate],
    columns: &[SourceColumn],
    may_be_key: impl Fn(&SourceColumn) -> bool,
) -> Option<KeyCandidate> {
    // The generator of an identity keeps nobody from writing a value twice; a range does not mind.
    let identities = columns
        .iter()
        .filter(|column| column.identity)
        .map(|column| KeyCandidate {
            origin: KeyOrigin::Identity,
            columns: vec![column.name.clone()],
        });
    let candidates = constraints.iter().cloned().chain(identities);
    best(candidates, columns, may_be_key)
}

/// The best promise that no two rows are the same: the primary key, or else what is unique over columns that are never NULL,
/// all of whose columns may be part of it. What the catalog calls NOT NULL and nobody enforces is no promise
/// ([`SourceColumn::nullable`]).
pub fn choose_row_key(
    constraints: &[KeyCandidate],
    columns: &[SourceColumn],
    may_be_key: impl Fn(&SourceColumn) -> bool,
) -> Option<KeyCandidate> {
    best(constraints.iter().cloned(), columns, |column| {
        !column.nullable && may_be_key(column)
    })
}

fn best(
    candidates: impl Iterator<Item = KeyCandidate>,
    columns: &[SourceColumn],
    may_be_key: impl Fn(&SourceColumn) -> bool,
) -> Option<KeyCandidate> {
    let find = |name: &String| columns.iter().find(|column| column.name == *name);
    candidates
        .filter(|candidate| {
            !candidate.columns.is_empty()
                && candidate
                    .columns
                    .iter()
                    .all(|name| find(name).is_some_and(&may_be_key))
        })
        .min_by_key(|candidate| {
            let rank = match candidate.origin {
                KeyOrigin::PrimaryKey => 0,
                KeyOrigin::Unique(_) => 1,
                KeyOrigin::Identity => 2,
                KeyOrigin::ClusteredIndex => 3,
                KeyOrigin::SortKey => 4,
                KeyOrigin::DistributionKey => 5,
            };
            let nullable = candidate
                .columns
                .iter()
                .any(|name| find(name).is_none_or(|column| column.nullable));
            (
                rank,
                nullable,
                candidate.columns.len(),
                candidate.origin.clone(),
            )
        })
}

/// The sort key, as far as its columns may be a key, or else the distribution key: ranges of them are read without
/// looking at the whole table.
pub fn layout_key(
    layout: &[LayoutColumn],
    may_be_key: impl Fn(&str) -> bool,
) -> Option<KeyCandidate> {
    let mut sorted: Vec<&LayoutColumn> = layout.iter().filter(|c| c.sort_place != 0).collect();
    sorted.sort_by_key(|column| column.sort_place.unsigned_abs());
    let sort_key: Vec<String> = sorted
        .into_iter()
        .map(|column| column.name.clone())
        .take_while(|name| may_be_key(name))
        .collect();
    let distributing = layout
        .iter()
        .find(|column| column.distributes && may_be_key(&column.name));
    match distributing {
        _ if !sort_key.is_empty() => Some(KeyCandidate {
            origin: KeyOrigin::SortKey,
            columns: sort_key,
        }),
        Some(column) => Some(KeyCandidate {
            origin: KeyOrigin::DistributionKey,
            columns: vec![column.name.clone()],
        }),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<SourceColumn> {
        [
            ("id", "int4", false, false),
            ("code", "varchar", false, false),
            ("maybe", "int4", true, false),
            ("blob", "bytea", false, false),
            ("serial", "int8", false, true),
        ]
        .map(|(name, type_name, nullable, identity)| SourceColumn {
            name: name.into(),
            type_name: type_name.into(),
            nullable,
            identity,
            ..SourceColumn::default()
        })
        .into()
    }

    fn unique(name: &str, columns: &[&str]) -> KeyCandidate {
        KeyCandidate {
            origin: KeyOrigin::Unique(name.into()),
            columns: columns.iter().map(|name| (*name).into()).collect(),
        }
    }

    fn chosen(constraints: &[KeyCandidate]) -> Option<String> {
        choose_key(constraints, &columns(), |column| {
            column.type_name != "bytea"
        })
        .map(|candidate| candidate.columns.join(","))
    }

    #[test]
    fn the_best_candidate_that_can_be_ordered_is_chosen() {
        let primary = |columns: &[&str]| KeyCandidate {
            origin: KeyOrigin::PrimaryKey,
            ..unique("", columns)
        };
        let pair = unique("a", &["code", "id"]);
        let (maybe, code, id) = (
            unique("a", &["maybe"]),
            unique("z", &["code"]),
            unique("y", &["id"]),
        );
        assert_eq!(
            chosen(&[id.clone(), primary(&["code", "id"])]).as_deref(),
            Some("code,id")
        );
        assert_eq!(
            chosen(&[primary(&["id", "blob"]), pair.clone()]).as_deref(),
            Some("code,id")
        );
        assert_eq!(
            chosen(&[maybe.clone(), pair.clone()]).as_deref(),
            Some("code,id")
        );
        assert_eq!(chosen(&[pair, code, id]).as_deref(), Some("id"));
        assert_eq!(chosen(&[maybe]).as_deref(), Some("maybe"));
        assert_eq!(chosen(&[unique("a", &["blob"])]).as_deref(), Some("serial"));
        assert_eq!(
            choose_key(&[unique("a", &["gone"])], &columns()[..1], |_| true),
            None
        );
    }

    #[test]
    fn rows_are_told_apart_by_a_promise_alone() {
        let chosen = |constraints: &[KeyCandidate]| {
            choose_row_key(constraints, &columns(), |column| column.name != "code")
                .map(|candidate| candidate.columns.join(","))
        };
        let primary = |name: &str| KeyCandidate {
            origin: KeyOrigin::PrimaryKey,
            ..unique("", &[name])
        };
        assert_eq!(
            chosen(&[unique("u", &["serial"]), primary("blob")]).as_deref(),
            Some("blob")
        );
        assert_eq!(
            chosen(&[unique("u", &["id", "serial"])]).as_deref(),
            Some("id,serial")
        );
        // NULL comes as often as it likes, a generator promises nothing, and what is left out tells nothing apart.
        assert_eq!(chosen(&[unique("u", &["maybe"])]), None);
        assert_eq!(chosen(&[unique("u", &["id", "maybe"])]), None);
        assert_eq!(chosen(&[primary("code")]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn the_sort_key_comes_before_the_distribution_key_as_far_as_it_can_be_a_key() {
        let column = |name: &str, sort_place, distributes| LayoutColumn {
            name: name.into(),
            sort_place,
            distributes,
        };
        let layout = [
            column("c", 3, false),
            column("b", -2, false),
            column("d", 0, true),
            column("a", 1, false),
        ];
        let chosen = |may: &str| layout_key(&layout, |name| may.contains(name)).map(|k| k.columns);
        assert_eq!(
            chosen("abcd"),
            Some(vec!["a".into(), "b".into(), "c".into()])
        );
        assert_eq!(chosen("acd"), Some(vec!["a".into()]));
        assert_eq!(chosen("bcd"), Some(vec!["d".into()]));
        assert_eq!(chosen("bc"), None);
    }
}
