//! Uploads to storage that the answer to PUT gives credentials for, against a server that plays Snowflake and S3.

use super::*;
use crate::snowflake::testing::{Request, Server};
use crate::stage::storage::PART_BYTES;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;

async fn start(part_status: u16) -> Server {
    Server::start(move |request, port| {
        let (status, text) = answer(&request.method, &request.target, port, part_status);
        (status, text.into_bytes())
    })
    .await
}

fn stage(server: &Server) -> InternalStage {
    let stage = "@\"D\".\"S\".\"TASK_RESULTS\"";
    InternalStage::new(server.connection(), stage.into()).expect("a stage")
}

/// Method and target of each request to the storage.
fn of_storage(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let of_storage = requests.iter().filter(|r| r.target.starts_with("/bucket/"));
    of_storage
        .map(|r| format!("{} {}", r.method, r.target))
        .collect()
}

/// The PUT statements that came.
fn puts(server: &Server) -> Vec<Request> {
    let mut requests = server.requests();
    requests.retain(|r| r.sql().is_some_and(|sql| sql.starts_with("PUT ")));
    requests
}

fn answer(method: &str, target: &str, port: u16, part_status: u16) -> (u16, String) {
    let of_snowflake =
        |data: serde_json::Value| (200, json!({"success": true, "data": data}).to_string());
    match (method, target) {
        (_, login) if login.starts_with("/session/v1/login-request") => {
            of_snowflake(json!({"token": "session-1", "masterToken": "master-1"}))
        }
        (_, query) if query.starts_with("/queries/v1/query-request") => {
            of_snowflake(json!({"stageInfo": {
                "locationType": "S3", "location": "bucket/stages/x/workflows/1/0/2/1/", "region": "us-west-2",
                "endPoint": format!("127.0.0.1:{port}"),
                "creds": {"AWS_KEY_ID": "key-1", "AWS_SECRET_KEY": "secret-1", "AWS_TOKEN": "token-1"},
            }, "encryptionMaterial": null}))
        }
        ("POST", start) if start.ends_with("?uploads") || start.ends_with("?uploads=") => (
            200,
            "<InitiateMultipartUploadResult><UploadId>up-1</UploadId></InitiateMultipartUploadResult>".into(),
        ),
        ("POST", _) => (
            200,
            "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>".into(),
        ),
        ("PUT", _) => (part_status, String::new()),
        _ => (204, String::new()),
    }
}

fn content(chunks: Vec<Result<Vec<u8>, &str>>) -> Content {
    let chunks = chunks.into_iter().map(|chunk| {
        chunk
            .map(Bytes::from)
            .map_err(|what| std::io::Error::other(what.to_owned()))
    });
    futures::stream::iter(chunks.collect::<Vec<_>>()).boxed()
}

const PATH: &str = "workflows/1/0/2/1/part-00000.parquet";

#[tokio::test]
async fn a_file_goes_to_s3_in_signed_parts_and_the_next_one_with_the_same_credentials() {
    let server = start(200).await;
    let stage = stage(&server);
    let bytes: Vec<u8> = (0..PART_BYTES + 1000).map(|i| (i % 251) as u8).collect();
    let chunks = bytes.chunks(1 << 20).map(|chunk| Ok(chunk.to_vec()));
    let size = stage.upload(PATH, content(chunks.collect())).await;
    assert_eq!(size.expect("an upload"), bytes.len() as u64);
    let next = PATH.replace("part-00000", "part-00001");
    let size = stage.upload(&next, content(vec![Ok(vec![7])])).await;
    assert_eq!(size.expect("an upload"), 1);

    let requests = server.requests();
    let to = |start: &str| {
        requests
            .iter()
            .filter(|r| r.target.starts_with(start))
            .count()
    };
    // One login and one PUT statement for both files.
    let puts = puts(&server);
    assert_eq!((to("/session/"), puts.len()), (1, 1));
    assert!(requests[0].target.contains("roleName=R%201"));
    let statement = puts[0].sql().expect("a statement");
    assert!(
        statement.contains("'@\"D\".\"S\".\"TASK_RESULTS\"/workflows/1/0/2/1/'"),
        "{statement}"
    );
    assert_eq!(
        puts[0].headers["authorization"],
        "Snowflake Token=\"session-1\""
    );
    let first = format!("/bucket/stages/x/{PATH}?");
    let mut parts: Vec<&Request> = requests
        .iter()
        .filter(|r| r.method == "PUT" && r.target.starts_with(&first))
        .collect();
    parts.sort_by_key(|part| part.target.contains("partNumber=2"));
    let sent: Vec<u8> = parts.iter().flat_map(|part| part.body.clone()).collect();
    assert_eq!((parts.len(), sent == bytes), (2, true));
    let of_storage = requests.iter().filter(|r| r.target.starts_with("/bucket/"));
    for request in of_storage {
        let authorization = &request.headers["authorization"];
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 Credential=key-1/")
                && authorization.contains("/us-west-2/s3/aws4_request")
                && authorization.contains("x-amz-security-token"),
            "{authorization}"
        );
        assert_eq!(request.headers["x-amz-security-token"], "token-1");
    }
}

#[tokio::test]
async fn an_error_in_the_content_aborts_the_upload() {
    let server = start(200).await;
    let chunks = vec![Ok(vec![1; PART_BYTES + 1]), Err("the source broke")];
    let error = stage(&server).upload(PATH, content(chunks)).await;
    let error = error.expect_err("an aborted upload");
    assert!(error.message.contains("the source broke"), "{error}");
    assert_aborted(&server);
}

#[tokio::test]
async fn a_part_that_the_storage_refuses_aborts_the_upload_without_telling_secrets() {
    let server = start(403).await;
    let stage = stage(&server);
    let error = stage.upload(PATH, content(vec![Ok(vec![1; 10])])).await;
    let error = error.expect_err("a refused upload");
    for secret in ["secret-1", "token-1", "session-1"] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    assert_aborted(&server);
    // The credentials may be what was refused: the next file asks for new ones.
    let _ = stage.upload(PATH, content(vec![Ok(vec![1])])).await;
    assert_eq!(puts(&server).len(), 2);
}

#[track_caller]
fn assert_aborted(server: &Server) {
    let requests = of_storage(server);
    let aborts =
        |request: &String| request.starts_with("DELETE ") && request.contains("uploadId=up-1");
    let completes =
        |request: &String| request.starts_with("POST ") && request.contains("uploadId=");
    assert!(requests.iter().any(aborts), "{requests:?}");
    assert!(!requests.iter().any(completes), "{requests:?}");
}

#[test]
fn only_a_key_or_a_word_of_the_stage_asks_for_encryption() {
    let encrypted = |material: serde_json::Value, is: bool| {
        let answer: PutAnswer = serde_json::from_value(json!({
            "stageInfo": {"locationType": "S3", "location": "b/", "isClientSideEncrypted": is},
            "encryptionMaterial": material,
        }))
        .expect("an answer");
        answer.is_encrypted_by_clients()
    };
    let empty = json!({"queryStageMasterKey": "", "queryId": "", "smkId": 0});
    for material in [
        json!(null),
        json!({}),
        empty.clone(),
        json!([]),
        json!([empty]),
    ] {
        assert!(!encrypted(material.clone(), false), "{material}");
        assert!(encrypted(material, true));
    }
    let key = json!({"queryStageMasterKey": "k", "queryId": "q", "smkId": 1});
    assert!(encrypted(key.clone(), false) && encrypted(json!([key]), false));
}
