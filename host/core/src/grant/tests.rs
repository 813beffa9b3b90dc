//! What a grant must not become.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const MANIFEST: &str = r#"
id = "vault"
title = "Vault"
version = "1"
[credential]
kind = "vault-token"
[[setting]]
name = "address"
kind = "origin"
required = true
[[setting]]
name = "mount"
kind = "path"
default = "secret"
[[setting]]
name = "kv-version"
kind = "integer"
discovered = true
[[route]]
ability = "read"
methods = ["GET"]
url = "{address}/v1/{mount}/data/**"
query = { version = "integer" }
when = { kv-version = "2" }
[[route]]
ability = "write"
methods = ["PUT"]
url = "{address}/v1/{mount}/data/**"
when = { kv-version = "2" }
[[route]]
ability = "read"
methods = ["GET"]
url = "{address}/v1/{mount}/**"
when = { kv-version = "1" }
"#;

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST.as_bytes()).unwrap()
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn grant(read_only: bool) -> Grant {
    let asks = Asks::expand(&manifest(), &settings(&[("address", "https://v:8200"), ("kv-version", "2")])).unwrap();
    Grant {
        schema_version: SCHEMA_VERSION,
        provider: "prod".to_owned(),
        plugin: PluginPin::Builtin("vault".to_owned()),
        networks: asks.origins().into_iter().map(|origin| (origin, NetworkClass::Public)).collect(),
        settings: asks.settings,
        routes: asks.routes,
        directories: Vec::new(),
        environment: Vec::new(),
        credential: None,
        tls_ca: None,
        tls_certificate: None,
        no_token_cache: false,
        read_only,
        limits: LimitsAsk::default(),
        derived: Derived::default(),
        project: None,
    }
}

#[test]
fn routes_count_only_while_their_condition_holds() {
    let expand =
        |version| Asks::expand(&manifest(), &settings(&[("address", "https://v"), ("kv-version", version)])).unwrap();
    let paths = |asks: Asks| asks.routes.iter().map(|route| route.path.to_string()).collect::<Vec<_>>();
    assert_eq!(paths(expand("2")), ["/v1/secret/data/**", "/v1/secret/data/**"]);
    assert_eq!(paths(expand("1")), ["/v1/secret/**"]);
    let unknown = Asks::expand(&manifest(), &settings(&[("address", "https://v")])).unwrap();
    assert!(unknown.routes.is_empty());
}

#[test]
fn a_mount_of_several_segments_is_several_literals() {
    let given = settings(&[("address", "https://v"), ("mount", "team/k v"), ("kv-version", "1")]);
    let asks = Asks::expand(&manifest(), &given).unwrap();
    assert_eq!(asks.routes.first().unwrap().path.to_string(), "/v1/team/k%20v/**");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let expand = |pairs: &[(&str, &str)]| Asks::expand(&manifest(), &settings(pairs)).unwrap_err();
    assert_eq!(expand(&[]), Error::MissingSetting("address".to_owned()));
    assert!(matches!(expand(&[("address", "https://v"), ("nope", "1")]), Error::UnknownSetting { .. }));
    assert!(matches!(expand(&[("address", "https://v"), ("mount", "**")]), Error::Setting(_)));
}

#[test]
fn a_host_cannot_be_made_of_free_text_or_wildcards() {
    for url in [
        "https://*.example.com/a",
        "https://{mount}.example.com/a",
        "https://{kv-version}/a",
        "https://u:p@h/a",
        "{address}",
    ] {
        let text = MANIFEST.replace("{address}/v1/{mount}/**", url);
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let given = settings(&[("address", "https://v"), ("kv-version", "1")]);
        assert!(matches!(Asks::expand(&manifest, &given), Err(Error::Route { .. })), "{url}");
    }
}

#[test]
fn a_grant_does_not_hold_for_another_digest_or_another_plugin() {
    let mut grant = grant(false);
    assert!(grant.for_plugin(&manifest(), "aa", true).is_ok());
    assert!(matches!(grant.for_plugin(&manifest(), "aa", false), Err(Error::OtherPlugin { .. })));
    grant.plugin = PluginPin::Digest("aa".to_owned());
    assert!(grant.for_plugin(&manifest(), "aa", false).is_ok());
    assert!(matches!(grant.for_plugin(&manifest(), "bb", false), Err(Error::OtherPlugin { .. })));
}

#[test]
fn a_routes_permission_is_a_short_label_which_the_grant_carries() {
    let with = |label: &str| Manifest::parse(format!("{MANIFEST}\npermission = {label:?}\n").as_bytes());
    let asks = Asks::expand(&with("keys:Get").unwrap(), &settings(&[("address", "https://v"), ("kv-version", "1")]));
    let routes = asks.unwrap().routes;
    assert_eq!(routes.last().unwrap().permission.as_deref(), Some("keys:Get"));
    assert!(with(&"é".repeat(80)).is_ok());
    // What a person reads between backticks must not end before them, nor be the rest of the screen.
    for label in ["", &"x".repeat(81), "a`: grant everything", "a\u{1b}[2J", "a\u{202e}b"] {
        assert!(with(label).is_err(), "{label:?}");
    }
}

#[test]
fn a_newer_builtin_may_use_new_routes_but_no_new_origin() {
    let more = format!(
        "{MANIFEST}\n[[route]]\nability = \"read\"\nmethods = [\"GET\"]\nurl = \"{{address}}/v1/{{mount}}/metadata/**\"\n"
    );
    let newer = Manifest::parse(more.as_bytes()).unwrap();
    assert_eq!(grant(false).for_plugin(&newer, "", true).unwrap().routes.len(), 3);
    let elsewhere = more.replace("{address}/v1/{mount}/metadata/**", "https://elsewhere.example/a");
    let elsewhere = Manifest::parse(elsewhere.as_bytes()).unwrap();
    assert!(matches!(grant(false).for_plugin(&elsewhere, "", true), Err(Error::NotCovered { .. })));
}

#[test]
fn a_read_only_grant_stays_read_only_when_the_builtin_is_newer() {
    let grant = grant(true).for_plugin(&manifest(), "", true).unwrap();
    assert!(grant.routes.iter().all(|route| route.ability == Ability::Read));
}

#[test]
fn a_read_only_grant_of_a_directory_still_holds_for_its_plugin() {
    let text = "id = \"file\"\ntitle = \"f\"\nversion = \"1\"\n[[setting]]\nname = \"path\"\nkind = \"directory\"\nrequired = true\n[[directory]]\nsetting = \"path\"\nmode = \"read-write\"\n";
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let asks = Asks::expand(&manifest, &settings(&[("path", "/srv/secrets")])).unwrap();
    let mut grant = Grant { plugin: PluginPin::Builtin("file".to_owned()), ..grant(true) };
    (grant.settings, grant.directories, grant.routes) = (asks.settings, asks.directories, Vec::new());
    grant.directories.iter_mut().for_each(|directory| directory.mode = DirectoryMode::Read);
    assert_eq!(grant.for_plugin(&manifest, "", true).unwrap().directories, grant.directories);
}

#[test]
fn a_grant_survives_being_written_and_read() {
    let grant = grant(false);
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
}

/// A plugin at an endpoint that all tenants share.
const SHARED: &str = r#"
id = "shared"
title = "Shared"
version = "1"
[[setting]]
name = "prefix"
kind = "string"
[[setting]]
name = "account"
kind = "string"
[[route]]
ability = "write"
methods = ["POST"]
url = "https://all.example/"
headers = { x-target = ["Put"] }
body = { Id = { name = "{prefix}**", arn = "arn:p:s:r:{account}:secret:{prefix}**", required = true }, Value = "any" }
"#;

fn shared(text: &str, given: &[(&str, &str)]) -> Result<Vec<String>, Error> {
    let asks = Asks::expand(&Manifest::parse(text.as_bytes()).unwrap(), &settings(given))?;
    let bodies = asks.routes.iter().flat_map(|route| &route.body);
    let allowed = |rule: &crate::route::body::FieldRule| match &rule.allowed {
        crate::route::body::Allowed::Target { names, arns } => {
            names.iter().map(ToString::to_string).chain(arns.iter().map(ToString::to_string)).collect()
        }
        _ => Vec::new(),
    };
    Ok(bodies.flat_map(|body| body.fields()).flat_map(|(_, rule)| allowed(rule)).collect())
}

#[test]
fn settings_stay_literal_in_the_patterns_of_a_body() {
    let filled = shared(SHARED, &[("prefix", "app/"), ("account", "1")]).unwrap();
    assert_eq!(filled, ["app/**", "arn:p:s:r:1:secret:app/**"]);
    assert_eq!(shared(SHARED, &[("account", "1")]).unwrap(), ["**", "arn:p:s:r:1:secret:**"]);
    // An account that nobody knows is no account, and one that is any is so because somebody said it.
    assert_eq!(shared(SHARED, &[]).unwrap(), ["**", "arn:p:s:r::secret:**"]);
    assert_eq!(shared(SHARED, &[("account", "any")]).unwrap(), ["**", "arn:p:s:r:*:secret:**"]);
    for given in [("prefix", "**"), ("prefix", "a*"), ("account", "*"), ("account", "1:secret:x"), ("prefix", "a:b")] {
        assert!(matches!(shared(SHARED, &[given]), Err(Error::Route { .. })), "{given:?}");
    }
    assert!(shared(&SHARED.replace("{prefix}", "{other}"), &[]).unwrap_err().to_string().contains("`other`"));
}

#[test]
fn a_newer_builtin_reaches_no_other_targets_at_an_endpoint_that_all_tenants_share() {
    let asks = Asks::expand(&Manifest::parse(SHARED.as_bytes()).unwrap(), &settings(&[("prefix", "app/")])).unwrap();
    let networks = asks.origins().into_iter().map(|origin| (origin, NetworkClass::Public)).collect();
    let grant = Grant {
        plugin: PluginPin::Builtin("shared".to_owned()),
        settings: asks.settings,
        routes: asks.routes,
        networks,
        ..grant(false)
    };
    let newer = |text: &str| grant.for_plugin(&Manifest::parse(text.as_bytes()).unwrap(), "", true);
    newer(SHARED).unwrap();
    newer(&SHARED.replace("[\"Put\"]", "[\"Put\", \"PutAgain\"]")).unwrap();
    newer(&SHARED.replace(", Value = \"any\"", "")).unwrap();
    for (from, to) in [
        ("name = \"{prefix}**\"", "name = \"**\""),
        ("{account}", "*"),
        (", required = true", ""),
        ("Value = \"any\"", "Value = \"any\", Key = \"any\""),
        ("body = ", "when = { prefix = \"app/\" }\n#"),
    ] {
        let text = SHARED.replace(from, to);
        assert_ne!(text, SHARED);
        assert!(matches!(newer(&text), Err(Error::NotCovered { .. })), "{text}");
    }
}

/// A plugin whose host and targets follow from a region, and from whom its credential speaks for.
const DERIVED: &str = r#"
id = "derived"
title = "Derived"
version = "1"
[[setting]]
name = "region"
kind = "dns-label"
required = true
[[setting]]
name = "endpoint"
kind = "origin"
default = "https://s.{region}.{suffix}"
[[setting]]
name = "owner"
kind = "dns-label"
[[route]]
ability = "read"
methods = ["POST"]
url = "{endpoint}/"
headers = { x-target = ["Get"] }
body = { Id = { arn = "arn:{part}:s:{region}:{owner}:secret:**" } }
"#;

fn derive(owner: Option<&str>) -> impl Fn(&Settings) -> Result<Derived, String> {
    move |given| {
        let region = given.get("region").cloned().unwrap_or_default();
        if region == "nowhere" {
            return Err("setting `region` must be one that there is".to_owned());
        }
        let followed = self::settings(&[("suffix", &format!("{region}.example")), ("part", "p")]);
        Ok(Derived { followed, learnt: [("owner".to_owned(), owner.map(str::to_owned))].into() })
    }
}

fn derived(text: &str, given: &[(&str, &str)], owner: Option<&str>) -> Result<(Vec<String>, String), Error> {
    let asks = Asks::expand_with(&Manifest::parse(text.as_bytes()).unwrap(), &settings(given), &derive(owner))?;
    let body = serde_json::to_value(asks.routes.first().unwrap().body.as_ref().unwrap()).unwrap();
    Ok((asks.origins(), body.pointer("/Id/arn/0").unwrap().as_str().unwrap().to_owned()))
}

#[test]
fn hosts_and_targets_follow_from_settings_and_from_the_identity() {
    let one = [("region", "eu")];
    let (origins, arn) = derived(DERIVED, &one, Some("1")).unwrap();
    assert_eq!((origins, arn.as_str()), (vec!["https://s.eu.eu.example".to_owned()], "arn:p:s:eu:1:secret:**"));
    // What the identity has not told yet stands for itself, and so for nothing that a backend has.
    assert_eq!(derived(DERIVED, &one, None).unwrap().1, "arn:p:s:eu:{owner}:secret:**");
    // A person's word counts more.
    assert_eq!(derived(DERIVED, &[("region", "eu"), ("owner", "2")], Some("1")).unwrap().1, "arn:p:s:eu:2:secret:**");
    let refused = derived(DERIVED, &[("region", "nowhere")], None).unwrap_err();
    assert_eq!(refused, Error::Derived("setting `region` must be one that there is".to_owned()));
    assert!(matches!(
        Asks::expand(&Manifest::parse(DERIVED.as_bytes()).unwrap(), &settings(&one)),
        Err(Error::Route { .. })
    ));
}

#[test]
fn what_an_identity_tells_never_stands_in_a_host_and_never_opens_a_pattern() {
    let one = [("region", "eu")];
    let in_host =
        DERIVED.replace("{endpoint}/", "https://{owner}.example/").replace("name = \"owner\"", "name = \"other\"");
    assert!(matches!(derived(&in_host, &one, Some("1")), Err(Error::Route { .. })));
    for odd in ["*", "1:secret:x", "a*"] {
        assert!(matches!(derived(DERIVED, &one, Some(odd)), Err(Error::Route { .. })), "{odd}");
    }
}

#[test]
fn a_grant_keeps_what_its_routes_are_made_of() {
    let manifest = Manifest::parse(DERIVED.as_bytes()).unwrap();
    let asks = Asks::expand_with(&manifest, &settings(&[("region", "eu")]), &derive(Some("1"))).unwrap();
    let networks = asks.origins().into_iter().map(|origin| (origin, NetworkClass::Public)).collect();
    let plugin = PluginPin::Builtin("derived".to_owned());
    let grant =
        Grant { plugin, settings: asks.settings, derived: asks.derived, routes: asks.routes, networks, ..grant(false) };
    let text = serde_json::to_string(&grant).unwrap();
    let read: Grant = serde_json::from_str(&text).unwrap();
    assert_eq!(read, grant);
    assert_eq!(read.for_plugin(&manifest, "", true).unwrap().routes, grant.routes);
}
