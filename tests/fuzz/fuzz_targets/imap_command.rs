#![no_main]

#[path = "../../../crates/imap/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| properties::command_holds(octets));
