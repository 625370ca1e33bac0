//! The stored form of an index.

use mail::mime::{EnvelopeFields, HeaderText, Limits, MessageIndex, Part, Scanner, SectionText};

/// Octets read as a stored index: an index that is written and read back as itself, or an error, whatever they are.
pub fn stored(octets: &[u8]) {
    let nothing = Scanner::new(Limits::default()).finish();
    if let Ok(envelope) = EnvelopeFields::from_stored(octets) {
        let index = MessageIndex { envelope, ..nothing.clone() };
        assert_eq!(EnvelopeFields::from_stored(&index.split().envelope), Ok(index.envelope));
    }
    if let Ok(header_texts) = HeaderText::from_stored(octets) {
        let index = MessageIndex { header_texts, ..nothing.clone() };
        assert_eq!(HeaderText::from_stored(&index.split().header_texts), Ok(index.header_texts));
    }
    if let Ok(root) = Part::from_stored(octets) {
        for path in [&[][..], &[1], &[2], &[1, 1]] {
            for text in [SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime] {
                let _ = root.section(path, text, 1_000);
            }
        }
        let index = MessageIndex { root, ..nothing };
        assert_eq!(Part::from_stored(&index.split().structure), Ok(index.root));
    }
}
