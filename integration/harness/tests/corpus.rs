//! The checks of the fuzz targets, with their corpus, without a fuzzer.

#[path = "../../../fuzz/src/lib.rs"]
mod checks;

use std::fs;
use std::path::Path;

#[test]
fn every_input_of_the_corpus_passes_its_check() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check) in checks::ALL {
        let directory = corpus.join(target);
        let mut inputs: Vec<_> = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!inputs.is_empty(), "{target}");
        inputs.sort();
        for input in inputs {
            let data = fs::read(&input).unwrap();
            let passed = std::panic::catch_unwind(|| check(&data));
            assert!(passed.is_ok(), "{}", input.display());
        }
    }
}
