//! Whether the settings of an Iceberg target fit together.

use super::merge::text_at;
use super::table::{Merged, TableCheck};
use crate::domain::problem::Code;

/// Where Snowflake keeps the files itself.
const OWN_VOLUME: &str = "SNOWFLAKE_MANAGED";

impl TableCheck<'_> {
    /// The settings of an Iceberg target.
    pub(super) fn iceberg(&mut self, table: &Merged<'_>) {
        let config = "target.icebergConfig";
        if !table.is("target.tableType", "iceberg") {
            if table.is_filled(config) {
                self.wrong(
                    table,
                    config,
                    "this is for tableType \"iceberg\", and this table is native; remove it or set the tableType",
                );
            }
            return;
        }
        self.not_yet(table, "target.tableType", "\"iceberg\"", "write \"native\"");
        let catalog = text_at(table.merged, "target.icebergConfig.catalog").unwrap_or("SNOWFLAKE");
        let is_managed = catalog.eq_ignore_ascii_case("SNOWFLAKE");
        let (needed, why) = if is_managed {
            (
                "target.icebergConfig.externalVolume",
                "catalog SNOWFLAKE needs an external volume here",
            )
        } else {
            (
                "target.icebergConfig.catalogTableName",
                "an external catalog needs the table's name in it here",
            )
        };
        if !table.has(needed) {
            self.missing(table, needed, why);
        }
        let strategy = "target.icebergConfig.migrationStrategy";
        match text_at(table.merged, strategy) {
            Some(external @ ("catalog_link" | "convert_to_managed")) if is_managed => {
                let message = format!(
                    "\"{external}\" takes the table from an external catalog; name its integration as `catalog`, or write \"copy_files\""
                );
                self.wrong(table, strategy, &message);
            }
            Some("copy_files") if !is_managed => self.wrong(
                table,
                strategy,
                "\"copy_files\" is for catalog SNOWFLAKE; write \"catalog_link\" or \"convert_to_managed\"",
            ),
            _ => {}
        }
        self.iceberg_profile(table, is_managed);
        if table.is("synchronization.strategy", "full-replace") {
            self.wrong(
                table,
                "synchronization.strategy",
                "\"full-replace\" is for native tables only",
            );
        }
    }

    /// How its files are written, and where.
    fn iceberg_profile(&mut self, table: &Merged<'_>, is_managed: bool) {
        let config = |key: &str| format!("target.icebergConfig.{key}");
        for (key, word, why) in [
            (
                "icebergSpec",
                "v3",
                "\"v3\" is not supported yet; write \"v2\", which every engine reads",
            ),
            (
                "storageMode",
                "native",
                "\"native\" writes files that other engines may not read, and is not supported; write \"compatible\"",
            ),
            (
                "loadMode",
                "ADD_FILES_COPY",
                "\"ADD_FILES_COPY\" registers files as they are, without the casts and names that the load gives them, and is not supported; write \"FULL_INGEST\"",
            ),
        ] {
            let key = config(key);
            if table.is(&key, word) {
                self.wrong(table, &key, Code::UNSUPPORTED_SETTING.says(why));
            }
        }
        let volume = text_at(table.merged, "target.icebergConfig.externalVolume");
        let prefix = config("baseLocationPrefix");
        if volume.is_some_and(|name| name.eq_ignore_ascii_case(OWN_VOLUME)) && table.has(&prefix) {
            self.wrong(
                table,
                &prefix,
                "externalVolume is SNOWFLAKE_MANAGED, where Snowflake chooses the place itself; remove it",
            );
        }
        let size = config("targetFileSize");
        if !is_managed && table.has(&size) {
            self.wrong(
                table,
                &size,
                "it is for catalog SNOWFLAKE, and another catalog's engine writes these files; remove it",
            );
        }
    }
}
