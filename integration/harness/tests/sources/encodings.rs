//! Databases whose encoding is not UTF-8.

use snowhaul_integration::{LocalRedshift, Migration};

/// Long text is measured in the server's bytes, of which UTF-8 may have three for one.
#[test]
fn long_text_of_any_encoding_arrives() {
    for (encoding, character, arrives) in [
        ("LATIN1", "chr(252)", "ü"),
        ("WIN1252", "chr(128)", "€"),
        ("EUC_JP", "convert_from('\\xc6fc'::bytea, 'EUC_JP')", "日"),
        (
            "SQL_ASCII",
            "convert_from('\\xc3bc'::bytea, 'SQL_ASCII')",
            "ü",
        ),
    ] {
        let database = LocalRedshift::shared().database_with(encoding);
        let sql = database.sql();
        sql.run("CREATE TABLE t (id int PRIMARY KEY, note text, wide varchar(12000), fixed char(700), short varchar(20), many text[])");
        sql.run(&format!(
            "INSERT INTO t SELECT n, repeat({character}, 3000 + n), repeat({character}, 3000), repeat({character}, 200), repeat({character}, 5), ARRAY[repeat({character}, 2000)] FROM generate_series(1, 50) n"
        ));
        let migrated = Migration::from(&database)
            .platform("postgresql")
            .whole("t")
            .run(0);
        let number = |what: &str| {
            migrated
                .sql
                .number(&format!("SELECT COUNT(*) FROM t WHERE {what}"))
        };
        assert_eq!(
            number(&format!(
                "LENGTH(note) = 3000 + id AND REPLACE(note, '{arrives}', '') = '' AND wide = REPEAT('{arrives}', 3000) AND RTRIM(fixed) = REPEAT('{arrives}', 200) AND short = REPEAT('{arrives}', 5)"
            )),
            50,
            "{encoding}"
        );
        assert_eq!(
            number(&format!("many[0]::VARCHAR = REPEAT('{arrives}', 2000)")),
            50,
            "{encoding}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_column_and_row() {
    for (encoding, bad, bytes) in [
        (
            "SQL_ASCII",
            "convert_from('\\x61e92062'::bytea, 'SQL_ASCII')",
            "e92062",
        ),
        ("WIN1252", "'a' || chr(129)", "81"),
    ] {
        let database = LocalRedshift::shared().database_with(encoding);
        let sql = database.sql();
        sql.run("CREATE TABLE t (id int PRIMARY KEY, good text, note text)");
        sql.run("INSERT INTO t SELECT n, 'good', 'fine' FROM generate_series(1, 9) n");
        sql.run(&format!("UPDATE t SET note = {bad} WHERE id IN (4, 7)"));
        let table = serde_json::json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"}, "columnNamesToPartitionBy": ["id"],
        });
        let migration = Migration::from(&database)
            .platform("postgresql")
            .table(table.clone());
        let error = migration.run(1).errors_of("t");
        for part in [
            "column note",
            "id = 4",
            bytes,
            encoding,
            "whereClauseCriteria",
        ] {
            assert!(error.contains(part), "{encoding}: {part}: {error}");
        }
        let mut without = table;
        without["whereClauseCriteria"] = serde_json::json!("id NOT IN (4, 7)");
        let migrated = migration.again().without_tables().table(without).run(0);
        assert_eq!(migrated.sql.number("SELECT COUNT(*) FROM t"), 7);
    }
}
