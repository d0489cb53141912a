//! The checkpoint in hybrid tables.

use super::cells::Cells;
use super::contract::{CheckpointError, StoreError, StoreFailure};
use super::limits::KnownLimits;
use super::schema;
use super::shown::shown;
use crate::domain::retry::RetryPolicy;
use crate::failpoint::Step;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeClient, SnowflakeError, Statement};
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name;
use std::sync::Arc;
use std::time::Duration;

/// Before an object whose creation was refused is created again.
const CREATED_BY_ANOTHER: Duration = Duration::from_millis(500);

/// Snowflake's codes of "object already exists" and "invalid identifier".
const ALREADY_EXISTS: &str = "002002";
pub(super) const NO_SUCH_COLUMN: &str = "000904";

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
    pub(super) limits: Arc<KnownLimits>,
}

impl HybridCheckpoint {
    /// The checkpoint at `location`.
    pub fn new(client: SnowflakeClient, location: MetadataLocation) -> Self {
        let s = location.quoted();
        Self {
            client,
            location,
            s,
            limits: Arc::default(),
        }
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

    /// Runs a statement that may be repeated.
    pub(super) async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, CheckpointError> {
        let statement = statement.into();
        self.repeat(|| self.client.query(statement.clone())).await
    }

    /// Runs a SHOW command as [`shown`] says.
    pub(super) async fn show(
        &self,
        sql: &str,
        columns: &[&str],
    ) -> Result<Vec<Vec<String>>, CheckpointError> {
        self.repeat(|| shown(&self.client, sql, columns)).await
    }

    async fn repeat<T, F>(&self, mut statement: impl FnMut() -> F) -> Result<T, CheckpointError>
    where
        F: Future<Output = Result<T, SnowflakeError>>,
    {
        let mut failures = 0;
        loop {
            match statement().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    failures += 1;
                    let error = CheckpointError::from(error);
                    let decision =
                        RetryPolicy::STATEMENT.decide(error.failure(), failures, rand::random());
                    match decision.pause() {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => return Err(given_up(error)),
                    }
                }
            }
        }
    }

    /// Runs a change that may be repeated, and answers how many rows it changed the last time.
    pub(super) async fn execute<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<u64, CheckpointError> {
        let statement = statement.into();
        self.repeat(|| self.client.execute(at, statement.clone()))
            .await
    }

    /// The same, but a row that is locked is not waited for again: whoever was left behind may hold it for minutes.
    pub(super) async fn execute_unless_locked(
        &self,
        at: Step,
        sql: &str,
    ) -> Result<u64, CheckpointError> {
        let change = async || match self.client.execute(at, sql).await {
            Err(error) if error.kind == Kind::Locked => Ok(Err(error)),
            answer => answer.map(Ok),
        };
        Ok(self.repeat(change).await??)
    }
}

/// What nobody can explain has been tried for long enough: now it counts as refused.
fn given_up(error: CheckpointError) -> CheckpointError {
    match error {
        CheckpointError::Store(error) if error.what == StoreFailure::Unknown => StoreError {
            retryable: false,
            what: StoreFailure::Refused,
            ..error
        }
        .into(),
        error => error,
    }
}

/// Whether Snowflake answered that there is no such object, or none that the role may see.
pub(super) fn is_absence(error: &CheckpointError) -> bool {
    kind(error) == Some(&Kind::NoSuchObject)
}

/// Whether Snowflake refused a statement for a reason that has no name here.
pub(super) fn is_refusal(error: &CheckpointError) -> bool {
    kind(error) == Some(&Kind::Refused)
}

/// Whether Snowflake answered with this code.
pub(super) fn has_code(error: &CheckpointError, code: &str) -> bool {
    answer(error).and_then(|error| error.code.as_deref()) == Some(code)
}

fn kind(error: &CheckpointError) -> Option<&Kind> {
    answer(error).map(|error| &error.kind)
}

fn answer(error: &CheckpointError) -> Option<&SnowflakeError> {
    let CheckpointError::Store(StoreError {
        source: Some(source),
        ..
    }) = error
    else {
        return None;
    };
    source.downcast_ref::<SnowflakeError>()
}

impl From<SnowflakeError> for CheckpointError {
    fn from(error: SnowflakeError) -> Self {
        Self::Store(StoreError {
            message: error.message.clone(),
            retryable: error.is_retryable(),
            unreachable: matches!(error.kind, Kind::Unreachable | Kind::Login | Kind::Held),
            what: match error.kind {
                Kind::Locked => StoreFailure::Locked,
                Kind::Refused | Kind::Rejected => StoreFailure::Refused,
                Kind::Unknown => StoreFailure::Unknown,
                _ => StoreFailure::Other,
            },
            source: Some(Box::new(error)),
        })
    }
}
