//! What every provider does alike: one list of cases, run against each provider that writes, and what one that reads has of it.

mod aws;
mod azure;
mod environment;
mod google;

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
    /// Whether old versions come back, and deleted secrets, and single versions can be disabled.
    has_history: bool,
    /// Whether a value may be any bytes, and a name a secret and a folder: not so in a file that people edit.
    is_store: bool,
    /// Whether names are made of segments.
    has_folders: bool,
    /// What else its backend does in a way of its own.
    own: Own,
}

/// Where a backend differs from what most of them do.
#[derive(Clone, Copy)]
struct Own {
    /// The longest value, in bytes.
    longest: usize,
    /// Whether a value may be empty.
    takes_empty: bool,
    /// Whether a name may have any letters and marks.
    takes_any_name: bool,
    /// Whether an old version comes back by being current again, and not by being written anew.
    moves_back: bool,
    /// Whether one version can be disabled.
    has_states: bool,
    /// Whether a deleted secret is written over like one that is not there.
    rewrites_deleted: bool,
    /// Whether a deletion is taken back.
    recovers: bool,
    /// Whether a value may be any bytes.
    takes_bytes: bool,
    /// What joins the parts of a name where names are not made of segments.
    joiner: &'static str,
}

/// What most backends do.
const USUAL: Own = Own {
    longest: 1 << 20,
    takes_empty: true,
    takes_any_name: true,
    moves_back: false,
    has_states: true,
    rewrites_deleted: true,
    recovers: true,
    takes_bytes: true,
    joiner: "_",
};

impl Subject {
    fn reference(&self, path: &str) -> String {
        if self.has_folders {
            format!("store://{}/{path}", self.provider)
        } else {
            format!("store://{}/{}", self.provider, path.replace('/', self.own.joiner))
        }
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

const CASES: [(&str, Case); 20] = [
    ("a missing secret is not found", |subject| {
        get(&subject.world, &subject.reference("missing")).exits(3).stdout_is("");
        get(&subject.world, &subject.reference("missing/deeper")).exits(3).stdout_is("");
    }),
    ("a value is read back", |subject| subject.keeps("app/db", b"hunter2 and a space ")),
    ("an empty value is a value", |subject| {
        if !subject.own.takes_empty {
            set(&subject.world, &subject.reference("empty"), b"").exits(2);
            get(&subject.world, &subject.reference("empty")).exits(3);
            return;
        }
        subject.keeps("empty", b"");
    }),
    ("newlines are kept where they are meant", |subject| {
        subject.keeps("newline", b"line\n");
        subject.keeps("newlines", b"\n\r\n\n");
        let run = subject.world.command(["secret", "set", &subject.reference("echoed")]).input("from echo\n").run();
        run.succeeds();
        get(&subject.world, &subject.reference("echoed")).stdout_is("from echo");
    }),
    ("the longest value is read back", |subject| {
        let numbers = || (0..u32::try_from(subject.own.longest).unwrap()).map(|number| number % 4096);
        let text: Vec<u8> = numbers().map(|number| b'a' + u8::try_from(number * 7 % 26).unwrap()).collect();
        subject.keeps("large/text", &text);
        if !subject.is_store || !subject.own.takes_bytes {
            return;
        }
        let bytes: Vec<u8> = numbers().map(|number| u8::try_from(number * 31 % 256).unwrap()).collect();
        subject.keeps("large/bytes", &bytes);
    }),
    ("bytes that are not UTF-8 are read back", |subject| {
        if !subject.is_store || !subject.own.takes_bytes {
            set(&subject.world, &subject.reference("binary"), b"\xff\xfe\x00").exits(2);
            get(&subject.world, &subject.reference("binary")).exits(3);
            return;
        }
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
        if !subject.has_folders || !subject.own.takes_any_name {
            set(&subject.world, &subject.reference("caf\u{e9} au lait"), "x").exits(2);
            return;
        }
        subject.keeps("unicode/caf\u{e9} \u{65e5}\u{672c}\u{8a9e}/\u{1f511}", b"found");
        get(&subject.world, &subject.reference("unicode/caf%C3%A9%20%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%94%91"))
            .stdout_is("found");
        subject.keeps("a.b-c_d~e/f@g+h,i;j=k!l$m&n'o(p)*q", b"marks");
        subject.keeps(&format!("long/{}", "n".repeat(200)), b"long");
    }),
    ("a name may be a secret and a folder", |subject| {
        subject.keeps("both", b"the secret");
        if subject.has_folders && !subject.is_store {
            set(&subject.world, &subject.reference("both/below"), "x").exits(2);
            get(&subject.world, &subject.reference("both")).stdout_is("the secret");
            return;
        }
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
        let first = subject.keeps_versions.then(|| subject.version("versions"));
        set(&subject.world, &reference, "second").succeeds();
        if let Some(first) = first {
            get(&subject.world, &format!("{reference}?version={first}")).succeeds().stdout_is("first");
            let second = subject.version("versions");
            get(&subject.world, &format!("{reference}?version={second}")).succeeds().stdout_is("second");
        }
        let absent = get(&subject.world, &format!("{reference}?version=99"));
        assert!(matches!(absent.code, Some(2 | 3)), "{absent:?}");
        absent.stdout_is("");
    }),
    ("a listing has the names at and below a prefix and no others", |subject| {
        for path in ["listed/a", "listed/b/c", "listed/b/d", "listed-not/e"] {
            subject.keeps(path, b"x");
        }
        if !subject.has_folders {
            let name = format!("listed{}a", subject.own.joiner);
            assert_eq!(subject.names(&name), [name.as_str()]);
            return;
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
        if subject.forgets_names && subject.has_folders {
            assert_eq!(subject.names("deleted"), ["deleted/two"]);
        }
        if subject.own.rewrites_deleted {
            subject.keeps("deleted/one", b"back again");
        }
    }),
    ("a deletion that nobody confirmed deletes nothing", |subject| {
        subject.keeps("kept", b"x");
        subject.world.forge(["secret", "delete", &subject.reference("kept")]).exits(2).stderr_has("--yes");
        get(&subject.world, &subject.reference("kept")).succeeds().stdout_is("x");
    }),
    ("an old version comes back as the current one", |subject| {
        let reference = subject.reference("rolled");
        subject.keeps("rolled", b"first");
        let rollback = |to: &str| subject.world.forge(["secret", "rollback", &reference, "--to", to]);
        if !subject.has_history {
            rollback("1").exits(2);
            subject.world.forge(["secret", "versions", &reference]).exits(2);
            get(&subject.world, &reference).stdout_is("first");
            return;
        }
        let first = subject.version("rolled");
        subject.keeps("rolled", b"second");
        rollback(&first).succeeds();
        get(&subject.world, &reference).succeeds().stdout_is("first");
        rollback("99").exits(3);
        let shown = subject.world.forge(["--json", "secret", "versions", &reference]).succeeds().json();
        let versions = shown["versions"].as_array().unwrap();
        assert_eq!(versions.len(), if subject.own.moves_back { 2 } else { 3 }, "{shown}");
        assert!(subject.own.moves_back || versions[0]["current"] == true, "{shown}");
        assert_eq!(versions.iter().filter(|version| version["current"] == true).count(), 1);
    }),
    ("a deleted secret is recovered, and a purged one is not", |subject| {
        let reference = subject.reference("recovered");
        subject.keeps("recovered", b"first");
        subject.keeps("recovered", b"second");
        let forge = |arguments: [&str; 3]| subject.world.forge(arguments);
        let purge = || subject.world.forge(["secret", "purge", &reference, "--yes"]);
        if !subject.has_history || !subject.own.recovers {
            forge(["secret", "recover", &reference]).exits(2);
            return;
        }
        assert_ne!(forge(["secret", "recover", &reference]).code, Some(0), "it is not deleted");
        subject.world.forge(["secret", "delete", &reference, "--yes"]).succeeds();
        get(&subject.world, &reference).exits(3);
        forge(["secret", "recover", &reference]).succeeds();
        get(&subject.world, &reference).succeeds().stdout_is("second");
        subject.world.forge(["secret", "delete", &reference, "--yes"]).succeeds();
        purge().succeeds();
        purge().exits(3);
        assert_ne!(forge(["secret", "recover", &reference]).code, Some(0));
        get(&subject.world, &reference).exits(3);
    }),
    ("a version that is disabled is not read until it is enabled", |subject| {
        let reference = subject.reference("disabled");
        subject.keeps("disabled", b"x");
        let disabled = subject.world.forge(["secret", "disable", &reference]);
        if !subject.has_history || !subject.own.has_states {
            assert_ne!(disabled.code, Some(0));
            get(&subject.world, &reference).succeeds().stdout_is("x");
            return;
        }
        disabled.succeeds();
        get(&subject.world, &reference).exits(9).stdout_is("");
        subject.world.forge(["secret", "enable", &reference]).succeeds();
        get(&subject.world, &reference).succeeds().stdout_is("x");
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
            let reference = format!("store://{}/{path}", subject.provider);
            get(&subject.world, &reference).exits(2).stdout_is("");
            set(&subject.world, &reference, "x").exits(2);
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
        keeps_versions: true,
        forgets_names: true,
        has_history: true,
        is_store: true,
        has_folders: true,
        own: USUAL,
    });
}

#[test]
fn version_2_of_a_real_servers_kv_keeps_the_contract() {
    let server = OpenBao::start();
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    keeps_the_contract(&Subject {
        world,
        provider: "bao",
        compares: true,
        keeps_versions: true,
        forgets_names: false,
        has_history: true,
        is_store: true,
        has_folders: true,
        own: Own { has_states: false, ..USUAL },
    });
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
        has_history: false,
        is_store: true,
        has_folders: true,
        own: USUAL,
    });
}

/// A development file that is there already, with an entry of somebody's.
#[track_caller]
fn a_file_keeps_the_contract(name: &str, text: &str, has_folders: bool) {
    let world = World::new();
    let file = world.file(name, text);
    let add = world.command(["provider", "add", "dev", "--plugin", "textfile", "--yes"]);
    add.and(["--set", &format!("file={file}")]).run().succeeds();
    let subject = Subject {
        world,
        provider: "dev",
        compares: false,
        keeps_versions: false,
        forgets_names: true,
        has_history: false,
        is_store: false,
        has_folders,
        own: USUAL,
    };
    keeps_the_contract(&subject);
    get(&subject.world, "store://dev/THEIRS").succeeds().stdout_is("kept");
    let left = std::fs::read_to_string(subject.world.path(name)).unwrap();
    assert!(left.contains("their comment"), "{name}");
}

#[test]
fn a_dotenv_file_keeps_the_contract() {
    a_file_keeps_the_contract("dev.env", "# their comment\nTHEIRS=kept\n", false);
}

#[test]
fn a_json_file_keeps_the_contract() {
    a_file_keeps_the_contract("dev.json", "{\n  // their comment\n  \"THEIRS\": \"kept\"\n}\n", true);
}

#[test]
fn a_yaml_file_keeps_the_contract() {
    a_file_keeps_the_contract("dev.yaml", "# their comment\nTHEIRS: kept\n", true);
}
