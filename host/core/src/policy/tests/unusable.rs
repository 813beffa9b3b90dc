//! Policies that can't be used: each is named with its place, and everything is denied.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// Why everything is denied.
#[track_caller]
fn trouble(policy: &Policy) -> String {
    let decision = policy.decide(Action::Get, "dev", "app/db");
    assert!(!decision.is_allowed, "{decision:?}");
    assert_eq!(decision.rule, UNUSABLE, "{decision:?}");
    assert!(policy.load().is_err() && !policy.shows("dev", "app/db"));
    assert!(decision.why().starts_with("the policy can't be used, so everything is denied: "));
    decision.trouble.unwrap().to_string()
}

const ALLOWING: &str = "permit (principal, action, resource);\n";

#[test]
fn what_is_wrong_with_the_roles_is_told_with_its_place() {
    for (text, expected) in [
        ("policy = 1\n", "line 1, column 10: `policy` must be a table"),
        ("[policy]\nrole = {}\n", "line 2, column 8: `policy.role` is no field of a configuration"),
        ("[policy]\nfiles = [\"a.cedar\"]\n", "line 2, column 10: `policy.files` must be an absolute path"),
        ("[policy.roles.r]\nallow = []\n", "line 1, column 1: `policy.roles.r` needs `members`"),
        (
            "[policy.roles.r]\nmembers = [\"alice\"]\n",
            "line 2, column 12: `policy.roles.r.members` must be `user:NAME`",
        ),
        (
            "[policy.roles.r]\nmembers = [\"user:1\"]\nallow = [\n  \"read store://a/**\",\n  \"reed store://a/**\",\n]\n",
            "line 5, column 3: `policy.roles.r.allow` must begin with `*` or one of",
        ),
        (
            "[policy.roles.\"A b\"]\nmembers = [\"user:1\"]\n",
            "line 1, column 1: `policy.roles.A b` can't be a role's name",
        ),
    ] {
        let trouble = trouble(&policy(text));
        assert!(trouble.starts_with(&format!("`/etc/User.toml`, {expected}")), "{trouble}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(told(&cedar(&directory, ALLOWING, ""), "get", "dev", "app/db"), "+policy.1");
    for (text, expected) in [
        ("permit (principal, action resource);", "line 2, column 27: "),
        ("permit (principal, action == Action::\"read-all\", resource);", "line 2, column "),
        ("permit (principal, action, resource) when { resource.paht == \"a\" };", "line 2, column "),
        ("permit (principal, action, resource) when { resource.path > 1 };", "line 2, column "),
        ("forbid (principal in Team::\"a\", action, resource);", "line 2, column "),
        ("forbid (principal in Role::\"a\", action, resource);", "line 2, column 1: there is no role `a`"),
        ("forbid (principal == User::\"1000\", action, resource);", "line 2, column 1: a user's number is"),
        ("forbid (principal in Group::\"50\", action, resource);", "line 2, column 1: a group's number is"),
        ("forbid (principal == ?principal, action, resource);", "line 2, column 1: it is a template"),
        ("forbid (principal, action, resource) when { 9223372036854775808 > 1 };", "line 2, column "),
    ] {
        let trouble = trouble(&cedar(&directory, &format!("{ALLOWING}{text}\n"), ""));
        let start = format!("`{}`, {expected}", directory.path().join("policy.cedar").display());
        assert!(trouble.starts_with(&start), "{trouble}");
    }
}

#[test]
fn a_file_that_is_missing_too_long_or_open_to_others_denies_everything() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.cedar");
    let of = || policy(&format!("[policy]\nfiles = [\"{}\"]\n", file.display()));
    assert_eq!(trouble(&of()), format!("there is no `{}`", file.display()));
    std::fs::write(&file, ALLOWING).unwrap();
    assert!(of().decide(Action::Get, "dev", "x").is_allowed);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(trouble(&of()).ends_with("it belongs to somebody else, or others can write it"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, format!("{ALLOWING}//{}", " ".repeat(usize::try_from(LONGEST).unwrap()))).unwrap();
    assert!(trouble(&of()).contains("it is longer than 1048576 bytes"));
    std::fs::write(&file, b"// caf\xff").unwrap();
    assert!(trouble(&of()).ends_with("line 1, column 7: it is not UTF-8"));
    // Through no link: whoever can write where it lies chooses what it leads to.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(directory.path().join("real"), ALLOWING).unwrap();
    std::os::unix::fs::symlink(directory.path().join("real"), &file).unwrap();
    assert!(trouble(&of()).starts_with("can't read "));
}

#[test]
fn a_policy_that_fails_in_the_middle_of_a_decision_denies() {
    let directory = tempfile::tempdir().unwrap();
    // The sum is over what a number can be, and only once there is a user: no check beforehand can tell.
    let text = "forbid (principal, action, resource) when { principal.uid + 9223372036854775807 > 0 };";
    let policy = cedar(&directory, &format!("{ALLOWING}{text}"), "");
    assert!(policy.load().is_ok());
    assert_eq!(told(&policy, "get", "dev", "app/db"), format!("-{UNUSABLE}"));
}

#[test]
fn what_a_name_denies_is_denied_to_somebody_whose_names_are_not_known_here() {
    let stranger = || Principal::new(5000, [5000], &names());
    let of = |text: &str| Policy::new(&sources(text, Owner::User), stranger(), None);
    let open = "[policy.roles.open]\nmembers = [\"user:5000\"]\nallow = [\"* store://*/**\"]\n";
    assert!(of(open).decide(Action::Get, "dev", "app/db").is_allowed);
    for (members, is_known) in [("user:1", true), ("group:1", true), ("user:bob", false), ("group:wheel", false)] {
        let text = format!("{open}[policy.roles.r]\nmembers = [\"{members}\"]\ndeny = [\"get store://dev/**\"]\n");
        let decision = of(&text).decide(Action::Get, "dev", "app/db");
        assert_eq!(decision.is_allowed, is_known, "{members}");
        // A name that only allows is nobody's where it is not known.
        let text = text.replace("deny =", "allow =");
        assert!(of(&text).decide(Action::Get, "dev", "app/db").is_allowed, "{members}");
    }
    let directory = tempfile::tempdir().unwrap();
    for (text, is_known) in [
        ("forbid (principal == User::\"bob\", action, resource);", false),
        ("permit (principal, action, resource) unless { principal in Group::\"wheel\" };", false),
        ("permit (principal == User::\"bob\", action, resource);", true),
        ("permit (principal in Group::\"wheel\", action, resource) when { resource.path like \"a*\" };", true),
        ("forbid (principal, action, resource) when { principal.uid == 7 };", true),
    ] {
        let sources = cedar(&directory, &format!("{ALLOWING}{text}"), "").shared.unwrap().sources.clone();
        let decision = Policy::new(&sources, stranger(), None).decide(Action::Get, "dev", "app/db");
        assert_eq!(decision.is_allowed, is_known, "{text} {decision:?}");
        // The names of somebody who has them are known.
        assert!(Policy::new(&sources, alice(), None).decide(Action::Get, "dev", "app/db").is_allowed, "{text}");
    }
}

#[test]
fn another_name_of_the_same_user_is_refused_where_it_would_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let text = "forbid (principal == User::\"toor\", action, resource);";
    let sources = cedar(&directory, &format!("{ALLOWING}{text}"), "").shared.unwrap().sources.clone();
    let names = Names::read(b"root:x:0:0::/:/\ntoor:x:0:0::/:/\n", b"root:x:0:\n");
    let decision = Policy::new(&sources, Principal::new(0, [0], &names), None).decide(Action::Get, "dev", "x");
    assert!(decision.trouble.unwrap().to_string().contains("`toor` is another name of the user `root`"));
}

#[test]
fn a_thread_with_little_room_is_given_the_same_answer() {
    let policy = policy(ROLES);
    let small = std::thread::Builder::new().stack_size(64 << 10);
    let decided = std::thread::scope(|scope| {
        let thread = small.spawn_scoped(scope, || ["app/db", "app/root"].map(|path| told(&policy, "get", "dev", path)));
        thread.unwrap().join().unwrap()
    });
    assert_eq!(decided, ["+developer.allow.1", "-developer.deny.1"]);
}
