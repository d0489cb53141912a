//! The connection, the login, the role, the warehouse and the clocks.

use super::{Session, cause};
use crate::snowflake::connection::Connection;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeClient};
use crate::telemetry::doctor_report::{Cause, Finding};
use crate::types::snowflake_name::{exact_name, quote, quote_text};
use chrono::Utc;

/// Clocks further apart than this are told: key-pair logins allow a minute.
const MOST_SKEW_SECONDS: f64 = 30.0;
/// Roles that may do more than any process should.
const ADMINISTRATORS: &[&str] = &[
    "ACCOUNTADMIN",
    "ORGADMIN",
    "GLOBALORGADMIN",
    "SECURITYADMIN",
];

/// The connection as it was found.
pub(super) fn describe(connection: &Connection, findings: &mut Vec<Finding>) {
    let place = format!(
        "`{}`: account {}, {}",
        connection.name, connection.account, connection.base_url
    );
    findings.push(Finding::ok("connection", place));
    for warning in &connection.warnings {
        let (what, remedy) = warning.split_once("; ").unwrap_or((warning, ""));
        findings.push(Finding::warn("connection", what, remedy));
    }
}

/// Logs in and asks who we are.
pub(super) async fn log_in(
    connection: &Connection,
    findings: &mut Vec<Finding>,
) -> Option<Session> {
    let client = SnowflakeClient::new(connection.clone(), "doctor");
    let began = std::time::Instant::now();
    // The session first, so that the clocks are compared over one statement.
    let logged_in = async {
        client.query("SELECT 1").await?;
        let asked = Utc::now();
        let rows = client
            .query("SELECT CURRENT_VERSION(), CURRENT_ACCOUNT(), CURRENT_REGION(), CURRENT_USER(), CURRENT_ROLE(), DATE_PART(EPOCH_MILLISECOND, SYSDATE())")
            .await?;
        Ok((rows, asked, Utc::now()))
    };
    let (rows, asked, answered) = match logged_in.await {
        Ok(answer) => answer,
        Err(error) => {
            findings.push(refused_login(&error));
            return None;
        }
    };
    let row = rows.into_iter().next().unwrap_or_default();
    let cell = |index: usize| cell(&row, index).to_owned();
    let (version, account, region, user, role) = (cell(0), cell(1), cell(2), cell(3), cell(4));
    findings.push(Finding::ok(
        "login",
        format!(
            "as {user}, in {:.1} s; Snowflake {version}, account {account}, region {region}",
            began.elapsed().as_secs_f64()
        ),
    ));
    findings.push(clock(
        "Snowflake's",
        cell(5).parse::<f64>().ok().map(|ms| ms / 1000.0),
        asked,
        answered,
    ));
    findings.push(if role.is_empty() {
        Finding::fail(
            "role",
            Cause::Other,
            "the session has no role",
            "name a role in the connection: role = \"…\"",
        )
    } else if ADMINISTRATORS.contains(&role.as_str()) {
        Finding::warn(
            "role",
            format!("{role}, which may do far more than snowhaul needs"),
            "make a role of its own (README, \"Roles and grants\") and name it in the connection",
        )
    } else {
        Finding::ok("role", role.clone())
    });
    Some(Session {
        client,
        role,
        region,
    })
}

fn refused_login(error: &crate::snowflake::SnowflakeError) -> Finding {
    let remedy = match error.kind {
        Kind::Login => {
            "check user and password, token or key of the connection; in Snowsight, Monitoring > Query History has LOGIN_HISTORY with the reason"
        }
        Kind::Unreachable => {
            "check account, host and port of the connection, DNS, proxies, and the account's network policy"
        }
        _ => "what the message says is to be put right in the connection",
    };
    // A key or token file that cannot be used is asked of no server.
    let cause = match error.kind {
        Kind::Refused if error.code.is_none() => Cause::Configuration,
        _ => cause(error),
    };
    Finding::fail("login", cause, &error.message, remedy)
}

/// How far a server's clock is from this machine's, half of the round trip being uncertain.
pub(super) fn clock(
    whose: &str,
    server_seconds: Option<f64>,
    asked: chrono::DateTime<Utc>,
    answered: chrono::DateTime<Utc>,
) -> Finding {
    let Some(server) = server_seconds else {
        return Finding::warn(
            "clock",
            format!("{whose} clock was not told"),
            "compare the clocks by hand",
        );
    };
    #[allow(clippy::cast_precision_loss)] // Milliseconds of this century fit a double.
    let ours = (asked.timestamp_millis() + answered.timestamp_millis()) as f64 / 2000.0;
    let skew = ours - server;
    if skew.abs() > MOST_SKEW_SECONDS {
        let side = if skew > 0.0 { "ahead of" } else { "behind" };
        Finding::warn(
            "clock",
            format!(
                "this machine is {:.0} s {side} {whose} clock; leases do not depend on it, key-pair logins and the times of logs do",
                skew.abs()
            ),
            "let this machine keep time (chrony, systemd-timesyncd)",
        )
    } else {
        Finding::ok("clock", format!("{:.1} s from {whose}", skew.abs()))
    }
}

/// The warehouse, if there is one that runs, or starts by itself.
pub(super) async fn warehouse(
    session: &Session,
    connection: &Connection,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let grant = |name: &str| {
        format!(
            "GRANT USAGE ON WAREHOUSE {} TO ROLE {}",
            quote(name),
            quote(&session.role)
        )
    };
    let current = match session.client.query("SELECT CURRENT_WAREHOUSE()").await {
        Ok(rows) => rows.first().map(|row| cell(row, 0).to_owned()),
        Err(error) => {
            findings.push(Finding::fail(
                "warehouse",
                cause(&error),
                &error.message,
                "try again",
            ));
            return None;
        }
    };
    let Some(current) = current.filter(|name| !name.is_empty()) else {
        let (message, remedy) = match &connection.warehouse {
            Some(name) => {
                let name = exact_name(&crate::domain::table::WrittenName(name.clone()));
                (
                    format!(
                        "{name} does not exist, or the role {} may not use it",
                        session.role
                    ),
                    format!("create it, or: {}", grant(&name)),
                )
            }
            None => (
                "the session has none: loads and changes of hybrid tables need one".to_owned(),
                "name one in the connection: warehouse = \"…\"".to_owned(),
            ),
        };
        findings.push(Finding::fail("warehouse", Cause::Other, message, remedy));
        return None;
    };
    let sql = format!("SHOW WAREHOUSES LIKE {}", exactly(&current));
    let state = match session.client.query_named(&*sql).await {
        Ok(answer) => answer
            .rows
            .iter()
            .find(|row| answer.value(row, "name") == Some(&current))
            .map(|row| {
                let state = answer.value(row, "state").unwrap_or_default().to_owned();
                (state, answer.value(row, "auto_resume") != Some("false"))
            }),
        Err(_) => None,
    };
    let (finding, usable) = match state {
        Some((state, false)) if state == "SUSPENDED" => (
            Finding::fail(
                "warehouse",
                Cause::Other,
                format!("{current} is suspended and does not resume by itself"),
                format!("ALTER WAREHOUSE {} SET AUTO_RESUME = TRUE", quote(&current)),
            ),
            false,
        ),
        Some((state, _)) => (
            Finding::ok("warehouse", format!("{current}, {}", state.to_lowercase())),
            true,
        ),
        None => (Finding::ok("warehouse", current.clone()), true),
    };
    findings.push(finding);
    usable.then_some(current)
}

/// A pattern of SHOW … LIKE that matches this name, in whatever case.
pub(super) fn exactly(name: &str) -> String {
    let pattern = name
        .replace('\\', "\\\\")
        .replace('_', "\\_")
        .replace('%', "\\%");
    quote_text(&pattern)
}

pub(super) fn cell(row: &Row, index: usize) -> &str {
    row.get(index)
        .and_then(Option::as_deref)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::doctor_report::Status;

    #[test]
    fn clocks_are_told_when_they_are_far_apart() {
        let now = Utc::now();
        #[allow(clippy::cast_precision_loss)]
        let seconds = now.timestamp_millis() as f64 / 1000.0;
        let finding = |skew: f64| clock("Snowflake's", Some(seconds + skew), now, now);
        assert_eq!(finding(1.0).status, Status::Ok);
        let (ahead, behind) = (finding(-100.0), finding(100.0));
        assert!(
            ahead.message.contains("100 s ahead of Snowflake's"),
            "{ahead:?}"
        );
        assert!(
            behind.message.contains("100 s behind Snowflake's"),
            "{behind:?}"
        );
        assert_eq!(clock("its", None, now, now).status, Status::Warn);
    }
}
