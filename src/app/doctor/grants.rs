//! What each role needs: as GRANT statements for administrators, and as statements that try each privilege. Pure.

use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::quote;

/// A role of snowhaul.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Drives workflows; owns the metadata.
    Orchestrator,
    /// Runs tasks.
    Worker,
}

/// A privilege on a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
}

use Privilege::{Delete, Insert, Select, Update};

impl Privilege {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Select => "SELECT",
            Insert => "INSERT",
            Update => "UPDATE",
            Delete => "DELETE",
        }
    }
}

/// What a role does with one table of the metadata.
pub(super) struct Need {
    pub(super) table: &'static str,
    /// A column outside the key, for UPDATE.
    column: &'static str,
    pub(super) privileges: &'static [Privilege],
}

const fn need(table: &'static str, column: &'static str, privileges: &'static [Privilege]) -> Need {
    Need {
        table,
        column,
        privileges,
    }
}

const ORCHESTRATOR: &[Need] = &[
    need("SCHEMA_VERSION", "APPLIED_AT", &[Select, Insert]),
    need("WORKFLOW", "STATUS", &[Select, Insert, Update]),
    need("TABLE_STATE", "PHASE", &[Select, Insert, Update]),
    need("PARTITION", "PHASE", &[Select, Insert, Update]),
    need("TASK_QUEUE", "STATUS", &[Select, Insert, Update, Delete]),
    need("SYNCHRONIZATION", "SETTINGS", &[Select, Insert, Update]),
    need(
        "SYNC_PARTITION",
        "CHECKSUM",
        &[Select, Insert, Update, Delete],
    ),
    need("WARNING", "WARNING", &[Select, Insert]),
    need("RATE_LIMIT", "NUM_CHECKS", &[Select, Update]),
    need("WORKFLOW_REQUEST", "REQUEST", &[Select, Insert, Update]),
    need("TABLE_REQUEST", "REQUEST", &[Select, Insert, Delete]),
    need("WORKER", "RUNNING", &[Select]),
];

const WORKER: &[Need] = &[
    need("SCHEMA_VERSION", "APPLIED_AT", &[Select]),
    need("WORKFLOW", "STATUS", &[Select]),
    need("TABLE_STATE", "PHASE", &[Select]),
    need("SYNCHRONIZATION", "SETTINGS", &[Select]),
    need("SYNC_PARTITION", "CHECKSUM", &[Select]),
    need("RATE_LIMIT", "NUM_CHECKS", &[Select, Update]),
    need("WORKFLOW_REQUEST", "REQUEST", &[Select]),
    need("TABLE_REQUEST", "REQUEST", &[Select]),
    need("TASK_QUEUE", "STATUS", &[Select, Update]),
    need("WORKER", "RUNNING", &[Select, Insert, Update, Delete]),
];

impl Role {
    /// The name that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Worker => "worker",
        }
    }

    pub(super) fn needs(self) -> &'static [Need] {
        match self {
            Self::Orchestrator => ORCHESTRATOR,
            Self::Worker => WORKER,
        }
    }
}

impl Need {
    /// A statement that needs the privilege and touches no row.
    pub(super) fn probe(&self, schema: &str, privilege: Privilege) -> String {
        let table = format!("{schema}.{}", quote(self.table));
        try_table(&table, &quote(self.column), privilege)
    }

    /// The statement that gives what is missing.
    pub(super) fn grant(&self, schema: &str, role: &str, missing: &[Privilege]) -> String {
        format!(
            "GRANT {} ON TABLE {schema}.{} TO ROLE {}",
            list(missing),
            quote(self.table),
            quote(role)
        )
    }
}

fn list(privileges: &[Privilege]) -> String {
    let names: Vec<&str> = privileges.iter().map(|p| p.as_str()).collect();
    names.join(", ")
}

/// A statement that needs the privilege on a quoted table, and touches no row.
pub(super) fn try_table(table: &str, column: &str, privilege: Privilege) -> String {
    match privilege {
        Select => format!("SELECT 1 FROM {table} WHERE 1 = 0"),
        Insert => format!("INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"),
        Update => format!("UPDATE {table} SET {column} = {column} WHERE 1 = 0"),
        Delete => format!("DELETE FROM {table} WHERE 1 = 0"),
    }
}

/// The statements that give a Snowflake role what snowhaul's role needs of the metadata; those of the worker need the
/// metadata to be there. Warehouse and targets are the administrator's to name.
pub fn grants(role: Role, location: &MetadataLocation, to: &str) -> Vec<String> {
    let (database, schema) = (quote(&location.database), location.quoted());
    let to = quote(to);
    match role {
        // The role that creates the schema owns it and all in it.
        Role::Orchestrator => vec![format!(
            "GRANT USAGE, CREATE SCHEMA ON DATABASE {database} TO ROLE {to}"
        )],
        Role::Worker => {
            let mut statements = vec![
                format!("GRANT USAGE ON DATABASE {database} TO ROLE {to}"),
                format!("GRANT USAGE ON SCHEMA {schema} TO ROLE {to}"),
            ];
            statements.extend(WORKER.iter().map(|need| {
                format!(
                    "GRANT {} ON TABLE {schema}.{} TO ROLE {to}",
                    list(need.privileges),
                    quote(need.table)
                )
            }));
            statements.push(format!(
                "GRANT READ, WRITE ON STAGE {schema}.\"TASK_RESULTS\" TO ROLE {to}"
            ));
            statements
        }
    }
}

/// The metadata's tables that a role touches, each with a privilege that it needs there.
pub fn table_privileges(role: Role) -> Vec<(&'static str, &'static str)> {
    let of = |need: &'static Need| need.privileges.iter().map(|p| (need.table, p.as_str()));
    role.needs().iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_security_has_every_grant() {
        let page = include_str!("../../../docs/security.md");
        let plain = |text: &str| -> String { text.replace('"', "") };
        for (role, to) in [
            (Role::Orchestrator, "SNOWHAUL_ORCHESTRATOR"),
            (Role::Worker, "SNOWHAUL_WORKER"),
        ] {
            for statement in grants(role, &MetadataLocation::default(), to) {
                let statement = plain(&statement);
                assert!(page.contains(&statement), "{statement}");
            }
        }
    }

    #[test]
    fn a_probe_touches_no_row() {
        for need in ORCHESTRATOR.iter().chain(WORKER) {
            for privilege in need.privileges {
                let sql = need.probe("\"D\".\"S\"", *privilege);
                assert!(sql.ends_with(" WHERE 1 = 0"), "{sql}");
                assert!(sql.starts_with(privilege.as_str()), "{sql}");
            }
        }
    }

    #[test]
    fn a_name_of_a_role_is_data() {
        let location = MetadataLocation::default();
        for statement in grants(Role::Worker, &location, "R\"; DROP") {
            assert!(
                statement.ends_with(" TO ROLE \"R\"\"; DROP\""),
                "{statement}"
            );
        }
    }
}
