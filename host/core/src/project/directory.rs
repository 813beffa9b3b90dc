//! Directories and files that a project names: below its own folder, wherever its links lead.

use std::path::{Component, Path, PathBuf};

use crate::manifest::Manifest;
use crate::setting::{SettingKind, Settings};

/// Why a project's setting names nothing that the project may name. The value is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{setting}` {rule}")]
pub struct Error {
    /// The setting.
    pub setting: String,
    /// What it has to be.
    pub rule: &'static str,
}

const RELATIVE: &str = "of a project must be a path below the project's folder: relative, without `..` and `~`";
const OUTSIDE: &str = "leads out of the project's folder through a link";
const REPOSITORY: &str = "of a project can't be the project's folder itself or lie in `.git`, where files are programs";

/// A project's settings as the grant has them: paths are those of the system's root.
///
/// # Errors
/// A path that is not below the project's folder.
pub fn resolved(manifest: &Manifest, settings: &Settings, project: &Path) -> Result<Settings, Error> {
    let resolve = |(name, value): (&String, &String)| {
        let kind = manifest.setting(name).map(|ask| ask.kind);
        let value = match kind {
            Some(SettingKind::Directory | SettingKind::File) => below(project, name, value)?.display().to_string(),
            _ => value.clone(),
        };
        Ok((name.clone(), value))
    };
    settings.iter().map(resolve).collect()
}

fn below(project: &Path, setting: &str, value: &str) -> Result<PathBuf, Error> {
    let refuse = |rule| Error { setting: setting.to_owned(), rule };
    let written = Path::new(value);
    let mut path = project.to_owned();
    for component in written.components() {
        match component {
            Component::CurDir => {}
            // A tilde is a home directory to whoever reads it, and a folder of that name to the system.
            Component::Normal(part) if part.to_str().is_none_or(|part| part.starts_with('~')) => {
                return Err(refuse(RELATIVE));
            }
            Component::Normal(part) => path.push(part),
            _ => return Err(refuse(RELATIVE)),
        }
    }
    let real = inside(project, &path).map_err(|()| refuse(OUTSIDE))?;
    let is_allowed = is_working_tree(project, &path) && is_working_tree(project, &real);
    if is_allowed { Ok(path) } else { Err(refuse(REPOSITORY)) }
}

/// Where `path` really is, if that is inside of the project, links included.
///
/// # Errors
/// It leads elsewhere, or can't be told.
pub fn real(project: &Path, path: &Path) -> Result<PathBuf, Error> {
    let refuse = |rule| Error { setting: "path".to_owned(), rule };
    let real = inside(project, path).map_err(|()| refuse(OUTSIDE))?;
    if is_working_tree(project, &real) { Ok(real) } else { Err(refuse(REPOSITORY)) }
}

/// What exists of `path` without links, and the rest of it as written.
fn inside(project: &Path, path: &Path) -> Result<PathBuf, ()> {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        // A link that leads to nothing is no missing name: whoever makes its target chooses where it leads.
        match existing.symlink_metadata() {
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                missing.push(existing.file_name().ok_or(())?);
                existing = existing.parent().ok_or(())?;
            }
            Err(_) => return Err(()),
        }
    }
    let mut real = std::fs::canonicalize(existing).map_err(|_| ())?;
    real.extend(missing.into_iter().rev());
    if real.starts_with(project) { Ok(real) } else { Err(()) }
}

/// Whether `path` is below the project's folder and no part of a repository's own files: a plugin that writes a hook or
/// a setting of git there would run programs as the user.
fn is_working_tree(project: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(project) else { return false };
    let is_git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
    below.components().next().is_some() && !below.components().any(is_git)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let project = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::create_dir(project.join("inside")).unwrap();
        assert_eq!(below(&project, "path", "inside/./new").unwrap(), project.join("inside/new"));
        for (value, rule) in [
            ("../outside", RELATIVE),
            ("inside/../../outside", RELATIVE),
            ("/etc", RELATIVE),
            ("~/.ssh", RELATIVE),
            (".", REPOSITORY),
            ("", REPOSITORY),
            (".git/hooks", REPOSITORY),
            ("inside/.GIT", REPOSITORY),
        ] {
            assert_eq!(below(&project, "path", value).unwrap_err().rule, rule, "{value}");
        }
    }

    #[test]
    fn a_link_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let project = std::fs::canonicalize(folder.path()).unwrap().join("project");
        std::fs::create_dir_all(project.join("inside")).unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, project.join(name)).unwrap();
        link("inside", "good");
        link("..", "up");
        link("/nowhere/at/all", "dangling");
        link("inside/../.git", "repository");
        std::fs::create_dir(project.join(".git")).unwrap();
        assert_eq!(real(&project, &project.join("good/new")).unwrap(), project.join("inside/new"));
        for (name, rule) in [
            ("up", OUTSIDE),
            ("up/x", OUTSIDE),
            ("dangling", OUTSIDE),
            ("dangling/x", OUTSIDE),
            ("repository", REPOSITORY),
        ] {
            assert_eq!(real(&project, &project.join(name)).unwrap_err().rule, rule, "{name}");
        }
    }
}
