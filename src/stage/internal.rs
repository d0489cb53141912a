//! Uploads to an internal stage: PUT as the official drivers do it: a PUT statement per file or per life of its credentials,
//! and the upload. The server never sees the file of a PUT statement: any name works.

use super::storage::{Bucket, StageInfo, bucket, upload_parts};
use super::{Content, Stage, StageError};
use crate::domain::task::StageLocation;
use crate::failpoint::{Step, step};
use crate::snowflake::{Connection, SnowflakeClient, SnowflakeError};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Credentials are asked for again after this long; Snowflake gives them for an hour or more.
const CREDENTIAL_LIFE: Duration = Duration::from_secs(20 * 60);

/// The stage in the metadata's schema. Cheap to clone.
#[derive(Clone)]
pub struct InternalStage {
    shared: Arc<Shared>,
}

struct Shared {
    client: SnowflakeClient,
    /// Whether the account is reached without TLS, as one on this machine is: then its storage may be, too.
    allow_http: bool,
    /// `@"DB"."SCHEMA"."STAGE"`.
    stage: String,
    http: reqwest::Client,
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

impl PutAnswer {
    /// Whether files have to be encrypted before they are sent: the stage says so, or gives a key for it. An answer of a
    /// stage that encrypts on its own may have the same fields, empty.
    fn is_encrypted_by_clients(&self) -> bool {
        let has_key = |material: &serde_json::Value| {
            material["queryStageMasterKey"]
                .as_str()
                .is_some_and(|key| !key.is_empty())
        };
        self.stage_info.is_client_side_encrypted
            || match &self.encryption {
                Some(serde_json::Value::Array(materials)) => materials.iter().any(has_key),
                Some(material) => has_key(material),
                None => false,
            }
    }
}

/// What one PUT statement gave.
enum Destination {
    /// Credentials for the whole stage.
    Bucket(Bucket),
    /// A URL for this one file.
    Url(SecretString),
}

#[async_trait]
impl Stage for InternalStage {
    fn location(&self) -> StageLocation {
        StageLocation::Internal
    }

    async fn upload(&self, path: &str, content: Content) -> Result<u64, StageError> {
        Ok(self.put_file(path, content).await?)
    }
}

impl InternalStage {
    /// The stage named `stage` (`@"DB"."SCHEMA"."STAGE"`, quoted by the caller).
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(connection: Connection, stage: String) -> Result<Self, SnowflakeError> {
        Ok(Self {
            shared: Arc::new(Shared {
                http: connection.http.client()?,
                allow_http: connection.base_url.scheme() == "http",
                client: SnowflakeClient::beside(connection, "stage"),
                stage,
                store: Mutex::new(None),
            }),
        })
    }

    /// As [`Stage::upload`], with Snowflake's own error.
    ///
    /// # Errors
    /// As [`SnowflakeError`] says; a path that leaves the stage is refused.
    pub async fn put_file(&self, path: &str, content: Content) -> Result<u64, SnowflakeError> {
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

    /// Asks where a file goes.
    async fn put(&self, path: &str) -> Result<Value, SnowflakeError> {
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let sql = format!(
            "PUT 'file:///snowhaul/{file}' '{}/{directory}/' AUTO_COMPRESS=FALSE OVERWRITE=TRUE SOURCE_COMPRESSION=NONE PARALLEL=4",
            self.shared.stage.replace('\'', "\\'")
        );
        self.shared.client.query_data(&sql).await
    }

    /// The form of Snowflake's answer to a PUT: keys, and kinds in place of values, which are credentials in part.
    ///
    /// # Errors
    /// As any statement.
    pub async fn form_of_put(&self) -> Result<String, SnowflakeError> {
        Ok(form(&self.put("form/0.parquet").await?))
    }

    async fn destination(&self, path: &str) -> Result<Destination, SnowflakeError> {
        if let Some((since, bucket)) = &*self.shared.store.lock().await
            && since.elapsed() < CREDENTIAL_LIFE
        {
            return Ok(Destination::Bucket(bucket.clone()));
        }
        let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
        let data = step(Step::FilePut, self.put(path)).await?;
        // The answer holds credentials: its text is never shown.
        let answer: PutAnswer = serde_json::from_value(data).map_err(|_| {
            SnowflakeError::refused(
                "Snowflake's answer to PUT does not have the expected form".to_owned(),
            )
        })?;
        if answer.is_encrypted_by_clients() {
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
        let bucket = bucket(&answer.stage_info, directory, self.shared.allow_http)?;
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
}

/// Each part is a step of its own.
fn in_parts(content: Content) -> Content {
    content
        .then(|part| async {
            let part = part?;
            step(Step::FilePart, async { Ok::<_, SnowflakeError>(part) })
                .await
                .map_err(std::io::Error::other)
        })
        .boxed()
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
            "`{path}` is not a path below the stage"
        )));
    }
    Ok(())
}

/// Keys, and kinds in place of values; a list by its first entry.
fn form(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(entries) => format!("[{}]", entries.first().map(form).unwrap_or_default()),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", form(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_keys_and_kinds_and_no_value() {
        let answer = serde_json::json!({
            "stageInfo": {"creds": {"AWS_KEY_ID": "hidden"}, "presignedUrl": null, "endPoint": ""},
            "parallel": 4, "autoCompress": false, "src_locations": ["hidden", "hidden"], "none": [],
        });
        assert_eq!(
            form(&answer),
            "{autoCompress: boolean, none: [], parallel: number, src_locations: [text], \
             stageInfo: {creds: {AWS_KEY_ID: text}, endPoint: empty, presignedUrl: null}}"
        );
    }

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
#[path = "internal_tests.rs"]
mod upload_tests;
