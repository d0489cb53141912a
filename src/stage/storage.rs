//! The storage behind a stage: what the answer to PUT says of it, and multipart uploads to it.

use super::Content;
use crate::snowflake::SnowflakeError;
use futures::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;

/// Size of a part of a multipart upload. S3 takes 10,000 parts of at least 5 MiB.
pub(super) const PART_BYTES: usize = 8 << 20;
/// Parts of one file on their way at once; with the part size, the upload's share of a task's memory.
const PARTS_IN_FLIGHT: usize = 3;

/// Where the stage's files live, when credentials serve for more than one file.
#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Key prefix of the stage.
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageInfo {
    location_type: String,
    location: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    storage_account: Option<String>,
    #[serde(default)]
    end_point: Option<String>,
    #[serde(default)]
    pub(super) is_client_side_encrypted: bool,
    #[serde(default)]
    pub(super) presigned_url: Option<SecretString>,
    #[serde(default)]
    creds: Option<Creds>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct Creds {
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

impl StageInfo {
    /// The host that the answer names, if it does; some answers bring the scheme along.
    fn host(&self) -> Option<&str> {
        let end_point = self.end_point.as_deref()?;
        let host = end_point
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/');
        (!host.is_empty()).then_some(host)
    }

    /// The host of S3, without the bucket: regional, as all drivers may use it.
    fn s3_host(&self) -> String {
        if let Some(host) = self.host() {
            return host.to_owned();
        }
        let region = self.region.as_deref().unwrap_or("us-east-1");
        let china = if region.to_lowercase().starts_with("cn-") {
            ".cn"
        } else {
            ""
        };
        format!("s3.{region}.amazonaws.com{china}")
    }
}

/// The store of an answer to PUT, with the stage's own prefix: what the answer says, less the directory asked for.
pub(super) fn bucket(
    info: &StageInfo,
    directory: &str,
    allow_http: bool,
) -> Result<Bucket, SnowflakeError> {
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
    let end_point = info.host();
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
            let host = info.s3_host();
            builder = if allow_http {
                // A server on this machine has no names for its buckets.
                builder.with_endpoint(format!("{scheme}://{host}"))
            } else {
                // The hosts that SYSTEM$ALLOWLIST names, and that firewalls let through.
                builder
                    .with_virtual_hosted_style_request(true)
                    .with_endpoint(format!("{scheme}://{container}.{host}"))
            };
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

pub(super) async fn upload_parts(
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
    use serde_json::json;

    #[test]
    fn s3_is_reached_at_the_hosts_that_the_drivers_use() {
        let host = |end_point: serde_json::Value, region: &str| {
            let info = json!({"locationType": "S3", "location": "b/", "region": region, "endPoint": end_point});
            let info: StageInfo = serde_json::from_value(info).expect("stage info");
            info.s3_host()
        };
        let none = serde_json::Value::Null;
        assert_eq!(
            host(none.clone(), "eu-west-1"),
            "s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(host(none, "cn-north-1"), "s3.cn-north-1.amazonaws.com.cn");
        assert_eq!(host(json!(""), "eu-west-1"), "s3.eu-west-1.amazonaws.com");
        let vpce = "bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com";
        assert_eq!(host(json!(vpce), "eu-west-1"), vpce);
        assert_eq!(host(json!(format!("https://{vpce}/")), "eu-west-1"), vpce);
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
