//! How envelopes are written in columns: part of the format on disk.

use mail::envelope::{BodyKind, ForwardPath, Notify, OriginalRecipient, Returned, ReversePath};
use store::StoreError;

use super::State;

pub(super) fn reverse_path(path: &ReversePath) -> String {
    match path {
        ReversePath::Null => String::new(),
        ReversePath::Address(address) => address.to_string(),
    }
}

pub(super) fn read_reverse_path(text: &str) -> Result<ReversePath, StoreError> {
    match text {
        "" => Ok(ReversePath::Null),
        address => address.parse().map(ReversePath::Address).map_err(|_| damaged("reverse-path")),
    }
}

pub(super) fn forward_path(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Postmaster => String::new(),
        ForwardPath::Address(address) => address.to_string(),
    }
}

pub(super) fn read_forward_path(text: &str) -> Result<ForwardPath, StoreError> {
    match text {
        "" => Ok(ForwardPath::Postmaster),
        address => address.parse().map(ForwardPath::Address).map_err(|_| damaged("forward-path")),
    }
}

pub(super) fn read_original(address_type: &str, address: &str) -> Option<OriginalRecipient> {
    let original = OriginalRecipient { address_type: address_type.to_owned(), address: address.to_owned() };
    (!address_type.is_empty()).then_some(original)
}

pub(super) fn notify(notify: Notify) -> i64 {
    match notify {
        Notify::Never => 0,
        Notify::On { success, failure, delay } => i64::from(success) | i64::from(failure) << 1 | i64::from(delay) << 2,
    }
}

pub(super) fn read_notify(bits: i64) -> Result<Notify, StoreError> {
    match bits {
        0 => Ok(Notify::Never),
        1..=7 => Ok(Notify::On { success: bits & 1 != 0, failure: bits & 2 != 0, delay: bits & 4 != 0 }),
        _ => Err(damaged("notify")),
    }
}

pub(super) fn returned(returned: Returned) -> i64 {
    match returned {
        Returned::Header => 0,
        Returned::Full => 1,
    }
}

pub(super) fn read_returned(number: i64) -> Result<Returned, StoreError> {
    match number {
        0 => Ok(Returned::Header),
        1 => Ok(Returned::Full),
        _ => Err(damaged("returned")),
    }
}

pub(super) fn body(body: BodyKind) -> i64 {
    match body {
        BodyKind::SevenBit => 0,
        BodyKind::EightBitMime => 1,
        BodyKind::BinaryMime => 2,
    }
}

pub(super) fn read_body(number: i64) -> Result<BodyKind, StoreError> {
    match number {
        0 => Ok(BodyKind::SevenBit),
        1 => Ok(BodyKind::EightBitMime),
        2 => Ok(BodyKind::BinaryMime),
        _ => Err(damaged("body")),
    }
}

pub(super) fn read_state(number: i64) -> Result<State, StoreError> {
    match number {
        0 => Ok(State::Waiting),
        1 => Ok(State::Held),
        _ => Err(damaged("state")),
    }
}

pub(super) fn narrow(number: i64, what: &str) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| damaged(what))
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("queue: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_read_as_they_are_written() {
        for path in [ReversePath::Null, ReversePath::Address("\"a b\"@c.example".parse().unwrap())] {
            assert_eq!(read_reverse_path(&reverse_path(&path)), Ok(path));
        }
        let path = ForwardPath::Address("zoé@c.example".parse().unwrap());
        assert_eq!(read_forward_path(&forward_path(&path)), Ok(path));
        for bits in 0..8 {
            assert_eq!(notify(read_notify(bits).unwrap()), bits);
        }
        for kind in [BodyKind::SevenBit, BodyKind::EightBitMime, BodyKind::BinaryMime] {
            assert_eq!(read_body(body(kind)), Ok(kind));
        }
        for asked in [Returned::Header, Returned::Full] {
            assert_eq!(read_returned(returned(asked)), Ok(asked));
        }
        assert!(
            read_notify(8).is_err() && read_body(3).is_err() && read_returned(2).is_err() && read_state(2).is_err()
        );
    }
}
