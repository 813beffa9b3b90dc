//! How often a provider may ask its backend: `50/s`, as a person writes it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most requests of one unit: more than any backend takes, so a limit beyond it would be none.
const MOST: u32 = 10_000;

/// So many requests in a second, a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    requests: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

/// What is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is 1 to 10000 requests a second, a minute or an hour, such as `50/s`, `600/m` or `1000/h`")]
pub struct Error;

impl Rate {
    /// How many requests may be made at once after a rest.
    pub fn burst(self) -> u32 {
        self.requests
    }

    /// The time from one request to the next when all that may be made at once are made.
    pub fn interval(self) -> Duration {
        let unit = match self.unit {
            Unit::Second => Duration::from_secs(1),
            Unit::Minute => Duration::from_secs(60),
            Unit::Hour => Duration::from_secs(3_600),
        };
        unit / self.requests.max(1)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (requests, unit) = text.split_once('/').ok_or(Error)?;
        let unit = match unit {
            "s" => Unit::Second,
            "m" => Unit::Minute,
            "h" => Unit::Hour,
            _ => return Err(Error),
        };
        // One spelling for each rate: no sign and no zero before it.
        let is_plain = requests.bytes().all(|byte| byte.is_ascii_digit()) && !requests.starts_with('0');
        let requests = requests.parse().ok().filter(|requests| is_plain && (1..=MOST).contains(requests));
        Ok(Self { requests: requests.ok_or(Error)?, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => 's',
            Unit::Minute => 'm',
            Unit::Hour => 'h',
        };
        write!(f, "{}/{unit}", self.requests)
    }
}

impl TryFrom<String> for Rate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit_and_has_one_spelling() {
        for (text, milliseconds) in [("50/s", 20), ("1/s", 1_000), ("600/m", 100), ("36/h", 100_000)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.to_string().as_str(), rate.interval().as_millis()), (text, milliseconds));
        }
        for odd in ["", "50", "50/", "/s", "0/s", "050/s", "+5/s", "-1/s", "1.5/s", "10001/s", "5/d", "5 /s", "5/s/s"] {
            assert_eq!(odd.parse::<Rate>(), Err(Error), "{odd}");
        }
    }
}
