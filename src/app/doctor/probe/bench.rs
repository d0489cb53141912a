//! Where the probes work: a schema of their own, sessions that write down what is sent, and a stage.

use crate::app::doctor::probe::report::{Statement, shortened};
use crate::file::{ParquetFile, content};
use crate::snowflake::error::Kind;
use crate::snowflake::{
    Answer, Bind, Connection, Row, SnowflakeClient, SnowflakeError, Statement as Sent, close_all,
};
use crate::stage::internal::InternalStage;
use crate::types::snowflake_name::quote;
use arrow::array::RecordBatch;
use futures::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What was sent since the last probe ended.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    statements: Arc<Mutex<Vec<Statement>>>,
    /// Names that the report does not tell, and what stands in their place.
    names: Arc<Vec<(String, &'static str)>>,
}

impl Ledger {
    fn new(names: Vec<(String, &'static str)>) -> Self {
        Self {
            statements: Arc::default(),
            names: Arc::new(names),
        }
    }

    /// What was sent so far; it is gone from here then.
    pub(super) fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without the names of the account and of what is in it.
    pub(super) fn anonymous(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |text, (name, word)| {
                replace_words(&text, name, word)
            })
    }

    pub(super) fn note(
        &self,
        session: &'static str,
        text: &str,
        began: Instant,
        answer: Result<usize, &SnowflakeError>,
    ) {
        let error = answer.err();
        self.lock().push(Statement {
            session,
            text: self.anonymous(&shortened(text)),
            rows: answer.ok(),
            code: error.and_then(|error| error.code.clone()),
            sqlstate: error.and_then(|error| error.state.clone()),
            message: error.map(|error| self.anonymous(&error.message)),
            ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// Replaces a name wherever it stands as a whole word, in whatever case.
fn replace_words(text: &str, name: &str, word: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (lower, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    if name.is_empty() {
        return text.to_owned();
    }
    let (mut out, mut from) = (String::new(), 0);
    while let Some(at) = lower[from..].find(&name).map(|at| at + from) {
        let end = at + name.len();
        if is_part(lower[..at].chars().next_back()) || is_part(lower[end..].chars().next()) {
            out.push_str(&text[from..end]);
        } else {
            out.push_str(&text[from..at]);
            out.push_str(word);
        }
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// A session that writes down what it sends. One statement at a time, so that it stays the same session.
pub(super) struct Asker {
    client: SnowflakeClient,
    name: &'static str,
    ledger: Ledger,
}

impl Asker {
    /// Sends a statement and answers its rows.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        Ok(self.ask_named(sql).await?.rows)
    }

    /// The same with the names of the columns.
    pub(super) async fn ask_named(&self, sql: &str) -> Result<Answer, SnowflakeError> {
        let began = Instant::now();
        let answer = self.client.query_named(sql).await;
        let counted = answer.as_ref().map(|answer| answer.rows.len());
        self.ledger.note(self.name, sql, began, counted);
        answer
    }

    /// Sends a statement whose values are bound.
    pub(super) async fn ask_bound(&self, sql: &str, binds: &[Bind]) -> Result<(), SnowflakeError> {
        let began = Instant::now();
        let answer = self.client.query(Sent::bound(sql, binds)).await;
        let counted = answer.as_ref().map(Vec::len);
        self.ledger.note(self.name, sql, began, counted);
        answer.map(drop)
    }

    /// Sends statements until one fails.
    pub(super) async fn all(&self, statements: &[String]) -> Result<(), SnowflakeError> {
        for sql in statements {
            self.ask(sql).await?;
        }
        Ok(())
    }

    /// The first cell of a query's first row.
    pub(super) async fn cell(&self, sql: &str) -> Result<String, SnowflakeError> {
        let rows = self.ask(sql).await?;
        Ok(first(&rows).to_owned())
    }
}

/// The first cell.
pub(super) fn first(rows: &[Row]) -> &str {
    rows.first()
        .and_then(|row| row.first())
        .and_then(Option::as_deref)
        .unwrap_or_default()
}

/// Where the probes work.
pub(super) struct Bench {
    pub(super) connection: Connection,
    pub(super) ledger: Ledger,
    /// Exact names.
    pub(super) database: String,
    pub(super) schema: String,
    owns_database: bool,
    /// Of all sessions, which live as long as these do.
    clients: Mutex<Vec<SnowflakeClient>>,
}

impl Bench {
    /// Creates the schema, in `database` if that is there, else in one that is created too.
    pub(super) async fn set_up(
        connection: &Connection,
        database: &str,
        names: Vec<(String, &'static str)>,
        schema: String,
    ) -> (Ledger, Result<Self, SnowflakeError>) {
        let mut bench = Self {
            connection: connection.clone(),
            ledger: Ledger::new(names),
            database: database.to_owned(),
            schema,
            owns_database: false,
            clients: Mutex::default(),
        };
        let ledger = bench.ledger.clone();
        let asker = bench.session("setup");
        let created = match asker.ask(&format!("CREATE SCHEMA {}", bench.s())).await {
            Err(error) if error.kind == Kind::NoSuchObject => {
                bench.owns_database = true;
                bench.database = std::mem::replace(&mut bench.schema, "PROBE".to_owned());
                let own = format!("CREATE DATABASE {}", quote(&bench.database));
                match asker.ask(&own).await {
                    Ok(_) => asker.ask(&format!("CREATE SCHEMA {}", bench.s())).await,
                    Err(error) => Err(error),
                }
            }
            created => created,
        };
        (ledger, created.map(|_| bench))
    }

    /// The quoted schema.
    pub(super) fn s(&self) -> String {
        format!("{}.{}", quote(&self.database), quote(&self.schema))
    }

    /// A session of its own.
    pub(super) fn session(&self, name: &'static str) -> Asker {
        let client = SnowflakeClient::new(self.connection.clone(), "doctor");
        self.clients().push(client.clone());
        Asker {
            client,
            name,
            ledger: self.ledger.clone(),
        }
    }

    /// Logs out of the sessions so far, which ends what they have open.
    pub(super) async fn close_sessions(&self) {
        close_all().await;
        self.clients().clear();
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, Vec<SnowflakeClient>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what was made; what that takes, if it failed.
    pub(super) async fn tear_down(&self) -> Option<String> {
        self.close_sessions().await;
        let sql = if self.owns_database {
            format!("DROP DATABASE IF EXISTS {}", quote(&self.database))
        } else {
            format!("DROP SCHEMA IF EXISTS {}", self.s())
        };
        let asker = self.session("cleanup");
        // A session that a signal has left behind may still run something there.
        for _ in 0..2 {
            if asker.ask(&sql).await.is_ok() {
                return None;
            }
        }
        Some(sql)
    }

    /// The stage, which it creates.
    pub(super) async fn stage(&self, asker: &Asker) -> Result<InternalStage, SnowflakeError> {
        let sql = format!(
            "CREATE STAGE IF NOT EXISTS {}.PROBE_STAGE ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')",
            self.s()
        );
        asker.ask(&sql).await?;
        InternalStage::new(self.connection.clone(), self.stage_name())
    }

    /// As statements name it.
    pub(super) fn stage_name(&self) -> String {
        format!("@{}.PROBE_STAGE", self.s())
    }

    /// Writes down what form Snowflake's answer to a PUT has.
    pub(super) async fn form_of_put(&self, stage: &InternalStage) -> Result<(), SnowflakeError> {
        let began = Instant::now();
        let form = stage.form_of_put().await;
        let (text, counted) = match &form {
            Ok(form) => (format!("(PUT, answered by {form})"), Ok(0)),
            Err(error) => ("(PUT)".to_owned(), Err(error)),
        };
        self.ledger.note("stage", &text, began, counted);
        form.map(drop)
    }

    /// Writes a batch as Parquet, as an extraction does, to `path` below the stage. Answers its bytes.
    pub(super) async fn upload(
        &self,
        stage: &InternalStage,
        path: &str,
        batch: RecordBatch,
    ) -> Result<u64, SnowflakeError> {
        let refused = |error: std::io::Error| SnowflakeError::refused(error.to_string());
        let (mut file, end) = ParquetFile::open(batch.schema()).map_err(refused)?;
        let written = tokio::task::spawn_blocking(move || {
            file.write(&batch)?;
            file.finish()
        });
        let began = Instant::now();
        let uploaded = stage.put_file(path, content(end).boxed()).await;
        let counted = uploaded.as_ref().map(|_| 1);
        let text = format!("(PUT and upload of {path})");
        self.ledger.note("stage", &text, began, counted);
        match (uploaded, written.await) {
            (Ok(_), Ok(Err(error))) => Err(refused(error)),
            (uploaded, _) => uploaded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_whole_words_in_any_case() {
        let ledger = Ledger::new(vec![
            ("Secret_DB".to_owned(), "{database}"),
            ("U".to_owned(), "{user}"),
        ]);
        assert_eq!(
            ledger.anonymous("SELECT UU FROM \"SECRET_DB\".T, secret_db2 -- u, Ü"),
            "SELECT UU FROM \"{database}\".T, secret_db2 -- {user}, Ü"
        );
    }

    #[test]
    fn a_statement_that_failed_keeps_its_code_and_nobodys_name() {
        let ledger = Ledger::new(vec![("MINE".to_owned(), "{database}")]);
        let error =
            SnowflakeError::from_code("002003", Some("02000"), "Object 'MINE.S.T' does not exist");
        ledger.note("a", "SELECT 1 FROM MINE.S.T", Instant::now(), Err(&error));
        let noted = ledger.take();
        assert_eq!(noted[0].code.as_deref(), Some("002003"));
        assert_eq!(noted[0].sqlstate.as_deref(), Some("02000"));
        let all = format!("{noted:?}");
        assert!(
            !all.contains("MINE") && all.contains("{database}.S.T"),
            "{all}"
        );
        assert!(ledger.take().is_empty());
    }
}
