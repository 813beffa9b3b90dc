//! Development files against the fake host: what is read, and that nothing but the entry changes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forge_sdk::{ErrorKind, fake};

use super::*;

fn given(name: &str, text: &str) {
    fake::Host::new().setting("file", &format!("/project/{name}")).file("file", text).install();
}

fn value(path: &str) -> Option<String> {
    TextFile::get(path, None).unwrap().map(|secret| String::from_utf8(secret.value.into_bytes()).unwrap())
}

fn set(path: &str, value: &str) -> Result<String, Error> {
    TextFile::put(path, value.as_bytes(), &PutOptions::default())?;
    Ok(String::from_utf8(fake::file("file").unwrap()).unwrap())
}

fn removed(path: &str) -> String {
    assert!(TextFile::delete(path, &Attributes::new()).unwrap(), "{path}");
    String::from_utf8(fake::file("file").unwrap()).unwrap()
}

fn names(prefix: Option<&str>) -> Vec<String> {
    TextFile::list(prefix, None, 100).unwrap().entries.into_iter().map(|entry| entry.path).collect()
}

/// Each change of an entry: the file, its text, the path, and the text afterwards.
#[track_caller]
fn changes(file: &str, cases: &[(&str, &str, Option<&str>, &str)]) {
    for (before, path, new, after) in cases {
        given(file, before);
        let found = match new {
            Some(new) => set(path, new).unwrap(),
            None => removed(path),
        };
        assert_eq!(&found, after, "{before:?} {path}");
    }
}

#[test]
fn a_dotenv_file_is_read_as_python_dotenv_reads_it() {
    given(
        ".env",
        "\u{feff}# top\r\nA=b\r\n export  B = 'it\\'s # \\n'  # c\nC=\"x\\n\\\"y\\\" \\$ z\" #c\nD=plain value # comment\nE=a#b\nF=\n\
         G='two\nlines'\nbare\n'quoted key'=1\nexport=2\n\tH=\"\"",
    );
    let read = [
        ("A", "b"),
        ("B", "it's # \\n"),
        ("C", "x\n\"y\" \\$ z"),
        ("D", "plain value"),
        ("E", "a#b"),
        ("F", ""),
        ("G", "two\nlines"),
        ("quoted key", "1"),
        ("export", "2"),
        ("H", ""),
    ];
    for (name, expected) in read {
        assert_eq!(value(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(value("bare"), None);
    assert_eq!(names(None).len(), read.len());
}

#[test]
fn a_dotenv_file_keeps_all_but_the_entry() {
    changes(
        "production.env",
        &[
            ("", "A", Some("b"), "A=b\n"),
            ("# c\r\nA = 1 # one\r\nB=2\r\n", "A", Some("x y"), "# c\r\nA ='x y' # one\r\nB=2\r\n"),
            ("# c\r\nA=1\r\nB=2", "C", Some(""), "# c\r\nA=1\r\nB=2\r\nC=\r\n"),
            ("export A=\"1\nmore\" # c\nB=2\n", "A", Some("it's\r\n"), "export A=\"it's\\r\\n\" # c\nB=2\n"),
            ("bare\n", "bare", Some("1"), "bare=1\n"),
            ("\u{feff}A=1\n\n# two\nB='x\ny'\n# end", "B", None, "\u{feff}A=1\n\n# two\n# end"),
        ],
    );
}

#[test]
fn any_text_comes_back_from_every_format() {
    let texts = [
        "",
        " ",
        "line\n",
        "\n\r\n\n",
        "it's \"quoted\" \\ and \\n",
        "'",
        "\\",
        "a # b",
        "${HOME} $x `y`",
        "\u{85}\u{2028}\u{feff}\u{1f511}\u{7f}\u{1}",
        "null",
        "~",
        "- a",
        "{a: 1}",
        "é: ü",
        "\t",
    ];
    for file in [".env", "a.json", "a.yaml"] {
        for text in texts {
            for before in ["", "OTHER: 1\n", "{\"OTHER\": 1}", "OTHER=1\n"] {
                given(file, before);
                if TextFile::check().is_err() {
                    continue;
                }
                set("NAME", text).unwrap();
                assert_eq!(value("NAME").as_deref(), Some(text), "{file}");
                set("NAME", "again").unwrap();
                set("NAME", text).unwrap();
                assert_eq!(value("NAME").as_deref(), Some(text), "{file}");
                removed("NAME");
                assert_eq!(value("NAME"), None);
            }
        }
    }
}

#[test]
fn a_json_file_keeps_all_but_the_entry() {
    let file = "{\n  // db\n  \"db\": {\"user\": \"app\", \"port\": 5432}, // inline\n  \"key\": \"x\" // last\n}\n";
    changes(
        "settings.json",
        &[
            ("", "a", Some("b"), "{\n  \"a\": \"b\"\n}\n"),
            ("{}", "a/b", Some("c"), "{\n  \"a\": {\"b\": \"c\"}\n}"),
            (file, "db/port", Some("1"), &file.replace("5432", "\"1\"")),
            (file, "db/host", Some("h"), &file.replace("5432", "5432, \"host\": \"h\"")),
            (file, "new", Some("é"), &file.replace("\"x\" // last\n", "\"x\", // last\n  \"new\": \"é\"\n")),
            (file, "db/user", None, &file.replace("\"user\": \"app\", ", "")),
            (file, "db/port", None, &file.replace(", \"port\": 5432", " ")),
            (file, "key", None, "{\n  // db\n  \"db\": {\"user\": \"app\", \"port\": 5432} // inline\n  // last\n}\n"),
            ("{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}", "b", None, "{\r\n\t\"a\": 1\r\n}"),
            (
                "{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}",
                "c",
                Some(""),
                "{\r\n\t\"a\": 1,\r\n\t\"b\": 2,\r\n\t\"c\": \"\"\r\n}",
            ),
            ("{\n \"a\": 1,\n}", "b", Some("2"), "{\n \"a\": 1,\n \"b\": \"2\",\n}"),
            ("{\"a\": {\"b\": null}}", "a/b/c", Some("1"), "{\"a\": {\"b\": {\"c\": \"1\"}}}"),
            ("{\"a\": 1}", "a", None, "{}"),
        ],
    );
    given("settings.json", file);
    assert_eq!(names(None), ["db/port", "db/user", "key"]);
    assert_eq!(names(Some("db")), ["db/port", "db/user"]);
    assert_eq!(value("db/port").as_deref(), Some("5432"));
    assert_eq!(value("db"), None);
}

#[test]
fn a_yaml_file_keeps_all_but_the_entry() {
    let file = "# top\ndb:\n  user: app   # who\n  options: {a: 1, 'b': \"2\"}\n\n  # the key\n  key: |\n    one\n    two\n\nlast: 'x' # end\n";
    changes(
        "settings.yml",
        &[
            ("", "a", Some("b"), "a: \"b\"\n"),
            ("# only\n", "a/b", Some("c"), "# only\na:\n  b: \"c\"\n"),
            (file, "db/user", Some("x"), &file.replace("app ", "\"x\" ")),
            (file, "last", Some("y"), &file.replace("'x'", "\"y\"")),
            (file, "db/key", Some("v"), &file.replace("|\n    one\n    two\n", "\"v\"\n")),
            (file, "db/new", Some("1"), &file.replace("    two\n", "    two\n  new: \"1\"\n")),
            (file, "yes", Some("1"), &format!("{file}\"yes\": \"1\"\n")),
            (file, "db/options/c", Some("3"), &file.replace("\"2\"}", "\"2\", \"c\": \"3\"}")),
            (file, "db/options/a", None, &file.replace("a: 1, ", "")),
            (file, "db/options/b", None, &file.replace(", 'b': \"2\"", " ")),
            (file, "db/user", None, &file.replace("  user: app   # who\n", "")),
            (file, "db/key", None, &file.replace("  key: |\n    one\n    two\n", "")),
            ("a:\n  b: 1 # x\n", "a/b", None, "a: {}\n"),
            ("a: {}\n", "a/b", Some("1"), "a: {\"b\": \"1\"}\n"),
            ("a: # empty\nb: 1\n", "a", Some("x"), "a: \"x\" # empty\nb: 1\n"),
            ("a: # empty\nb: 1\n", "a/c/d", Some("x"), "a: # empty\n  c:\n    d: \"x\"\nb: 1\n"),
            ("a: ~\n", "a/c", Some("x"), "a: {\"c\": \"x\"}\n"),
            ("é: ü\r\nb: more\r\n  lines\r\nc: 1", "b", Some("x"), "é: ü\r\nb: \"x\"\r\nc: 1"),
            ("é: ü\r\nc: 1", "d", Some("x"), "é: ü\r\nc: 1\r\nd: \"x\""),
            ("---\na: 1\n", "b", Some("2"), "---\na: 1\nb: \"2\"\n"),
            ("k: | # see > and |\n  x\nl: 1\n", "k", Some("y"), "k: \"y\"\nl: 1\n"),
        ],
    );
    given("settings.yml", file);
    assert_eq!(names(None), ["db/key", "db/options/a", "db/options/b", "db/user", "last"]);
    assert_eq!(value("db/key").as_deref(), Some("one\ntwo\n"));
    assert_eq!(value("db/options/a").as_deref(), Some("1"));
}

#[test]
fn what_can_not_be_read_or_changed_safely_is_an_error_and_the_file_stays() {
    let deep = "[".repeat(100_000);
    let nested = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b, *b]\nd: *c\n";
    let cases: [(&str, &str, ErrorKind); 17] = [
        (".env", "A=1\nA=2\n", ErrorKind::Upstream),
        (".env", "A='open\n", ErrorKind::Upstream),
        (".env", "A='x' y\n", ErrorKind::Upstream),
        (".env", "=x\n", ErrorKind::Upstream),
        ("a.json", "{\"A\": 1, \"A\": 2}", ErrorKind::Upstream),
        ("a.json", "{\"x\": hunter2}", ErrorKind::Upstream),
        ("a.json", "[1]", ErrorKind::Upstream),
        ("a.json", &deep, ErrorKind::Upstream),
        ("a.json", &nested, ErrorKind::Upstream),
        ("a.json", "{\"A\": [1]}", ErrorKind::Unsupported),
        ("a.yaml", "A: 1\nA: 2\n", ErrorKind::Upstream),
        ("a.yaml", "A: 1\n---\nA: 2\n", ErrorKind::Upstream),
        ("a.yaml", "A: [1\n", ErrorKind::Upstream),
        ("a.yaml", &deep, ErrorKind::Upstream),
        ("a.yaml", "A: &x 1\nB: *x\n", ErrorKind::Unsupported),
        ("a.yaml", "A: !vault x\n", ErrorKind::Unsupported),
        ("a.yaml", "- 1\n", ErrorKind::Upstream),
    ];
    for (file, text, kind) in cases {
        given(file, text);
        let error = set("A", "new").unwrap_err();
        assert_eq!(error.kind(), kind, "{file} {}: {error}", text.get(..text.len().min(30)).unwrap());
        assert!(!error.message().contains("hunter2"), "{error}");
        assert_eq!(fake::file("file").unwrap(), text.as_bytes());
    }
    given("a.yaml", bomb);
    assert_eq!(names(None), [""; 0]);
    assert_eq!(TextFile::get("d", None).unwrap_err().kind(), ErrorKind::Unsupported);
    given("a.json", "{\"a\": \"x\", \"b\": {\"c\": \"y\"}}");
    assert_eq!(set("a/b", "x").unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(set("b", "x").unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(TextFile::put("a", b"\xff", &PutOptions::default()).unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(TextFile::put("a", b"\0", &PutOptions::default()).unwrap_err().kind(), ErrorKind::InvalidRequest);
    given(".env", "");
    assert_eq!(set("a/b", "x").unwrap_err().kind(), ErrorKind::InvalidRequest);
    fake::Host::new().setting("file", "/a.json").file("file", vec![b' '; LONGEST + 1]).install();
    assert_eq!(TextFile::get("a", None).unwrap_err().kind(), ErrorKind::TooLarge);
    fake::Host::new().setting("file", "/a.json").file("file", [0xff]).install();
    assert_eq!(TextFile::get("a", None).unwrap_err().kind(), ErrorKind::Upstream);
}

#[test]
fn the_format_follows_from_the_name_or_is_said() {
    for (name, expected) in [
        ("/p/.env", Format::Dotenv),
        ("/p/.env.local", Format::Dotenv),
        ("/p/dev.env", Format::Dotenv),
        ("/p/A.JSON", Format::Json),
        ("/p/a.jsonc", Format::Json),
        ("/p/a.yml", Format::Yaml),
        ("/p/.env.yaml", Format::Yaml),
    ] {
        assert_eq!(Format::of(None, name).unwrap(), expected, "{name}");
        assert_eq!(Format::of(Some("auto"), name).unwrap(), expected);
    }
    assert_eq!(Format::of(Some("json"), "/p/.env").unwrap(), Format::Json);
    assert!(Format::of(None, "/p.env/secrets").is_err());
    assert!(Format::of(Some("toml"), "/p/a.json").is_err());
}

#[test]
fn a_listing_has_pages_and_what_a_file_can_not_do_is_refused_by_name() {
    given(".env", "C=3\nA=1\nB=2\n");
    let first = TextFile::list(None, None, 2).unwrap();
    assert_eq!(first.entries.len(), 2);
    let second = TextFile::list(None, first.next.as_deref(), 2).unwrap();
    assert_eq!((second.entries.len(), second.next), (1, None));
    assert_eq!(TextFile::get("A", Some("1")).unwrap_err().kind(), ErrorKind::Unsupported);
    let expecting = |version: &str| PutOptions { expected_version: Some(version.to_owned()), ..PutOptions::default() };
    assert_eq!(TextFile::put("A", b"x", &expecting("1")).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(TextFile::put("A", b"x", &expecting("")).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(value("A").unwrap(), "1");
    TextFile::put("new", b"x", &expecting("")).unwrap();
    assert_eq!(value("new").unwrap(), "x");
    assert!(TextFile::get("A", Some("1")).unwrap_err().message().contains("versions"));
    assert_eq!(TextFile::recover("A").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(TextFile::purge("A").unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(!TextFile::delete("D", &Attributes::new()).unwrap());
}
