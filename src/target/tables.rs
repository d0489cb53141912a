//! What is there of target tables, and their creation.

use super::matching::TargetColumn;
use super::planner::dry_run_table;
use super::policies::Policies;
use super::{TargetTable, identity};
use crate::checkpoint::OwnedWorkflow;
use crate::domain::spec::TableSpec;
use crate::domain::table::TableRef;
use crate::failpoint::Step;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeClient, SnowflakeError};
use crate::types::snowflake_name::{exact_name, quote, quote_table, quote_text};

/// The target tables of an account.
pub(super) struct Targets<'a> {
    /// The account.
    pub(super) client: &'a SnowflakeClient,
    /// Their kind.
    pub(super) kind: &'a dyn TargetTable,
}

/// Whether Snowflake refused a statement for what it says.
pub(super) fn is_of_statement(error: &SnowflakeError) -> bool {
    matches!(error.kind, Kind::Refused | Kind::Rejected | Kind::Unknown)
}

impl Targets<'_> {
    pub(super) async fn is_empty(&self, target: &TableRef) -> Result<bool, SnowflakeError> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quote_table(target));
        Ok(self.client.query(&sql).await?.is_empty())
    }

    /// Those of the columns that have a value in some row.
    pub(super) async fn held<'a>(
        &self,
        target: &TableRef,
        columns: Vec<&'a str>,
    ) -> Result<Vec<&'a str>, SnowflakeError> {
        let mut held = Vec::new();
        for name in columns {
            let sql = format!(
                "SELECT 1 FROM {} WHERE {} IS NOT NULL LIMIT 1",
                quote_table(target),
                quote(name)
            );
            match self.client.query(&sql).await {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => held.push(name),
                // Of a dry run.
                Err(error) if error.kind == Kind::NoSuchObject => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// Names and conditions of the target's CHECK constraints, as far as the role may see them; nobody asks where the user
    /// says that there are none.
    pub(super) async fn checks(
        &self,
        spec: &TableSpec,
    ) -> Result<Vec<(String, String)>, SnowflakeError> {
        if spec.has_check_constraints == Some(false) {
            return Ok(Vec::new());
        }
        let TableRef {
            database,
            schema,
            table,
        } = &spec.target;
        let sql = format!(
            "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM {}.INFORMATION_SCHEMA.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {} AND CONSTRAINT_TABLE = {} ORDER BY CONSTRAINT_NAME",
            quote(&exact_name(database)),
            quote_text(&exact_name(schema)),
            quote_text(&exact_name(table))
        );
        match self.client.query(&sql).await {
            Ok(rows) => Ok(rows
                .into_iter()
                .filter_map(|row| {
                    let [name, clause]: [Option<String>; 2] = row.try_into().ok()?;
                    Some((name?, clause.unwrap_or_default()))
                })
                .collect()),
            // What cannot be seen is reported by COPY INTO itself.
            Err(error)
                if is_of_statement(&error)
                    || matches!(error.kind, Kind::NoSuchObject | Kind::NoPrivilege) =>
            {
                tracing::debug!(%error, "whether the target has CHECK constraints is not known");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// The target's columns; `None`: there is no such table.
    pub(super) async fn describe(
        &self,
        target: &TableRef,
    ) -> Result<Option<Vec<TargetColumn>>, SnowflakeError> {
        let sql = self.kind.describe(target);
        let answer = match self.client.query_named(&sql).await {
            Ok(answer) => answer,
            Err(error) if error.kind == Kind::NoSuchObject => return Ok(None),
            Err(error) => return Err(error),
        };
        let column = |row: &Row| {
            let cell = |name: &str| answer.value(row, name);
            let text = |name: &str| cell(name).unwrap_or_default().to_owned();
            let default = text("default");
            TargetColumn {
                name: text("name"),
                target_type: text("type"),
                nullable: text("null?") == "Y",
                // A virtual column computes its values.
                has_default: !default.is_empty() || text("kind").starts_with("VIRTUAL"),
                sequence: identity::sequence_of(&default).map(str::to_owned),
                masking_policy: cell("policy name").map(str::to_owned),
            }
        };
        Ok(Some(answer.rows.iter().map(column).collect()))
    }

    /// What is known of the policies of the table's target. A dry run only adds rows to a table of its own, and asks for none.
    pub(super) async fn policies(
        &self,
        spec: &TableSpec,
        columns: &[TargetColumn],
    ) -> Result<Policies, SnowflakeError> {
        let target = quote_table(&spec.target);
        let masked = columns.iter().filter_map(|column| {
            let policy = column.masking_policy.clone()?;
            Some((column.name.clone(), policy))
        });
        // A plan says whether a row access policy is between, to everybody who may read the table, and needs no warehouse
        // (documentation of "Understanding row access policies", query profile).
        let plan = self
            .client
            .query(&format!("EXPLAIN SELECT * FROM {target}"))
            .await?;
        let mut cells = plan.iter().flatten().flatten();
        let mut found = Policies {
            masked: masked.collect(),
            hides_rows: cells.any(|cell| cell.contains("RowAccessPolicy")),
        };
        // The policies of tags are shown nowhere else, and here only for roles that may see policies.
        let database = quote(&exact_name(&spec.target.database));
        let references = format!(
            "SELECT POLICY_KIND, POLICY_NAME, REF_COLUMN_NAME FROM TABLE({database}.INFORMATION_SCHEMA.POLICY_REFERENCES(\
             REF_ENTITY_NAME => {}, REF_ENTITY_DOMAIN => 'TABLE'))",
            quote_text(&target)
        );
        match self.client.query(&references).await {
            Ok(rows) => {
                for row in rows {
                    if let [Some(kind), Some(policy), Some(column)] = row.as_slice()
                        && kind == "MASKING_POLICY"
                        && found.masked.iter().all(|(known, _)| known != column)
                    {
                        found.masked.push((column.clone(), policy.clone()));
                    }
                }
            }
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                tracing::debug!(target, %error, "masking policies of tags cannot be seen by this role");
            }
        }
        Ok(found)
    }

    /// Creates the table, and, where they are missing, its schema and its database.
    pub(super) async fn create(
        &self,
        target: &TableRef,
        statements: &[String],
    ) -> Result<(), SnowflakeError> {
        match self.run_all(statements).await {
            Err(error) if error.kind == Kind::NoSuchObject => {}
            result => return result,
        }
        self.create_schema(target, "SCHEMA").await?;
        self.run_all(statements).await
    }

    /// Creates a table's schema (`SCHEMA` or `TRANSIENT SCHEMA`), and its database where it is missing.
    pub(super) async fn create_schema(
        &self,
        target: &TableRef,
        kind: &str,
    ) -> Result<(), SnowflakeError> {
        let database = quote(&exact_name(&target.database));
        let schema = format!(
            "CREATE {kind} IF NOT EXISTS {database}.{}",
            quote(&exact_name(&target.schema))
        );
        match self.client.run_step(Step::TargetCreate, &schema).await {
            Err(error) if error.kind == Kind::NoSuchObject => {}
            result => return result.map(|_| ()),
        }
        self.client
            .run_step(
                Step::TargetCreate,
                &format!("CREATE DATABASE IF NOT EXISTS {database}"),
            )
            .await?;
        self.client
            .run_step(Step::TargetCreate, &schema)
            .await
            .map(|_| ())
    }

    pub(super) async fn run_all(&self, statements: &[String]) -> Result<(), SnowflakeError> {
        for statement in statements {
            self.client.run_step(Step::TargetCreate, statement).await?;
        }
        Ok(())
    }

    /// Where a dry run loads the table: into a copy of the target's form, if there is a target.
    pub(super) async fn dry_run_target(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
    ) -> Result<TableRef, SnowflakeError> {
        let target = dry_run_table(owned.id, &spec.target);
        self.create_schema(&target, "TRANSIENT SCHEMA").await?;
        if self.describe(&spec.target).await?.is_some() {
            let like = self.kind.create_like(&target, &spec.target);
            self.client.run_step(Step::TargetCreate, &like).await?;
        }
        Ok(target)
    }
}
