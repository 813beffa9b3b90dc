//! `forge secret copy`: from any provider to any other, one secret or everything below a prefix.

use forge_core::parallel::{AT_ONCE, in_order};
use forge_core::policy::Action;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::{Resolver, Target};
use forge_core::secret::{Attributes, PutOptions, Secret, SecretVersion};
use forge_core::{Kind, field};
use serde_json::json;

use super::{Named, list, parsed, target, whole};
use crate::app::App;
use crate::commands::version;
use crate::failure::{Context as _, Outcome, not_found, usage};
use crate::printer::Printer;

/// How a copy is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) overwrite: bool,
    pub(crate) dry_run: bool,
}

pub(super) async fn copy(app: &App, printer: &mut Printer, from: &str, to: &str, manner: Manner) -> Outcome {
    match from.strip_suffix("/**") {
        Some(prefix) => many(app, printer, prefix, to, manner).await,
        None => {
            let (from, to) = (parsed(from)?, parsed(to)?);
            let tried = || format!("can't copy `{from}` to `{to}`");
            whole(&to, "is written").context(tried)?;
            if from.field.is_some() {
                return Err(usage("whole secrets are copied, so the reference has no field")).context(tried);
            }
            let source = Named::open(app, from.clone(), Action::Get).await.context(tried)?;
            let provider =
                source.resolver.prepare(target(&to), Action::Set).await.context(tried)?.identity.provider.clone();
            let destination = Reference { provider: Some(provider), ..to.clone() };
            if source.resolved == destination {
                return Err(usage("both are the same secret")).context(tried);
            }
            let written = one(&source.resolver, &source.resolved, &destination, manner).await.context(tried)?;
            if let Some((_, lost)) = &written {
                left_out(printer, &destination, lost);
            }
            if printer.is_json() {
                return printer.object(json!({
                    "from": source.resolved.to_string(),
                    "to": destination.to_string(),
                    "version": written.as_ref().map(|(written, _)| version(written)),
                    "dry_run": manner.dry_run,
                }));
            }
            let done = if manner.dry_run { "would copy" } else { "copied" };
            printer.note(&format!("{done} `{}` to `{}`", source.resolved, destination));
            Ok(())
        }
    }
}

/// What was written, and what of the source the destination can't keep.
type Written = (SecretVersion, Vec<&'static str>);

/// The tags of a source, as far as they were told with its name.
#[derive(Clone, Debug)]
struct Tags {
    told: Attributes,
    /// There may be others, which a description tells.
    are_more: bool,
}

/// Copies one secret; `None` where it would only have been copied.
async fn one(resolver: &Resolver, from: &Reference, to: &Reference, manner: Manner) -> Outcome<Option<Written>> {
    let is_taken = check(resolver, to, manner).await?;
    let secret = resolver.read(target(from)).await?;
    let tags = Tags { told: Attributes::new(), are_more: true };
    write(resolver, (from, secret, tags), to, is_taken, manner).await
}

/// Whether there is something at the destination, which is refused where nothing may be replaced.
async fn check(resolver: &Resolver, to: &Reference, manner: Manner) -> Outcome<bool> {
    // Asked first, so that nothing is read for nothing; the write below asks again where the backend can compare.
    let is_there = resolver.describe(target(to)).await;
    let is_taken = match is_there {
        Ok(known) => known.is_some(),
        // A backend without metadata is asked for the secret itself.
        Err(failure) if failure.kind == Kind::Unsupported => resolver.read(target(to)).await?.is_some(),
        Err(failure) => return Err(failure),
    };
    if is_taken && !manner.overwrite {
        return Err(Failure::new(Kind::Conflict, format!("`{to}` is there already"))
            .with_hint("`--overwrite` replaces it with a new version"));
    }
    Ok(is_taken)
}

/// Writes what was read; `None` where it would only have been written.
///
/// A content type and tags that the destination can't keep are left out, which is told; an expiry is not.
async fn write(
    resolver: &Resolver,
    (from, secret, tags): (&Reference, Option<Secret>, Tags),
    to: &Reference,
    is_taken: bool,
    manner: Manner,
) -> Outcome<Option<Written>> {
    let secret = secret.ok_or_else(|| not_found("there is no such secret or version"))?;
    if manner.dry_run {
        return Ok(None);
    }
    // The natural value travels: a map's default field is a matter of the backend that stores maps.
    let value = field::take(&secret, None)?;
    let (tags, are_lost) = tags_of(resolver, from, &secret, tags).await;
    let whole = PutOptions {
        content_type: field::content_type(&secret),
        tags,
        expires_at: secret.version.as_ref().and_then(|version| version.expires_at),
        expected_version: (!is_taken).then(String::new),
        ..PutOptions::default()
    };
    let mut first: Option<Failure> = None;
    let mut can_compare = true;
    // What is lost least comes first: the comparison, for which what was asked above has to do, the content type, the tags.
    for losses in 0..8_u8 {
        let lacks = |bit: u8, is_there: bool| losses & bit != 0 && !is_there;
        let is_idle = lacks(1, whole.expected_version.is_some() && !can_compare)
            || lacks(2, whole.content_type.is_some())
            || lacks(4, !whole.tags.is_empty());
        if is_idle {
            continue;
        }
        let mut options = whole.clone();
        let mut lost = if are_lost { vec!["tags, which can't be read"] } else { Vec::new() };
        if losses & 1 != 0 {
            options.expected_version = None;
        }
        if losses & 2 != 0 {
            options.content_type = None;
            lost.push("content type");
        }
        if losses & 4 != 0 {
            options.tags.clear();
            lost.push("tags");
        }
        match resolver.write(target(to), value.expose(), &options).await {
            // Both are said before anything is written.
            Err(failure) if matches!(failure.kind, Kind::Unsupported | Kind::InvalidRequest) => {
                can_compare &= failure.kind != Kind::Unsupported;
                first.get_or_insert(failure);
            }
            answer => return answer.map(|version| Some((version, lost))),
        }
    }
    Err(first.unwrap_or_else(|| Failure::new(Kind::Internal, "nothing was written")))
}

/// The tags of a secret that was read, and whether it may have some that can't be told.
async fn tags_of(resolver: &Resolver, from: &Reference, secret: &Secret, tags: Tags) -> (Attributes, bool) {
    if !secret.tags.is_empty() || !tags.are_more {
        return (if secret.tags.is_empty() { tags.told } else { secret.tags.clone() }, false);
    }
    let whole = Target { version: None, ..target(from) };
    match resolver.describe(whole).await {
        Ok(known) => (known.map(|entry| entry.tags).unwrap_or_default(), false),
        Err(failure) => (Attributes::new(), failure.kind != Kind::Unsupported),
    }
}

/// Says what a copy left out.
fn left_out(printer: &mut Printer, to: &Reference, lost: &[&str]) {
    if !lost.is_empty() {
        printer.warning(&format!("`{to}` is without what was not to be kept: {}", lost.join(", ")));
    }
}

async fn many(app: &App, printer: &mut Printer, from: &str, to: &str, manner: Manner) -> Outcome {
    let (provider, from) = list::prefix(Some(from))?;
    let (to_provider, to) = list::prefix(Some(to.trim_end_matches("/**")))?;
    let tried = || format!("can't copy what lies below `{}`", forge_core::manifest::printable(&from));
    let resolver = app.resolver_over(app.opener().for_many());
    let source = resolver.open(provider.as_deref()).await.context(tried)?.identity.provider.clone();
    let destination = resolver.open(to_provider.as_deref()).await.context(tried)?.identity.provider.clone();
    let copies = below(printer, &resolver, (&source, &from), (&destination, &to), manner).await.context(tried)?;
    if printer.is_json() {
        let copies: Vec<_> = copies
            .iter()
            .map(|one| json!({ "from": one.from.to_string(), "to": one.to.to_string(), "error": one.error }))
            .collect();
        printer.object(json!({ "copies": copies, "dry_run": manner.dry_run }))?;
    }
    whole_of(&copies).context(tried)
}

/// What became of one secret of several.
pub(crate) struct Copied {
    pub(crate) from: Reference,
    pub(crate) to: Reference,
    /// The token of what stopped it.
    pub(crate) error: Option<&'static str>,
}

/// Copies everything at and below one prefix to another, several at a time; what can't be copied stops no other.
pub(crate) async fn below(
    printer: &mut Printer,
    resolver: &Resolver,
    (source, from): (&str, &str),
    (destination, to): (&str, &str),
    manner: Manner,
) -> Outcome<Vec<Copied>> {
    // Nothing is read for a destination that takes nothing.
    resolver.prepare(Target { provider: Some(destination), path: to, version: None }, Action::Set).await?;
    let mut sources = Vec::new();
    let target = Target { provider: Some(source), path: from, version: None };
    let listed = list::each(resolver, target, |entry| {
        let are_more = entry.has_unlisted_tags();
        sources.push((entry.path, Tags { told: entry.tags, are_more }));
        Ok(())
    });
    listed.await?;
    if sources.is_empty() {
        return Err(not_found("there is nothing"));
    }
    // Where one lies within the other, what is written may be read further on: then the order of the listing counts.
    let overlaps = source == destination && (is_within(to, from) || is_within(from, to));
    let batch = resolver.open(Some(source)).await?.provider.batch_max();
    let (at_once, most) = if overlaps { (1, 1) } else { (AT_ONCE, AT_ONCE * batch) };
    let named =
        |provider: &str, path| Reference { provider: Some(provider.to_owned()), path, version: None, field: None };
    let count = sources.len();
    let mut copies = Vec::with_capacity(count);
    // No more values are held at a time than calls and batches need.
    for some_of_them in sources.chunks(most) {
        let pairs = some_of_them.iter().map(|(path, _)| {
            let rest = path.strip_prefix(from).unwrap_or(path).trim_start_matches('/');
            let parts: Vec<&str> = [to, rest].into_iter().filter(|part| !part.is_empty()).collect();
            (named(source, path.clone()), named(destination, parts.join("/")))
        });
        let pairs: Vec<(Reference, Reference)> = pairs.collect();
        let tags: Vec<Tags> = some_of_them.iter().map(|(_, tags)| tags.clone()).collect();
        some(printer, resolver, (pairs, tags), at_once, manner, (&mut copies, count)).await;
    }
    Ok(copies)
}

/// Whether a path is at or below a prefix of whole segments.
fn is_within(path: &str, prefix: &str) -> bool {
    prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Copies some of all secrets, and tells of each in their order.
async fn some(
    printer: &mut Printer,
    resolver: &Resolver,
    (pairs, tags): (Vec<(Reference, Reference)>, Vec<Tags>),
    at_once: usize,
    manner: Manner,
    (copies, count): (&mut Vec<Copied>, usize),
) {
    printer.progress(copies.len(), count, "copying");
    let mut checked = Vec::with_capacity(pairs.len());
    let checks = pairs.iter().map(|(from, to)| async move {
        if from == to { Err(usage("both are the same secret")) } else { check(resolver, to, manner).await }
    });
    in_order(at_once, checks, |outcome| checked.push(outcome)).await;
    let wanted = pairs.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
    let wanted: Vec<Target<'_>> = wanted.map(|((from, _), _)| target(from)).collect();
    let mut read = resolver.read_many(&wanted).await.into_iter();
    let writes = pairs.iter().zip(tags).zip(checked).map(|(((from, to), tags), checked)| {
        let read = checked.and_then(|is_taken| {
            let lost = || Err(Failure::lost());
            read.next().unwrap_or_else(lost).map(|secret| (secret, is_taken))
        });
        async move {
            let (secret, is_taken) = read?;
            write(resolver, (from, secret, tags), to, is_taken, manner).await
        }
    });
    let mut told = pairs.iter();
    in_order(at_once, writes, |outcome| {
        let Some((from, to)) = told.next().cloned() else { return };
        printer.end_progress();
        let error = outcome.as_ref().err().map(|failure| failure.kind.token());
        match outcome {
            Ok(None) => printer.note(&format!("would copy `{from}` to `{to}`")),
            Ok(Some((_, lost))) => {
                printer.note(&format!("copied `{from}` to `{to}`"));
                left_out(printer, &to, &lost);
            }
            Err(failure) => printer.warning(&format!("can't copy `{from}` to `{to}`: {}", failure.what)),
        }
        copies.push(Copied { from, to, error });
        if copies.len() < count {
            printer.progress(copies.len(), count, "copying");
        }
    })
    .await;
}

/// That all of it was copied; a part is a failure of its own kind.
pub(crate) fn whole_of(copies: &[Copied]) -> Outcome {
    match copies.iter().filter(|copy| copy.error.is_some()).count() {
        0 => Ok(()),
        failed => Err(Failure::new(Kind::Partial, format!("{failed} of {} secrets were not copied", copies.len()))
            .with_hint("the warnings above say why; `--overwrite` replaces what is there")),
    }
}
