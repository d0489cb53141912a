//! Uploads to an internal stage: PUT as the official drivers do it.
//!
//! snowflake-connector-rs has no PUT, and keeps its session token to itself, so this is a small client with a session
//! of its own: a login, a PUT statement per file or per life of its credentials, and the upload. The server never sees
//! the file of a PUT statement: any name works.

use super::auth::login_data;
use super::connection::Connection;
use super::error::{Kind, SnowflakeError};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Size of a part of a multipart upload. S3 takes 10,000 parts of at least 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file on their way at once; with the part size, the upload's share of a task's memory.
const PARTS_IN_FLIGHT: usize = 3;
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

/// Where the stage's files live, when credentials serve for more than one file.
#[derive(Clone)]
struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Key prefix of the stage.
    prefix: String,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageInfo {
    location_type: String,
    location: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    storage_account: Option<String>,
    #[serde(default)]
    end_point: Option<String>,
    #[serde(default)]
    presigned_url: Option<SecretString>,
    #[serde(default)]
    creds: Option<Creds>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
struct Creds {
    #[serde(default)]
    aws_key_id: Option<SecretString>,
    #[serde(default)]
    aws_secret_key: Option<SecretString>,
    #[serde(default)]
    aws_token: Option<SecretString>,
    #[serde(default)]
    azure_sas_token: Option<SecretString>,
    #[serde(default)]
    gcs_access_token: Option<SecretString>,
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
        let data = self.put_statement(&sql).await?;
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
        for attempt in 0..2 {
            let token = self.token(attempt > 0).await?;
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
                Err(error) if error.kind == Kind::SessionExpired && attempt == 0 => {}
                other => return other,
            }
        }
        Err(SnowflakeError::unreachable(
            "the session of the stage expires at once".to_owned(),
            false,
        ))
    }

    async fn token(&self, renew: bool) -> Result<SecretString, SnowflakeError> {
        let mut token = self.shared.token.lock().await;
        if let Some(token) = token.as_ref()
            && !renew
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

/// The store of an answer to PUT, with the stage's own prefix: what the answer says, less the directory asked for.
fn bucket(info: &StageInfo, directory: &str, allow_http: bool) -> Result<Bucket, SnowflakeError> {
    let (container, key) = info
        .location
        .split_once('/')
        .unwrap_or((info.location.as_str(), ""));
    let prefix = key
        .trim_end_matches('/')
        .strip_suffix(directory)
        .unwrap_or(key)
        .to_owned();
    let creds = info.creds.as_ref();
    let secret = |pick: fn(&Creds) -> &Option<SecretString>| {
        creds
            .and_then(|creds| pick(creds).as_ref())
            .map(|s| s.expose_secret().to_owned())
            .unwrap_or_default()
    };
    let scheme = if allow_http { "http" } else { "https" };
    let end_point = info
        .end_point
        .as_deref()
        .filter(|end_point| !end_point.is_empty());
    let built: Result<Arc<dyn ObjectStore>, object_store::Error> = match info.location_type.as_str()
    {
        "S3" => {
            let mut builder = object_store::aws::AmazonS3Builder::new()
                .with_bucket_name(container)
                .with_region(info.region.as_deref().unwrap_or("us-east-1"))
                .with_access_key_id(secret(|c| &c.aws_key_id))
                .with_secret_access_key(secret(|c| &c.aws_secret_key))
                .with_token(secret(|c| &c.aws_token))
                .with_allow_http(allow_http);
            if let Some(end_point) = end_point {
                builder = builder.with_endpoint(format!("{scheme}://{end_point}"));
            }
            builder.build().map(|store| Arc::new(store) as _)
        }
        "AZURE" => {
            let account = info.storage_account.clone().unwrap_or_default();
            let url = format!(
                "{scheme}://{account}.{}",
                end_point.unwrap_or("blob.core.windows.net")
            );
            object_store::azure::MicrosoftAzureBuilder::new()
                .with_account(account)
                .with_container_name(container)
                .with_endpoint(url)
                .with_allow_http(allow_http)
                .with_config(
                    object_store::azure::AzureConfigKey::SasKey,
                    secret(|c| &c.azure_sas_token).trim_start_matches('?'),
                )
                .build()
                .map(|store| Arc::new(store) as _)
        }
        "GCS" => {
            let token = object_store::gcp::GcpCredential {
                bearer: secret(|c| &c.gcs_access_token),
            };
            object_store::gcp::GoogleCloudStorageBuilder::new()
                .with_bucket_name(container)
                .with_credentials(Arc::new(object_store::StaticCredentialProvider::new(token)))
                .build()
                .map(|store| Arc::new(store) as _)
        }
        other => {
            return Err(SnowflakeError::refused(format!(
                "the stage is of a kind that cannot be uploaded to: {other}"
            )));
        }
    };
    let store = built.map_err(|error| {
        SnowflakeError::refused(format!("the stage's storage cannot be used: {error}"))
    })?;
    Ok(Bucket { store, prefix })
}

async fn upload_parts(
    bucket: &Bucket,
    path: &str,
    mut content: Content,
) -> Result<u64, SnowflakeError> {
    let failed = |error: object_store::Error| {
        SnowflakeError::unreachable(format!("the upload to the stage failed: {error}"), false)
    };
    let key = object_store::path::Path::from(format!("{}{path}", bucket.prefix));
    let upload = bucket.store.put_multipart(&key).await.map_err(failed)?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut bytes = 0;
    while let Some(chunk) = content.next().await {
        let ready = match chunk {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                writer
                    .wait_for_capacity(PARTS_IN_FLIGHT)
                    .await
                    .map(|()| writer.put(chunk))
                    .map_err(failed)
            }
            Err(error) => Err(SnowflakeError::unreachable(
                format!("the upload was aborted: {error}"),
                false,
            )),
        };
        if let Err(error) = ready {
            let _ = writer.abort().await;
            return Err(error);
        }
    }
    writer.finish().await.map_err(failed)?;
    Ok(bytes)
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

    #[test]
    fn the_stage_prefix_is_what_the_answer_says_less_the_directory() {
        let info: StageInfo = serde_json::from_value(json!({
            "locationType": "S3", "location": "bucket/stages/abc/workflows/1/0/", "region": "us-west-2",
            "creds": {"AWS_KEY_ID": "k", "AWS_SECRET_KEY": "s", "AWS_TOKEN": "t"}
        }))
        .expect("stage info");
        assert_eq!(
            bucket(&info, "workflows/1/0", false)
                .expect("bucket")
                .prefix,
            "stages/abc/"
        );
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod upload_tests;
