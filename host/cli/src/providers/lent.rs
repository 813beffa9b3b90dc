//! What of this machine is lent to a plugin, and what to none: forge's own files, and whatever holds a credential.

use std::path::Path;

use forge_core::Kind;
use forge_core::config::LOCAL;
use forge_core::grant::{DirectoryGrant, Grant, PluginPin};
use forge_core::project::directory;
use forge_core::provider::Failure;
use forge_core::setting;
use forge_sandbox::{Directory, Environment, Seal};

use super::Opener;
use crate::failure::Outcome;
use crate::{environment, grants};

impl Opener {
    /// The directory of a grant, as it is lent to its plugin.
    pub(super) fn directory(&self, grant: &Grant, directory: &DirectoryGrant) -> Outcome<Directory> {
        let mut directory = directory.clone();
        if let Some(project) = &grant.project {
            // Whoever changes the project can put a link where there was none when it was allowed.
            let real = directory::real(Path::new(project), Path::new(&directory.path))?;
            directory.path = real.display().to_string();
        }
        if grant.provider != LOCAL {
            self.check_apart(grant, &directory)?;
        }
        let seal = if directory.sealed { Some(Seal::of(&self.home)?) } else { None };
        // Sealed for the plugin: no other one opens the files, wherever somebody copies them.
        let owner = match &grant.plugin {
            PluginPin::Builtin(id) => format!("builtin:{id}"),
            PluginPin::Digest(_) => match &grant.project {
                Some(project) => format!("provider:{} of {project}", grant.provider),
                None => format!("provider:{}", grant.provider),
            },
        };
        let opened = Directory::new(&directory, seal, owner);
        // What was checked above is a path; it is opened through no link, so it is the place that was checked.
        Ok(if grant.project.is_some() { opened.without_links() } else { opened })
    }

    /// Refuses a directory in which forge's own files lie, or a credential: a plugin would read keys and rewrite grants.
    pub(crate) fn check_apart(&self, grant: &Grant, directory: &DirectoryGrant) -> Outcome {
        // What does not exist yet is where its path says; what does may be a link.
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let granted = real(Path::new(&directory.path));
        let own = [&self.home.config, &self.home.data, &self.home.cache];
        let overlaps =
            own.into_iter().map(|path| real(path)).any(|own| own.starts_with(&granted) || granted.starts_with(own));
        // Its own counts before it is recorded, too: the check of a new provider runs the plugin.
        let mut sources = self.credential_sources()?;
        sources.extend(crate::credential::sources(grant).cloned());
        let credential = sources
            .iter()
            .find_map(|source| source.strip_prefix("file:").filter(|path| real(Path::new(path)).starts_with(&granted)));
        let lent = if directory.file.is_some() { "file" } else { "directory" };
        let what = match (credential, lent) {
            (_, "file") if overlaps => "a plugin can't be given a file of forge's own".to_owned(),
            _ if overlaps => {
                "a plugin can't be given a directory with forge's own files in it, or one of them".to_owned()
            }
            (Some(path), "file") => format!("a plugin can't be given the file of a credential (`{path}`)"),
            (Some(path), _) => format!("a plugin can't be given a directory with a credential in it (`{path}`)"),
            (None, _) => return Ok(()),
        };
        Err(Failure::new(Kind::NotGranted, what).with_hint(format!("choose a {lent} of its own")))
    }

    /// Where the host looks for credentials: the usual places of each kind, and the sources of each grant.
    ///
    /// # Errors
    /// A grant can't be read.
    fn credential_sources(&self) -> Outcome<Vec<String>> {
        let mut sources: Vec<String> = forge_broker::every_usual_source().map(crate::credential::expanded).collect();
        // Not only of the providers that are configured here: a project's credential is none of another folder's either.
        let recorded = grants::every(&self.home)?;
        let granted = recorded.iter().chain(self.unrecorded.values());
        sources.extend(granted.flat_map(crate::credential::sources).cloned());
        Ok(sources)
    }

    /// Refuses names among which is a variable that holds a credential: it is lent to nobody, and who grants it must know.
    pub(crate) fn check_environment(&self, grant: &Grant) -> Outcome {
        if grant.environment.is_empty() {
            return Ok(());
        }
        let own = crate::credential::sources(grant).cloned();
        let held: Vec<String> = self.credential_sources()?.into_iter().chain(own).collect();
        for pattern in &grant.environment {
            let variables = held.iter().filter_map(|source| source.strip_prefix("env:"));
            if let Some(name) = variables.into_iter().find(|name| setting::is_within(pattern, name)) {
                let what = format!("the variables `{pattern}` take in `{name}`, where a credential is");
                return Err(Failure::new(Kind::NotGranted, what)
                    .with_hint("choose names that leave it out: one variable, or a longer beginning"));
            }
        }
        Ok(())
    }

    /// The variables that a grant names, but for those that hold a credential: no plugin sees one, asked for or not.
    pub(super) fn environment(&self, grant: &Grant) -> Outcome<Environment> {
        if grant.environment.is_empty() {
            return Ok(Environment::default());
        }
        let own = crate::credential::sources(grant).cloned();
        let held: Vec<String> = self.credential_sources()?.into_iter().chain(own).collect();
        let is_credential = |name: &str| held.iter().any(|source| source.strip_prefix("env:") == Some(name));
        let variables = environment::variables().filter(|(name, _)| !is_credential(name));
        Ok(Environment::granted(&grant.environment, variables))
    }
}
