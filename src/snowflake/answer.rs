//! Answers to statements: rows that came with them, and rows that lie in files behind them.

use super::error::SnowflakeError;
use futures::{StreamExt, TryStreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A row of a result, each value in Snowflake's text form; NULL is `None`.
pub type Row = Vec<Option<String>>;

/// Files of a result that are fetched at once.
const FILES_AT_ONCE: usize = 4;
/// How long a file of a result may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a file of a result is asked for.
const FILE_TRIES: u32 = 5;

/// The result of a statement: its columns' names, and its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The names of the columns, as Snowflake gives them.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Answer {
    /// Where the column `name` stands; SHOW and DESCRIBE have more or fewer columns by edition and release, so that
    /// nothing may be read by its place.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The value of column `name` in `row`; `None` where it is NULL, or there is no such column.
    pub fn value<'a>(&self, row: &'a Row, name: &str) -> Option<&'a str> {
        row.get(self.position(name)?)?.as_deref()
    }
}

/// The data of an answer to a query request.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct QueryData {
    pub(super) get_result_url: Option<String>,
    #[serde(rename = "rowtype")]
    columns: Option<Vec<Column>>,
    rowset: Option<Vec<Row>>,
    chunks: Option<Vec<Chunk>>,
    chunk_headers: Option<BTreeMap<String, SecretString>>,
    qrmk: Option<SecretString>,
    query_result_format: Option<String>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Chunk {
    /// It grants access by itself.
    url: SecretString,
}

impl QueryData {
    /// The whole result.
    pub(super) async fn complete(self, http: &reqwest::Client) -> Result<Answer, SnowflakeError> {
        if let Some(format) = &self.query_result_format
            && !format.eq_ignore_ascii_case("json")
        {
            return Err(SnowflakeError::refused(format!(
                "Snowflake sends results as {format}, which is not understood here; leave `client_app_id` of the connection away, or set the user's parameters GO_QUERY_RESULT_FORMAT and PYTHON_CONNECTOR_QUERY_RESULT_FORMAT to JSON"
            )));
        }
        let mut rows = self.rowset.unwrap_or_default();
        let headers = &match (self.chunk_headers, self.qrmk) {
            (Some(headers), _) => headers,
            (None, Some(key)) => BTreeMap::from([
                (
                    "x-amz-server-side-encryption-customer-algorithm".to_owned(),
                    "AES256".to_owned().into(),
                ),
                ("x-amz-server-side-encryption-customer-key".to_owned(), key),
            ]),
            (None, None) => BTreeMap::new(),
        };
        let files = futures::stream::iter(self.chunks.unwrap_or_default());
        let mut files = files
            .map(|chunk| async move { fetch(http, &chunk.url, headers).await })
            .buffered(FILES_AT_ONCE);
        while let Some(more) = files.try_next().await? {
            rows.extend(more);
        }
        let columns = self.columns.unwrap_or_default();
        Ok(Answer {
            columns: columns.into_iter().map(|column| column.name).collect(),
            rows,
        })
    }
}

/// A file of a result: rows with commas between, without the brackets around.
async fn fetch(
    http: &reqwest::Client,
    url: &SecretString,
    headers: &BTreeMap<String, SecretString>,
) -> Result<Vec<Row>, SnowflakeError> {
    let mut failures = 0;
    loop {
        let mut request = http.get(url.expose_secret()).timeout(FILE_TIMEOUT);
        for (name, value) in headers {
            request = request.header(name, value.expose_secret());
        }
        let body = async { request.send().await?.error_for_status()?.bytes().await };
        match body.await {
            Ok(body) => {
                let text = [&b"["[..], &body, &b"]"[..]].concat();
                return serde_json::from_slice(&text).map_err(|_| {
                    SnowflakeError::unreachable(
                        "a file of a result does not have the expected form".to_owned(),
                        true,
                    )
                });
            }
            Err(error) => {
                failures += 1;
                if failures == FILE_TRIES {
                    // The address is a secret.
                    return Err(SnowflakeError::unreachable(
                        format!(
                            "a file of a result could not be fetched: {}; the hosts of type STAGE in SYSTEM$ALLOWLIST() must be reachable",
                            error.without_url()
                        ),
                        true,
                    ));
                }
                tokio::time::sleep(Duration::from_millis(200) * (1 << failures)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            columns: vec!["name".into(), "type".into()],
            rows: vec![vec![Some("W".into()), None]],
        }
    }

    #[test]
    fn values_are_found_by_the_name_of_their_column() {
        let answer = answer();
        let row = &answer.rows[0];
        assert_eq!(answer.value(row, "NAME"), Some("W"));
        assert_eq!(answer.value(row, "type"), None);
        assert_eq!(answer.value(row, "size"), None);
    }
}
