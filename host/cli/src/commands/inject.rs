//! `forge inject`: secrets in the places of the references of a file.
//!
//! Whoever names a file to this command has its references read as `secret get` would, through the same grants: a project's
//! provider that nobody allowed stays closed. Nothing is written before every secret is there and the result was proven.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use forge_core::Kind;
use forge_core::document::{Document, Error, Format, LONGEST, OPENING};
use forge_core::home;
use forge_core::manifest::printable_name;
use forge_core::provider::Failure;
use forge_core::resolver::references::{Wanted, all_or_failure};
use serde_json::json;
use zeroize::Zeroizing;

use super::out;
use crate::app::App;
use crate::arguments::Inject;
use crate::environment;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// The most places of one reference that are told by name.
const MOST_PLACES: usize = 5;

/// Where the filled document goes.
enum Destination {
    Output,
    New(PathBuf),
    Itself(PathBuf),
}

/// What was read, and how people call it.
struct Source {
    name: String,
    bytes: Vec<u8>,
    format: Format,
}

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Inject) -> Outcome {
    let file = arguments.input.as_deref().filter(|file| *file != Path::new("-"));
    let name = file.map_or("standard input".to_owned(), |file| printable_name(&file.display().to_string()));
    let tried = || format!("can't fill `{name}`");
    let format = format(file, arguments.file_format.as_deref()).context(tried)?;
    let destination = destination(file, arguments).context(tried)?;
    let bytes = match &destination {
        Destination::Itself(path) => home::read(path, LONGEST as u64).context(tried)?.ok_or_else(missing),
        _ => read(file),
    };
    let bytes = bytes.context(tried)?;
    let source = Source { name: name.clone(), bytes, format };
    fill(app, printer, arguments, source, destination).await.context(tried)
}

async fn fill(
    app: &App,
    printer: &mut Printer,
    arguments: &Inject,
    source: Source,
    destination: Destination,
) -> Outcome {
    let Source { name, bytes, format } = source;
    let document = Document::parse(bytes.clone(), format).map_err(|error| error.of_file(&name))?;
    let wanted = wanted(&document, &name);
    if arguments.dry_run {
        return rehearse(printer, &document, &wanted);
    }
    if let Destination::Itself(path) = &destination
        && !wanted.is_empty()
        && !arguments.yes
    {
        printer.summary(&format!("`{}` will hold {} in plain text\n", path.display(), secrets(wanted.len())));
        if !printer.confirm("write them?") {
            return Err(usage("nobody said yes").with_hint("`--yes` says it, and `-o FILE` writes to another file"));
        }
    }
    let opener = app.opener();
    let resolver = app.resolver_over(if wanted.len() > 1 { opener.for_many() } else { opener });
    let values = all_or_failure(&wanted, resolver.read_wanted(&wanted).await)?;
    let filled = document.filled(&values).map_err(|error| error.of_file(&name))?;
    match destination {
        Destination::Output => print(printer, &filled, wanted.len()),
        Destination::New(path) => {
            home::write(&path, &filled)?;
            done(printer, &path, wanted.len())
        }
        Destination::Itself(path) => {
            // What somebody saved while secrets were read is not written over.
            if home::read(&path, LONGEST as u64)?.is_none_or(|now| now != bytes) {
                return Err(Failure::new(Kind::Conflict, "it was changed meanwhile"));
            }
            if *filled != bytes {
                home::rewrite(&path, &filled)?;
                warn(printer, &path, &filled);
            }
            done(printer, &path, wanted.len())
        }
    }
}

/// The format that was said, or that the file's name tells.
pub(super) fn format(file: Option<&Path>, said: Option<&str>) -> Outcome<Format> {
    let known = match (said, file) {
        (Some(said), _) => Format::named(said),
        (None, Some(file)) => file.file_name().and_then(|name| Format::of_file(&name.to_string_lossy())),
        (None, None) => None,
    };
    known.ok_or_else(|| {
        usage("nothing tells how it is written").with_hint(format!(
            "`--file-format` does: {}; in `text` nothing is quoted or escaped",
            Format::NAMES.join(", ")
        ))
    })
}

fn destination(file: Option<&Path>, arguments: &Inject) -> Outcome<Destination> {
    match (file, &arguments.out) {
        (None, _) if arguments.in_place => Err(usage("standard input is no file to write to")),
        (Some(file), _) if arguments.in_place => {
            let path = environment::absolute(file)?;
            let metadata = path.symlink_metadata();
            // The new file would be this user's, and closed to whom it belonged to.
            if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.uid() != environment::user_number()) {
                return Err(usage("it belongs to somebody else").with_hint("`-o FILE` writes to a file of your own"));
            }
            Ok(Destination::Itself(path))
        }
        (_, Some(out)) => {
            let place = out::place(out)?;
            let same = file.is_some_and(|file| {
                matches!((std::fs::canonicalize(file), std::fs::canonicalize(&place)), (Ok(one), Ok(other)) if one == other)
            });
            if same {
                return Err(
                    usage("it is the file to write to, too").with_hint("`--in-place` writes to the file itself")
                );
            }
            Ok(Destination::New(place))
        }
        (_, None) => Ok(Destination::Output),
    }
}

fn missing() -> Failure {
    not_found("there is no such file")
}

/// What is to be filled, up to the first byte too many.
pub(super) fn read(file: Option<&Path>) -> Outcome<Vec<u8>> {
    let refuse = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => missing(),
        _ => usage(format!("it can't be read: {error}")),
    };
    let most = LONGEST as u64 + 1;
    let mut bytes = Vec::new();
    match file {
        // A link is followed here, as any reader would: what it leads to goes where the user said, and nowhere else.
        Some(file) => File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
        None if io::stdin().is_terminal() => {
            return Err(
                usage("there is nothing to read").with_hint("`-i FILE` names a file, and a pipe does it as well")
            );
        }
        None => io::stdin().lock().take(most).read_to_end(&mut bytes),
    }
    .map_err(refuse)?;
    if bytes.len() > LONGEST { Err(Error::TooLong(LONGEST).into()) } else { Ok(bytes) }
}

/// Each reference once, with the places where it stands.
pub(super) fn wanted(document: &Document, name: &str) -> Vec<Wanted> {
    let mut places = vec![(String::new(), 0_usize); document.references().len()];
    for (number, place) in document.places() {
        if let Some((text, count)) = places.get_mut(*number) {
            match *count {
                0 => *text = format!("{name}:{place}"),
                1..MOST_PLACES => text.push_str(&format!(", {place}")),
                _ => {}
            }
            *count += 1;
        }
    }
    let wanted = |((mut place, count), reference): ((String, usize), &_)| {
        if count > MOST_PLACES {
            place.push_str(&format!(" and {} more", count - MOST_PLACES));
        }
        Wanted::new(place, Clone::clone(reference))
    };
    places.into_iter().zip(document.references()).map(wanted).collect()
}

fn rehearse(printer: &mut Printer, document: &Document, wanted: &[Wanted]) -> Outcome {
    if printer.is_json() {
        let of = |number: usize| document.places().iter().filter(move |(other, _)| *other == number);
        let places =
            |number| of(number).map(|(_, at)| json!({ "line": at.line, "column": at.column })).collect::<Vec<_>>();
        let references: Vec<_> = wanted
            .iter()
            .enumerate()
            .map(|(number, wanted)| json!({ "reference": wanted.reference.to_string(), "places": places(number) }))
            .collect();
        return printer.object(json!({ "references": references, "dry_run": true }));
    }
    for Wanted { place, reference, .. } in wanted {
        printer.note(&format!("{place}: `{reference}`"));
    }
    printer.note(&format!("would read {}", secrets(wanted.len())));
    Ok(())
}

fn print(printer: &mut Printer, filled: &Zeroizing<Vec<u8>>, count: usize) -> Outcome {
    if printer.is_json() {
        let (name, content) = match std::str::from_utf8(filled) {
            Ok(text) => ("content", text.to_owned()),
            Err(_) => ("content_base64", base64::engine::general_purpose::STANDARD.encode(&**filled)),
        };
        return printer.object(json!({ name: content, "references": count }));
    }
    if io::stdout().is_terminal() && !out::is_text(filled) {
        return Err(usage("with its values it is binary").with_hint("`-o FILE` writes it to a file"));
    }
    printer.data(filled)
}

fn done(printer: &mut Printer, path: &Path, count: usize) -> Outcome {
    if printer.is_json() {
        return printer.object(json!({ "file": path.display().to_string(), "references": count, "dry_run": false }));
    }
    printer.note(&format!("wrote `{}` with {}", path.display(), secrets(count)));
    Ok(())
}

/// What was asked for is done, and what may come of it is said: others can read the file, or it can be filled once more.
fn warn(printer: &mut Printer, path: &Path, filled: &[u8]) {
    let shown = printable_name(&path.display().to_string());
    // A value that looks like a reference, or an escaped one, would be taken for one by whoever fills the file again.
    if filled.windows(OPENING.len()).any(|bytes| bytes == OPENING.as_bytes()) {
        printer.warning(&format!("`{shown}` still has a `{OPENING}`, which is text now: don't fill it again"));
    }
    let mode = path.symlink_metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o044 != 0 {
        printer.warning(&format!("others can read `{shown}` (mode {:04o}), which holds secrets now", mode & 0o7777));
    }
}

fn secrets(count: usize) -> String {
    if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") }
}
