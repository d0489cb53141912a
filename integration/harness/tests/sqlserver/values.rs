//! Every value of every type, in and out.

use crate::columns::COLUMNS;
use snowhaul_integration::{Migrated, Migration, Source, SqlServer, SqlServerDatabase};

/// A table `t` with [`COLUMNS`]: a row for each value, with it in every column that has so many, and a row of NULL.
pub fn fill(database: &SqlServerDatabase<'_>) -> usize {
    let sql = database.sql();
    sql.run("CREATE TYPE dbo.ssn FROM varchar(11)");
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| format!("{} {} NULL", column.name, column.source))
        .collect();
    sql.run(&format!(
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, {})",
        columns.join(", ").replace("SPARSE NULL", "SPARSE")
    ));
    let rows = COLUMNS.iter().map(|column| column.values.len()).max();
    let rows = rows.unwrap_or_default();
    for row in 0..rows {
        let values: Vec<String> = COLUMNS
            .iter()
            .map(|column| {
                column
                    .values
                    .get(row)
                    .map_or("NULL", |(value, _)| value)
                    .to_owned()
            })
            .collect();
        sql.run(&format!(
            "INSERT INTO t VALUES ({row}, {})",
            values.join(", ")
        ));
    }
    sql.run(&format!("INSERT INTO t (id) VALUES ({rows})"));
    rows
}

/// What differs in a target that holds the rows of [`fill`].
pub fn differences(done: &Migrated, table: &str, rows: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for column in COLUMNS {
        let read = column.read.replace("{c}", &column.name.to_uppercase());
        let found = done
            .sql
            .rows(&format!("SELECT {read} FROM {table} ORDER BY ID"));
        let mut expected: Vec<Vec<Option<String>>> = column
            .values
            .iter()
            .map(|(_, value)| vec![Some((*value).to_owned())])
            .collect();
        expected.resize(rows + 1, vec![None]);
        for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
            if found != expected {
                wrong.push(format!(
                    "{} ({}), row {row}: {found:?} instead of {expected:?}",
                    column.name, column.source
                ));
            }
        }
        if found.len() != expected.len() {
            wrong.push(format!("{}: {} rows", column.name, found.len()));
        }
    }
    wrong
}

fn migrate(driver: &str) {
    let database = SqlServer::shared().database();
    let rows = fill(&database);
    let done = Migration::from(&database).driver(driver).whole("t").run(0);
    let wrong = differences(&done, "T", rows);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let created = done.columns("T");
    for column in COLUMNS {
        let name = column.name.to_uppercase();
        let found = created.iter().find(|(other, _)| *other == name);
        let found = found.map(|(_, kind)| kind.as_str());
        let is_it = match column.created {
            // As long as Snowflake has them.
            "VARCHAR" | "BINARY" => found.is_some_and(|kind| kind.starts_with(column.created)),
            created => found == Some(created),
        };
        assert!(is_it, "{name}: {found:?} instead of {}", column.created);
    }
    let warnings = done.warnings_of("t");
    for column in ["c_hierarchyid", "c_geometry", "c_variant"] {
        assert!(warnings.contains(&format!("column {column}")), "{warnings}");
    }
}

#[test]
fn every_type_arrives_by_value_through_microsofts_driver() {
    migrate("ODBC Driver 18 for SQL Server");
}

#[test]
fn every_type_arrives_by_value_through_freetds() {
    migrate("FreeTDS");
}

#[test]
fn computed_columns_stay_behind_and_generated_ones_come() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int IDENTITY(5, 5) PRIMARY KEY, a int NOT NULL, twice AS a * 2, kept AS a * 3 PERSISTED, version rowversion)");
    sql.run("INSERT INTO t (a) VALUES (1), (2), (3)");
    let done = Migration::from(&database).whole("t").run(0);
    let columns: Vec<String> = done
        .columns("T")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(columns, ["ID", "A", "VERSION"]);
    assert_eq!(
        done.sql.rows("SELECT ID, A FROM T ORDER BY ID"),
        [["5", "1"], ["10", "2"], ["15", "3"]]
            .map(|row| row.map(|cell| Some(cell.to_owned())).to_vec())
    );
    let versions =
        sql.rows("SELECT CONVERT(varchar(18), CAST(version AS binary(8)), 2) FROM t ORDER BY id");
    assert_eq!(
        done.sql
            .rows("SELECT HEX_ENCODE(VERSION) FROM T ORDER BY ID"),
        versions
    );
    let warnings = done.warnings_of("t");
    for column in ["twice", "kept"] {
        assert!(warnings.contains(column), "{warnings}");
    }
}

#[test]
fn views_and_history_are_read_as_tables_are() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE base (id int NOT NULL PRIMARY KEY, note nvarchar(50) NULL)");
    sql.run("INSERT INTO base VALUES (1, N'eins'), (2, NULL)");
    sql.run("CREATE VIEW shown AS SELECT id, note FROM base WHERE id > 1");
    sql.run("CREATE TABLE dated (id int NOT NULL PRIMARY KEY, a int, since datetime2 GENERATED ALWAYS AS ROW START NOT NULL, till datetime2 GENERATED ALWAYS AS ROW END NOT NULL, PERIOD FOR SYSTEM_TIME (since, till)) WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.dated_history))");
    sql.run("INSERT INTO dated (id, a) VALUES (1, 1), (2, 2)");
    sql.run("UPDATE dated SET a = 3 WHERE id = 1");
    let done = Migration::from(&database)
        .whole("shown")
        .whole("dated")
        .whole("dated_history")
        .run(0);
    assert_eq!(
        done.sql.rows("SELECT * FROM SHOWN"),
        [vec![Some("2".to_owned()), None]]
    );
    assert_eq!(done.sql.number("SELECT SUM(A) FROM DATED"), 5);
    assert_eq!(done.sql.number("SELECT SUM(A) FROM DATED_HISTORY"), 1);
    let ends = sql.value("SELECT CONVERT(varchar(27), till, 121) FROM dated WHERE id = 2");
    assert_eq!(done.sql.value("SELECT TILL FROM DATED WHERE ID = 2"), ends);
}

#[test]
fn comments_come_with_tables_and_columns() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY)");
    sql.run("EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'It''s the table', @level0type = N'SCHEMA', @level0name = N'dbo', @level1type = N'TABLE', @level1name = N't'");
    sql.run("EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = N'Die Nummer', @level0type = N'SCHEMA', @level0name = N'dbo', @level1type = N'TABLE', @level1name = N't', @level2type = N'COLUMN', @level2name = N'id'");
    sql.run("INSERT INTO t VALUES (1)");
    let done = Migration::from(&database).whole("t").run(0);
    let comment = format!(
        "SELECT COMMENT FROM {}.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'T'",
        done.target
    );
    assert_eq!(done.sql.value(&comment).as_deref(), Some("It's the table"));
    let comment = format!(
        "SELECT COMMENT FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T' AND COLUMN_NAME = 'ID'",
        done.target
    );
    assert_eq!(done.sql.value(&comment).as_deref(), Some("Die Nummer"));
}
