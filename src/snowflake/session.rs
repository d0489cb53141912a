//! One session: its login, its statements, and how it outlives an hour, a lost poll and a broken connection.
//!
//! The requests are those of the official drivers: `session/v1/login-request`, `queries/v1/query-request`, the result's own
//! address while a statement runs, `queries/v1/abort-request`, `session/token-request` and `session?delete=true`.

use super::answer::{Answer, QueryData};
use super::auth::login_data;
use super::connection::Connection;
use super::error::{Kind, SnowflakeError};
use super::http::{Reply, authorization, percent, read, send};
use super::query_context::QueryContext;
use super::statement::Statement;
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long the answer to one request may take. Snowflake answers after 45 seconds that a statement still runs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a session's end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a request is sent that has not arrived, or that only reads.
const TRIES: u32 = 3;
/// The pause before it is sent again; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(150);
/// For how long a statement that runs is asked for in vain. Snowflake aborts it after five minutes without a sign of its
/// client (parameter ABORT_DETACHED_QUERY).
const POLL_PATIENCE: Duration = Duration::from_secs(300);
/// The longest pause between two questions whether a statement still runs.
const LONGEST_POLL_PAUSE: Duration = Duration::from_secs(5);

/// The codes that say that a statement continues.
const RUNNING: [&str; 2] = ["333333", "333334"];
/// The code of a session whose token has expired, and which the master token renews.
const EXPIRED: &str = "390112";

/// All sessions of this process.
static OPEN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// Logs out of all sessions of this process, whatever they do. Those whose end does not arrive expire.
pub async fn close_all() {
    let open = std::mem::take(&mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner));
    let sessions = open.iter().filter_map(Weak::upgrade);
    let closings = sessions.map(|inner| async move { Session { inner }.close().await });
    futures::future::join_all(closings).await;
}

/// A session. Clones share it; with the last of them it ends.
#[derive(Clone)]
pub(super) struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base_url: Url,
    tokens: Mutex<Tokens>,
    /// Those who meet an expired token together renew it once.
    renewal: tokio::sync::Mutex<()>,
    context: Mutex<QueryContext>,
    closed: AtomicBool,
}

/// What proves which session a request is of. The master token outlives the other, and gets a new one.
#[derive(Clone, Deserialize)]
struct Tokens {
    #[serde(alias = "sessionToken")]
    token: SecretString,
    #[serde(rename = "masterToken")]
    master: SecretString,
}

impl Session {
    /// Logs in.
    pub(super) async fn login(
        connection: &Connection,
        parameters: Map<String, Value>,
    ) -> Result<Self, SnowflakeError> {
        let http = connection.http.client()?;
        let mut query = vec![format!("requestId={}", Uuid::new_v4())];
        for (key, value) in [
            ("warehouse", &connection.warehouse),
            ("roleName", &connection.role),
        ] {
            if let Some(value) = value {
                query.push(format!("{key}={}", percent(value)));
            }
        }
        let url = join(
            &connection.base_url,
            "session/v1/login-request",
            &query.join("&"),
        )?;
        let mut data = login_data(connection)?;
        data["SESSION_PARAMETERS"] = parameters.into();
        let body = send(http.post(url).json(&json!({"data": data})), REQUEST_TIMEOUT).await?;
        let tokens = read(&body)?.data.ok_or_else(|| {
            SnowflakeError::refused("Snowflake's answer to the login has no token".to_owned())
        })?;
        let mut context = QueryContext::default();
        context.learn(&body);
        let inner = Arc::new(Inner {
            http,
            base_url: connection.base_url.clone(),
            tokens: Mutex::new(tokens),
            renewal: tokio::sync::Mutex::default(),
            context: Mutex::new(context),
            closed: AtomicBool::new(false),
        });
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|session| session.strong_count() > 0);
        open.push(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    /// Runs a statement to its end and answers its result. By `request`, its id, [`Self::cancel`] finds it.
    ///
    /// With an error that is in doubt it may have run, or may still run.
    pub(super) async fn run(
        &self,
        request: Uuid,
        statement: &Statement<'_>,
        timeout: Duration,
    ) -> Result<Answer, SnowflakeError> {
        let deadline = Instant::now() + timeout;
        let mut reply: Reply<QueryData> = self.submit(request, statement).await?;
        let mut asked = 0;
        let mut heard = Instant::now();
        while reply
            .code
            .as_deref()
            .is_some_and(|code| RUNNING.contains(&code))
        {
            let Some(path) = reply
                .data
                .as_ref()
                .and_then(|data| data.get_result_url.clone())
            else {
                return Err(lost("Snowflake does not say where its result will be"));
            };
            if Instant::now() >= deadline {
                self.cancel(request).await;
                return Err(lost("it takes too long, and was cancelled"));
            }
            // Snowflake itself answers late; where it does not, nobody hurries.
            tokio::time::sleep((PAUSE * asked).min(LONGEST_POLL_PAUSE)).await;
            asked += 1;
            match self
                .exchange(|http, base| Ok(http.get(join(base, &path, "")?)))
                .await
            {
                Ok(next) => {
                    reply = next;
                    heard = Instant::now();
                }
                // The statement continues without its client for a while: only the question is lost.
                Err(error)
                    if error.kind == Kind::Unreachable && heard.elapsed() < POLL_PATIENCE =>
                {
                    tracing::debug!(%error, "a running statement is asked for again");
                }
                Err(error) => {
                    return Err(SnowflakeError {
                        in_doubt: true,
                        ..error
                    });
                }
            }
        }
        reply
            .data
            .unwrap_or_default()
            .complete(&self.inner.http)
            .await
    }

    /// Sends a statement and answers the first reply. It is sent again when it cannot have arrived, and when it only reads,
    /// under the same id: Snowflake runs a request once, as its drivers rely on. Anything else is its caller's to settle,
    /// who knows how to ask what became of it.
    pub(super) async fn submit<D: DeserializeOwned>(
        &self,
        request: Uuid,
        statement: &Statement<'_>,
    ) -> Result<Reply<D>, SnowflakeError> {
        let mut body = statement.body();
        body["queryContextDTO"] = self.context().to_json();
        let mut failures = 0;
        loop {
            let sent = self.exchange(|http, base| {
                let mut query = format!("requestId={request}&request_guid={}", Uuid::new_v4());
                if failures > 0 {
                    query.push_str(&format!("&retryCount={failures}&retryReason=0"));
                }
                Ok(http
                    .post(join(base, "queries/v1/query-request", &query)?)
                    .json(&body))
            });
            match sent.await {
                Err(error)
                    if error.kind == Kind::Unreachable
                        && (!error.in_doubt || statement.only_reads()) =>
                {
                    failures += 1;
                    if failures == TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE * (1 << failures)).await;
                }
                reply => return reply,
            }
        }
    }

    /// Asks that a statement ends. It then reports that it was cancelled, unless it had ended before.
    pub(super) async fn cancel(&self, request: Uuid) {
        let body = json!({"requestId": request.to_string()});
        let aborted = self.exchange::<Value>(|http, base| {
            let query = format!("requestId={}", Uuid::new_v4());
            Ok(http
                .post(join(base, "queries/v1/abort-request", &query)?)
                .json(&body))
        });
        if let Err(error) = aborted.await {
            tracing::debug!(%error, "a statement could not be cancelled");
        }
    }

    /// Ends the session, and with it what it has left open.
    pub(super) async fn close(&self) {
        if !self.inner.closed.swap(true, Ordering::Relaxed) {
            close(&self.inner.http, &self.inner.base_url, &self.tokens().token).await;
        }
    }

    /// Sends a request of this session; once more when the session's token has to be renewed first.
    async fn exchange<D: DeserializeOwned>(
        &self,
        request: impl Fn(&reqwest::Client, &Url) -> Result<RequestBuilder, SnowflakeError>,
    ) -> Result<Reply<D>, SnowflakeError> {
        let mut renewed = false;
        loop {
            let tokens = self.tokens();
            let request = request(&self.inner.http, &self.inner.base_url)?
                .header("Authorization", authorization(&tokens.token));
            let expired = match send(request, REQUEST_TIMEOUT).await {
                Err(none) if none.status == Some(401) => none.into(),
                Err(none) => return Err(none.into()),
                Ok(body) => {
                    self.context().learn(&body);
                    match read(&body) {
                        Err(error) if error.code.as_deref() == Some(EXPIRED) => error,
                        reply => return reply,
                    }
                }
            };
            if renewed {
                return Err(expired);
            }
            renewed = true;
            self.renew(tokens).await?;
        }
    }

    /// Gets a new token in place of an expired one, unless somebody else has.
    async fn renew(&self, expired: Tokens) -> Result<(), SnowflakeError> {
        let _one = self.inner.renewal.lock().await;
        let current = self.tokens();
        if current.token.expose_secret() != expired.token.expose_secret() {
            return Ok(());
        }
        let query = format!("requestId={}", Uuid::new_v4());
        let url = join(&self.inner.base_url, "session/token-request", &query)?;
        let body =
            json!({"oldSessionToken": current.token.expose_secret(), "requestType": "RENEW"});
        let request = self.inner.http.post(url).json(&body);
        let request = request.header("Authorization", authorization(&current.master));
        // Whatever was to be sent has not been.
        let not_sent = |error: SnowflakeError| SnowflakeError {
            in_doubt: false,
            ..error
        };
        let body = send(request, REQUEST_TIMEOUT)
            .await
            .map_err(|none| not_sent(none.into()))?;
        let tokens = read(&body).map_err(not_sent)?.data.ok_or_else(|| {
            SnowflakeError::unreachable(
                "Snowflake renews the session without a token".to_owned(),
                false,
            )
        })?;
        *self
            .inner
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }

    fn context(&self) -> MutexGuard<'_, QueryContext> {
        self.inner
            .context
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> Tokens {
        self.inner
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Inner {
    /// A session that is thrown away would keep its locks until Snowflake ends it as idle.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if *self.closed.get_mut() {
            return;
        }
        let tokens = self
            .tokens
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let (http, url, token) = (
            self.http.clone(),
            self.base_url.clone(),
            tokens.token.clone(),
        );
        runtime.spawn(async move { close(&http, &url, &token).await });
    }
}

async fn close(http: &reqwest::Client, base: &Url, token: &SecretString) {
    let query = format!("delete=true&requestId={}", Uuid::new_v4());
    if let Ok(url) = join(base, "session", &query) {
        let request = http.post(url).json(&json!({}));
        let request = request.header("Authorization", authorization(token));
        // It expires where this does not arrive.
        let _ = send(request, CLOSE_TIMEOUT).await;
    }
}

fn lost(what: &str) -> SnowflakeError {
    SnowflakeError::unreachable(format!("a statement is lost: {what}"), true)
}

fn join(base: &Url, path: &str, query: &str) -> Result<Url, SnowflakeError> {
    let mut url = base
        .join(path)
        .map_err(|error| SnowflakeError::refused(format!("`{path}` is not an address: {error}")))?;
    // The token goes with the request.
    if url.origin() != base.origin() {
        return Err(SnowflakeError::refused(
            "Snowflake names an address of another host for a result".to_owned(),
        ));
    }
    if !query.is_empty() {
        url.set_query(Some(query));
    }
    Ok(url)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
