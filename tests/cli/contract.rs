//! What every provider does alike: one list of cases, run against the embedded store and both versions of Vault's KV.

use std::panic::{AssertUnwindSafe, catch_unwind};

use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_vault, get, root_world, set};

/// A provider under test, and where its backend differs from others by its nature.
struct Subject {
    world: World,
    provider: &'static str,
    /// Whether a write can be made to depend on the current version.
    compares: bool,
    /// Whether a version that is not the current one can be read.
    keeps_versions: bool,
    /// Whether a name is gone from listings with its secret.
    forgets_names: bool,
}

impl Subject {
    fn reference(&self, path: &str) -> String {
        format!("store://{}/{path}", self.provider)
    }

    #[track_caller]
    fn keeps(&self, path: &str, value: &[u8]) {
        set(&self.world, &self.reference(path), value).succeeds().stdout_is("");
        get(&self.world, &self.reference(path)).succeeds().stdout_is(value);
    }

    #[track_caller]
    fn names(&self, prefix: &str) -> Vec<String> {
        let listed = self.world.forge(["secret", "list", &self.reference(prefix)]);
        listed.succeeds().text().lines().map(str::to_owned).collect()
    }

    /// The current version's name, where the provider tells it.
    #[track_caller]
    fn version(&self, path: &str) -> String {
        let shown = self.world.forge(["--json", "secret", "get", &self.reference(path)]);
        shown.succeeds().json()["version"]["id"].as_str().unwrap().to_owned()
    }
}

type Case = fn(&Subject);

const CASES: [(&str, Case); 17] = [
    ("a missing secret is not found", |subject| {
        get(&subject.world, &subject.reference("missing")).exits(3).stdout_is("");
        get(&subject.world, &subject.reference("missing/deeper")).exits(3).stdout_is("");
    }),
    ("a value is read back", |subject| subject.keeps("app/db", b"hunter2 and a space ")),
    ("an empty value is a value", |subject| subject.keeps("empty", b"")),
    ("newlines are kept where they are meant", |subject| {
        subject.keeps("newline", b"line\n");
        subject.keeps("newlines", b"\n\r\n\n");
        let run = subject.world.command(["secret", "set", &subject.reference("echoed")]).input("from echo\n").run();
        run.succeeds();
        get(&subject.world, &subject.reference("echoed")).stdout_is("from echo");
    }),
    ("a mebibyte is read back", |subject| {
        let text: Vec<u8> = (0..1 << 20).map(|number: u32| b'a' + u8::try_from(number * 7 % 26).unwrap()).collect();
        subject.keeps("large/text", &text);
        let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| u8::try_from(number * 31 % 256).unwrap()).collect();
        subject.keeps("large/bytes", &bytes);
    }),
    ("bytes that are not UTF-8 are read back", |subject| {
        subject.keeps("binary", b"\xff\xfe\x00\x01\x80binary\x00");
        let shown = subject.world.forge(["--json", "secret", "get", &subject.reference("binary")]);
        assert_eq!(shown.succeeds().json()["value_base64"], "//4AAYBiaW5hcnkA");
    }),
    ("text that looks like something else is text", |subject| {
        for (name, value) in
            [("number", "12"), ("list", "[1, 2]"), ("null", "null"), ("quoted", "\"x\""), ("percent", "100%25")]
        {
            subject.keeps(&format!("like/{name}"), value.as_bytes());
        }
    }),
    ("a path may have any letters", |subject| {
        subject.keeps("unicode/caf\u{e9} \u{65e5}\u{672c}\u{8a9e}/\u{1f511}", b"found");
        get(&subject.world, &subject.reference("unicode/caf%C3%A9%20%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%94%91"))
            .stdout_is("found");
        subject.keeps("a.b-c_d~e/f@g+h,i;j=k!l$m&n'o(p)*q", b"marks");
        subject.keeps(&format!("long/{}", "n".repeat(200)), b"long");
    }),
    ("a name may be a secret and a folder", |subject| {
        subject.keeps("both", b"the secret");
        subject.keeps("both/below", b"below it");
        get(&subject.world, &subject.reference("both")).stdout_is("the secret");
    }),
    ("a field is taken out of a JSON object", |subject| {
        let object = r#"{"empty":"","nested":{"list":[1,"two"]},"null":null,"number":12,"user":"app"}"#;
        let reference = subject.reference("object");
        set(&subject.world, &reference, object).succeeds();
        for (field, value) in [
            ("user", "app"),
            ("empty", ""),
            ("number", "12"),
            ("/nested/list/1", "two"),
            ("nested", r#"{"list":[1,"two"]}"#),
        ] {
            get(&subject.world, &format!("{reference}#{field}")).succeeds().stdout_is(value);
        }
        for field in ["missing", "null", "/nested/list/7", "/user/deeper"] {
            get(&subject.world, &format!("{reference}#{field}")).exits(3).stdout_is("");
        }
        let whole: serde_json::Value = serde_json::from_str(&get(&subject.world, &reference).text()).unwrap();
        assert_eq!(whole, serde_json::from_str::<serde_json::Value>(object).unwrap());
        subject.keeps("plain", b"no object");
        assert_ne!(get(&subject.world, &format!("{}#user", subject.reference("plain"))).code, Some(0));
    }),
    ("a secret is written over", |subject| {
        subject.keeps("over", b"first");
        subject.keeps("over", b"second");
    }),
    ("a write that expects another version is a conflict and writes nothing", |subject| {
        let reference = subject.reference("compared");
        let set_if = |expected: &str, value: &str| {
            subject.world.command(["secret", "set", &reference, "--expected-version", expected]).input(value).run()
        };
        if !subject.compares {
            set_if("1", "value").exits(2);
            get(&subject.world, &reference).exits(3);
            return;
        }
        set_if("", "first").succeeds();
        set_if("", "again").exits(9);
        let first = subject.version("compared");
        set_if(&first, "second").succeeds();
        set_if(&first, "third").exits(9);
        set_if("999", "third").exits(9);
        get(&subject.world, &reference).stdout_is("second");
        assert_ne!(subject.version("compared"), first);
    }),
    ("an old version is read where it is kept, and is absent where it isn't", |subject| {
        let reference = subject.reference("versions");
        set(&subject.world, &reference, "first").succeeds();
        set(&subject.world, &reference, "second").succeeds();
        if subject.keeps_versions {
            get(&subject.world, &format!("{reference}?version=1")).succeeds().stdout_is("first");
            get(&subject.world, &format!("{reference}?version=2")).succeeds().stdout_is("second");
        }
        let absent = get(&subject.world, &format!("{reference}?version=99"));
        assert!(matches!(absent.code, Some(2 | 3)), "{absent:?}");
        absent.stdout_is("");
    }),
    ("a listing has the names at and below a prefix and no others", |subject| {
        for path in ["listed/a", "listed/b/c", "listed/b/d", "listed-not/e"] {
            subject.keeps(path, b"x");
        }
        assert_eq!(subject.names("listed"), ["listed/a", "listed/b/c", "listed/b/d"]);
        assert_eq!(subject.names("listed/b"), ["listed/b/c", "listed/b/d"]);
        assert_eq!(subject.names("nothing"), [""; 0]);
        let all = subject.names("");
        assert!(all.contains(&"listed/a".to_owned()) && all.contains(&"listed-not/e".to_owned()), "{all:?}");
    }),
    ("a deleted secret is gone", |subject| {
        subject.keeps("deleted/one", b"x");
        subject.keeps("deleted/two", b"y");
        let delete = || subject.world.forge(["secret", "delete", &subject.reference("deleted/one"), "--yes"]);
        delete().succeeds();
        get(&subject.world, &subject.reference("deleted/one")).exits(3).stdout_is("");
        delete().exits(3);
        get(&subject.world, &subject.reference("deleted/two")).succeeds().stdout_is("y");
        if subject.forgets_names {
            assert_eq!(subject.names("deleted"), ["deleted/two"]);
        }
        subject.keeps("deleted/one", b"back again");
    }),
    ("a deletion that nobody confirmed deletes nothing", |subject| {
        subject.keeps("kept", b"x");
        subject.world.forge(["secret", "delete", &subject.reference("kept")]).exits(2).stderr_has("--yes");
        get(&subject.world, &subject.reference("kept")).succeeds().stdout_is("x");
    }),
    ("a malformed reference is refused before anything is asked", |subject| {
        let audited = subject.world.audit().len();
        for path in [
            "a//b",
            "/a",
            "a/",
            "a/../b",
            "../a",
            "./a",
            "a/.",
            "a%2",
            "a%zz",
            "a%FF",
            "a%0Ab",
            "a?version=",
            "a?v=1",
            "a?version=1&version=2",
            "a#",
            "",
        ] {
            get(&subject.world, &subject.reference(path)).exits(2).stdout_is("");
            set(&subject.world, &subject.reference(path), "x").exits(2);
        }
        assert_eq!(subject.world.audit().len(), audited, "a malformed reference reached the provider");
    }),
];

/// Runs every case and tells all that failed.
#[track_caller]
fn keeps_the_contract(subject: &Subject) {
    let broken: Vec<&str> = CASES
        .iter()
        .filter(|(_, case)| catch_unwind(AssertUnwindSafe(|| case(subject))).is_err())
        .map(|(sentence, _)| *sentence)
        .collect();
    assert!(broken.is_empty(), "`{}` breaks the contract:\n{}", subject.provider, broken.join("\n"));
}

#[test]
fn the_embedded_store_keeps_the_contract() {
    let world = World::new();
    keeps_the_contract(&Subject {
        world,
        provider: "local",
        compares: true,
        keeps_versions: false,
        forgets_names: true,
    });
}

#[test]
fn version_2_of_a_real_servers_kv_keeps_the_contract() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    keeps_the_contract(&Subject { world, provider: "bao", compares: true, keeps_versions: true, forgets_names: false });
}

#[test]
fn version_1_of_a_real_servers_kv_keeps_the_contract() {
    let server = OpenBao::start();
    server.mount("one", 1);
    let world = root_world();
    add_vault(&world, &server, ["--set", "mount=one"]).succeeds();
    keeps_the_contract(&Subject {
        world,
        provider: "bao",
        compares: false,
        keeps_versions: false,
        forgets_names: true,
    });
}
