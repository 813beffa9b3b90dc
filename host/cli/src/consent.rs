//! What a person is shown before they allow something.

mod body;

use std::fmt::Write as _;
use std::net::IpAddr;

use forge_core::grant::{Grant, NetworkClass};
use forge_core::manifest::{DirectoryMode, Manifest};
use forge_core::route::{Ability, Route};
use forge_core::setting::SettingKind;
use forge_sandbox::{CONTRACT, Component, short};

/// Who made a plugin, as a fact where it is one and as a claim where it is not.
pub(crate) fn publisher(component: &Component, is_builtin: bool) -> String {
    match component.manifest.publisher.as_str() {
        _ if is_builtin => "built in".to_owned(),
        "" => "unsigned".to_owned(),
        claim => format!("unsigned (claims `{claim}`)"),
    }
}

/// A plugin as `install` and `info` show it: digest and publisher first, its own words after them.
pub(crate) fn plugin(component: &Component, is_builtin: bool) -> String {
    let manifest = &component.manifest;
    let mut text = String::new();
    row(&mut text, "sha256", &component.digest);
    row(&mut text, "publisher", &publisher(component, is_builtin));
    row(&mut text, "contract", &format!("forge:plugin@{CONTRACT}"));
    row(&mut text, "id", &format!("{} {}", manifest.id, manifest.version));
    row(&mut text, "title", &manifest.title);
    rows(&mut text, "abilities", &interfaces(&component.exports));
    rows(&mut text, "imports", &interfaces(&component.imports));
    let credential = manifest.credential.as_ref().map_or("none", |ask| ask.kind.as_str());
    row(&mut text, "credential", credential);
    rows(&mut text, "settings", &settings(manifest));
    let directories: Vec<String> = manifest
        .directories
        .iter()
        .map(|ask| {
            format!("{{{}}}, {}{}", ask.setting, mode(ask.mode), if ask.sealed { ", sealed by forge" } else { "" })
        })
        .collect();
    rows(&mut text, "directories", &directories);
    let environment: Vec<String> = manifest.environment.iter().map(|ask| format!("{{{}}}", ask.setting)).collect();
    rows(&mut text, "environment", &environment);
    for (ability, name) in ABILITIES {
        let asked = manifest.routes.iter().filter(|route| route.ability == ability);
        let lines: Vec<String> = asked
            .flat_map(|route| {
                let when: Vec<String> = route.when.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let when = if when.is_empty() { String::new() } else { format!("   (when {})", when.join(", ")) };
                let headers: Vec<String> =
                    route.headers.iter().map(|(name, values)| format!(" {name}: {}", values.join("|"))).collect();
                let line = format!("{} {}{}{when}", route.methods.join("|"), route.url, headers.concat());
                std::iter::once(line).chain(route.body.iter().flat_map(body::lines))
            })
            .collect();
        rows(&mut text, &format!("may {name}"), &lines);
    }
    rows(&mut text, "limits", &limits(manifest));
    text
}

const ABILITIES: [(Ability, &str); 4] =
    [(Ability::Read, "read"), (Ability::Write, "write"), (Ability::Remove, "remove"), (Ability::Keys, "use keys")];

fn mode(mode: DirectoryMode) -> &'static str {
    match mode {
        DirectoryMode::Read => "read only",
        DirectoryMode::ReadWrite => "read and write",
    }
}

/// A setting's kind by the name that a manifest writes; a plain enum always has one.
pub(crate) fn kind(kind: SettingKind) -> String {
    let name = serde_json::to_value(kind).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

fn settings(manifest: &Manifest) -> Vec<String> {
    let line = |setting: &forge_core::manifest::SettingAsk| {
        let rule = match &setting.default {
            _ if setting.discovered => ", discovered".to_owned(),
            Some(default) => format!(", otherwise `{default}`"),
            None if setting.required => ", required".to_owned(),
            None => String::new(),
        };
        format!("{} ({}{rule})", setting.name, kind(setting.kind))
    };
    manifest.settings.iter().map(line).collect()
}

fn limits(manifest: &Manifest) -> Vec<String> {
    let ask = &manifest.limits;
    [
        ask.memory.map(|size| format!("{} MiB of memory", size.0 >> 20)),
        ask.cpu_ms.map(|cpu| format!("{cpu} ms on the processor for a call")),
        ask.wall_ms.map(|wall| format!("{wall} ms for a call")),
        ask.requests.map(|requests| format!("{requests} requests for a call")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Names such as `http` of `forge:plugin/http@0.1.0`, on one line.
fn interfaces(names: &[String]) -> Vec<String> {
    let short = |name: &String| {
        name.strip_prefix("forge:plugin/").and_then(|name| name.split_once('@')).map(|(name, _)| name.to_owned())
    };
    let names: Vec<String> = names.iter().filter_map(short).filter(|name| name != "types").collect();
    if names.is_empty() { names } else { vec![names.join(", ")] }
}

/// A grant as `provider add` and `provider info` show it.
pub(crate) fn grant(
    grant: &Grant,
    component: &Component,
    is_builtin: bool,
    discoverable: &[(String, Route)],
    addresses: &[(String, Vec<IpAddr>)],
) -> String {
    let mut text = String::new();
    row(
        &mut text,
        "plugin",
        &format!("{} {} (sha256 {}…)", component.manifest.id, component.manifest.version, short(&component.digest)),
    );
    row(&mut text, "publisher", &publisher(component, is_builtin));
    let settings: Vec<String> = grant.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    rows(&mut text, "settings", &settings);
    match &grant.credential {
        None => row(&mut text, "credential", "none"),
        Some(credential) => {
            let parameters: Vec<String> =
                credential.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            row(&mut text, "credential", &format!("{} ({})", credential.kind, parameters.join(", ")));
            // A login sends what stands at the sources, and may have a server of its own.
            let logins = forge_broker::login_origins(credential);
            let asked = forge_broker::identity_origin(credential).filter(|origin| !logins.contains(origin));
            let login = match logins.is_empty() {
                true => String::new(),
                false => format!(", to log in to {},", logins.join(" and ")),
            };
            let asked = asked.map_or(String::new(), |origin| format!(", to {origin} to ask whom it speaks for,"));
            row(&mut text, "", &format!("sent to {}{login}{asked} and nowhere else", credential.audience.join(", ")));
            if let Some(identity) = &credential.identity {
                row(&mut text, "identity", identity);
            }
        }
    }
    let unknown = grant.derived.unknown().filter(|name| !grant.settings.contains_key(*name));
    let unknown: Vec<String> = unknown.map(|name| format!("{{{name}}}, asked of the credential's server")).collect();
    rows(&mut text, "to learn", &unknown);
    let networks: Vec<String> =
        grant.networks.iter().map(|(origin, class)| network(origin, *class, addresses)).collect();
    rows(&mut text, "network", &networks);
    if grant.tls_ca.is_some() {
        row(&mut text, "trust", "only the certificates of the file given");
    }
    if let Some(certificate) = &grant.tls_certificate {
        let facts = forge_broker::certificate_facts(&certificate.chain);
        let facts = facts.map_or("unreadable".to_owned(), |facts| {
            format!("sha256 {}…, until {}", short(&facts.sha256), facts.not_after)
        });
        row(
            &mut text,
            "certificate",
            &format!("{facts}, shown to every server above; its key from {}", certificate.key),
        );
    }
    if grant.no_token_cache {
        row(&mut text, "tokens", "none is kept between commands");
    }
    let directories: Vec<String> = grant
        .directories
        .iter()
        .map(|directory| {
            format!(
                "{}{}, {}{}",
                if directory.file.is_some() { "only the file " } else { "" },
                directory.path,
                mode(directory.mode),
                if directory.sealed { ", sealed by forge" } else { "" }
            )
        })
        .collect();
    rows(&mut text, "directory", &directories);
    rows(&mut text, "environment", &grant.environment);
    for (ability, name) in ABILITIES {
        let with_body = |line: String, route: &Route| {
            let fields = route.body.as_ref().map(|rule| body::lines(&rule.into())).unwrap_or_default();
            std::iter::once(line).chain(fields)
        };
        let granted = grant.routes.iter().filter(|route| route.ability == ability);
        let granted = granted.flat_map(|route| with_body(route.to_string(), route));
        let later = discoverable.iter().filter(|(_, route)| route.ability == ability);
        let later = later.flat_map(|(condition, route)| with_body(format!("{route}   (when {condition})"), route));
        let lines: Vec<String> = granted.chain(later).collect();
        rows(&mut text, &format!("may {name}"), &lines);
    }
    rows(&mut text, "limits", &limits(&component.manifest));
    if grant.read_only {
        row(&mut text, "read-only", "everything that writes or deletes was left out");
    }
    text
}

fn network(origin: &str, class: NetworkClass, addresses: &[(String, Vec<IpAddr>)]) -> String {
    let found = addresses.iter().find(|(name, _)| name == origin).map(|(_, addresses)| {
        let shown: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
        format!(" ({})", shown.join(", "))
    });
    let plain = if origin.starts_with("http://") { ", without TLS" } else { "" };
    format!("{origin} is {class}{}{plain}", found.unwrap_or_default())
}

fn row(text: &mut String, name: &str, value: &str) {
    // Writing to a string can't fail.
    writeln!(text, "  {name:<12} {value}").unwrap_or_default();
}

fn rows(text: &mut String, name: &str, values: &[String]) {
    for (at, value) in values.iter().enumerate() {
        row(text, if at == 0 { name } else { "" }, value);
    }
}
