//! Times as services write them, in the milliseconds of the contract.

use crate::secret::Timestamp;

/// Reads an RFC 3339 time (section 5.6), with a fraction of any length and any offset.
///
/// What is finer than a millisecond is cut off. `None` for other text, for a date that doesn't exist, and for
/// times before 1970, among them Go's zero time `0001-01-01T00:00:00Z`.
///
/// ```
/// assert_eq!(forge_sdk::time::parse_rfc3339("1970-01-01T01:00:00.0019+01:00"), Some(1));
/// ```
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    literal(&mut rest, "-")?;
    let month = number(&mut rest, 2)?;
    literal(&mut rest, "-")?;
    let day = number(&mut rest, 2)?;
    // The section's note permits a lower-case `t` and a space as the separator.
    literal(&mut rest, "T").or_else(|| literal(&mut rest, "t")).or_else(|| literal(&mut rest, " "))?;
    let hour = number(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let minute = number(&mut rest, 2)?;
    literal(&mut rest, ":")?;
    let second = number(&mut rest, 2)?;
    let milliseconds = fraction(&mut rest)?;
    let offset = offset_minutes(&mut rest)?;
    // A leap second is written as second 60.
    if !rest.is_empty() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second;
    Timestamp::try_from(seconds * 1000 + milliseconds).ok()
}

/// As many digits as said, as a number.
fn number(rest: &mut &str, digits: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(digits)?;
    if !head.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *rest = tail;
    head.parse().ok()
}

fn literal(rest: &mut &str, text: &str) -> Option<()> {
    *rest = rest.strip_prefix(text)?;
    Some(())
}

/// The milliseconds of an optional fraction.
fn fraction(rest: &mut &str) -> Option<i64> {
    let Some(tail) = rest.strip_prefix('.') else { return Some(0) };
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, tail) = tail.split_at_checked(digits)?;
    *rest = tail;
    if fraction.is_empty() {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    thousandths.parse().ok()
}

/// Minutes that local time is ahead of UTC.
fn offset_minutes(rest: &mut &str) -> Option<i64> {
    if literal(rest, "Z").or_else(|| literal(rest, "z")).is_some() {
        return Some(0);
    }
    let sign = if literal(rest, "+").is_some() {
        1
    } else {
        literal(rest, "-")?;
        -1
    };
    let hours = number(rest, 2)?;
    literal(rest, ":")?;
    let minutes = number(rest, 2)?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * (hours * 60 + minutes))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month).ok()?.checked_sub(1)?;
    let length = *lengths.get(before)?;
    if day < 1 || day > length {
        return None;
    }
    let years = year - 1;
    let leap_days = |years: i64| years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let days_of_years = (year - 1970) * 365 + leap_days(years) - leap_days(1969);
    Some(days_of_years + lengths.iter().take(before).sum::<i64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        let known = [
            ("1970-01-01T00:00:00Z", 0),
            ("2018-03-22T02:24:06.945319214Z", 1_521_685_446_945),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2024-12-31T23:59:60Z", 1_735_689_600_000),
            ("2026-11-21T23:46:00.5+05:30", 1_795_284_960_500),
            ("2026-11-21 18:16:00-00:00", 1_795_284_960_000),
            ("9999-12-31T23:59:59.999z", 253_402_300_799_999),
        ];
        for (text, milliseconds) in known {
            assert_eq!(parse_rfc3339(text), Some(milliseconds), "{text}");
        }
    }

    #[test]
    fn a_fraction_may_have_any_length() {
        for (fraction, milliseconds) in [(".1", 100), (".12", 120), (".123", 123), (".1239999999999999999999999", 123)]
        {
            assert_eq!(parse_rfc3339(&format!("1970-01-01T00:00:00{fraction}Z")), Some(milliseconds));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let texts = [
            "",
            "never",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-11-21T10:00:61Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00Z ",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+0100",
            "+026-11-21T10:00:00Z",
            "2026-11-21T1é:00:00Z",
        ];
        for text in texts {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_time_before_1970_is_none() {
        assert_eq!(parse_rfc3339("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse_rfc3339("1970-01-01T00:00:00+00:01"), None);
    }

    #[test]
    fn each_day_of_four_centuries_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..2370 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, expected);
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 146_097, "the Gregorian calendar repeats after so many days");
    }
}
