//! Statements as they are sent: SQL text, with values for its `?` where it has some.

use serde_json::{Value, json};
use std::borrow::Cow;

/// A value for a `?`. Snowflake keeps the plan of a statement whose values are bound ("Best practices for hybrid
/// tables"), and a value is never read as SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Text, or NULL in a place for text: what has no value has a type.
    Text(Option<String>),
    /// A whole number.
    Number(i128),
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Bind {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Bind {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    pub(super) sql: Cow<'a, str>,
    pub(super) binds: Cow<'a, [Bind]>,
    /// The query tag of this statement, where it is not the session's.
    pub(super) tag: Option<&'a str>,
}

impl<'a> Statement<'a> {
    /// A statement with values for its `?`, in their order.
    pub fn bound(sql: impl Into<Cow<'a, str>>, binds: impl Into<Cow<'a, [Bind]>>) -> Self {
        Self {
            sql: sql.into(),
            binds: binds.into(),
            tag: None,
        }
    }

    /// The same under another query tag.
    pub(super) fn tagged(self, tag: Option<&'a str>) -> Self {
        Self { tag, ..self }
    }

    /// Whether it reads only, so that it may be sent again whatever became of it.
    pub(super) fn only_reads(&self) -> bool {
        let word = self
            .sql
            .trim_start()
            .split(|c: char| !c.is_alphanumeric())
            .next();
        let word = word.unwrap_or_default().to_uppercase();
        [
            "SELECT", "SHOW", "DESCRIBE", "DESC", "LIST", "LS", "EXPLAIN",
        ]
        .contains(&word.as_str())
    }

    /// The body of the request, as the drivers send it.
    pub(super) fn body(&self) -> Value {
        let mut body =
            json!({"sqlText": self.sql, "asyncExec": false, "sequenceId": 1, "isInternal": false});
        if !self.binds.is_empty() {
            let binds = self.binds.iter().enumerate().map(|(index, bind)| {
                let bind = match bind {
                    Bind::Text(text) => json!({"type": "TEXT", "value": text}),
                    Bind::Number(number) => json!({"type": "FIXED", "value": number.to_string()}),
                };
                ((index + 1).to_string(), bind)
            });
            body["bindings"] = binds.collect::<serde_json::Map<_, _>>().into();
        }
        if let Some(tag) = self.tag {
            body["parameters"] = json!({"QUERY_TAG": tag});
        }
        body
    }
}

impl<'a> From<&'a str> for Statement<'a> {
    fn from(sql: &'a str) -> Self {
        Self::bound(sql, &[])
    }
}

impl<'a> From<&'a String> for Statement<'a> {
    fn from(sql: &'a String) -> Self {
        Self::from(sql.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sent_apart_from_the_text() {
        let binds = [
            Bind::from("it's; --"),
            Bind::from(-7_i64),
            Bind::from(None::<&str>),
        ];
        let body = Statement::bound("SELECT ?, ?, ?", &binds[..]).body();
        assert_eq!(body["sqlText"], "SELECT ?, ?, ?");
        assert_eq!(
            body["bindings"]["1"],
            json!({"type": "TEXT", "value": "it's; --"})
        );
        assert_eq!(
            body["bindings"]["2"],
            json!({"type": "FIXED", "value": "-7"})
        );
        assert_eq!(
            body["bindings"]["3"],
            json!({"type": "TEXT", "value": null})
        );
        assert_eq!(Statement::from("SELECT 1").body().get("bindings"), None);
    }

    #[test]
    fn only_what_changes_nothing_counts_as_reading() {
        for sql in [
            "SELECT 1",
            "\n select 1",
            "SHOW TABLES",
            "DESC TABLE t",
            "LIST @s",
            "EXPLAIN USING JSON DELETE FROM t",
        ] {
            assert!(Statement::from(sql).only_reads(), "{sql}");
        }
        for sql in [
            "UPDATE t SET a = 1",
            "COMMIT",
            "BEGIN",
            "CALL p()",
            "SELECTED",
            "COPY INTO t",
            "WITH a AS (SELECT 1) SELECT 1",
            "",
        ] {
            assert!(!Statement::from(sql).only_reads(), "{sql}");
        }
    }
}
