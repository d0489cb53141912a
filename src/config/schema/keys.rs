//! Every key of a workflow file, what its value must be, and what it means.

use super::{Key, Kind, SCHEMA_REFERENCE, Side};

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
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
    key(
        "defaultTableConfiguration",
        Kind::Object(TABLE),
        "What every table inherits: objects merge key by key, everything else is replaced whole.",
    ),
    key("tables", Kind::Tables, "The tables to migrate."),
];

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
        "The ordered key that the table is cut by; left away: it is inferred from primary key, unique index or identity; []: one partition.",
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
        "primaryKeyColumns",
        Kind::Names(Side::Source),
        "Columns that identify a row, for trackModifications, trackDeletions and enabledWithDedup.",
    ),
    key(
        "partitionSize",
        Kind::PartitionSize,
        "How large a partition shall be: \"auto\", or an object with one size.",
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
        "maxPartitionSizeRows",
        Kind::Count,
        "Later spelling of partitionSize.maxRowsPerPartition.",
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
        "Whether identity columns go on counting in the target.",
    ),
];

const SOURCE: &[Key] = &[
    key(
        "databaseName",
        Kind::Name(Side::Source),
        "The source's database.",
    ),
    key(
        "schemaName",
        Kind::Name(Side::Source),
        "The source's schema.",
    ),
    key(
        "tableName",
        Kind::Name(Side::Source),
        "The source's table; a name that needs quotes carries them.",
    ),
];

const TARGET: &[Key] = &[
    key(
        "databaseName",
        Kind::Name(Side::Target),
        "The target's database; created when it is missing.",
    ),
    key(
        "schemaName",
        Kind::Name(Side::Target),
        "The target's schema; created when it is missing.",
    ),
    key(
        "tableName",
        Kind::Name(Side::Target),
        "The target's table; created when it is missing, otherwise its column types decide.",
    ),
    key(
        "tableType",
        Kind::Choice(&["native", "iceberg"]),
        "Kind of the target; iceberg is not supported yet.",
    ),
    key(
        "icebergConfig",
        Kind::Object(ICEBERG),
        "For tableType iceberg.",
    ),
];

const ICEBERG: &[Key] = &[
    key(
        "catalog",
        Kind::Text,
        "SNOWFLAKE (the default), or the name of a catalog integration.",
    ),
    key(
        "externalVolume",
        Kind::Text,
        "The external volume; required for catalog SNOWFLAKE.",
    ),
    key(
        "baseLocationPrefix",
        Kind::Text,
        "Prefix of the table's BASE_LOCATION, for catalog SNOWFLAKE.",
    ),
    key(
        "catalogTableName",
        Kind::Text,
        "The table's name in an external catalog; required there.",
    ),
    key(
        "catalogSync",
        Kind::Text,
        "Integration that Snowflake's metadata is synchronized back to.",
    ),
    key(
        "sourceDataStage",
        Kind::StagePath,
        "Stage path of Parquet files that exist and are loaded instead of an extraction.",
    ),
    key(
        "migrationStrategy",
        Kind::Choice(&["catalog_link", "convert_to_managed", "copy_files"]),
        "How the table arrives; default: copy_files for catalog SNOWFLAKE, catalog_link for others.",
    ),
];

const EXTRACTION: &[Key] = &[
    key(
        "strategy",
        Kind::Choice(&["regular", "unload"]),
        "regular (the default); unload is for Redshift, and not supported yet.",
    ),
    key(
        "externalStage",
        Kind::Text,
        "For unload: the fully qualified stage over the bucket, DATABASE.SCHEMA.STAGE.",
    ),
];

const SYNCHRONIZATION: &[Key] = &[
    key(
        "strategy",
        Kind::Choice(&["none", "full-replace", "checksum", "watermark"]),
        "none (the default) adds the whole table, full-replace replaces it, checksum replaces changed partitions, watermark adds newer rows.",
    ),
    key(
        "watermarkColumn",
        Kind::Name(Side::Source),
        "For watermark: the column whose values only grow.",
    ),
    key(
        "trackModifications",
        Kind::Switch,
        "For watermark: newer rows replace those with the same primaryKeyColumns.",
    ),
    key(
        "trackDeletions",
        Kind::Switch,
        "For watermark: target rows whose primaryKeyColumns are gone from the source are deleted.",
    ),
    key(
        "checksumExpression",
        Kind::Expression,
        "For checksum: an aggregate of your own in the source's SQL.",
    ),
];

const TYPE_MAPPING: &[Key] = &[
    key(
        "sourceType",
        Kind::Text,
        "Name of the source type, whatever its case.",
    ),
    key("targetType", Kind::TargetType, "The Snowflake type."),
];

const NAME_MAPPING: &[Key] = &[
    key(
        "sourceName",
        Kind::Name(Side::Source),
        "The column in the source.",
    ),
    key(
        "targetName",
        Kind::Name(Side::Target),
        "Its name in the target.",
    ),
];

const LOAD_SEGMENTATION: &[Key] = &[key(
    "targetSegmentSizeMb",
    Kind::Count,
    "Megabytes of files that one COPY statement loads at most.",
)];

const QUERY_MODIFIERS: &[Key] = &[
    key(
        "objectModifier",
        Kind::Modifier,
        "Stands after the table's name, e.g. WITH (NOLOCK).",
    ),
    key(
        "selectModifier",
        Kind::Modifier,
        "Stands after SELECT, e.g. a hint; NONE means none.",
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
        "maxPartitionSizeRows",
        Kind::Count,
        "Later spelling of maxRowsPerPartition.",
    ),
];
