//! A problem as its user meets it: a stable code, where it is, what is wrong, and what to do about it.
//!
//! [`Code`] is the only list of codes. `docs/errors.md` explains each of them, and a test holds the two together. A code
//! keeps its meaning for ever: words may change from version to version, so that scripts and searches use the code.

use std::fmt;

/// The stable code of a problem, displayed as `SH0103`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// Makes the constants of [`Code`] and the list of them.
macro_rules! codes {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        impl Code {
            $(
                #[doc = $meaning]
                pub const $name: Self = Self($number);
            )*

            /// All codes in their order, each with its meaning.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $meaning)),*];
        }
    };
}

codes! {
    // 01xx: configuration and workflow files, and what the environment or a flag sets in their place.
    FILE_UNREADABLE = 101, "A file cannot be read.";
    SYNTAX = 102, "A file is not valid JSON, YAML or TOML.";
    UNKNOWN_KEY = 103, "A key is not known.";
    MISSING_KEY = 104, "A required key is missing.";
    WRONG_TYPE = 105, "A value has the wrong type.";
    INVALID_VALUE = 106, "A value is not allowed.";
    OUT_OF_RANGE = 107, "A number or a time is out of range.";
    GIVEN_TWICE = 108, "The same thing is given twice.";
    CONFLICTING_SETTINGS = 109, "Settings contradict or do not complete each other.";
    UNSUPPORTED_SETTING = 110, "A setting asks for something that this version does not do.";
    UNSET_VARIABLE = 111, "A file refers to an environment variable that is not set.";
    INVALID_NAME = 112, "A name is not a valid name.";
    INVALID_SQL = 113, "A piece of SQL or a pattern is not valid.";
    SHARED_TARGET = 114, "Two tables have the same target.";
    NO_EFFECT = 115, "A setting has no effect.";
    DATA_VALIDATION = 116, "Data validation is not supported.";
    UNSUPPORTED_PLATFORM = 117, "A source platform is not supported.";
    NO_SOURCE = 118, "A worker has no source for the workflow's platform.";
    AFFINITY_MISMATCH = 119, "The affinities of a worker and of a workflow differ.";

    // 02xx: the source.
    SOURCE_DRIVER_MISSING = 201, "No usable ODBC driver is installed.";
    SOURCE_UNREACHABLE = 202, "The source does not answer, or the connection was lost.";
    SOURCE_LOGIN = 203, "The source refused the login.";
    SOURCE_OBJECT_NOT_FOUND = 204, "A database, table or column does not exist in the source.";
    SOURCE_PRIVILEGE_MISSING = 205, "The source user lacks a privilege.";
    SOURCE_STATEMENT_REFUSED = 206, "The source refuses a statement or a setting.";
    SOURCE_VALUE = 207, "A value of the source has no exact form in the target's type.";
    SOURCE_VALUE_GREW = 208, "A value grew while the table was read.";
    SOURCE_ENCODING = 209, "Text in the source is not valid in its encoding.";
    SOURCE_TABLE_CHANGED = 210, "A source table is no longer as it was when it was planned.";
    SOURCE_TIMEOUT = 211, "The source ended a statement that took too long.";
    SOURCE_CANCELLED = 212, "A statement on the source was cancelled with its task.";
    SOURCE_OTHER = 213, "The source failed for another reason.";
    SOURCE_UNENCRYPTED = 214, "The connection to the source is not protected.";
    SOURCE_POOLER = 215, "A pooler shares the source's sessions.";
    SOURCE_DRIVER_CRASHED = 216, "The ODBC driver ended unexpectedly.";

    // 03xx: the Snowflake account and its sessions.
    CONNECTION_NOT_FOUND = 301, "There is no such connection to Snowflake.";
    CONNECTION_INVALID = 302, "A connection to Snowflake is incomplete or wrong.";
    CONNECTION_FILE = 303, "A file with credentials cannot be read, or others can write or read it.";
    CONNECTION_UNENCRYPTED = 304, "The connection to Snowflake is not encrypted.";
    SNOWFLAKE_UNREACHABLE = 305, "Snowflake cannot be reached.";
    SNOWFLAKE_LOGIN = 306, "Snowflake refused the login.";
    STATEMENT_INTERRUPTED = 307, "A statement was cancelled, or its session expired.";
    LOCKED = 308, "Another transaction holds a lock.";
    WAREHOUSE_UNAVAILABLE = 309, "No warehouse runs the statement.";
    OBJECT_NOT_FOUND = 310, "An object does not exist in Snowflake, or the role may not see it.";
    PRIVILEGE_MISSING = 311, "The Snowflake role lacks a privilege.";
    VALUE_REJECTED = 312, "A value does not fit the target column.";
    STATEMENT_REFUSED = 313, "Snowflake refuses a statement.";
    SNOWFLAKE_UNEXPLAINED = 314, "Snowflake failed for a reason that snowhaul does not know.";
    ROLE_UNSUITABLE = 315, "The session has no role, or one with far more privileges than needed.";
    WAREHOUSE_SETTINGS = 316, "The warehouse's settings get in the way of statements or leases.";
    SESSION_PARAMETERS = 317, "The session's parameters are not as the login sets them.";
    CLOCK_SKEW = 318, "The clocks of two machines differ.";
    TOKEN_EXPIRY = 319, "An access token expires soon, or nobody can tell when.";
    NO_HYBRID_TABLES = 320, "There are no hybrid tables for the metadata.";
    LEFTOVER = 321, "Something that doctor created could not be dropped.";
    STAGE_FAILED = 322, "A file on the stage cannot be written, read or removed.";

    // 04xx: planning and the target.
    COLUMN_NOT_FOUND = 401, "The workflow file names a column that the source table does not have.";
    TARGET_COLUMN_MISSING = 402, "The target has no column for a source column.";
    TARGET_TYPE = 403, "A column's values cannot be loaded exactly into the target's type.";
    TARGET_COLUMN_UNFILLED = 404, "A column of the target must be filled, and no source column fills it.";
    TARGET_COLUMN_SHARED = 405, "Two source columns become the same target column.";
    EXCLUDED_NEEDED = 406, "excludeSourceColumns leaves out a column that is needed.";
    TRANSFORM_OF_KEY = 407, "A transform changes values that are compared.";
    TARGET_CHECK_CONSTRAINTS = 408, "The target has CHECK constraints.";
    TARGET_POLICY = 409, "A policy of the target hides or masks what is compared.";
    TARGET_KEY_ORDER = 410, "The target does not keep the order of the partition key.";
    TARGET_VALUES_LOST = 411, "Replacing rows would lose values of the target.";

    // 05xx: the checkpoint, loads and operation.
    METADATA_MISSING = 501, "There is no metadata of this version.";
    METADATA_VERSION = 502, "The metadata is of another version of snowhaul.";
    METADATA_FOREIGN = 503, "The metadata's schema belongs to another tool.";
    METADATA_CORRUPT = 504, "A stored value cannot be read.";
    OWNER_CHANGED = 505, "Another orchestrator owns the workflow now.";
    LOAD_DIFFERS = 506, "Snowflake loaded or saw another number of rows than were extracted.";
    FOREIGN_FILES = 507, "A manifest names files of another partition.";
    LOAD_IN_DOUBT = 508, "It is not known whether a load was committed.";
    DUPLICATE_PRIMARY_KEY = 509, "primaryKeyColumns do not identify a row.";
    NO_KEYS_FOUND = 510, "Deletions were refused, because no key was found in the source.";
    INTERNAL = 511, "Something failed inside snowhaul.";
    STATE_HELD = 512, "Another workflow synchronizes the same table.";
    PARTITIONS_CANCELLED = 513, "Partitions were cancelled before they were loaded.";

    // 06xx: the command line and requests.
    NO_SUCH_WORKFLOW = 601, "There is no workflow of this name or id.";
    WORKFLOW_NAME_TAKEN = 602, "The workflow's name is taken.";
    WORKFLOW_ENDED = 603, "The workflow has already ended.";
    NO_SUCH_TABLE = 604, "--table does not name exactly one table of the workflow.";
    REQUEST_REFUSED = 605, "A request does not apply to the workflow or table as it is.";
    REQUEST_CONTENDED = 606, "Somebody else changes the same workflow.";
    FILE_EXISTS = 607, "The output file already exists.";
    FILE_NOT_WRITABLE = 608, "A file cannot be written.";
    NO_SOURCE_TABLES = 609, "No source table matches.";
    USAGE = 610, "The command line is wrong.";
}

impl Code {
    /// A problem of this code: `what` is wrong.
    pub fn problem(self, what: impl Into<String>) -> Problem {
        Problem {
            code: self,
            place: String::new(),
            what: what.into(),
            hint: None,
        }
    }

    /// A problem of this code from one of our own sentences: what is wrong, and after the first semicolon what to do.
    pub fn says(self, sentence: impl AsRef<str>) -> Problem {
        match sentence.as_ref().split_once("; ") {
            Some((what, hint)) => self.problem(what).hint(hint),
            None => self.problem(sentence.as_ref()),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SH{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One problem; free of secrets. Displayed on one line:
/// ``SH0103 w.json: tables[0].sourc: unknown key; did you mean `source`?``.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// Where it is: file and key, table, connection, partition; empty: `what` says it.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// The same inside of `place`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = match self.place.is_empty() {
            true => place.to_string(),
            false => format!("{place}: {}", self.place),
        };
        self
    }

    /// What is wrong and where, without the code and without what to do about it.
    pub fn cause(&self) -> String {
        match self.place.as_str() {
            "" => self.what.clone(),
            place => format!("{place}: {}", self.what),
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.cause())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// All problems of one thing. Displayed as one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The same of `place`, which the first one names.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        if let Some(first) = self.0.first_mut() {
            *first = first.clone().at(place);
        }
        self
    }

    /// All of them on one line, each with its code.
    pub fn one_line(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        texts.join("; ")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_each_is_in_the_range_of_its_subject() {
        let codes: Vec<Code> = Code::ALL.iter().map(|(code, _)| *code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        for (code, meaning) in Code::ALL {
            assert!((101..700).contains(&code.0), "{code}");
            assert!(meaning.ends_with('.'), "{code}: {meaning}");
        }
    }

    #[test]
    fn a_problem_is_one_line_with_its_code_first() {
        let problem = Code::UNKNOWN_KEY
            .problem("unknown key")
            .at("tables[0].sourc")
            .at("w.json")
            .hint("did you mean `source`?");
        assert_eq!(
            problem.to_string(),
            "SH0103 w.json: tables[0].sourc: unknown key; did you mean `source`?"
        );
        let said = Code::UNKNOWN_KEY.says("unknown key; remove it; or not");
        assert_eq!(said.hint.as_deref(), Some("remove it; or not"));
        assert_eq!(
            Code::INTERNAL.problem("no runtime").to_string(),
            "SH0511 no runtime"
        );
    }

    #[test]
    fn several_problems_keep_their_codes() {
        let problems = || {
            Problems(vec![
                Code::TARGET_TYPE.problem("a"),
                Code::TARGET_COLUMN_MISSING.problem("b").hint("add it"),
            ])
        };
        assert_eq!(problems().to_string(), "SH0403 a\nSH0402 b; add it");
        assert_eq!(
            problems().at("target t").one_line(),
            "SH0403 target t: a; SH0402 b; add it"
        );
    }
}
