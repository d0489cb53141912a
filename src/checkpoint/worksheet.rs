//! What users call and query from a worksheet beside the metadata proper: it is created when it is missing or says something
//! else than this build's, whatever version the metadata have. No role needs it.

use super::contract::CheckpointError;
use super::hybrid::HybridCheckpoint;
use super::migration_status;
use super::procedures::{WorksheetObject, procedures};
use super::sql::text;
use crate::domain::analysis::digest;
use crate::failpoint::Step;

/// How the comments of what is ours begin; a digest of the text follows.
const OURS: &str = "snowhaul ";

/// What is to be done about one of them.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// It is there as it should be.
    Keep,
    /// It is missing, or says something else.
    Create,
    /// Somebody else's stands there.
    Leave,
}

impl HybridCheckpoint {
    /// Creates what is missing; what cannot be created is warned of. Two statements that need no warehouse when all is there.
    pub(super) async fn create_worksheet_objects(&self) {
        let mut objects = procedures(&self.s);
        objects.push(migration_status::view(&self.s));
        for (kind, shown, comment) in [
            ("PROCEDURE", "PROCEDURES", "description"),
            ("VIEW", "OBJECTS", "comment"),
        ] {
            let of_kind = objects.iter().filter(|object| object.kind == kind);
            if let Err(error) = self.create_missing(kind, shown, comment, of_kind).await {
                tracing::warn!(
                    %error,
                    "{}",
                    match kind {
                        "PROCEDURE" => format!("the procedures that pause, resume and cancel from a worksheet are not all there; everything else works without. They need GRANT CREATE PROCEDURE ON SCHEMA {} for the orchestrator's role", self.s),
                        _ => format!("the view TABLE_MIGRATION_STATUS is not there; everything else works without. It needs GRANT CREATE VIEW ON SCHEMA {} for the orchestrator's role", self.s),
                    }
                );
            }
        }
    }

    async fn create_missing<'a>(
        &self,
        kind: &str,
        shown: &str,
        comment: &str,
        objects: impl Iterator<Item = &'a WorksheetObject>,
    ) -> Result<(), CheckpointError> {
        let show = format!("SHOW {shown} IN SCHEMA {}", self.s);
        let shown = self.client.query_named(show.as_str()).await?;
        let found: Vec<(&str, &str)> = shown
            .rows
            .iter()
            .map(|row| {
                let name = shown.value(row, "name").unwrap_or_default();
                (name, shown.value(row, comment).unwrap_or_default())
            })
            .collect();
        for object in objects {
            let own = own_comment(object);
            match decide(&object.name, &own, &found) {
                Decision::Keep => {}
                Decision::Leave => tracing::warn!(
                    "{}.{} is not snowhaul's and stays as it is; drop it, and the next start creates snowhaul's",
                    self.s,
                    object.name
                ),
                Decision::Create => {
                    let create = format!(
                        "CREATE OR REPLACE {kind} {} COMMENT = {} {}",
                        object.head,
                        text(&own),
                        object.tail
                    );
                    self.create(Step::BootstrapMigrate, &create).await?;
                }
            }
        }
        Ok(())
    }
}

fn own_comment(object: &WorksheetObject) -> String {
    format!(
        "{OURS}{}",
        digest(format!("{} {}", object.head, object.tail))
    )
}

fn decide(name: &str, own: &str, found: &[(&str, &str)]) -> Decision {
    let mut same = found.iter().filter(|(other, _)| *other == name).peekable();
    if same.peek().is_none() {
        return Decision::Create;
    }
    let comments: Vec<&str> = same.map(|(_, comment)| *comment).collect();
    if comments.contains(&own) {
        Decision::Keep
    } else if comments.iter().any(|comment| comment.starts_with(OURS)) {
        Decision::Create
    } else {
        Decision::Leave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_old_is_created_and_what_is_somebody_elses_is_left() {
        let found = [
            ("A", "snowhaul 0011"),
            ("B", "snowhaul old"),
            ("C", "user-defined procedure"),
            ("D", ""),
        ];
        for (name, expected) in [
            ("A", Decision::Keep),
            ("B", Decision::Create),
            ("C", Decision::Leave),
            ("D", Decision::Leave),
            ("E", Decision::Create),
        ] {
            assert_eq!(decide(name, "snowhaul 0011", &found), expected, "{name}");
        }
    }

    #[test]
    fn a_comment_tells_when_a_text_has_changed() {
        let first = &procedures("\"A\".\"B\"")[0];
        let second = &procedures("\"A\".\"C\"")[0];
        assert_ne!(own_comment(first), own_comment(second));
        assert_eq!(
            own_comment(first),
            own_comment(&procedures("\"A\".\"B\"")[0])
        );
    }
}
