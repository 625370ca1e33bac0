#![no_main]

#[path = "../../../crates/imap/tests/it/codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| codec::agrees(octets));
