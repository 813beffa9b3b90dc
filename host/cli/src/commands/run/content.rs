//! What a program is given: the values as they were read at one time, and the text that is mounted.

use std::path::Path;

use forge_core::Kind;
use forge_core::document::{Document, Format};
use forge_core::manifest::printable_name;
use forge_core::resolver::references::{Wanted, all_or_failure};
use forge_core::resolver::{Manner, Mode, Resolver};
use zeroize::Zeroizing;

use crate::app::App;
use crate::arguments::Run;
use crate::commands::inject;
use crate::commands::variables::{self, Given};
use crate::commands::written::Style;
use crate::failure::{Context as _, Outcome, usage};
use crate::providers::Opener;

/// What is read, as often as it has to be.
pub(super) struct Wish<'a> {
    app: &'a App,
    opener: Opener,
    what: What,
}

enum What {
    /// Variables, for the program's environment or in a file of this style.
    Variables(crate::arguments::Variables, Option<Style>),
    /// A file with references.
    Template { name: String, document: Box<Document>, wanted: Vec<Wanted> },
}

/// What was read.
pub(super) struct Content {
    /// The values, each with the name of its variable or its reference.
    pub(super) values: Given,
    /// What stands in the file that is mounted.
    pub(super) mounted: Option<Zeroizing<Vec<u8>>>,
}

impl<'a> Wish<'a> {
    /// What was typed.
    ///
    /// # Errors
    /// The file with references can't be read or is none.
    pub(super) fn new(app: &'a App, typed: &Run) -> Outcome<Self> {
        let opener = app.opener().for_many();
        let what = match (&typed.mount, &typed.mount_format) {
            (None, _) => What::Variables(typed.variables.clone(), None),
            (Some(path), None) => What::Variables(typed.variables.clone(), Some(Style::of_file(path))),
            (Some(_), Some(said)) => match Style::named(said) {
                Some(style) => What::Variables(typed.variables.clone(), Some(style)),
                None => {
                    let template = template(Path::new(said))?;
                    if !typed.variables.only.is_empty() || !typed.variables.from.is_empty() {
                        return Err(usage(format!("`{}` says itself which secrets it takes", printable_name(said)))
                            .with_hint("leave `--only` and `--from` out"));
                    }
                    template
                }
            },
        };
        Ok(Self { app, opener, what })
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Something that has to be there can't be read, or does not fit where it is to go.
    pub(super) async fn read(&self) -> Outcome<Content> {
        self.read_by(&self.app.resolver_over(self.opener.clone()), false).await
    }

    /// Reads all of it once more, as the backends have it now: a copy, or what stands in for a secret while its backend is
    /// away, is no change of that secret.
    ///
    /// # Errors
    /// As [`Wish::read`].
    pub(super) async fn look(&self) -> Outcome<Content> {
        let resolver = self.app.resolver_over(self.opener.clone());
        let mode = if self.app.global.offline { Mode::Offline } else { Mode::Refresh };
        let manner = Manner { mode, ..Manner::default() };
        self.read_by(&resolver.in_manner(manner), true).await
    }

    async fn read_by(&self, resolver: &Resolver, is_look: bool) -> Outcome<Content> {
        match &self.what {
            What::Variables(typed, style) => {
                let mut chosen = variables::chosen(self.app, resolver, typed).await?;
                if is_look {
                    chosen.iter_mut().for_each(|variable| variable.wanted.fallback.clear());
                }
                let values = variables::read(resolver, &chosen).await?;
                let mounted = style.map(|style| style.written(&values)).transpose()?;
                Ok(Content { values, mounted })
            }
            What::Template { name, document, wanted } => {
                let values = all_or_failure(wanted, resolver.read_wanted(wanted).await)?;
                let mounted = Some(document.filled(&values).map_err(|error| error.of_file(name))?);
                let names = wanted.iter().map(|wanted| wanted.reference.to_string());
                Ok(Content { values: names.zip(values).collect(), mounted })
            }
        }
    }
}

/// A file with references, as `forge inject` takes it.
fn template(path: &Path) -> Outcome<What> {
    let name = printable_name(&path.display().to_string());
    let format = inject::format(Some(path), None).unwrap_or(Format::Text);
    let bytes = inject::read(Some(path)).context(|| format!("can't fill `{name}`")).map_err(|failure| {
        let known = || format!("`--mount-format` takes {}, or a file with references", Style::NAMES.join(", "));
        if failure.kind == Kind::NotFound { failure.with_hint(known()) } else { failure }
    })?;
    let document = Document::parse(bytes, format).map_err(|error| error.of_file(&name))?;
    Ok(What::Template { wanted: inject::wanted(&document, &name), name, document: Box::new(document) })
}
