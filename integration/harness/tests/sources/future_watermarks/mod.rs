//! Watermarks that lie in the future, or go back.

mod back;
mod clock;
mod merged;
mod waiting;

use serde_json::{Value, json};
use snowhaul_integration::{Database, Migrated, Migration, Sql};

/// A table `(id, at, v)`, named after the type of its watermark.
struct Times {
    name: &'static str,
    of_type: &'static str,
    /// A value of the future; none where the clock says nothing.
    future: &'static str,
    /// The `n`th value of the past.
    value: &'static str,
}

const TIMES: [Times; 3] = [
    Times {
        name: "dates",
        of_type: "date",
        future: "9999-12-31",
        value: "date '2010-01-01' + n",
    },
    Times {
        name: "times",
        of_type: "timestamp",
        future: "2206-01-01 00:00:00",
        value: "timestamp '2010-01-01' + n * interval '1 hour'",
    },
    Times {
        name: "zoned",
        of_type: "timestamptz",
        future: "2206-01-01 00:00:00+00",
        value: "timestamptz '2010-01-01 00:00:00+00' + n * interval '1 hour'",
    },
];

const NUMBERS: [Times; 2] = [
    Times {
        name: "numbers",
        of_type: "bigint",
        future: "",
        value: "n",
    },
    Times {
        name: "decimals",
        of_type: "numeric(12,2)",
        future: "",
        value: "n / 4.0",
    },
];

const PLATFORMS: [&str; 2] = ["redshift", "postgresql"];

impl Times {
    /// With the rows 1 to 100.
    fn create(&self, sql: &Sql) {
        sql.run(&format!(
            "CREATE TABLE {} (id bigint PRIMARY KEY, at {}, v text)",
            self.name, self.of_type
        ));
        self.insert(sql, 1, 100);
    }

    fn insert(&self, sql: &Sql, from: i64, to: i64) {
        sql.run(&format!(
            "INSERT INTO {} SELECT n, {}, 'v' || n FROM generate_series({from}, {to}) n",
            self.name, self.value
        ));
    }

    /// Moves some rows into the future.
    fn postpone(&self, sql: &Sql, condition: &str) {
        sql.run(&format!(
            "UPDATE {} SET at = '{}' WHERE {condition}",
            self.name, self.future
        ));
    }

    /// Gives some rows the `n`th value.
    fn mend(&self, sql: &Sql, condition: &str, n: &str) {
        sql.run(&format!(
            "UPDATE {} SET v = 'mended', at = (SELECT {} FROM generate_series({n}, {n}) n) WHERE {condition}",
            self.name, self.value
        ));
    }

    /// In partitions of 40 rows, with a primary key that only some strategies need.
    fn entry(&self, track_modifications: bool, track_deletions: bool) -> Value {
        json!({
            "source": {"tableName": self.name}, "target": {"tableName": self.name},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 40},
            "primaryKeyColumns": ["id"],
            "synchronization": {
                "strategy": "watermark", "watermarkColumn": "at",
                "trackModifications": track_modifications, "trackDeletions": track_deletions,
            },
        })
    }

    /// The rows of the source that meet the condition have arrived, and no others, each once.
    fn assert_has(&self, sql: &Sql, done: &Migrated, condition: &str) {
        let at = match self.of_type {
            "bigint" | "numeric(12,2)" => "CAST(at * 100 AS bigint)",
            _ => "to_char(at, 'YYYY-MM-DD HH24:MI:SS')",
        };
        let name = self.name;
        let were = sql.rows(&format!(
            "SELECT id, {at}, v FROM {name} t WHERE {condition} ORDER BY t.id"
        ));
        let are = done.sql.rows(&format!(
            "SELECT id, {at}, v FROM {name} t ORDER BY t.id, v"
        ));
        assert_eq!(are, were, "{name}: {condition}");
    }
}

fn reset(mut entry: Value) -> Value {
    entry["resetPartitions"] = json!("enabledWithDedup");
    entry
}

fn session(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("SET timezone TO 'UTC'");
    sql
}

/// The tables as they are at first, and a workflow of them.
fn prepared<'a>(
    database: &'a Database<'a>,
    sql: &Sql,
    tables: &[&Times],
    entry: impl Fn(&Times) -> Value,
) -> Migration<'a> {
    let migration = Migration::from(database).platform("postgresql");
    tables.iter().fold(migration, |migration, table| {
        table.create(sql);
        migration.table(entry(table))
    })
}
