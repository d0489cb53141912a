//! The analysis of a table alone, without a migration around it.

use snowhaul::domain::analysis::{SyncPartition, SyncSettings, SyncSnapshot, TableAnalysis};
use snowhaul::domain::source_settings::SourceSettings;
use snowhaul::domain::spec::{Synchronization, TableSpec};
use snowhaul::domain::table::{
    KeyColumn, KeyRange, PartitionSize, Platform, QueryModifiers, TableRef, WrittenName,
};
use snowhaul::platform::{self, Scope, SourcePlatform};
use snowhaul::source::{self, SourceError};
use snowhaul_integration::{Database, Sql};
use std::collections::BTreeMap;

/// What the local server plays.
pub const PLATFORMS: [Platform; 2] = [Platform::Redshift, Platform::Postgresql];

pub fn dialect(platform: Platform) -> &'static dyn SourcePlatform {
    platform::source(platform).unwrap()
}

pub fn settings(database: &Database<'_>, platform: Platform) -> SourceSettings {
    let (username, password) = database.login();
    SourceSettings {
        platform,
        host: "127.0.0.1".to_owned(),
        port: database.port_of(platform.as_str()),
        database: database.name().to_owned(),
        username: username.to_owned(),
        password: password.to_owned().into(),
        odbc_driver: None,
        extra_options: BTreeMap::new(),
    }
}

pub fn table_ref(name: &str) -> TableRef {
    let part = |text: &str| WrittenName(text.to_owned());
    TableRef {
        database: part("d"),
        schema: part("public"),
        table: part(name),
    }
}

/// A table that is cut into parts of so many rows.
pub fn spec(name: &str, key: Option<&[&str]>, rows: u64) -> TableSpec {
    TableSpec {
        key: key.map(|key| key.iter().map(|name| (*name).to_owned()).collect()),
        partition_size: PartitionSize::MaxRowsPerPartition(rows),
        ..TableSpec::new(table_ref(name), table_ref(name))
    }
}

pub fn try_analyze(
    database: &Database<'_>,
    platform: Platform,
    spec: &TableSpec,
    previous: Option<&SyncSnapshot>,
) -> Result<TableAnalysis, SourceError> {
    source::analyze(
        &settings(database, platform),
        dialect(platform),
        spec,
        previous,
    )
}

pub fn analyze(
    database: &Database<'_>,
    platform: Platform,
    spec: &TableSpec,
    previous: Option<&SyncSnapshot>,
) -> TableAnalysis {
    try_analyze(database, platform, spec, previous).unwrap_or_else(|error| panic!("{error}"))
}

/// An aggregate over a range of a table, as an extraction takes it.
pub fn aggregate(
    sql: &Sql,
    platform: Platform,
    spec: &TableSpec,
    key: &[KeyColumn],
    range: &KeyRange,
    aggregate: &str,
) -> String {
    let scope = Scope {
        table: &spec.source,
        key,
        range,
        window: None,
        where_clause: spec.where_clause.as_deref(),
        modifiers: &QueryModifiers::default(),
    };
    sql.value(&dialect(platform).aggregate(&scope, aggregate).sql)
        .unwrap_or_default()
}

/// What a run leaves behind that has moved everything that the analysis told it to.
pub fn moved(
    sql: &Sql,
    platform: Platform,
    spec: &TableSpec,
    analysis: &TableAnalysis,
) -> SyncSnapshot {
    let partitions = analysis.partitions.iter().map(|partition| {
        let taken = analysis.checksum.as_ref().map(|checksum| {
            aggregate(
                sql,
                platform,
                spec,
                &analysis.key,
                &partition.range,
                checksum,
            )
        });
        let upto = analysis.watermark.as_ref().map(|w| w.upto.clone());
        SyncPartition {
            range: partition.range.clone(),
            checksum: if partition.unchanged {
                partition.checksum.clone()
            } else {
                taken
            },
            watermark: if partition.unchanged {
                partition.after.clone()
            } else {
                upto
            },
        }
    });
    SyncSnapshot {
        settings: SyncSettings {
            key: analysis.key.clone(),
            where_clause: spec.where_clause.clone(),
            synchronization: spec.synchronization.clone(),
            untold: analysis.untold,
            columns: None,
            without_child_tables: spec.query_modifiers.without_child_tables,
        },
        partitions: partitions.collect(),
    }
}

/// Which partitions have something to move.
pub fn changed(analysis: &TableAnalysis) -> Vec<usize> {
    let is_changed = |(index, partition): (usize, &_)| {
        let partition: &snowhaul::domain::analysis::AnalyzedPartition = partition;
        (!partition.unchanged).then_some(index)
    };
    analysis
        .partitions
        .iter()
        .enumerate()
        .filter_map(is_changed)
        .collect()
}

pub fn by_checksum() -> Synchronization {
    Synchronization::Checksum { expression: None }
}

pub fn by_watermark(column: &str) -> Synchronization {
    Synchronization::Watermark {
        column: column.to_owned(),
        track_modifications: false,
        track_deletions: false,
    }
}
