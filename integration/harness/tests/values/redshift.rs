//! Types of Redshift's own.

use crate::compared::{assert_created, source};
use crate::extremes::{Column, TEXT, column};
use snowhaul_integration::{LocalRedshift, Migration};

const COLUMNS: &[Column] = &[
    column(
        "c_super",
        "super",
        "VARIANT",
        &[
            "'{\"a\":[1,2.50,null,{\"b\":\"é\\\\\\\"\"}]}'",
            "'null'",
            "'\"text\"'",
            "'99999999999999999999999999999999999999'",
        ],
    )
    .compared(
        "CASE WHEN {c} IS NOT NULL THEN JSON_SERIALIZE({c}) END",
        "TO_JSON({c})",
    ),
    column(
        "c_varbyte",
        "varbyte",
        "BINARY(67108864)",
        &[
            "''",
            "'\\x00ff00'",
            "CAST('\\x' || repeat('c3', 65536) AS varbyte)",
        ],
    )
    .compared("to_hex({c})", "{c}"),
    column(
        "c_geometry",
        "geometry",
        "GEOMETRY",
        &[
            "'0101000020E6100000000000000000F03F0000000000000040'",
            "'0101000000000000000000F87F000000000000F87F'",
        ],
    )
    .compared("ST_AsHexEWKB({c})", "{c}"),
    column(
        "c_geography",
        "geography",
        "GEOGRAPHY",
        &["'0101000020E6100000000000000000F03F0000000000000040'"],
    )
    .compared("ST_AsHexEWKB({c})", "{c}"),
    column(
        "c_sketch",
        "hllsketch",
        "VARCHAR(134217728)",
        &["'{\"version\":1,\"logm\":15}'"],
    )
    .compared(TEXT, "{c}"),
];

#[test]
fn every_type_of_redshifts_own_arrives_by_value() {
    let database = LocalRedshift::shared().database();
    source(&database, &[], COLUMNS);
    let done = Migration::from(&database).whole("t").run(0);
    assert_created(&database, &done, COLUMNS);
    let warnings = done.warnings_of("t");
    assert!(
        warnings.contains("column c_sketch: type hllsketch"),
        "{warnings}"
    );
    for column in ["c_super", "c_varbyte", "c_geometry", "c_geography"] {
        assert!(!warnings.contains(column), "{warnings}");
    }
}

#[test]
fn null_of_a_super_stays_null_where_json_serialize_makes_text_of_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int, v super)");
    sql.run("INSERT INTO t VALUES (1, NULL), (2, 'null'), (3, '[1]')");
    assert_eq!(
        sql.value("SELECT JSON_SERIALIZE(v) FROM t WHERE id = 1")
            .as_deref(),
        Some("null")
    );
    let done = Migration::from(&database).whole("t").run(0);
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(
        done.sql.rows("SELECT ID, TO_JSON(V) FROM T ORDER BY ID"),
        [
            [text("1"), None],
            [text("2"), text("null")],
            [text("3"), text("[1]")]
        ]
    );
}
