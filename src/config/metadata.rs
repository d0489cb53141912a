//! Where the metadata is: the keys that both roles have.

use super::environment;
use super::identifier;
use super::section::Section;
use crate::domain::problem::Code;
use crate::domain::table::WrittenName;
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::exact_name;

/// The key of the metadata's database.
pub(super) const DATABASE: &str = "snowflake_database_for_metadata";
/// The key of the metadata's schema.
pub(super) const SCHEMA: &str = "snowflake_schema_for_data_migration_metadata";

/// Where the section says that the metadata is, or else the default. Names fold as Snowflake folds them.
pub(super) fn location(section: &mut Section<'_, '_>) -> MetadataLocation {
    environment::check_storage(section.findings, section.var);
    let defaults = MetadataLocation::default();
    MetadataLocation {
        database: name(section, DATABASE).unwrap_or(defaults.database),
        schema: name(section, SCHEMA).unwrap_or(defaults.schema),
    }
}

fn name(section: &mut Section<'_, '_>, key: &str) -> Option<String> {
    let text = section.text(key)?;
    match identifier::check(&text, false) {
        Ok(()) => Some(exact_name(&WrittenName(text))),
        Err(message) => {
            section.problem(key, Code::INVALID_NAME.says(message));
            None
        }
    }
}
