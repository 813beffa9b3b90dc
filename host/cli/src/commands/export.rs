//! `forge export`: the variables that programs are given, as a file or a shell reads them.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use forge_core::Kind;
use forge_core::home;
use forge_core::masking::SHORTEST_MASKED;
use forge_core::provider::Failure;
use forge_core::sealing::hex;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::out;
use super::variables::{self, Given};
use super::written::Style;
use crate::app::App;
use crate::arguments::{Export, Format};
use crate::environment;
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;

/// The variable in which GitHub's runner names the file for the variables of the steps that follow (GitHub Docs, "Workflow
/// commands for GitHub Actions", "Setting an environment variable").
const GITHUB_FILE: &str = "GITHUB_ENV";

/// Names that the runner does not let a step set (the same document), by their beginnings.
const GITHUB_OWN: [&str; 3] = ["GITHUB_", "RUNNER_", "NODE_OPTIONS"];

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Export) -> Outcome {
    let tried = || "can't export".to_owned();
    let format = printer.format();
    let place = arguments.out.as_deref().map(out::place).transpose().context(tried)?;
    // Found out before a secret is read.
    let github = match (format, &place) {
        (Format::Gha, Some(_)) => {
            return Err(usage(format!("`--format gha` writes to the file that `{GITHUB_FILE}` names"))).context(tried);
        }
        (Format::Gha, None) => Some(github_file().context(tried)?),
        _ => None,
    };
    let resolver = app.resolver_over(app.opener().for_many());
    let variables = variables::chosen(app, &resolver, &arguments.variables).await.context(tried)?;
    if let Some(own) = variables.iter().find(|variable| github.is_some() && is_github_s(&variable.name)) {
        return Err(usage(format!("GitHub's runner lets no step set `{}`", own.name))).context(tried);
    }
    let given = variables::read(&resolver, &variables).await.context(tried)?;
    if let Some(file) = github {
        return to_github(printer, &file, &given).context(tried);
    }
    let style = match format {
        Format::Json => Style::Json,
        Format::Yaml => Style::Yaml,
        Format::Shell => Style::Shell,
        Format::Table | Format::Dotenv | Format::Gha => Style::Dotenv,
    };
    let written = style.written(&given).context(tried)?;
    match place {
        Some(path) => {
            home::write(&path, &written).context(tried)?;
            printer.note(&format!("wrote {} to `{}`", counted(given.len()), path.display()));
            Ok(())
        }
        None if io::stdout().is_terminal() && !out::is_text(&written) => {
            Err(usage("a value has control characters").with_hint("`-o FILE` writes to a file")).context(tried)
        }
        None => printer.data(&written),
    }
}

fn is_github_s(name: &str) -> bool {
    GITHUB_OWN.iter().any(|own| name.starts_with(own))
}

fn github_file() -> Outcome<String> {
    environment::variable(GITHUB_FILE).filter(|file| !file.is_empty()).ok_or_else(|| {
        usage(format!("`{GITHUB_FILE}` is not set, so no step of GitHub Actions runs here"))
            .with_hint("`--format dotenv` and `--format shell` are for everywhere else")
    })
}

/// Has the runner mask the values, and then gives them to the steps that follow.
fn to_github(printer: &mut Printer, file: &str, given: &Given) -> Outcome {
    let mut masks = Zeroizing::new(Vec::with_capacity(given.iter().map(|(_, value)| 8 * value.len() + 64).sum()));
    let mut lines = Zeroizing::new(Vec::with_capacity(given.iter().map(|(_, value)| value.len() + 512).sum()));
    for (name, value) in given {
        let text = variables::text(name, value)?;
        // The runner looks for masks line by line. A short line of many, such as a bracket, would mask the whole log.
        let is_one = !text.trim_end_matches(['\n', '\r']).contains(['\n', '\r']);
        let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
        for part in parts.filter(|part| is_one || part.len() >= SHORTEST_MASKED) {
            masks.extend_from_slice(b"::add-mask::");
            // As the runner's own toolkit escapes what a command says (actions/toolkit, `escapeData`).
            masks.extend_from_slice(Zeroizing::new(part.replace('%', "%25")).as_bytes());
            masks.push(b'\n');
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Failure::new(Kind::Internal, "the system gives no random bytes"))?;
        // A value can't hold the end of itself: nobody knows the word before it is written.
        let end = format!("forge_{}", hex(&random));
        for piece in [name, "<<", &end, "\n", text, "\n", &end, "\n"] {
            lines.extend_from_slice(piece.as_bytes());
        }
    }
    if !printer.pass(&masks)? {
        return Err(Failure::new(Kind::Internal, "nobody reads standard output, so nothing would be masked"));
    }
    let tried = |error: io::Error| Failure::new(Kind::Internal, format!("can't write to `{GITHUB_FILE}`: {error}"));
    let mut open = OpenOptions::new();
    open.append(true).custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default());
    let mut file = open.open(Path::new(file)).map_err(tried)?;
    file.write_all(&lines).map_err(tried)?;
    printer.note(&format!("the steps that follow have {}", counted(given.len())));
    Ok(())
}

fn counted(count: usize) -> String {
    if count == 1 { "1 variable".to_owned() } else { format!("{count} variables") }
}
