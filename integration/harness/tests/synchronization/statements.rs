//! Every statement of every strategy is read by a parser that shares nothing with this project.

use crate::tables::{create, entry, insert};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration, unparsed};

#[test]
fn a_parser_understands_every_statement_of_runs_of_every_strategy() {
    for (platform, dialect) in [("redshift", "redshift"), ("postgresql", "postgres")] {
        let database = LocalRedshift::shared().database();
        let sql = database.sql();
        let strategies = [
            ("f", json!({"strategy": "full-replace"})),
            ("c", json!({"strategy": "checksum"})),
            (
                "w",
                json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
            ),
        ];
        let mut migration = Migration::from(&database).platform(platform);
        for (table, synchronization) in strategies {
            create(&sql, table, 50);
            let mut entry = entry(table, 20, synchronization);
            entry["continueIdentityColumns"] = json!(true);
            migration = migration.table(entry);
        }
        let first = migration.run(0);
        for table in ["f", "c", "w"] {
            insert(&sql, table, 51, 55);
            sql.run(&format!("DELETE FROM {table} WHERE id = 5"));
        }
        let migration = migration.again();
        let read = database.statements_of(|| drop(migration.run(0)));
        // The driver's own are in lower case; sqlglot does not read all forms of SET.
        let queries: Vec<String> = read
            .into_iter()
            .filter(|sql| sql.starts_with("SELECT ") || sql.starts_with("WITH "))
            .collect();
        for words in ["GROUP BY", "CASE WHEN", "max("] {
            assert!(
                queries.iter().any(|sql| sql.contains(words)),
                "no {words} in {queries:#?}"
            );
        }
        let wrong = unparsed(dialect, &queries);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let metadata = first.metadata.statement("{d}");
        let sent: Vec<String> = LocalSnowflake::shared()
            .statements()
            .iter()
            .filter_map(|entry| entry["sql"].as_str())
            // The parser reads what is explained.
            .map(|sql| sql.strip_prefix("EXPLAIN ").unwrap_or(sql).to_owned())
            .filter(|sql| sql.contains(&metadata) || sql.contains(&first.target))
            .filter(|sql| !sql.contains("{s}"))
            .collect();
        for words in [
            "MERGE INTO",
            "DELETE FROM",
            "TRANSIENT TABLE",
            "SYNCHRONIZATION",
            "SYNC_PARTITION",
            "NOT EXISTS",
            "DROP TABLE",
        ] {
            assert!(sent.iter().any(|sql| sql.contains(words)), "no {words}");
        }
        let wrong = unparsed("snowflake", &sent);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
