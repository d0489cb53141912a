#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| snowhaul_fuzz::texts(data));
