//! Walls within crates, read off the sources: what the compiler can't keep apart.

use std::path::Path;

use super::{read, shown, written};

/// The most lines that a file may have.
const LONGEST: usize = 500;

/// Beginnings of words that name a backend or its maker.
const BACKENDS: [&str; 10] =
    ["vault", "openbao", "hashicorp", "aws", "amazon", "azure", "google", "goog", "gcp", "amz"];

/// Rooms that know no backend.
const NEUTRAL: [&str; 6] =
    ["host/core/src/", "host/broker/src/", "host/sandbox/src/", "host/cli/src/", "sdk/src/", "wit/"];

/// Where a backend may be named in them all the same, and why.
const NAMING: &[(&str, &str)] = &[
    ("host/broker/src/credential/", "each credential kind knows the backends that it logs in to"),
    ("host/broker/src/credential.rs", "lists the credential kinds"),
    ("host/broker/src/header.rs", "lists the headers by which backends know who asks, which no manifest may name"),
    ("host/cli/src/arguments.rs", "shows examples in `--help`"),
    ("host/core/src/setting.rs", "shows an example of an origin in an error"),
];

/// Where unsafe code stands, and why.
const UNSAFE: &[(&str, &str)] = &[
    ("host/sandbox/src/compiled.rs", "loads compiled code from the buffer whose MAC was checked"),
    ("sdk/src/bindings.rs", "is generated"),
    ("sdk/src/plugin.rs", "names a section and exported functions"),
    ("tests/guests/src/attacks/search_memory.rs", "is an attacker that reads its whole memory"),
];

/// Where secret bytes are taken out of their type, and why.
const EXPOSING: &[(&str, &str)] = &[
    ("host/broker/src/certificate.rs", "reads the key of a client certificate"),
    ("host/broker/src/credential/aws_sigv4/", "signs with an access key"),
    ("host/broker/src/credential/azure_ad/", "logs in"),
    ("host/broker/src/credential/basic.rs", "puts name and password into their header"),
    ("host/broker/src/credential/fetched.rs", "puts a fetched token into its header"),
    ("host/broker/src/credential/google/", "logs in"),
    ("host/broker/src/credential/header.rs", "puts the credential into its header"),
    ("host/broker/src/credential/held.rs", "holds what a login gave"),
    ("host/broker/src/credential/kept.rs", "keeps a token and knows its source again"),
    ("host/broker/src/credential/oauth.rs", "checks that a token is one"),
    ("host/broker/src/credential/oauth2_client.rs", "logs in with a client's secret"),
    ("host/broker/src/credential/vault_token.rs", "puts the token into its header"),
    ("host/broker/src/credential/vault_token/", "logs in"),
    ("host/cli/src/commands/audit.rs", "hashes a value that somebody looks for in the log"),
    ("host/cli/src/commands/redact.rs", "masks values, which is its task"),
    ("host/cli/src/commands/variables.rs", "finds out whether a value can be a variable"),
    ("host/cli/src/commands/secret/copy.rs", "hands a value from one provider to another, which is its task"),
    ("host/cli/src/commands/secret/get.rs", "prints values, which is its task"),
    ("host/cli/src/commands/secret/rotate.rs", "writes new values and merges fields, which is its task"),
    ("host/cli/src/commands/secret/set.rs", "reads values and merges fields, which is its task"),
    ("host/cli/src/keyring.rs", "hands the sealing key to the keyring's thread"),
    ("host/cli/src/keyring/", "puts the sealing key into a keyring"),
    ("host/cli/src/providers.rs", "hands a credential from its source to the broker"),
    ("host/core/src/audit/key.rs", "derives the keys of the audit log from the sealing key"),
    ("host/core/src/cache/sealed.rs", "seals copies of values"),
    ("host/core/src/document.rs", "puts values into documents"),
    ("host/core/src/document/typed.rs", "puts values into those of a program"),
    ("host/core/src/field.rs", "takes a field out of a value"),
    ("host/core/src/keyring.rs", "keeps the sealing key in its file"),
    ("host/core/src/resolver/operation.rs", "has audit hash the value that is handed out"),
    ("host/core/src/sealing.rs", "seals"),
    ("tests/library.rs", "reads values through the libraries, for tests and the bench"),
    ("tests/attacks/reuse.rs", "reads what an attacker found"),
];

/// Where the environment of the process is read.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("host/cli/", "is the command line"),
    ("tests/world.rs", "finds the program"),
    ("tests/auditor.rs", "is told by the tests what to write"),
    ("tests/raw.rs", "is told by the bench whom to ask"),
    ("host/broker/tests/loopback/network.rs", "starts itself again in another network"),
];

/// Whether a file is on a list, by its path or by its folder's.
fn is_listed(list: &[(&str, &str)], file: &str) -> bool {
    list.iter().any(|(place, _)| file == *place || (place.ends_with('/') && file.starts_with(place)))
}

/// The lines of a file that are code of the product: no comments and no tests. The walls name what they look for.
fn code(root: &Path, file: &Path) -> Vec<(usize, String)> {
    let name = shown(file);
    if name.ends_with("/tests.rs") || name.contains("/tests/") || name.starts_with("tests/walls/") {
        return Vec::new();
    }
    let text = read(root, file);
    let mut code = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "#[cfg(test)]" {
            skip_item(&mut lines);
        } else {
            code.push((number + 1, without_comment(line).to_owned()));
        }
    }
    code
}

/// Passes over the item behind an attribute, as rustfmt lays it out: to its `;`, or to the `}` at the line's beginning.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let item = lines.find(|(_, line)| line.starts_with(char::is_alphabetic));
    if item.is_some_and(|(_, line)| !line.ends_with(';')) {
        lines.find(|(_, line)| *line == "}");
    }
}

/// A line up to its comment; `//` within a word, as in a URL, is none.
fn without_comment(line: &str) -> &str {
    let begins = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let at = line.match_indices("//").map(|(at, _)| at).find(begins);
    at.map_or(line, |at| &line[..at])
}

/// The words of a line: runs of letters, digits and `_`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_').filter(|word| !word.is_empty())
}

/// No file has more than 500 lines.
pub(super) fn lengths(root: &Path) -> Vec<String> {
    let sources = [".rs", ".wit"].into_iter().flat_map(|ending| written(root, ending));
    let lengths = sources.map(|file| (read(root, &file).lines().count(), file));
    lengths.filter(|(lines, _)| *lines > LONGEST).map(|(lines, file)| format!("{} has {lines}", shown(&file))).collect()
}

/// Every file opens with its sentence.
pub(super) fn openings(root: &Path) -> Vec<String> {
    let opens = |text: &str| {
        text.strip_prefix("//! ").is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase() || c == '`'))
    };
    let sources = written(root, ".rs").into_iter();
    sources.filter(|file| !opens(&read(root, file))).map(|file| shown(&file)).collect()
}

/// No backend is named outside its plugin and its credential kind.
pub(super) fn backends(root: &Path) -> Vec<String> {
    let names = |line: &str| {
        let line = line.to_ascii_lowercase();
        let parts: Vec<String> = words(&line).flat_map(|word| word.split('_')).map(str::to_owned).collect();
        BACKENDS.into_iter().find(|backend| parts.iter().any(|part| part.starts_with(backend)))
    };
    let mut broken = Vec::new();
    for file in [".rs", ".wit"].into_iter().flat_map(|ending| written(root, ending)) {
        let name = shown(&file);
        if !NEUTRAL.iter().any(|room| name.starts_with(room)) || is_listed(NAMING, &name) {
            continue;
        }
        for (number, line) in code(root, &file) {
            if let Some(backend) = names(&line) {
                broken.push(format!("{name}:{number} names `{backend}`"));
            }
        }
    }
    broken
}

/// What is found in the code of files that are not listed. Tests are looked at as well where `with_tests`.
fn found(root: &Path, list: &[(&str, &str)], is_broken: impl Fn(&str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for file in written(root, ".rs") {
        let name = shown(&file);
        if is_listed(list, &name) {
            continue;
        }
        let lines = code(root, &file).into_iter();
        broken.extend(lines.filter(|(_, line)| is_broken(line)).map(|(number, _)| format!("{name}:{number}")));
    }
    broken
}

/// Unsafe code stands only where it is listed.
pub(super) fn unsafe_code(root: &Path) -> Vec<String> {
    found(root, UNSAFE, |line| words(line).any(|word| word == "unsafe"))
}

/// Secret bytes are exposed only where it is listed.
pub(super) fn exposures(root: &Path) -> Vec<String> {
    let exposes = |line: &str| {
        let is_definition = line.contains("fn expose");
        !is_definition && words(line).any(|word| matches!(word, "expose" | "expose_secret" | "expose_secret_mut"))
    };
    found(root, EXPOSING, exposes)
}

/// Only the command line reads the environment.
pub(super) fn environment(root: &Path) -> Vec<String> {
    const READING: [&str; 8] = ["var", "var_os", "vars", "vars_os", "args", "args_os", "home_dir", "current_dir"];
    let reads = |line: &str| {
        line.split("env::").skip(1).any(|rest| words(rest).next().is_some_and(|word| READING.contains(&word)))
            || line.contains("std::env;")
    };
    found(root, ENVIRONMENT, reads)
}
