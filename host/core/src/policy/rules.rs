//! The rules of one configuration, as Cedar has them, and what they say of one user.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cedar_policy::{
    Authorizer, Context, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    PrincipalConstraint, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use sha2::{Digest as _, Sha256};

use super::action::Action;
use super::error::Error;
use super::member::{Member, Principal};
use super::role::{Source, Written, shown};
use crate::config::{At, Owner, Place, place_in};
use crate::home;
use crate::manifest::printable;

/// What policies are about, in the language of Cedar's schemas.
pub const SCHEMA: &str = include_str!("forge.cedarschema");

/// The longest file of policies that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;

/// The most policies that one configuration may have: each is looked at for each decision.
pub const MOST: usize = 10_000;

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it is called: its `@id`, or its place in the role or the file.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub at: At,
}

/// What one configuration's rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This rule allows it.
    Allowed(Origin),
    /// This rule denies it.
    Denied(Origin),
    /// No rule allows it.
    Unmentioned,
}

/// The rules of one configuration.
#[derive(Debug)]
pub(super) struct Rules {
    policies: PolicySet,
    /// The actions, and who asks.
    entities: Entities,
    principal: EntityUid,
    context: Context,
    /// By the number that a policy has as its id.
    origins: Vec<Origin>,
    /// How many there are with those of roles that others have.
    count: usize,
    /// SHA-256 of all that they were made of.
    digest: [u8; 32],
}

/// The types of Cedar that are named over and over.
struct Types {
    schema: Schema,
    user: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    provider: EntityTypeName,
    secret: EntityTypeName,
    action: EntityTypeName,
}

fn types() -> Result<&'static Types, Error> {
    static TYPES: OnceLock<Result<Types, String>> = OnceLock::new();
    let read = || -> Result<Types, String> {
        let named = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
        Ok(Types {
            schema,
            user: named("User")?,
            group: named("Group")?,
            role: named("Role")?,
            provider: named("Provider")?,
            secret: named("Secret")?,
            action: named("Action")?,
        })
    };
    TYPES.get_or_init(read).as_ref().map_err(|error| Error::Engine(error.clone()))
}

fn entity(of: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(name))
}

fn engine(error: impl std::fmt::Display) -> Error {
    Error::Engine(printable(&error.to_string()))
}

/// What was read of a file of policies.
struct File {
    path: PathBuf,
    text: String,
}

impl Rules {
    /// Reads what `source` says and checks all of it.
    pub(super) fn load(source: &Source, principal: &Principal, reason: Option<&str>) -> Result<Self, Error> {
        let written = source.written.as_ref();
        let written = written.map_err(|error| Error::Config { place: source.place.clone(), error: error.clone() })?;
        let mut policies = PolicySet::new();
        let mut origins = Vec::new();
        let mut digest = Sha256::new();
        digest.update(shown(written));
        for path in &written.files {
            let file = read(path, source.place.owner)?;
            // Neither a path nor a text has this byte, so no other files make the same digest.
            digest.update([&[0], file.path.as_os_str().as_bytes(), &[0], file.text.as_bytes()].concat());
            add_file(&file, &mut policies, &mut origins)?;
        }
        // What people wrote may be wrong; what roles mean is made here.
        validate(&policies, &origins)?;
        check_names(&policies, &origins, written, principal)?;
        let by_hand = origins.len();
        let of_roles = add_roles(written, &source.place, principal, &mut policies, &mut origins)?;
        let count = by_hand + of_roles;
        if count > MOST {
            return Err(Error::TooMany { file: source.place.file.clone(), most: MOST });
        }
        let context = reason.map(|reason| ("reason".to_owned(), RestrictedExpression::new_string(reason.to_owned())));
        let context = Context::from_pairs(context).map_err(engine)?;
        let (principal, entities) = who(principal, written)?;
        Ok(Self { policies, entities, principal, context, origins, count, digest: digest.finalize().into() })
    }

    /// How many rules there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What they were made of, by its SHA-256.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What they say of an action on this path of this provider.
    pub(super) fn decide(&self, action: Action, provider: &str, path: &str) -> Result<Verdict, Error> {
        let types = types()?;
        let resource = entity(&types.secret, &format!("store://{provider}/{path}"));
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let attributes = HashMap::from([
            ("provider".to_owned(), text(provider)),
            ("path".to_owned(), text(path)),
            ("lower".to_owned(), text(&path.to_ascii_lowercase())),
        ]);
        let parents = HashSet::from([entity(&types.provider, provider)]);
        let secret = Entity::new(resource.clone(), attributes, parents).map_err(engine)?;
        let entities = self.entities.clone().add_entities([secret], None).map_err(engine)?;
        let action = entity(&types.action, action.token());
        let request =
            Request::new(self.principal.clone(), action, resource, self.context.clone(), None).map_err(engine)?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        // A policy that fails counts for nothing in Cedar, and one that denies must not fail unseen.
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(engine(error));
        }
        let numbers = response.diagnostics().reason().filter_map(|id| AsRef::<str>::as_ref(id).parse::<usize>().ok());
        let origin = numbers.min().and_then(|number| self.origins.get(number)).cloned();
        Ok(match (response.decision(), origin) {
            (cedar_policy::Decision::Allow, Some(origin)) => Verdict::Allowed(origin),
            (cedar_policy::Decision::Deny, Some(origin)) => Verdict::Denied(origin),
            (_, None) => Verdict::Unmentioned,
        })
    }
}

/// Adds a policy under its number.
fn add(policies: &mut PolicySet, origins: &mut Vec<Origin>, policy: Policy, origin: Origin) -> Result<(), Error> {
    let id = PolicyId::new(origins.len().to_string());
    origins.push(origin);
    policies.add(policy.new_id(id)).map_err(engine)
}

/// Adds what the roles mean that are the user's; answers how many policies all of them are.
///
/// Those of others could decide nothing, and each costs a part of every decision.
fn add_roles(
    written: &Written,
    place: &Place,
    who: &Principal,
    policies: &mut PolicySet,
    origins: &mut Vec<Origin>,
) -> Result<usize, Error> {
    let mut count = 0;
    for (name, role) in &written.roles {
        let compiled = role.compile(name);
        count += compiled.len();
        if role.members.iter().any(|member| who.is(member)) {
            for compiled in compiled {
                let policy = Policy::parse(None, &compiled.text).map_err(engine)?;
                let origin = Origin { name: compiled.name, file: place.file.clone(), at: compiled.at };
                add(policies, origins, policy, origin)?;
            }
        } else if let (Some(denial), Some(what)) = (role.deny.first(), unknown(&role.members, who)) {
            return Err(Error::Unnamed { file: place.file.clone(), at: denial.at, user: who.number(), what });
        }
    }
    Ok(count)
}

/// What of somebody has no name here, where one of these members could be theirs.
fn unknown(members: &[Member], who: &Principal) -> Option<&'static str> {
    let member = members.iter().find(|member| !who.is(member) && who.may_be(member))?;
    Some(if matches!(member, Member::UserName(_)) { "a number" } else { "a group" })
}

/// Reads a file of policies: whoever can write it decides who may do what.
fn read(path: &Path, owner: Owner) -> Result<File, Error> {
    let own = rustix::process::geteuid().as_raw();
    let content = match (owner, home::read_owned(path, LONGEST, 0)) {
        // The machine's may be named in a configuration of one's own.
        (Owner::User, Err(_)) => home::read_owned(path, LONGEST, own)?,
        (_, read) => read?,
    };
    let content = content.ok_or_else(|| Error::Missing(path.to_owned()))?;
    let text = String::from_utf8(content).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let at = place_in(&String::from_utf8_lossy(before), before.len());
        Error::Cedar { file: path.to_owned(), at, what: "it is not UTF-8".to_owned() }
    })?;
    Ok(File { path: path.to_owned(), text })
}

fn add_file(file: &File, policies: &mut PolicySet, origins: &mut Vec<Origin>) -> Result<(), Error> {
    let wrong = |offset: usize, what: &str| Error::Cedar {
        file: file.path.clone(),
        at: place_in(&file.text, offset),
        what: printable(what),
    };
    let parsed: PolicySet = file.text.parse().map_err(|error: cedar_policy::ParseErrors| {
        let what = error.iter().next().map(ToString::to_string).unwrap_or_default();
        wrong(offset(&error).unwrap_or_default(), &what)
    })?;
    let starts = starts(&file.text);
    // The parser calls them `policy0`, `policy1` and so on, in their order.
    let number = |id: &PolicyId| AsRef::<str>::as_ref(id).strip_prefix("policy").and_then(|n| n.parse::<usize>().ok());
    let start = |number: Option<usize>| number.and_then(|number| starts.get(number)).copied().unwrap_or_default();
    if let Some(template) = parsed.templates().next() {
        return Err(wrong(start(number(template.id())), "it is a template, and nothing here fills one in"));
    }
    if parsed.policies().count() > MOST {
        return Err(Error::TooMany { file: file.path.clone(), most: MOST });
    }
    let mut sorted: Vec<(Option<usize>, &Policy)> =
        parsed.policies().map(|policy| (number(policy.id()), policy)).collect();
    sorted.sort_by_key(|(number, _)| *number);
    let stem = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for (number, policy) in sorted {
        let numbered = || format!("{stem}.{}", number.unwrap_or_default() + 1);
        let name = policy.annotation("id").filter(|id| !id.is_empty()).map_or_else(numbered, printable);
        let origin = Origin { name, file: file.path.clone(), at: place_in(&file.text, start(number)) };
        add(policies, origins, policy.clone(), origin)?;
    }
    Ok(())
}

/// Where an error of Cedar's is, in bytes from the beginning of what it read.
fn offset(error: &dyn miette::Diagnostic) -> Option<usize> {
    error.labels()?.next().map(|label| label.offset())
}

/// Where each policy of a file begins: behind the `;` of the one before it, and behind blanks and comments.
fn starts(text: &str) -> Vec<usize> {
    let (mut starts, mut is_between) = (Vec::new(), true);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character == '/' && characters.peek().is_some_and(|(_, next)| *next == '/') {
            characters.by_ref().find(|(_, character)| *character == '\n');
            continue;
        }
        if is_between && !character.is_whitespace() {
            starts.push(at);
            is_between = false;
        }
        match character {
            ';' => is_between = true,
            '"' => {
                // To the end of the text in quotes; what is behind a `\` does not end it.
                while let Some((_, character)) = characters.next() {
                    match character {
                        '\\' => drop(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    starts
}

fn origin<'o>(origins: &'o [Origin], id: &PolicyId) -> Option<&'o Origin> {
    origins.get(AsRef::<str>::as_ref(id).parse::<usize>().ok()?)
}

/// Checks that policies mean something: what is misspelt would else never match, and so never deny.
fn validate(policies: &PolicySet, origins: &[Origin]) -> Result<(), Error> {
    let result = Validator::new(types()?.schema.clone()).validate(policies, ValidationMode::Strict);
    let Some(error) = result.validation_errors().next() else { return Ok(()) };
    // The words of the error, without the id that this program gave the policy.
    let what = error.to_string();
    let id: &str = error.policy_id().as_ref();
    let what = what.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&what);
    let Some(origin) = origin(origins, error.policy_id()) else { return Err(engine(what)) };
    // Where in the file is told as well, but of what was parsed by itself.
    let at = match (offset(error), std::fs::read_to_string(&origin.file)) {
        (Some(offset), Ok(text)) if origin.at < place_in(&text, offset) => place_in(&text, offset),
        _ => origin.at,
    };
    Err(Error::Cedar { file: origin.file.clone(), at, what: printable(what) })
}

/// Refuses names that would silently match nobody: of no role here, numbers in the place of names, names that can't be known.
fn check_names(policies: &PolicySet, origins: &[Origin], written: &Written, who: &Principal) -> Result<(), Error> {
    let types = types()?;
    for policy in policies.policies() {
        let Some(origin) = origin(origins, policy.id()) else { continue };
        let wrong = |what: String| Error::Cedar { file: origin.file.clone(), at: origin.at, what: printable(&what) };
        let check = |members: &[Member], is_open: bool| match unknown(members, who) {
            Some(what) if !is_open => {
                let (file, at) = (origin.file.clone(), origin.at);
                Err(Error::Unnamed { file, at, user: who.number(), what })
            }
            _ => Ok(()),
        };
        let literals = policy.entity_literals();
        for literal in &literals {
            // Whom one is about that allows: where that name is not known it allows less. Any other place of a name, as in
            // `unless`, may let more through.
            let is_subject = match policy.principal_constraint() {
                PrincipalConstraint::In(of) | PrincipalConstraint::Eq(of) | PrincipalConstraint::IsIn(_, of) => {
                    of == *literal && literals.iter().filter(|other| *other == literal).count() == 1
                }
                _ => false,
            };
            let is_open = policy.effect() == Effect::Permit && is_subject;
            let (kind, name): (_, &str) = (literal.type_name(), literal.id().unescaped());
            let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            if *kind == types.role {
                let role = written.roles.get(name);
                let role = role.ok_or_else(|| wrong(format!("there is no role `{name}` in this configuration")))?;
                check(&role.members, is_open)?;
            } else if *kind == types.user {
                if is_number {
                    return Err(wrong(format!("a user's number is `principal.uid == {name}`, and no name")));
                }
                if who.names().iter().skip(1).any(|other| other == name) {
                    let first = who.entity();
                    return Err(wrong(format!("`{name}` is another name of the user `{first}`: write that one")));
                }
                check(&[Member::UserName(name.to_owned())], is_open)?;
            } else if *kind == types.group {
                if is_number {
                    return Err(wrong(format!("a group's number is `principal.gids.contains({name})`, and no name")));
                }
                check(&[Member::GroupName(name.to_owned())], is_open)?;
            }
        }
    }
    Ok(())
}

/// The entity of who asks, and all that decisions have in common.
fn who(principal: &Principal, written: &Written) -> Result<(EntityUid, Entities), Error> {
    let types = types()?;
    let number = |number: u32| RestrictedExpression::new_long(i64::from(number));
    let attributes = HashMap::from([
        ("uid".to_owned(), number(principal.number())),
        ("gids".to_owned(), RestrictedExpression::new_set(principal.group_numbers().map(number))),
    ]);
    let given = written.roles.iter().filter(|(_, role)| role.members.iter().any(|member| principal.is(member)));
    let roles = given.map(|(name, _)| entity(&types.role, name));
    let parents = principal.group_names().map(|name| entity(&types.group, name)).chain(roles).collect();
    let user = entity(&types.user, &principal.entity());
    let entities = [Entity::new(user.clone(), attributes, parents).map_err(engine)?];
    let entities = Entities::from_entities(entities, Some(&types.schema)).map_err(engine)?;
    Ok((user, entities))
}

/// Validates Cedar that was made here.
#[cfg(test)]
pub(super) fn check(text: &str) -> Result<(), Error> {
    let policies: PolicySet = text.parse().map_err(engine)?;
    let result = Validator::new(types()?.schema.clone()).validate(&policies, ValidationMode::Strict);
    result.validation_errors().next().map_or(Ok(()), |error| Err(engine(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_of_a_file_has_its_place() {
        let text = "// a;\n\npermit(principal, action, resource) when { resource.path == \"a\\\";b\" };forbid(principal,\n action, resource); // c\n  @id(\"x\") permit(principal, action, resource);\n";
        let places: Vec<String> = starts(text).into_iter().map(|at| place_in(text, at).to_string()).collect();
        assert_eq!(places, ["line 3, column 1", "line 3, column 71", "line 5, column 3"]);
        assert_eq!(text.parse::<PolicySet>().map(|set| set.policies().count()).ok(), Some(3));
    }
}
