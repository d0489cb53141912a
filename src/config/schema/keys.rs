//! Every key of a workflow file, what its value must be, and what it means.

use super::parts::{
    EXTRACTION, LOAD_SEGMENTATION, LOADING, NAME_MAPPING, QUERY_MODIFIERS, SOURCE, SYNCHRONIZATION,
    TARGET, TRANSFORM, TYPE_MAPPING,
};
use super::{Key, Kind, MAX_ROWS, SCHEMA_REFERENCE, Side};

pub(super) const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc }
}

/// The top level.
pub(in crate::config) const WORKFLOW: &[Key] = &[
    key(
        SCHEMA_REFERENCE,
        Kind::Text,
        "The JSON Schema of this file, for editors; otherwise ignored.",
    ),
    key(
        "schemaVersion",
        Kind::Version,
        "Version of this format: major, major.minor or major.minor.patch.",
    ),
    key(
        "affinity",
        Kind::Affinity,
        "Only orchestrators and workers with this affinity, or with none, handle the workflow.",
    ),
    key(
        "cleanUpTransientResources",
        Kind::Choice(&["on-success", "never", "always"]),
        "When the staged files are removed at the workflow's end: those of completed tables, none, or all.",
    ),
    key(
        "preflight",
        Kind::Switch,
        "A bounded dry run: one partition of each table goes into the transient schema PREFLIGHT_<workflow id>.",
    ),
    key(
        "preflightKeepSchema",
        Kind::Switch,
        "Whether the schema of a dry run stays, so that you can look at it.",
    ),
    INTERVAL_HANDLING,
    PERIOD_HANDLING,
    key(
        "defaultTableConfiguration",
        Kind::Object(TABLE),
        "What every table inherits: objects merge key by key, everything else is replaced whole.",
    ),
    key("tables", Kind::Tables, "The tables to migrate."),
];

/// At the top, in the defaults, and in a table.
const INTERVAL_HANDLING: Key = key(
    "intervalHandling",
    Kind::Choice(&["varchar", "interval"]),
    "What intervals become: ISO 8601 text. interval is taken as well, and a warning names the columns that are text all the same.",
);

/// Likewise.
const PERIOD_HANDLING: Key = key(
    "periodHandling",
    Kind::Refused(
        "this is for sources of the platform teradata, which is not supported yet; remove it",
    ),
    "For sources of Teradata; refused.",
);

/// One table, and `defaultTableConfiguration`.
pub(in crate::config) const TABLE: &[Key] = &[
    key("source", Kind::Object(SOURCE), "Where the rows come from."),
    key(
        "target",
        Kind::Object(TARGET),
        "Where the rows go, in Snowflake.",
    ),
    key(
        "columnNamesToPartitionBy",
        Kind::Names(Side::Source),
        "The ordered key that the table is cut by; omitted: it is inferred from primary key, unique index or identity; []: one partition.",
    ),
    key(
        "extraction",
        Kind::Object(EXTRACTION),
        "How rows leave the source.",
    ),
    key(
        "synchronization",
        Kind::Object(SYNCHRONIZATION),
        "What later runs of the same table do.",
    ),
    key(
        "columnTypeMappings",
        Kind::Objects(TYPE_MAPPING),
        "Snowflake types in place of the defaults, by source type.",
    ),
    key(
        "columnNameMappings",
        Kind::Objects(NAME_MAPPING),
        "New names of columns.",
    ),
    key(
        "customColumnTransforms",
        Kind::Transforms(TRANSFORM),
        "SQL of your own for columns, on their way out of the source and into the target; the defaults' rules are kept behind the table's.",
    ),
    INTERVAL_HANDLING,
    PERIOD_HANDLING,
    key(
        "onUntranslatable",
        Kind::Refused(
            "this is for sources of the platform teradata, which is not supported yet; remove it",
        ),
        "For sources of Teradata; refused.",
    ),
    key(
        "targetHasCheckConstraints",
        Kind::SwitchOrChoice(&["false", "true", "unknown"]),
        "Whether the target has CHECK constraints, on which Snowflake's COPY INTO fails: such a target is refused, and nothing is dropped; false: nobody asks.",
    ),
    key(
        "loading",
        Kind::Object(LOADING),
        "How files are loaded: always by COPY INTO.",
    ),
    key(
        "primaryKeyColumns",
        Kind::Names(Side::Source),
        "Columns that identify a row, for trackModifications, trackDeletions and enabledWithDedup; omitted: inferred from the primary key or a unique index over NOT NULL columns.",
    ),
    key(
        "partitionSize",
        Kind::PartitionSize,
        "How large a partition is to be: \"auto\", or an object with one size.",
    ),
    key(
        "targetPartitionSizeMb",
        Kind::Count,
        "Later spelling of partitionSize.targetSizeMb.",
    ),
    key(
        "targetPartitionSizeRows",
        Kind::Count,
        "Later spelling of partitionSize.maxRowsPerPartition.",
    ),
    key(
        MAX_ROWS,
        Kind::Count,
        "Most rows of a partition, by the source's estimate, whatever the partition size is.",
    ),
    key(
        "partitionByDate",
        Kind::Choice(&["year", "month", "day"]),
        "Cuts at years, months or days of the one date column in columnNamesToPartitionBy; the partition size applies inside of each.",
    ),
    key(
        "whereClauseCriteria",
        Kind::Predicate,
        "A predicate in the source's SQL that every query of the table carries.",
    ),
    key(
        "loadSegmentation",
        Kind::Object(LOAD_SEGMENTATION),
        "Splits one partition's load into several COPY statements.",
    ),
    key(
        "excludeSourceColumns",
        Kind::Names(Side::Source),
        "Columns that are left out.",
    ),
    key(
        "includeChildTables",
        Kind::Switch,
        "Whether the rows of the tables that inherit from it come with a table (the default); PostgreSQL only.",
    ),
    key(
        "rowLevelSecurity",
        Kind::Choice(&["refuse", "accept"]),
        "What happens where a policy of the source hides rows of a table from the login: the table fails (refuse, the default), or the rows that the login sees are the whole table (accept).",
    ),
    key(
        "queryModifiers",
        Kind::Object(QUERY_MODIFIERS),
        "Pieces of the source's SQL for every query that reads rows.",
    ),
    key(
        "samplingThresholdRows",
        Kind::Count,
        "Partitions of tables with more estimated rows are found from a sample (default 100000000).",
    ),
    key(
        "samplingTargetRows",
        Kind::Count,
        "About this many rows make the sample (default 20000000).",
    ),
    key(
        "executionTimeoutMinutes",
        Kind::Count,
        "Minutes that a statement of the table's analysis may take; extraction and load are not bounded.",
    ),
    key(
        "resetPartitions",
        Kind::SwitchOrChoice(&["disabled", "enabled", "enabledWithDedup"]),
        "Whether the partitions of the previous run are discarded; enabledWithDedup also merges by primary key. Set it for one run.",
    ),
    key(
        "continueIdentityColumns",
        Kind::Switch,
        "Whether identity columns continue counting in the target.",
    ),
];

/// The sizes that the object form of `partitionSize` may have.
pub(in crate::config) const PARTITION_SIZE: &[Key] = &[
    key(
        "targetSizeMb",
        Kind::Count,
        "About this many megabytes of source data.",
    ),
    key(
        "maxRowsPerPartition",
        Kind::Count,
        "At most about this many rows.",
    ),
    key(
        "targetPartitionSizeMb",
        Kind::Count,
        "Later spelling of targetSizeMb.",
    ),
    key(
        "targetPartitionSizeRows",
        Kind::Count,
        "Later spelling of maxRowsPerPartition.",
    ),
    key(
        MAX_ROWS,
        Kind::Count,
        "The same as the table's maxPartitionSizeRows: a cap beside the size.",
    ),
];
