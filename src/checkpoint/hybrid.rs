//! The checkpoint in hybrid tables.

use super::cells::Cells;
use super::contract::{CheckpointError, StoreError};
use super::limits::Limiter;
use super::schema;
use super::statements::{NO_SUCH_COLUMN, Statements, has_code, is_absence, is_refusal};
use crate::failpoint::Step;
use crate::snowflake::{Row, SnowflakeClient, Statement};
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name;
use std::time::Duration;

/// Before an object whose creation was refused is created again.
const CREATED_BY_ANOTHER: Duration = Duration::from_millis(500);

/// Snowflake's code of "object already exists".
const ALREADY_EXISTS: &str = "002002";

/// What stands where the metadata's version is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// The version; 0 before the first.
    Version(u32),
    /// There is no table of versions: what Snowflake said.
    Nothing(String),
}

impl Stored {
    /// Whether the metadata were complete once.
    pub(super) fn is_installed(&self) -> bool {
        matches!(self, Self::Version(1..))
    }
}

/// The checkpoint. Cheap to clone.
#[derive(Clone)]
pub struct HybridCheckpoint {
    pub(super) client: SnowflakeClient,
    pub(super) location: MetadataLocation,
    /// The quoted schema.
    pub(super) s: String,
    statements: Statements,
    limits: Limiter,
}

impl HybridCheckpoint {
    /// The checkpoint at `location`.
    pub fn new(client: SnowflakeClient, location: MetadataLocation) -> Self {
        let s = location.quoted();
        let statements = Statements {
            client: client.clone(),
            s: s.clone(),
        };
        Self {
            client,
            location,
            s,
            limits: Limiter::new(statements.clone()),
            statements,
        }
    }

    /// Rate limits.
    pub fn limits(&self) -> &Limiter {
        &self.limits
    }

    /// As [`SnowflakeClient::end_transactions`].
    pub async fn end_transactions(&self, patience: Duration) -> bool {
        self.client.end_transactions(patience).await
    }

    /// Answers whether the metadata objects are there in this version's form. One statement; where they are not, a few more,
    /// without a warehouse, that tell whether another tool's are there ([`CheckpointError::Foreign`]).
    ///
    /// # Errors
    /// What is wrong with them, or why Snowflake cannot be asked.
    pub async fn check_schema(&self) -> Result<(), CheckpointError> {
        let stored = self.stored_version().await?;
        if stored == Stored::Version(schema::VERSION) {
            return Ok(());
        }
        self.refuse_foreign(stored.is_installed()).await?;
        let cause = match stored {
            Stored::Version(found) if found > schema::VERSION => {
                return Err(CheckpointError::Schema(format!(
                    "the metadata in {} has version {found}, and this snowhaul needs version {}; run the same version on both sides",
                    self.s,
                    schema::VERSION
                )));
            }
            // An orchestrator that creates or upgrades it writes the version last.
            Stored::Version(0) => "it is being created".to_owned(),
            Stored::Version(found) => format!(
                "it has version {found}, and an orchestrator of this version upgrades it to {}",
                schema::VERSION
            ),
            Stored::Nothing(cause) => cause,
        };
        Err(CheckpointError::NoMetadata {
            schema: self.s.clone(),
            cause,
        })
    }

    /// The latest version that is written. One statement.
    pub(super) async fn stored_version(&self) -> Result<Stored, CheckpointError> {
        let sql = format!(
            "SELECT COALESCE(MAX(VERSION), 0) FROM {}.SCHEMA_VERSION",
            self.s
        );
        match self.query(&sql).await {
            Ok(rows) => Ok(Stored::Version(
                rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?,
            )),
            // Without such a column it is another tool's.
            Err(error) if is_absence(&error) || has_code(&error, NO_SUCH_COLUMN) => {
                Ok(Stored::Nothing(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the table of versions, and what it is in. What exists is not created again: Snowflake wants the privilege to create
    /// even where `IF NOT EXISTS` has nothing to do.
    pub(super) async fn prepare(&self) -> Result<(), CheckpointError> {
        let database = snowflake_name::quote(&self.location.database);
        // Database, schema, table: from the last on, and one more whenever that one has nowhere to be.
        let statements = schema::preparation(&database, &self.s);
        let mut first = statements.len().saturating_sub(1);
        loop {
            match self.create_all(&statements[first..]).await {
                Err(error) if first > 0 && is_absence(&error) => first -= 1,
                created => return created,
            }
        }
    }

    async fn create_all(&self, statements: &[String]) -> Result<(), CheckpointError> {
        for statement in statements {
            self.create(Step::BootstrapPrepare, statement).await?;
        }
        Ok(())
    }

    /// Creates one of the metadata objects; what fails is named.
    pub(super) async fn create(&self, at: Step, statement: &str) -> Result<(), CheckpointError> {
        let mut created = self.execute(at, statement).await;
        // Two at once may be told so, `IF NOT EXISTS` or not.
        if matches!(&created, Err(error) if has_code(error, ALREADY_EXISTS)) {
            return Ok(());
        }
        if matches!(&created, Err(error) if is_refusal(error)) {
            // Two orchestrators that start at once create the same object: one of them may be refused, and finds it then.
            tokio::time::sleep(CREATED_BY_ANOTHER).await;
            created = self.execute(at, statement).await;
        }
        let Err(error) = created else {
            return Ok(());
        };
        let CheckpointError::Store(error) = error else {
            return Err(error);
        };
        if error.unreachable {
            return Err(error.into());
        }
        let end = [" (", " AS ", " ENCRYPTION", " COMMENT"]
            .iter()
            .filter_map(|end| statement.find(end))
            .min();
        let hybrid = if statement.starts_with("CREATE HYBRID TABLE") {
            "; hybrid tables need a commercial AWS or Azure region and an account that is no trial"
        } else {
            ""
        };
        Err(CheckpointError::Store(StoreError {
            message: format!(
                "the metadata cannot be created: {}: {}{hybrid}",
                &statement[..end.unwrap_or(statement.len())],
                error.message
            ),
            ..error
        }))
    }

    /// As [`Statements::query`].
    pub(super) async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, CheckpointError> {
        self.statements.query(statement).await
    }

    /// As [`Statements::show`].
    pub(super) async fn show(
        &self,
        sql: &str,
        columns: &[&str],
    ) -> Result<Vec<Vec<String>>, CheckpointError> {
        self.statements.show(sql, columns).await
    }

    /// As [`Statements::execute`].
    pub(super) async fn execute<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<u64, CheckpointError> {
        self.statements.execute(at, statement).await
    }
}
