//! No way around the policy: whoever wants something of a provider goes through the resolver, which asks it each time.

use std::path::Path;

use super::{read, shown, written};

/// The resolver's own files.
const RESOLVER: &str = "host/core/src/resolver";

/// What asks the policy; an entry does by this, or by another method that does.
const ASKS: &str = "decided";

/// Entries that ask nothing, and why.
const SILENT: [(&str, &str); 5] = [
    ("new", "makes a resolver"),
    ("in_manner", "says how reads go about their way"),
    ("cache", "counts and clears: a copy takes a key, which the resolver makes"),
    ("metrics", "says what was counted"),
    ("open", "says which provider a name means, and asks it for nothing"),
];

/// Where a provider is called, which takes a log of the call; and why.
const CALLERS: [(&str, &str); 6] = [
    ("host/core/src/provider.rs", "is the seam"),
    ("host/core/src/resolver.rs", "asks the policy"),
    ("host/core/src/resolver/many.rs", "asks the policy"),
    ("host/core/src/resolver/operation.rs", "asks the policy, and records what the log of the call has"),
    ("host/sandbox/src/provider.rs", "is the provider"),
    ("host/cli/src/commands/provider/add.rs", "tests a provider before it is recorded, and asks the policy for that"),
];

/// Every entry into the resolver asks the policy.
pub(super) fn entries(root: &Path) -> Vec<String> {
    let is_its = |file: &String| file.starts_with(RESOLVER) && !file.contains("/tests");
    let files: Vec<String> = written(root, ".rs").iter().map(|file| shown(file)).filter(is_its).collect();
    let methods = files.iter().flat_map(|file| methods(&read(root, Path::new(file)), file)).collect::<Vec<_>>();
    let mut asking = vec![ASKS.to_owned()];
    loop {
        let asks = |method: &&Method| asking.iter().any(|name| method.body.contains(&format!("self.{name}(")));
        let more = methods.iter().filter(|method| !asking.contains(&method.name)).filter(asks);
        let more: Vec<String> = more.map(|method| method.name.clone()).collect();
        if more.is_empty() {
            break;
        }
        asking.extend(more);
    }
    let is_silent = |name: &str| SILENT.iter().any(|(silent, _)| *silent == name);
    let broken = methods.iter().filter(|method| method.is_public && !asking.contains(&method.name));
    broken
        .filter(|method| !is_silent(&method.name))
        .map(|method| format!("`{}` in {}", method.name, method.file))
        .collect()
}

/// A method of the resolver.
struct Method {
    name: String,
    is_public: bool,
    body: String,
    file: String,
}

/// The methods of a file as rustfmt lays it out.
fn methods(text: &str, file: &str) -> Vec<Method> {
    let mut methods = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')) else { continue };
        let Some((before, rest)) = rest.split_once("fn ") else { continue };
        if !before.split(' ').all(|word| matches!(word, "" | "pub" | "pub(super)" | "pub(crate)" | "async")) {
            continue;
        }
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "    }").collect();
        let is_public = before.starts_with("pub ");
        methods.push(Method { name, is_public, body: body.join("\n"), file: file.to_owned() });
    }
    methods
}

/// Only the resolver asks a provider.
pub(super) fn callers(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for file in written(root, ".rs") {
        let name = shown(&file);
        let is_listed = CALLERS.iter().any(|(caller, _)| *caller == name);
        if name.starts_with("host/") && !name.contains("/tests") && !is_listed {
            let names = |line: &str| line.contains("CallLog") && !line.trim_start().starts_with("//");
            let lines = read(root, &file);
            let lines = lines.lines().enumerate().filter(|(_, line)| names(line));
            broken.extend(lines.map(|(number, _)| format!("{name}:{}", number + 1)));
        }
    }
    broken
}

#[test]
fn the_steps_that_entries_leave_it_to_ask_the_policy_themselves() {
    let root = forge_tests::world::root();
    let folder = root.join(RESOLVER);
    let many = std::fs::read_to_string(folder.join("many.rs")).unwrap();
    let own = read(&root, Path::new("host/core/src/resolver.rs"));
    for (text, step) in [(&own, "read_one"), (&own, "read_anew"), (&many, "read_all")] {
        let body = text.split(&format!("async fn {step}(")).nth(1).unwrap().split("\n    }\n").next().unwrap();
        assert!(body.contains("self.decided("), "{step}");
    }
    // What hands a copy out is named nowhere else.
    let cache = read(&root, Path::new("host/core/src/cache.rs"));
    for copy in ["fresh", "stale", "find"] {
        assert!(!cache.contains(&format!("pub async fn {copy}(")), "{copy}");
    }
}

#[test]
fn the_wall_sees_every_entry_that_there_is() {
    let root = forge_tests::world::root();
    let text = read(&root, Path::new("host/core/src/resolver.rs"));
    let public = methods(&text, "").into_iter().filter(|method| method.is_public);
    let entries: Vec<String> = public.map(|method| method.name).collect();
    // By another count than the wall's own.
    assert_eq!(entries.len(), text.matches("\n    pub fn ").count() + text.matches("\n    pub async fn ").count());
    for entry in ["new", "open", "prepare", "read", "write", "delete", "list", "check", "set_state"] {
        assert!(entries.iter().any(|name| name == entry), "{entry}: {entries:?}");
    }
}
