//! Row-level security: a login that does not see all rows is told so.

use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migration, Sql};

/// A table of 1,000 rows, of which the policy lets a login see 250. The login owns nothing.
fn guarded<'a>(database: &'a Database<'a>) -> (Sql, String, String) {
    let (reader, password) = LocalRedshift::shared().login();
    let admin = database.admin();
    admin.run("CREATE TABLE public.invoice (id int PRIMARY KEY, tenant text NOT NULL, amount numeric(10,2), at timestamp)");
    admin.run("INSERT INTO public.invoice SELECT n, (ARRAY['acme', 'b', 'c', 'd'])[1 + n % 4], n, timestamp '2024-01-01' + n * interval '1 second' FROM generate_series(1, 1000) n");
    admin.run("ALTER TABLE public.invoice ENABLE ROW LEVEL SECURITY");
    admin.run("CREATE POLICY acme ON public.invoice USING (tenant = 'acme')");
    admin.run("ALTER TABLE public.invoice OWNER TO snowhaul");
    admin.run(&format!(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"
    ));
    (admin, reader, password)
}

fn invoice(synchronization: Value) -> Value {
    json!({
        "source": {"tableName": "invoice"},
        "target": {"tableName": "invoice"},
        "columnNamesToPartitionBy": ["id"],
        "primaryKeyColumns": ["id"],
        "synchronization": synchronization,
    })
}

#[test]
fn a_login_that_sees_a_part_fails_and_nothing_is_deleted_in_the_target() {
    for synchronization in [
        json!({"strategy": "full-replace"}),
        json!({"strategy": "checksum"}),
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
    ] {
        let database = LocalRedshift::shared().database();
        let (_admin, reader, password) = guarded(&database);
        let owners = Migration::from(&database)
            .platform("postgresql")
            .table(invoice(synchronization.clone()));
        let before = owners.run(0);
        assert_eq!(before.sql.number("SELECT COUNT(*) FROM invoice"), 1000);

        let readers = owners.clone().again().login(&reader, &password);
        let ended = readers.run(1);
        let error = ended.errors_of("invoice");
        assert!(error.contains("row-level security"), "{error}");
        for way in ["BYPASSRLS", "whereClauseCriteria", "rowLevelSecurity"] {
            assert!(error.contains(way), "{way}: {error}");
        }
        assert_eq!(
            ended.sql.number("SELECT COUNT(*) FROM invoice"),
            1000,
            "{synchronization}"
        );
    }
}

#[test]
fn doctor_and_plan_say_it_before_anything_runs() {
    let database = LocalRedshift::shared().database();
    let (_admin, reader, password) = guarded(&database);
    let whole = Migration::from(&database)
        .platform("postgresql")
        .whole("invoice")
        .login(&reader, &password);
    let doctor = whole.doctor(&[]);
    assert_ne!(doctor.code(), Some(0), "{}", doctor.stdout);
    assert!(
        doctor.stdout.contains("row-level security"),
        "{}",
        doctor.stdout
    );
    assert!(doctor.stdout.contains("BYPASSRLS"), "{}", doctor.stdout);
    let plan = whole.plan(&[]);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    assert_ne!(plan.code(), Some(0), "{said}");
    assert!(said.contains("row-level security"), "{said}");
}

#[test]
fn who_sees_all_rows_moves_all_and_who_accepts_a_part_moves_that() {
    let database = LocalRedshift::shared().database();
    let (admin, reader, password) = guarded(&database);
    let migration = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[]);

    // A forced policy filters the owner too.
    admin.run("ALTER TABLE public.invoice FORCE ROW LEVEL SECURITY");
    let owner = migration.clone().whole("invoice").run(1);
    assert!(owner.errors_of("invoice").contains("row-level security"));
    admin.run("ALTER TABLE public.invoice NO FORCE ROW LEVEL SECURITY");

    let mut accepting =
        json!({"source": {"tableName": "invoice"}, "target": {"tableName": "part"}});
    accepting["rowLevelSecurity"] = json!("accept");
    let part = migration
        .clone()
        .again()
        .table(accepting)
        .login(&reader, &password)
        .run(0);
    assert_eq!(part.sql.number("SELECT COUNT(*) FROM part"), 250);
    let warning = part.warnings_of("invoice");
    assert!(warning.contains("rowLevelSecurity"), "{warning}");

    admin.run(&format!("ALTER ROLE {reader} BYPASSRLS"));
    let all = migration
        .again()
        .whole("invoice")
        .login(&reader, &password)
        .run(0);
    assert_eq!(all.sql.number("SELECT COUNT(*) FROM invoice"), 1000);
}

/// A view reads with its owner's rights, and the owner may be one whom a policy filters.
#[test]
fn a_view_whose_owner_sees_a_part_fails() {
    let database = LocalRedshift::shared().database();
    let (admin, reader, password) = guarded(&database);
    admin.run("CREATE VIEW public.all_invoices AS SELECT id, amount FROM public.invoice");
    admin.run(&format!(
        "GRANT USAGE, CREATE ON SCHEMA public TO {reader}; ALTER VIEW public.all_invoices OWNER TO {reader}; GRANT SELECT ON public.all_invoices TO snowhaul"
    ));
    let view =
        json!({"source": {"tableName": "all_invoices"}, "target": {"tableName": "all_invoices"}});
    let migration = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[])
        .table(view);
    let ended = migration.run(1);
    let error = ended.errors_of("all_invoices");
    assert!(error.contains("row-level security"), "{error}");
    let readers = migration.again().login(&reader, &password).run(1);
    assert!(
        readers
            .errors_of("all_invoices")
            .contains("row-level security")
    );
}

/// Redshift answers the other rows without a word; its plan alone says that a policy filters.
#[test]
fn redshifts_policies_are_looked_up() {
    let database = LocalRedshift::shared().database();
    let (_admin, reader, password) = guarded(&database);
    let whole = Migration::from(&database)
        .prepare(&[])
        .whole("invoice")
        .login(&reader, &password);
    let ended = whole.run(1);
    let error = ended.errors_of("invoice");
    assert!(error.contains("row-level security"), "{error}");
    assert!(error.contains("IGNORE RLS"), "{error}");
    let doctor = whole.doctor(&[]);
    assert!(
        doctor.stdout.contains("row-level security"),
        "{}",
        doctor.stdout
    );
}
