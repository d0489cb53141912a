//! `workflow generate` on inheritance trees, and what it leaves out.

use serde_json::{Value, json};
use snowhaul_integration::{
    Database, Ended, LocalRedshift, LocalSnowflake, Migration, Scratch, Snowhaul, Sql, unique_name,
    worker_configuration,
};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);

/// A source, and the files of a migration from it.
struct Source {
    database: Database<'static>,
    platform: &'static str,
    metadata: String,
    target: String,
    scratch: Scratch,
}

impl Source {
    fn new(platform: &'static str) -> Self {
        Self {
            database: LocalRedshift::shared().database(),
            platform,
            metadata: unique_name("META"),
            target: unique_name("TARGET"),
            scratch: Scratch::new("generate"),
        }
    }

    fn worker(&self) -> PathBuf {
        let application = format!(
            "task_fetch_interval = 1\nsnowflake_database_for_metadata = \"{}\"",
            self.metadata
        );
        let (user, password) = self.database.login();
        let port = self.database.port_of(self.platform);
        let source = self.database.section(self.platform, port, user, password);
        let text = worker_configuration(&application, &source);
        self.scratch.write("configuration.toml", &text)
    }

    fn snowhaul(&self, arguments: &[&str]) -> Ended {
        let worker = self.worker();
        let more = [
            "--source-platform",
            self.platform,
            "-c",
            worker.to_str().unwrap(),
        ];
        Snowhaul::new([arguments, &more].concat())
            .snowflake(LocalSnowflake::shared())
            .metadata(&self.metadata)
            .run(DEADLINE)
    }

    /// `workflow generate` into a file, which must succeed: the file, and what was said.
    fn generate(&self, more: &[&str]) -> (Value, String) {
        let file = self.file();
        let file = file.to_str().unwrap();
        let wanted = [
            "workflow",
            "generate",
            "--target-database",
            &self.target,
            "--target-schema",
            "PUBLIC",
            "--force",
            "-o",
            file,
        ];
        let ended = self.snowhaul(&[&wanted[..], more].concat());
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        let text = fs::read_to_string(file).unwrap();
        (serde_json::from_str(&text).unwrap(), ended.stderr)
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("generated.json")
    }

    /// Plans and runs the generated file, both of which must succeed. Answers the plan.
    fn plan_and_run(&self) -> String {
        let file = self.file();
        let file = file.to_str().unwrap();
        let plan = self.snowhaul(&["workflow", "plan", file]);
        assert_eq!(plan.code(), Some(0), "{}{}", plan.stdout, plan.stderr);
        let run = self.snowhaul(&["run", file, "--name", "generated"]);
        assert_eq!(run.code(), Some(0), "{}{}", run.stdout, run.stderr);
        plan.stdout
    }

    fn target(&self) -> Sql {
        let sql = LocalSnowflake::shared().sql();
        sql.run(&format!("USE SCHEMA {}.PUBLIC", self.target));
        sql
    }
}

/// Tables of the file, with `includeChildTables`.
fn tables(file: &Value) -> Vec<(&str, Option<bool>)> {
    let tables = file["tables"].as_array().into_iter().flatten();
    tables
        .map(|table| {
            (
                table["source"]["tableName"].as_str().unwrap_or_default(),
                table["includeChildTables"].as_bool(),
            )
        })
        .collect()
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

#[test]
fn a_tree_without_columns_of_its_own_is_written_as_its_root_and_every_row_moves_once() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE sales (id int PRIMARY KEY, amount numeric(10, 2))",
        "CREATE TABLE sales_q1 () INHERITS (sales)",
        "CREATE TABLE sales_q2 (CHECK (id > 0)) INHERITS (sales)",
        "CREATE TABLE sales_q2_may () INHERITS (sales_q2)",
        "CREATE TABLE lone (id int PRIMARY KEY)",
        "INSERT INTO sales SELECT n, 1 FROM generate_series(1, 10) n",
        "INSERT INTO sales_q1 SELECT n, 2 FROM generate_series(11, 30) n",
        "INSERT INTO sales_q2 SELECT n, 3 FROM generate_series(31, 70) n",
        "INSERT INTO sales_q2_may SELECT n, 4 FROM generate_series(71, 150) n",
        "INSERT INTO lone VALUES (1)",
    ] {
        sql.run(statement);
    }
    let (file, said) = source.generate(&[]);
    assert_eq!(tables(&file), [("lone", None), ("sales", None)]);
    assert_says(
        &said,
        &[
            "3 child tables left out",
            "public.sales_q1 (with public.sales)",
            "public.sales_q2_may",
        ],
    );
    let plan = source.plan_and_run();
    assert_says(
        &plan,
        &[
            "3 child tables come",
            "public.sales_q1",
            "moved twice",
            "includeChildTables",
        ],
    );
    let total = "SELECT COUNT(*), SUM(amount) FROM sales";
    assert_eq!(source.target().rows(total), sql.rows(total));
    // A child that is asked for by itself is a table like any other.
    let (file, _) = source.generate(&["--tables", "sales_q2"]);
    assert_eq!(tables(&file), [("sales_q2", None)]);
}

#[test]
fn each_member_of_a_tree_with_columns_of_its_own_is_written_and_no_column_is_lost() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE city (id int PRIMARY KEY, name text)",
        "CREATE TABLE capital (country text, PRIMARY KEY (id)) INHERITS (city)",
        "CREATE TABLE port (PRIMARY KEY (id)) INHERITS (city)",
        "CREATE TABLE old_capital () INHERITS (capital)",
        "CREATE TABLE river (id int, name text)",
        "CREATE TABLE mouth () INHERITS (city, river)",
        "INSERT INTO city SELECT n, 'c' FROM generate_series(1, 10) n",
        "INSERT INTO capital SELECT n, 'k', 'x' FROM generate_series(11, 30) n",
        "INSERT INTO port SELECT n, 'p' FROM generate_series(31, 60) n",
        "INSERT INTO old_capital SELECT n, 'o', 'y' FROM generate_series(61, 100) n",
        "INSERT INTO river SELECT n, 'r' FROM generate_series(101, 150) n",
        "INSERT INTO mouth SELECT n, 'm' FROM generate_series(151, 210) n",
    ] {
        sql.run(statement);
    }
    let (file, said) = source.generate(&[]);
    assert_eq!(
        tables(&file),
        [
            ("capital", None),
            ("city", Some(false)),
            ("mouth", None),
            ("port", None),
            ("river", Some(false)),
        ]
    );
    assert_says(&said, &["public.old_capital (with public.capital)"]);
    source.plan_and_run();
    let target = source.target();
    for (table, rows) in [
        ("CITY", 10),
        ("CAPITAL", 60),
        ("PORT", 30),
        ("RIVER", 50),
        ("MOUTH", 60),
    ] {
        assert_eq!(
            target.number(&format!("SELECT COUNT(*) FROM {table}")),
            rows,
            "{table}"
        );
    }
    let countries = "SELECT id, country FROM capital ORDER BY id";
    assert_eq!(target.rows(countries), sql.rows(countries));
}

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

#[test]
fn child_tables_come_with_their_parent_or_not_as_the_file_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE p (id int PRIMARY KEY, v text)",
        "CREATE TABLE q () INHERITS (p)",
        "INSERT INTO p SELECT n, 'p' FROM generate_series(1, 100) n",
        "INSERT INTO q SELECT n, 'q' FROM generate_series(101, 300) n",
        "CREATE TABLE cut (id int, v text) PARTITION BY RANGE (id)",
        "CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (1) TO (100)",
    ] {
        sql.run(statement);
    }
    let table = |source: &str, target: &str, include: bool| {
        json!({"source": {"tableName": source}, "target": {"tableName": target}, "includeChildTables": include,
            "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 50}})
    };
    let done = Migration::from(&database)
        .platform("postgresql")
        .table(table("p", "everything", true))
        .table(table("p", "alone", false))
        .table(table("cut", "nothing", false))
        .run(1);
    for (target, source) in [("EVERYTHING", "p"), ("ALONE", "ONLY p")] {
        assert_eq!(
            done.sql
                .rows(&format!("SELECT id, v FROM {target} ORDER BY id")),
            sql.rows(&format!("SELECT id, v FROM {source} ORDER BY id")),
        );
    }
    assert!(done.metadata.partitions(1).0 > 1);
    let warnings = done.metadata.warnings();
    let told: Vec<_> = warnings
        .iter()
        .filter(|(_, w)| w.contains("1 child table comes"))
        .collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    assert_says(
        &told[0].1,
        &["public.q", "moved twice", "\"includeChildTables\": false"],
    );
    assert_says(
        &done.errors_of("cut"),
        &["is partitioned", "nothing would be read"],
    );
}

#[test]
fn the_choice_of_child_tables_cannot_change_under_a_watermark() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE q () INHERITS (p)",
        "INSERT INTO p SELECT n FROM generate_series(100, 110) n",
        "INSERT INTO q SELECT n FROM generate_series(1, 50) n",
    ] {
        sql.run(statement);
    }
    let table = |include: bool| {
        json!({"source": {"tableName": "p"}, "target": {"tableName": "p"}, "includeChildTables": include,
            "synchronization": {"strategy": "watermark", "watermarkColumn": "id"}})
    };
    let first = Migration::from(&database)
        .platform("postgresql")
        .table(table(false));
    assert_eq!(first.run(0).sql.number("SELECT COUNT(*) FROM P"), 11);
    // What the child holds is below what was moved, and would never be.
    let second = first.again().without_tables().table(table(true)).run(1);
    assert_says(
        &second.errors_of("p"),
        &["includeChildTables has changed", "resetPartitions"],
    );
}

#[test]
fn estimates_are_of_all_that_is_read() {
    let source = Source::new("postgresql");
    let sql = source.database.sql();
    for statement in [
        "CREATE TABLE p (id int, pad text)",
        "CREATE TABLE q () INHERITS (p)",
        "CREATE TABLE cut (id int, pad text) PARTITION BY RANGE (id)",
        "CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (0) TO (10000)",
        "CREATE TABLE cut_2 PARTITION OF cut FOR VALUES FROM (10000) TO (20000)",
        "INSERT INTO p SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n",
        "INSERT INTO q SELECT n, repeat('x', 100) FROM generate_series(1, 9000) n",
        "INSERT INTO cut SELECT n, repeat('x', 100) FROM generate_series(0, 19999) n",
        "ANALYZE",
        // Not counted yet, but of the size of the others.
        "CREATE TABLE cut_3 PARTITION OF cut FOR VALUES FROM (20000) TO (30000)",
        "INSERT INTO cut SELECT n, repeat('x', 100) FROM generate_series(20000, 29999) n",
    ] {
        sql.run(statement);
    }
    let admin = LocalRedshift::shared().admin(source.database.name());
    admin.run("CREATE EXTENSION file_fdw");
    admin.run("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw");
    admin.run("CREATE FOREIGN TABLE public.cut_far PARTITION OF public.cut FOR VALUES FROM (30000) TO (40000) SERVER files OPTIONS (filename '/dev/null')");
    admin.run("GRANT pg_read_server_files TO snowhaul");
    let table = |name: &str, include: bool| {
        json!({"source": {"databaseName": source.database.name(), "schemaName": "public", "tableName": name},
            "target": {"databaseName": "D", "schemaName": "S", "tableName": format!("{name}_{include}")},
            "includeChildTables": include, "columnNamesToPartitionBy": []})
    };
    let file = json!({"tables": [table("p", true), table("p", false), table("cut", true)]});
    let file = source.scratch.write("workflow.json", &file.to_string());
    let mut rows = Vec::new();
    let asked = source.database.statements_of(|| {
        let plan = source.snowhaul(&["workflow", "plan", file.to_str().unwrap(), "--json"]);
        assert_eq!(plan.code(), Some(0), "{}{}", plan.stdout, plan.stderr);
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let tables = plan["tables"].as_array().unwrap().iter();
        rows = tables
            .map(|t| t["plan"]["rowEstimate"].as_u64().unwrap_or(0))
            .collect();
    });
    let near = |estimate: u64, rows: u64| estimate.abs_diff(rows) <= rows / 20;
    assert!(
        near(rows[0], 10_000) && near(rows[1], 1_000) && near(rows[2], 30_000),
        "{rows:?}"
    );
    // No scan was needed to know.
    let counted: Vec<_> = asked
        .iter()
        .filter(|s| s.contains("count(*)::varchar"))
        .collect();
    assert!(counted.is_empty(), "{counted:?}");
}
