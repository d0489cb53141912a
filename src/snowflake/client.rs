//! Sessions: one place owns them, renews them, and classifies what goes wrong with them.

use super::answer::{Answer, Row};
use super::connection::Connection;
use super::error::{Kind, SnowflakeError};
use super::http::Reply;
use super::lease::{
    LOADS, Lease, METADATA, PooledSession, RESPONSE_TIMEOUT, SessionKind, query_tag,
};
use super::moment::SuspendAwareInstant;
use super::reserved::Reserved;
use super::session::Session;
use super::session_parameters::at_login;
use super::statement::Statement;
use super::transaction::{OpenTransactions, Transaction};
use crate::failpoint::{Step, step};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Sessions of one process at most.
const MAX_SESSIONS: usize = 24;
/// How long a statement that is cancelled may take to end.
pub(super) const CANCEL_PATIENCE: Duration = Duration::from_secs(2);
/// Sessions that nobody used for so long are closed.
const UNUSED_SESSION: Duration = Duration::from_secs(600);

/// A client with its sessions; cheap to clone.
#[derive(Clone)]
pub struct SnowflakeClient {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    role: String,
    sessions: SessionKind,
    idle: Mutex<Vec<PooledSession>>,
    /// Whether a login has been accepted, of this client or of the role's: a refusal then is an outage.
    accepted: AtomicBool,
    transactions: OpenTransactions,
    permits: Arc<Semaphore>,
}

impl SnowflakeClient {
    /// A client for `connection`; `role` (orchestrator, worker, …) is in the query tag.
    pub fn new(connection: Connection, role: &str) -> Self {
        Self::with(connection, role, METADATA)
    }

    /// The same for a part of a role that has logged in before: a login that is refused is an outage.
    pub(crate) fn beside(connection: Connection, role: &str) -> Self {
        let sessions = SessionKind {
            serves_role: true,
            ..METADATA
        };
        Self::with(connection, role, sessions)
    }

    /// The same for statements that may take long; for a role that has logged in before.
    pub fn for_loads(connection: Connection, role: &str) -> Self {
        Self::with(connection, role, LOADS)
    }

    /// The same for transactions alone: a statement that finds its transaction ended by Snowflake, as idle, is not
    /// committed on its own. It opens another one, which [`Transaction::rollback`] takes back.
    pub fn for_transactions(connection: Connection, role: &str) -> Self {
        let sessions = SessionKind {
            autocommit: false,
            ..LOADS
        };
        Self::with(connection, role, sessions)
    }

    fn with(connection: Connection, role: &str, sessions: SessionKind) -> Self {
        let shared = Shared {
            connection,
            role: role.to_owned(),
            sessions,
            idle: Mutex::new(Vec::new()),
            accepted: AtomicBool::new(sessions.serves_role),
            transactions: OpenTransactions::default(),
            permits: Arc::new(Semaphore::new(MAX_SESSIONS)),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs a statement and answers its rows.
    ///
    /// # Errors
    /// As [`SnowflakeError`] says; a session that expired before the statement ran is replaced here.
    pub async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, SnowflakeError> {
        Ok(self.query_named(statement).await?.rows)
    }

    /// The same with the names of the columns.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn query_named<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Answer, SnowflakeError> {
        let (lease, answer) = self.run_first(&statement.into()).await?;
        self.give_back(lease);
        Ok(answer)
    }

    /// Runs a statement whose answer are no rows, and answers its data.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub(crate) async fn query_data(&self, sql: &str) -> Result<Value, SnowflakeError> {
        let statement = Statement::from(sql);
        let mut renewed = false;
        loop {
            let lease = self.acquire(renewed).await?;
            let reply = lease.pooled.session.submit(Uuid::new_v4(), &statement);
            let reply: Result<Reply<Value>, _> = Box::pin(reply).await;
            match reply {
                Ok(reply) => {
                    self.give_back(lease);
                    return Ok(reply.data.unwrap_or_default());
                }
                Err(error) => self.after_failure(lease, error, &mut renewed)?,
            }
        }
    }

    /// Runs a statement that changes rows and answers how many.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn execute<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<u64, SnowflakeError> {
        Ok(rows_affected(&self.run_step(at, statement).await?))
    }

    /// Runs a statement that changes something, and answers its rows.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn run_step<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, SnowflakeError> {
        step(at, self.query(statement)).await
    }

    /// Begins a transaction on a session of its own.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn begin(&self, at: Step) -> Result<Transaction, SnowflakeError> {
        step(at, self.begin_with(None)).await
    }

    /// As [`Self::begin`], with a query tag for all of its statements.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn begin_tagged(&self, at: Step, tag: &str) -> Result<Transaction, SnowflakeError> {
        step(at, self.begin_with(Some(tag))).await
    }

    async fn begin_with(&self, tag: Option<&str>) -> Result<Transaction, SnowflakeError> {
        let open = self.shared.transactions.enter().await?;
        let begin = Statement::from("BEGIN").tagged(tag);
        let (lease, _) = self.run_first(&begin).await?;
        Ok(Transaction::new(self.clone(), lease, open, tag))
    }

    /// Takes a session for statements that have to see each other's work, up to a transaction: another session may see late
    /// what this one has committed (documentation: "Transactions", read consistency across sessions). Until then each
    /// statement is committed on its own: what a killed process left open would keep its locks.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn reserve(&self, tag: &str) -> Result<Reserved, SnowflakeError> {
        // An expired session is found out here, where nothing has been done on it.
        let first = Statement::from("ALTER SESSION SET AUTOCOMMIT = TRUE").tagged(Some(tag));
        let (lease, _) = self.run_first(&first).await?;
        Ok(Reserved {
            client: self.clone(),
            lease,
            tag: tag.to_owned(),
        })
    }

    /// Ends all transactions, so that this process leaves no lock behind: none begins any more, and those that are open may
    /// continue for so long. Then their statements are cancelled and they are rolled back, for which it waits as long again; a
    /// commit that is under way is left alone. Whether all have ended.
    pub async fn end_transactions(&self, patience: Duration) -> bool {
        self.shared.transactions.end_all(patience).await
    }

    /// Runs a statement on a session that is then held; a session that expired before is replaced.
    async fn run_first(
        &self,
        statement: &Statement<'_>,
    ) -> Result<(Lease, Answer), SnowflakeError> {
        let mut renewed = false;
        loop {
            let lease = self.acquire(renewed).await?;
            match lease.run(Uuid::new_v4(), statement).await {
                Ok(answer) => return Ok((lease, answer)),
                Err(error) => self.after_failure(lease, error, &mut renewed)?,
            }
        }
    }

    /// What becomes of a session whose first statement failed. An expired one has run nothing: a fresh one may. More than
    /// once would hide a wrong clock.
    fn after_failure(
        &self,
        lease: Lease,
        error: SnowflakeError,
        renewed: &mut bool,
    ) -> Result<(), SnowflakeError> {
        if error.kind == Kind::SessionExpired && !*renewed {
            *renewed = true;
            self.drop_as_old_as(&lease.pooled);
            return Ok(());
        }
        if !error.invalidates_session() {
            self.give_back(lease);
        }
        Err(error)
    }

    /// Whether a statement outside a transaction is committed on its own.
    pub(super) fn is_autocommit(&self) -> bool {
        self.shared.sessions.autocommit
    }

    pub(super) fn transactions(&self) -> &OpenTransactions {
        &self.shared.transactions
    }

    /// Takes back a session that can serve on.
    pub(super) fn give_back(&self, lease: Lease) {
        let pooled = PooledSession {
            used: SuspendAwareInstant::now(),
            ..lease.pooled
        };
        self.idle().push(pooled);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PooledSession>> {
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions that are no younger than an expired one have expired too: nobody else has to meet each of them.
    fn drop_as_old_as(&self, expired: &PooledSession) {
        self.idle()
            .retain(|other| other.since.is_after(&expired.since));
    }

    /// A session that is idle. Those that nobody needs any more go.
    fn idle_session(&self) -> Option<PooledSession> {
        let mut idle = self.idle();
        idle.retain(|pooled| pooled.used.age() < UNUSED_SESSION);
        idle.pop()
    }

    /// A session that is idle, or a new one. After one has expired only a new one: an idle one may meet the same.
    async fn acquire(&self, only_new: bool) -> Result<Lease, SnowflakeError> {
        let permit = self
            .shared
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| SnowflakeError::refused("the client is closed".to_owned()))?;
        let idle = if only_new { None } else { self.idle_session() };
        let pooled = match idle {
            Some(pooled) => pooled,
            None => PooledSession {
                // Before the login: the server counts from no earlier.
                since: SuspendAwareInstant::now(),
                session: Box::pin(self.login()).await?,
                used: SuspendAwareInstant::now(),
            },
        };
        Ok(Lease {
            pooled,
            timeout: self.shared.sessions.timeout,
            _permit: permit,
        })
    }

    /// Logs in. The first refusal is final: at a start somebody looks at it. Later ones pass: a user that is locked for a
    /// while, a network policy or a clock that somebody corrects, a token that is replaced.
    async fn login(&self) -> Result<Session, SnowflakeError> {
        let accepted = &self.shared.accepted;
        match self.login_once().await {
            Ok(session) => {
                accepted.store(true, Ordering::Relaxed);
                Ok(session)
            }
            Err(error) if error.kind != Kind::Unreachable && accepted.load(Ordering::Relaxed) => {
                tracing::error!(%error, "Snowflake refuses a login that it accepted before; retrying until it is accepted");
                Err(SnowflakeError {
                    kind: Kind::Unreachable,
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn login_once(&self) -> Result<Session, SnowflakeError> {
        let Shared {
            connection,
            role,
            sessions,
            ..
        } = &*self.shared;
        let placed = |error: SnowflakeError| SnowflakeError {
            message: format!(
                "connection `{}` ({}): {}",
                connection.name, connection.base_url, error.message
            ),
            in_doubt: false,
            ..error
        };
        let parameters = at_login(sessions.autocommit, sessions.timeout, query_tag(role));
        let session = Session::login(connection, parameters)
            .await
            .map_err(|error| placed(error.of_login()))?;
        // What the connection's role may do counts, and nothing that other roles of the user add by chance: half of a
        // migration's statements use the primary role alone (documentation: "USE SECONDARY ROLES").
        let alone = Statement::from("USE SECONDARY ROLES NONE");
        session
            .run(Uuid::new_v4(), &alone, RESPONSE_TIMEOUT)
            .await
            .map_err(placed)?;
        Ok(session)
    }
}

/// The sum of the first row: how Snowflake reports inserted, updated and deleted rows; multi-joined updates are in the
/// second column of an UPDATE and are 0 in everything that snowhaul sends.
pub(crate) fn rows_affected(rows: &[Row]) -> u64 {
    rows.first().map_or(0, |row| {
        row.iter()
            .flatten()
            .filter_map(|cell| cell.parse::<u64>().ok())
            .sum()
    })
}
