#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| snowhaul_fuzz::predicates(data));
