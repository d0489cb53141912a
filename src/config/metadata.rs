//! Where the metadata is: the keys and environment variables that both roles have.

use super::environment;
use super::findings::Findings;
use super::identifier;
use super::section::Section;
use crate::domain::table::WrittenName;
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::exact_name;

/// The key of the metadata's database.
pub(super) const DATABASE: &str = "snowflake_database_for_metadata";
/// The key of the metadata's schema.
pub(super) const SCHEMA: &str = "snowflake_schema_for_data_migration_metadata";

/// The section's keys over the environment over the defaults. Names fold as Snowflake folds them.
pub(super) fn location(section: &mut Section<'_, '_>) -> MetadataLocation {
    environment::check_storage(section);
    let defaults = MetadataLocation::default();
    MetadataLocation {
        database: name(section, DATABASE, MetadataLocation::DATABASE_VARIABLE)
            .unwrap_or(defaults.database),
        schema: name(section, SCHEMA, MetadataLocation::SCHEMA_VARIABLE).unwrap_or(defaults.schema),
    }
}

fn name(section: &mut Section<'_, '_>, key: &str, variable: &str) -> Option<String> {
    if section.has(key) {
        let text = section.text(key)?;
        let path = section.at(key);
        return checked(text, &path, section.findings);
    }
    let text = variable_value(section, variable)?;
    checked(text, variable, section.findings)
}

/// An environment variable that is not blank.
pub(super) fn variable_value(section: &Section<'_, '_>, name: &str) -> Option<String> {
    (section.var)(name).filter(|value| !value.trim().is_empty())
}

fn checked(text: String, path: &str, findings: &mut Findings) -> Option<String> {
    match identifier::check(&text, false) {
        Ok(()) => Some(exact_name(&WrittenName(text))),
        Err(message) => {
            findings.problem(path, message);
            None
        }
    }
}
