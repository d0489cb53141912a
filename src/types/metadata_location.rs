//! Where the metadata is.

use super::snowflake_name;

/// Where the metadata objects live: exact names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataLocation {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
}

impl Default for MetadataLocation {
    fn default() -> Self {
        Self {
            database: "SNOWCONVERT_AI".to_owned(),
            schema: "DATA_MIGRATION".to_owned(),
        }
    }
}

impl MetadataLocation {
    /// The environment variable that moves the metadata into another database.
    pub const DATABASE_VARIABLE: &str = "CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA";
    /// The environment variable that moves the metadata into another schema.
    pub const SCHEMA_VARIABLE: &str = "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA";

    /// The schema, quoted: `"DB"."SCHEMA"`.
    pub fn quoted(&self) -> String {
        format!(
            "{}.{}",
            snowflake_name::quote(&self.database),
            snowflake_name::quote(&self.schema)
        )
    }

    /// The stage of the extracted files, as statements name it: `@"DB"."SCHEMA"."TASK_RESULTS"`.
    pub fn stage(&self) -> String {
        format!("@{}.\"TASK_RESULTS\"", self.quoted())
    }
}
