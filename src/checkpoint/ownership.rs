//! Whose objects are in the metadata's schema.
//!
//! The default schema is also that of SnowConvert AI's own data migration, which keeps a `WORKFLOW`, a `TASK_QUEUE` and views
//! of our names there, with other columns (documentation: "The SNOWCONVERT_AI database"). `CREATE … IF NOT EXISTS` would
//! pass over them in silence, and `OR REPLACE` would destroy them. So before anything is written it is asked what is there,
//! by statements that need no warehouse. An object is ours if
//!
//! - it has our comment, which everything has that is created since version 3; or
//! - the metadata have a version, and it has the columns that it has in every version: metadata that were created before
//!   that have no comments. `SCHEMA_VERSION` must have its two columns and no other, and the stage of such metadata must
//!   not be encrypted by its clients.
//!
//! Without a version nothing of ours is there but what an interrupted creation has left, and that has our comment.

use super::contract::CheckpointError;
use super::hybrid::HybridCheckpoint;
use super::statements::is_absence;
use super::tables::{SCHEMA_VERSION, TABLES};
use super::views::VIEWS;
use crate::types::snowflake_name;
use std::collections::BTreeSet;

/// The comment of everything that is created here.
pub(super) const COMMENT: &str = "snowhaul";
/// The stage of the extracted files.
pub(super) const STAGE: &str = "TASK_RESULTS";
/// What `SHOW STAGES` calls a stage whose files are encrypted by whoever uploads them: only drivers can read them.
const CLIENT_SIDE: &str = "INTERNAL";

/// An object in the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// `TABLE`, `VIEW`, `STAGE`.
    kind: String,
    name: String,
    comment: String,
    /// The type of a stage.
    stage_type: String,
}

impl HybridCheckpoint {
    /// What in the metadata's schema has a name that the metadata have, and is not ours, as people read it: `table WORKFLOW`.
    /// `is_installed`: whether a version of the metadata was read there. Two statements, and one for each object that has
    /// our name without our comment; they need no warehouse. An object that the role may not see does not count.
    ///
    /// # Errors
    /// When Snowflake cannot be asked.
    pub async fn foreign_objects(
        &self,
        is_installed: bool,
    ) -> Result<Vec<String>, CheckpointError> {
        let mut foreign = Vec::new();
        for object in self.objects().await? {
            if object.comment == COMMENT {
                continue;
            }
            let is_version = object.name == SCHEMA_VERSION.name;
            let columns = if object.kind != "STAGE" && (is_installed || is_version) {
                self.columns_of(&object.kind, &object.name).await?
            } else {
                BTreeSet::new()
            };
            if !is_ours(&object, &columns, is_installed) {
                foreign.push(format!("{} {}", object.kind.to_lowercase(), object.name));
            }
        }
        foreign.sort();
        Ok(foreign)
    }

    /// Refuses to go on where something in the schema has our names and is not ours.
    pub(super) async fn refuse_foreign(&self, is_installed: bool) -> Result<(), CheckpointError> {
        let objects = self.foreign_objects(is_installed).await?;
        if objects.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Foreign {
            schema: self.s.clone(),
            objects: objects.join(", "),
        })
    }

    /// The objects of our names.
    async fn objects(&self) -> Result<Vec<Found>, CheckpointError> {
        let (objects, stages) = (
            format!("SHOW OBJECTS IN SCHEMA {}", self.s),
            format!("SHOW STAGES LIKE '{STAGE}' IN SCHEMA {}", self.s),
        );
        let mut found = Vec::new();
        for (sql, columns) in [
            (objects, ["name", "kind", "comment"]),
            (stages, ["name", "type", "comment"]),
        ] {
            let rows = match self.show(&sql, &columns).await {
                Err(error) if is_absence(&error) => return Ok(Vec::new()),
                rows => rows?,
            };
            for row in rows {
                let [name, kind, comment] = &row[..] else {
                    continue;
                };
                let is_stage = columns[1] == "type";
                let (kind, stage_type) = if is_stage {
                    ("STAGE", kind.as_str())
                } else {
                    (kind.as_str(), "")
                };
                if is_our_name(name, is_stage) {
                    found.push(Found {
                        kind: kind.to_owned(),
                        name: name.clone(),
                        comment: comment.clone(),
                        stage_type: stage_type.to_owned(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// The columns of a table or a view of the metadata.
    pub(super) async fn columns_of(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<BTreeSet<String>, CheckpointError> {
        let kind = if kind == "VIEW" { "VIEW" } else { "TABLE" };
        let sql = format!(
            "SHOW COLUMNS IN {kind} {}.{}",
            self.s,
            snowflake_name::quote(name)
        );
        let rows = self.show(&sql, &["column_name"]).await?;
        Ok(rows.into_iter().flatten().collect())
    }
}

fn is_our_name(name: &str, is_stage: bool) -> bool {
    if is_stage {
        return name == STAGE;
    }
    name == SCHEMA_VERSION.name
        || TABLES.iter().any(|table| table.name == name)
        || VIEWS.iter().any(|view| view.name == name)
}

/// Whether an object of our name is ours, by the rule above.
fn is_ours(object: &Found, columns: &BTreeSet<String>, is_installed: bool) -> bool {
    let has = |marks: &[&str]| marks.iter().all(|mark| columns.contains(*mark));
    if object.comment == COMMENT {
        return true;
    }
    if object.name == SCHEMA_VERSION.name {
        let marks = SCHEMA_VERSION.marks;
        return object.kind == "TABLE" && has(marks) && columns.len() == marks.len();
    }
    if !is_installed {
        return false;
    }
    match object.kind.as_str() {
        "STAGE" => object.stage_type != CLIENT_SIDE,
        "VIEW" => VIEWS
            .iter()
            .any(|view| view.name == object.name && has(view.marks)),
        _ => TABLES
            .iter()
            .any(|table| table.name == object.name && has(table.marks)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, comment: &str) -> Found {
        Found {
            kind: kind.to_owned(),
            name: name.to_owned(),
            comment: comment.to_owned(),
            stage_type: String::new(),
        }
    }

    fn set(columns: &[&str]) -> BTreeSet<String> {
        columns.iter().map(|column| (*column).to_owned()).collect()
    }

    #[test]
    fn our_comment_decides() {
        for is_installed in [false, true] {
            let ours = object("TABLE", "WORKFLOW", COMMENT);
            assert!(is_ours(&ours, &set(&[]), is_installed));
        }
    }

    #[test]
    fn without_a_version_only_the_table_of_versions_is_known_by_its_columns() {
        let columns = ["WORKFLOW_ID", "NAME", "CREATION_TOKEN", "OWNER_EPOCH"];
        let workflow = object("TABLE", "WORKFLOW", "");
        assert!(!is_ours(&workflow, &set(&columns), false));
        assert!(is_ours(&workflow, &set(&columns), true));
        let version = object("TABLE", "SCHEMA_VERSION", "");
        assert!(is_ours(&version, &set(&["VERSION", "APPLIED_AT"]), false));
        for other in [
            &["VERSION"][..],
            &["VERSION", "APPLIED_AT", "DESCRIPTION"],
            &["VERSION", "SCRIPT"],
        ] {
            assert!(!is_ours(&version, &set(other), true), "{other:?}");
        }
        let view = object("VIEW", "SCHEMA_VERSION", "");
        assert!(!is_ours(&view, &set(&["VERSION", "APPLIED_AT"]), true));
    }

    #[test]
    fn objects_of_another_tool_are_none_of_ours_whatever_the_version() {
        let workflow = object("TABLE", "WORKFLOW", "");
        let columns = ["WORKFLOW_ID", "WORKFLOW_NAME", "STATUS", "CONFIGURATION"];
        assert!(!is_ours(&workflow, &set(&columns), true));
        let view = object("VIEW", "DATA_MIGRATION_ERROR", "another's");
        assert!(!is_ours(&view, &set(&["WORKFLOW_ID", "ERROR"]), true));
        let mut stage = object("STAGE", STAGE, "");
        stage.stage_type = CLIENT_SIDE.to_owned();
        assert!(!is_ours(&stage, &set(&[]), true));
        stage.stage_type = "INTERNAL NO CSE".to_owned();
        assert!(is_ours(&stage, &set(&[]), true) && !is_ours(&stage, &set(&[]), false));
    }
}
