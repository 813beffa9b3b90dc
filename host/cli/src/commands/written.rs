//! Variables as a file of them: dotenv, JSON, YAML, and assignments that a shell reads.

use std::path::Path;

use forge_core::document::{Document, Format};
use forge_core::secret::Value;
use zeroize::Zeroizing;

use super::variables::{Given, text};
use crate::failure::Outcome;

/// How variables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `NAME=value` on a line each.
    Dotenv,
    /// One object.
    Json,
    /// One mapping.
    Yaml,
    /// `export NAME='value'` on a line each (POSIX.1-2024, "Shell Command Language", 2.2.2).
    Shell,
}

impl Style {
    /// What can be said.
    pub(crate) const NAMES: [&'static str; 4] = ["dotenv", "json", "yaml", "shell"];

    /// The style of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "dotenv" => Self::Dotenv,
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "shell" => Self::Shell,
            _ => return None,
        })
    }

    /// The style that a file's name tells, and dotenv otherwise.
    pub(crate) fn of_file(path: &Path) -> Self {
        let format = path.file_name().and_then(|name| Format::of_file(&name.to_string_lossy()));
        match format {
            Some(Format::Json) => Self::Json,
            Some(Format::Yaml) => Self::Yaml,
            _ if path.extension().is_some_and(|ending| ending == "sh") => Self::Shell,
            _ => Self::Dotenv,
        }
    }

    /// Variables in this style.
    ///
    /// # Errors
    /// A value that it can't hold.
    pub(crate) fn written(self, given: &Given) -> Outcome<Zeroizing<Vec<u8>>> {
        let lines = |line: fn(&str) -> String| given.iter().map(|(name, _)| line(name)).collect::<Vec<_>>();
        // A document with references is filled, so that each value is written as its place needs and read again.
        let (format, document) = match self {
            Self::Dotenv => (Format::Dotenv, lines(|name| format!("{name}=${{secret:{name}}}\n")).concat()),
            Self::Yaml => (Format::Yaml, lines(|name| format!("\"{name}\": \"${{secret:{name}}}\"\n")).concat()),
            Self::Json => {
                let fields = lines(|name| format!("  \"{name}\": \"${{secret:{name}}}\"")).join(",\n");
                (Format::Json, format!("{{\n{fields}\n}}\n"))
            }
            Self::Shell => return shell(given),
        };
        let document = Document::parse(document.into_bytes(), format)?;
        let values: Vec<Value> = given.iter().map(|(_, value)| value.clone()).collect();
        Ok(document.filled(&values)?)
    }
}

/// Between single quotes a shell reads everything as it is, but a single quote.
fn shell(given: &Given) -> Outcome<Zeroizing<Vec<u8>>> {
    const AROUND: usize = "export ='\''\n".len();
    const QUOTE: &str = r"'\''";
    let length = |(name, value): &(String, Value)| name.len() + value.len() * QUOTE.len() + AROUND;
    // Of its longest length at once: a buffer that grows leaves copies behind that nobody wipes.
    let mut written = Zeroizing::new(Vec::with_capacity(given.iter().map(length).sum()));
    for (name, value) in given {
        written.extend_from_slice(format!("export {name}='").as_bytes());
        for (number, part) in text(name, value)?.split('\'').enumerate() {
            if number > 0 {
                written.extend_from_slice(QUOTE.as_bytes());
            }
            written.extend_from_slice(part.as_bytes());
        }
        written.extend_from_slice(b"'\n");
    }
    Ok(written)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_written_as_its_style_reads_it() {
        let given: Given = [("A", "it's $HOME\n`x` \"y\" \\"), ("NO", "true"), ("Z", "")]
            .map(|(name, value)| (name.to_owned(), Value::new(value.into())))
            .to_vec();
        let written = |style: Style| String::from_utf8(style.written(&given).unwrap().to_vec()).unwrap();
        assert_eq!(written(Style::Shell), "export A='it'\\''s $HOME\n`x` \"y\" \\'\nexport NO='true'\nexport Z=''\n");
        let json: serde_json::Value = serde_json::from_str(&written(Style::Json)).unwrap();
        assert_eq!(json, serde_json::json!({ "A": "it's $HOME\n`x` \"y\" \\", "NO": "true", "Z": "" }));
        assert!(written(Style::Yaml).contains("\"NO\": \"true\"\n"), "{}", written(Style::Yaml));
        assert!(written(Style::Dotenv).contains("NO=true\n"), "{}", written(Style::Dotenv));
        let none = Given::new();
        for style in Style::NAMES {
            Style::named(style).unwrap().written(&none).unwrap();
        }
    }
}
