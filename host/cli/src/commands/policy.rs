//! `forge policy`: whether something is allowed and by which rule, and what the rules are.

use forge_core::Kind;
use forge_core::config::Owner;
use forge_core::policy::{self, Action, Decision, Principal, SCHEMA, Source};
use forge_core::provider::Failure;
use serde_json::{Value as Json, json};

use super::secret::list::prefix;
use crate::app::App;
use crate::arguments::policy::{Policy, Test};
use crate::environment;
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;

pub(crate) fn run(app: &App, printer: &mut Printer, command: &Policy) -> Outcome {
    match command {
        Policy::Test(arguments) => test(app, printer, arguments),
        Policy::Show { schema: true } if printer.is_json() => printer.object(json!({ "schema": SCHEMA })),
        Policy::Show { schema: true } => printer.data(SCHEMA.as_bytes()),
        Policy::Show { schema: false } => show(app, printer),
    }
}

fn test(app: &App, printer: &mut Printer, arguments: &Test) -> Outcome {
    let (provider, path) = prefix(Some(&arguments.reference))?;
    if path.is_empty() && !matches!(arguments.action, Action::List | Action::Check) {
        return Err(usage(format!("`{}` is done to a secret, and this names none", arguments.action.token())));
    }
    let name = configured(app, provider.as_deref())?;
    let who = match &arguments.user {
        None => environment::principal(),
        Some(user) => Principal::supposed(user, &arguments.groups, &environment::names())
            .map_err(|_| usage("`--user` and `--group` take a name or a number"))?,
    };
    let policy = policy::Policy::new(&app.config.policies, who.clone(), app.global.reason.as_deref());
    // A provider is tested as a whole, whatever of it was named.
    let path = if arguments.action == Action::Check { String::new() } else { path };
    let decision = policy.decide(arguments.action, &name, &path);
    let asked = format!("`{}` of `store://{name}/{path}` to {who}", arguments.action.token());
    if printer.is_json() {
        let mut object = as_json(&decision);
        if let Some(object) = object.as_object_mut() {
            object.insert("action".to_owned(), json!(arguments.action.token()));
            object.insert("provider".to_owned(), json!(name));
            object.insert("path".to_owned(), json!(path));
            object.insert("user".to_owned(), json!(who.entity()));
        }
        printer.object(object)?;
    } else if decision.is_allowed {
        printer.line(&format!("allowed  {asked}"))?;
        printer.line(&match &decision.origin {
            Some(origin) => format!("         by the rule {}", placed(origin)),
            None => "         there is no policy: the grants decide".to_owned(),
        })?;
    } else {
        printer.line(&format!("denied   {asked}"))?;
        if let Some(origin) = &decision.origin {
            printer.line(&format!("         by the rule {}", placed(origin)))?;
        }
    }
    if decision.is_allowed {
        return Ok(());
    }
    // The usual hint would be this command.
    let hint = decision.trouble.as_ref().map(policy::Error::hint);
    Err(Failure { hint, ..Failure::new(Kind::AccessDenied, decision.why()) })
}

/// The configured name of the provider that a reference means; one that is not configured here may be elsewhere.
fn configured(app: &App, provider: Option<&str>) -> Outcome<String> {
    let name = match provider.or(app.global.provider.as_deref()) {
        Some(name) => name,
        None => app.config.default_provider()?,
    };
    match app.opener().named(name) {
        Ok((name, _)) => Ok(name.to_owned()),
        Err(failure) if failure.kind == Kind::NotFound => Ok(name.to_owned()),
        Err(failure) => Err(failure),
    }
}

fn placed(origin: &policy::Origin) -> String {
    let file = forge_core::manifest::printable_name(&origin.file.display().to_string());
    format!("`{}`: `{file}`, {}", origin.name, origin.at)
}

fn as_json(decision: &Decision) -> Json {
    let origin = decision.origin.as_deref();
    json!({
        "allowed": decision.is_allowed,
        "rule": decision.rule,
        "file": origin.map(|origin| origin.file.display().to_string()),
        "line": origin.map(|origin| origin.at.line),
        "column": origin.map(|origin| origin.at.column),
        "error": decision.trouble.as_ref().map(ToString::to_string),
    })
}

fn show(app: &App, printer: &mut Printer) -> Outcome {
    let sources = &app.config.policies;
    if printer.is_json() {
        printer.object(json!({ "policies": sources.iter().map(source_as_json).collect::<Vec<_>>() }))?;
    } else {
        for (number, source) in sources.iter().enumerate() {
            let before = if number > 0 { "\n" } else { "" };
            printer.line(&format!("{before}// {} policy, of {}", whose(source), source.place))?;
            let Ok(written) = &source.written else { continue };
            for file in &written.files {
                let file = forge_core::manifest::printable_name(&file.display().to_string());
                printer.line(&format!("// and of `{file}`"))?;
            }
            if !written.roles.is_empty() {
                printer.line(&format!("\n{}", policy::shown(written)))?;
            }
        }
        if sources.is_empty() {
            printer.note("there is no policy: the grants decide");
        }
    }
    let refused = |error: policy::Error| Failure::new(Kind::AccessDenied, error.to_string()).with_hint(error.hint());
    app.policy.load().map(drop).map_err(refused).context(|| "the policy can't be used".to_owned())
}

fn whose(source: &Source) -> &'static str {
    if source.place.owner == Owner::System { "the machine's" } else { "your own" }
}

fn source_as_json(source: &Source) -> Json {
    let written = source.written.as_ref().ok();
    let files = |written: &policy::Written| -> Vec<String> {
        written.files.iter().map(|file| file.display().to_string()).collect()
    };
    json!({
        "owner": if source.place.owner == Owner::System { "system" } else { "user" },
        "file": source.place.file.display().to_string(),
        "cedar": written.map(policy::shown),
        "files": written.map(files),
    })
}
