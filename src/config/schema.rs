//! Every key of a workflow file, and what its value must be. camelCase here; snake_case of the same key is accepted.

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
    /// A path on a stage, `@…`.
    StagePath,
    /// `"auto"` or an object with one of the sizes.
    PartitionSize,
    /// An object with these keys; merged key by key.
    Object(&'static [Key]),
    /// A list of objects with these keys, all required; replaced whole.
    Objects(&'static [Key]),
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
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// The top level.
pub(super) const WORKFLOW: &[Key] = &[
    key("schemaVersion", Kind::Version),
    key("affinity", Kind::Affinity),
    key(
        "cleanUpTransientResources",
        Kind::Choice(&["on-success", "never", "always"]),
    ),
    key("preflight", Kind::Switch),
    key("preflightKeepSchema", Kind::Switch),
    key("defaultTableConfiguration", Kind::Object(TABLE)),
    key("tables", Kind::Tables),
];

/// One table, and `defaultTableConfiguration`.
pub(super) const TABLE: &[Key] = &[
    key("source", Kind::Object(SOURCE)),
    key("target", Kind::Object(TARGET)),
    key("columnNamesToPartitionBy", Kind::Names(Side::Source)),
    key("extraction", Kind::Object(EXTRACTION)),
    key("synchronization", Kind::Object(SYNCHRONIZATION)),
    key("columnTypeMappings", Kind::Objects(TYPE_MAPPING)),
    key("columnNameMappings", Kind::Objects(NAME_MAPPING)),
    key("primaryKeyColumns", Kind::Names(Side::Source)),
    key("partitionSize", Kind::PartitionSize),
    key("targetPartitionSizeMb", Kind::Count),
    key("targetPartitionSizeRows", Kind::Count),
    key("maxPartitionSizeRows", Kind::Count),
    key("whereClauseCriteria", Kind::Predicate),
    key("loadSegmentation", Kind::Object(LOAD_SEGMENTATION)),
    key("excludeSourceColumns", Kind::Names(Side::Source)),
    key("queryModifiers", Kind::Object(QUERY_MODIFIERS)),
    key("samplingThresholdRows", Kind::Count),
    key("samplingTargetRows", Kind::Count),
    key("executionTimeoutMinutes", Kind::Count),
    key(
        "resetPartitions",
        Kind::SwitchOrChoice(&["disabled", "enabled", "enabledWithDedup"]),
    ),
    key("continueIdentityColumns", Kind::Switch),
];

const SOURCE: &[Key] = &[
    key("databaseName", Kind::Name(Side::Source)),
    key("schemaName", Kind::Name(Side::Source)),
    key("tableName", Kind::Name(Side::Source)),
];

const TARGET: &[Key] = &[
    key("databaseName", Kind::Name(Side::Target)),
    key("schemaName", Kind::Name(Side::Target)),
    key("tableName", Kind::Name(Side::Target)),
    key("tableType", Kind::Choice(&["native", "iceberg"])),
    key("icebergConfig", Kind::Object(ICEBERG)),
];

const ICEBERG: &[Key] = &[
    key("catalog", Kind::Text),
    key("externalVolume", Kind::Text),
    key("baseLocationPrefix", Kind::Text),
    key("catalogTableName", Kind::Text),
    key("catalogSync", Kind::Text),
    key("sourceDataStage", Kind::StagePath),
    key(
        "migrationStrategy",
        Kind::Choice(&["catalog_link", "convert_to_managed", "copy_files"]),
    ),
];

const EXTRACTION: &[Key] = &[
    key("strategy", Kind::Choice(&["regular", "unload"])),
    key("externalStage", Kind::Text),
];

const SYNCHRONIZATION: &[Key] = &[
    key(
        "strategy",
        Kind::Choice(&["none", "full-replace", "checksum", "watermark"]),
    ),
    key("watermarkColumn", Kind::Name(Side::Source)),
    key("trackModifications", Kind::Switch),
    key("trackDeletions", Kind::Switch),
    key("checksumExpression", Kind::Expression),
];

const TYPE_MAPPING: &[Key] = &[
    key("sourceType", Kind::Text),
    key("targetType", Kind::TargetType),
];

const NAME_MAPPING: &[Key] = &[
    key("sourceName", Kind::Name(Side::Source)),
    key("targetName", Kind::Name(Side::Target)),
];

const LOAD_SEGMENTATION: &[Key] = &[key("targetSegmentSizeMb", Kind::Count)];

const QUERY_MODIFIERS: &[Key] = &[
    key("objectModifier", Kind::Text),
    key("selectModifier", Kind::Text),
];

/// The sizes that the object form of `partitionSize` may have.
pub(super) const PARTITION_SIZE: &[Key] = &[
    key("targetSizeMb", Kind::Count),
    key("maxRowsPerPartition", Kind::Count),
    key("targetPartitionSizeMb", Kind::Count),
    key("targetPartitionSizeRows", Kind::Count),
    key("maxPartitionSizeRows", Kind::Count),
];

/// A size's key, whatever its age, as the first version of the format writes it.
pub(super) fn size_key(name: &str) -> &'static str {
    if name.ends_with("Mb") {
        "targetSizeMb"
    } else {
        "maxRowsPerPartition"
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
                Kind::Object(inner) | Kind::Objects(inner) => add(inner, all),
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
