//! `forge run`: a program with secrets, and what it prints without them.

mod content;
mod environment;
mod keyboard;
mod mount;
mod running;
mod signals;
mod start;
mod stream;
mod terminal;
mod watch;

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;

use forge_core::Kind;
use forge_core::audit::Change;
use forge_core::manifest::printable;
use forge_core::masking::Masker;
use forge_core::provider::Failure;
use rustix::process::Signal;

use self::content::{Content, Wish};
use self::keyboard::Key;
use self::mount::Mount;
use self::running::{Running, Seen, code};
use self::signals::Signals;
use self::start::Program;
use self::watch::{Then, Watch};
use super::redact;
use crate::app::App;
use crate::arguments::run::FAILED;
use crate::arguments::{Global, Run};
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;

/// The exit codes for what is there and is no program, and for what is not there ("Shell Command Language", 2.8.2).
const NO_PROGRAM: u8 = 126;
const NOT_THERE: u8 = 127;

/// The exit code of a failure of forge itself.
pub(crate) fn exit_code(failure: &Failure) -> u8 {
    // Who breaks off a question sees what Ctrl-C gives everywhere.
    if failure.kind == Kind::Interrupted { failure.kind.exit_code() } else { FAILED }
}

/// Becomes the program that a session is for, where this process was started for that; its exit code where it can't.
pub(crate) fn session() -> Option<u8> {
    let (error, name) = start::becomes(crate::environment::arguments().skip(1))?;
    let (code, failure) = not_started(&error);
    let failure: Outcome = Err(failure).context(|| tried(&name));
    if let Err(failure) = failure {
        Printer::new(&Global::default()).failure(&failure);
    }
    Some(code)
}

/// What was tried, for people.
fn tried(name: &OsStr) -> String {
    format!("can't run `{}`", printable(&name.to_string_lossy()))
}

pub(crate) async fn run(app: &App, printer: &mut Printer, typed: Run) -> Outcome<u8> {
    let name = typed.command.first().map(|name| printable(&name.to_string_lossy())).unwrap_or_default();
    let tried = || format!("can't run `{name}`");
    let wish = Wish::new(app, &typed).context(tried)?;
    let content = wish.read().await.context(tried)?;
    // Before the program prints, which may go on for days.
    printer.tell_trouble();
    let task = Task { app, typed, name: name.clone(), wish };
    match task.run(printer, content).await {
        Err(Stopped::NotStarted(error)) => {
            let (code, failure) = not_started(&error);
            let failure: Outcome<u8> = Err(failure).context(tried);
            failure.or_else(|failure| match code {
                FAILED => Err(failure),
                code => {
                    printer.failure(&failure);
                    Ok(code)
                }
            })
        }
        Err(Stopped::Failed(failure)) => Err(failure).context(tried),
        Ok(code) => Ok(code),
    }
}

/// Why a program did not come to its end.
enum Stopped {
    /// The system did not start it.
    NotStarted(io::Error),
    Failed(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a program that was not started means, and its exit code.
fn not_started(error: &io::Error) -> (u8, Failure) {
    let is = |errno: rustix::io::Errno| error.raw_os_error() == Some(errno.raw_os_error());
    if error.kind() == io::ErrorKind::NotFound {
        return (NOT_THERE, Failure::new(Kind::NotFound, "there is no such program"));
    }
    if is(rustix::io::Errno::TOOBIG) {
        let failure = usage("its arguments and variables are longer than the system takes");
        return (NO_PROGRAM, failure.with_hint("`--mount PATH` gives it the secrets as a file"));
    }
    let errors =
        [rustix::io::Errno::ACCESS, rustix::io::Errno::NOEXEC, rustix::io::Errno::NOTDIR, rustix::io::Errno::LOOP];
    if errors.into_iter().any(is) {
        return (NO_PROGRAM, usage(format!("it can't be executed: {error}")));
    }
    (FAILED, Failure::new(Kind::Internal, format!("it can't be started: {error}")))
}

/// One run, over all starts of the program.
struct Task<'a> {
    app: &'a App,
    typed: Run,
    /// The program for people.
    name: String,
    wish: Wish<'a>,
}

impl Task<'_> {
    async fn run(&self, printer: &mut Printer, mut content: Content) -> Result<u8, Stopped> {
        let masks = !self.typed.no_masking && !self.typed.replace;
        if masks {
            redact::warn(printer, &masker(&[&content])?);
        }
        printer.tell_warnings();
        if self.typed.replace {
            return Err(self.replace(printer, &content).await);
        }
        // From here on a signal ends the program, and with it forge, so that nothing is left behind.
        let mut signals = Signals::new().map_err(Stopped::NotStarted)?;
        let mounted = content.mounted.take();
        let reads = self.typed.mount_reads;
        let mount = self.typed.mount.as_ref().zip(mounted).map(|(path, text)| Mount::make(path, text, reads));
        let mount = mount.transpose()?;
        let mut running = self.start(&content)?;
        let mut watch = Watch::new(&self.wish, &self.typed, content);
        let status = loop {
            tokio::select! {
                seen = running.next() => match seen.map_err(Stopped::NotStarted)? {
                    Seen::Ended(status) => break status,
                    Seen::Key(Key::Suspend) => running.suspend(),
                    Seen::Key(Key::Front) => running.front(),
                },
                signal = signals.next() => running.pass(signal),
                then = watch.next() => match then {
                    Then::Warn(what) => running.aside(|| {
                        printer.warning(&what);
                        printer.tell_warnings();
                    }),
                    Then::Signal(signal, mounted) => {
                        if masks {
                            match masker(&watch.contents()) {
                                Ok(masker) => running.mask(&masker),
                                Err(failure) => {
                                    running.stop().await.map_err(Stopped::NotStarted)?;
                                    return Err(failure.into());
                                }
                            }
                        }
                        if let Some((mount, text)) = mount.as_ref().zip(mounted) {
                            mount.serve(text)?;
                        }
                        running.send(signal);
                    }
                    Then::Restart(mounted) => {
                        running.aside(|| printer.note(&format!("secrets have changed: `{}` is started anew", self.name)));
                        running.stop().await.map_err(Stopped::NotStarted)?;
                        running.finish().await;
                        if let Some((mount, text)) = mount.as_ref().zip(mounted) {
                            mount.serve(text)?;
                        }
                        running = self.start(watch.current())?;
                    }
                },
            }
        };
        // Whoever reads no more must not keep forge here for ever.
        let mut finish = std::pin::pin!(running.finish());
        loop {
            tokio::select! {
                () = &mut finish => break,
                signal = signals.next() => if matches!(signal, Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT) {
                    break;
                },
            }
        }
        Ok(code(status))
    }

    /// Starts the program, and records that.
    fn start(&self, content: &Content) -> Result<Running, Stopped> {
        let program = self.program(content)?;
        let masker = (!self.typed.no_masking).then(|| masker(&[content])).transpose()?;
        self.recorded(|| match &masker {
            None => start::plain(&program),
            Some(masker) => start::masked(&program, masker),
        })
    }

    fn program(&self, content: &Content) -> Outcome<Program> {
        let mut variables = environment::inherited(self.app, self.typed.pristine)?;
        if self.typed.mount.is_none() {
            environment::give(&mut variables, &content.values)?;
        }
        Ok(Program { words: self.typed.command.clone(), variables })
    }

    /// Puts on record that a program gets secrets: its name, and none of its arguments.
    fn recorded<T>(&self, start: impl FnOnce() -> io::Result<T>) -> Result<T, Stopped> {
        let begun = self.app.audit.change(Change::new("run", &self.name)).map_err(Failure::from)?;
        match start() {
            Ok(started) => Ok(self.app.audit.changed(&begun, Ok(started))?),
            Err(error) => {
                let failed: Outcome = Err(not_started(&error).1);
                // Why it was not started says more than that this could not be recorded.
                self.app.audit.changed(&begun, failed).unwrap_or_default();
                Err(Stopped::NotStarted(error))
            }
        }
    }

    /// Becomes the program, which is on record as started before it is.
    async fn replace(&self, printer: &mut Printer, content: &Content) -> Stopped {
        let program = match self.program(content) {
            Ok(program) => program,
            Err(failure) => return failure.into(),
        };
        if let Err(stopped) = self.recorded(|| Ok(())) {
            return stopped;
        }
        printer.tell_trouble();
        crate::tokens::finish(printer).await;
        match program.command() {
            Ok(mut command) => Stopped::NotStarted(command.exec()),
            Err(error) => Stopped::NotStarted(error),
        }
    }
}

/// Masks the values of these.
fn masker(contents: &[&Content]) -> Outcome<Masker> {
    let mut values = Vec::new();
    for (name, value) in contents.iter().flat_map(|content| &content.values) {
        redact::add_value(&mut values, name.clone(), value);
    }
    let masker = Masker::new(values.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
    masker.map_err(|error| usage(error.to_string()).with_hint("`--no-masking` passes everything on as it is"))
}
