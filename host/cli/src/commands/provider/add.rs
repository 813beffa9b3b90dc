//! `forge provider add`: from what was typed to a grant that a person saw and allowed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use forge_core::Kind;
use forge_core::audit::Change;
use forge_core::config::{LOCAL, Owner};
use forge_core::grant::{Asks, ClientCertificate, CredentialGrant, Grant, PluginPin, SCHEMA_VERSION};
use forge_core::home;
use forge_core::manifest::Manifest;
use forge_core::provider::{CallLog, Failure, SecretProvider as _};
use forge_core::rate::Rate;
use forge_core::route::{Ability, Route};
use forge_core::secret::Attributes;
use forge_core::setting::{SettingKind, Settings};
use forge_sandbox::{Found, Provider};
use serde_json::json;
use toml_edit::{Item, Table, value};

use super::{as_json, edit, opener};
use crate::app::App;
use crate::arguments::Add;
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;
use crate::providers::Opener;
use crate::{consent, credential, environment};

mod derived;
mod question;

use derived::derive;

/// The longest file of certificates, in bytes.
const LONGEST_CA: u64 = 256 << 10;

pub(super) async fn run(app: &App, printer: &mut Printer, arguments: Add) -> Outcome {
    let name = arguments.name.clone();
    let tried = || format!("can't add `{name}`");
    check_name(app, &name).context(tried)?;
    let rate = arguments.rate_limit.as_deref().map(str::parse::<Rate>).transpose();
    let rate = rate.map_err(|rule| usage(format!("`--rate-limit` {rule}"))).context(tried)?;
    let found = app.plugins.find(&arguments.plugin).context(tried)?;
    let manifest = &found.component.manifest;
    if arguments.dry_run {
        printer.rehearse();
    }
    let mut given = settings(manifest, &arguments.settings).context(tried)?;
    let may_ask = printer.is_interactive() && !arguments.yes && !arguments.dry_run;
    question::complete(&found, &mut given, if may_ask { Some(printer) } else { None }).context(tried)?;
    let proposed = propose(app, printer, &arguments, &found, &given, None).await.context(tried)?;
    let Proposed { mut grant, later, addresses } = proposed;
    if arguments.dry_run {
        let opener = opener(app);
        grant.directories.iter().try_for_each(|lent| opener.check_apart(&grant, lent)).context(tried)?;
        let shown = consent::grant(&grant, &found.component, found.is_builtin, &later, &addresses);
        return rehearsed(app, printer, &grant, &shown);
    }
    if !arguments.yes {
        let shown = consent::grant(&grant, &found.component, found.is_builtin, &later, &addresses);
        printer.summary(&format!("provider `{name}`\n\n{shown}\n"));
        if !printer.confirm("allow this?") {
            let hint = "the same command with `--yes` allows it without a question";
            return Err(Failure::new(Kind::NotGranted, "nobody allowed it").with_hint(hint)).context(tried);
        }
    }
    let change = Change::new("provider-add", &name).with("plugin", &found.component.digest);
    let mut begun = app.audit.change(change).context(tried)?;
    let settled = settle(&opener(app), &found, &mut grant).await;
    let recorded = settled.and_then(|notes| record(app, &arguments, &given, &grant, rate).map(|()| notes));
    begun.add("grant", grant.digest());
    let notes = app.audit.changed(&begun, recorded).context(tried)?;
    notes.iter().for_each(|note| printer.warning(note));
    if printer.is_json() {
        return printer.object(as_json(&grant));
    }
    if arguments.yes {
        let shown = consent::grant(&grant, &found.component, found.is_builtin, &[], &addresses);
        printer.note(&format!("added `{name}`\n\n{shown}"));
    } else {
        // The grant was on the screen a moment ago, so what is new is enough.
        let discovered =
            grant.settings.iter().filter(|(name, _)| manifest.setting(name).is_some_and(|ask| ask.discovered));
        let discovered: Vec<String> = discovered.map(|(name, value)| format!("{name} = {value}")).collect();
        let identity = grant.credential.as_ref().and_then(|credential| credential.identity.clone());
        let news: Vec<String> = discovered.into_iter().chain(identity).collect();
        let news = if news.is_empty() { String::new() } else { format!(": {}", news.join(", ")) };
        printer.note(&format!("added `{name}`{news}"));
    }
    printer.note(&format!("`forge secret get store://{name}/PATH` reads a secret"));
    Ok(())
}

/// Says what would be allowed, asked and written, of which nothing was.
fn rehearsed(app: &App, printer: &mut Printer, grant: &Grant, shown: &str) -> Outcome {
    let name = &grant.provider;
    let mut files: Vec<String> = credential::sealed_files(&app.home, grant)
        .map(|path| format!("{}-…", path.with_extension("").display()))
        .collect();
    files.push(app.home.grant_file(name).display().to_string());
    let changed = app.config_file.display().to_string();
    if printer.is_json() {
        let grant = as_json(grant);
        return printer.object(json!({
            "name": name,
            "dry_run": true,
            "grant": grant,
            "would_write": files,
            "would_change": changed,
        }));
    }
    printer.note(&format!("would add `{name}`\n\n{shown}"));
    printer.note("would have its plugin check it, within what is shown above");
    files.iter().for_each(|file| printer.note(&format!("would write the file `{file}`")));
    printer.note(&format!("would put `{name}` into `{changed}`"));
    Ok(())
}

/// A grant that nobody has allowed yet, and what a person is shown with it.
#[derive(Debug)]
pub(in crate::commands) struct Proposed {
    pub(in crate::commands) grant: Grant,
    /// Routes that what the plugin discovers may add, each with its condition.
    pub(in crate::commands) later: Vec<(String, Route)>,
    /// The addresses of each origin.
    pub(in crate::commands) addresses: Vec<(String, Vec<IpAddr>)>,
}

/// What a provider of the user's, or of the project in this folder, would be allowed with these settings.
pub(in crate::commands) async fn propose(
    app: &App,
    printer: &mut Printer,
    arguments: &Add,
    found: &Found,
    given: &Settings,
    project: Option<&str>,
) -> Outcome<Proposed> {
    let manifest = &found.component.manifest;
    let asks = Asks::expand_with(manifest, given, &derive(manifest, None))
        .map_err(Failure::from)
        .map_err(|failure| with_settings(failure, manifest, project))?;
    let discoverable = asks.discoverable(manifest)?;
    derived::check_routes(manifest, &asks, &discoverable)?;
    let mut origins = asks.origins();
    origins.extend(discoverable.iter().map(|(_, route)| route.origin.clone()));
    origins.sort();
    origins.dedup();
    let mut networks = BTreeMap::new();
    let mut addresses: Vec<(String, Vec<IpAddr>)> = Vec::new();
    for origin in &origins {
        let (class, found) = forge_broker::network_class(origin, None).await?;
        networks.insert(origin.clone(), class);
        addresses.push((origin.clone(), found));
    }
    let credential = credential_grant(app, printer, arguments, project, manifest, &origins)?;
    // A login that lives elsewhere is an origin too, and its network is recorded like that of any other.
    for origin in credential.iter().flat_map(forge_broker::typed_origins) {
        if !networks.contains_key(&origin) {
            let (class, found) = forge_broker::network_class(&origin, None).await?;
            networks.insert(origin.clone(), class);
            addresses.push((origin, found));
        }
    }
    let mut grant = Grant {
        schema_version: SCHEMA_VERSION,
        provider: arguments.name.clone(),
        plugin: if found.is_builtin {
            PluginPin::Builtin(manifest.id.clone())
        } else {
            PluginPin::Digest(found.component.digest.clone())
        },
        settings: asks.settings,
        routes: asks.routes,
        directories: asks.directories,
        environment: asks.environment,
        credential,
        networks,
        tls_ca: arguments.tls_ca.as_deref().map(certificates).transpose()?,
        tls_certificate: client_certificate(app, printer, arguments, project)?,
        no_token_cache: app.global.no_token_cache,
        read_only: arguments.read_only,
        limits: manifest.limits,
        derived: asks.derived,
        project: project.map(str::to_owned),
    };
    let mut later = discoverable;
    if grant.read_only {
        later.retain(|(_, route)| route.ability == Ability::Read);
    }
    restrict(&mut grant);
    forge_broker::check_grant(&grant)?;
    opener(app).check_environment(&grant)?;
    Ok(Proposed { grant, later, addresses })
}

/// Lets the plugin discover what is missing, and learns whom the credential speaks for; answers what a person must know.
pub(in crate::commands) async fn settle(opener: &Opener, found: &Found, grant: &mut Grant) -> Outcome<Vec<String>> {
    opener.check_policy(&grant.provider)?;
    check_certificate(opener, grant).await?;
    // Where what follows fails, a token that was got stays kept: it may have cost a secret of one use, and only the same
    // credential of the same name can use it.
    let provider = opener.assemble(found, grant)?;
    let mut notes = Vec::new();
    // What else stops it stops the check as well, which tells it; but a code that was typed is spent.
    if let Some(egress) = provider.egress()
        && let Err(error @ forge_broker::Error::RoleDenied { .. }) = egress.attend().await
    {
        notes.push(error.to_string());
    }
    notes.extend(discover(&provider, found, grant).await?);
    // Through the same way out, so that a login with a secret of one use is not made twice.
    notes.extend(learn_identity(&provider, grant).await);
    notes.extend(derived::settle(&found.component.manifest, grant)?);
    Ok(notes)
}

fn check_name(app: &App, name: &str) -> Outcome {
    if !forge_core::reference::is_name(name) {
        return Err(usage("a provider's name has lower-case letters, digits, `-` and `_`"));
    }
    if name == LOCAL {
        return Err(usage("`local` is the embedded store and always there; choose another name"));
    }
    // A grant that is there may belong to another configuration, and must not change behind its back.
    let is_configured = app.config.provider(name)?.is_some_and(|config| config.place.owner != Owner::System);
    if is_configured || app.home.grant_file(name).exists() {
        return Err(Failure::new(Kind::Conflict, "there is a provider of this name")
            .with_hint(format!("`forge provider remove {name}` removes it")));
    }
    Ok(())
}

/// `--set NAME=VALUE`, with paths as they are from the root.
fn settings(manifest: &Manifest, typed: &[String]) -> Outcome<Settings> {
    let mut settings = Settings::new();
    for text in typed {
        let Some((name, text)) = text.split_once('=') else {
            return Err(usage("`--set` takes NAME=VALUE"));
        };
        let text = normalised(manifest, name, text)?;
        if settings.insert(name.to_owned(), text).is_some() {
            return Err(usage(format!("`--set` names `{}` twice", forge_core::manifest::printable(name))));
        }
    }
    Ok(settings)
}

/// A setting's value as the grant will have it: paths from the root, and one spelling of each value.
fn normalised(manifest: &Manifest, name: &str, text: &str) -> Outcome<String> {
    let Some(ask) = manifest.setting(name) else { return Ok(text.to_owned()) };
    match ask.kind {
        SettingKind::Directory | SettingKind::File => {
            Ok(ask.kind.normalise(name, &environment::absolute(Path::new(text))?.display().to_string())?)
        }
        kind => Ok(kind.normalise(name, text)?),
    }
}

fn with_settings(failure: Failure, manifest: &Manifest, project: Option<&str>) -> Failure {
    let known: Vec<String> = manifest.settings.iter().map(|setting| format!("`{}`", setting.name)).collect();
    if known.is_empty() {
        return failure;
    }
    let say = if project.is_some() { "" } else { "; say `--set NAME=VALUE`" };
    failure.with_hint(format!("`{}` has the settings {}{say}", manifest.id, known.join(", ")))
}

fn certificates(path: &Path) -> Outcome<String> {
    let path = environment::absolute(path)?;
    let missing = || usage(format!("there is no file `{}`", path.display()));
    let real = std::fs::canonicalize(&path).map_err(|_| missing())?;
    let pem = home::read(&real, LONGEST_CA)?.ok_or_else(missing)?;
    let pem = String::from_utf8(pem).map_err(|_| usage(format!("`{}` is no PEM file", path.display())))?;
    // A file with the key in it is common, and a grant is no place for a key.
    let is_own = |line: &str| line.starts_with("-----BEGIN") && line.contains("PRIVATE KEY");
    if pem.lines().any(is_own) {
        return Err(usage(format!("`{}` holds a private key beside the certificate", path.display()))
            .with_hint("put the certificates into a file of their own; a key stays where `--tls-key` finds it"));
    }
    Ok(pem)
}

/// The certificate that the servers are shown, and where its key is.
fn client_certificate(
    app: &App,
    printer: &mut Printer,
    arguments: &Add,
    project: Option<&str>,
) -> Outcome<Option<ClientCertificate>> {
    let (Some(path), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let chain = certificates(path)?;
    forge_broker::certificate_facts(&chain)?;
    let key = credential::source(key, &app.answers, (&arguments.name, project), "tls-key", printer)?;
    key.parse::<forge_broker::Source>()?;
    Ok(Some(ClientCertificate { chain, key }))
}

/// Says now, rather than at the first request, that a certificate and its key can't be used.
async fn check_certificate(opener: &Opener, grant: &Grant) -> Outcome {
    match &grant.tls_certificate {
        Some(certificate) => Ok(forge_broker::check_certificate(certificate, &opener.reader(grant)).await?),
        None => Ok(()),
    }
}

/// The credential: typed, or of the kind that the manifest asks for at one of its usual places.
fn credential_grant(
    app: &App,
    printer: &mut Printer,
    arguments: &Add,
    project: Option<&str>,
    manifest: &Manifest,
    origins: &[String],
) -> Outcome<Option<CredentialGrant>> {
    let asked = manifest.credential.as_ref().map(|ask| ask.kind.as_str());
    let text = match (&arguments.credential, asked) {
        (Some(text), _) => text.as_str(),
        (None, Some(kind)) => kind,
        (None, None) => return Ok(None),
    };
    let typed = credential::typed(text)?;
    if typed.kind == "none" {
        return Ok(None);
    }
    // A kind owns the rules for its routes, so the plugin's routes were checked against the kind it asks for.
    if asked.is_some_and(|asked| asked != typed.kind) {
        return Err(usage(format!(
            "plugin `{}` works with a credential of the kind `{}`",
            manifest.id,
            asked.unwrap_or_default()
        )));
    }
    let typed = credential::completed(typed, &app.answers, &arguments.name, project, printer)?;
    let mut audience: Vec<String> = Vec::new();
    for origin in &arguments.credential_audience {
        audience.push(
            forge_core::setting::origin(origin).map_err(|rule| usage(format!("`--credential-audience` {rule}")))?,
        );
    }
    match forge_broker::usual_audience(&typed.kind, origins) {
        _ if !audience.is_empty() => {}
        Some(usual) => audience = usual,
        // The check of the grant names the origin that somebody has to allow.
        None if origins.len() == 1 => {}
        None => {
            let what = "the plugin talks to several origins, and a credential goes to those alone that a person names";
            return Err(usage(what).with_hint("say which with `--credential-audience ORIGIN`"));
        }
    }
    Ok(Some(CredentialGrant { kind: typed.kind, parameters: typed.parameters, audience, identity: None }))
}

fn restrict(grant: &mut Grant) {
    if !grant.read_only {
        return;
    }
    grant.routes.retain(|route| route.ability == Ability::Read);
    for directory in &mut grant.directories {
        directory.mode = forge_core::manifest::DirectoryMode::Read;
    }
}

/// Asks the plugin what its manifest marks as discovered, and makes the routes that follow from it.
async fn discover(provider: &Provider, found: &Found, grant: &mut Grant) -> Outcome<Vec<String>> {
    let manifest = &found.component.manifest;
    let is_complete = manifest.settings.iter().all(|ask| !ask.discovered || grant.settings.contains_key(&ask.name));
    let answered: Attributes = match provider.check(&CallLog::default()).await {
        Ok(answered) => answered,
        Err(failure) if failure.kind == Kind::CredentialReflected => return Err(failure),
        // Nothing is missing, so the provider may be added while its server is away.
        Err(failure) if is_complete => return Ok(vec![format!("it does not work now: {}", failure.what)]),
        Err(failure) => {
            let names: Vec<&str> =
                manifest.settings.iter().filter(|ask| ask.discovered).map(|ask| ask.name.as_str()).collect();
            let hint = format!("`--set {}=…` says what could not be discovered", names.join("=… --set "));
            let hint = failure.hint.clone().map_or(hint.clone(), |first| format!("{first}; or {hint}"));
            return Err(failure.with_hint(hint)).context(|| "its check failed".to_owned());
        }
    };
    let mut settings = grant.settings.clone();
    for (name, text) in answered {
        // Only what was marked: else a plugin could change the address that a person has just allowed.
        let Some(ask) = manifest.setting(&name).filter(|ask| ask.discovered) else { continue };
        if !grant.settings.contains_key(&name) {
            settings.insert(name.clone(), ask.kind.normalise(&name, &text)?);
        }
    }
    let asks = Asks::expand_with(manifest, &settings, &derive(manifest, None))?;
    if let Some(origin) = asks.origins().into_iter().find(|origin| !grant.networks.contains_key(origin)) {
        return Err(Failure::new(
            Kind::NotGranted,
            format!("what it discovered leads to {origin}, which nobody allowed"),
        ));
    }
    grant.settings = asks.settings;
    grant.routes = asks.routes;
    grant.derived = asks.derived;
    restrict(grant);
    forge_broker::check_grant(grant)?;
    Ok(Vec::new())
}

async fn learn_identity(provider: &Provider, grant: &mut Grant) -> Option<String> {
    let identity = provider.egress()?.identity().await;
    match (identity, &mut grant.credential) {
        (Ok(identity), Some(credential)) => {
            credential.identity = identity;
            None
        }
        (Err(error), Some(_)) => Some(format!("whom the credential speaks for is not known: {error}")),
        _ => None,
    }
}

/// The grant first: a provider that is configured and not granted is refused, and the other way round it is harmless.
///
/// Where the configuration can't be written nothing of both stays, so that the same command can be given again. The token
/// stays: it may have cost a secret of one use, and only the same credential of the same name can use it.
fn record(app: &App, arguments: &Add, given: &Settings, grant: &Grant, rate: Option<Rate>) -> Outcome {
    let file = app.home.grant_file(&arguments.name);
    app.answers.record(&app.home, grant, &file)?;
    let configured = configure(app, arguments, given, grant, rate);
    if configured.is_err() {
        app.answers.take_back(&app.home, grant);
        if let Err(error) = home::remove(&file) {
            tracing::warn!("a grant that is not configured stays: {error}");
        }
    }
    configured
}

fn configure(app: &App, arguments: &Add, given: &Settings, grant: &Grant, rate: Option<Rate>) -> Outcome {
    edit(app, |document| {
        let mut provider = Table::new();
        provider.insert("plugin", value(&arguments.plugin));
        if !given.is_empty() {
            let settings: toml_edit::InlineTable =
                given.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            provider.insert("settings", value(settings));
        }
        if let Some(credential) = &grant.credential {
            provider
                .insert("credential", value(toml_edit::InlineTable::from_iter([("kind", credential.kind.as_str())])));
        }
        if let Some(rate) = rate {
            provider.insert("rate-limit", value(rate.to_string()));
        }
        let providers = document.entry("providers").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        if let Some(providers) = providers.as_table_like_mut() {
            providers.insert(&arguments.name, Item::Table(provider));
        }
    })
}
