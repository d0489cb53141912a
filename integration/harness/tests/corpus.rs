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

/// A step of a generator of numbers (xorshift): the same numbers in each run.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap_or_default()
}

/// What begins or ends something in one of the languages.
const PIECES: &[&str] = &[
    "'", "''", "\"", "\"\"", "\\", ";", "--", "\n", "/*", "*/", "(", ")", "$$", "$a$", "E'", "{",
    "}", "}}", "[", "]", "%", "é", "\u{0}", ",", ":", "null", "-1", "1e999", "&a", "*a", "U&'",
];

#[test]
fn inputs_made_of_the_corpus_pass_their_checks() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let rounds = std::env::var("SNOWHAUL_CORPUS_ROUNDS").ok();
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(300);
    for (target, check) in checks::ALL {
        let mut inputs: Vec<_> = fs::read_dir(corpus.join(target))
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .filter(|data| data.len() < 2_000)
            .collect();
        inputs.sort();
        let mut state = 0x9E37_79B9_7F4A_7C15;
        for _ in 0..rounds {
            let mut data = inputs[next(&mut state) % inputs.len()].clone();
            for _ in 0..=next(&mut state) % 4 {
                let at = next(&mut state) % (data.len() + 1);
                let piece = PIECES[next(&mut state) % PIECES.len()].as_bytes();
                match next(&mut state) % 3 {
                    0 => drop(data.splice(at..at, piece.iter().copied())),
                    1 => data.truncate(at),
                    _ => {
                        let other = &inputs[next(&mut state) % inputs.len()];
                        data.extend_from_slice(&other[next(&mut state) % (other.len() + 1)..]);
                    }
                }
            }
            let passed = std::panic::catch_unwind(|| check(&data));
            assert!(
                passed.is_ok(),
                "{target}: {:?}",
                String::from_utf8_lossy(&data)
            );
        }
    }
}
