//! What is left out is told.

use super::{Source, assert_says, tables};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn what_is_left_out_is_told_by_kind_and_name() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    let admin = LocalRedshift::shared().admin(source.database.name());
    admin.run("CREATE EXTENSION file_fdw");
    admin.run("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw");
    admin.run("GRANT USAGE ON FOREIGN SERVER files TO snowhaul");
    admin.run("CREATE EXTENSION pg_stat_statements SCHEMA public");
    admin.run(
        "CREATE TABLE public.private AS SELECT 1 AS id; REVOKE ALL ON public.private FROM PUBLIC",
    );
    admin.run("CREATE TABLE public.partly (id int PRIMARY KEY, shown text, \"Hidden\" text)");
    admin.run("INSERT INTO public.partly VALUES (1, 'a', 'secret')");
    admin.run("GRANT SELECT (id, shown) ON public.partly TO snowhaul");
    for statement in [
        "CREATE TABLE kept (id int PRIMARY KEY)",
        "INSERT INTO kept VALUES (1)",
        "CREATE TABLE empty ()",
        "CREATE VIEW seen AS SELECT * FROM kept",
        "CREATE MATERIALIZED VIEW stored AS SELECT * FROM kept",
    ] {
        sql.run(statement);
    }
    // Files of the server are for its superuser.
    let admin = LocalRedshift::shared().admin(source.database.name());
    admin.run(
        "CREATE FOREIGN TABLE public.far (line text) SERVER files OPTIONS (filename '/dev/null')",
    );
    admin.run("ALTER FOREIGN TABLE public.far OWNER TO snowhaul");
    let (file, said) = source.generate(&[]);
    assert_eq!(tables(&file), [("kept", None), ("partly", None)]);
    assert_eq!(
        file["tables"][1]["excludeSourceColumns"],
        json!(["\"Hidden\""])
    );
    assert_says(
        &said,
        &[
            "1 view left out: public.seen",
            "1 materialized view left out: public.stored",
            "1 foreign table left out: public.far",
            "1 table without columns left out",
            "public.empty",
            "1 table left out that the login may not read: public.private",
            "objects of extensions left out: public.pg_stat_statements",
            "the login may not read Hidden",
        ],
    );
    source.plan_and_run();
    let arrived = source.target().rows("SELECT * FROM PARTLY");
    assert_eq!(arrived, [[Some("1".to_owned()), Some("a".to_owned())]]);

    let wanted = ["workflow", "generate", "--tables", "seen,kept"];
    let refused = source.snowhaul(&wanted);
    assert_eq!(refused.code(), Some(2), "{}", refused.stderr);
    assert_says(
        &refused.stderr,
        &["seen means no table that can be written: view public.seen"],
    );
}

#[test]
fn redshift_tells_of_views_that_bind_late_and_of_external_tables() {
    let source = Source::new("redshift");
    let sql = source.database.sql();
    let admin = LocalRedshift::shared().admin(source.database.name());
    // As Redshift's catalog shows them: a late-binding view has no columns there, and external tables stand apart.
    for statement in [
        "SET allow_system_table_mods = on",
        "CREATE OR REPLACE VIEW pg_catalog.svv_external_tables AS SELECT d.name AS redshift_database_name, 'spectrum'::text AS schemaname, \
         d.found AS tablename, 'TABLE'::text AS tabletype, ''::text AS location, ''::text AS input_format, ''::text AS output_format, \
         ''::text AS serialization_lib, ''::text AS serde_parameters, 0 AS compressed, ''::text AS parameters \
         FROM (VALUES (current_database()::text, 'clicks'::text), ('another', 'elsewhere')) d (name, found)",
    ] {
        admin.run(statement);
    }
    for statement in [
        "CREATE TABLE kept (id int PRIMARY KEY)",
        "INSERT INTO kept VALUES (1)",
        "CREATE VIEW late AS SELECT FROM kept",
        "CREATE VIEW bound AS SELECT * FROM kept",
    ] {
        sql.run(statement);
    }
    let (file, said) = source.generate(&[]);
    assert_eq!(tables(&file), [("kept", None)]);
    assert_says(
        &said,
        &[
            "1 view left out: public.bound",
            "1 late-binding view left out: public.late",
            "1 external table left out: spectrum.clicks",
        ],
    );
    assert!(!said.contains("elsewhere"), "{said}");
    source.plan_and_run();
    let done = Migration::from(&source.database)
        .prepare(&[])
        .whole("late")
        .table(json!({"source": {"schemaName": "spectrum", "tableName": "clicks"}, "target": {"tableName": "clicks"}}))
        .run(1);
    assert_says(
        &done.errors_of("late"),
        &["late-binding view", "NO SCHEMA BINDING"],
    );
    assert_says(
        &done.errors_of("clicks"),
        &["an external table", "CREATE TABLE"],
    );
}
