#![no_main]

#[path = "../../../crates/imap/tests/it/properties.rs"]
mod properties;

// The first octet says where the rest is cut.
libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Some((cut, octets)) = octets.split_first() {
        properties::session_holds(octets, usize::from(*cut), std::time::Instant::now());
    }
});
