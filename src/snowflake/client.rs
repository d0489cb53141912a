//! Sessions: one place owns them, renews them, and classifies what goes wrong with them.

use super::auth::connector_auth;
use super::connection::Connection;
use super::error::{Kind, SnowflakeError};
use super::moment::Moment;
use super::transaction::{OpenTransactions, Transaction};
use crate::failpoint::{Step, step};
use crate::types::snowflake_name::quote_text;
use serde_json::json;
use snowflake_connector_rs as connector;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Sessions of one process at most.
const MAX_SESSIONS: usize = 24;
/// How long a statement that is cancelled may take to end.
pub(super) const CANCEL_PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer may take; then the statement counts as lost, and whoever asked asks again. Statements on the
/// metadata take milliseconds, but may wait for a warehouse that is resumed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(300);
/// Sessions that are older are not used for anything new. Snowflake's session token lives an hour; drivers renew it by a
/// master token, which snowflake-connector-rs keeps to itself, as it does how long either lives.
const SESSION_AGE: Duration = Duration::from_secs(50 * 60);
/// The same for loads: whoever's token runs out in the middle can neither commit nor roll back.
const LOAD_SESSION_AGE: Duration = Duration::from_secs(5 * 60);
/// A COPY INTO of a thousand files may take hours; Snowflake's own limit of a statement is two days.
const LOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The tag that names snowhaul's statements in Snowflake's query history.
pub(super) fn query_tag(role: &str) -> String {
    json!({"application": "snowhaul", "version": env!("CARGO_PKG_VERSION"), "role": role})
        .to_string()
}

/// A row of a result, each value in Snowflake's text form; NULL is `None`.
pub type Row = Vec<Option<String>>;

struct TextRow(Row);

impl connector::FromRow for TextRow {
    type Plan = usize;

    fn build_plan(
        ctx: connector::RowPlanContext<'_>,
    ) -> connector::error::PlanBuildResult<Self::Plan> {
        Ok(ctx.schema().len())
    }

    fn from_row_with_plan(
        row: connector::RowRef<'_>,
        plan: &Self::Plan,
    ) -> connector::error::RowDecodeResult<Self> {
        let mut cells = Vec::with_capacity(*plan);
        for index in 0..*plan {
            cells.push(row.cell_at(index)?.raw().map(str::to_owned));
        }
        Ok(Self(cells))
    }
}

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

/// What a client's sessions are like.
#[derive(Clone, Copy)]
struct SessionKind {
    /// How long an answer may take.
    timeout: Duration,
    /// How old a session may be that something begins on.
    max_age: Duration,
    /// Whether a statement outside a transaction is committed by itself.
    autocommit: bool,
    /// Whether the role that it is for has logged in before.
    serves_role: bool,
}

const LOADS: SessionKind = SessionKind {
    timeout: LOAD_TIMEOUT,
    max_age: LOAD_SESSION_AGE,
    autocommit: true,
    serves_role: true,
};

/// A session with the query tag that it was given last.
pub(super) struct PooledSession {
    pub(super) session: connector::Session,
    since: Moment,
    tag: Option<String>,
}

/// A session that somebody has to himself.
pub(super) struct Lease {
    pub(super) pooled: PooledSession,
    _permit: OwnedSemaphorePermit,
}

impl SnowflakeClient {
    /// A client for `connection`; `role` (orchestrator, worker, …) stands in the query tag.
    pub fn new(connection: Connection, role: &str) -> Self {
        Self::renewing_sessions(connection, role, SESSION_AGE)
    }

    /// The same, but nothing begins on a session that is older than this.
    pub fn renewing_sessions(connection: Connection, role: &str, max_age: Duration) -> Self {
        let sessions = SessionKind {
            timeout: RESPONSE_TIMEOUT,
            max_age,
            autocommit: true,
            serves_role: false,
        };
        Self::with(connection, role, sessions)
    }

    /// The same for statements that may take long, each on a session that is young; for a role that has logged in before.
    pub fn for_loads(connection: Connection, role: &str) -> Self {
        Self::with(connection, role, LOADS)
    }

    /// The same for transactions alone: a statement that finds its transaction ended by Snowflake, as idle, is not
    /// committed by itself. It opens another one, which [`Transaction::rollback`] takes back.
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
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        let mut renewed = false;
        loop {
            let lease = self.acquire(renewed).await?;
            let result = run_to_end(&lease.pooled.session, sql).await;
            match result {
                // An expired session has run nothing: a fresh one may. More than once would hide a wrong clock.
                Err(error) if error.kind == Kind::SessionExpired && !renewed => {
                    renewed = true;
                    self.drop_as_old_as(&lease.pooled);
                }
                Err(error) if error.spoils_session() => return Err(error),
                result => {
                    self.idle().push(lease.pooled);
                    return result;
                }
            }
        }
    }

    /// Runs a statement that changes rows and answers how many.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn execute(&self, at: Step, sql: &str) -> Result<u64, SnowflakeError> {
        Ok(rows_affected(&self.run_step(at, sql).await?))
    }

    /// Runs a statement that changes something, and answers its rows.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn run_step(&self, at: Step, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        step(at, self.query(sql)).await
    }

    /// Begins a transaction on a session of its own.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn begin(&self, at: Step) -> Result<Transaction, SnowflakeError> {
        step(at, self.begin_with(None)).await
    }

    /// As [`Self::begin`], with a query tag of its own. The session keeps the tag: only for a client all of whose
    /// transactions are tagged.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn begin_tagged(&self, at: Step, tag: &str) -> Result<Transaction, SnowflakeError> {
        step(at, self.begin_with(Some(tag))).await
    }

    /// As [`Self::query`], with a query tag of its own; see [`Self::begin_tagged`].
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn query_tagged(&self, tag: &str, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        let (lease, rows) = self.run_first(Some(tag), sql).await?;
        self.idle().push(lease.pooled);
        Ok(rows)
    }

    async fn begin_with(&self, tag: Option<&str>) -> Result<Transaction, SnowflakeError> {
        let open = self.shared.transactions.enter().await?;
        let (lease, _) = self.run_first(tag, "BEGIN").await?;
        Ok(Transaction::new(self.clone(), lease, open))
    }

    /// Ends all transactions, so that this process leaves no lock behind: none begins any more, and those that are open may
    /// go on for so long. Then their statements are cancelled and they are rolled back, for which it waits as long again; a
    /// commit that is under way is left alone. Whether all have ended.
    pub async fn end_transactions(&self, patience: Duration) -> bool {
        self.shared.transactions.end_all(patience).await
    }

    /// Runs a statement on a session that it then holds; one that expired before is replaced.
    async fn run_first(
        &self,
        tag: Option<&str>,
        sql: &str,
    ) -> Result<(Lease, Vec<Row>), SnowflakeError> {
        let mut renewed = false;
        loop {
            let mut lease = self.acquire(renewed).await?;
            let result = async {
                if let Some(tag) = tag
                    && lease.pooled.tag.as_deref() != Some(tag)
                {
                    let sql = format!("ALTER SESSION SET QUERY_TAG = {}", quote_text(tag));
                    run_to_end(&lease.pooled.session, &sql).await?;
                    lease.pooled.tag = Some(tag.to_owned());
                }
                run_to_end(&lease.pooled.session, sql).await
            }
            .await;
            match result {
                Ok(rows) => return Ok((lease, rows)),
                Err(error) if error.kind == Kind::SessionExpired && !renewed => {
                    renewed = true;
                    self.drop_as_old_as(&lease.pooled);
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn transactions(&self) -> &OpenTransactions {
        &self.shared.transactions
    }

    /// Takes back a session that can serve on.
    pub(super) fn give_back(&self, lease: Lease) {
        self.idle().push(lease.pooled);
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

    /// A session that is idle and young enough. Those that are too old go.
    fn idle_session(&self) -> Option<PooledSession> {
        let mut idle = self.idle();
        idle.retain(|pooled| pooled.since.age() < self.shared.sessions.max_age);
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
                since: Moment::now(),
                session: self.login().await?,
                tag: None,
            },
        };
        Ok(Lease {
            pooled,
            _permit: permit,
        })
    }

    /// Logs in. The first refusal is final, for whoever starts looks at it. Later ones pass: a user that is locked for a
    /// while, a network policy or a clock that somebody corrects, a token that is replaced.
    async fn login(&self) -> Result<connector::Session, SnowflakeError> {
        let accepted = &self.shared.accepted;
        match self.login_once().await {
            Ok(session) => {
                accepted.store(true, Ordering::Relaxed);
                Ok(session)
            }
            Err(error) if error.kind != Kind::Unreachable && accepted.load(Ordering::Relaxed) => {
                tracing::error!(%error, "Snowflake refuses a login that it accepted before; nothing is given up, and it is tried again until it is accepted");
                Err(SnowflakeError {
                    kind: Kind::Unreachable,
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn login_once(&self) -> Result<connector::Session, SnowflakeError> {
        let Connection {
            name,
            account,
            user,
            base_url,
            role,
            warehouse,
            ..
        } = &self.shared.connection;
        // UTC, so that nothing depends on an account's settings; locks are waited for briefly, and asked for again.
        let parameters = [
            ("TIMEZONE", json!("UTC")),
            ("READ_LATEST_WRITES", json!(true)),
            ("HYBRID_TABLE_LOCK_TIMEOUT", json!(10)),
            ("TRANSACTION_ABORT_ON_ERROR", json!(true)),
            ("ABORT_DETACHED_QUERY", json!(true)),
            ("AUTOCOMMIT", json!(self.shared.sessions.autocommit)),
            ("QUERY_TAG", json!(query_tag(&self.shared.role))),
        ];
        let mut session = connector::SessionConfig::new();
        for (key, value) in parameters {
            session = session.with_session_parameter(key, value);
        }
        if let Some(role) = role {
            session = session.with_role(role);
        }
        if let Some(warehouse) = warehouse {
            session = session.with_warehouse(warehouse);
        }
        let placed = |mut error: SnowflakeError| {
            error.message = format!("connection `{name}` ({base_url}): {}", error.message);
            error.in_doubt = false;
            error
        };
        let auth = connector_auth(&self.shared.connection).map_err(placed)?;
        let config = connector::ClientConfig::new(user, account, auth)
            .with_session(session)
            .with_query(
                connector::QueryConfig::new()
                    .with_query_response_timeout(self.shared.sessions.timeout),
            )
            .with_endpoint(connector::EndpointConfig::custom_base_url(base_url.clone()));
        let client = connector::Client::new(config).map_err(|error| placed(error.into()))?;
        client
            .create_session()
            .await
            .map_err(|error| placed(SnowflakeError::from(error).of_login()))
    }
}

/// Runs a statement and answers its rows.
pub(super) async fn run_to_end(
    session: &connector::Session,
    sql: &str,
) -> Result<Vec<Row>, SnowflakeError> {
    run_handle(session.query_handle(sql.to_owned())?, sql).await
}

/// The same with a handle of the statement, by which it can be cancelled.
pub(super) async fn run_handle(
    handle: connector::QueryHandle,
    sql: &str,
) -> Result<Vec<Row>, SnowflakeError> {
    let began = Instant::now();
    let result = async {
        let rows: Vec<TextRow> = handle.execute_as::<TextRow>().await?.collect().await?;
        Ok::<_, connector::Error>(rows.into_iter().map(|row| row.0).collect::<Vec<Row>>())
    }
    .await
    .map_err(SnowflakeError::from);
    let head: String = sql.chars().take(120).collect();
    tracing::debug!(
        ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ok = result.is_ok(),
        statement = head.replace('\n', " "),
        "statement"
    );
    result
}

/// The sum of the first row: how Snowflake tells inserted, updated and deleted rows; multi-joined updates stand in the
/// second column of an UPDATE and are 0 in everything that snowhaul sends.
pub(crate) fn rows_affected(rows: &[Row]) -> u64 {
    rows.first().map_or(0, |row| {
        row.iter()
            .flatten()
            .filter_map(|cell| cell.parse::<u64>().ok())
            .sum()
    })
}
