//! Uploads to an internal stage: PUT as the official drivers do it.
//!
//! snowflake-connector-rs has no PUT, and keeps its session token to itself, so this is a small client with a session
//! of its own: a login, a PUT statement per file or per life of its credentials, and the upload. The server never sees
//! the file of a PUT statement: any name works.

use super::auth::login_data;
use super::connection::Connection;
use super::error::{Kind, SnowflakeError};
use super::storage::{Bucket, StageInfo, bucket, upload_parts};
use crate::failpoint::{Step, step};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Credentials are asked for anew after this long; Snowflake gives them for an hour or more.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(20 * 60);

/// The content of a file on its way. An error in it aborts the upload: nothing complete is left behind.
pub type Content = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// The stage, as an uploader sees it. Cheap to clone.
#[derive(Clone)]
pub struct Stage {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    /// `@"DB"."SCHEMA"."STAGE"`.
    stage: String,
    http: reqwest::Client,
    token: Mutex<Option<SecretString>>,
    store: Mutex<Option<(Instant, Bucket)>>,
}

#[derive(Deserialize)]
struct PutAnswer {
    #[serde(rename = "stageInfo")]
    stage_info: StageInfo,
    #[serde(rename = "encryptionMaterial")]
    encryption: Option<serde_json::Value>,
    #[serde(rename = "presignedUrls", default)]
    presigned_urls: Option<Vec<SecretString>>,
}

/// What one PUT statement gave.
enum Destination {
    /// Credentials for the whole stage.
    Bucket(Bucket),
    /// A URL for this one file.
    Url(SecretString),
}

impl Stage {
    /// The stage named `stage` (`@"DB"."SCHEMA"."STAGE"`, quoted by the caller).
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(connection: Connection, stage: String) -> Result<Self, SnowflakeError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| SnowflakeError::refused(format!("no HTTP client: {error}")))?;
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                stage,
                http,
                token: Mutex::new(None),
                store: Mutex::new(None),
            }),
        })
    }

    /// Uploads a file to `path` below the stage and answers its size in bytes. The content is streamed; it cannot be
    /// read twice, so a failure in the middle is the caller's to repeat with a new file name.
    ///
    /// # Errors
    /// As [`SnowflakeError`] says; a path that leaves the stage is refused.
    pub async fn upload(&self, path: &str, content: Content) -> Result<u64, SnowflakeError> {
        check_path(path)?;
        step(Step::FileEnd, self.upload_whole(path, in_parts(content))).await
    }

    async fn upload_whole(&self, path: &str, content: Content) -> Result<u64, SnowflakeError> {
        match self.destination(path).await? {
            Destination::Bucket(bucket) => {
                let result = upload_parts(&bucket, path, content).await;
                if result.is_err() {
                    // Expired credentials look like any refusal: the next file asks for new ones.
                    *self.shared.store.lock().await = None;
                }
                result
            }
            Destination::Url(url) => self.upload_to_url(&url, content).await,
        }
    }

    async fn destination(&self, path: &str) -> Result<Destination, SnowflakeError> {
        if let Some((since, bucket)) = &*self.shared.store.lock().await
            && since.elapsed() < CREDENTIAL_LIFE
        {
            return Ok(Destination::Bucket(bucket.clone()));
        }
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let sql = format!(
            "PUT 'file:///snowhaul/{file}' '{}/{directory}/' AUTO_COMPRESS=FALSE OVERWRITE=TRUE SOURCE_COMPRESSION=NONE PARALLEL=4",
            self.shared.stage.replace('\'', "\\'")
        );
        let data = step(Step::FilePut, self.put_statement(&sql)).await?;
        // The answer holds credentials: its text is never told.
        let answer: PutAnswer = serde_json::from_value(data).map_err(|_| {
            SnowflakeError::refused(
                "Snowflake's answer to PUT does not have the expected form".to_owned(),
            )
        })?;
        if answer
            .encryption
            .as_ref()
            .is_some_and(|value| !value.is_null())
        {
            return Err(SnowflakeError::refused(format!(
                "the stage {} wants client-side encryption; drop it, and the orchestrator's next start creates it with ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')",
                self.shared.stage
            )));
        }
        let presigned = answer
            .presigned_urls
            .and_then(|urls| urls.into_iter().next())
            .or(answer.stage_info.presigned_url.clone());
        if let Some(url) = presigned.filter(|url| !url.expose_secret().is_empty()) {
            return Ok(Destination::Url(url));
        }
        let bucket = bucket(
            &answer.stage_info,
            directory,
            self.shared.connection.base_url.scheme() == "http",
        )?;
        *self.shared.store.lock().await = Some((Instant::now(), bucket.clone()));
        Ok(Destination::Bucket(bucket))
    }

    async fn upload_to_url(
        &self,
        url: &SecretString,
        content: Content,
    ) -> Result<u64, SnowflakeError> {
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = sent.clone();
        let counted = content.inspect_ok(move |chunk| {
            counter.fetch_add(chunk.len() as u64, std::sync::atomic::Ordering::Relaxed);
        });
        let request = self
            .shared
            .http
            .put(url.expose_secret())
            .header("Content-Type", "application/octet-stream")
            .body(reqwest::Body::wrap_stream(counted));
        // The URL is a secret, and reqwest's errors name it.
        let answer = request.send().await.map_err(|error| {
            let error = error.without_url();
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            SnowflakeError::unreachable(
                format!("the upload to the stage failed: {error}{cause}"),
                false,
            )
        })?;
        let status = answer.status();
        if !status.is_success() {
            return Err(SnowflakeError::unreachable(
                format!("the stage refused the upload with HTTP status {status}"),
                false,
            ));
        }
        Ok(sent.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Runs a PUT statement; logs in when there is no session yet, or it has expired.
    async fn put_statement(&self, sql: &str) -> Result<serde_json::Value, SnowflakeError> {
        let mut expired: Option<SecretString> = None;
        for attempt in 0..2 {
            let token = self.token(expired.as_ref()).await?;
            let url = self.url(
                "queries/v1/query-request",
                &format!(
                    "requestId={}&request_guid={}",
                    uuid::Uuid::new_v4(),
                    uuid::Uuid::new_v4()
                ),
            )?;
            let body =
                json!({"sqlText": sql, "asyncExec": false, "sequenceId": 1, "isInternal": false});
            let request = self.shared.http.post(url).header(
                "Authorization",
                format!("Snowflake Token=\"{}\"", token.expose_secret()),
            );
            match self.answer(request.json(&body)).await {
                Err(error) if error.kind == Kind::SessionExpired && attempt == 0 => {
                    expired = Some(token);
                }
                other => return other,
            }
        }
        Err(SnowflakeError::unreachable(
            "the session of the stage expires at once".to_owned(),
            false,
        ))
    }

    /// The session's token; a new one when there is none, or when it is still the expired one: uploads that meet the
    /// end of a session together log in once.
    async fn token(&self, expired: Option<&SecretString>) -> Result<SecretString, SnowflakeError> {
        let mut token = self.shared.token.lock().await;
        if let Some(token) = token.as_ref()
            && expired.is_none_or(|old| old.expose_secret() != token.expose_secret())
        {
            return Ok(token.clone());
        }
        let mut query = vec![];
        for (key, value) in [
            ("warehouse", &self.shared.connection.warehouse),
            ("roleName", &self.shared.connection.role),
        ] {
            if let Some(value) = value {
                query.push(format!("{key}={}", percent(value)));
            }
        }
        let url = self.url("session/v1/login-request", &query.join("&"))?;
        let data = self
            .answer(
                self.shared
                    .http
                    .post(url)
                    .json(&json!({"data": login_data(&self.shared.connection)?})),
            )
            .await?;
        let new: SecretString = data["token"]
            .as_str()
            .ok_or_else(|| {
                SnowflakeError::refused("Snowflake's answer to the login has no token".to_owned())
            })?
            .to_owned()
            .into();
        *token = Some(new.clone());
        Ok(new)
    }

    fn url(&self, path: &str, query: &str) -> Result<reqwest::Url, SnowflakeError> {
        let mut url = self
            .shared
            .connection
            .base_url
            .join(path)
            .map_err(|error| SnowflakeError::refused(error.to_string()))?;
        url.set_query(Some(query));
        Ok(url)
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<serde_json::Value, SnowflakeError> {
        let unreachable = |error: reqwest::Error| {
            SnowflakeError::unreachable(
                format!("Snowflake could not be reached: {}", error.without_url()),
                false,
            )
        };
        let answer = request
            .header("Accept", "application/snowflake")
            .timeout(Duration::from_secs(120))
            .send()
            .await
            .map_err(unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(SnowflakeError::unreachable(
                format!("Snowflake answered with HTTP status {status}"),
                false,
            ));
        }
        let mut body: serde_json::Value = answer.json().await.map_err(unreachable)?;
        if body["success"].as_bool() == Some(true) {
            return Ok(body["data"].take());
        }
        let code = body["code"]
            .as_str()
            .or(body["data"]["errorCode"].as_str())
            .unwrap_or_default()
            .to_owned();
        Err(SnowflakeError::from_code(
            &code,
            body["message"].as_str().unwrap_or("no message"),
        ))
    }
}

/// Each part is a step of its own.
fn in_parts(content: Content) -> Content {
    content
        .then(|part| async {
            let part = part?;
            step(Step::FilePart, async { Ok(part) })
                .await
                .map_err(std::io::Error::other)
        })
        .boxed()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// A path stays below the stage, and needs no quoting in the statement.
fn check_path(path: &str) -> Result<(), SnowflakeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '=');
    if path.is_empty()
        || path.starts_with('/')
        || !path.chars().all(plain)
        || path
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
    {
        return Err(SnowflakeError::refused(format!(
            "`{path}` is no path below the stage"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_stage() {
        for path in [
            "", "/a", "a/../b", "a//b", "a/./b", "a'b", "a b", "a\\b", "..", "a/",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert!(check_path("workflows/1/0/7/1/part-00000.parquet").is_ok());
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod upload_tests;
