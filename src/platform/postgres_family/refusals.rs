//! What the failures of both servers, of poolers in front of them and of their drivers mean.

use crate::domain::source_failure::SourceErrorKind;

/// What to do where a policy hides rows.
pub(super) const ROW_SECURITY_REMEDY: &str = "let the worker log in as one who sees all rows (PostgreSQL: the table's owner or a role with BYPASSRLS; Redshift: GRANT IGNORE RLS), and name the wanted part with whereClauseCriteria if it is to be a part; or set rowLevelSecurity of the table to \"accept\": then what this login sees is the whole table, and rows that it does not see are deleted in the target where the synchronization deletes";

/// How psqlODBC begins to say that libpq could not read its settings.
pub(super) const PARAMETER_ERROR: &str = "libpq connection parameter error";

/// The kind of what the server said, and what to do about it.
pub(super) fn refusal(state: &str, words: &str) -> Option<(SourceErrorKind, &'static str)> {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let is = |any: &[&str]| any.iter().any(|start| state.starts_with(start));
    let refusal = if says(&[PARAMETER_ERROR]) {
        (
            SourceErrorKind::Refused,
            "the value of pqopt in extra_options is no list of libpq's settings: write name='value' for a value with blanks",
        )
    } else if says(&["does not support SSL"]) {
        (
            SourceErrorKind::Refused,
            "the server offers no TLS: let it, or give up protection with sslmode = \"disable\" in extra_options (insecure)",
        )
    } else if says(&[
        "certificate verify failed",
        "root certificate file",
        "server certificate for",
    ]) {
        (
            SourceErrorKind::Refused,
            "the server's certificate is not trusted: name its authority's certificate with pqopt = \"sslrootcert=FILE\" in extra_options, together with sslmode = \"verify-full\"; sslmode = \"require\" does without (insecure)",
        )
    } else if says(&["row-level security", "row security"]) {
        (SourceErrorKind::NoPrivilege, ROW_SECURITY_REMEDY)
    } else if says(&["statement pooling mode"]) {
        (
            SourceErrorKind::Refused,
            "the pooler in front of the source allows no transactions: set its pool_mode to transaction or session, or connect to the server itself",
        )
    } else if says(&[
        "too many connections",
        "too many clients",
        "remaining connection slots",
        "no more connections allowed",
        "query_wait_timeout",
    ]) || is(&["53300"])
    {
        (
            SourceErrorKind::Unreachable,
            "each running task holds one connection: lower max_parallel_tasks of the workers, or raise the role's CONNECTION LIMIT, the server's max_connections or the pooler's pool size",
        )
    } else if says(&["conflict with recovery"]) {
        (
            SourceErrorKind::Other,
            "the standby had to apply changes of the primary to rows that the statement still read: set hot_standby_feedback = on or raise max_standby_streaming_delay on the standby, make partitions smaller (partitionSize), or migrate from the primary",
        )
    } else if is(&["25P03", "25P04"])
        || says(&[
            "idle-in-transaction timeout",
            "idle transaction timeout",
            "transaction timeout",
        ])
    {
        (
            SourceErrorKind::Other,
            "the source or a pooler ended the transaction while the worker was waiting for the stage: raise its idle_transaction_timeout or transaction_timeout for this login, or make partitions smaller (partitionSize)",
        )
    } else if is(&["55P03"]) || says(&["lock timeout", "could not obtain lock"]) {
        (
            SourceErrorKind::Other,
            "another session holds a lock on the table (ALTER, TRUNCATE, VACUUM FULL …): let that end first, or raise lock_timeout for this login",
        )
    } else if is(&["22021", "22P05"])
        || says(&[
            "invalid byte sequence for encoding",
            "has no equivalent in encoding",
        ])
    {
        (
            SourceErrorKind::Encoding,
            "correct the value, leave its row out with whereClauseCriteria, or migrate a view that reads the column in its true encoding",
        )
    } else if says(&["canceling statement due to user request"]) {
        (
            SourceErrorKind::Other,
            "somebody at the source cancelled the statement; ask who runs it",
        )
    } else if says(&["authentication failed", "no pg_hba.conf entry"]) {
        (
            SourceErrorKind::Login,
            "check username and password in the worker's configuration, and that this user may log in from here",
        )
    } else if is(&["57014"]) || says(&["statement timeout", "cancelled on user's request"]) {
        (
            SourceErrorKind::TimedOut,
            "the statement took longer than the source allows this user; raise its statement_timeout",
        )
    } else if is(&["42501"]) || says(&["permission denied"]) {
        (
            SourceErrorKind::NoPrivilege,
            "grant the source user SELECT on the table and USAGE on its schema",
        )
    } else if is(&["3D000", "3F000", "42P01", "42703"])
        || (says(&["database \""]) && says(&["does not exist"]))
    {
        (
            SourceErrorKind::NoSuchObject,
            "check the names in the workflow and the database in the worker's configuration",
        )
    } else if is(&["57P0"])
        || says(&[
            "could not connect",
            "Connection refused",
            "server closed the connection",
            "terminating connection",
            "no connection to the server",
            "could not translate host name",
        ])
    {
        (
            SourceErrorKind::Unreachable,
            "check host and port in the worker's configuration, and that the source answers",
        )
    } else if says(&[
        "cannot subtract infinite dates",
        "cannot convert infinity",
        "out of range",
    ]) {
        (
            SourceErrorKind::Value,
            "a value such as infinity has no form in Snowflake's type; make the target column VARCHAR (by columnTypeMappings where the target is to be created), or leave the rows out with whereClauseCriteria",
        )
    } else {
        return None;
    };
    Some(refusal)
}
