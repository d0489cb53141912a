//! SQL by the servers' own Python drivers, in one helper process (`integration/checks`).

use crate::places;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// No statement of a test takes longer, unless it waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A row: every value as text (see `integration/checks/connections.py`), NULL as `None`.
pub type Row = Vec<Option<String>>;

/// What a statement answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Name and type of each column, as the server calls them: `int4`, `numeric`; `FIXED`, `TEXT`.
    pub columns: Vec<(String, String)>,
    /// The rows.
    pub rows: Vec<Row>,
    /// How many rows it gave or changed.
    pub count: u64,
}

/// A statement or a login that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// PostgreSQL's SQLSTATE, or Snowflake's six digits; empty where there is none.
    pub code: String,
    /// The server's words.
    pub message: String,
}

/// What the local Snowflake says when it is asked to throttle (`unfriendly.py`): nothing was done.
const THROTTLED: [&str; 2] = ["392998", "392999"];

/// One session, in autocommit mode.
#[derive(Debug)]
pub struct Sql {
    connection: u64,
}

impl Sql {
    /// Opens a session. Panics when it is refused.
    pub(crate) fn open(arguments: Value) -> Self {
        Self::try_open(arguments).unwrap_or_else(|error| panic!("login refused: {}", error.message))
    }

    /// Opens a session: `{"kind": "postgres" | "snowflake"}` and the arguments of the driver's `connect`.
    ///
    /// # Errors
    /// What the server says when it refuses.
    pub fn try_open(arguments: Value) -> Result<Self, SqlError> {
        let answer = Helper::shared().ask(json!({"open": arguments}))?;
        let connection = answer["connection"].as_u64();
        let connection = connection.unwrap_or_else(|| panic!("no connection in {answer}"));
        Ok(Self { connection })
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// What the server says when it refuses.
    pub fn try_run(&self, sql: &str) -> Result<Answer, SqlError> {
        let answer = Helper::shared().ask(json!({"connection": self.connection, "sql": sql}))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let column = |pair: &Value| {
            (
                text(&pair[0]).unwrap_or_default(),
                text(&pair[1]).unwrap_or_default(),
            )
        };
        Ok(Answer {
            columns: list(&answer["columns"]).iter().map(column).collect(),
            rows: list(&answer["rows"])
                .iter()
                .map(|row| list(row).iter().map(text).collect())
                .collect(),
            count: answer["count"].as_u64().unwrap_or_default(),
        })
    }

    /// Runs a statement that must succeed, if an unfriendly server does not throttle it for ever.
    pub fn run(&self, sql: &str) -> Answer {
        let mut tries = 0;
        loop {
            match self.try_run(sql) {
                Ok(answer) => return answer,
                Err(error) if THROTTLED.contains(&error.code.as_str()) && tries < 5 => tries += 1,
                Err(error) => panic!("{sql}: {} {}", error.code, error.message),
            }
        }
    }

    /// The rows of a statement that must succeed.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        self.run(sql).rows
    }

    /// The one value of a statement that must succeed and give one row of one column.
    #[must_use]
    pub fn value(&self, sql: &str) -> Option<String> {
        let mut rows = self.rows(sql);
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "{sql}: not one value but {rows:?}"
        );
        rows.remove(0).remove(0)
    }

    /// The one whole number, as of a `SELECT COUNT(*)`.
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        let value = self.value(sql);
        let number = value.as_deref().and_then(|text| text.parse().ok());
        number.unwrap_or_else(|| panic!("{sql}: not a whole number but {value:?}"))
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        // Not waited for: the session may hang on a server that was killed.
        Helper::shared().send(&json!({"id": 0, "close": self.connection}));
    }
}

type Reply = Result<Value, SqlError>;
type Waiting = Arc<Mutex<HashMap<u64, Sender<Reply>>>>;

struct Helper {
    input: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
}

impl Helper {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Helper> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let mut command = places::python();
        command
            .args(["-m", "checks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("{command:?} has no pipes");
        };
        let waiting = Waiting::default();
        let readers = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                deliver(&readers, &line);
            }
            // The senders go, and with them whoever waits learns that nothing will come.
            lock(&readers).clear();
            let _ = child.wait();
        });
        Self {
            input: Mutex::new(input),
            waiting,
            next: AtomicU64::new(1),
        }
    }

    fn ask(&self, mut request: Value) -> Reply {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        request["id"] = id.into();
        let (sender, receiver) = channel();
        lock(&self.waiting).insert(id, sender);
        self.send(&request);
        receiver
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("no answer to {request}: {error}"))
    }

    fn send(&self, request: &Value) {
        let line = format!("{request}\n");
        // A helper that ended shows in the answer that does not come.
        let _ = lock(&self.input).write_all(line.as_bytes());
    }
}

fn deliver(waiting: &Waiting, line: &str) {
    let Ok(answer) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let Some(sender) = answer["id"]
        .as_u64()
        .and_then(|id| lock(waiting).remove(&id))
    else {
        return;
    };
    let error = answer.get("error").map(|error| {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        SqlError {
            code: text("code"),
            message: text("message"),
        }
    });
    let _ = sender.send(error.map_or(Ok(answer), Err));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
