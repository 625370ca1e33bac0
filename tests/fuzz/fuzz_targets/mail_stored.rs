#![no_main]

#[path = "../../../crates/mail/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzzed::stored(octets));
