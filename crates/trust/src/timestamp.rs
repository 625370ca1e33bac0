//! Times of XML and ASN.1, as seconds since 1970.

/// Reads `2025-03-13T14:54:10Z`, with or without a fraction (dropped), with `Z` or an offset (RFC 3339 §5.6).
pub fn from_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let offset_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = time.split_at_checked(offset_at)?;
    let whole = match clock.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|octet| octet.is_ascii_digit()) => {
            whole
        }
        Some(_) => return None,
        None => clock,
    };
    let [hour, minute, second] = fields(whole, ':', [2, 2, 2])?;
    let seconds = seconds(year, month, day, hour, minute, second)?;
    let offset = match offset {
        "Z" | "z" => 0,
        other => {
            let (sign, rest) = other.split_at_checked(1)?;
            let [hours, minutes] = fields(rest, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3_600 + minutes * 60;
            if sign == "-" { -offset } else { offset }
        }
    };
    Some(seconds - offset)
}

/// Reads an ASN.1 GeneralizedTime as DER has it, `20250313145410Z` (RFC 5280 §4.1.2.5.2).
pub(crate) fn from_generalized(octets: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(octets).ok()?.strip_suffix('Z')?;
    if text.len() != 14 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    seconds(field(0, 4)?, field(4, 6)?, field(6, 8)?, field(8, 10)?, field(10, 12)?, field(12, 14)?)
}

/// Reads an ASN.1 UTCTime as DER has it, `250313145410Z`: years 1950 to 2049 (RFC 5280 §4.1.2.5.1).
pub(crate) fn from_utc(octets: &[u8]) -> Option<i64> {
    let century: &[u8] = if *octets.first()? < b'5' { b"20" } else { b"19" };
    from_generalized(&[century, octets].concat())
}

/// Writes `2025-03-13T14:54:10Z`.
pub fn to_rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// So many digits each, nothing else.
fn fields<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut values = [0; N];
    for (value, count) in values.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != count || !part.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    if parts.next().is_none() { Some(values) } else { None }
}

fn seconds(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    // 60 is a leap second (RFC 3339 §5.7); it counts as the first of the next minute.
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March, so that the leap day ends them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_lists_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2025-03-13T14:54:10Z", Some(1_741_877_650)),
            ("2025-03-13T15:54:10+01:00", Some(1_741_877_650)),
            ("2025-03-13T14:54:10.123Z", Some(1_741_877_650)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2025-02-29T00:00:00Z", None),
            ("2025-13-01T00:00:00Z", None),
            ("2025-03-13T24:00:00Z", None),
            ("2025-03-13T14:54:10", None),
            ("2025-03-13 14:54:10Z", None),
            ("2025-3-13T14:54:10Z", None),
            ("2025-03-13T14:54:10.Z", None),
            ("2025-03-13T14:54:10Zé", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(from_rfc3339(text), expected, "{text}");
        }
        assert_eq!(from_generalized(b"20250313145410Z"), Some(1_741_877_650));
        assert_eq!(from_utc(b"250313145410Z"), Some(1_741_877_650));
        assert_eq!(from_utc(b"500101000000Z"), Some(-631_152_000));
        for text in [&b"20250313145410"[..], b"20250313145410.5Z", b"202503131454Z", b"+0250313145410Z"] {
            assert_eq!(from_generalized(text), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in -62_135_596_800_i64..253_402_300_800) {
            proptest::prop_assert_eq!(from_rfc3339(&to_rfc3339(seconds)), Some(seconds));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = from_rfc3339(&text);
        }
    }
}
