//! The parameters that are set at each login, as the account has taken them; and those of the warehouse that count against
//! them: a statement ends at the smaller timeout of session and warehouse (documentation of parameters).

use super::{Examination, Session};
use crate::app::doctor::finding::{Cause, Finding};
use crate::domain::problem::Code;
use crate::snowflake::session_parameters::PINNED;
use crate::snowflake::{Answer, Connection, SnowflakeClient};
use crate::types::snowflake_name::quote;

const CHECK: &str = "session_parameters";

/// A parameter that is not as it was set.
pub(super) struct Difference {
    pub(super) name: &'static str,
    wanted: String,
    /// `None`: the account does not know it, or does not say.
    found: Option<(String, String)>,
}

impl Difference {
    /// Whether its value is another one.
    pub(super) fn is_of_value(&self) -> bool {
        let found = self.found.as_ref();
        found.is_some_and(|(value, _)| !same(value, &self.wanted))
    }

    pub(super) fn told(&self) -> String {
        match &self.found {
            None => format!("{} is not shown", self.name),
            Some((value, level)) if self.is_of_value() => {
                let level = if level.is_empty() {
                    "the default"
                } else {
                    level
                };
                format!("{} is {value} ({level}), not {}", self.name, self.wanted)
            }
            Some((_, level)) => format!(
                "{} has its value from {level}, not from the login",
                self.name
            ),
        }
    }
}

fn same(found: &str, wanted: &str) -> bool {
    found.eq_ignore_ascii_case(wanted)
}

/// Compares an answer to SHOW PARAMETERS with what a login sets.
pub(super) fn differences(answer: &Answer) -> Vec<Difference> {
    PINNED
        .iter()
        .filter_map(|(name, value)| {
            let wanted = value.to_string();
            let found = found(answer, name);
            // A value that is the default has no level at times, although it was set.
            let is_as_set = found.as_ref().is_some_and(|(value, level)| {
                same(value, &wanted) && (level.is_empty() || level == "SESSION")
            });
            (!is_as_set).then_some(Difference {
                name,
                wanted,
                found,
            })
        })
        .collect()
}

/// Value and level of a parameter.
fn found(answer: &Answer, name: &str) -> Option<(String, String)> {
    let row = answer
        .rows
        .iter()
        .find(|row| answer.value(row, "key") == Some(name))?;
    let text = |column| answer.value(row, column).unwrap_or_default().to_owned();
    Some((text("value"), text("level")))
}

fn seconds(answer: &Answer, name: &str) -> Option<u64> {
    found(answer, name)?.0.parse().ok()
}

pub(super) const SESSION: &str = "SHOW PARAMETERS IN SESSION";

/// What the login has set.
pub(super) async fn check(session: &Session, findings: &mut Vec<Finding>) {
    let answer = match session.client.query_named(SESSION).await {
        Ok(answer) => answer,
        Err(error) => {
            let message = format!("they cannot be read: {}", error.message);
            let code = error.kind.code();
            findings.push(Finding::warn(CHECK, code, message, "try again"));
            return;
        }
    };
    let differences = differences(&answer);
    let (wrong, odd): (Vec<&Difference>, Vec<&Difference>) = differences
        .iter()
        .partition(|difference| difference.is_of_value());
    let told = |list: &[&Difference]| {
        let lines: Vec<String> = list.iter().map(|difference| difference.told()).collect();
        lines.join("; ")
    };
    if !wrong.is_empty() {
        let settings: Vec<String> = wrong
            .iter()
            .map(|difference| format!("{} = '{}'", difference.name, difference.wanted))
            .collect();
        findings.push(Finding::fail(
            CHECK,
            Code::SESSION_PARAMETERS,
            Cause::Other,
            format!(
                "the account does not take what the login sets: {}",
                told(&wrong)
            ),
            format!(
                "ALTER USER … SET {}, for the connection's user",
                settings.join(", ")
            ),
        ));
    }
    if !odd.is_empty() {
        findings.push(Finding::warn(
            CHECK,
            Code::SESSION_PARAMETERS,
            told(&odd),
            "nothing is wrong today; if the account's values change, these may",
        ));
    }
    if differences.is_empty() {
        let message = format!("{} are as the login sets them", PINNED.len());
        findings.push(Finding::ok(CHECK, message));
    }
}

/// What the warehouse sets against a session's timeouts, and how many statements it runs at once.
pub(super) async fn warehouse(
    session: &Session,
    connection: &Connection,
    examination: &Examination,
    name: &str,
    findings: &mut Vec<Finding>,
) {
    let name = quote(name);
    let sql = format!("SHOW PARAMETERS IN WAREHOUSE {name}");
    // Without a privilege on it, nothing is shown, and nothing is said here.
    let Ok(of_warehouse) = session.client.query_named(&*sql).await else {
        return;
    };
    let loads = SnowflakeClient::for_loads(connection.clone(), "doctor");
    let (timeout, queued) = (
        "STATEMENT_TIMEOUT_IN_SECONDS",
        "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS",
    );
    let ours = loads.query_named(SESSION).await.ok();
    let ours = ours.and_then(|answer| seconds(&answer, timeout));
    // 0 means no limit.
    let there = seconds(&of_warehouse, timeout).filter(|seconds| *seconds > 0);
    if let (Some(there), Some(ours)) = (there, ours)
        && there < ours
    {
        findings.push(Finding::warn(
            "warehouse",
            Code::WAREHOUSE_SETTINGS,
            format!("{name} ends statements after {there} s, and a load may take {ours} s"),
            format!("ALTER WAREHOUSE {name} SET {timeout} = {ours}"),
        ));
    }
    if let Some(there) = seconds(&of_warehouse, queued).filter(|seconds| *seconds > 0) {
        findings.push(Finding::warn(
            "warehouse", Code::WAREHOUSE_SETTINGS,
            format!("{name} cancels statements that wait in its queue for {there} s, including renewals of leases"),
            format!("ALTER WAREHOUSE {name} SET {queued} = 0"),
        ));
    }
    let at_once = seconds(&of_warehouse, "MAX_CONCURRENCY_LEVEL");
    if let (Some(at_once), Some(loads)) = (at_once, examination.loads_in_this_warehouse)
        && loads as u64 >= at_once
    {
        findings.push(Finding::warn(
            "warehouse", Code::WAREHOUSE_SETTINGS,
            format!("{name} runs {at_once} statements at once, and {loads} loads may fill it: renewals of leases wait behind them"),
            "give loads a warehouse of their own (load_warehouse of the orchestrator), or lower load_concurrency",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(change: impl Fn(&str, &mut [String; 3])) -> Answer {
        let rows = PINNED.iter().map(|(name, value)| {
            let mut row = [(*name).to_owned(), value.to_string(), "SESSION".to_owned()];
            change(name, &mut row);
            row.map(Some).to_vec()
        });
        Answer {
            columns: ["key", "value", "level"].map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }
    }

    #[test]
    fn values_are_compared_before_their_levels() {
        assert!(differences(&answer(|_, _| {})).is_empty());
        // In whatever case; and a default that was set may have no level.
        let lenient = answer(|_, row| {
            row[1] = row[1].to_uppercase();
            row[2] = String::new();
        });
        assert!(differences(&lenient).is_empty());
        let changed = answer(|name, row| match name {
            "TIMEZONE" => row[1] = "Asia/Tokyo".to_owned(),
            "LOCK_TIMEOUT" => row[2] = "ACCOUNT".to_owned(),
            "READ_LATEST_WRITES" => row[0] = "ANOTHER".to_owned(),
            _ => {}
        });
        let found = differences(&changed);
        let told: Vec<(bool, String)> = found.iter().map(|d| (d.is_of_value(), d.told())).collect();
        assert_eq!(
            told,
            [
                (true, "TIMEZONE is Asia/Tokyo (SESSION), not UTC".to_owned()),
                (false, "READ_LATEST_WRITES is not shown".to_owned()),
                (
                    false,
                    "LOCK_TIMEOUT has its value from ACCOUNT, not from the login".to_owned()
                ),
            ]
        );
    }
}
