//! What policies mean: cases as a table, random ones against a model, and everything denied where one can't be used.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::pattern::matches;
use super::*;
use crate::config::{Layer, Owner, Place};

mod random;
mod unusable;

fn place(owner: Owner) -> Place {
    Place { owner, file: format!("/etc/{owner:?}.toml").into() }
}

fn names() -> Names {
    Names::read(b"root:x:0:0::/:/\nalice:x:1000:1000::/:/\n", b"dev:x:50:\nalice:x:1000:\n")
}

fn alice() -> Principal {
    Principal::new(1000, [1000, 50], &names())
}

fn sources(text: &str, owner: Owner) -> Vec<Source> {
    Layer::parse(text.as_bytes(), &place(owner)).unwrap().policies
}

fn policy(text: &str) -> Policy {
    Policy::new(&sources(text, Owner::User), alice(), None)
}

/// A policy of one file with this Cedar, and of these roles.
fn cedar(directory: &tempfile::TempDir, cedar: &str, roles: &str) -> Policy {
    let file = directory.path().join("policy.cedar");
    crate::home::write(&file, cedar.as_bytes()).unwrap();
    policy(&format!("[policy]\nfiles = [\"{}\"]\n{roles}", file.display()))
}

/// Whether it may be done, and by which rule: `+rule` or `-rule`.
fn told(policy: &Policy, action: &str, provider: &str, path: &str) -> String {
    let decision = policy.decide(Action::of(action).unwrap(), provider, path);
    format!("{}{}", if decision.is_allowed { '+' } else { '-' }, decision.rule)
}

const ROLES: &str = r#"
[policy.roles.developer]
members = ["user:1", "group:dev"]
allow = ["read store://dev/**", "write store://dev/app/**", "get store://prod/one", "list store://names/app/*"]
deny = ["read store://dev/app/root", "* store://dev/sealed/**"]
[policy.roles.operator]
members = ["group:ops"]
allow = ["* store://*/**"]
"#;

#[test]
fn a_table_of_cases() {
    let policy = policy(ROLES);
    for (action, provider, path, expected) in [
        ("get", "dev", "app/db", "+developer.allow.1"),
        ("describe", "dev", "x", "+developer.allow.1"),
        ("versions", "dev", "x", "+developer.allow.1"),
        ("check", "dev", "", "+developer.allow.1"),
        ("set", "dev", "app/db", "+developer.allow.2"),
        ("rotate", "dev", "app/a/b", "+developer.allow.2"),
        ("set", "dev", "other/db", "-no-rule"),
        ("set", "dev", "app", "-no-rule"),
        ("delete", "dev", "app/db", "-no-rule"),
        ("purge", "dev", "app/db", "-no-rule"),
        // A rule that denies counts before one that allows, and for its own actions.
        ("get", "dev", "app/root", "-developer.deny.1"),
        ("describe", "dev", "app/root", "-developer.deny.1"),
        ("set", "dev", "app/root", "+developer.allow.2"),
        ("get", "dev", "sealed/x", "-developer.deny.2"),
        // By its other names as well.
        ("get", "dev", "APP/Root", "-developer.deny.1"),
        ("get", "dev", "arn:aws:x:y:1:secret:app/root-AbCdEf", "-developer.deny.1"),
        ("get", "dev", "a:b:c", "+developer.allow.1"),
        // Another provider, or nearly the name.
        ("get", "prod", "one", "+developer.allow.3"),
        ("get", "prod", "one/more", "-no-rule"),
        ("describe", "prod", "one", "-no-rule"),
        ("check", "prod", "", "-no-rule"),
        ("get", "de", "x", "-no-rule"),
        ("get", "local", "x", "-no-rule"),
        // A listing is of all below its prefix.
        ("list", "dev", "", "+developer.allow.1"),
        ("list", "dev", "app", "+developer.allow.1"),
        ("list", "dev", "app/root", "+developer.allow.1"),
        ("list", "dev", "sealed", "-developer.deny.2"),
        ("list", "names", "app", "+developer.allow.4"),
        ("list", "names", "", "-no-rule"),
        ("list", "names", "app/x", "-no-rule"),
        ("list", "prod", "one", "-no-rule"),
        // Paths that no reference has.
        ("get", "dev", "app/../sealed/x", "-odd-path"),
        ("get", "dev", "", "-odd-path"),
        ("get", "dev", "app//db", "-odd-path"),
        ("list", "dev", "app/", "-odd-path"),
        // What was typed to one command.
        ("get", "(file)", "x", "+lent"),
    ] {
        assert_eq!(told(&policy, action, provider, path), expected, "{action} {provider} {path}");
    }
    // A listing shows the names that a rule allows it to.
    for (provider, path, expected) in [
        ("dev", "app/db", true),
        ("dev", "app/root", false),
        ("dev", "sealed/x", false),
        ("names", "app/x", true),
        ("names", "app/x/y", false),
        ("prod", "one", false),
        ("dev", "", false),
    ] {
        assert_eq!(policy.shows(provider, path), expected, "{provider} {path}");
    }
}

#[test]
fn a_part_of_a_provider_is_enough_to_test_it_and_a_part_that_is_denied_keeps_nobody_from_it() {
    let of = |allow: &str, deny: &str| {
        let text =
            format!("[policy.roles.r]\nmembers = [\"user:alice\"]\nallow = [\"{allow}\"]\ndeny = [\"{deny}\"]\n");
        told(&policy(&text), "check", "dev", "")
    };
    assert_eq!(of("read store://dev/app/**", "read store://dev/app/root"), "+r.allow.1.check");
    assert_eq!(of("write store://dev/app/**", "read store://dev/app/root"), "-no-rule");
    assert_eq!(of("read store://dev/app/**", "read store://dev/**"), "-r.deny.1");
}

#[test]
fn nobody_without_a_role_may_do_anything() {
    let bob = Principal::new(1001, [1001], &Names::read(b"bob:x:1001:1001::/:/\n", b"bob:x:1001:\n"));
    let policy = Policy::new(&sources(ROLES, Owner::User), bob, None);
    assert_eq!(told(&policy, "get", "dev", "app/db"), "-no-rule");
    // And an empty policy is a policy.
    assert_eq!(told(&super::tests::policy("[policy]\n"), "get", "dev", "app/db"), "-no-rule");
}

#[test]
fn without_a_policy_the_grants_decide() {
    assert_eq!(told(&policy(""), "purge", "dev", "x"), "+no-policy");
    assert!(policy("").shows("dev", "x"));
    assert_eq!(policy("").load(), Ok(0));
}

#[test]
fn the_users_own_policy_narrows_the_machines_and_never_widens_it() {
    let role = |allow: &str, deny: &str| {
        format!("[policy.roles.r]\nmembers = [\"user:alice\"]\nallow = [{allow}]\ndeny = [{deny}]\n")
    };
    let of = |system: String, user: String| {
        let layer = |text: &str, owner| Layer::parse(text.as_bytes(), &place(owner)).unwrap();
        let config = crate::config::Config::of(layer(&system, Owner::System), layer(&user, Owner::User), None, None);
        let policy = Policy::new(&config.policies, alice(), None);
        ["a", "b"].map(|path| policy.decide(Action::Get, "dev", path).is_allowed)
    };
    let (all, one, none) = ("\"* store://*/**\"", "\"read store://dev/a\"", "");
    assert_eq!(of(role(all, none), role(all, none)), [true, true]);
    assert_eq!(of(role(one, none), role(all, none)), [true, false]);
    assert_eq!(of(role(all, none), role(one, none)), [true, false]);
    assert_eq!(of(role(all, one), role(all, none)), [false, true]);
    assert_eq!(of(role(one, none), String::new()), [true, false]);
    assert_eq!(of(String::new(), role(one, none)), [true, false]);
    // One that can't be used denies for both.
    assert_eq!(of(role(all, none), "[policy]\nroles = 1\n".to_owned()), [false, false]);
}

#[test]
fn cedar_by_hand_counts_with_the_roles_and_knows_users_groups_paths_and_reasons() {
    let directory = tempfile::tempdir().unwrap();
    let text = r#"
@id("dev-reads")
permit (principal in Group::"dev", action in Action::"read", resource in Provider::"dev")
when { resource.path like "app/*" };

permit (principal == User::"alice", action == Action::"set-state", resource == Secret::"store://dev/app/db");
permit (principal, action == Action::"delete", resource) when { principal.uid == 1000 && principal.gids.contains(50) };
permit (principal in Role::"cleaner", action == Action::"purge", resource) when { context has reason };
forbid (principal, action, resource) when { resource.lower == "app/root" };
"#;
    let policy = cedar(&directory, text, "[policy.roles.cleaner]\nmembers = [\"user:1000\"]\n");
    assert_eq!(told(&policy, "get", "dev", "app/db"), "+dev-reads");
    assert_eq!(told(&policy, "list", "dev", "app"), "+dev-reads");
    assert_eq!(told(&policy, "set-state", "dev", "app/db"), "+policy.2");
    assert_eq!(told(&policy, "set-state", "dev", "app/x"), "-no-rule");
    assert_eq!(told(&policy, "delete", "dev", "x"), "+policy.3");
    assert_eq!(told(&policy, "purge", "dev", "x"), "-no-rule");
    assert_eq!(told(&policy, "delete", "dev", "App/ROOT"), "-policy.5");
    let place = policy.decide(Action::Delete, "dev", "App/ROOT").origin.unwrap().at.to_string();
    assert_eq!(place, "line 9, column 1");
    let with_reason = Policy::new(&policy.shared.as_ref().unwrap().sources, alice(), Some("ticket 7"));
    assert_eq!(told(&with_reason, "purge", "dev", "x"), "+policy.4");
}
