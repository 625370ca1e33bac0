#![no_main]

#[path = "../../../crates/imap/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &str| properties::name_holds(text));
