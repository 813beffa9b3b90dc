//! What a run of the program did, and what a test expects of it.

use std::fmt;

/// What a run of the program left behind.
#[derive(Clone)]
pub struct Outcome {
    /// The command line, for messages.
    pub(crate) command: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error; what is not UTF-8 is replaced.
    pub stderr: String,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let shown: String = stdout.chars().take(2_000).collect();
        write!(formatter, "$ {}\nexit code: {:?}\nstdout: {shown}\nstderr: {}", self.command, self.code, self.stderr)
    }
}

impl Outcome {
    /// Expects this exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Expects success.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.exits(0)
    }

    /// Expects exactly these bytes on standard output.
    #[track_caller]
    pub fn stdout_is(&self, expected: impl AsRef<[u8]>) -> &Self {
        assert!(self.stdout == expected.as_ref(), "expected: {}\n{self:?}", String::from_utf8_lossy(expected.as_ref()));
        self
    }

    /// Expects a part of standard output.
    #[track_caller]
    pub fn stdout_has(&self, part: &str) -> &Self {
        assert!(self.text().contains(part), "expected: {part}\n{self:?}");
        self
    }

    /// Expects a part of standard error.
    #[track_caller]
    pub fn stderr_has(&self, part: &str) -> &Self {
        assert!(self.stderr.contains(part), "expected: {part}\n{self:?}");
        self
    }

    /// Expects that neither output holds this.
    #[track_caller]
    pub fn never_shows(&self, part: &str) -> &Self {
        let shows = contains(&self.stdout, part.as_bytes()) || contains(self.stderr.as_bytes(), part.as_bytes());
        assert!(!shows, "not expected: {part}\n{self:?}");
        self
    }

    /// Expects exactly this on standard error.
    #[track_caller]
    pub fn stderr_is(&self, expected: &str) -> &Self {
        assert!(self.stderr == expected, "expected: {expected}\n{self:?}");
        self
    }

    /// Standard output as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap_or_else(|_| panic!("not UTF-8\n{self:?}"))
    }

    /// Standard output as one JSON object with a schema version.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        json(&self.text(), self)
    }

    /// The whole of standard error as one JSON object with a schema version.
    #[track_caller]
    pub fn error_json(&self) -> serde_json::Value {
        json(&self.stderr, self)
    }
}

#[track_caller]
fn json(text: &str, outcome: &Outcome) -> serde_json::Value {
    let object: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{outcome:?}"));
    assert_eq!(object["schema_version"], 1, "{outcome:?}");
    object
}

/// Whether `bytes` hold `part`.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}
