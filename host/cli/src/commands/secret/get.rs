//! `forge secret get`: the one command here that produces a value.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use base64::Engine as _;
use forge_core::field;
use forge_core::home;
use forge_core::reference::Reference;
use forge_core::secret::{Secret as Stored, Value};
use serde_json::{Value as Json, json};

use super::history::missing;
use super::{pairs, parsed, target};
use crate::app::App;
use crate::commands::{out, version};
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

pub(super) async fn get(app: &App, printer: &mut Printer, text: &str, out: Option<&Path>, raw: bool) -> Outcome {
    let reference = parsed(text)?;
    let tried = || format!("can't read `{reference}`");
    let resolver = app.resolver();
    let Some(secret) = resolver.read(target(&reference)).await.context(tried)? else {
        let all = reference.provider.as_ref().map_or(String::new(), |name| format!(" store://{name}"));
        let failure = not_found("there is no such secret or version")
            .with_hint(format!("`forge secret list{all}` shows what is there"));
        return Err(missing(&resolver, &reference, failure).await).context(tried);
    };
    let value = field::take(&secret, reference.field.as_deref()).context(|| match &reference.field {
        Some(field) => format!("can't take field `{}` of `{}`", forge_core::manifest::printable(field), reference.path),
        None => tried(),
    })?;
    if let Some(path) = out {
        home::write(&out::place(path).context(tried)?, value.expose())?;
        printer.note(&format!("wrote `{}`", path.display()));
        return Ok(());
    }
    if printer.is_json() {
        return printer.object(shown(&reference, &secret, &value));
    }
    let is_terminal = io::stdout().is_terminal();
    // Binary bytes can drive a terminal.
    if is_terminal && !raw && !out::is_text(value.expose()) {
        return Err(usage("the value is binary")
            .with_hint("write it to a file with `--out FILE`, or print it all the same with `--raw`"))
        .context(tried);
    }
    printer.data(value.expose())?;
    if is_terminal { printer.data(b"\n") } else { Ok(()) }
}

fn shown(reference: &Reference, secret: &Stored, value: &Value) -> Json {
    let (name, value) = match std::str::from_utf8(value.expose()) {
        Ok(text) => ("value", text.to_owned()),
        Err(_) => ("value_base64", base64::engine::general_purpose::STANDARD.encode(value.expose())),
    };
    json!({
        "reference": reference.to_string(),
        name: value,
        "content_type": secret.content_type,
        "version": secret.version.as_ref().map(version),
        "tags": pairs(&secret.tags),
    })
}
