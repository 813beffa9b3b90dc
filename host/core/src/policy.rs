//! Who may do what; asked before the cache, because a cached value is still a secret.
//!
//! Rules stand in the machine's configuration and in the user's, never in a project's. Without any, the grants decide.
//! Where there are some, what no rule allows is denied, a rule that denies counts before all that allow, and each
//! configuration that has rules has to allow what is done: the user's narrows the machine's and can't widen it.
//! Rules that can't be used deny everything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::audit::{self, Audit, Change};
use crate::home;
use crate::provider::Failure;
use crate::reference;
use crate::sealing::hex;

mod action;
mod error;
mod member;
mod pattern;
mod role;
mod rules;

pub use action::{Action, Actions, Group};
pub use error::Error;
pub use member::{LONGEST_NAMES, Member, MemberError, Names, Principal};
pub use pattern::{Error as PatternError, Pattern};
pub use role::{Compiled, Role, Rule, Source, Written, shown};
pub use rules::{LONGEST, MOST, Origin, SCHEMA};

use rules::{Rules, Verdict};

/// The rule of a decision where no policy is configured.
const NO_POLICY: &str = "no-policy";

/// The rule of a decision where no rule allows what was asked.
const NO_RULE: &str = "no-rule";

/// The rule of a decision where the policy can't be used.
const UNUSABLE: &str = "unusable-policy";

/// The rule of a decision on a path that has more than one spelling.
const ODD_PATH: &str = "odd-path";

/// The rule of a decision on a file that was lent to one command.
const LENT: &str = "lent";

/// The most decisions that are kept: a listing of more names decides them anew.
const MOST_KEPT: usize = 4096;

/// The longest file that says which rules counted the last time, in bytes.
const LONGEST_DIGEST: u64 = 64;

/// The room that Cedar is given to read and check policies, in bytes.
const STACK: usize = 4 << 20;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The user's name, or the number where there is no name.
    pub user: Arc<str>,
}

/// What the policy says, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub is_allowed: bool,
    /// The rule that decided, for people and for audit.
    pub rule: Cow<'static, str>,
    /// Where that rule stands, if it stands somewhere.
    pub origin: Option<Arc<Origin>>,
    /// Why the policy can't be used.
    pub trouble: Option<Error>,
}

impl Decision {
    fn by(is_allowed: bool, rule: &'static str) -> Self {
        Self { is_allowed, rule: Cow::Borrowed(rule), origin: None, trouble: None }
    }

    fn of(is_allowed: bool, origin: Origin) -> Self {
        let rule = Cow::Owned(origin.name.clone());
        Self { is_allowed, rule, origin: Some(Arc::new(origin)), trouble: None }
    }

    fn unusable(error: &Error) -> Self {
        Self { trouble: Some(error.clone()), ..Self::by(false, UNUSABLE) }
    }

    /// Why what was asked may not be done.
    pub fn why(&self) -> String {
        match (&self.trouble, &*self.rule) {
            (Some(error), _) => format!("the policy can't be used, so everything is denied: {error}"),
            (None, NO_RULE) => "no rule of the policy allows it".to_owned(),
            (None, ODD_PATH) => "a policy decides on no path with an empty segment, `.` or `..`".to_owned(),
            (None, rule) => format!("the policy denies it by its rule `{rule}`"),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let usual = "`forge policy test ACTION REF` says which rule stands where";
        self.trouble.as_ref().map_or_else(|| usual.to_owned(), Error::hint)
    }
}

/// The rules in force for one user. Clones share what was read, which is read when something is first decided.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    shared: Option<Arc<Shared>>,
    /// Whether it is on record that these rules count.
    announced: Arc<OnceLock<()>>,
}

#[derive(Debug)]
struct Shared {
    sources: Vec<Source>,
    principal: Principal,
    reason: Option<String>,
    rules: OnceLock<Result<Vec<Rules>, Error>>,
    decided: Mutex<HashMap<String, Decision>>,
}

impl Policy {
    /// The rules of these configurations for `principal`, who gave this reason. Without any configuration there is no
    /// policy, and nothing to pay for.
    pub fn new(sources: &[Source], principal: Principal, reason: Option<&str>) -> Self {
        if sources.is_empty() {
            return Self::default();
        }
        let (sources, reason) = (sources.to_vec(), reason.map(str::to_owned));
        let shared = Shared { sources, principal, reason, rules: OnceLock::new(), decided: Mutex::default() };
        Self { shared: Some(Arc::new(shared)), announced: Arc::default() }
    }

    /// Whether there are any rules.
    pub fn is_configured(&self) -> bool {
        self.shared.is_some()
    }

    /// Reads the rules, if nothing has yet; answers how many there are.
    ///
    /// # Errors
    /// They can't be used.
    pub fn load(&self) -> Result<usize, Error> {
        let Some(shared) = &self.shared else { return Ok(0) };
        Ok(shared.rules().as_ref().map_err(Clone::clone)?.iter().map(Rules::count).sum())
    }

    /// Has on record that other rules count than the last time that something was decided here, before anything is.
    ///
    /// # Errors
    /// It can't be recorded, and the settings of audit say that nothing is done then.
    pub fn announce(&self, audit: &Audit) -> Result<(), audit::Error> {
        if self.announced.get().is_some() {
            return Ok(());
        }
        let file = audit.home().data.join("policy.sha256");
        // One that can't be read is written anew: it is a note, and the log is what counts.
        let before = home::read(&file, LONGEST_DIGEST).unwrap_or_else(|_| Some(b"unknown".to_vec()));
        let before = before.and_then(|text| String::from_utf8(text).ok());
        let now = self.shared.as_ref().map_or_else(|| "none".to_owned(), |shared| shared.digest());
        if before.as_deref().unwrap_or("none") != now {
            let change = Change::new("policy", &now).with("before", before.as_deref().unwrap_or("none"));
            let begun = audit.change(change)?;
            let written = home::write(&file, now.as_bytes());
            // What could not be noted is recorded once more by the next command.
            audit.changed(&begun, written.map_err(Failure::from)).unwrap_or_default();
        }
        self.announced.get_or_init(|| ());
        Ok(())
    }

    /// Whether `action` may be done to this path of this provider, which is named as it is configured.
    ///
    /// A listing is of a prefix, and needs a rule for what lies below it; a path without anything is all of a provider.
    pub fn decide(&self, action: Action, provider: &str, path: &str) -> Decision {
        let Some(shared) = &self.shared else { return Decision::by(true, NO_POLICY) };
        let below = if action == Action::List && !path.is_empty() { "/" } else { "" };
        shared.decide(action, provider, path, below)
    }

    /// Whether this name may stand in a listing of this provider.
    pub fn shows(&self, provider: &str, path: &str) -> bool {
        let Some(shared) = &self.shared else { return true };
        !path.is_empty() && shared.decide(Action::List, provider, path, "").is_allowed
    }
}

impl Shared {
    fn rules(&self) -> &Result<Vec<Rules>, Error> {
        let load = |source| Rules::load(source, &self.principal, self.reason.as_deref());
        let load = || self.sources.iter().map(load).collect();
        self.rules.get_or_init(|| deep(load).unwrap_or_else(Err))
    }

    /// What the rules are made of, by its SHA-256.
    fn digest(&self) -> String {
        match self.rules() {
            Ok(rules) => {
                let all = rules.iter().fold(Sha256::new(), |all, rules| all.chain_update(rules.digest()));
                hex(&all.finalize())
            }
            Err(_) => "unusable".to_owned(),
        }
    }

    /// Decides on a path with what is put behind it, or has decided on it already.
    fn decide(&self, action: Action, provider: &str, path: &str, below: &str) -> Decision {
        // A file that a person typed to one command, under a name that no configuration can have, holds what they can
        // read without forge.
        if !reference::is_name(provider) {
            return Decision::by(true, LENT);
        }
        // A server's listing can have any name, and `app/../root` begins like one below `app`.
        let is_whole = path.is_empty() && matches!(action, Action::List | Action::Check);
        if !is_whole && path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Decision::by(false, ODD_PATH);
        }
        // Neither a token nor a name has a `/`, and a path behind it may have any.
        let key = format!("{}/{provider}/{path}{below}", action.token());
        if let Some(decision) = self.decided.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return decision.clone();
        }
        let decision = self.asked(action, provider, &format!("{path}{below}"));
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if decided.len() >= MOST_KEPT {
            decided.clear();
        }
        decided.insert(key, decision.clone());
        decision
    }

    /// What the rules say.
    fn asked(&self, action: Action, provider: &str, path: &str) -> Decision {
        let rules = match self.rules() {
            Ok(rules) => rules,
            Err(error) => return Decision::unusable(error),
        };
        let mut allowed = None;
        for rules in rules {
            let decide = || rules.decide(action, provider, path);
            // What failed for want of room is decided where there is some.
            match decide().or_else(|_| deep(decide).unwrap_or_else(Err)) {
                Ok(Verdict::Allowed(origin)) => allowed = Some(origin),
                Ok(Verdict::Denied(origin)) => return Decision::of(false, origin),
                Ok(Verdict::Unmentioned) => return Decision::by(false, NO_RULE),
                Err(error) => return Decision::unusable(&error),
            }
        }
        allowed.map_or_else(|| Decision::by(false, NO_RULE), |origin| Decision::of(true, origin))
    }
}

/// Does something on a stack of its own: Cedar gives up where it finds less room than it may need, and threads that log in
/// have little.
fn deep<T: Send>(act: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let lost = |why: &dyn std::fmt::Display| Error::Engine(format!("no thread can be had: {why}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, act);
        let thread = thread.map_err(|error| lost(&error))?;
        thread.join().map_err(|_| lost(&"it broke"))
    })
}

#[cfg(test)]
mod tests;
