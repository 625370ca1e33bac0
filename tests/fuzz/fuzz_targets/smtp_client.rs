#![no_main]
#![allow(dead_code)]

#[path = "../../../crates/smtp/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../../crates/smtp/tests/pretend/mod.rs"]
mod pretend;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzzed::client(octets));
