//! A value that forge makes itself, as it is typed.

use clap::{Args, ValueEnum};
use forge_core::generator::{Error, Form, Recipe, Wish};

/// What a command takes that can make a value.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Make the value here, from the system's random bytes, and never show it
    #[arg(long, value_name = "FORM")]
    generate: Option<Generated>,
    /// Characters of a password, or random bytes of `hex` and `base64`: 8 to 1024, and 32 unless this says otherwise
    #[arg(long, value_name = "N", requires = "generate")]
    length: Option<u32>,
    /// At least so many lower-case letters; 1 unless this says otherwise, and 0 leaves them out
    #[arg(long, value_name = "N", requires = "generate")]
    lower: Option<u32>,
    /// The same of upper-case letters
    #[arg(long, value_name = "N", requires = "generate")]
    upper: Option<u32>,
    /// The same of digits
    #[arg(long, value_name = "N", requires = "generate")]
    digits: Option<u32>,
    /// The same of symbols, in a `password`
    #[arg(long, value_name = "N", requires = "generate")]
    symbols: Option<u32>,
    /// Characters that are not to be used
    #[arg(long, value_name = "CHARACTERS", requires = "generate")]
    exclude: Option<String>,
}

/// The kinds of values that can be made.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Generated {
    Password,
    Alphanumeric,
    Hex,
    Base64,
    Uuid,
}

impl Generate {
    /// How the value is made; `None` where it comes from elsewhere.
    ///
    /// # Errors
    /// What can't be made.
    pub(crate) fn recipe(&self) -> Result<Option<Recipe>, Error> {
        let Some(form) = self.generate else { return Ok(None) };
        let form = match form {
            Generated::Password => Form::Password,
            Generated::Alphanumeric => Form::Alphanumeric,
            Generated::Hex => Form::Hex,
            Generated::Base64 => Form::Base64,
            Generated::Uuid => Form::Uuid,
        };
        let least = [self.lower, self.upper, self.digits, self.symbols];
        Recipe::of(&Wish { form, length: self.length, least, exclude: self.exclude.clone() }).map(Some)
    }
}
