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

    /// Reads an unfolded `date-time`, obsolete forms and comments included. A zone that is absent or unknown is UTC
    /// (RFC 5322 §4.3).
    pub fn parse(value: &str) -> Option<DateTime> {
        let plain = without_comments(value);
        let mut tokens = plain.split(|character: char| character.is_ascii_whitespace() || character == ',');
        let mut next = || tokens.find(|token| !token.is_empty());
        let first = next()?;
        let day = if first.starts_with(|character: char| character.is_ascii_digit()) { first } else { next()? };
        let day = number(day, 1..=31)?;
        let month = month(next()?)?;
        let year = year(next()?)?;
        let mut time = next()?.split(':');
        let hour = number(time.next()?, 0..=23)?;
        let minute = number(time.next()?, 0..=59)?;
        let second = time.next().map_or(Some(0), |second| number(second, 0..=60))?;
        let offset_minutes = next().map_or(0, zone);
        if day > days_in(year, month) {
            return None;
        }
        let local = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(DateTime { seconds: local - i64::from(offset_minutes) * 60, offset_minutes })
    }

    /// Year, month (1–12) and day (1–31) on the author's own calendar: what SENTON compares (RFC 9051 §6.4.4).
    pub fn local_date(self) -> (i64, u8, u8) {
        civil_from_days(self.local_seconds().div_euclid(86_400))
    }

    fn local_seconds(self) -> i64 {
        self.seconds.saturating_add(i64::from(self.offset_minutes) * 60)
    }
}

impl fmt::Display for DateTime {
    /// `Fri, 20 Nov 2026 14:54:00 +0100` (RFC 5322 §3.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local_seconds();
        let (days, time) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        // 1970-01-01 was a Thursday.
        let weekday = usize::try_from((days + 4).rem_euclid(7)).unwrap_or_default();
        let weekday = WEEKDAYS.get(weekday).copied().unwrap_or_default();
        let month = MONTHS.get(usize::from(month) - 1).copied().unwrap_or_default();
        let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let (zone_hours, zone_minutes) =
            (self.offset_minutes.unsigned_abs() / 60, self.offset_minutes.unsigned_abs() % 60);
        write!(f, "{weekday}, {day} {month} {year:04} ")?;
        write!(f, "{hour:02}:{minute:02}:{second:02} {sign}{zone_hours:02}{zone_minutes:02}")
    }
}

/// Comments nest (RFC 5322 §3.2.2); an unclosed one takes the rest.
fn without_comments(value: &str) -> String {
    let mut depth = 0_u32;
    value
        .chars()
        .filter(|character| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

fn number(text: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|number| digits && range.contains(number))
}

fn month(text: &str) -> Option<i64> {
    let position = MONTHS.iter().position(|month| {
        text.len() >= month.len() && text.get(..month.len()).is_some_and(|start| start.eq_ignore_ascii_case(month))
    })?;
    i64::try_from(position + 1).ok()
}

/// Two and three digits are obsolete (RFC 5322 §4.3).
fn year(text: &str) -> Option<i64> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let year: i64 = text.parse().ok()?;
    match (text.len(), year) {
        (2, 0..=49) => Some(2_000 + year),
        (2 | 3, _) => Some(1_900 + year),
        (4, 1_900..) => Some(year),
        _ => None,
    }
}

/// Minutes east of UTC. Military letters were defined with the wrong sign and mean nothing (RFC 5322 §4.3).
fn zone(text: &str) -> i16 {
    let named = |hours: i16| hours * 60;
    match text.to_ascii_uppercase().as_str() {
        "EDT" => named(-4),
        "EST" | "CDT" => named(-5),
        "CST" | "MDT" => named(-6),
        "MST" | "PDT" => named(-7),
        "PST" => named(-8),
        other => numeric_zone(other).unwrap_or(0),
    }
}

fn numeric_zone(text: &str) -> Option<i16> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = number(hours, 0..=23)? * 60 + number(minutes, 0..=59)?;
    i16::try_from(minutes).ok().map(|minutes| sign * minutes)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that the leap day is last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_age_are_read() {
        for (text, seconds, offset_minutes) in [
            ("Fri, 20 Nov 2026 14:54:00 +0100", 1_795_182_840, 60),
            ("20 Nov 2026 14:54 +0100 (CET (sort of))", 1_795_182_840, 60),
            ("Fri, 20 Nov 2026 13:54:00 GMT", 1_795_182_840, 0),
            ("Fri,20 Nov 26 13:54:00 UT", 1_795_182_840, 0),
            ("Fri, 20 Nov 2026 08:54:00 EST", 1_795_182_840, -300),
            ("Fri, 20 Nov 2026 13:54:00 Z", 1_795_182_840, 0),
            ("Thu, 1 Jan 1970 00:00:00 -0000", 0, 0),
            ("31 Dec 1969 23:59:59 +0000", -1, 0),
            ("29 Feb 2000 12:00:00 +0000", 951_825_600, 0),
            ("Thu, 13 Feb 69 23:32:54 -0330", -27_723_426, -210),
        ] {
            assert_eq!(DateTime::parse(text), Some(DateTime { seconds, offset_minutes }), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["", "yesterday", "31 Feb 2026 00:00 +0000", "1 Jan 2026", "1 Jan 2026 25:00 +0000", "1 Foo 2026 1:1"]
        {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_print() {
        let date = DateTime { seconds: 1_795_182_840, offset_minutes: 60 };
        assert_eq!(date.to_string(), "Fri, 20 Nov 2026 14:54:00 +0100");
        assert_eq!(DateTime { offset_minutes: -210, ..date }.to_string(), "Fri, 20 Nov 2026 10:24:00 -0330");
        assert_eq!(date.local_date(), (2026, 11, 20));
    }

    proptest::proptest! {
        #[test]
        fn a_printed_date_reads_back(seconds in -2_000_000_000_i64..100_000_000_000, offset_minutes in -1_439_i16..1_440) {
            let date = DateTime { seconds, offset_minutes };
            proptest::prop_assert_eq!(DateTime::parse(&date.to_string()), Some(date));
        }

        #[test]
        fn any_text_is_a_date_or_not(text in ".*") {
            let _ = DateTime::parse(&text).map(|date| date.to_string());
        }
    }
}
