//! What a source held when it was read: kept for the life of the egress, and read again when a server refuses it.

use std::sync::Arc;

use forge_core::masking::Forms;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use crate::{Error, Source, Sources};

/// The longest credential in bytes; a header of more is refused by most servers.
const LONGEST: usize = 8 * 1024;

/// One reading of a source.
pub(super) struct Reading {
    pub(super) text: SecretString,
    pub(super) forms: Arc<Forms>,
    /// Counted from 1; each reading that found something else is another edition.
    pub(super) edition: u64,
}

/// A source and its last reading.
pub(super) struct Held {
    sources: Arc<dyn Sources>,
    source: Source,
    last: Mutex<Option<Arc<Reading>>>,
}

impl Held {
    pub(super) fn new(sources: Arc<dyn Sources>, source: Source) -> Self {
        Self { sources, source, last: Mutex::const_new(None) }
    }

    /// The source as it is written.
    pub(super) fn place(&self) -> String {
        self.source.to_string()
    }

    /// Whether it is another provider's secret, which costs that provider's own requests to read.
    pub(super) fn is_reference(&self) -> bool {
        matches!(self.source, Source::Reference(_))
    }

    /// Whether it was read before.
    pub(super) async fn is_read(&self) -> bool {
        self.last.lock().await.is_some()
    }

    /// The last reading, or the first one; and whether it was made just now.
    pub(super) async fn read(&self) -> Result<(Arc<Reading>, bool), Error> {
        let mut last = self.last.lock().await;
        if let Some(reading) = &*last {
            return Ok((Arc::clone(reading), false));
        }
        let reading = Arc::new(self.reading(1).await?);
        *last = Some(Arc::clone(&reading));
        Ok((reading, true))
    }

    /// After the edition `used` was refused: a newer reading, if the source holds something else by now.
    ///
    /// A file that another program keeps fresh (an agent's token, a mounted secret) is followed this way.
    pub(super) async fn newer_than(&self, used: u64) -> Result<Option<Arc<Reading>>, Error> {
        let mut last = self.last.lock().await;
        if let Some(reading) = last.as_ref().filter(|reading| reading.edition != used) {
            return Ok(Some(Arc::clone(reading)));
        }
        let reading = Arc::new(self.reading(used.saturating_add(1)).await?);
        if last.as_ref().is_some_and(|known| known.text.expose_secret() == reading.text.expose_secret()) {
            return Ok(None);
        }
        *last = Some(Arc::clone(&reading));
        Ok(Some(reading))
    }

    async fn reading(&self, edition: u64) -> Result<Reading, Error> {
        let text = line(self.sources.read(&self.source).await?, &self.source)?;
        let forms = Arc::new(Forms::of(text.expose_secret().as_bytes()));
        Ok(Reading { text, forms, edition })
    }
}

/// The one line that a credential is. An editor's newline at the end of a file is not part of it.
pub(super) fn line(text: SecretString, source: &Source) -> Result<SecretString, Error> {
    let refuse = |rule| Error::SourceContent { place: source.to_string(), rule };
    let found = text.expose_secret();
    let line = match source {
        Source::File(_) => found.strip_suffix('\n').map_or(found, |line| line.strip_suffix('\r').unwrap_or(line)),
        _ => found,
    };
    if line.is_empty() {
        return Err(refuse("is empty"));
    }
    if line.len() > LONGEST {
        return Err(refuse("is longer than 8192 bytes"));
    }
    if line.trim() != line || !line.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(refuse("must hold one line of printable ASCII without spaces around it"));
    }
    Ok(SecretString::from(line))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(text: &str, source: &str) -> Result<String, Error> {
        line(SecretString::from(text), &source.parse().unwrap()).map(|line| line.expose_secret().to_owned())
    }

    #[test]
    fn one_newline_at_the_end_of_a_file_is_dropped() {
        for text in ["token", "token\n", "token\r\n"] {
            assert_eq!(of(text, "file:/t").unwrap(), "token", "{text:?}");
        }
        assert!(of("token\n\n", "file:/t").is_err());
        assert!(of("token\n", "env:T").is_err());
    }

    #[test]
    fn what_can_not_stand_in_a_header_is_refused_by_its_source_and_not_shown() {
        for text in
            ["", "\n", "hunter2\nx-admin: 1", "hunter2\0", " hunter2", "hunter2 ", "hunter2\u{e9}", &"h".repeat(9000)]
        {
            let error = of(text, "file:/run/token").unwrap_err().to_string();
            assert!(error.contains("file:/run/token") && !error.contains("hunter2"), "{error}");
        }
    }
}
