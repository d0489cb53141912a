//! Sessions, against a server that plays Snowflake.

use super::*;
use crate::snowflake::SnowflakeClient;
use crate::snowflake::statement::Bind;
use crate::snowflake::testing::{Request, Server};
use std::sync::atomic::AtomicUsize;

fn success(data: Value) -> (u16, Vec<u8>) {
    (
        200,
        json!({"success": true, "data": data})
            .to_string()
            .into_bytes(),
    )
}

fn refusal(code: &str) -> (u16, Vec<u8>) {
    let answer = json!({"success": false, "code": code, "message": "no", "data": null});
    (200, answer.to_string().into_bytes())
}

const BROKEN: (u16, Vec<u8>) = (0, Vec::new());

/// Plays logins and all that comes with them, and leaves the rest to `answers`, which learns how many of these came before.
async fn server(
    answers: impl Fn(&Request, usize, u16) -> (u16, Vec<u8>) + Send + Sync + 'static,
) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request, port| {
        let is = |path: &str| request.target.starts_with(path);
        if is("/session/v1/login-request") {
            success(json!({"token": "token-1", "masterToken": "master-1"}))
        } else if is("/session?delete=true") {
            success(Value::Null)
        } else if request
            .sql()
            .is_some_and(|sql| sql.starts_with("USE SECONDARY"))
        {
            success(json!({"rowset": []}))
        } else {
            answers(request, count.fetch_add(1, Ordering::Relaxed), port)
        }
    })
    .await
}

fn one(text: &str) -> (u16, Vec<u8>) {
    success(json!({"rowtype": [{"name": "A"}], "rowset": [[text]]}))
}

/// The statements that came after the login, each with its id.
fn statements(server: &Server) -> Vec<(String, String)> {
    let requests = server.requests();
    let sent = requests.iter().filter_map(|request| {
        let id = request.target.split("requestId=").nth(1)?.get(..36)?;
        Some((request.sql()?, id.to_owned()))
    });
    sent.filter(|(sql, _)| !sql.starts_with("USE SECONDARY"))
        .collect()
}

#[tokio::test]
async fn one_login_and_one_connection_serve_for_many_statements() {
    let server = server(|_, count, _| one(&count.to_string())).await;
    let client = SnowflakeClient::new(server.connection(), "test");
    for count in 0..5 {
        let rows = client.query("SELECT 1").await.expect("an answer");
        assert_eq!(rows, [[Some(count.to_string())]]);
    }
    let requests = server.requests();
    let logins = requests
        .iter()
        .filter(|r| r.target.starts_with("/session/v1/"));
    assert_eq!(logins.count(), 1);
    assert!(requests.iter().all(|request| request.connection == 1));
    let last = requests.last().expect("requests");
    let token = &last.headers["authorization"];
    assert_eq!(token, "Snowflake Token=\"token-1\"");
}

#[tokio::test]
async fn a_session_that_is_thrown_away_is_closed() {
    let server = server(|_, _, _| success(json!({"rowset": []}))).await;
    let client = SnowflakeClient::new(server.connection(), "test");
    drop(client.reserve("tag").await.expect("a session"));
    let closed = async {
        while !server
            .requests()
            .iter()
            .any(|r| r.target.starts_with("/session?delete=true"))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed)
        .await
        .expect("a closed session");
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_statement_is_sent_again() {
    let server = server(|request, _, _| {
        let token = request.headers["authorization"].as_str();
        if request.target.starts_with("/session/token-request") {
            assert_eq!(token, "Snowflake Token=\"master-1\"");
            success(json!({"sessionToken": "token-2", "masterToken": "master-2"}))
        } else if token == "Snowflake Token=\"token-1\"" {
            refusal(EXPIRED)
        } else {
            one("done")
        }
    })
    .await;
    let client = SnowflakeClient::new(server.connection(), "test");
    let update = client.query("UPDATE t SET a = 1").await;
    assert_eq!(update.expect("an answer"), [[Some("done".to_owned())]]);
    let sent = statements(&server);
    assert_eq!(sent.len(), 2);
    // The same request: whatever became of the first one, it runs once.
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_master_token_that_has_expired_too_asks_for_a_new_login() {
    let server = server(|request, count, _| match count {
        0 => refusal(EXPIRED),
        1 => {
            assert!(request.target.starts_with("/session/token-request"));
            refusal("390114")
        }
        _ => one("done"),
    })
    .await;
    let client = SnowflakeClient::new(server.connection(), "test");
    client.query("SELECT 1").await.expect("an answer");
    let requests = server.requests();
    let logins = requests
        .iter()
        .filter(|r| r.target.starts_with("/session/v1/"));
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn what_reads_is_sent_again_and_what_writes_is_in_doubt() {
    let server = server(|_, count, _| if count % 2 == 0 { BROKEN } else { one("done") }).await;
    let client = SnowflakeClient::new(server.connection(), "test");
    client.query("SELECT 1").await.expect("an answer");
    let sent = statements(&server);
    assert_eq!((sent.len(), sent[0] == sent[1]), (2, true));
    let error = client
        .query("UPDATE t SET a = 1")
        .await
        .expect_err("a lost reply");
    assert_eq!((error.kind, error.in_doubt), (Kind::Unreachable, true));
    assert_eq!(statements(&server).len(), 3);
}

#[tokio::test]
async fn a_statement_that_runs_is_asked_for_until_it_ends_whatever_becomes_of_the_questions() {
    let running = || {
        let answer = json!({"success": true, "code": "333333", "data": {"getResultUrl": "/queries/q/result"}});
        (200, answer.to_string().into_bytes())
    };
    let server = server(move |request, count, _| match count {
        0 => running(),
        1 => BROKEN,
        2 => (503, Vec::new()),
        3 => running(),
        _ => {
            assert_eq!(
                (request.method.as_str(), request.target.as_str()),
                ("GET", "/queries/q/result")
            );
            one("done")
        }
    })
    .await;
    let client = SnowflakeClient::for_loads(server.connection(), "test");
    let rows = client
        .query("COPY INTO t FROM @s")
        .await
        .expect("an answer");
    assert_eq!(rows, [[Some("done".to_owned())]]);
    assert_eq!(statements(&server).len(), 1);
}

#[tokio::test]
async fn a_result_may_lie_in_files_whose_addresses_are_secrets() {
    let server = server(|request, count, port| {
        if !request.target.starts_with("/file") {
            let url = |n: u8| json!({"url": format!("http://127.0.0.1:{port}/file-{n}?secret-1"), "rowCount": 1});
            return success(json!({
                "rowtype": [{"name": "A"}], "rowset": [["0"]], "chunks": [url(1), url(2)],
                "chunkHeaders": {"x-key": "key-1"},
            }));
        }
        assert_eq!(request.headers["x-key"], "key-1");
        match (request.target.as_str(), count) {
            // The first try of one of them.
            (_, 1) => (500, Vec::new()),
            ("/file-1?secret-1", _) => (200, b"[\"1\"],[null]".to_vec()),
            _ => (200, b"[\"2\"]".to_vec()),
        }
    })
    .await;
    let client = SnowflakeClient::new(server.connection(), "test");
    let rows = client.query("SELECT a FROM t").await.expect("an answer");
    let values: Vec<_> = rows.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(values, [Some("0"), Some("1"), None, Some("2")]);

    let broken = super::super::testing::Server::start(|_, _| (403, Vec::new())).await;
    let chunk =
        json!({"chunks": [{"url": format!("http://127.0.0.1:{}/file?secret-1", broken.port)}]});
    let data: QueryData = serde_json::from_value(chunk).expect("data");
    let http = server.connection().http.client().expect("a client");
    let error = data.complete(&http).await.expect_err("a refused file");
    assert!(!format!("{error:?}").contains("secret-1"), "{error:?}");
}

#[tokio::test]
async fn the_login_pins_the_session_and_names_the_client() {
    let server = server(|_, _, _| one("1")).await;
    let client = SnowflakeClient::for_transactions(server.connection(), "loads");
    let statement = Statement::bound("SELECT ?", vec![Bind::from("a")]);
    client.query(statement).await.expect("an answer");
    let login: Value = serde_json::from_slice(&server.requests()[0].body).expect("JSON");
    let data = &login["data"];
    assert_eq!(
        (&data["CLIENT_APP_ID"], &data["ACCOUNT_NAME"]),
        (&json!("snowhaul"), &json!("a"))
    );
    let parameters = &data["SESSION_PARAMETERS"];
    for (name, value) in [
        ("AUTOCOMMIT", json!(false)),
        ("STATEMENT_TIMEOUT_IN_SECONDS", json!(86_400)),
        ("LOCK_TIMEOUT", json!(600)),
        ("ROWS_PER_RESULTSET", json!(0)),
        ("QUOTED_IDENTIFIERS_IGNORE_CASE", json!(false)),
        ("DATE_INPUT_FORMAT", json!("AUTO")),
    ] {
        assert_eq!(parameters[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_statement_tells_what_the_answers_before_it_gave() {
    let server = server(|_, count, _| {
        let entry = |id: u8, timestamp: u8| json!({"id": id, "timestamp": timestamp, "priority": id, "context": "YQ=="});
        let (code, entries) = match count {
            0 => ("", json!([entry(1, 1), entry(0, 1)])),
            1 => ("001003", json!([entry(1, 2)])),
            2 => ("333333", json!([])),
            3 => ("", json!([entry(0, 3)])),
            _ => return one("done"),
        };
        let data = json!({"getResultUrl": "/queries/q/result", "queryContext": {"entries": entries}});
        let answer = json!({"success": count != 1, "code": code, "data": data});
        (200, answer.to_string().into_bytes())
    })
    .await;
    let client = SnowflakeClient::new(server.connection(), "test");
    client.query("SELECT 1").await.expect("an answer");
    client.query("SELECT 2").await.expect_err("a refusal");
    client.query("SELECT 3").await.expect("an answer");
    client.query_data("PUT").await.expect("an answer");
    // Another session begins again.
    let other = SnowflakeClient::new(server.connection(), "test");
    other.query("SELECT 4").await.expect("an answer");

    let bodies = server.requests().into_iter().filter_map(|request| {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        let is = |sql: &str| {
            body["sqlText"]
                .as_str()
                .is_some_and(|text| text.starts_with(sql))
        };
        (is("SELECT") || is("PUT")).then(|| body["queryContextDTO"].clone())
    });
    let entries = |timestamps: [u8; 2]| {
        let entries = timestamps.iter().enumerate().map(|(id, timestamp)| {
            json!({"id": id, "timestamp": timestamp, "priority": id, "context": {"base64Data": "YQ=="}})
        });
        json!({"entries": entries.collect::<Vec<_>>()})
    };
    assert_eq!(
        bodies.collect::<Vec<_>>(),
        [
            json!({}),
            entries([1, 1]),
            entries([1, 2]),
            entries([3, 2]),
            json!({}),
        ]
    );
}

#[tokio::test]
async fn the_login_says_how_much_of_the_query_context_is_kept() {
    let server = Server::start(|request, _| {
        let entries = [0, 1].map(|id| json!({"id": id, "timestamp": 1, "priority": id}));
        let size = json!([{"name": "QUERY_CONTEXT_CACHE_SIZE", "value": 1}]);
        if request.target.starts_with("/session/v1/login-request") {
            success(json!({"token": "token-1", "masterToken": "master-1", "parameters": size}))
        } else {
            success(json!({"rowset": [], "queryContext": {"entries": entries}}))
        }
    })
    .await;
    let client = SnowflakeClient::new(server.connection(), "test");
    client.query("SELECT 1").await.expect("an answer");
    let requests = server.requests();
    let body: Value = serde_json::from_slice(&requests[2].body).expect("JSON");
    assert_eq!(
        body["queryContextDTO"],
        json!({"entries": [{"id": 0, "timestamp": 1, "priority": 0, "context": {}}]})
    );
}
