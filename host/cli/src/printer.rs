//! Everything that is printed: data to standard output, all else to standard error.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::builder::styling::AnsiColor;
use forge_core::Kind;
use forge_core::audit::Audit;
use forge_core::notice::Notices;
use forge_core::provider::Failure;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::arguments::{Format, Global};
use crate::failure::{Outcome, usage};

mod yaml;

/// The longest line that is read as an answer, in bytes.
const LONGEST_ANSWER: u64 = 8 << 10;

/// Where output goes, and how much of it.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
    quiet: bool,
    verbose: bool,
    interactive: bool,
    shows_progress: bool,
    colours: bool,
    rehearses: bool,
    /// What a person must know, for the one object that is still to be printed.
    warnings: Vec<String>,
    /// What may have gone unrecorded, which is told with whatever is printed next.
    audit: Option<Audit>,
    /// What else is to be told.
    notices: Notices,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let interactive = !global.non_interactive && io::stdin().is_terminal() && io::stderr().is_terminal();
        let is_terminal = io::stderr().is_terminal();
        // A terminal that can't move its cursor shows escape codes as text.
        let is_dumb = crate::environment::variable("TERM").is_none_or(|term| term == "dumb");
        let is_plain = global.no_color || crate::environment::wants_no_colours();
        let format = if global.json { Format::Json } else { global.format.unwrap_or_default() };
        Self {
            format,
            quiet: global.quiet,
            verbose: global.verbose,
            interactive,
            shows_progress: is_terminal && !is_dumb && !global.quiet && !matches!(format, Format::Json | Format::Yaml),
            colours: is_terminal && !is_dumb && !is_plain,
            rehearses: false,
            warnings: Vec::new(),
            audit: None,
            notices: Notices::default(),
        }
    }

    /// How it was asked to print.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether one object is wanted, in JSON or as the same in YAML.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// Whether somebody is there who can answer.
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// From now on it is told where something could not be recorded, and what else operations have to say.
    pub(crate) fn watch(&mut self, audit: &Audit, notices: &Notices) {
        self.audit = Some(audit.clone());
        self.notices = notices.clone();
    }

    /// Tells it to a person, at the end.
    pub(crate) fn tell_trouble(&mut self) {
        for notice in self.notices.take() {
            match notice.is_detail {
                false => self.warning(&notice.text),
                true if self.verbose => to_stderr(&format!("{}\n", notice.text)),
                true => {}
            }
        }
        if let Some(trouble) = self.audit.as_ref().and_then(Audit::trouble) {
            self.warning(&trouble);
        }
    }

    /// From now on nothing is to be changed, so nothing secret is asked for either.
    pub(crate) fn rehearse(&mut self) {
        self.rehearses = true;
    }

    /// Whether nothing is to be changed.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearses
    }

    /// Prints data. Whoever stopped reading has what they wanted, so a broken pipe is no error.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Outcome {
        self.pass(bytes).map(|_| ())
    }

    /// Prints data, and answers whether anybody reads it.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Outcome<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(Kind::Internal, format!("can't write to standard output: {error}"))),
        }
    }

    /// Prints a line of data.
    pub(crate) fn line(&mut self, line: &str) -> Outcome {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Prints a line of data as it comes; answers whether somebody still reads.
    pub(crate) fn stream(&mut self, line: &str) -> Outcome<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(Kind::Internal, format!("can't write to standard output: {error}"))),
        }
    }

    /// Prints one object in the format that was asked for.
    pub(crate) fn object(&mut self, mut object: Json) -> Outcome {
        if let Some(fields) = object.as_object_mut() {
            fields.shift_insert(0, "schema_version".to_owned(), json!(1));
            self.add_warnings(fields);
        }
        let text = Zeroizing::new(self.written(&object));
        self.data(text.as_bytes())
    }

    /// Warnings are a field of the object that comes next, so that both outputs hold one object and nothing else.
    fn add_warnings(&mut self, fields: &mut serde_json::Map<String, Json>) {
        let mut warnings = std::mem::take(&mut self.warnings);
        let (details, notices): (Vec<_>, Vec<_>) = self.notices.take().into_iter().partition(|notice| notice.is_detail);
        details.iter().filter(|_| self.verbose).for_each(|notice| to_stderr(&format!("{}\n", notice.text)));
        warnings.extend(notices.into_iter().map(|notice| notice.text));
        warnings.extend(self.audit.as_ref().and_then(Audit::trouble));
        if !warnings.is_empty() {
            fields.insert("warnings".to_owned(), json!(warnings));
        }
    }

    fn written(&self, object: &Json) -> String {
        match self.format {
            Format::Yaml => yaml::document(object),
            _ => format!("{object}\n"),
        }
    }

    /// Tells a person what happened; nothing in a script depends on it.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet && !self.is_json() {
            to_stderr(&format!("{text}\n"));
        }
    }

    /// Tells a person what they must know, however quiet it is; a script finds it among the `warnings` of the object.
    pub(crate) fn warning(&mut self, text: &str) {
        if self.is_json() {
            self.warnings.push(text.to_owned());
            return;
        }
        to_stderr(&format!("{} {text}\n", self.coloured(AnsiColor::Yellow, "warning:")));
    }

    /// Tells the warnings of which there may be no object to be part of for long.
    pub(crate) fn tell_warnings(&mut self) {
        if self.is_json() && !self.warnings.is_empty() {
            let mut object = serde_json::Map::from_iter([("schema_version".to_owned(), json!(1))]);
            self.add_warnings(&mut object);
            to_stderr(&self.written(&Json::Object(object)));
        }
    }

    /// Says why a command failed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if self.is_json() {
            let error = json!({ "kind": failure.kind.token(), "message": failure.what, "hint": failure.hint, "status": failure.status });
            let mut object = json!({ "schema_version": 1, "error": error });
            if let Some(fields) = object.as_object_mut() {
                self.add_warnings(fields);
            }
            to_stderr(&self.written(&object));
            return;
        }
        to_stderr(&format!("{} {}\n", self.coloured(AnsiColor::Red, "error:"), failure.what));
        if self.verbose
            && let Some(guest) = &failure.guest
        {
            to_stderr(&format!("\nthe plugin says: {}\n", guest.for_terminal()));
        }
        if let Some(hint) = &failure.hint {
            to_stderr(&format!("\n{} {hint}\n", self.coloured(AnsiColor::Cyan, "hint:")));
        }
    }

    fn coloured(&self, colour: AnsiColor, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let style = colour.on_default().bold();
        format!("{style}{text}{style:#}")
    }

    /// Shows how far long work is, on a terminal only; the next line begins after [`Printer::end_progress`].
    pub(crate) fn progress(&mut self, done: usize, of: usize, what: &str) {
        if self.shows_progress {
            to_stderr(&format!("\r\x1b[2K{what} {}/{of}", done + 1));
        }
    }

    /// Takes the progress line away.
    pub(crate) fn end_progress(&mut self) {
        if self.shows_progress {
            to_stderr("\r\x1b[2K");
        }
    }

    /// Asks a question that only `y` or `yes` answers with yes. Nobody there means no.
    pub(crate) fn confirm(&mut self, question: &str) -> bool {
        if !self.interactive {
            return false;
        }
        to_stderr(&format!("{question} [y/N] "));
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    /// Asks for a line, which is shown while it is typed; `None` is the end of what is typed.
    pub(crate) fn ask(&mut self, question: &str) -> Outcome<Option<String>> {
        to_stderr(question);
        let mut answer = String::new();
        let read = io::stdin().lock().take(LONGEST_ANSWER).read_line(&mut answer);
        match read.map_err(|error| usage(format!("can't ask: {error}")))? {
            0 => Ok(None),
            _ => Ok(Some(answer.trim().to_owned())),
        }
    }

    /// Asks for something that is not shown.
    pub(crate) fn hidden(&mut self, question: &str) -> Outcome<Zeroizing<String>> {
        rpassword::prompt_password(question).map(Zeroizing::new).map_err(|error| match error.kind() {
            // While it asks, the terminal gives the key in place of the signal that Ctrl-C stands for.
            io::ErrorKind::Interrupted => Failure::new(Kind::Interrupted, "broken off with Ctrl-C"),
            _ => usage(format!("can't ask: {error}")),
        })
    }

    /// Text that belongs to a question, so it is shown however quiet it is. Where nobody can be asked and one object is
    /// wanted, the error alone is said.
    pub(crate) fn summary(&mut self, text: &str) {
        if self.interactive || !self.is_json() {
            to_stderr(text);
        }
    }
}

fn to_stderr(text: &str) {
    // Where standard error is closed there is nobody left to tell.
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}
