//! Settings that change how rows are read and loaded, and none of them.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};

#[test]
fn modifiers_samples_and_segments_change_the_way_and_no_row() {
    change_the_way_and_no_row("redshift", "AS of_the_user");
    // Redshift has no TABLESAMPLE.
    change_the_way_and_no_row("postgresql", "TABLESAMPLE BERNOULLI (100)");
}

fn change_the_way_and_no_row(platform: &'static str, modifier: &str) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    // Text that does not compress: a segment's worth of files.
    sql.run(
        "CREATE TABLE t AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) || md5((n * 7)::text) AS noise \
         FROM generate_series(1, 40000) n",
    );
    sql.run("ANALYZE t");
    let migration = Migration::from(&database).platform(platform).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"],
        "targetPartitionSizeRows": 4_000,
        "samplingThresholdRows": 1_000, "samplingTargetRows": 2_000,
        "queryModifiers": {"objectModifier": modifier, "selectModifier": "ALL"},
        "loadSegmentation": {"targetSegmentSizeMb": 1},
        "whereClauseCriteria": "id % 2 = 0 -- the even ones",
    }));
    let mut migrated = None;
    let read = database.statements_of(|| migrated = Some(migration.run(0)));
    let migrated = migrated.expect("it has run");
    assert_eq!(
        migrated
            .sql
            .rows("SELECT COUNT(*)::VARCHAR, COUNT(DISTINCT id)::VARCHAR, SUM(id)::VARCHAR FROM t"),
        sql.rows(
            "SELECT count(*)::text, count(DISTINCT id)::text, sum(id)::text FROM t WHERE id % 2 = 0"
        )
    );
    let (partitions, _) = migrated.metadata.partitions(0);
    assert!((8..=11).contains(&partitions), "{partitions}");
    let of_table: Vec<&String> = read
        .iter()
        .filter(|sql| sql.contains("\"t\"") && sql.contains("FROM \"public\""))
        .collect();
    assert!(of_table.len() > 8, "{read:?}");
    for statement in of_table {
        assert!(statement.contains(modifier), "{statement}");
        assert!(
            statement.contains("SELECT ALL") && statement.contains("id % 2 = 0"),
            "{statement}"
        );
    }
    let copies = LocalSnowflake::shared()
        .statements()
        .iter()
        .filter(|sent| {
            let text = sent.to_string();
            text.contains("COPY INTO") && text.contains(&migrated.target)
        })
        .count();
    assert!(copies >= 2, "{copies}");
}

#[test]
fn loads_run_in_the_warehouse_that_is_theirs_and_nothing_else_does() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, n AS v FROM generate_series(1, 100) n");
    let migration = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"}, "primaryKeyColumns": ["id"],
            "synchronization": {"strategy": "watermark", "watermarkColumn": "v", "trackModifications": true, "trackDeletions": true},
        }))
        .env("DATA_MIGRATION_ORCHESTRATOR_LOAD_WAREHOUSE", "LOAD_WH");
    let first = migration.run(0);
    sql.run("UPDATE t SET v = v + 1000 WHERE id < 10");
    let _ = migration.again().run(0);
    let metadata = first.metadata.statement("{d}");
    let sent: Vec<(String, bool)> = LocalSnowflake::shared()
        .statements()
        .into_iter()
        .map(|entry| {
            let text = entry["sql"].as_str().unwrap_or_default().to_owned();
            (text, entry["warehouse"] == "LOAD_WH")
        })
        .filter(|(text, _)| text.contains(&metadata) || text.contains(&first.target))
        .collect();
    let on_target = |verb: &str| format!("{verb} \"{}\"", first.target);
    let (merge, delete) = (on_target("MERGE INTO"), on_target("DELETE FROM"));
    for (words, is_load) in [
        ("COPY INTO", true),
        ("TRANSIENT TABLE", true),
        (merge.as_str(), true),
        (delete.as_str(), true),
        ("PHASE = 'LOADED'", true),
        ("SET STATUS = 'CLAIMED'", false),
        ("LEASE_UNTIL =", false),
        ("DESCRIBE TABLE", false),
    ] {
        let of_kind: Vec<_> = sent
            .iter()
            .filter(|(text, _)| text.contains(words))
            .collect();
        assert!(!of_kind.is_empty(), "no {words}");
        let wrong = of_kind
            .iter()
            .find(|(_, is_of_load)| *is_of_load != is_load);
        assert_eq!(wrong, None, "{words}");
    }
}
