//! A server that plays Snowflake, and what it was asked.

use super::connection::{ClientApp, Connection, Credentials};
use super::http::SharedHttp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on.
    pub(crate) connection: usize,
}

impl Request {
    /// The SQL of a query request.
    pub(crate) fn sql(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body["sqlText"].as_str()?.to_owned())
    }
}

/// The status and the body of an answer; status 0 breaks the connection.
pub(crate) type Answers = dyn Fn(&Request) -> (u16, Vec<u8>) + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Listens, and answers as `answers` says, which is given the port as well.
    pub(crate) async fn start(
        answers: impl Fn(&Request, u16) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared = requests.clone();
        let answers: Arc<Answers> = Arc::new(move |request| answers(request, port));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                tokio::spawn(serve(stream, connection, shared.clone(), answers.clone()));
            }
        });
        Self { port, requests }
    }

    /// A connection to it.
    pub(crate) fn connection(&self) -> Connection {
        Connection {
            name: "local".into(),
            account: "a".into(),
            user: "u".into(),
            base_url: format!("http://127.0.0.1:{}/", self.port)
                .parse()
                .expect("an address"),
            credentials: Credentials::Password("pw".to_owned().into()),
            role: Some("R 1".into()),
            warehouse: None,
            client: ClientApp::default(),
            service_token: None,
            warnings: Vec::new(),
            http: SharedHttp::default(),
        }
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }
}

async fn serve(
    stream: TcpStream,
    connection: usize,
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Answers>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((key, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.insert(key.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.ok()?;
        let request = Request {
            method,
            target,
            headers,
            body,
            connection,
        };
        let (status, answer) = answers(&request);
        requests.lock().expect("requests").push(request);
        if status == 0 {
            return None;
        }
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nETag: \"e\"\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&answer).await.ok()?;
    }
}
