//! Target tables: planned, created, loaded, and what is done with them at a workflow's end.
//!
//! What a kind of table has of its own is a [`TargetTable`], one folder per kind: [`native`]. Everything else here is the
//! same for all kinds: which column goes where ([`matching`]), the load's transaction ([`loader`]), its statements
//! ([`copy`], [`merge`], [`replace`]). A new kind is a folder, a value of [`TargetKind`] and an arm of [`of`].

pub mod column_changes;
pub mod columns;
pub mod copy;
pub mod finish;
pub mod identity;
pub mod load;
mod load_job;
pub mod loader;
pub mod matching;
pub mod merge;
pub mod native;
pub mod planner;
pub mod policies;
pub mod replace;
mod tables;
mod transforms;
mod type_mappings;

use crate::domain::table::TableRef;
use crate::domain::table_plan::TargetKind;
use crate::types::FileColumn;

/// What one kind of target table has of its own. Pure: statements and types.
pub trait TargetTable: Send + Sync {
    /// The privilege on the schema that creates one.
    fn create_privilege(&self) -> &'static str;

    /// The statement that creates an empty one of this quoted name, which only shows that it can be done.
    fn probe(&self, table: &str) -> String;

    /// The type of a column to create, from the one that the source's platform plans.
    fn created_type<'a>(&self, planned: &'a str) -> &'a str;

    /// The type in its place in accounts that refuse such a column as too large; `None`: there is none.
    fn smaller_type<'a>(&self, created: &'a str) -> Option<&'a str>;

    /// The DDL of a table that does not exist, with what the source says of it.
    fn create(&self, table: &TableRef, columns: &[NewColumn], comment: Option<&str>) -> String;

    /// Creates a table of the same form, unless it is there.
    fn create_like(&self, copy: &TableRef, table: &TableRef) -> String;

    /// What describes a table's columns, as `DESCRIBE TABLE` names them.
    fn describe(&self, table: &TableRef) -> String;

    /// How a column of a file is loaded into a column of `target_type`. Its route must have planned it for that type.
    ///
    /// # Errors
    /// When its values could not be loaded as they are: why, for a message that names the column.
    fn load_expression(
        &self,
        column: &FileColumn,
        target_type: &str,
    ) -> Result<LoadExpression, String>;
}

/// The kind of this name.
pub fn of(kind: TargetKind) -> &'static dyn TargetTable {
    match kind {
        TargetKind::Native => &native::Native,
    }
}

/// How a column of a file becomes a column of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadExpression {
    /// The expression over the file, e.g. `$1:"c0"::NUMBER(38,2)`.
    pub sql: String,
    /// What users should know of: values that mean the same but are not the same.
    pub warning: Option<String>,
}

/// A column of a target to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColumn {
    /// Exact name.
    pub name: String,
    /// Full type.
    pub target_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What the source says of it.
    pub comment: Option<String>,
    /// Its default, as Snowflake's SQL.
    pub default: Option<String>,
}
