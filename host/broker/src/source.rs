//! Sources: where the host gets a credential, and the seam through which it does.

use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::Error;

/// Where a credential comes from. The text of a source is no secret; what stands there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `env:NAME`, an environment variable.
    Environment(String),
    /// `file:/PATH`, a file by its absolute path.
    File(PathBuf),
    /// `sealed:ID`, what a person typed into a hidden prompt and forge sealed.
    Sealed(String),
    /// `store://PROVIDER/PATH`, another secret.
    Reference(String),
}

/// Reads sources. The command line implements it: it alone knows the environment, files and other providers.
#[async_trait]
pub trait Sources: Send + Sync {
    /// What stands at `source`.
    ///
    /// # Errors
    /// [`Error::SourceAbsent`] when there is nothing, [`Error::SourceUnreadable`] when it can't be read.
    async fn read(&self, source: &Source) -> Result<SecretString, Error>;

    /// What a program prints: its name and its arguments, which a person's own configuration says and no shell reads.
    ///
    /// # Errors
    /// [`Error::Program`] when it can't be started or does not end well.
    async fn output(&self, words: &[String]) -> Result<SecretString, Error> {
        let program = words.first().cloned().unwrap_or_default();
        Err(Error::Program { program, what: "is not started here".to_owned() })
    }

    /// The code that a device shows, which only a person can read.
    ///
    /// # Errors
    /// [`Error::CodeNeeded`] where nobody can be asked.
    async fn code(&self, device: &str) -> Result<SecretString, Error> {
        Err(Error::CodeNeeded { device: device.to_owned() })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Sealed(id) => write!(f, "sealed:{id}"),
            Self::Reference(reference) => f.write_str(reference),
        }
    }
}

impl std::str::FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_plain = |text: &str| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
        let name = |text: &str| {
            let fits = is_plain(text) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            fits.then(|| text.to_owned())
        };
        let source = match text.split_once(':') {
            Some(("env", rest)) => name(rest).map(Self::Environment),
            // A relative path would mean another file in another directory, such as a cloned repository.
            Some(("file", rest)) if is_plain(rest) && rest.starts_with('/') => Some(Self::File(PathBuf::from(rest))),
            Some(("sealed", rest)) => name(rest).map(Self::Sealed),
            Some(("store", _)) => {
                // Why it is no reference is not told: the text may be a secret that was pasted by mistake.
                let reference: Option<forge_core::reference::Reference> = text.parse().ok();
                reference.map(|_| Self::Reference(text.to_owned()))
            }
            _ => None,
        };
        source.ok_or(Error::NotSource)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_print_and_parse() {
        for text in ["env:VAULT_TOKEN", "file:/run/secrets/a=b", "sealed:vault-1", "store://local/vault#token"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_source_is_refused_and_not_repeated() {
        for text in ["env:", "env:A B", "file:relative", "file:", "file:/a\nb", "sealed:a/b", "store://", "prompt", ""]
        {
            assert!(matches!(text.parse::<Source>(), Err(Error::NotSource)), "{text}");
        }
        let error = "hvs.CAESIJ-a-token".parse::<Source>().unwrap_err().to_string();
        assert!(!error.contains("CAESIJ"), "{error}");
    }
}
