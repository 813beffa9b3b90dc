//! `forge run` as it is typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::Variables;
use crate::environment;

/// The signals that a program can be told of a change with, in place of a new start.
const SIGNALS: [&str; 6] = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"];

/// How often a backend may be asked at most.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest interval: whoever wants to wait longer wants no watch.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `run` takes.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) variables: Variables,
    /// Of this environment give only PATH, HOME, USER, LOGNAME, SHELL, TERM, LANG, LC_*, TZ and TMPDIR
    #[arg(long)]
    pub(crate) pristine: bool,
    /// Become the program, under the same process number; nothing is masked then
    #[arg(long, conflicts_with_all = ["mount", "watch"])]
    pub(crate) replace: bool,
    /// Pass the program's output on as it is
    #[arg(long)]
    pub(crate) no_masking: bool,
    /// Serve the secrets as a file at this new path while the program runs, and not as variables
    #[arg(long, value_name = "PATH")]
    pub(crate) mount: Option<PathBuf>,
    /// What that file holds: `dotenv`, `json`, `yaml` or `shell`, or a file whose references are filled; else as PATH ends,
    /// or dotenv
    #[arg(long, value_name = "FORMAT|FILE", requires = "mount")]
    pub(crate) mount_format: Option<String>,
    /// How often that file can be read before it is removed
    #[arg(long, value_name = "NUMBER", requires = "mount", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) mount_reads: Option<u32>,
    /// Read the secrets again that often (`30s`, `5m`, `1h`; without INTERVAL each minute), and where a value has changed
    /// end the program and start it anew
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = interval)]
    pub(crate) watch: Option<Duration>,
    /// Send the program this signal where a value has changed, and leave it running
    #[arg(long, value_name = "SIGNAL", requires = "watch", value_parser = PossibleValuesParser::new(SIGNALS))]
    pub(crate) watch_signal: Option<String>,
    /// The program and its arguments, which no shell changes
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// The exit code of forge's own failures, which no program that is run should have ("env(1)"; `nohup` and `timeout` do so).
pub(crate) const FAILED: u8 = 125;

/// Options of every command that a value follows.
const VALUED: [&str; 9] = ["-c", "--config", "-p", "--provider", "-e", "--environment", "-f", "--format", "--reason"];

/// Whether this command is meant by a line that as a whole can't be understood.
pub(crate) fn is_typed() -> bool {
    let mut words = environment::arguments().skip(1);
    while let Some(word) = words.next() {
        if VALUED.iter().any(|option| word == **option) {
            words.next();
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return word == "run";
        }
    }
    false
}

/// `30s`, `5m`, `1h`, or seconds without a letter.
fn interval(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3600),
        _ => (Some(text), 1),
    };
    let seconds = number.and_then(|number| number.parse::<u64>().ok()).and_then(|number| number.checked_mul(unit));
    let interval = seconds.map(Duration::from_secs).filter(|interval| (SHORTEST..=LONGEST).contains(interval));
    interval.ok_or_else(|| "it is a number with `s`, `m` or `h`, from one second to a week".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_of_seconds_minutes_or_hours() {
        for (text, seconds) in [("1", 1), ("30s", 30), ("5m", 300), ("1h", 3600), ("168h", 604_800)] {
            assert_eq!(interval(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "0", "0s", "169h", "1d", "1 s", "-1", "1.5s", "99999999999999999999h", "5\u{fc}"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
