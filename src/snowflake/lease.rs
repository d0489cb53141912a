//! What a client's sessions are like, and one that somebody has to itself.

use super::answer::Answer;
use super::error::SnowflakeError;
use super::moment::SuspendAwareInstant;
use super::session::Session;
use super::statement::Statement;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How long an answer may take; then the statement counts as lost, and is asked again. Statements on the
/// metadata take milliseconds, but may wait for a warehouse that is resumed.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(300);
/// A COPY INTO of a thousand files may take hours.
const LOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The tag that names snowhaul's statements in Snowflake's query history.
pub(super) fn query_tag(role: &str) -> String {
    json!({"application": "snowhaul", "version": env!("CARGO_PKG_VERSION"), "role": role})
        .to_string()
}

/// What a client's sessions are like.
#[derive(Clone, Copy)]
pub(super) struct SessionKind {
    /// How long an answer may take.
    pub(super) timeout: Duration,
    /// Whether a statement outside a transaction is committed on its own.
    pub(super) autocommit: bool,
    /// Whether the role that it is for has logged in before.
    pub(super) serves_role: bool,
}

/// Statements on the metadata.
pub(super) const METADATA: SessionKind = SessionKind {
    timeout: RESPONSE_TIMEOUT,
    autocommit: true,
    serves_role: false,
};

/// Statements that load.
pub(super) const LOADS: SessionKind = SessionKind {
    timeout: LOAD_TIMEOUT,
    autocommit: true,
    serves_role: true,
};

/// A session, and since when it is there.
pub(super) struct PooledSession {
    pub(super) session: Session,
    pub(super) since: SuspendAwareInstant,
    pub(super) used: SuspendAwareInstant,
}

/// A session that somebody has to itself.
pub(super) struct Lease {
    pub(super) pooled: PooledSession,
    pub(super) timeout: Duration,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Runs a statement and answers its result. By `request`, its id, [`Self::cancel`] finds it.
    pub(super) async fn run(
        &self,
        request: Uuid,
        statement: &Statement<'_>,
    ) -> Result<Answer, SnowflakeError> {
        let began = Instant::now();
        let run = self.pooled.session.run(request, statement, self.timeout);
        // What waits for a statement is in many futures: it is kept small.
        let result = Box::pin(run).await;
        let head: String = statement.sql.chars().take(120).collect();
        tracing::debug!(
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            ok = result.is_ok(),
            statement = head.replace('\n', " "),
            "statement"
        );
        result
    }

    /// Asks that a statement that runs here ends.
    pub(super) async fn cancel(&self, request: Uuid) {
        self.pooled.session.cancel(request).await;
    }
}
