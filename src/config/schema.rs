//! What the keys of a workflow file are made of. camelCase here; snake_case of the same key is accepted.

mod keys;
mod parts;

pub(super) use keys::{PARTITION_SIZE, TABLE, WORKFLOW};

/// Where a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// In the source: its platform's rules.
    Source,
    /// In Snowflake.
    Target,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text that is not blank.
    Text,
    /// Text; blank means that there is none.
    Affinity,
    /// `major`, `major.minor` or `major.minor.patch`.
    Version,
    /// One of these words, whatever its case, and with `_` for `-`.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// `true` (the second word), `false` (the first one), or one of these words.
    SwitchOrChoice(&'static [&'static str]),
    /// A whole number above zero.
    Count,
    /// One part of a name.
    Name(Side),
    /// Columns, each once.
    Names(Side),
    /// A Snowflake type.
    TargetType,
    /// A predicate in the source's SQL.
    Predicate,
    /// An aggregate in the source's SQL.
    Expression,
    /// A part of a statement in the source's SQL; blank means that there is none.
    Modifier,
    /// A path on a stage, `@…`.
    StagePath,
    /// `"auto"` or an object with one of the sizes.
    PartitionSize,
    /// An object with these keys; merged key by key.
    Object(&'static [Key]),
    /// A list of objects with these keys, all required; replaced whole.
    Objects(&'static [Key]),
    /// A list of [`customColumnTransforms`](super::transforms): the table's own come before those that it inherits.
    Transforms(&'static [Key]),
    /// A regular expression.
    Pattern,
    /// A value in the source's SQL, with `{{ col_name }}` for a column.
    Encode,
    /// A value in Snowflake's SQL, with `{{ col_name }}` for what is in the file.
    Decode,
    /// Refused, whatever its value: why, and what to do.
    Refused(&'static str),
    /// The tables: checked one by one, after merging.
    Tables,
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// In camelCase.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) kind: Kind,
    /// What it means, in a sentence for those who write the file.
    pub(super) doc: &'static str,
}

/// The key by which editors find the schema of a file.
pub(super) const SCHEMA_REFERENCE: &str = "$schema";

/// The cap that goes with any partition size.
pub(super) const MAX_ROWS: &str = "maxPartitionSizeRows";

/// A size's key, whatever its age, as the first version of the format writes it.
pub(super) fn size_key(name: &str) -> &'static str {
    match name {
        MAX_ROWS => MAX_ROWS,
        _ if name.ends_with("Mb") => "targetSizeMb",
        _ => "maxRowsPerPartition",
    }
}

/// A camelCase key in snake_case.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Every key at every depth, in camelCase.
#[cfg(test)]
pub(super) fn every_key() -> std::collections::BTreeSet<&'static str> {
    fn add(keys: &'static [Key], all: &mut std::collections::BTreeSet<&'static str>) {
        for key in keys {
            all.insert(key.name);
            match key.kind {
                Kind::Object(inner) | Kind::Objects(inner) | Kind::Transforms(inner) => {
                    add(inner, all);
                }
                Kind::PartitionSize => add(PARTITION_SIZE, all),
                Kind::Tables => add(TABLE, all),
                _ => {}
            }
        }
    }
    let mut all = std::collections::BTreeSet::new();
    add(WORKFLOW, &mut all);
    all
}
