//! Credentials on the command line: which kind, from which source, and the reading of sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use forge_broker::{Error, Source, Sources};
use forge_core::Kind;
use forge_core::grant::Grant;
use forge_core::home::{self, Home};
use forge_core::provider::Failure;
use forge_core::sealing::Place;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::environment;
use crate::failure::{Context as _, Outcome, usage};
use crate::printer::Printer;
use crate::tokens::TokenFile;

/// The longest credential, in bytes: service-account files have about 2,400.
const LONGEST: u64 = 64 << 10;

/// Where a prompted credential is sealed for: no plugin is its owner, so none can open it.
fn place(id: &str) -> Place<'_> {
    Place { owner: "credential", store: &[0; 16], path: id }
}

/// A credential as it was typed: a kind and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) kind: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Parses `KIND[,NAME=VALUE|SOURCE]...`.
pub(crate) fn typed(text: &str) -> Outcome<Typed> {
    let (kind, parameters) = forge_broker::parse_credential(text)?;
    Ok(Typed { kind, parameters })
}

/// What was answered to hidden prompts and nobody has allowed yet, by id: in memory alone, so that a refusal, a failure or
/// Ctrl-C leaves nothing of it.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>>>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answers(redacted)")
    }
}

impl Answers {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Zeroizing<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a grant that a person has allowed, with those of the answers that it names sealed into files of their own.
    /// What the grant before it had is removed: nobody would ever look for it again.
    ///
    /// # Errors
    /// It can't be sealed or written; then nothing of it is left, and the grant before it counts.
    pub(crate) fn record(&self, home: &Home, grant: &Grant, path: &Path) -> Outcome {
        // What can't be read any more holds no sealed credential that could be found.
        let before = home::read_private(path, crate::grants::LONGEST).unwrap_or_default();
        let before = before.and_then(|text| serde_json::from_slice::<Grant>(&text).ok());
        let text = serde_json::to_vec_pretty(grant).map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
        if let Err(failure) = self.keep(home, grant).and_then(|()| Ok(home::write(path, &text)?)) {
            self.take_back(home, grant);
            return Err(failure);
        }
        let named: Vec<PathBuf> = sealed_files(home, grant).collect();
        let left = before.iter().flat_map(|before| sealed_files(home, before)).filter(|path| !named.contains(path));
        let removed = left.map(|path| home::remove(&path)).chain([
            // Of grants that were replaced, and of those that were tried and came to nothing.
            TokenFile::of(home, grant).remove_others(&forge_broker::token_binding(grant)),
        ]);
        // The grant counts already, so whoever allowed it has to know, and nothing more.
        removed
            .filter_map(Result::err)
            .for_each(|error| tracing::warn!("a credential that was replaced stays: {error}"));
        Ok(())
    }

    /// Removes the sealed answers of a grant that is not recorded after all. Those of an older grant are not among them.
    pub(crate) fn take_back(&self, home: &Home, grant: &Grant) {
        let answers = self.all();
        let named = sources(grant).filter_map(|source| source.strip_prefix("sealed:"));
        for id in named.filter(|id| answers.contains_key(*id)) {
            if let Err(error) = home::remove(&sealed_file(home, id)) {
                tracing::warn!("a credential that nobody allowed stays: {error}");
            }
        }
    }

    /// Seals those that a grant names into files of their own.
    fn keep(&self, home: &Home, grant: &Grant) -> Outcome {
        let answers = self.all();
        let named = sources(grant).filter_map(|source| source.strip_prefix("sealed:"));
        for (id, answer) in named.filter_map(|id| Some((id, answers.get(id)?))) {
            let sealed = home.sealing_key()?.seal(place(id), 1, answer)?;
            home::write(&sealed_file(home, id), &sealed)?;
        }
        Ok(())
    }
}

/// Fills in what the person left out: absolute paths, answers of hidden prompts, and a usual place where none was named.
pub(crate) fn completed(
    mut typed: Typed,
    answers: &Answers,
    provider: &str,
    project: Option<&str>,
    printer: &mut Printer,
) -> Outcome<Typed> {
    for (name, value) in &mut typed.parameters {
        if !forge_broker::is_source_parameter(&typed.kind, name, value) {
            continue;
        }
        *value = source(value, answers, (provider, project), name, printer)?;
    }
    let Err(incomplete) = forge_broker::check_credential(&typed.kind, &typed.parameters) else {
        return Ok(typed);
    };
    let usual = forge_broker::usual_sources(&typed.kind, &typed.parameters);
    if usual.is_empty() {
        return Err(incomplete.into());
    }
    let mut missing = None;
    for wanted in usual {
        let places: Vec<String> = wanted.places.iter().map(|place| expanded(place)).collect();
        let found = places.iter().find(|place| place.parse().is_ok_and(|source| is_there(&source)));
        if found.is_none() && wanted.is_optional {
            continue;
        }
        // What a variable would name is no place while it names nothing.
        let first = || places.iter().find(|place| place.parse::<Source>().is_ok());
        typed.parameters.insert(wanted.parameter.to_owned(), found.or_else(first).cloned().unwrap_or_default());
        if found.is_none() && missing.is_none() {
            missing = Some((wanted.parameter, places));
        }
    }
    // Whatever else is missing is said first: a place would not help.
    forge_broker::check_credential(&typed.kind, &typed.parameters).map_err(|_| incomplete)?;
    if let Some((name, places)) = missing {
        let what = format!("no credential found: looked at `{}`", places.join("`, `"));
        let hint = format!(
            "say where it is: `--credential {},{name}=env:NAME` (or `file:PATH`, `prompt`, `store://…`)",
            typed.kind
        );
        return Err(Failure::new(Kind::Unauthenticated, what).with_hint(hint));
    }
    Ok(typed)
}

/// A source that was typed for `name`, as it is recorded: with an absolute path, or where a prompt's answer will be sealed.
///
/// The provider stands with the folder of its project, where it has one.
pub(crate) fn source(
    typed: &str,
    answers: &Answers,
    (provider, project): (&str, Option<&str>),
    name: &str,
    printer: &mut Printer,
) -> Outcome<String> {
    if typed == "prompt" {
        return prompted(answers, provider, project, name, printer);
    }
    match typed.strip_prefix("file:") {
        Some(path) => Ok(format!("file:{}", environment::absolute(&tilde(path))?.display())),
        None => Ok(typed.to_owned()),
    }
}

fn tilde(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), environment::home_directory()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// A usual place with the home directory filled in, or the file that a variable names; one that names none stays as it is.
pub(crate) fn expanded(place: &str) -> String {
    match place.strip_prefix("file:") {
        Some(path) if path.starts_with('$') => {
            let named = environment::variable(path.trim_start_matches('$')).filter(|path| !path.is_empty());
            let named = named.and_then(|path| environment::absolute(Path::new(&path)).ok());
            named.map_or_else(|| place.to_owned(), |path| format!("file:{}", path.display()))
        }
        Some(path) => format!("file:{}", tilde(path).display()),
        None => place.to_owned(),
    }
}

fn is_there(source: &Source) -> bool {
    match source {
        Source::Environment(name) => environment::variable(name).is_some_and(|value| !value.is_empty()),
        Source::File(path) => path.is_file(),
        Source::Sealed(_) | Source::Reference(_) => true,
    }
}

/// Where prompted credentials of a provider lie.
fn sealed_file(home: &Home, id: &str) -> PathBuf {
    home.data.join("credentials").join(format!("{id}.sealed"))
}

/// Asks for a credential and keeps the answer in memory; answers the source that names it.
fn prompted(
    answers: &Answers,
    provider: &str,
    project: Option<&str>,
    name: &str,
    printer: &mut Printer,
) -> Outcome<String> {
    // Two projects may have a provider of the same name, and neither may have the other's credential.
    let id = match project {
        Some(folder) => format!("{}-{provider}-{name}", forge_core::project::key(folder.as_ref())),
        None => format!("{provider}-{name}"),
    };
    if printer.is_rehearsal() {
        return Ok(format!("sealed:{id}"));
    }
    if !printer.is_interactive() {
        return Err(usage("a credential from `prompt` needs a terminal"));
    }
    let answer = printer.hidden(&format!("{name} for `{provider}`: "))?;
    if answer.is_empty() {
        return Err(usage("an empty credential is none"));
    }
    // Another name each time: an answer that was not the last word must not stand where an older grant looks.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| Failure::new(Kind::Internal, "the system gives no random bytes"))?;
    let id = format!("{id}-{}", forge_core::sealing::hex(&random));
    let source = format!("sealed:{id}");
    answers.all().insert(id, Zeroizing::new(answer.as_bytes().to_vec()));
    Ok(source)
}

/// All sources of a grant: of its credential, and of its certificate's key.
pub(crate) fn sources(grant: &Grant) -> impl Iterator<Item = &String> {
    let credential = grant.credential.iter().flat_map(|credential| credential.parameters.values());
    credential.chain(grant.tls_certificate.iter().map(|certificate| &certificate.key))
}

/// A digest of what the environment and the files hold that a grant's credential is made of, for caches: a copy of what one
/// token may read is none for another token in the same place. It never leaves the memory but sealed.
pub(crate) fn mark(grant: &Grant) -> String {
    forge_core::cache::mark(sources(grant).map(|source| {
        let found = match source.split_once(':') {
            Some(("env", name)) => environment::variable(name).map(|value| Zeroizing::new(value.into_bytes())),
            Some(("file", path)) => std::fs::canonicalize(path)
                .ok()
                .and_then(|path| home::read(&path, LONGEST).ok().flatten())
                .map(Zeroizing::new),
            _ => None,
        };
        (source.as_str(), found)
    }))
}

/// The files in which answers lie that a grant names.
pub(crate) fn sealed_files(home: &Home, grant: &Grant) -> impl Iterator<Item = PathBuf> {
    sources(grant).filter_map(|value| value.strip_prefix("sealed:")).map(|id| sealed_file(home, id))
}

/// Removes what was asked for when a provider was added, and the tokens that its logins gave.
pub(crate) fn forget(home: &Home, grant: &Grant) -> Outcome {
    for path in sealed_files(home, grant) {
        home::remove(&path).context(|| "can't forget a credential".to_owned())?;
    }
    TokenFile::of(home, grant).remove().context(|| "can't forget a token".to_owned())
}

/// Reads sources: the environment, files, sealed answers, and secrets of other providers.
#[derive(Debug)]
pub(crate) struct Reader {
    home: Home,
    secrets: crate::providers::Opener,
}

impl Reader {
    pub(crate) fn new(home: &Home, secrets: crate::providers::Opener) -> Self {
        Self { home: home.clone(), secrets }
    }

    async fn bytes(&self, source: &Source) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match source {
            Source::Environment(name) => Ok(environment::variable(name).map(|value| value.into_bytes().into())),
            // A mounted secret is often a link, so links are followed here: a person named the path.
            Source::File(path) => match std::fs::canonicalize(path) {
                Ok(path) => {
                    home::read(&path, LONGEST).map(|found| found.map(Zeroizing::new)).map_err(|error| error.to_string())
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Source::Sealed(id) => {
                if let Some(answer) = self.secrets.answers().all().get(id) {
                    return Ok(Some(answer.clone()));
                }
                let sealed =
                    home::read_private(&sealed_file(&self.home, id), LONGEST).map_err(|error| error.to_string())?;
                let Some(sealed) = sealed else { return Ok(None) };
                let key = self.home.sealing_key().map_err(|error| error.to_string())?;
                key.open(place(id), &sealed).map(|(bytes, _)| Some(bytes)).map_err(|error| error.to_string())
            }
            Source::Reference(reference) => self.secrets.credential(reference).await,
        }
    }
}

#[async_trait]
impl Sources for Reader {
    async fn read(&self, source: &Source) -> Result<SecretString, Error> {
        let place = source.to_string();
        let found = self.bytes(source).await.map_err(|why| Error::SourceUnreadable { place: place.clone(), why })?;
        let bytes = found.ok_or_else(|| Error::SourceAbsent { place: place.clone() })?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::SourceUnreadable { place, why: "it is not UTF-8".to_owned() })?;
        Ok(SecretString::from(text.to_owned()))
    }

    async fn output(&self, words: &[String]) -> Result<SecretString, Error> {
        crate::program::output(words).await
    }

    async fn code(&self, device: &str) -> Result<SecretString, Error> {
        if self.secrets.asks() {
            return crate::program::code(device);
        }
        Err(Error::CodeNeeded { device: device.to_owned() })
    }
}
