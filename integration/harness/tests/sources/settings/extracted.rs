//! What is extracted is the same in every session.

use super::columns::{TEXT_OF_THE_SERVER, columns_of, fill};
use super::{analyzed, dialect, scope, sessions, table_ref};
use snowhaul::domain::table::{KeyRange, Platform, QueryModifiers};
use snowhaul::domain::table_plan::TargetKind;
use snowhaul::target::of;
use snowhaul_integration::{LocalRedshift, Row};

/// What differs between two answers, in words.
fn difference(what: &str, usual: &[Row], odd: &[Row]) -> Option<String> {
    (usual != odd).then(|| format!("{what}: {usual:?} became {odd:?}"))
}

#[test]
fn what_is_extracted_does_not_depend_on_the_session() {
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let database = LocalRedshift::shared().database();
        fill(&database.sql(), &columns_of(platform));
        let [usual, odd] = sessions(&database, platform);
        let (table, modifiers) = (table_ref("t"), QueryModifiers::default());
        let mut wrong = Vec::new();
        for column in analyzed(&database, platform) {
            let is_servers = TEXT_OF_THE_SERVER.iter().any(|c| c.name == column.name);
            for target in [None, Some("VARCHAR")] {
                let planned = dialect(platform).plan_column(&column, 0, target);
                let warning = planned.warning.unwrap_or_default();
                if is_servers {
                    if !column.name.ends_with("pairs") && !warning.contains("extra_float_digits") {
                        wrong.push(format!("{}: {warning}", column.name));
                    }
                    continue;
                }
                if warning.contains("extra_float_digits")
                    || target.is_some_and(|target| {
                        let file = planned.plan.file_column();
                        of(TargetKind::Native)
                            .load_expression(&file, target)
                            .is_err()
                    })
                {
                    wrong.push(format!("{} into {target:?}: {warning}", column.name));
                }
                let everything = KeyRange::Everything;
                let query = dialect(platform).extraction(
                    &scope(&table, &[], &everything, &modifiers),
                    std::slice::from_ref(&planned.plan),
                );
                let query = format!("{query} ORDER BY id");
                let what = format!("{platform} {} into {target:?}", column.name);
                wrong.extend(difference(&what, &usual.rows(&query), &odd.rows(&query)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
