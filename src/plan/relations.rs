//! Which tables a workflow has to name so that every row moves once: pure.

use super::names::listed;
use crate::domain::catalog::{Reading, Relation, RelationKind};
use std::collections::{BTreeMap, BTreeSet};

/// Names that a message has of each kind at most.
const NAMED: usize = 10;

/// A table that the workflow names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenTable<'a> {
    /// The table.
    pub relation: &'a Relation,
    /// Whether the rows of its child tables stay out of it, because these are named themselves.
    pub without_child_tables: bool,
}

/// Tables for a workflow, and what is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The tables, in the order of the relations.
    pub tables: Vec<ChosenTable<'a>>,
    /// Those whose rows come with a chosen one.
    pub covered: Vec<&'a Relation>,
    /// What was wanted, or belongs to it, and is not there, and why: sentences.
    pub left_out: Vec<String>,
}

/// Chooses among the wanted relations. Of a tree whose child tables have no columns of their own the root brings all rows;
/// otherwise each member is chosen by itself, so that no column is lost.
pub fn choose<'a>(relations: &'a [Relation], is_wanted: impl Fn(&Relation) -> bool) -> Choice<'a> {
    let forest = Forest::of(relations);
    let wanted: BTreeSet<&str> = relations
        .iter()
        .filter(|relation| is_wanted(relation))
        .map(|relation| relation.id.as_str())
        .collect();
    let can_move = |r: &Relation| r.num_columns > 0 && r.reading != Reading::Nothing;
    let mut choice = Choice::default();
    let mut left_out: BTreeMap<LeftOut, Vec<String>> = BTreeMap::new();
    for relation in relations.iter().filter(|r| wanted.contains(r.id.as_str())) {
        let mut leave = |why: LeftOut| left_out.entry(why).or_default().push(relation.full_name());
        let ancestors = forest.ancestors(relation);
        let is_family = |ancestor: &&&Relation| {
            wanted.contains(ancestor.id.as_str()) && ancestor.kind.is_table() && can_move(ancestor)
        };
        let brings_all = |ancestor: &&&Relation| forest.is_plain(ancestor);
        let mut family = ancestors.iter().filter(is_family);
        // The farthest one, which no other brings.
        if let Some(root) = family.clone().rfind(brings_all) {
            choice.covered.push(relation);
            let name = format!("{} (with {})", relation.full_name(), root.full_name());
            left_out.entry(LeftOut::Covered).or_default().push(name);
            continue;
        }
        let is_member = relation.kind == RelationKind::ForeignTable && family.next().is_some();
        if !relation.kind.is_table() && !is_member {
            leave(LeftOut::Kind(relation.kind));
        } else if relation.num_columns == 0 {
            leave(LeftOut::NoColumns);
        } else if relation.reading == Reading::Nothing {
            leave(LeftOut::NotReadable);
        } else {
            let descendants = forest.descendants(relation);
            let strays: Vec<&Relation> = descendants
                .iter()
                .copied()
                .filter(|r| !wanted.contains(r.id.as_str()))
                .collect();
            let is_plain = forest.is_plain(relation);
            let without_child_tables = !is_plain && strays.len() < descendants.len();
            if without_child_tables {
                let names = strays.iter().map(|stray| stray.full_name());
                left_out.entry(LeftOut::Stray).or_default().extend(names);
            } else if !is_plain {
                leave(LeftOut::OwnColumns);
            }
            choice.tables.push(ChosenTable {
                relation,
                without_child_tables,
            });
        }
    }
    choice.left_out = left_out
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(why, names)| why.sentence(&names))
        .collect();
    choice
}

/// Why something is not in the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LeftOut {
    Covered,
    Stray,
    OwnColumns,
    NoColumns,
    NotReadable,
    Kind(RelationKind),
}

impl LeftOut {
    fn sentence(self, names: &[String]) -> String {
        let num = names.len();
        let names = listed(names, NAMED);
        let plural = if num == 1 { "" } else { "s" };
        match self {
            Self::Covered => {
                format!(
                    "{num} child table{plural} left out, because their rows come with the table that they inherit from: {names}"
                )
            }
            Self::Stray => format!(
                "{num} child table{plural} not asked for, whose rows stay behind: {names}; name them with --schema and --tables"
            ),
            Self::OwnColumns => format!(
                "{num} table{plural} whose child tables were not asked for: their rows come with it, but not their own columns: {names}; name them with --schema and --tables"
            ),
            Self::NoColumns => {
                format!(
                    "{num} table{plural} without columns left out, as there is nothing to move: {names}"
                )
            }
            Self::NotReadable => format!(
                "{num} table{plural} left out that the login may not read: {names}; GRANT USAGE on the schema and SELECT on the table to it"
            ),
            Self::Kind(kind) => {
                let kind_name = match kind {
                    RelationKind::ExtensionObject => {
                        format!("object{plural} of extensions")
                    }
                    _ => format!("{}{plural}", kind.as_str()),
                };
                format!("{num} {kind_name} left out: {names}{}", remedy(kind))
            }
        }
    }
}

/// What to do with what is no table.
pub fn remedy(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::ForeignTable | RelationKind::View | RelationKind::MaterializedView => {
            "; one that the workflow's file names is read like a table"
        }
        RelationKind::LateBindingView => {
            "; the catalog does not have its columns, so that it cannot be migrated: create a view without WITH NO SCHEMA BINDING, or a table from it (CREATE TABLE … AS SELECT …)"
        }
        RelationKind::ExternalTable => {
            "; its rows are in files outside of the source: load these, or create a table from it (CREATE TABLE … AS SELECT …)"
        }
        _ => "",
    }
}

/// Relations by what they inherit from.
struct Forest<'a> {
    by_id: BTreeMap<&'a str, &'a Relation>,
    children: BTreeMap<&'a str, Vec<&'a Relation>>,
}

impl<'a> Forest<'a> {
    fn of(relations: &'a [Relation]) -> Self {
        let by_id = relations.iter().map(|r| (r.id.as_str(), r)).collect();
        let mut children: BTreeMap<&str, Vec<&Relation>> = BTreeMap::new();
        for relation in relations {
            for parent in &relation.parents {
                children.entry(parent).or_default().push(relation);
            }
        }
        Self { by_id, children }
    }

    fn reach(
        start: &'a Relation,
        next: impl Fn(&'a Relation) -> Vec<&'a Relation>,
    ) -> Vec<&'a Relation> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::from([start.id.as_str()]));
        let mut waiting = next(start);
        while let Some(relation) = waiting.pop() {
            if seen.insert(&relation.id) {
                found.push(relation);
                waiting.extend(next(relation));
            }
        }
        found
    }

    fn descendants(&self, relation: &'a Relation) -> Vec<&'a Relation> {
        Self::reach(relation, |r| {
            self.children
                .get(r.id.as_str())
                .cloned()
                .unwrap_or_default()
        })
    }

    fn ancestors(&self, relation: &'a Relation) -> Vec<&'a Relation> {
        let parent = |id: &'a String| self.by_id.get(id.as_str()).copied();
        Self::reach(relation, |r| r.parents.iter().filter_map(parent).collect())
    }

    /// Whether a table brings all rows and columns of its child tables, each once.
    fn is_plain(&self, relation: &'a Relation) -> bool {
        let mut descendants = self.descendants(relation).into_iter();
        descendants.all(|child| child.num_own_columns == 0 && child.parents.len() == 1)
    }
}

#[cfg(test)]
mod tests;
