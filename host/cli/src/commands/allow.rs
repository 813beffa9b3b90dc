//! `forge allow`: from a project that is there to one that counts, with everything it wants seen and granted at once.

mod choice;
mod order;
mod shown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forge_core::Kind;
use forge_core::audit;
use forge_core::config::{LOCAL, Layer};
use forge_core::grant::Grant;
use forge_core::home;
use forge_core::project::{self, Found};
use forge_core::provider::Failure;
use forge_core::trust::{self, Change, Pattern, Record, changes};
use serde_json::json;

use self::choice::Choices;
use crate::app::App;
use crate::arguments::{Add, Allow};
use crate::commands::provider::add::{Proposed, propose, settle};
use crate::credential;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;
use crate::providers::Opener;

/// The longest grant, in bytes.
const LONGEST_GRANT: u64 = 1 << 20;

/// What is to be allowed: read once, so that what is recorded is what was shown, whatever the file says by then.
struct Request {
    /// The project's folder.
    directory: String,
    files: Vec<PathBuf>,
    hash: String,
    meaning: Layer,
    before: Option<Record>,
    changes: Vec<Change>,
    references: Vec<Pattern>,
}

/// A provider that gets a grant of its own now.
struct Pending {
    name: String,
    found: forge_sandbox::Found,
    proposed: Proposed,
}

pub(crate) async fn run(app: &App, printer: &mut Printer, arguments: &Allow) -> Outcome {
    let tried = || "can't allow the project".to_owned();
    if arguments.revoke {
        return revoke(app, printer).context(|| "can't take back what the project was allowed".to_owned());
    }
    let Some(found) = &app.project else {
        let what =
            format!("there is no `{}` here, nor above up to the repository or the home directory", project::FILE);
        return Err(not_found(what).with_hint("`forge init` writes one")).context(tried);
    };
    let request = read(app, found, arguments).context(tried)?;
    if arguments.print {
        return print(app, printer, &request);
    }
    if let Some(expected) = &arguments.project_hash
        && !expected.eq_ignore_ascii_case(&request.hash)
    {
        let what = format!("its hash is `{}`, and another one was to be allowed", request.hash);
        let hint = "`forge allow --print` prints the hash; look at what changed before you take the new one";
        return Err(Failure::new(Kind::NotGranted, what).with_hint(hint)).context(tried);
    }
    allow(app, printer, arguments, request).await.context(tried)
}

fn read(app: &App, found: &Found, arguments: &Allow) -> Outcome<Request> {
    let meaning = found.meaning.clone()?;
    if let Some(why @ project::Error::Shadows { .. }) = app.config.withheld.as_ref().map(|withheld| &withheld.why) {
        return Err(why.clone().into());
    }
    // A record that can't be read is replaced, and everything is shown as new.
    let before = Record::read(&app.home, &found.directory).unwrap_or_default();
    let changes = changes(&before.as_ref().map(|record| record.meaning.clone()).unwrap_or_default(), &meaning);
    let mut references = Vec::new();
    for pattern in &arguments.refs {
        references.push(pattern.parse::<Pattern>().context(|| "`--refs`".to_owned())?);
    }
    if references.is_empty() {
        references = before.as_ref().map(|record| record.references.clone()).unwrap_or_default();
    }
    let directory = found.directory.to_str().ok_or_else(|| usage("the project's path is not UTF-8"))?.to_owned();
    let hash = project::hash(&meaning);
    Ok(Request { directory, files: found.files.clone(), hash, meaning, before, changes, references })
}

fn print(app: &App, printer: &mut Printer, request: &Request) -> Outcome {
    if !printer.is_json() {
        return printer.line(&request.hash);
    }
    let state = match &app.config.withheld {
        None => "allowed",
        Some(_) if request.before.is_some() => "changed",
        Some(_) => "not-allowed",
    };
    let files: Vec<String> = request.files.iter().map(|file| file.display().to_string()).collect();
    printer.object(json!({
        "path": request.directory,
        "files": files,
        "project_hash": request.hash,
        "state": state,
        "meaning": request.meaning,
        "changes": shown::changes(&request.changes),
    }))
}

async fn allow(app: &App, printer: &mut Printer, arguments: &Allow, request: Request) -> Outcome {
    let choices = Choices::of(arguments, &request.meaning)?;
    let (pending, kept) = pending(app, printer, &choices, &request).await?;
    let is_known = request.before.as_ref().is_some_and(|record| {
        record.hash == request.hash && record.references == request.references && choices.is_empty()
    });
    if is_known && pending.is_empty() {
        if printer.is_json() {
            return report(printer, &request, &BTreeMap::new());
        }
        printer.note(&format!("`{}` is allowed already", project::shown(Path::new(&request.directory))));
        return Ok(());
    }
    let summary = shown::summary(&request, &pending, &kept, &choices.without);
    let warnings = shown::unknown_providers(app, &request.meaning);
    warnings.iter().for_each(|warning| printer.warning(warning));
    if arguments.yes || arguments.project_hash.is_some() {
        printer.note(&summary);
    } else {
        printer.summary(&format!("{summary}\n"));
        if !printer.confirm("allow all of this?") {
            let hint = format!(
                "`--yes` allows it without a question, `--project-hash {}` only while it means this",
                request.hash
            );
            return Err(Failure::new(Kind::NotGranted, "nobody allowed it").with_hint(hint));
        }
    }
    let change = audit::Change::new("project-allow", &request.directory).with("project_hash", &request.hash);
    let mut begun = app.audit.change(change)?;
    let granted = granted(app, printer, &request, pending, &kept).await;
    for (name, grant) in granted.iter().flatten() {
        begun.add("grant", format!("{name}: {}", grant.digest()));
    }
    let grants = app.audit.changed(&begun, granted)?;
    report(printer, &request, &grants)
}

/// Tries what was allowed, and records it.
async fn granted(
    app: &App,
    printer: &mut Printer,
    request: &Request,
    pending: Vec<Pending>,
    kept: &[String],
) -> Outcome<BTreeMap<String, Grant>> {
    // All are tried before one is recorded: half a project would look like a whole one. The sources of all count from
    // the beginning, since a check runs a plugin, which must not be lent what another one logs in with.
    let mut grants: BTreeMap<String, Grant> =
        pending.iter().map(|one| (one.name.clone(), one.proposed.grant.clone())).collect();
    for Pending { name, found, proposed } in order::by_need(pending)? {
        let mut grant = proposed.grant;
        // Its credential may be a secret of one that was tried before it.
        let opener = opener(app, &request.meaning).with_grants(&grants);
        let settled = settle(&opener, &found, &mut grant).await;
        let notes = settled.context(|| format!("`{name}`")).map_err(|failure| without(failure, &name))?;
        notes.iter().for_each(|note| printer.warning(&format!("`{name}`: {note}")));
        grants.insert(name, grant);
    }
    record(app, request, &grants, kept)?;
    Ok(grants)
}

fn report(printer: &mut Printer, request: &Request, grants: &BTreeMap<String, Grant>) -> Outcome {
    if printer.is_json() {
        let providers: Vec<_> = grants.values().map(super::provider::as_json).collect();
        return printer.object(json!({
            "path": request.directory,
            "project_hash": request.hash,
            "state": "allowed",
            "changes": shown::changes(&request.changes),
            "providers": providers,
        }));
    }
    printer.note(&format!("allowed `{}`", project::shown(Path::new(&request.directory))));
    Ok(())
}

/// An opener that knows the project's providers, whether or not they count already.
fn opener(app: &App, meaning: &Layer) -> Opener {
    let mut config = app.config.clone();
    config.providers.extend(meaning.providers.clone());
    config.withheld = None;
    Opener::new(&app.home, &config, &app.plugins, &app.policy, &app.audit, None)
        .asking(!app.global.non_interactive)
        .keeping_tokens(!app.global.no_token_cache)
        .knowing(&app.answers)
}

/// What to do about a provider that can't be granted what it wants: a project need not wait for all of its providers.
fn without(failure: Failure, name: &str) -> Failure {
    let more = format!("`--without {name}` grants it nothing and allows the rest");
    let hint = match (failure.kind, &failure.hint) {
        (Kind::Unauthenticated, _) => format!(
            "`--credential {name}=KIND,NAME=SOURCE` says where it is (`env:NAME`, `file:PATH`, `prompt`, `store://…`); {more}"
        ),
        (_, Some(hint)) => format!("{hint}; or {more}"),
        (_, None) => more,
    };
    failure.with_hint(hint)
}

/// The providers that need a grant, and those whose grant still holds: it was shown and allowed before.
async fn pending(
    app: &App,
    printer: &mut Printer,
    choices: &Choices,
    request: &Request,
) -> Outcome<(Vec<Pending>, Vec<String>)> {
    let (mut pending, mut kept) = (Vec::new(), Vec::new());
    let opener = opener(app, &request.meaning);
    for (name, config) in request.meaning.providers.iter().filter(|(name, _)| !choices.without.contains(*name)) {
        if request.before.is_some() && !choices.concern(name) && opener.granted(name).is_ok() {
            kept.push(name.clone());
            continue;
        }
        let tried = || format!("`{name}` of {}", config.place);
        let found = app.plugins.find(&config.plugin).context(tried)?;
        let manifest = &found.component.manifest;
        let directory = Path::new(&request.directory);
        let given = project::directory::resolved(manifest, &config.settings, directory).context(tried)?;
        let asked = manifest.credential.as_ref().map(|ask| &ask.kind);
        if let (Some(written), Some(asked)) = (&config.credential, asked)
            && written != asked
            && written != "none"
        {
            return Err(usage(format!("its plugin works with a credential of the kind `{asked}`"))).context(tried);
        }
        let add = Add {
            name: name.clone(),
            plugin: config.plugin.clone(),
            credential: choices.credential(name).or(config.credential.clone()),
            credential_audience: choices.audience(name),
            tls_ca: choices.tls_ca(name),
            tls_cert: choices.tls_cert(name),
            tls_key: choices.tls_key(name),
            read_only: choices.read_only.contains(name),
            ..Add::default()
        };
        let proposed = propose(app, printer, &add, &found, &given, Some(&request.directory)).await;
        let proposed = proposed.context(tried).map_err(|failure| without(failure, name))?;
        pending.push(Pending { name: name.clone(), found, proposed });
    }
    Ok((pending, kept))
}

/// Grants first: one without its project's trust is not used, and neither is a project without its grants.
fn record(app: &App, request: &Request, grants: &BTreeMap<String, Grant>, kept: &[String]) -> Outcome {
    let directory = Path::new(&request.directory);
    let folder = trust::grants(&app.home, directory);
    for (name, grant) in grants {
        app.answers.record(&app.home, grant, &folder.join(format!("{name}.json")))?;
    }
    forget(app, &folder, |name| grants.contains_key(name) || kept.iter().any(|kept| kept == name))?;
    let record = Record {
        schema_version: trust::SCHEMA_VERSION,
        path: request.directory.clone(),
        hash: request.hash.clone(),
        meaning: request.meaning.clone(),
        references: request.references.clone(),
    };
    Ok(record.write(&app.home)?)
}

/// Removes the grants of a project that nothing keeps, with what was typed for them.
fn forget(app: &App, folder: &Path, is_kept: impl Fn(&str) -> bool) -> Outcome {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if is_kept(name) {
            continue;
        }
        // What can't be read any more holds no sealed credential that could be found.
        let grant = home::read_private(&path, LONGEST_GRANT).unwrap_or_default();
        let grant = grant.and_then(|text| serde_json::from_slice::<Grant>(&text).ok());
        if let Some(grant) = grant {
            credential::forget(&app.home, &grant)?;
        }
        std::fs::remove_file(&path).map_err(|error| home::Error { what: "remove", path, why: error.to_string() })?;
    }
    Ok(())
}

fn revoke(app: &App, printer: &mut Printer) -> Outcome {
    // A project whose file is gone or wrong can be revoked too.
    let here = crate::environment::working_directory();
    let Some(directory) = app.project.as_ref().map(|found| found.directory.clone()).or(here) else {
        return Err(usage("there is no working directory"));
    };
    let shown = project::shown(&directory);
    let subject = directory.display().to_string();
    let begun = app.audit.change(audit::Change::new("project-revoke", &subject))?;
    app.audit.changed(&begun, revoked(app, &directory, &shown))?;
    if printer.is_json() {
        return printer.object(json!({ "path": directory.display().to_string(), "revoked": true }));
    }
    printer.note(&format!("`{shown}` is not allowed any more"));
    Ok(())
}

/// Takes back what a project was allowed.
fn revoked(app: &App, directory: &Path, shown: &str) -> Outcome {
    let folder = trust::grants(&app.home, directory);
    // Trust first: whatever fails after it, the project does not count any more.
    let was_allowed = Record::remove(&app.home, directory)?;
    forget(app, &folder, |_| false)?;
    if !was_allowed && !folder.exists() {
        return Err(not_found(format!("`{shown}` was not allowed")));
    }
    if folder.exists() {
        std::fs::remove_dir(&folder).map_err(|error| home::Error {
            what: "remove",
            path: folder,
            why: error.to_string(),
        })?;
    }
    Ok(())
}

/// Whether a name is that of a provider that is there without this project.
fn is_own(app: &App, name: &str) -> bool {
    name == LOCAL || app.config.providers.contains_key(name)
}
