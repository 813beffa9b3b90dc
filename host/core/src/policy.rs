//! Who may do what; asked before the cache, because a cached value is still a secret.

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The user's name, or the number where there is no name.
    pub user: String,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading a value.
    Get,
    /// Writing a value.
    Set,
    /// Listing names.
    List,
    /// Reading what is known of a secret, without its value.
    Describe,
    /// Deleting.
    Delete,
    /// Taking a deletion back.
    Recover,
    /// Removing all versions for good.
    Purge,
    /// Listing versions.
    Versions,
    /// Making an old version current.
    Rollback,
    /// Having a backend make a new version by its own means.
    Rotate,
    /// Enabling or disabling a version.
    SetState,
    /// Testing a provider.
    Check,
}

impl Action {
    /// The stable token for audit.
    pub fn token(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::List => "list",
            Self::Describe => "describe",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Purge => "purge",
            Self::Versions => "versions",
            Self::Rollback => "rollback",
            Self::Rotate => "rotate",
            Self::SetState => "set-state",
            Self::Check => "check",
        }
    }
}

/// What the policy says, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub is_allowed: bool,
    /// The rule that decided, for people and for audit.
    pub rule: &'static str,
}

/// The rules in force. There are none to configure yet: a user may do what the grants allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy;

impl Policy {
    /// Whether `caller` may do `action` on this path of this provider.
    pub fn decide(&self, _caller: &Caller, _action: Action, _provider: &str, _path: &str) -> Decision {
        Decision { is_allowed: true, rule: "no-policy" }
    }
}
