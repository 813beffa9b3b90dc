//! Times as people read and write them.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A text that is no time, or one in the past. It is not repeated: it may be a value that was pasted by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is such as `2027-01-31T00:00:00Z`, or `90d`, `12h` from now on")]
pub struct Error;

/// RFC 3339 in UTC and always with milliseconds, from milliseconds since the Unix epoch; `None` beyond the year 9999.
pub fn rfc3339(milliseconds: u64) -> Option<String> {
    let milliseconds = i64::try_from(milliseconds).ok()?;
    Timestamp::from_millisecond(milliseconds).ok().map(|time| format!("{time:.3}"))
}

/// A deadline in milliseconds since the Unix epoch: a time in RFC 3339, or how long after `now` (a day has 24 hours).
///
/// # Errors
/// The text is neither, or the deadline is not after `now`.
pub fn deadline(text: &str, now: u64) -> Result<u64, Error> {
    let milliseconds = match text.parse::<Timestamp>() {
        Ok(time) => time.as_millisecond(),
        Err(_) => {
            let span: Span = text.parse().map_err(|_| Error)?;
            // Months and years have no one length, so they are no durations.
            let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| Error)?;
            let now = i64::try_from(now).map_err(|_| Error)?;
            i64::try_from(duration.as_millis()).ok().and_then(|after| now.checked_add(after)).ok_or(Error)?
        }
    };
    u64::try_from(milliseconds).ok().filter(|deadline| *deadline > now).ok_or(Error)
}

/// A length of time in whole seconds, such as `90s`, `5m` or `1h`; a day has 24 hours.
///
/// # Errors
/// The text is none, or is negative.
pub fn duration(text: &str) -> Result<std::time::Duration, Error> {
    let span: Span = text.parse().map_err(|_| Error)?;
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| Error)?;
    u64::try_from(duration.as_secs()).map(std::time::Duration::from_secs).map_err(|_| Error)
}

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_a_duration_from_now_on() {
        assert_eq!(deadline("1970-01-02T00:00:00Z", 5), Ok(86_400_000));
        assert_eq!(deadline("90d", 5), Ok(90 * 86_400_000 + 5));
        assert_eq!(deadline("1h 30m", 0), Ok(5_400_000));
        for wrong in ["", "soon", "-1d", "0s", "1969-01-01T00:00:00Z", "hunter2", "9999999999999d"] {
            assert_eq!(deadline(wrong, 5), Err(Error), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_a_number_of_whole_seconds() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("5m", 300), ("1h 30m", 5_400), ("2d", 172_800)] {
            assert_eq!(duration(text), Ok(std::time::Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "soon", "-1d", "5", "1 month", "hunter2"] {
            assert_eq!(duration(wrong), Err(Error), "{wrong}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(rfc3339(u64::MAX), None);
    }
}
