//! Retries: what may be sent again, how often, and after how long.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::Instant;

use crate::client::{Answer, Failure};

/// How often and after how long a request is sent again.
///
/// Only reads, and writes whose route is marked as idempotent, are sent again at all.
#[derive(Clone, Debug)]
pub struct Retries {
    /// How long to wait before each further attempt; there are as many further attempts as pauses.
    /// Each pause is drawn between half of it and one and a half times it, so that many clients don't come back at once.
    pub pauses: Vec<Duration>,
    /// The same for a server that says it is asked too often: it is well and wants to be left alone for a while.
    pub throttled: Vec<Duration>,
}

impl Default for Retries {
    /// Two further attempts, after about 100 ms and 300 ms; six where there are too many requests, over about 8 s.
    fn default() -> Self {
        Self {
            pauses: [100, 300].map(Duration::from_millis).to_vec(),
            throttled: [100, 300, 700, 1500, 2500, 3000].map(Duration::from_millis).to_vec(),
        }
    }
}

impl Retries {
    /// How long to wait before attempt number `attempts + 1`; `None` when this outcome is the last one.
    ///
    /// `is_throttled` is true for an answer that says so in its backend's own words.
    /// A server's `Retry-After` counts where it is longer; when it does not fit into what is left of the call's time,
    /// the answer goes to the guest as it is.
    pub(crate) fn pause(
        &self,
        attempts: u32,
        outcome: &Result<Answer, Failure>,
        is_throttled: bool,
        deadline: Instant,
    ) -> Option<Duration> {
        let (pauses, asked) = match outcome {
            Ok(answer) if is_throttled || answer.status == 429 => {
                (&self.throttled, retry_after(&answer.headers, Timestamp::now()))
            }
            Ok(answer) if matches!(answer.status, 500 | 502 | 503 | 504) => {
                (&self.pauses, retry_after(&answer.headers, Timestamp::now()))
            }
            Err(Failure::Unreachable(cause) | Failure::Broken(cause)) if cause.may_pass() => (&self.pauses, None),
            _ => return None,
        };
        let at = usize::try_from(attempts.checked_sub(1)?).ok()?;
        let pause = spread(*pauses.get(at)?).max(asked.unwrap_or_default());
        let left = deadline.saturating_duration_since(Instant::now());
        (pause < left).then_some(pause)
    }
}

/// `Retry-After` in either of its forms: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTimeParser::new().parse_timestamp(text).ok()?;
    // A date that has passed means now.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// Between a half and one and a half of `pause`.
fn spread(pause: Duration) -> Duration {
    let mut byte = [128_u8];
    // Without random bytes the pause is its middle, which is a pause all the same.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.5 + f64::from(byte[0]) / 255.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::cause::Cause;

    fn answer(status: u16, after: Option<&str>) -> Result<Answer, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(after) = after {
            headers.insert(header::RETRY_AFTER, after.parse().unwrap());
        }
        Ok(Answer { status, headers, body: zeroize::Zeroizing::default() })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn an_answer_that_will_not_change_is_not_asked_for_again() {
        for status in [200, 204, 301, 400, 401, 403, 404, 409, 412, 501] {
            assert_eq!(Retries::default().pause(1, &answer(status, None), false, soon()), None, "{status}");
        }
        for failure in [
            Failure::Timeout,
            Failure::TooLarge,
            Failure::Untrusted(Cause::Expired),
            Failure::Unreachable(Cause::NotTls),
        ] {
            assert_eq!(Retries::default().pause(1, &Err(failure), false, soon()), None);
        }
    }

    #[tokio::test]
    async fn a_failure_is_met_with_three_attempts_and_too_many_requests_with_seven() {
        for (outcome, is_throttled, attempts) in [
            (answer(503, None), false, 3),
            (Err(Failure::Unreachable(Cause::Refused)), false, 3),
            (answer(429, None), false, 7),
            (answer(400, None), true, 7),
        ] {
            let pause = |attempt| Retries::default().pause(attempt, &outcome, is_throttled, soon());
            assert!((1..attempts).all(|attempt| pause(attempt).is_some()), "{attempts}");
            assert!(pause(attempts).is_none());
        }
    }

    #[tokio::test]
    async fn a_server_that_says_when_is_believed_within_the_calls_time() {
        let pause = Retries::default().pause(1, &answer(429, Some("4")), false, soon());
        assert_eq!(pause, Some(Duration::from_secs(4)));
        assert_eq!(Retries::default().pause(1, &answer(429, Some("3600")), false, soon()), None);
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let of = |text| retry_after(&answer(503, Some(text)).unwrap().headers, now);
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn a_pause_stays_within_half_of_itself() {
        for _ in 0..200 {
            let pause = spread(Duration::from_millis(100));
            assert!((50..=150).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
