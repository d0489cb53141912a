//! The tables of the campaign: their keys and strategies, and how the two sides are compared.

use crate::journal::Journal;
use crate::site::Client;
use serde_json::{Value, json};
use snowhaul_integration::{Row, Sql};
use std::fmt::Write;

/// Rows of a table at first.
pub const ROWS: i64 = 900;
/// Rows of a partition.
const PARTITION: i64 = 90;
/// Differences that are shown; all are kept in files.
const SHOWN: usize = 3;

/// How a table is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `id`, the primary key.
    Single,
    /// `grp, id`, the primary key.
    Composite,
    /// `grp, id`, and both are NULL in some rows.
    Nulls,
    /// None: one partition, and some rows stand twice.
    Keyless,
}

/// What the writer does while workflows run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Nothing,
    Inserts,
    Everything,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    pub key: Key,
    pub writes: Writes,
}

/// Tables that one workflow moves, again and again.
#[derive(Debug)]
pub struct Lane {
    pub name: &'static str,
    pub platform: &'static str,
    pub synchronization: fn() -> Value,
    pub tables: &'static [Table],
}

const fn table(name: &'static str, key: Key, writes: Writes) -> Table {
    Table { name, key, writes }
}

/// Lanes whose runs take up what the previous one left name PostgreSQL as their source: there, transactions that are
/// open when a watermark is read are waited for.
pub const LANES: [Lane; 5] = [
    Lane {
        name: "none",
        platform: "redshift",
        synchronization: || json!({"strategy": "none"}),
        tables: &[
            table("n_single", Key::Single, Writes::Nothing),
            table("n_nulls", Key::Nulls, Writes::Nothing),
            table("n_keyless", Key::Keyless, Writes::Nothing),
        ],
    },
    Lane {
        name: "full_replace",
        platform: "redshift",
        synchronization: || json!({"strategy": "full-replace"}),
        tables: &[
            table("f_composite", Key::Composite, Writes::Nothing),
            table("f_nulls", Key::Nulls, Writes::Nothing),
            table("f_keyless", Key::Keyless, Writes::Nothing),
        ],
    },
    Lane {
        name: "checksum",
        platform: "redshift",
        synchronization: || json!({"strategy": "checksum"}),
        tables: &[
            table("c_single", Key::Single, Writes::Everything),
            table("c_nulls", Key::Nulls, Writes::Everything),
        ],
    },
    Lane {
        name: "merge",
        platform: "postgresql",
        synchronization: || json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
        tables: &[
            table("m_single", Key::Single, Writes::Everything),
            table("m_composite", Key::Composite, Writes::Everything),
        ],
    },
    Lane {
        name: "append",
        platform: "postgresql",
        synchronization: || json!({"strategy": "watermark", "watermarkColumn": "id"}),
        tables: &[table("a_single", Key::Single, Writes::Inserts)],
    },
];

impl Table {
    /// Creates it in the source, with its first rows.
    pub fn create(&self, sql: &Sql) {
        let key = match self.key {
            Key::Single => ", PRIMARY KEY (id)",
            Key::Composite => ", PRIMARY KEY (grp, id)",
            Key::Nulls | Key::Keyless => "",
        };
        sql.run(&format!(
            "CREATE TABLE {} (grp integer, id bigint, word varchar(40), amount numeric(12,2), \
             at timestamp NOT NULL DEFAULT clock_timestamp(), filler varchar(400){key})",
            self.name
        ));
        sql.run(&self.insertion(1, ROWS));
        if self.key == Key::Keyless {
            sql.run(&self.insertion(1, ROWS / 10));
        }
        sql.run(&format!("ANALYZE {}", self.name));
    }

    /// Rows with these numbers: NULL and empty texts, and keys of NULL where the key allows them.
    pub fn insertion(&self, from: i64, to: i64) -> String {
        let (grp, id) = match self.key {
            Key::Nulls => (
                "CASE WHEN n % 11 = 0 THEN NULL ELSE n % 7 END",
                "CASE WHEN n % 13 = 0 THEN NULL ELSE n END",
            ),
            _ => ("n % 7", "n"),
        };
        format!(
            "INSERT INTO {} (grp, id, word, amount, filler) SELECT {grp}, {id}, \
             CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'word ' || n END, n * 1.25, repeat(md5(n::varchar), 1 + n::integer % 12) \
             FROM generate_series({from}, {to}) n",
            self.name
        )
    }

    /// As a workflow's file has it.
    pub fn entry(&self, synchronization: Value) -> Value {
        let (cut, primary) = match self.key {
            Key::Single => (json!(["id"]), json!(["id"])),
            Key::Composite => (json!(["grp", "id"]), json!(["grp", "id"])),
            Key::Nulls => (json!(["grp", "id"]), Value::Null),
            Key::Keyless => (json!([]), Value::Null),
        };
        json!({
            "source": {"tableName": self.name}, "target": {"tableName": self.name},
            "columnNamesToPartitionBy": cut, "primaryKeyColumns": primary,
            "partitionSize": {"maxRowsPerPartition": PARTITION},
            "synchronization": synchronization,
        })
    }

    /// Every row and every value of both sides.
    ///
    /// # Errors
    /// That one side did not answer.
    pub fn compare(
        &self,
        source: &mut Client,
        account: &mut Client,
        target: &str,
        journal: &Journal,
    ) -> Result<(), String> {
        let mut left = source.rows(&format!(
            "SELECT grp::text, id::text, word, amount::text, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'), filler FROM {}",
            self.name
        ))?;
        let mut right = account.rows(&format!(
            "SELECT grp::VARCHAR, id::VARCHAR, word, amount::VARCHAR, TO_CHAR(at, 'YYYY-MM-DD HH24:MI:SS.FF6'), filler FROM {target}.PUBLIC.{}",
            self.name
        ))?;
        left.sort();
        right.sort();
        journal.count("tables compared row by row", 1);
        journal.count(
            "rows compared",
            u64::try_from(left.len()).unwrap_or_default(),
        );
        let (missing, surplus) = differences(&left, &right);
        if missing.is_empty() && surplus.is_empty() {
            return Ok(());
        }
        let number = missing.len() + surplus.len();
        journal.count("differences", u64::try_from(number).unwrap_or(u64::MAX));
        let at = journal.elapsed().as_millis();
        for (side, rows) in [("missing", &missing), ("surplus", &surplus)] {
            journal.keep(
                &format!("{}.{at}.{side}", self.name),
                &lines(rows, usize::MAX),
            );
        }
        journal.finding(&format!(
            "{target}.{}: {} rows of the source are missing, {} are there that are not in the source or there twice\nmissing:\n{}surplus:\n{}",
            self.name,
            missing.len(),
            surplus.len(),
            lines(&missing, SHOWN),
            lines(&surplus, SHOWN),
        ));
        Ok(())
    }
}

fn lines(rows: &[&Row], most: usize) -> String {
    let mut text = String::new();
    for row in rows.iter().take(most) {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{row:?}");
    }
    text
}

/// Rows of sorted `left` that sorted `right` lacks, and the other way round; a row counts as often as it stands.
fn differences<'a>(left: &'a [Row], right: &'a [Row]) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let (mut missing, mut surplus) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a == b => {
                left.next();
                right.next();
            }
            (Some(a), Some(b)) if a > b => surplus.extend(right.next()),
            (Some(_), _) => missing.extend(left.next()),
            (None, Some(_)) => surplus.extend(right.next()),
            (None, None) => return (missing, surplus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[i64]) -> Vec<Row> {
        let mut rows: Vec<Row> = values.iter().map(|n| vec![Some(n.to_string())]).collect();
        rows.sort();
        rows
    }

    #[test]
    fn a_row_that_stands_twice_is_a_difference() {
        let (left, right) = (rows(&[1, 2, 3]), rows(&[1, 2, 2, 3]));
        let (missing, surplus) = differences(&left, &right);
        assert!(missing.is_empty());
        assert_eq!(surplus, [&rows(&[2])[0]]);
    }

    #[test]
    fn rows_that_one_side_lacks_are_found_wherever_they_stand() {
        let (left, right) = (rows(&[1, 3, 5, 7]), rows(&[2, 3, 7, 8]));
        let (missing, surplus) = differences(&left, &right);
        assert_eq!(missing, [&rows(&[1])[0], &rows(&[5])[0]]);
        assert_eq!(surplus, [&rows(&[2])[0], &rows(&[8])[0]]);
    }

    #[test]
    fn equal_sides_with_duplicates_are_equal() {
        let both = rows(&[1, 1, 2, 2, 2]);
        assert_eq!(differences(&both, &both), (Vec::new(), Vec::new()));
    }
}
