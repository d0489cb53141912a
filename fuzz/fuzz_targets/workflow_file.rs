#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| snowhaul_fuzz::workflow_file(data));
