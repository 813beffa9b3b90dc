//! When a copy was made, by two clocks: whoever sets one of them back makes no copy younger.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::home;
use crate::time;

/// A moment as a file can hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    /// Milliseconds since the Unix epoch, which anybody may have set wrong.
    wall: u64,
    /// Which start of the machine, and milliseconds since then, asleep or not: nobody can set that back.
    boot: Option<(String, u64)>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { wall: time::now(), boot: boot() }
    }

    /// How long ago this was; `None` for what has not happened yet, by either clock.
    ///
    /// After a restart the clock on the wall counts alone: one that is set back by a day then adds a day to what a copy may
    /// be used for, if nobody looks at the copy in that day. What looks at it drops it.
    pub(super) fn age(&self, now: &Self) -> Option<Duration> {
        let wall = now.wall.checked_sub(self.wall)?;
        let age = match (&self.boot, &now.boot) {
            (Some((one, then)), Some((other, now))) if one == other => wall.max(now.checked_sub(*then)?),
            _ => wall,
        };
        Some(Duration::from_millis(age))
    }
}

/// The id of this start, and how long ago it was ("proc_sys_kernel(5)", "proc_uptime(5)"); `None` where no such files are.
fn boot() -> Option<(String, u64)> {
    let text = |path: &str| String::from_utf8(home::read(Path::new(path), 128).ok()??).ok();
    let id = text("/proc/sys/kernel/random/boot_id")?;
    let uptime = text("/proc/uptime")?;
    let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let hundredths: u64 = hundredths.parse().ok()?;
    Some((id.trim().to_owned(), seconds.checked_mul(1000)?.checked_add(hundredths.checked_mul(10)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: u64, boot: Option<(&str, u64)>) -> Moment {
        Moment { wall, boot: boot.map(|(id, uptime)| (id.to_owned(), uptime)) }
    }

    fn age(then: &Moment, now: &Moment) -> Option<u64> {
        then.age(now).map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_copy_younger() {
        let then = moment(5_000, Some(("a", 1_000)));
        assert_eq!(age(&then, &moment(8_000, Some(("a", 4_000)))), Some(3_000));
        // Set back to just after the copy was made: the other clock knows that an hour has passed.
        assert_eq!(age(&then, &moment(5_001, Some(("a", 3_601_000)))), Some(3_600_000));
        // Set back to before the copy was made.
        assert_eq!(age(&then, &moment(4_999, Some(("a", 4_000)))), None);
        assert_eq!(age(&then, &moment(4_999, None)), None);
        // Another start of the machine says nothing of this one, and a clock that went backwards is none.
        assert_eq!(age(&then, &moment(9_000, Some(("b", 10)))), Some(4_000));
        assert_eq!(age(&then, &moment(9_000, Some(("a", 10)))), None);
    }

    #[test]
    fn time_does_not_go_backwards_here() {
        let then = Moment::now();
        assert!(then.age(&Moment::now()).is_some_and(|age| age < Duration::from_secs(60)));
    }
}
