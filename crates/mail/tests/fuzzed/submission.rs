//! What a submission server mends.

use mail::header::{self, Field};
use mail::message::{NAME_OCTETS_MAX, SubmissionEdit};

/// A submission: the edit is the same in one piece and in many, doing it twice changes nothing more, and it is what the
/// fields say: all but the blind ones, what was missing, and the rest untouched.
pub fn submission(octets: &[u8]) {
    let (once, removed) = edited(octets, octets.len().max(1));
    assert_eq!(edited(octets, 1), (once.clone(), removed));
    assert_eq!(edited(&once, once.len().max(1)), (once.clone(), 0));
    assert!(!header::fields(&once).any(is_blind));
    for name in ["date", "message-id"] {
        assert!(header::fields(&once).any(|field| field.is(name)), "no {name}");
    }
    let header: usize = header::fields(octets).map(|field| field.octets.len()).sum();
    let kept: Vec<u8> =
        header::fields(octets).filter(|field| !is_blind(*field)).flat_map(|field| field.octets).copied().collect();
    assert_eq!(removed, (header - kept.len()) as u64);
    assert!(once.starts_with(&kept) && once.ends_with(octets.get(header..).unwrap_or_default()));
}

/// Also a line that is no field, when the name of one and blanks fill all that is looked at.
fn is_blind(field: Field<'_>) -> bool {
    let start = field.octets.get(..NAME_OCTETS_MAX).filter(|start| !start.contains(&b'\n')).unwrap_or_default();
    ["bcc", "resent-bcc"].into_iter().any(|name| {
        let blank = start.get(name.len()..).unwrap_or_default();
        let fills = start.len() == NAME_OCTETS_MAX && blank.iter().all(|octet| matches!(octet, b' ' | b'\t'));
        field.is(name) || (fills && start.to_ascii_lowercase().starts_with(name.as_bytes()))
    })
}

fn edited(octets: &[u8], size: usize) -> (Vec<u8>, u64) {
    let mut edit = SubmissionEdit::new(header::DateTime::utc(0), "id@a.example".into());
    let mut out = Vec::new();
    octets.chunks(size).for_each(|chunk| edit.feed(chunk, &mut out));
    edit.finish(&mut out);
    (out, edit.removed_octets())
}
