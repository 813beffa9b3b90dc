//! No way around the policy: whoever wants something of a provider goes through the resolver, which asks it each time.

use std::path::Path;

use super::{read, shown, written};

/// The resolver's own files.
const RESOLVER: &str = "host/core/src/resolver";

/// How an entry asks the policy: by itself, or by another entry that does.
const ASKING: [&str; 4] = ["self.decided(", "self.begin(", "self.read_many(", "self.read_references("];

/// Entries that ask nothing, and why.
const SILENT: [(&str, &str); 3] = [
    ("new", "makes a resolver"),
    ("metrics", "says what was counted"),
    ("open", "says which provider a name means, and asks it for nothing"),
];

/// Where a provider is called, which takes a log of the call; and why.
const CALLERS: [(&str, &str); 5] = [
    ("host/core/src/provider.rs", "is the seam"),
    ("host/core/src/resolver.rs", "asks the policy"),
    ("host/core/src/resolver/many.rs", "asks the policy"),
    ("host/sandbox/src/provider.rs", "is the provider"),
    ("host/cli/src/commands/provider/add.rs", "tests a provider before it is recorded, and asks the policy for that"),
];

/// Every entry into the resolver asks the policy.
pub(super) fn entries(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for file in written(root, ".rs") {
        let name = shown(&file);
        if !name.starts_with(RESOLVER) || name.contains("/tests") {
            continue;
        }
        for (entry, body) in public_methods(&read(root, &file)) {
            let asks = ASKING.iter().any(|asking| body.contains(asking));
            if !asks && !SILENT.iter().any(|(silent, _)| *silent == entry) {
                broken.push(format!("`{entry}` in {name}"));
            }
        }
    }
    broken
}

/// The public methods of a file as rustfmt lays it out, each with its body.
fn public_methods(text: &str) -> Vec<(String, String)> {
    let mut methods = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let rest = line.strip_prefix("    pub ").map(|rest| rest.strip_prefix("async ").unwrap_or(rest));
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix("fn ")) else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "    }").collect();
        methods.push((name, body.join("\n")));
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
fn the_wall_sees_every_entry_that_there_is() {
    let root = forge_tests::world::root();
    let text = read(&root, Path::new("host/core/src/resolver.rs"));
    let entries: Vec<String> = public_methods(&text).into_iter().map(|(name, _)| name).collect();
    // By another count than the wall's own.
    assert_eq!(entries.len(), text.matches("\n    pub fn ").count() + text.matches("\n    pub async fn ").count());
    for entry in ["new", "open", "prepare", "read", "write", "delete", "list", "check", "set_state"] {
        assert!(entries.iter().any(|name| name == entry), "{entry}: {entries:?}");
    }
}
