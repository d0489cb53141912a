//! The connection, the login, the role, the warehouse and the clocks.

use super::{Session, cause};
use crate::app::doctor::finding::{Cause, Finding};
use crate::domain::problem::Code;
use crate::snowflake::connection::{Connection, Credentials};
use crate::snowflake::error::Kind;
use crate::snowflake::{Answer, Row, SnowflakeClient};
use crate::types::snowflake_name::{exact_name, quote, quote_text};
use chrono::{DateTime, Utc};

/// Clocks further apart than this are reported: key-pair logins allow a minute.
const MOST_SKEW_SECONDS: f64 = 30.0;
/// Tokens that end sooner are warned about: a migration runs for days.
const SOON_DAYS: i64 = 14;
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
        findings.push(Finding::noted("connection", warning));
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
            "role", Code::ROLE_UNSUITABLE,
            Cause::Other,
            "the session has no role",
            "name a role in the connection: role = \"…\"",
        )
    } else if ADMINISTRATORS.contains(&role.as_str()) {
        Finding::warn(
            "role", Code::ROLE_UNSUITABLE,
            format!("{role}, which has far more privileges than snowhaul needs"),
            "create a role for it (docs/security.md, \"Roles and grants\") and name it in the connection",
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
        _ => "fix in the connection what the message says",
    };
    // A key or token file that cannot be used is asked of no server.
    let cause = match error.kind {
        Kind::Refused if error.code.is_none() => Cause::Configuration,
        _ => cause(error),
    };
    Finding::fail("login", error.kind.code(), cause, &error.message, remedy)
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
            Code::CLOCK_SKEW,
            format!("{whose} clock could not be read"),
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
            Code::CLOCK_SKEW,
            format!(
                "this machine is {:.0} s {side} {whose} clock; leases do not depend on it, key-pair logins and the times of logs do",
                skew.abs()
            ),
            "synchronize this machine's clock (chrony, systemd-timesyncd)",
        )
    } else {
        Finding::ok("clock", format!("{:.1} s from {whose}", skew.abs()))
    }
}

/// The warehouse, if there is one that runs, or starts on demand.
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
                error.kind.code(),
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
        findings.push(Finding::fail(
            "warehouse",
            Code::WAREHOUSE_UNAVAILABLE,
            Cause::Other,
            message,
            remedy,
        ));
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
                Code::WAREHOUSE_UNAVAILABLE,
                Cause::Other,
                format!("{current} is suspended and does not resume automatically"),
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

/// When the user's programmatic access tokens end, if one of them may be what the connection has.
pub(super) async fn tokens(
    session: &Session,
    connection: &Connection,
    findings: &mut Vec<Finding>,
) {
    let is_token = match connection.credentials {
        Credentials::PatFile(_) => true,
        // A token may be in a password's place.
        Credentials::Password(_) => false,
        Credentials::KeyPair(..) | Credentials::OAuth(_) | Credentials::OAuthFile(_) => return,
    };
    let shown = "SHOW USER PROGRAMMATIC ACCESS TOKENS";
    match session.client.query_named(shown).await {
        Ok(answer) => findings.extend(ends_of_tokens(&answer, Utc::now())),
        Err(error) if is_token => findings.push(Finding::warn(
            "token",
            Code::TOKEN_EXPIRY,
            format!("its end could not be read: {}", error.message),
            "check expires_at with SHOW USER PROGRAMMATIC ACCESS TOKENS",
        )),
        Err(_) => {}
    }
}

/// Nothing says which of several a connection has, so all count.
fn ends_of_tokens(answer: &Answer, now: DateTime<Utc>) -> Option<Finding> {
    let active = |row: &&Row| answer.value(row, "status") == Some("ACTIVE");
    let (mut told, mut is_soon) = (Vec::new(), false);
    for row in answer.rows.iter().filter(active) {
        let name = answer.value(row, "name").unwrap_or_default();
        let written = answer.value(row, "expires_at").unwrap_or_default();
        told.push(match point_of_time(written) {
            Some(end) => {
                let days = (end - now).num_days();
                is_soon |= days < SOON_DAYS;
                format!("{name} ends in {days} days, at {}", end.format("%F %R UTC"))
            }
            None => format!("{name} ends at {written}"),
        });
    }
    let told = (!told.is_empty()).then(|| told.join("; "))?;
    Some(if is_soon {
        Finding::warn(
            "token",
            Code::TOKEN_EXPIRY,
            told,
            "create the next one in time (docs/security.md, \"Programmatic access tokens\"); a file at token_file_path is read again at each login",
        )
    } else {
        Finding::ok("token", told)
    })
}

/// A point of time in a result of SHOW: seconds since 1970, or as text.
fn point_of_time(written: &str) -> Option<DateTime<Utc>> {
    let whole = written.split(['.', ' ']).next()?;
    match whole.parse() {
        Ok(seconds) => DateTime::from_timestamp(seconds, 0),
        Err(_) => DateTime::parse_from_str(written, "%F %T%.f %z")
            .ok()
            .map(|moment| moment.to_utc()),
    }
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
    use crate::app::doctor::finding::Status;

    #[test]
    fn tokens_that_end_soon_are_warned_about() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).expect("a time");
        let finding = |rows: &[[&str; 3]]| {
            let row = |row: &[&str; 3]| row.map(|cell| Some(cell.to_owned())).to_vec();
            let answer = Answer {
                columns: ["name", "status", "expires_at"].map(str::to_owned).to_vec(),
                rows: rows.iter().map(row).collect(),
            };
            ends_of_tokens(&answer, now)
        };
        assert_eq!(finding(&[]), None);
        let over = ["OLD", "EXPIRED", "1767000000.000000000"];
        assert_eq!(finding(&[over]), None);
        let late = ["LATE", "ACTIVE", "1798761600.000000000 960"];
        let found = finding(&[late, over]).expect("a finding");
        assert_eq!(found.status, Status::Ok);
        assert_eq!(
            found.message,
            "LATE ends in 365 days, at 2027-01-01 00:00 UTC"
        );
        let soon = ["SOON", "ACTIVE", "2026-01-04 12:00:00.000 -0800"];
        let found = finding(&[late, soon]).expect("a finding");
        assert_eq!(found.status, Status::Warn);
        assert!(
            found
                .message
                .ends_with("; SOON ends in 3 days, at 2026-01-04 20:00 UTC")
        );
    }

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
