//! What can be done to a secret, by one token each, which audit, policies and `forge policy test` share.

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Get,
        Self::Set,
        Self::List,
        Self::Describe,
        Self::Delete,
        Self::Recover,
        Self::Purge,
        Self::Versions,
        Self::Rollback,
        Self::Rotate,
        Self::SetState,
        Self::Check,
    ];

    /// The stable token for audit and policies.
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

    /// The action of this token.
    pub fn of(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.token() == token)
    }

    /// The group that it belongs to.
    pub fn group(self) -> Group {
        match self {
            Self::Get | Self::Describe | Self::List | Self::Versions | Self::Check => Group::Read,
            Self::Set | Self::Rotate | Self::Rollback | Self::SetState | Self::Recover => Group::Write,
            Self::Delete | Self::Purge => Group::Destroy,
        }
    }
}

/// Actions that are mostly allowed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What changes nothing.
    Read,
    /// What changes a secret and can be taken back, as far as the backend can.
    Write,
    /// What removes one.
    Destroy,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Destroy];

    /// The word for it in policies.
    pub fn token(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destroy => "destroy",
        }
    }
}

/// The actions of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actions {
    /// `*`.
    Any,
    /// Those of a group.
    Group(Group),
    /// One.
    One(Action),
}

impl Actions {
    /// The actions of this word: `*`, a group's or an action's token.
    pub fn of(word: &str) -> Option<Self> {
        let group = || Group::ALL.into_iter().find(|group| group.token() == word).map(Self::Group);
        match word {
            "*" => Some(Self::Any),
            _ => group().or_else(|| Action::of(word).map(Self::One)),
        }
    }

    /// Whether `action` is among them.
    pub fn holds(self, action: Action) -> bool {
        match self {
            Self::Any => true,
            Self::Group(group) => action.group() == group,
            Self::One(one) => action == one,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_token_of_its_own_that_is_no_groups() {
        let mut tokens: Vec<&str> = Action::ALL.iter().map(|action| action.token()).collect();
        tokens.extend(Group::ALL.iter().map(|group| group.token()));
        let all = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), all);
        for action in Action::ALL {
            assert_eq!(Action::of(action.token()), Some(action));
            assert_eq!(Actions::of(action.token()), Some(Actions::One(action)));
        }
        assert_eq!(Actions::of("reads"), None);
    }

    #[test]
    fn a_group_holds_its_own_actions_and_no_others() {
        let of = |word: &str| {
            let actions = Actions::of(word).unwrap();
            Action::ALL.iter().filter(|action| actions.holds(**action)).map(|action| action.token()).collect::<Vec<_>>()
        };
        assert_eq!(of("read"), ["get", "list", "describe", "versions", "check"]);
        assert_eq!(of("write"), ["set", "recover", "rollback", "rotate", "set-state"]);
        assert_eq!(of("destroy"), ["delete", "purge"]);
        assert_eq!(of("get"), ["get"]);
        assert_eq!(of("*").len(), Action::ALL.len());
    }
}
