//! Tests of the configuration: what is read, what is refused, and which layer counts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn place(owner: Owner) -> Place {
    Place { owner, file: PathBuf::from(format!("/{owner:?}.toml")) }
}

fn parse(text: &str) -> Result<Layer, Error> {
    Layer::parse(text.as_bytes(), &place(Owner::User))
}

fn project(text: &str) -> Result<Layer, Error> {
    Layer::parse(text.as_bytes(), &place(Owner::Project))
}

fn withheld(text: &str) -> Result<Layer, Box<Withheld>> {
    let why = project::Error::NotAllowed(place(Owner::Project));
    Err(Box::new(Withheld { layer: project(text).ok(), why }))
}

#[test]
fn a_provider_is_read_with_its_settings_as_text() {
    let layer = parse(
        "default = \"prod\"\n[providers.prod]\nplugin = \"vault\"\nsettings = { address = \"https://v\", kv-version = 0x2, on = true }\ncredential = { kind = \"vault-token\" }\n",
    )
    .unwrap();
    let provider = layer.providers.get("prod").unwrap();
    assert_eq!(provider.settings.get("kv-version").unwrap(), "2");
    assert_eq!(provider.settings.get("on").unwrap(), "true");
    assert_eq!(provider.credential.as_deref(), Some("vault-token"));
    assert_eq!(layer.default.as_deref(), Some("prod"));
}

#[test]
fn environments_and_secrets_are_read() {
    let layer = parse(
        "[secrets]\nA = \"store://prod/a#f\"\nB = { ref = \"b\", fallback = [\"store://local/b\"], required = false }\n[environments.staging]\ndefault = \"local\"\nsecrets = { A = \"other\" }\n",
    )
    .unwrap();
    let secret = layer.secrets.get("B").unwrap();
    assert_eq!(secret.reference.path, "b");
    assert_eq!(secret.fallback.first().unwrap().provider.as_deref(), Some("local"));
    assert!(!secret.required);
    assert!(layer.secrets.get("A").unwrap().required);
    assert_eq!(layer.environments.get("staging").unwrap().secrets.get("A").unwrap().reference.path, "other");
}

#[test]
fn an_error_names_the_place_and_never_what_stands_there() {
    for (text, start) in [
        ("\n[providers.a]\nplugin = \"vault\"\ntoken = \"hunter2hunter2\"\n", "line 4, column 9: `providers.a.token`"),
        ("\n\n\ndefault = hunter2hunter2\n", "line 4, column 11: "),
        ("\n\n\nproviders = \"hunter2hunter2\"\n", "line 4, column 13: `providers` must be a table"),
        ("\n\n\n[providers]\na = \"hunter2hunter2\"\n", "line 5, column 5: `providers.a` must be a table"),
        ("[secrets]\nA = \"https://hunter2hunter2\"", "line 2, column 5: `secrets.A` is no reference: "),
        ("[secrets]\n\"A B\" = \"x\"", "line 2, column 9: `secrets.A B` can't be"),
        ("[secrets]\nA = { fallback = [] }", "line 2, column 5: `secrets.A` needs a `ref`"),
        ("default = \"hunter2 hunter2\"", "line 1, column 11: `default` must be a provider's name"),
        ("[providers.\"A b\"]\nplugin = \"file\"", "line 1, column 1: `providers.A b` can't be"),
        ("[providers.local]\nplugin = \"file\"", "line 1, column 1: `local` is the built-in store"),
        ("[providers.a]\nplugin = \"file\"\n[providers.a]\n", "line 3, column "),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(Layer::parse(b"\xff", &Place::default()), Err(Error::Encoding));
}

#[test]
fn text_that_drives_a_terminal_is_refused() {
    for text in ["x\\u001b[2J", "x\\u202ey", "x\\u200by"] {
        let text = format!("[providers.a]\nplugin = \"vault\"\nsettings = {{ address = \"{text}\" }}\n");
        assert!(matches!(parse(&text), Err(Error::Rule { .. })), "{text}");
    }
}

#[test]
fn a_project_can_not_say_what_only_its_user_may() {
    for (text, name) in [
        ("audit = { path = \"/dev/null\" }", "audit"),
        ("[publishers]\nx = \"y\"", "publishers"),
        ("proxy = \"http://evil\"", "proxy"),
        ("[providers.a]\nplugin = \"vault\"\ntls-ca = \"ca.pem\"", "providers.a.tls-ca"),
        ("[providers.a]\nplugin = \"vault\"\ntls_ca = \"ca.pem\"", "providers.a.tls_ca"),
        ("[providers.a]\nplugin = \"vault\"\nproxy = \"http://evil\"", "providers.a.proxy"),
        (
            "[providers.a]\nplugin = \"vault\"\ncredential-audience = [\"http://evil\"]",
            "providers.a.credential-audience",
        ),
    ] {
        assert!(matches!(project(text), Err(Error::NotForProjects { name: found, .. }) if found == name), "{text}");
        assert!(matches!(parse(text), Err(Error::Unknown { .. })), "{text}");
    }
    // A policy of one's own that is wrong denies, and stops nothing else.
    assert!(matches!(project("policy = \"allow\""), Err(Error::NotForProjects { name, .. }) if name == "policy"));
    assert!(parse("policy = \"allow\"").unwrap().policies.first().unwrap().written.is_err());
    let source = "[providers.a]\nplugin = \"vault\"\ncredential = { kind = \"vault-token\", token = \"env:X\" }";
    assert!(matches!(project(source), Err(Error::Source { .. })));
    let source = "[providers.a]\nplugin = \"vault\"\ncredential.kind = \"header,name=x-k,value=env:X\"";
    assert!(matches!(project(source), Err(Error::Rule { .. })), "{:?}", project(source));
}

#[test]
fn a_project_counts_before_the_user_and_the_user_before_the_system() {
    let layer = |default: &str, name: &str| {
        project(&format!("default = \"{default}\"\n[providers.{name}]\nplugin = \"file\"\n")).unwrap()
    };
    let (system, user) = (layer("s", "s"), layer("u", "u"));
    let default = |config: &Config| config.default_provider().unwrap().to_owned();
    assert_eq!(default(&Config::of(system.clone(), Layer::default(), None, None)), "s");
    assert_eq!(default(&Config::of(system.clone(), user.clone(), None, None)), "u");
    let config = Config::of(system, user, Some(Ok(layer("p", "p"))), None);
    assert_eq!(default(&config), "p");
    assert!(["s", "u", "p"].iter().all(|name| config.provider(name).unwrap().is_some()));
    assert_eq!(default(&Config::default()), "local");
}

#[test]
fn an_environment_is_chosen_by_name_and_must_exist() {
    let text = "default = \"a\"\n[providers.a]\nplugin = \"file\"\n[providers.b]\nplugin = \"file\"\n[environments.staging]\ndefault = \"b\"\n[environments.other]\n";
    let of = |environment| Config::of(Layer::default(), parse(text).unwrap(), None, environment);
    assert_eq!(of(None).default_provider().unwrap(), "a");
    assert_eq!(of(Some("staging")).default_provider().unwrap(), "b");
    assert_eq!(of(Some("other")).default_provider().unwrap(), "a");
    assert_eq!(of(Some("stagng")).default_provider(), Err(Refusal::Environment("stagng".to_owned())));
}

#[test]
fn what_a_project_that_does_not_count_would_mean_is_refused_and_nothing_else() {
    let user = || parse("[providers.mine]\nplugin = \"file\"\n").unwrap();
    let of = |text: &str, environment| Config::of(Layer::default(), user(), Some(withheld(text)), environment);
    let config = of("default = \"theirs\"\n[providers.theirs]\nplugin = \"vault\"\n", None);
    assert!(matches!(config.default_provider(), Err(Refusal::Project(project::Error::NotAllowed(_)))));
    assert!(config.provider("theirs").is_err());
    assert!(config.provider("mine").unwrap().is_some());
    assert!(config.provider("nobodys").unwrap().is_none());
    // One that chooses no default leaves the user's.
    let config = of("[environments.staging]\ndefault = \"local\"\n", None);
    assert_eq!(config.default_provider(), Ok("local"));
    assert!(of("[environments.staging]\ndefault = \"local\"\n", Some("staging")).default_provider().is_err());
    // One that can't be read may mean anything that is not known without it.
    let config = of("this is no TOML", None);
    assert!(config.default_provider().is_err() && config.provider("nobodys").is_err());
    assert!(config.provider("mine").unwrap().is_some());
    assert!(config.provider(LOCAL).unwrap().is_none());
}

#[test]
fn a_project_that_names_a_provider_like_the_users_does_not_count() {
    let own = parse("default = \"prod\"\n[providers.prod]\nplugin = \"file\"\n").unwrap();
    let theirs = project("[providers.prod]\nplugin = \"vault\"\n[providers.more]\nplugin = \"vault\"\n").unwrap();
    for (system, user) in [(own.clone(), Layer::default()), (Layer::default(), own)] {
        let config = Config::of(system, user, Some(Ok(theirs.clone())), None);
        for name in ["prod", "more"] {
            assert!(matches!(config.provider(name), Err(Refusal::Project(project::Error::Shadows { .. }))), "{name}");
        }
    }
}

#[test]
fn where_a_new_sealing_key_goes_is_the_users_to_say_and_no_projects() {
    let text = "[store]\nkey = \"file\"\n";
    let of = |system: &str, user: &str| Config::of(parse(system).unwrap(), parse(user).unwrap(), None, None).key_place;
    assert_eq!(of("", ""), None);
    assert_eq!(of(text, ""), Some(KeyPlace::File));
    assert_eq!(of(text, "[store]\nkey = \"keyring\"\n"), Some(KeyPlace::Keyring));
    assert!(matches!(project(text), Err(Error::NotForProjects { name, .. }) if name == "store"));
    for wrong in ["[store]\nkey = \"disk\"\n", "[store]\nkey = 1\n", "[store]\nkeys = \"file\"\n", "store = 1\n"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_said_of_copies_is_read_and_a_project_can_say_less_of_it() {
    let layer = parse(
        "[cache]\nttl = \"90s\"\nmax-stale = \"1h\"\ndisk = true\nentries = 7\n[secrets]\nA = { ref = \"a\", cache = false }\nB = { ref = \"b\", cache = \"5s\" }\n[providers.p]\nplugin = \"x\"\ncache = false\n",
    )
    .unwrap();
    assert_eq!(layer.cache.ttl, Some(Duration::from_secs(90)));
    assert_eq!(layer.cache.entries, Some(7));
    assert_eq!(layer.providers.get("p").unwrap().cache, Some(CacheConfig::OFF));
    assert_eq!(layer.secrets.get("A").unwrap().cache, Some(Duration::ZERO));
    let config = Config::of(Layer::default(), layer, None, None);
    assert_eq!(config.limits().len(), 2);
    assert!(!config.caching.rules(Some(CacheConfig::OFF), false).keeps());
    for wrong in
        ["ttl = 5", "ttl = \"soon\"", "ttl = \"31d\"", "disk = 1", "entries = 0", "entries = 10001", "size = 1"]
    {
        assert!(parse(&format!("[cache]\n{wrong}\n")).is_err(), "{wrong}");
    }
    for own in [
        "[cache]\ndisk = true\n",
        "[cache]\nentries = 5\n",
        "providers.p = { plugin = \"x\", cache = { disk = true } }\n",
    ] {
        assert!(matches!(project(own), Err(Error::NotForProjects { .. })), "{own}");
        assert!(parse(own).is_ok(), "{own}");
    }
    assert!(project("[cache]\ndisk = false\nttl = \"1s\"\n").is_ok());
}

#[test]
fn stand_ins_belong_to_the_default_provider_that_they_were_written_for() {
    let user = "default = \"a\"\nfallback = [\"local\"]\nproviders = { a = { plugin = \"x\" }, b = { plugin = \"x\" } }\n[environments.same]\n[environments.other]\ndefault = \"b\"\n[environments.none]\nfallback = []\n[environments.own]\ndefault = \"b\"\nfallback = [\"a\", \"local\"]\n";
    let of = |project_text: Option<&str>, environment: Option<&str>| {
        let project = project_text.map(|text| project(text).map_err(|_| unreachable!("it is right")));
        let config = Config::of(Layer::default(), parse(user).unwrap(), project, environment);
        config.fallback().map(<[String]>::to_vec)
    };
    assert_eq!(of(None, None), Ok(vec!["local".to_owned()]));
    assert_eq!(of(None, Some("same")), Ok(vec!["local".to_owned()]));
    assert_eq!(of(None, Some("other")), Ok(Vec::new()));
    assert_eq!(of(None, Some("none")), Ok(Vec::new()));
    assert_eq!(of(None, Some("own")), Ok(vec!["a".to_owned(), "local".to_owned()]));
    assert_eq!(of(Some("default = \"b\"\n"), None), Ok(Vec::new()));
    assert_eq!(of(Some("fallback = [\"b\"]\n"), None), Ok(vec!["b".to_owned()]));
    assert_eq!(of(Some("fallback = [\"c\"]\n"), None), Err(Refusal::Fallback("c".to_owned())));
    // A project that nobody allowed may not decide it by being ignored either.
    let config = Config::of(Layer::default(), parse(user).unwrap(), Some(withheld("fallback = [\"b\"]\n")), None);
    assert!(matches!(config.fallback(), Err(Refusal::Project(_))));
}
