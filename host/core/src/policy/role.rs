//! Roles as a configuration has them, and the Cedar that they mean.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::action::{Action, Actions, Group};
use super::member::Member;
use super::pattern::Pattern;
use crate::config::{self, At, Place};

/// What one configuration says of who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The configuration.
    pub place: Place,
    /// What it says, or why that can't be known: then everything is denied, and the rest of the configuration counts.
    pub written: Result<Written, config::Error>,
}

/// Roles and files of Cedar, which count together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files of Cedar, by their absolute paths.
    pub files: Vec<PathBuf>,
    /// The roles by name.
    pub roles: BTreeMap<String, Role>,
}

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Whom it is given to.
    pub members: Vec<Member>,
    /// What they may do.
    pub allow: Vec<Rule>,
    /// What they may not do, whatever else allows it.
    pub deny: Vec<Rule>,
}

/// `ACTIONS PATTERN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// What.
    pub actions: Actions,
    /// To which secrets.
    pub pattern: Pattern,
    /// Where it stands.
    pub at: At,
}

/// One policy of Cedar that a rule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// What it is called: `ROLE.allow.1`.
    pub name: String,
    /// The policy in Cedar.
    pub text: String,
    /// Where the rule stands.
    pub at: At,
}

impl Rule {
    /// Reads `ACTIONS PATTERN`.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow a field's name.
    pub fn parse(text: &str, at: At) -> Result<Self, String> {
        let form = || "must be an action and a pattern, such as `read store://dev/app/**`".to_owned();
        let (actions, pattern) = text.split_once(' ').ok_or_else(form)?;
        let unknown = || {
            let words: Vec<&str> =
                Group::ALL.map(Group::token).into_iter().chain(Action::ALL.map(Action::token)).collect();
            format!("must begin with `*` or one of `{}`", words.join("`, `"))
        };
        let actions = Actions::of(actions).ok_or_else(unknown)?;
        let pattern = pattern.trim_start().parse().map_err(|error| format!("has no pattern: {error}"))?;
        Ok(Self { text: text.to_owned(), actions, pattern, at })
    }
}

impl Role {
    /// The policies that it means, under its name.
    pub fn compile(&self, name: &str) -> Vec<Compiled> {
        let mut compiled = Vec::new();
        for (effect, word, rules) in [("permit", "allow", &self.allow), ("forbid", "deny", &self.deny)] {
            for (number, rule) in rules.iter().enumerate() {
                let called = format!("{name}.{word}.{}", number + 1);
                let scope = |actions: Actions| {
                    let (action, provider) = (action(actions), provider(rule.pattern.provider()));
                    format!("{effect} (\n    principal in Role::\"{name}\",\n    {action},\n    {provider}\n)")
                };
                let policy = |called: String, actions, condition: Option<String>| {
                    let condition = condition.map(|condition| format!(" when {{\n    {condition}\n}}"));
                    let text = format!("@id(\"{called}\")\n{}{};", scope(actions), condition.unwrap_or_default());
                    Compiled { name: called, text, at: rule.at }
                };
                let is_denial = effect == "forbid";
                compiled.push(policy(called.clone(), rule.actions, condition(rule, is_denial)));
                // A provider is tested as a whole: whoever may use a part of it may do that, and what denies a part does
                // not keep anybody from it.
                if !is_denial && !rule.pattern.is_whole() && rule.actions.holds(Action::Check) {
                    compiled.push(policy(format!("{called}.check"), Actions::One(Action::Check), None));
                }
            }
        }
        compiled
    }
}

fn condition(rule: &Rule, is_denial: bool) -> Option<String> {
    if !is_denial {
        return rule.pattern.condition(false);
    }
    // What is denied stays denied by its other names: in another case, which some backends don't tell apart, and by a full
    // name with the colons of one (`arn:…`), which can be any secret's.
    let named = rule.pattern.condition(true)?;
    Some(format!("({named}) || resource.path like \"*:*:*:*\""))
}

fn action(actions: Actions) -> String {
    match actions {
        Actions::Any => "action".to_owned(),
        Actions::Group(group) => format!("action in Action::\"{}\"", group.token()),
        Actions::One(action) => format!("action == Action::\"{}\"", action.token()),
    }
}

fn provider(name: Option<&str>) -> String {
    name.map_or_else(|| "resource".to_owned(), |name| format!("resource in Provider::\"{name}\""))
}

/// The roles of a configuration in Cedar, as `forge policy show` prints them.
pub fn shown(written: &Written) -> String {
    let mut shown = String::new();
    for (name, role) in &written.roles {
        let members: Vec<String> = role.members.iter().map(Member::to_string).collect();
        shown.push_str(&format!("// role `{name}`: {}\n\n", members.join(", ")));
        for compiled in role.compile(name) {
            shown.push_str(&compiled.text);
            shown.push_str("\n\n");
        }
    }
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const AT: At = At { line: 1, column: 1 };

    #[test]
    fn a_rule_is_an_action_and_a_pattern() {
        assert!(Rule::parse("read store://dev/**", AT).is_ok());
        assert!(Rule::parse("set-state store://*/a/*", AT).is_ok());
        for (text, start) in [
            ("store://dev/**", "must be an action and"),
            ("reads store://dev/**", "must begin with `*` or one of `read`, `write`, `destroy`, `get`"),
            ("read dev/**", "has no pattern: a pattern is"),
        ] {
            let error = Rule::parse(text, AT).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn a_rule_becomes_cedar_that_a_person_can_read() {
        let rule = |text: &str| Rule::parse(text, AT).unwrap();
        let role = Role {
            members: vec!["group:dev".parse().unwrap()],
            allow: vec![rule("read store://dev/app/*")],
            deny: vec![rule("* store://dev/app/Root")],
        };
        let written = Written { roles: BTreeMap::from([("ops".to_owned(), role)]), ..Written::default() };
        let expected = r#"// role `ops`: group:dev

@id("ops.allow.1")
permit (
    principal in Role::"ops",
    action in Action::"read",
    resource in Provider::"dev"
) when {
    resource.path like "app/*" && !(resource.path like "*/*/*")
};

@id("ops.allow.1.check")
permit (
    principal in Role::"ops",
    action == Action::"check",
    resource in Provider::"dev"
);

@id("ops.deny.1")
forbid (
    principal in Role::"ops",
    action,
    resource in Provider::"dev"
) when {
    (resource.lower like "app/root") || resource.path like "*:*:*:*"
};"#;
        assert_eq!(shown(&written), expected);
    }
}
