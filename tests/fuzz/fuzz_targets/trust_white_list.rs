#![no_main]

#[path = "../../../crates/trust/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzzed::white_list(octets));
