//! Requests to Snowflake and what comes back, before anything is read out of it. Connections are kept open and used
//! again: a new one costs three round trips.

use super::error::SnowflakeError;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long it may take to reach a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections that nobody used for so long are closed: load balancers drop theirs after a minute or more.
const IDLE_CONNECTION: Duration = Duration::from_secs(45);
/// Before the system asks whether the other side of a silent connection is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// An HTTP client, made when it is needed first. Its clones share it, and with it its open connections.
#[derive(Clone, Debug, Default)]
pub struct SharedHttp(Arc<OnceLock<reqwest::Client>>);

impl SharedHttp {
    /// The client.
    ///
    /// # Errors
    /// When there is none to be had: the system's certificates cannot be read.
    pub(crate) fn client(&self) -> Result<reqwest::Client, SnowflakeError> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            .tcp_keepalive(KEEP_ALIVE)
            .build()
            .map_err(|error| SnowflakeError::refused(format!("no HTTP client: {error}")))?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

/// Snowflake's answer to any request.
#[derive(Deserialize)]
pub(super) struct Reply<D> {
    success: bool,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default = "none")]
    pub(super) data: Option<D>,
    /// Beside `data` in some answers, inside it in others.
    #[serde(rename = "sqlState", default)]
    sql_state: Option<String>,
}

fn none<D>() -> Option<D> {
    None
}

/// What a refusal's `data` says about it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    error_code: Option<String>,
    sql_state: Option<String>,
}

/// A request that did not bring an answer of Snowflake's.
pub(super) struct NoAnswer {
    /// What happened.
    pub(super) message: String,
    /// Whether the request may have arrived.
    pub(super) sent: bool,
    /// The HTTP status, where there was one.
    pub(super) status: Option<u16>,
}

impl From<NoAnswer> for SnowflakeError {
    fn from(none: NoAnswer) -> Self {
        Self::unreachable(
            format!(
                "Snowflake could not be reached: {}; check account, host and port of the connection, and what lies between (DNS, proxy, network policy)",
                none.message
            ),
            none.sent,
        )
    }
}

impl NoAnswer {
    fn new(error: &reqwest::Error) -> Self {
        // Addresses may hold secrets. The last cause is what helps: `Connection refused`, a name that does not resolve, a
        // certificate.
        let mut cause: &dyn std::error::Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let message = if error.is_timeout() {
            "there was no answer in time".to_owned()
        } else if std::ptr::addr_eq(cause, error) {
            "the connection broke".to_owned()
        } else {
            cause.to_string()
        };
        Self {
            message,
            sent: !error.is_connect() && !error.is_builder(),
            status: None,
        }
    }
}

/// Sends a request and reads the whole answer, whatever it says.
pub(super) async fn send(
    request: reqwest::RequestBuilder,
    timeout: Duration,
) -> Result<Bytes, NoAnswer> {
    let answer = request
        .header("Accept", "application/snowflake")
        .timeout(timeout)
        .send()
        .await
        .map_err(|error| NoAnswer::new(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(NoAnswer {
            message: format!("it answered with HTTP status {status}"),
            sent: true,
            status: Some(status.as_u16()),
        });
    }
    let mut body = answer.bytes().await;
    if let Err(error) = &mut body {
        return Err(NoAnswer {
            sent: true,
            ..NoAnswer::new(error)
        });
    }
    body.map_err(|error| NoAnswer::new(&error))
}

/// Reads an answer of Snowflake's; a refusal becomes an error with its code.
pub(super) fn read<D: DeserializeOwned>(body: &[u8]) -> Result<Reply<D>, SnowflakeError> {
    // The data of a refusal are shaped otherwise, and of no use.
    let head: Reply<serde::de::IgnoredAny> = parse(body)?;
    if head.success {
        return parse(body);
    }
    let detail = parse::<Reply<Refusal>>(body)
        .ok()
        .and_then(|reply| reply.data)
        .unwrap_or_default();
    let code = head.code.or(detail.error_code).unwrap_or_default();
    let state = head.sql_state.or(detail.sql_state);
    let message = head.message.unwrap_or_else(|| "no message".to_owned());
    Err(SnowflakeError::from_code(&code, state.as_deref(), &message))
}

/// The answer may hold credentials or data: neither its text nor what the parser quotes of it is shown.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SnowflakeError> {
    serde_json::from_slice(body).map_err(|error| {
        SnowflakeError::unreachable(
            format!(
                "Snowflake's answer does not have the expected form (at byte {} of {}); is there a proxy between that answers in its place?",
                error.column(),
                body.len()
            ),
            true,
        )
    })
}

/// The header that proves which session a request is of.
pub(super) fn authorization(token: &SecretString) -> String {
    format!("Snowflake Token=\"{}\"", token.expose_secret())
}

/// A part of a URL's query.
pub(super) fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
