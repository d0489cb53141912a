//! What the failures of the server and of its drivers mean.
//!
//! Most have one SQL state (42000), and their words are in the login's language, so the server's own number comes first.
//! Numbers: <https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors>; those of
//! Azure: <https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues>.

use crate::domain::source_failure::SourceErrorKind::{self, *};

const LOGIN: &str = "check username and password in the worker's configuration, and that this login may use the database";
const NAMES: &str =
    "check the names in the workflow and the database in the worker's configuration";
const REACH: &str =
    "check host and port in the worker's configuration, and that the source answers";
const STATEMENT: &str = "the source refuses the statement; check whereClauseCriteria of the table, which is part of it, and the columns that the user's SQL computes";
const BUSY: &str = "the server has no room for the statement at the moment; if it stays so, lower max_parallel_tasks of the workers, make partitions smaller (partitionSize), or raise the database's limits";
const SNAPSHOT_CONFLICT: &str = "the table's definition, or the database's settings, changed while a snapshot was read; the next attempt takes a new one";
const IN_MEMORY: &str = "memory-optimised tables are read in a snapshot of their own kind: migrate a view that reads the table WITH (SNAPSHOT), in a database without ALLOW_SNAPSHOT_ISOLATION";

/// The kind of what the server said, and what to do about it.
pub(super) fn refusal(
    state: &str,
    native: i32,
    words: &str,
) -> Option<(SourceErrorKind, &'static str)> {
    by_number(native).or_else(|| by_state(state, words))
}

fn by_number(native: i32) -> Option<(SourceErrorKind, &'static str)> {
    Some(match native {
        4060 | 4064 | 916 => (
            Login,
            "the database cannot be opened by this login: check its name in the worker's configuration and in the workflow, that the login has a user in it, and that it is online",
        ),
        18452 => (
            Login,
            "the server takes this login by Windows alone: create a SQL login for the worker (with mixed authentication), or set trusted_connection = true with a Kerberos ticket",
        ),
        18456 | 18461 | 18470 | 18486..=18488 => (Login, LOGIN),
        40615 | 40914 => (
            Login,
            "the firewall of the Azure server does not let this address in: add a rule for it, or a virtual network's",
        ),
        229 | 230 | 297 | 300 | 262 | 371 => (
            NoPrivilege,
            "grant the source login SELECT on the table (GRANT SELECT ON schema.table TO user), or make its user a member of db_datareader",
        ),
        208 | 207 | 911 | 15151 => (NoSuchObject, NAMES),
        448 => (
            Refused,
            "ranges of text that are replaced in the target need the order of UTF-8, which the server has from SQL Server 2019 on: name columns of another type with columnNamesToPartitionBy, or write [] for one partition",
        ),
        102 | 105 | 125 | 156 | 164 | 170 | 319 | 8133 | 8134 | 8623 | 8631 | 191 => {
            (Refused, STATEMENT)
        }
        241 | 242 | 244 | 245 | 248 | 8114 | 8115 | 8169 => (
            Refused,
            "a value does not fit the type that the statement asks for; check whereClauseCriteria of the table and the SQL of its columns, or leave the row out",
        ),
        1205 => (
            Other,
            "the server ended the statement because it and another one waited for each other; the next attempt may pass, and a database with ALLOW_SNAPSHOT_ISOLATION ON has no such waits",
        ),
        1222 => (
            Other,
            "another session held a lock on the table for more than a minute: let that end first, or allow snapshots (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON), which wait for no writer",
        ),
        601 | 7105 => (
            Other,
            "rows moved while they were read without locks; the next attempt may pass, and without NOLOCK in queryModifiers it does",
        ),
        3951..=3953 => (
            Other,
            "the database was just changed to allow no snapshots; the next attempt does without",
        ),
        3960 | 3961 | 3966 => (Other, SNAPSHOT_CONFLICT),
        41301 | 41302 | 41305 | 41325 | 41839 => (
            Other,
            "the memory-optimised table changed while it was read; the next attempt may pass",
        ),
        41332 | 41368 => (Refused, IN_MEMORY),
        1204
        | 701
        | 802
        | 8645
        | 8651
        | 10928
        | 10929
        | 40501
        | 40544
        | 40549..=40553
        | 49918..=49920 => (Other, BUSY),
        40197 | 40540 | 40613 | 4221 | 976 | 983 | 615 | 926 | 6005 | 17187 | 17142 => (
            Unreachable,
            "the database is not available at the moment: it starts, moves or fails over; the next attempt waits for it",
        ),
        596 | 6001 | 6002 => (
            Unreachable,
            "somebody ended the worker's session at the server (KILL), or the server stops",
        ),
        10053 | 10054 | 10060 | 10061 | 104 | 110 | 111 | 233 | 64 => (Unreachable, REACH),
        _ => return None,
    })
}

/// What the drivers say themselves. Their words are English.
fn by_state(state: &str, words: &str) -> Option<(SourceErrorKind, &'static str)> {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let is = |any: &[&str]| any.iter().any(|start| state.starts_with(start));
    Some(
        if says(&["certificate verify failed", "subject name does not match"]) {
            (
                Refused,
                "the server's certificate is not trusted: add its authority's certificate to those that the system trusts (or name it with SSL_CERT_FILE), set HostnameInCertificate in extra_options where its name is another than the host, or set trust_server_certificate = true (insecure)",
            )
        } else if says(&["Encryption not supported on"]) {
            (
                Refused,
                "the server offers no TLS: let it, or give up protection with encrypt = false (insecure)",
            )
        } else if says(&["SSL Provider", "TLS", "handshake"]) {
            (
                Refused,
                "the connection could not be encrypted: the server's TLS and this machine's OpenSSL have no version or cipher in common, or the certificate is not usable",
            )
        } else if is(&["HYT01", "08", "IMC0"]) || says(&["Login timeout expired", "Unknown error"])
        {
            (Unreachable, REACH)
        } else if is(&["HYT00"]) {
            (
                TimedOut,
                "the statement took longer than the workflow allows",
            )
        } else if is(&["22003", "22018", "01S07", "22001"]) {
            (
                Value,
                "the ODBC driver could not hand the value over as it is; take another version of the driver, or leave the row out with whereClauseCriteria",
            )
        } else {
            return None;
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_states_and_words() {
        for (state, native, words, kind) in [
            ("28000", 18456, "Login failed for user 'u'.", Login),
            ("42000", 18456, "Fehler bei der Anmeldung.", Login),
            ("42000", 4060, "Cannot open database", Login),
            ("42000", 40615, "Cannot open server", Login),
            (
                "42000",
                229,
                "The SELECT permission was denied",
                NoPrivilege,
            ),
            ("42000", 300, "VIEW SERVER STATE", NoPrivilege),
            ("42S02", 208, "Invalid object name 'dbo.t'.", NoSuchObject),
            ("42S22", 207, "Invalid column name 'c'.", NoSuchObject),
            ("42000", 102, "Incorrect syntax near ')'.", Refused),
            ("22018", 245, "Conversion failed", Refused),
            ("40001", 1205, "deadlock victim", Other),
            ("42000", 1205, "deadlock victim", Other),
            ("42000", 1222, "Lock request time out", Other),
            ("42000", 3960, "Snapshot isolation", Other),
            ("42000", 41332, "Memory optimized tables", Refused),
            (
                "HY000",
                40613,
                "Database is not currently available",
                Unreachable,
            ),
            ("42000", 49918, "Cannot process request", Other),
            ("42000", 40501, "The service is currently busy", Other),
            (
                "08S01",
                10054,
                "TCP Provider: Error code 0x2746",
                Unreachable,
            ),
            ("08S01", 104, "Communication link failure", Unreachable),
            ("HY000", 0, "Unknown error", Unreachable),
            ("HYT00", 0, "Login timeout expired", Unreachable),
            ("HYT00", 0, "Query timeout expired", TimedOut),
            (
                "08001",
                -1,
                "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]",
                Refused,
            ),
            (
                "08001",
                20,
                "Encryption not supported on SQL Server.",
                Refused,
            ),
            ("22003", 0, "Numeric value out of range", Value),
        ] {
            let found = refusal(state, native, words).map(|(kind, _)| kind);
            assert_eq!(found, Some(kind), "{state} {native} {words}");
        }
        assert_eq!(refusal("HY000", 0, "something else"), None);
    }
}
