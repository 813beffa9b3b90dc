//! `forge secret`: reading and writing secrets.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use base64::Engine as _;
use forge_core::Kind;
use forge_core::field;
use forge_core::home;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Target;
use forge_core::secret::{PutOptions, Secret as Stored, Value};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::app::App;
use crate::arguments::Secret;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// The longest value that is read from a person, in bytes; each backend has its own limit below it.
const LONGEST: u64 = 16 << 20;

/// Names of one page of a listing.
const PAGE: u32 = 1_000;

/// Pages of one listing: a server can nest folders without end, and a plugin can page without end.
const PAGES: u32 = 1_000;

pub(crate) async fn run(app: &App, printer: &mut Printer, command: Secret) -> Outcome {
    match command {
        Secret::Get { reference, out, raw } => get(app, printer, &reference, out.as_deref(), raw).await,
        Secret::Set { reference, from_file, keep_newline, expected_version } => {
            set(app, printer, &reference, from_file.as_deref(), keep_newline, expected_version).await
        }
        Secret::List { prefix } => list(app, printer, prefix.as_deref()).await,
        Secret::Delete { reference, yes } => delete(app, printer, &reference, yes).await,
    }
}

fn parsed(text: &str) -> Outcome<Reference> {
    // The text is not repeated: what does not parse may be a value that was pasted by mistake.
    text.parse::<Reference>().context(|| "can't read the reference".to_owned())
}

fn target(reference: &Reference) -> Target<'_> {
    Target { provider: reference.provider.as_deref(), path: &reference.path, version: reference.version.as_deref() }
}

async fn get(app: &App, printer: &mut Printer, text: &str, out: Option<&Path>, raw: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't read `{reference}`");
    let resolver = app.resolver();
    let Some(secret) = resolver.read(target(&reference)).await.context(tried)? else {
        return Err(not_found("there is no such secret or version")).context(tried);
    };
    let value = field::take(&secret, reference.field.as_deref()).context(|| match &reference.field {
        Some(field) => format!("can't take field `{}` of `{}`", forge_core::manifest::printable(field), reference.path),
        None => tried(),
    })?;
    if let Some(path) = out {
        let absolute = crate::environment::absolute(path)?;
        // What is no file, such as `/dev/null`, would be replaced by one that holds the secret.
        if absolute.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(usage(format!("`{}` is there and is no regular file", path.display()))).context(tried);
        }
        // A mistyped folder is a mistake, and not the place for a secret.
        if !absolute.parent().is_some_and(std::path::Path::is_dir) {
            return Err(usage(format!("there is no directory for `{}`", path.display()))).context(tried);
        }
        home::write(&absolute, value.expose())?;
        printer.note(&format!("wrote `{}`", path.display()));
        return Ok(());
    }
    if printer.is_json() {
        return printer.object(shown(&reference, &secret, &value));
    }
    let is_terminal = io::stdout().is_terminal();
    // Binary bytes can drive a terminal.
    if is_terminal && !raw && !is_text(value.expose()) {
        return Err(usage("the value is binary")
            .with_hint("write it to a file with `--out FILE`, or print it all the same with `--raw`"))
        .context(tried);
    }
    printer.data(value.expose())?;
    if is_terminal { printer.data(b"\n") } else { Ok(()) }
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')))
}

fn shown(reference: &Reference, secret: &Stored, value: &Value) -> Json {
    let (name, value) = match std::str::from_utf8(value.expose()) {
        Ok(text) => ("value", text.to_owned()),
        Err(_) => ("value_base64", base64::engine::general_purpose::STANDARD.encode(value.expose())),
    };
    let tags: serde_json::Map<String, Json> =
        secret.tags.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "reference": reference.to_string(),
        name: value,
        "content_type": secret.content_type,
        "version": secret.version.as_ref().map(version),
        "tags": tags,
    })
}

async fn set(
    app: &App,
    printer: &mut Printer,
    text: &str,
    from_file: Option<&Path>,
    keep_newline: bool,
    expected_version: Option<String>,
) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't write `{reference}`");
    if reference.field.is_some() || reference.version.is_some() {
        return Err(usage("a whole secret is written, so the reference has no field and no version")).context(tried);
    }
    let resolver = app.resolver();
    // Opened first: whoever names a provider that is not there should not have to type the value.
    let opened = resolver.open(reference.provider.as_deref()).await.context(tried)?;
    let resolved = Reference { provider: Some(opened.name.clone()), ..reference.clone() };
    printer.note(&format!("writing `{resolved}`"));
    let value = value(printer, from_file, keep_newline).context(tried)?;
    let options = PutOptions { expected_version, ..PutOptions::default() };
    let written = resolver.write(target(&reference), &value, &options).await.context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "reference": resolved.to_string(), "version": version(&written) }));
    }
    if !written.id.is_empty() {
        printer.note(&format!("wrote version {}", forge_core::manifest::printable(&written.id)));
    }
    Ok(())
}

/// The value from a file, from what is piped in, or from a hidden prompt; never from an argument, which every process can read.
fn value(printer: &Printer, from_file: Option<&Path>, keep_newline: bool) -> Outcome<Zeroizing<Vec<u8>>> {
    if let Some(path) = from_file {
        let path = crate::environment::absolute(path)?;
        let path =
            std::fs::canonicalize(&path).map_err(|error| usage(format!("can't read `{}`: {error}", path.display())))?;
        let found = home::read(&path, LONGEST)?;
        return found.map(Zeroizing::new).ok_or_else(|| usage(format!("there is no file `{}`", path.display())));
    }
    if io::stdin().is_terminal() {
        if !printer.is_interactive() {
            return Err(usage("there is no value: pipe it in, or name a file with `--from-file`"));
        }
        let typed = rpassword::prompt_password("value: ")
            .map_err(|error| usage(format!("can't ask for the value: {error}")))?;
        return Ok(typed.into_bytes().into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    io::stdin()
        .lock()
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Kind::Internal, format!("can't read standard input: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(Kind::TooLarge, format!("the value is longer than {} MiB", LONGEST >> 20)));
    }
    // `echo` and most programs end with a newline that nobody means.
    if !keep_newline && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

async fn list(app: &App, printer: &mut Printer, prefix: Option<&str>) -> Outcome {
    // `store://prod` alone has no path, and here that means all of it.
    let (provider, prefix) = match prefix {
        None => (None, String::new()),
        Some(text) => match text.strip_prefix("store://").map(|rest| rest.trim_end_matches('/')) {
            Some(name) if forge_core::reference::is_name(name) => (Some(name.to_owned()), String::new()),
            _ => {
                let reference = parsed(text.trim_end_matches('/'))?;
                (reference.provider, reference.path)
            }
        },
    };
    let tried = || "can't list".to_owned();
    let resolver = app.resolver();
    let mut secrets = Vec::new();
    let mut cursor = None;
    for page in 0.. {
        if page == PAGES {
            return Err(Failure::new(
                Kind::PluginFault,
                format!("the plugin's listing does not end within {PAGES} pages"),
            ))
            .context(tried);
        }
        let target = Target { provider: provider.as_deref(), path: &prefix, version: None };
        let page = resolver.list(target, cursor.as_deref(), PAGE).await.context(tried)?;
        for entry in page.entries {
            if printer.is_json() {
                secrets.push(json!({ "path": entry.path, "version": entry.version.as_ref().map(version) }));
            } else {
                printer.line(&forge_core::manifest::printable_name(&entry.path))?;
            }
        }
        if page.next.is_none() {
            break;
        }
        if page.next == cursor {
            let what = "the plugin's listing goes in a circle, so it is not whole";
            return Err(Failure::new(Kind::PluginFault, what)).context(tried);
        }
        cursor = page.next;
    }
    if printer.is_json() { printer.object(json!({ "secrets": secrets })) } else { Ok(()) }
}

async fn delete(app: &App, printer: &mut Printer, text: &str, yes: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't delete `{reference}`");
    if reference.field.is_some() || reference.version.is_some() {
        return Err(usage("a whole secret is deleted, so the reference has no field and no version")).context(tried);
    }
    let resolver = app.resolver();
    let opened = resolver.open(reference.provider.as_deref()).await.context(tried)?;
    let resolved = Reference { provider: Some(opened.name.clone()), ..reference.clone() };
    if !yes && !printer.confirm(&format!("delete `{resolved}`?")) {
        return Err(usage("nobody said yes").with_hint("`--yes` deletes without a question")).context(tried);
    }
    let was_there = resolver.delete(target(&reference)).await.context(tried)?;
    if !was_there {
        return Err(not_found("there is no such secret")).context(tried);
    }
    if printer.is_json() {
        return printer.object(json!({ "reference": resolved.to_string(), "deleted": true }));
    }
    printer.note(&format!("deleted `{resolved}`"));
    Ok(())
}
