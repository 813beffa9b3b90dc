//! `forge provider`: where secrets are, and what each provider is allowed.

pub(super) mod add;

use forge_core::Kind;
use forge_core::audit::Change;
use forge_core::config::{LOCAL, Layer, Owner, Place};
use forge_core::grant::Grant;
use forge_core::home;
use forge_core::provider::Failure;
use serde_json::{Value as Json, json};
use toml_edit::DocumentMut;

use crate::app::App;
use crate::arguments::Provider;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;
use crate::providers::Opener;
use crate::tokens::TokenFile;
use crate::{consent, credential};

pub(crate) async fn run(app: &App, printer: &mut Printer, command: Provider) -> Outcome {
    match command {
        Provider::Add(arguments) => add::run(app, printer, *arguments).await,
        Provider::List => list(app, printer),
        Provider::Info { name } => info(app, printer, &name),
        Provider::Test { name } => test(app, printer, &name).await,
        Provider::Remove { name, yes, dry_run } => remove(app, printer, &name, yes, dry_run),
    }
}

fn opener(app: &App) -> Opener {
    Opener::new(&app.home, &app.config, &app.plugins, &app.policy, &app.audit, None)
        .asking(!app.global.non_interactive)
        .keeping_tokens(!app.global.no_token_cache)
        .knowing(&app.answers)
}

/// A grant as JSON: everything in it but certificates is for people to read.
pub(super) fn as_json(grant: &Grant) -> Json {
    let mut object = serde_json::to_value(grant).unwrap_or_default();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("schema_version");
        fields.shift_remove("tls_ca");
        fields.insert("private_ca".to_owned(), json!(grant.tls_ca.is_some()));
        if let Some(certificate) = &grant.tls_certificate {
            // A chain that can't be read has no facts to show; whoever uses it is told why.
            let facts = forge_broker::certificate_facts(&certificate.chain).ok();
            let until = facts.as_ref().map(|facts| facts.not_after.to_string());
            let sha256 = facts.map(|facts| facts.sha256);
            let shown = json!({ "sha256": sha256, "expires_at": until, "key": certificate.key });
            fields.insert("tls_certificate".to_owned(), shown);
        }
    }
    object
}

fn list(app: &App, printer: &mut Printer) -> Outcome {
    let opener = opener(app);
    let mut providers = Vec::new();
    for name in std::iter::once(LOCAL).chain(app.config.providers.keys().map(String::as_str)) {
        let plugin = app.config.providers.get(name).map_or("file", |config| &config.plugin);
        let is_default = app.config.default_provider() == Ok(name);
        let file = app.config.providers.get(name).map(|config| config.place.file.display().to_string());
        let state = match opener.granted(name) {
            Ok(_) => "ok".to_owned(),
            Err(failure) => failure.what,
        };
        if !printer.is_json() {
            let mark = if is_default { "*" } else { " " };
            printer.line(&format!("{mark} {name:<20} {plugin:<16} {state}"))?;
        }
        providers.push(
            json!({ "name": name, "plugin": plugin, "default": is_default, "state": state, "configured_in": file }),
        );
    }
    if let Some(withheld) = &app.config.withheld {
        printer.warning(&format!("its providers are left out: {}", withheld.why));
    }
    if printer.is_json() { printer.object(json!({ "providers": providers })) } else { Ok(()) }
}

fn info(app: &App, printer: &mut Printer, name: &str) -> Outcome {
    let (grant, found) = opener(app).granted(name)?;
    let rate = app.config.providers.get(name).and_then(|config| config.rate_limit);
    if printer.is_json() {
        let mut object = as_json(&grant);
        if let (Some(fields), Some(rate)) = (object.as_object_mut(), rate) {
            fields.insert("rate_limit".to_owned(), json!(rate));
        }
        return printer.object(object);
    }
    printer.data(consent::grant(&grant, &found.component, found.is_builtin, &[], &[]).as_bytes())?;
    rate.map_or(Ok(()), |rate| printer.line(&format!("  rate limit   {rate}")))
}

async fn test(app: &App, printer: &mut Printer, name: &str) -> Outcome {
    let tried = || format!("`{name}` does not work");
    let opener = opener(app);
    let (grant, _) = opener.granted(name)?;
    // Before the login, which is the first to need it.
    if app.global.offline && !grant.routes.is_empty() {
        return Err(forge_core::resolver::offline(name)).context(tried);
    }
    if grant.credential.is_some() {
        opener.egress(&grant)?.attend().await.context(tried)?;
    }
    app.resolver_over(opener.clone()).check(Some(name)).await.context(tried)?;
    let identity = match &grant.credential {
        // The same way out as the check's: another one would log in again.
        Some(_) => opener.egress(&grant)?.identity().await.context(tried)?,
        None => None,
    };
    if printer.is_json() {
        return printer.object(json!({ "name": name, "ok": true, "identity": identity }));
    }
    let identity = identity.map_or(String::new(), |identity| format!(" as {identity}"));
    printer.line(&format!("`{name}` works{identity}"))
}

fn remove(app: &App, printer: &mut Printer, name: &str, yes: bool, dry_run: bool) -> Outcome {
    let tried = || format!("can't remove `{name}`");
    if let Some(place) =
        app.config.providers.get(name).map(|config| &config.place).filter(|place| place.owner != Owner::User)
    {
        let failure = usage(format!("it is configured in {place}, which is not yours to change here"));
        let is_project = place.owner == Owner::Project;
        let failure = if is_project {
            failure.with_hint("`forge allow --revoke` takes back what the project was allowed")
        } else {
            failure
        };
        return Err(failure).context(tried);
    }
    // A grant without its configuration can be taken back too.
    let is_granted = forge_core::reference::is_name(name) && app.home.grant_file(name).exists();
    if !is_granted && !app.config.providers.contains_key(name) {
        return Err(not_found(format!("there is no provider `{name}`")).with_hint("`forge provider list` shows them"));
    }
    if dry_run {
        return rehearse_removal(app, printer, name);
    }
    if !yes && !printer.confirm(&format!("remove `{name}` and its grant? its secrets stay where they are")) {
        return Err(usage("nobody said yes").with_hint("`--yes` removes without a question")).context(tried);
    }
    let begun = app.audit.change(Change::new("provider-remove", name)).context(tried)?;
    app.audit.changed(&begun, removed(app, name)).context(tried)?;
    if printer.is_json() {
        return printer.object(json!({ "name": name, "removed": true }));
    }
    printer.note(&format!("removed `{name}`"));
    Ok(())
}

/// Takes a provider out of the configuration, with its grant, its tokens and what was typed for it.
fn removed(app: &App, name: &str) -> Outcome {
    let file = app.home.grant_file(name);
    // What can't be read any more holds no sealed credential that could be found.
    let grant = home::read_private(&file, 1 << 20)?.and_then(|text| serde_json::from_slice::<Grant>(&text).ok());
    if let Some(grant) = grant {
        credential::forget(&app.home, &grant)?;
    }
    if forge_core::reference::is_name(name) {
        TokenFile::new(&app.home, name).remove()?;
    }
    edit(app, |document| {
        if let Some(providers) = document.get_mut("providers").and_then(|item| item.as_table_like_mut()) {
            providers.remove(name);
        }
        if document.get("default").and_then(|item| item.as_str()) == Some(name) {
            document.remove("default");
        }
    })?;
    Ok(home::remove(&file)?)
}

/// Says what a removal would take away.
fn rehearse_removal(app: &App, printer: &mut Printer, name: &str) -> Outcome {
    let grant = app.home.grant_file(name);
    let mut removed = Vec::new();
    if forge_core::reference::is_name(name) {
        // A grant that can't be read any more holds no sealed credential that could be found.
        let text = home::read_private(&grant, 1 << 20)?;
        let sealed = text.and_then(|text| serde_json::from_slice::<Grant>(&text).ok());
        removed.extend(sealed.iter().flat_map(|grant| credential::sealed_files(&app.home, grant)));
        removed.extend(TokenFile::new(&app.home, name).paths());
        removed.push(grant);
        removed.retain(|path| path.exists());
    }
    let removed: Vec<String> = removed.iter().map(|path| path.display().to_string()).collect();
    let changed = app.config.providers.contains_key(name).then(|| app.config_file.display().to_string());
    if printer.is_json() {
        let object = json!({ "name": name, "dry_run": true, "would_remove": removed, "would_change": changed });
        return printer.object(object);
    }
    printer.note(&format!("would remove `{name}`; its secrets stay where they are"));
    removed.iter().for_each(|path| printer.note(&format!("would remove the file `{path}`")));
    changed.iter().for_each(|path| printer.note(&format!("would take `{name}` out of `{path}`")));
    Ok(())
}

/// Changes the configuration, keeping its comments and its order.
fn edit(app: &App, change: impl FnOnce(&mut DocumentMut)) -> Outcome {
    let text = home::read(&app.config_file, forge_core::config::LONGEST)?.unwrap_or_default();
    let text = String::from_utf8(text).map_err(|_| usage("the configuration is not UTF-8"))?;
    // The text was read as a configuration before, so the only new fault can be somebody else's edit just now.
    let mut document: DocumentMut = text.parse().map_err(|_| usage("the configuration can't be read any more"))?;
    change(&mut document);
    let changed = document.to_string();
    // Whatever is written must be read again by the next command.
    Layer::parse(changed.as_bytes(), &Place { owner: Owner::User, file: app.config_file.clone() })
        .map_err(|error| Failure::new(Kind::Internal, format!("the changed configuration would be wrong: {error}")))?;
    Ok(home::write(&app.config_file, changed.as_bytes())?)
}
