//! The settings that a plugin can't do without: asked for on a terminal, and told all at once where nobody is there.

use forge_core::manifest::{Manifest, SettingAsk, printable};
use forge_core::provider::Failure;
use forge_core::setting::Settings;
use forge_sandbox::Found;

use super::normalised;
use crate::failure::{Outcome, usage};
use crate::printer::Printer;
use crate::{consent, environment};

/// How often one setting is asked for: whoever answers wrongly this often needs the guide.
const ATTEMPTS: usize = 3;

/// Fills in what is required and was not given; without a printer that can ask, it is told.
pub(super) fn complete(found: &Found, given: &mut Settings, printer: Option<&mut Printer>) -> Outcome {
    let manifest = &found.component.manifest;
    let is_missing =
        |ask: &&SettingAsk| ask.required && ask.default.is_none() && !ask.discovered && !given.contains_key(&ask.name);
    let missing: Vec<&SettingAsk> = manifest.settings.iter().filter(is_missing).collect();
    // A name that the plugin does not have is told first, and not here: it may be one of these, misspelt.
    if missing.is_empty() || given.keys().any(|name| manifest.setting(name).is_none()) {
        return Ok(());
    }
    let Some(printer) = printer else { return Err(told(manifest, &missing)) };
    for ask in missing {
        let answer = asked(found, ask, printer)?;
        given.insert(ask.name.clone(), answer);
    }
    Ok(())
}

fn told(manifest: &Manifest, missing: &[&SettingAsk]) -> Failure {
    let names: Vec<String> = missing.iter().map(|ask| format!("`{}`", ask.name)).collect();
    let typed: Vec<String> =
        missing.iter().map(|ask| format!("--set {}={}", ask.name, consent::kind(ask.kind).to_uppercase())).collect();
    let (noun, verb) = if names.len() == 1 { ("setting", "is") } else { ("settings", "are") };
    usage(format!("the {noun} {} of `{}` {verb} required", names.join(", "), manifest.id)).with_hint(format!(
        "say `{}`; `forge plugin info {}` shows all",
        typed.join(" "),
        manifest.id
    ))
}

/// Asks for one setting until the answer is one, a bounded number of times.
fn asked(found: &Found, ask: &SettingAsk, printer: &mut Printer) -> Outcome<String> {
    let manifest = &found.component.manifest;
    // What the backend's own tools read is offered, and never taken without an answer. Only forge's own plugins say which
    // variable that is: another's could name one that holds a credential, and read it as its setting after an Enter.
    let known = manifest.detect.get(&ask.name).filter(|_| found.is_builtin);
    let known = known.and_then(|variable| environment::variable(variable));
    let known = known.filter(|value| normalised(manifest, &ask.name, value).is_ok());
    let offered = known.as_ref().map_or(String::new(), |value| format!(" [{}]", printable(value)));
    for _ in 0..ATTEMPTS {
        let question = format!("{} ({}){offered}: ", ask.name, consent::kind(ask.kind));
        let Some(typed) = printer.ask(&question)? else { break };
        let answer = if typed.is_empty() { known.clone().unwrap_or_default() } else { typed };
        if answer.is_empty() {
            continue;
        }
        match normalised(manifest, &ask.name, &answer) {
            Ok(answer) => return Ok(answer),
            Err(failure) => printer.warning(&failure.what),
        }
    }
    Err(told(manifest, &[ask]))
}
