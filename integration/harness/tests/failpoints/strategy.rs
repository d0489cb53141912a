//! The tables that are moved, one for each strategy: how their source changes between two runs, and what the target must
//! hold then.

use serde_json::{Value, json};
use snowhaul_integration::{Migrated, Row, Source, Sql};

/// How the rows of a table are synchronized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    None,
    FullReplace,
    Checksum,
    /// Rows above the watermark are added.
    Append,
    /// Rows above the watermark replace others, and rows that are gone are deleted.
    Merge,
}

impl Strategy {
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::FullReplace,
        Self::Checksum,
        Self::Append,
        Self::Merge,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FullReplace => "full-replace",
            Self::Checksum => "checksum",
            Self::Append => "watermark",
            Self::Merge => "watermark, modifications, deletions",
        }
    }

    fn synchronization(self) -> Value {
        match self {
            Self::None => json!({"strategy": "none"}),
            Self::FullReplace => json!({"strategy": "full-replace"}),
            Self::Checksum => json!({"strategy": "checksum"}),
            Self::Append => json!({"strategy": "watermark", "watermarkColumn": "version"}),
            Self::Merge => json!({
                "strategy": "watermark", "watermarkColumn": "version", "trackModifications": true, "trackDeletions": true,
            }),
        }
    }

    /// Whether a run relies on what the one before has left.
    pub fn is_stateful(self) -> bool {
        matches!(self, Self::Checksum | Self::Append | Self::Merge)
    }

    /// The table as a workflow's file has it. A column that is left out gives a warning, and an identity column a sequence.
    pub fn entry(self) -> Value {
        json!({
            "source": {"tableName": "items"}, "target": {"tableName": "items"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 25},
            "primaryKeyColumns": ["id"],
            "excludeSourceColumns": ["secret"],
            "continueIdentityColumns": true,
            "synchronization": self.synchronization(),
        })
    }

    /// What happens in the source between two runs.
    pub fn change(self, source: &dyn Source) {
        let sql = source.sql();
        insert(source, 7);
        if matches!(self, Self::None | Self::Append) {
            return;
        }
        let [update, delete] = match source.platform() {
            "sqlserver" => [
                "UPDATE items SET name = CONCAT(N'changed ', id) WHERE id % 9 = (SELECT MAX(id) % 9 FROM items)",
                "DELETE FROM items WHERE id IN (SELECT TOP (5) id FROM items WHERE id > 20 ORDER BY NEWID())",
            ],
            _ => [
                "UPDATE items SET name = 'changed ' || version, version = nextval('versions') WHERE id % 9 = (SELECT max(id) % 9 FROM items)",
                "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE id > 20 ORDER BY random() LIMIT 5)",
            ],
        };
        sql.run(update);
        sql.run(delete);
    }
}

/// The source's table with its first rows.
pub fn create(source: &dyn Source) {
    let sql = source.sql();
    if source.platform() == "sqlserver" {
        sql.run(
            "CREATE TABLE items (id int IDENTITY PRIMARY KEY, grp int, name nvarchar(40), amount numeric(12,2), version rowversion, \
             born date DEFAULT '2024-02-29', secret varchar(10))",
        );
    } else {
        sql.run("CREATE SEQUENCE versions");
        sql.run(
            "CREATE TABLE items (id serial PRIMARY KEY, grp integer, name varchar(40), amount numeric(12,2), version bigint NOT NULL, born date DEFAULT DATE '2024-02-29', secret varchar(10))",
        );
    }
    insert(source, 60);
}

fn insert(source: &dyn Source, rows: u32) {
    let sql = source.sql();
    if source.platform() == "sqlserver" {
        let rows: Vec<String> = (1..=rows)
            .map(|n| {
                let name = match n % 5 {
                    0 => "NULL".to_owned(),
                    1 => "N''".to_owned(),
                    _ => format!("N'name {n}'"),
                };
                format!("({}, {name}, {n} * 1.25)", n % 7)
            })
            .collect();
        sql.run(&format!(
            "INSERT INTO items (grp, name, amount) VALUES {}",
            rows.join(", ")
        ));
        return;
    }
    sql.run(&format!(
        "INSERT INTO items (grp, name, amount, version) SELECT n % 7, CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'name ' || n END, \
         n * 1.25, nextval('versions') FROM generate_series(1, {rows}) n"
    ));
    sql.run("ANALYZE items");
}

/// New rows, one of which no worker can extract: its partition fails, and no other.
pub fn poison(source: &dyn Source) {
    let sql = source.sql();
    sql.run("DELETE FROM items WHERE grp = -1");
    sql.run(match source.platform() {
        // Half of a character.
        "sqlserver" => "INSERT INTO items (grp, name) VALUES (-1, NCHAR(55357))",
        _ => "INSERT INTO items (grp, version, born) VALUES (-1, nextval('versions'), DATE '12024-01-01')",
    });
    insert(source, 40);
}

/// Makes the row one like the others.
pub fn mend(source: &dyn Source) {
    source
        .sql()
        .run("UPDATE items SET born = NULL, name = 'mended' WHERE grp = -1");
}

fn rows(sql: &Sql, version: &str) -> Vec<Row> {
    sql.rows(&format!(
        "SELECT id, grp, name, amount, {version} FROM items ORDER BY id"
    ))
}

/// The rows of the source and of the target.
fn both(source: &dyn Source, migrated: &Migrated) -> (Vec<Row>, Vec<Row>) {
    (
        rows(&source.sql(), "version"),
        rows(&migrated.sql, "version"),
    )
}

/// Every row and every value, in both.
pub fn assert_equal(source: &dyn Source, migrated: &Migrated) {
    let (source, target) = both(source, migrated);
    let different = source.iter().zip(&target).find(|(a, b)| a != b);
    assert_eq!(different, None, "the first row that differs");
    assert_eq!(source.len(), target.len());
}

/// Every row but those of the one partition that failed, once and with every value.
pub fn assert_equal_but_poison(source: &dyn Source, migrated: &Migrated) {
    let (source, target) = both(source, migrated);
    let missing: Vec<&Row> = source.iter().filter(|row| !target.contains(row)).collect();
    assert_eq!(source.len(), target.len() + missing.len());
    assert!(missing.iter().any(|row| row[1].as_deref() == Some("-1")));
    let phases = migrated.moved().1;
    assert_eq!(
        phases
            .iter()
            .find(|(phase, _)| phase == "FAILED")
            .map(|(_, n)| *n),
        Some(1)
    );
}
