//! The objects that the keys of a table hold.

use super::keys::key;
use super::{Key, Kind, Side};

/// A table of the source.
pub(super) const SOURCE: &[Key] = &[
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

/// A table of Snowflake.
pub(super) const TARGET: &[Key] = &[
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

/// An Iceberg table of Snowflake.
pub(super) const ICEBERG: &[Key] = &[
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
    key(
        "icebergSpec",
        Kind::Choice(&["v2", "v3"]),
        "Version of Iceberg's specification: v2.",
    ),
    key(
        "storageMode",
        Kind::Choice(&["compatible", "native"]),
        "How data files are written: compatible, for other engines too.",
    ),
    key(
        "externalEngineAccess",
        Kind::Switch,
        "Whether other engines read the table; they can, in storageMode compatible.",
    ),
    key(
        "loadMode",
        Kind::Choice(&["FULL_INGEST", "ADD_FILES_COPY"]),
        "How files are loaded: FULL_INGEST writes their rows into files of the table.",
    ),
    key(
        "postLoadOptimize",
        Kind::Switch,
        "Whether data compaction is switched on after the load.",
    ),
    key(
        "targetFileSize",
        Kind::Choice(&["AUTO", "16MB", "32MB", "64MB", "128MB"]),
        "TARGET_FILE_SIZE of the table, for catalog SNOWFLAKE.",
    ),
];

/// The way out of the source.
pub(super) const EXTRACTION: &[Key] = &[
    key(
        "strategy",
        Kind::Choice(&[
            "regular",
            "unload",
            "cloud_direct",
            "cet_as",
            "write_nos",
            "dbms_cloud",
            "export_data",
            "tpt",
        ]),
        "regular (the default); the others are not supported yet, or are for other platforms.",
    ),
    key(
        "externalStage",
        Kind::Text,
        "For unload and cloud_direct: the fully qualified stage over the bucket, DATABASE.SCHEMA.STAGE.",
    ),
    key(
        "storageBackend",
        Kind::Choice(&["s3", "blob"]),
        "For cloud_direct: the kind of the bucket.",
    ),
];

/// The way into the target.
pub(super) const LOADING: &[Key] = &[key(
    "strategy",
    Kind::Refused(
        "files are loaded by COPY INTO alone, in one transaction with the checkpoint; snowpipe loads at its own time, outside of any transaction, so that rows could come twice or not at all: remove `loading`",
    ),
    "Refused: files are always loaded by COPY INTO, in one transaction with the checkpoint.",
)];

/// The user's SQL for columns.
pub(super) const TRANSFORM: &[Key] = &[
    key(
        "column",
        Kind::Name(Side::Source),
        "The column in the source that the rule is for.",
    ),
    key(
        "columnPattern",
        Kind::Pattern,
        "A regular expression for the whole of the column's name, whatever its case.",
    ),
    key(
        "dataType",
        Kind::Text,
        "The column's type in the source, with or without its arguments.",
    ),
    key(
        "encodeExpression",
        Kind::Encode,
        "What the source computes for the column, in its SQL; {{ col_name }} is the column. It travels as text.",
    ),
    key(
        "decodeExpression",
        Kind::Decode,
        "What COPY INTO computes, in Snowflake's SQL; {{ col_name }} is the value in the file.",
    ),
    key(
        "targetType",
        Kind::TargetType,
        "The column's type in a target that is created.",
    ),
];

/// What later runs do.
pub(super) const SYNCHRONIZATION: &[Key] = &[
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

/// A type in place of the default.
pub(super) const TYPE_MAPPING: &[Key] = &[
    key(
        "sourceType",
        Kind::Text,
        "Name of the source type, whatever its case.",
    ),
    key("targetType", Kind::TargetType, "The Snowflake type."),
];

/// A new name.
pub(super) const NAME_MAPPING: &[Key] = &[
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

/// The parts of a load.
pub(super) const LOAD_SEGMENTATION: &[Key] = &[key(
    "targetSegmentSizeMb",
    Kind::Count,
    "Megabytes of files that one COPY statement loads at most.",
)];

/// The user's pieces of statements.
pub(super) const QUERY_MODIFIERS: &[Key] = &[
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
