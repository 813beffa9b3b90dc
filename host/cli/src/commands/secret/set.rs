//! `forge secret set`: a whole secret, or one field of it.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use forge_core::Kind;
use forge_core::policy::Action;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::Resolver;
use forge_core::secret::{Attributes, PutOptions, SecretVersion, Value};
use forge_core::{field, home, time};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Named, target};
use crate::app::App;
use crate::arguments::Set;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;

/// The longest value that is read from a person, in bytes; each backend has its own limit below it.
const LONGEST: u64 = 16 << 20;

/// How often a field is merged anew because somebody wrote the secret in between.
const MERGES: u32 = 4;

pub(super) async fn set(app: &App, printer: &mut Printer, arguments: Set) -> Outcome {
    let reference = super::parsed(&arguments.reference)?;
    let tried = || format!("can't write `{reference}`");
    if reference.version.is_some() {
        return Err(usage("a new version is written, so the reference has none")).context(tried);
    }
    let options = options(&arguments).context(tried)?;
    let recipe = arguments.generate.recipe().context(tried)?;
    if reference.field.is_some() && options.expected_version.is_some() {
        return Err(usage("a field is merged into the current version, so `--expected-version` says nothing here"))
            .context(tried);
    }
    // Opened first: whoever names a provider that is not there should not have to type the value.
    let named = Named::open(app, reference.clone(), Action::Set).await.context(tried)?;
    let doing = if arguments.dry_run { "would write" } else { "writing" };
    let what = recipe.as_ref().map_or(String::new(), |recipe| format!("{recipe} to "));
    printer.note(&format!("{doing} {what}`{}`", named.resolved));
    if arguments.dry_run {
        return named.dry(printer, "set");
    }
    let value = match &recipe {
        Some(recipe) => recipe.value().context(tried)?,
        None => value(printer, arguments.from_file.as_deref(), arguments.keep_newline).context(tried)?,
    };
    let value = value.expose();
    let written = match reference.field.as_deref() {
        None => named.resolver.write(target(&reference), value, &options).await,
        Some(field) => merged(printer, &named.resolver, &reference, field, value, options).await,
    };
    let written = written.context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "reference": named.resolved.to_string(), "version": version(&written) }));
    }
    if !written.id.is_empty() {
        printer.note(&format!("wrote version {}", forge_core::manifest::printable(&written.id)));
    }
    Ok(())
}

fn options(arguments: &Set) -> Outcome<PutOptions> {
    let tags: Outcome<Attributes> = arguments.tags.iter().map(|tag| pair("tag", tag)).collect();
    let until = |text: &str| time::deadline(text, time::now());
    let attribute = |text: &String| {
        let (name, value) = pair("attribute", text)?;
        // As the contract says of such a name.
        let value = if name.ends_with("-at") { until(&value)?.to_string() } else { value };
        Outcome::Ok((name, value))
    };
    Ok(PutOptions {
        content_type: arguments.content_type.clone(),
        tags: tags?,
        expires_at: arguments.expires.as_deref().map(until).transpose()?,
        expected_version: arguments.expected_version.clone(),
        attributes: arguments.attributes.iter().map(attribute).collect::<Outcome<_>>()?,
    })
}

/// The two halves of `NAME=VALUE`, as this option has it.
fn pair(option: &str, text: &str) -> Outcome<(String, String)> {
    let halves = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = halves.ok_or_else(|| usage(format!("write it as `--{option} NAME=VALUE`")))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads, sets the field, and writes on the condition that nobody wrote meanwhile; anew where somebody did.
async fn merged(
    printer: &mut Printer,
    resolver: &Resolver,
    reference: &Reference,
    field: &str,
    value: &[u8],
    typed: PutOptions,
) -> Outcome<SecretVersion> {
    let mut has_warned = false;
    for attempt in 1.. {
        let whole = resolver.read(target(reference)).await?;
        let merged = field::put(whole.as_ref(), field, value)?;
        let current = whole.as_ref().map_or(Some(String::new()), |secret| {
            secret.version.as_ref().map(|version| version.id.clone()).filter(|id| !id.is_empty())
        });
        // What a person did not name stays as it is in the version that this attempt read.
        let mut options = typed.clone();
        if let Some(secret) = &whole {
            options.content_type = options.content_type.or_else(|| secret.content_type.clone());
            let expiry = secret.version.as_ref().and_then(|version| version.expires_at);
            options.expires_at = options.expires_at.or(expiry);
            if options.tags.is_empty() {
                options.tags.clone_from(&secret.tags);
            }
        }
        if current.is_none() && !has_warned {
            printer.warning("this backend has no versions, so a change that is made at the same moment would be lost");
            has_warned = true;
        }
        options.expected_version = current;
        match resolver.write(target(reference), merged.expose(), &options).await {
            Err(failure) if failure.kind == Kind::Conflict && attempt < MERGES => {}
            // A backend that can't compare says so before it writes anything.
            Err(failure) if failure.kind == Kind::Unsupported && whole.is_none() => {
                options.expected_version = None;
                return resolver.write(target(reference), merged.expose(), &options).await;
            }
            answer => return answer,
        }
    }
    Err(Failure::new(Kind::Conflict, "somebody else wrote it again and again"))
}

/// The value from a file, from what is piped in, or from a hidden prompt; never from an argument, which every process can read.
pub(in crate::commands) fn value(
    printer: &mut Printer,
    from_file: Option<&Path>,
    keep_newline: bool,
) -> Outcome<Value> {
    if let Some(path) = from_file {
        let path = crate::environment::absolute(path)?;
        let path =
            std::fs::canonicalize(&path).map_err(|error| usage(format!("can't read `{}`: {error}", path.display())))?;
        let found = home::read(&path, LONGEST)?;
        return found.map(Value::new).ok_or_else(|| usage(format!("there is no file `{}`", path.display())));
    }
    if io::stdin().is_terminal() {
        if !printer.is_interactive() {
            return Err(usage("there is no value: pipe it in, or name a file with `--from-file`"));
        }
        return Ok(Value::new(std::mem::take(&mut *printer.hidden("value: ")?).into_bytes()));
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
    Ok(Value::new(std::mem::take(&mut *bytes)))
}
