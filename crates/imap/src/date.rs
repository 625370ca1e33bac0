//! Dates of IMAP (RFC 9051 §9 `date`, `date-time`), without a clock and without a time zone database.

use std::fmt;

/// The names of the months, January first.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A day of the proleptic Gregorian calendar, disregarding time zones, as SEARCH compares (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A moment with the zone it was written in: `INTERNALDATE`, and the date of APPEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub unix_seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl Date {
    /// A day of the calendar; `None` for 31 February. `month` and `day` count from 1.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        let last = days_in_month(year, month)?;
        (1..=last).contains(&day).then_some(Date { year, month, day })
    }

    /// The day that holds a moment, in the zone `offset_minutes` east of UTC.
    pub fn of(unix_seconds: i64, offset_minutes: i16) -> Date {
        let local = unix_seconds.saturating_add(i64::from(offset_minutes) * 60);
        Date::from_days(local.div_euclid(86_400))
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        // Years counted from March, so that the leap day comes last.
        let (year, month) = (i64::from(self.year) - i64::from(self.month <= 2), i64::from(self.month));
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The day that is `days` after 1970-01-01, held to the years 0 to 9999.
    pub fn from_days(days: i64) -> Date {
        let shifted = days.clamp(-719_528, 2_932_896) + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        Date { year: year.clamp(0, 9_999) as u16, month: month as u8, day: day as u8 }
    }

    /// The first moment of the day in UTC, in seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.days() * 86_400
    }
}

/// `None` for a month that is none.
fn days_in_month(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

/// Reads the name of a month, in any case; January is 1.
pub(crate) fn month(name: &[u8]) -> Option<u8> {
    let index = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    u8::try_from(index + 1).ok()
}

impl DateTime {
    /// A moment from its parts as written; `None` when one is out of its range.
    pub fn new(date: Date, (hour, minute, second): (u8, u8, u8), offset_minutes: i16) -> Option<DateTime> {
        // RFC 5322 allows second 60; it is the next minute to us.
        let valid = hour < 24 && minute < 60 && second <= 60 && offset_minutes.abs() < 24 * 60;
        let local = date.unix_seconds() + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        valid.then_some(DateTime { unix_seconds: local - i64::from(offset_minutes) * 60, offset_minutes })
    }
}

impl fmt::Display for Date {
    /// `1-Feb-1994`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or_default();
        write!(f, "{}-{month}-{:04}", self.day, self.year)
    }
}

impl fmt::Display for DateTime {
    /// `17-Jul-1996 02:44:25 -0700`, without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::of(self.unix_seconds, self.offset_minutes);
        let seconds = self.unix_seconds.saturating_add(i64::from(self.offset_minutes) * 60).rem_euclid(86_400);
        let month = MONTHS.get(usize::from(date.month) - 1).copied().unwrap_or_default();
        let (sign, offset) =
            if self.offset_minutes < 0 { ('-', -self.offset_minutes) } else { ('+', self.offset_minutes) };
        write!(f, "{:2}-{month}-{:04} ", date.day, date.year)?;
        write!(f, "{:02}:{:02}:{:02} ", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        write!(f, "{sign}{:02}{:02}", offset / 60, offset % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_both_ways() {
        for days in (-719_528..2_932_896).step_by(17).chain([-1, 0, 1, 11_016, 2_932_896]) {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert_eq!(Date::new(1970, 1, 1).unwrap().days(), 0);
        assert_eq!(Date::new(2000, 2, 29).unwrap().days(), 11_016);
        assert_eq!(Date::new(1900, 2, 29), None);
    }

    #[test]
    fn moments_keep_their_zone() {
        let moment = DateTime::new(Date::new(1996, 7, 17).unwrap(), (2, 44, 25), -7 * 60).unwrap();
        assert_eq!(moment.unix_seconds, 837_596_665);
        assert_eq!(moment.to_string(), "17-Jul-1996 02:44:25 -0700");
        assert_eq!(DateTime { unix_seconds: -1, offset_minutes: 0 }.to_string(), "31-Dec-1969 23:59:59 +0000");
        assert_eq!(DateTime::new(Date::new(2000, 1, 1).unwrap(), (24, 0, 0), 0), None);
    }
}
