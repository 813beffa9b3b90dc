//! `forge doctor`: what works on this machine, what protects what, and what to do about the rest.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use forge_core::Kind;
use forge_core::audit::Change;
use forge_core::config::LOCAL;
use forge_core::home::Home;
use forge_core::keyring::{Keyring, Location};
use forge_core::manifest::printable_name;
use forge_core::provider::Failure;
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::failure::{Outcome, not_found};
use crate::keyring::KEPT_MINUTES;
use crate::printer::Printer;
use crate::providers::Opener;
use crate::{arguments, environment};

mod state;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Worth knowing, and nothing is broken.
    Note,
    Failed,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    subject: String,
    status: Status,
    detail: String,
    hint: Option<String>,
}

impl Check {
    fn new(subject: impl Into<String>, status: Status, detail: impl Into<String>) -> Self {
        Self { subject: subject.into(), status, detail: detail.into(), hint: None }
    }

    fn of(subject: impl Into<String>, outcome: Outcome<String>) -> Self {
        match outcome {
            Ok(detail) => Self::new(subject, Status::Ok, detail),
            Err(failure) => Self { hint: failure.hint, ..Self::new(subject, Status::Failed, failure.what) },
        }
    }
}

pub(crate) async fn run(app: &App, printer: &mut Printer, offline: bool) -> Outcome {
    let mut checks = vec![
        Check::new("forge", Status::Ok, format!("{}, contract {}", env!("CARGO_PKG_VERSION"), forge_sandbox::CONTRACT)),
        engine(app),
        configuration(app),
    ];
    checks.extend(state::layers(app));
    checks.push(policy(app));
    checks.extend([&app.home.config, &app.home.data, &app.home.cache].into_iter().filter_map(|path| private(path)));
    checks.push(state::files(app));
    checks.extend(project(app));
    checks.push(sealing_key(app));
    checks.push(state::audit(app));
    checks.extend(plugins(app));
    checks.extend(detected(app));
    let opener = Opener::new(&app.home, &app.config, &app.plugins, &app.policy, &app.audit, None);
    let opener = opener.keeping_tokens(!app.global.no_token_cache);
    checks.extend(state::secrets(app, &opener));
    for name in std::iter::once(LOCAL).chain(app.config.providers.keys().map(String::as_str)) {
        checks.push(Check::of(format!("provider `{name}`"), provider(app, &opener, name, offline).await));
    }
    report(app, printer, &checks)
}

fn report(app: &App, printer: &mut Printer, checks: &[Check]) -> Outcome {
    if printer.is_json() {
        // A log that can't be read is told by its check.
        printer.object(json!({ "checks": checks, "metrics": state::metrics(app).ok() }))?;
    } else {
        for check in checks {
            let status = match check.status {
                Status::Ok => "ok  ",
                Status::Note => "note",
                Status::Failed => "FAIL",
            };
            printer.line(&format!("{status}  {}: {}", check.subject, check.detail))?;
            if let Some(hint) = &check.hint {
                printer.line(&format!("      {hint}"))?;
            }
        }
    }
    match checks.iter().filter(|check| check.status == Status::Failed).count() {
        0 => Ok(()),
        failed => Err(Failure::new(Kind::CheckFailed, format!("{failed} of {} checks failed", checks.len()))),
    }
}

fn engine(app: &App) -> Check {
    Check::of("engine", app.sandbox().map(|_| "starts".to_owned()))
}

fn configuration(app: &App) -> Check {
    let file = app.config_file.display();
    let there = if app.config_file.exists() { format!("`{file}`") } else { format!("none (`{file}` is not there)") };
    let default = app.config.default_provider().map(str::to_owned).map_err(Failure::from);
    let detail = default.map(|default| {
        let providers = match app.config.providers.len() {
            1 => "1 provider".to_owned(),
            count => format!("{count} providers"),
        };
        format!("{there}, {providers} besides `local`, default `{default}`")
    });
    Check::of("configuration", detail)
}

/// Whether the rules of who may do what can be used.
fn policy(app: &App) -> Check {
    let loaded = app.policy.load();
    let hint = loaded.as_ref().err().map(forge_core::policy::Error::hint);
    let detail = loaded.map(|rules| match (app.policy.is_configured(), rules) {
        (false, _) => "none: the grants decide".to_owned(),
        (true, 1) => format!("1 rule of {}", state::policies(app)),
        (true, rules) => format!("{rules} rules of {}", state::policies(app)),
    });
    let failure =
        |error: forge_core::policy::Error| Failure::new(Kind::AccessDenied, format!("everything is denied: {error}"));
    Check { hint, ..Check::of("policy", detail.map_err(failure)) }
}

/// The project of the working directory: allowed, or why it does not count.
fn project(app: &App) -> Option<Check> {
    let found = app.project.as_ref()?;
    let subject = format!("project `{}`", printable_name(&found.directory.display().to_string()));
    Some(match &app.config.withheld {
        None => Check::new(subject, Status::Ok, "allowed"),
        Some(withheld) => Check {
            hint: withheld.why.hint(),
            ..Check::new(subject, Status::Note, format!("does not count: {}", withheld.why))
        },
    })
}

/// A directory of forge that others could look into or write to; one that is not there yet is made private.
fn private(path: &Path) -> Option<Check> {
    let metadata = path.symlink_metadata().ok()?;
    let subject = format!("directory `{}`", path.display());
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != environment::user_number() {
        let failed = Check::new(subject, Status::Failed, "belongs to somebody else");
        return Some(Check { hint: Some("whoever owns it decides what forge runs: `chown` it".to_owned()), ..failed });
    }
    if mode & 0o077 != 0 {
        let failed = Check::new(subject, Status::Failed, format!("has mode {mode:04o}, so others have access to it"));
        return Some(Check { hint: Some(format!("`chmod 700 {}`", path.display())), ..failed });
    }
    Some(Check::new(subject, Status::Ok, format!("mode {mode:04o}")))
}

fn sealing_key(app: &App) -> Check {
    const SUBJECT: &str = "sealing key";
    match app.home.key_location() {
        Err(error) => Check::of(SUBJECT, Err(error.into())),
        Ok(Location::Nowhere) => Check::new(SUBJECT, Status::Ok, "not there yet: the first operation makes it"),
        Ok(Location::File) => {
            let detail = format!(
                "the file `{}`: it protects the store where that is copied without it (a backup, a synced folder), \
                 and not from programs that run as you",
                app.home.sealing_key_file().display()
            );
            let offer =
                "`forge doctor --move-key keyring` moves it into the desktop's keyring, which opens when you log in";
            let hint = app.keyring.is_ready().ok().map(|()| offer.to_owned());
            Check { hint, ..Check::new(SUBJECT, Status::Ok, detail) }
        }
        Ok(Location::Keyring(id)) => {
            // Of the desktop itself: what the kernel keeps for a while would hide that it is lost.
            let keyring: Arc<dyn Keyring> = Arc::new(app.keyring.without_cache());
            let home = Home { keyring: Some(keyring), ..app.home.clone() };
            let detail = format!(
                "`{id}` in the desktop's keyring, kept by the kernel for {KEPT_MINUTES} minutes after it was used: it \
                 protects the store where your disk or your whole home is copied, and not from programs that run as \
                 you while the keyring is unlocked"
            );
            Check::of(SUBJECT, home.sealing_key().map(|_| detail).map_err(Failure::from))
        }
    }
}

/// Moves the sealing key, which happens only when a person says so.
pub(crate) fn move_key(app: &App, printer: &mut Printer, to: arguments::Place) -> Outcome {
    let before = app.home.key_location()?;
    if before == Location::Nowhere {
        return Err(not_found("there is no sealing key yet: the first operation makes it")
            .with_hint("`[store] key = \"keyring\"` or `\"file\"` in your configuration says where it will be"));
    }
    let (moved, shown) = match to {
        arguments::Place::Keyring => (before == Location::File, "keyring"),
        arguments::Place::File => (before != Location::File, "file"),
    };
    let begun = app.audit.change(Change::new("key-move", shown))?;
    let answer = match to {
        arguments::Place::Keyring => app.home.move_key_to_keyring(),
        arguments::Place::File => app.home.move_key_to_file(),
    };
    app.audit.changed(&begun, answer.map_err(Failure::from))?;
    if printer.is_json() {
        return printer.object(json!({ "key": shown, "moved": moved }));
    }
    printer.note(match (moved, to) {
        (false, _) => "the sealing key is there already",
        (true, arguments::Place::Keyring) => {
            "the sealing key is in the desktop's keyring now; older copies of its file, as in a backup, still open the store"
        }
        (true, arguments::Place::File) => "the sealing key is in its file now, and no longer in the keyring",
    });
    Ok(())
}

fn plugins(app: &App) -> Vec<Check> {
    let installed = match app.plugins.installed() {
        Ok(installed) => installed,
        Err(error) => return vec![Check::of("plugins", Err(error.into()))],
    };
    let names = app.plugins.builtins().map(str::to_owned).chain(installed.into_keys());
    let check = |name: String| {
        let found = app.plugins.find(&name).map_err(Failure::from);
        let detail = found.map(|found| {
            let whose = if found.is_builtin { "built in" } else { "installed" };
            format!(
                "{} {whose}, sha256 {}…",
                found.component.manifest.version,
                forge_sandbox::short(&found.component.digest)
            )
        });
        Check::of(format!("plugin `{name}`"), detail)
    };
    names.map(check).collect()
}

/// Variables that a built-in plugin knows, while no provider uses it: offered, and never used by themselves.
fn detected(app: &App) -> Vec<Check> {
    let mut checks = Vec::new();
    for name in app.plugins.builtins() {
        let Ok(found) = app.plugins.find(name) else { continue };
        if app.config.providers.values().any(|provider| provider.plugin == name) {
            continue;
        }
        let known = found.component.manifest.detect.iter();
        let set: Vec<(&String, &String)> =
            known.filter(|(_, variable)| environment::variable(variable).is_some_and(|v| !v.is_empty())).collect();
        let Some((_, first)) = set.first() else { continue };
        let settings: String =
            set.iter().map(|(setting, variable)| format!(" --set {setting}=\"${variable}\"")).collect();
        let detail = format!("`{first}` is set, and no provider uses plugin `{name}`");
        let hint = Some(format!("`forge provider add NAME --plugin {name}{settings}` would"));
        checks.push(Check { hint, ..Check::new("environment", Status::Note, detail) });
    }
    checks
}

/// Whether a provider's grant holds, its plugin runs and its backend answers; and as whom.
async fn provider(app: &App, opener: &Opener, name: &str, offline: bool) -> Outcome<String> {
    let (grant, found) = opener.granted(name)?;
    let plugin = format!("plugin `{}`", found.component.manifest.id);
    // What needs no network is asked in any case.
    if offline && !grant.routes.is_empty() {
        return Ok(format!("{plugin}, granted; not asked"));
    }
    app.resolver_over(opener.clone()).check(Some(name)).await?;
    let identity = match &grant.credential {
        Some(_) => opener.egress(&grant)?.identity().await?,
        None => None,
    };
    Ok(identity.map_or_else(|| format!("{plugin}, works"), |identity| format!("{plugin}, works as {identity}")))
}
