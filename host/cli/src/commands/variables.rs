//! What programs are given: the variables that `[secrets]` name, or those of the secrets below a prefix.

use std::collections::BTreeMap;

use forge_core::Kind;
use forge_core::manifest::printable;
use forge_core::provider::Failure;
use forge_core::reference::Reference;
use forge_core::resolver::references::{Wanted, all_or_failure};
use forge_core::resolver::{Resolver, Target};
use forge_core::secret::Value;
use forge_core::trust::is_obeyed;

use super::secret::{list, parsed};
use crate::app::App;
use crate::arguments::Variables;
use crate::failure::{Context as _, Outcome, not_found, usage};

/// The ending of a prefix that means all secrets below it.
const BELOW: &str = "/**";

/// The ending of a reference that means all fields of a secret.
const FIELDS: &str = "#*";

/// The longest name of a variable that a listing can make, in bytes.
const LONGEST_NAME: usize = 200;

/// A variable that a program is to be given.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// Where its value comes from; its place is the variable's name.
    pub(crate) wanted: Wanted,
    /// Whether nothing is done without it.
    pub(crate) is_required: bool,
    /// Its value, where that had to be read for its name.
    value: Option<Value>,
}

/// Variables with their values, by name.
pub(crate) type Given = Vec<(String, Value)>;

/// The variables that were asked for, in the order of their names.
pub(crate) async fn chosen(app: &App, resolver: &Resolver, typed: &Variables) -> Outcome<Vec<Variable>> {
    let mut variables = BTreeMap::new();
    for text in &typed.from {
        for (name, reference, value) in below(resolver, text).await? {
            let wanted = Wanted::new(format!("`{name}`"), reference.clone());
            let variable = Variable { wanted, name: name.clone(), is_required: true, value };
            if let Some(other) = variables.insert(name.clone(), variable) {
                let what =
                    format!("`{}` and `{reference}` would both be the variable `{name}`", other.wanted.reference);
                return Err(usage(what).with_hint("name them in `[secrets]`, each with a variable of its own"));
            }
        }
    }
    if typed.from.is_empty() {
        let secrets = app.config.secrets()?;
        if secrets.is_empty() {
            return Err(usage("there are no `[secrets]` in any configuration")
                .with_hint("`forge init` writes a `forge.toml` to name them in, and `--from PREFIX/**` needs none"));
        }
        variables.extend(secrets.iter().map(|(name, secret)| {
            let mut wanted = Wanted::new(format!("`{name}`"), secret.reference.clone());
            wanted.fallback.clone_from(&secret.fallback);
            (name.clone(), Variable { name: name.clone(), wanted, is_required: secret.required, value: None })
        }));
    }
    if typed.only.is_empty() {
        return Ok(variables.into_values().collect());
    }
    if let Some(unknown) = typed.only.iter().find(|name| !variables.contains_key(*name)) {
        let names: Vec<&str> = variables.keys().map(String::as_str).collect();
        let what = format!("`--only` names `{}`, which is none of the variables here", printable(unknown));
        return Err(usage(what).with_hint(format!("there are `{}`", names.join("`, `"))));
    }
    variables.retain(|name, _| typed.only.contains(name));
    Ok(variables.into_values().collect())
}

/// Reads the values of variables; one that need not be there and is not is left out.
///
/// # Errors
/// One failure that tells all that could not be read, or of which a program could not be given the value.
pub(crate) async fn read(resolver: &Resolver, variables: &[Variable]) -> Outcome<Given> {
    let mut places = Vec::new();
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for (variable, answer) in variables.iter().zip(answers(resolver, variables, &[]).await) {
        if is_left_out(resolver, variable, &answer).await {
            continue;
        }
        places.push(variable.name.clone());
        asked.push(variable.wanted.clone());
        answered.push(answer);
    }
    let values = all_or_failure(&asked, answered)?;
    let given: Given = places.into_iter().zip(values).collect();
    for (name, value) in &given {
        text(name, value)?;
    }
    Ok(given)
}

/// What the values of variables are, and behind them those of other references; what was read already is not read again.
pub(crate) async fn answers(
    resolver: &Resolver,
    variables: &[Variable],
    others: &[Wanted],
) -> Vec<Result<Value, Failure>> {
    let unread = variables.iter().filter(|variable| variable.value.is_none()).map(|variable| &variable.wanted);
    let unread: Vec<Wanted> = unread.chain(others).cloned().collect();
    let mut answers = resolver.read_wanted(&unread).await.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(Failure::lost()));
    let known = variables.iter().map(|variable| variable.value.clone()).chain(others.iter().map(|_| None));
    known.map(|value| value.map_or_else(&mut next, Ok)).collect()
}

/// Whether a variable goes without a value because it may: what denied, or is away, has not said that there is none.
pub(crate) async fn is_left_out(resolver: &Resolver, variable: &Variable, answer: &Result<Value, Failure>) -> bool {
    !variable.is_required && is_absent(resolver, &variable.wanted.reference, answer).await
}

/// Whether there is no such secret or field. Of a provider that is not there, nothing is known.
pub(crate) async fn is_absent(resolver: &Resolver, reference: &Reference, answer: &Result<Value, Failure>) -> bool {
    let is_missing = answer.as_ref().is_err_and(|failure| failure.kind == Kind::NotFound);
    is_missing && resolver.open(reference.provider.as_deref()).await.is_ok()
}

/// A value as the text that a variable can hold.
///
/// # Errors
/// It has a NUL, which ends a variable, or is no UTF-8, which many programs fail on or change.
pub(crate) fn text<'a>(name: &str, value: &'a Value) -> Outcome<&'a str> {
    let hint = "name a field of it (`REF#FIELD`), or give it as a file: `forge secret get REF --out FILE`";
    let refused = |why: &str| usage(format!("`{name}` can't be a variable: its value {why}")).with_hint(hint);
    let text = std::str::from_utf8(value.expose()).map_err(|_| refused("is binary"))?;
    if text.contains('\0') { Err(refused("has a NUL")) } else { Ok(text) }
}

/// The secrets that `--from` means, each with the variable that its name makes, and its value where that was read for it.
async fn below(resolver: &Resolver, text: &str) -> Outcome<Vec<(String, Reference, Option<Value>)>> {
    let tried = || format!("can't take variables from `{}`", printable(text));
    let mut found = Vec::new();
    if let Some(whole) = text.strip_suffix(FIELDS) {
        let reference = parsed(whole).context(tried)?;
        let target = super::secret::target(&reference);
        let secret = resolver.read(target).await.context(tried)?;
        let secret = secret.ok_or_else(|| not_found("there is no such secret")).context(tried)?;
        for field in forge_core::field::names(&secret).context(tried)? {
            let name = variable(&field).context(tried)?;
            let value = forge_core::field::take(&secret, Some(&field)).context(tried)?;
            found.push((name, Reference { field: Some(field), ..reference.clone() }, Some(value)));
        }
    } else {
        for (below, reference) in listed(resolver, text).await.context(tried)? {
            found.push((variable(&below).context(tried)?, reference, None));
        }
    }
    Ok(found)
}

/// The secrets below a prefix that ends with `/**`: what stands behind it in each name, and the whole of it.
///
/// # Errors
/// It has another ending, it can't be listed, or nothing is there.
pub(crate) async fn listed(resolver: &Resolver, text: &str) -> Outcome<Vec<(String, Reference)>> {
    let prefix = text.strip_suffix(BELOW).ok_or_else(|| {
        usage(format!("what `--from` takes ends with `{BELOW}`")).with_hint("`store://PROVIDER/**` means all of one")
    })?;
    let (provider, path) = list::prefix(Some(prefix))?;
    let provider = resolver.open(provider.as_deref()).await?.identity.provider.clone();
    let mut found = Vec::new();
    let target = Target { provider: Some(&provider), path: &path, version: None };
    let listing = list::each(resolver, target, |entry| {
        let below = entry.path.strip_prefix(&path).unwrap_or(&entry.path).trim_start_matches('/');
        // A secret with the prefix's own name is at it and not below it.
        if !below.is_empty() {
            let below = below.to_owned();
            let provider = Some(provider.clone());
            found.push((below, Reference { provider, path: entry.path, version: None, field: None }));
        }
        Ok(())
    });
    listing.await?;
    if found.is_empty() {
        return Err(not_found(format!("there is nothing below `{}`", printable(&path))));
    }
    Ok(found)
}

/// The variable that the name of a secret makes: in capitals, with a `_` for all that a variable can't have.
fn variable(name: &str) -> Outcome<String> {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let variable: String = name.chars().map(fits).collect();
    let refused = |why: &str| {
        usage(format!("`{}` can't be a variable: {why}", printable(name)))
            .with_hint("name it in `[secrets]`, with a variable of its own")
    };
    if variable.is_empty() || variable.starts_with(|c: char| c.is_ascii_digit()) || variable.len() > LONGEST_NAME {
        return Err(refused("its name would begin with a digit, or be empty or over 200 bytes"));
    }
    // Whoever may write into a folder of a backend chooses the names in it, and must not choose what runs here. A
    // configuration that names such a variable was written, or allowed, by the user.
    if is_obeyed(&variable) {
        return Err(refused(&format!("`{variable}` can change what a program runs")));
    }
    Ok(variable)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_secret_makes_a_variable_that_steers_no_program() {
        let made = |name: &str| variable(name).map_err(|failure| failure.what);
        assert_eq!(made("db/password").unwrap(), "DB_PASSWORD");
        assert_eq!(made("api-key.v2").unwrap(), "API_KEY_V2");
        assert_eq!(made("path/to").unwrap(), "PATH_TO");
        assert_eq!(made("environment").unwrap(), "ENVIRONMENT");
        for name in
            ["path", "ld/preload", "LD_LIBRARY_PATH", "env", "pythonpath", "node-options", "perl5lib", "git-ssh"]
        {
            assert!(made(name).unwrap_err().contains("can change what a program runs"), "{name}");
        }
        for name in ["", "1st", &"x".repeat(201)] {
            assert!(made(name).is_err(), "{name}");
        }
    }
}
