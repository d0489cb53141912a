use super::*;
use crate::domain::table::Content;

/// What each version of the metadata has written.
const CORPUS: [(&str, &str); 5] = [
    ("3: append", include_str!("../corpus/v3-append.json")),
    (
        "3: full-replace",
        include_str!("../corpus/v3-full-replace.json"),
    ),
    ("3: checksum", include_str!("../corpus/v3-checksum.json")),
    ("3: watermark", include_str!("../corpus/v3-watermark.json")),
    (
        "3: transforms",
        include_str!("../corpus/v3-transforms.json"),
    ),
];

fn read(text: &str) -> TablePlan {
    serde_json::from_str(text).expect("a plan that was stored is read")
}

#[test]
fn plans_of_all_versions_are_read_and_written_in_the_new_form() {
    for (what, text) in CORPUS {
        let plan = read(text);
        assert!(!plan.extract.columns.is_empty(), "{what}");
        let written = serde_json::to_string(&plan).expect("it is JSON");
        assert!(written.starts_with(r#"{"version":4,"#), "{what}: {written}");
        assert_eq!(read(&written), plan, "{what}");
    }
}

#[test]
fn a_plan_of_version_3_means_what_it_meant() {
    let plan = read(CORPUS[3].1);
    assert_eq!(plan.load.mode, LoadMode::Merge);
    assert_eq!(plan.load.kind, TargetKind::Native);
    assert_eq!(plan.extract.route, Route::Stream);
    assert!(plan.sync.state_key.is_some());
    assert!(plan.extract.watermark.is_some());
    let keys: Vec<_> = plan
        .columns_of(Content::Keys)
        .into_iter()
        .map(|(extract, load)| (extract.source.name.as_str(), load.name.as_str()))
        .collect();
    assert_eq!(keys, [("id", "ID")]);
}

#[test]
fn a_transform_is_divided_between_the_source_and_the_load() {
    let plan = read(CORPUS[4].1);
    let column = |name: &str| {
        let pairs = plan.columns_of(Content::Rows);
        let found = pairs.into_iter().find(|(c, _)| c.source.name == name);
        let (extract, load) = found.expect("the column");
        (
            extract.encode.clone(),
            load.decode.clone(),
            extract.fits.clone(),
        )
    };
    let (encode, decode, fits) = column("name");
    assert!(encode.is_some() && decode.is_some());
    assert_eq!(fits, None, "the load computes another value from it");
    let (encode, decode, fits) = column("at");
    assert!(encode.is_none() && decode.is_none());
    assert!(fits.is_some());
}

#[test]
fn a_plan_of_a_newer_version_is_refused_before_its_parts_are_read() {
    let error = serde_json::from_str::<TablePlan>(r#"{"version":5,"extract":7}"#)
        .expect_err("newer")
        .to_string();
    assert_eq!(error, UnreadablePlan::Newer(5).to_string());
}

#[test]
fn halves_of_different_length_are_refused() {
    let mut plan = read(CORPUS[0].1);
    plan.load.columns.pop();
    let text = serde_json::to_string(&plan).expect("it is JSON");
    let error = serde_json::from_str::<TablePlan>(&text).expect_err("uneven");
    assert!(
        error.to_string().contains("a plan that extracts"),
        "{error}"
    );
}
