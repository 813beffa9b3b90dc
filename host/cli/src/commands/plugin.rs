//! `forge plugin`: installing and inspecting plugins. None of a plugin's code runs here.

use std::path::Path;

use forge_core::Kind;
use forge_core::audit::Change;
use forge_core::home;
use forge_core::provider::Failure;
use forge_sandbox::{Component, Error, Found, Installed, short};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::arguments::Plugin;
use crate::consent;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

pub(crate) fn run(app: &App, printer: &mut Printer, command: Plugin) -> Outcome {
    match command {
        Plugin::Install { source, sha256, name, yes, dry_run } => {
            install(app, printer, &source, sha256.as_deref(), name, Manner { yes, dry_run })
        }
        Plugin::List => list(app, printer),
        Plugin::Info { name } => info(app, printer, &name),
        Plugin::Remove { name, dry_run } => remove(app, printer, &name, dry_run),
        Plugin::Verify { name } => verify(app, printer, name.as_deref()),
    }
}

fn read(source: &str) -> Outcome<Vec<u8>> {
    let path = crate::environment::absolute(Path::new(source))?;
    let found = std::fs::canonicalize(&path)
        .ok()
        .map(|path| home::read(&path, forge_sandbox::LONGEST_COMPONENT))
        .transpose()?
        .flatten();
    found.ok_or_else(|| not_found(format!("there is no file `{source}`")))
}

/// How something is installed.
#[derive(Clone, Copy, Debug)]
struct Manner {
    yes: bool,
    dry_run: bool,
}

fn install(
    app: &App,
    printer: &mut Printer,
    source: &str,
    sha256: Option<&str>,
    name: Option<String>,
    manner: Manner,
) -> Outcome {
    let tried = || format!("can't install `{source}`");
    if app.plugins.builtins().any(|id| id == source) && name.is_none() {
        return built_in(app, printer, source);
    }
    if source.contains("://") {
        return Err(
            usage("plugins are installed from files").with_hint("download the component first, then install the file")
        )
        .context(tried);
    }
    let bytes = read(source).context(tried)?;
    let component = forge_sandbox::inspect(&bytes).context(tried)?;
    if sha256.is_some_and(|expected| !expected.eq_ignore_ascii_case(&component.digest)) {
        let what = format!("its SHA-256 is {}, and another one was expected", component.digest);
        return Err(Failure::new(Kind::Integrity, what)).context(tried);
    }
    let id = component.manifest.id.clone();
    if name.is_none() && app.plugins.builtins().any(|builtin| builtin == id) {
        // The very file that the program carries needs no copy.
        if app.plugins.find(&id)?.component.digest == component.digest {
            return built_in(app, printer, &id);
        }
        let what = format!("it claims the id `{id}` of a built-in plugin, and is another file");
        return Err(Failure::new(Kind::Conflict, what).with_hint("install it under another name with `--as NAME`"))
            .context(tried);
    }
    let name = name.unwrap_or(id);
    if app.plugins.record(&name)?.is_some_and(|installed| installed.digest == component.digest) {
        printer.note(&format!("`{name}` is installed already (sha256 {}…)", short(&component.digest)));
        return if printer.is_json() { printer.object(installed_json(&name, &component, false)) } else { Ok(()) };
    }
    app.plugins.check_free(&name, &component.digest).context(tried)?;
    if manner.dry_run {
        return rehearse_install(app, printer, &name, &component);
    }
    if manner.yes && sha256.is_none() {
        return Err(usage("`--yes` needs `--sha256`: nobody looks at the file")
            .with_hint(format!("its SHA-256 now is {}", component.digest)))
        .context(tried);
    }
    if !manner.yes {
        printer.summary(&format!("plugin `{name}`\n\n{}\n", consent::plugin(&component, false)));
        if !printer.confirm("install it?") {
            let command = format!("forge plugin install {source} --yes --sha256 {}", component.digest);
            return Err(Failure::new(Kind::NotGranted, "nobody allowed it")
                .with_hint(format!("`{command}` installs it without a question")))
            .context(tried);
        }
    }
    let change = Change::new("plugin-install", &name).with("sha256", &component.digest).with("source", source);
    let begun = app.audit.change(change).context(tried)?;
    let answer = installed(app, &name, component, bytes, source);
    let found = app.audit.changed(&begun, answer).context(tried)?;
    if printer.is_json() {
        return printer.object(installed_json(&name, &found.component, false));
    }
    printer.note(&format!("installed `{name}` (sha256 {}…)", short(&found.component.digest)));
    printer.note(&format!("`forge provider add NAME --plugin {name}` makes a provider of it"));
    Ok(())
}

/// Puts a plugin into the store, and compiles it.
fn installed(app: &App, name: &str, component: Component, bytes: Vec<u8>, source: &str) -> Outcome<Found> {
    app.plugins.install(name, &component, &bytes, source)?;
    let found = Found { component, bytes: bytes.into(), is_builtin: false };
    if let Err(error) = app.sandbox()?.prepare(&found) {
        // A plugin that can't be compiled can't be used, so it does not stay.
        app.plugins.remove(name)?;
        return Err(error.into());
    }
    Ok(found)
}

/// Says what would be installed. It is not compiled, so one that can't be is not told here.
fn rehearse_install(app: &App, printer: &mut Printer, name: &str, component: &Component) -> Outcome {
    let files = app.plugins.files(name, &component.digest).map(|file| file.display().to_string());
    if printer.is_json() {
        let mut object = installed_json(name, component, false);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("dry_run".to_owned(), json!(true));
            fields.insert("would_write".to_owned(), json!(files));
        }
        return printer.object(object);
    }
    printer.note(&format!("would install `{name}`\n\n{}", consent::plugin(component, false)));
    files.iter().for_each(|file| printer.note(&format!("would write the file `{file}`")));
    printer.note("would compile it, in a process of its own");
    Ok(())
}

fn built_in(app: &App, printer: &mut Printer, id: &str) -> Outcome {
    let found = app.plugins.find(id)?;
    if printer.is_json() {
        return printer.object(installed_json(id, &found.component, true));
    }
    printer.note(&format!("`{id}` is built in: there is nothing to install"));
    Ok(())
}

fn installed_json(name: &str, component: &Component, is_builtin: bool) -> Json {
    json!({
        "name": name,
        "id": component.manifest.id,
        "version": component.manifest.version,
        "sha256": component.digest,
        "built_in": is_builtin,
        "publisher": consent::publisher(component, is_builtin),
    })
}

fn list(app: &App, printer: &mut Printer) -> Outcome {
    let mut plugins = Vec::new();
    let mut lines = Vec::new();
    let installed = app.plugins.installed()?;
    for name in app.plugins.builtins().map(str::to_owned).chain(installed.keys().cloned()) {
        // A list must come to its end even when one of its plugins is damaged.
        match app.plugins.find(&name) {
            Ok(found) => {
                let component = &found.component;
                plugins.push(installed_json(&name, component, found.is_builtin));
                let (version, digest) = (&component.manifest.version, short(&component.digest));
                lines.push(format!(
                    "{name:<16} {version:<10} {digest}  {}",
                    consent::publisher(component, found.is_builtin)
                ));
            }
            Err(error) => {
                plugins.push(json!({ "name": name, "error": error.to_string() }));
                lines.push(format!("{name:<16} {error}"));
            }
        }
    }
    if printer.is_json() {
        return printer.object(json!({ "plugins": plugins }));
    }
    lines.iter().try_for_each(|line| printer.line(line))
}

fn info(app: &App, printer: &mut Printer, name: &str) -> Outcome {
    let is_installed = app.plugins.builtins().any(|id| id == name) || app.plugins.record(name)?.is_some();
    let (component, is_builtin) = if is_installed || !Path::new(name).exists() {
        let found = app.plugins.find(name)?;
        (found.component, found.is_builtin)
    } else {
        (forge_sandbox::inspect(&read(name)?).context(|| format!("can't use `{name}`"))?, false)
    };
    if printer.is_json() {
        let mut object = installed_json(name, &component, is_builtin);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("imports".to_owned(), json!(component.imports));
            fields.insert("exports".to_owned(), json!(component.exports));
        }
        return printer.object(object);
    }
    printer.data(consent::plugin(&component, is_builtin).as_bytes())
}

fn remove(app: &App, printer: &mut Printer, name: &str, dry_run: bool) -> Outcome {
    let tried = || format!("can't remove `{name}`");
    let users: Vec<&str> = app
        .config
        .providers
        .iter()
        .filter(|(_, config)| config.plugin == name)
        .map(|(name, _)| name.as_str())
        .collect();
    if !users.is_empty() {
        let what = format!("the provider `{}` uses it", users.join("`, `"));
        return Err(Failure::new(Kind::Conflict, what).with_hint("`forge provider remove` them first")).context(tried);
    }
    if dry_run {
        let files = app.plugins.removable(name).context(tried)?;
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        if printer.is_json() {
            return printer.object(json!({ "name": name, "dry_run": true, "would_remove": files }));
        }
        printer.note(&format!("would remove `{name}`"));
        files.iter().for_each(|file| printer.note(&format!("would remove the file `{file}`")));
        return Ok(());
    }
    let begun = app.audit.change(Change::new("plugin-remove", name)).context(tried)?;
    let removed = app.plugins.remove(name).map_err(Failure::from);
    let digest = app.audit.changed(&begun, removed).context(tried)?;
    app.sandbox()?.forget(&digest);
    if printer.is_json() {
        return printer.object(json!({ "name": name, "removed": true }));
    }
    printer.note(&format!("removed `{name}`"));
    Ok(())
}

fn verify(app: &App, printer: &mut Printer, name: Option<&str>) -> Outcome {
    let installed = app.plugins.installed()?;
    let chosen: Vec<(&String, &Installed)> =
        installed.iter().filter(|(known, _)| name.is_none_or(|name| name == *known)).collect();
    if let Some(name) = name
        && chosen.is_empty()
        && !app.plugins.builtins().any(|id| id == name)
    {
        return Err(Error::Unknown(name.to_owned()).into());
    }
    let mut results = Vec::new();
    let mut worst: Option<Failure> = None;
    for (name, record) in chosen {
        let found = app.plugins.find(name);
        results.push(json!({ "name": name, "sha256": record.digest, "ok": found.is_ok() }));
        match found {
            Ok(_) if printer.is_json() => {}
            Ok(_) => printer.line(&format!("{name}: ok"))?,
            Err(error) => {
                if !printer.is_json() {
                    printer.line(&format!("{name}: {error}"))?;
                }
                worst = Some(error.into());
            }
        }
    }
    if printer.is_json() {
        printer.object(json!({ "plugins": results }))?;
    }
    worst.map_or(Ok(()), Err).context(|| "a plugin is not what was installed".to_owned())
}
