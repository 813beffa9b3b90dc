//! Whole documents: what is filled in, what stays, and what is refused.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use saphyr_parser::{Event, Parser};

use super::*;

mod random;

const FORMATS: [Format; 6] = [Format::Yaml, Format::Json, Format::Toml, Format::Dotenv, Format::Ini, Format::Text];

/// Values that some reader of some format takes for something else, unless it is written with care.
const NASTY: [&str; 45] = [
    "",
    "plain",
    "two words",
    " lead",
    "trail ",
    "\ttab",
    "a\tb",
    "true",
    "Yes",
    "NO",
    "null",
    "~",
    "12",
    "0x1f",
    "1e3",
    "1:20",
    "2001-01-01",
    "- item",
    "-",
    "? key",
    "a: b",
    "a:",
    "#c",
    "a #c",
    "a;c",
    "'",
    "''",
    "\"",
    "a\"b'c",
    "\\",
    "\\n",
    "a\\",
    "line\nline",
    "\n",
    "line\n",
    "\r",
    "a\r\nb",
    "\u{7f}\u{1}\u{85}",
    "\u{2028}\u{feff}\u{fffe}",
    "é🔑",
    "---\n...",
    "${secret:a}",
    "$${secret:a}",
    "%TAG {[*&!|>",
    "-----BEGIN KEY-----\n  abc==\n\n#x\n-----END KEY-----\n",
];

fn parsed(text: &str, format: Format) -> Result<Document, Error> {
    Document::parse(text.as_bytes().to_vec(), format)
}

/// A text with the same value for each reference.
fn filled(text: &str, format: Format, value: &str) -> Result<String, Error> {
    let document = parsed(text, format)?;
    let values: Vec<Value> = document.references().iter().map(|_| Value::new(value.as_bytes().to_vec())).collect();
    Ok(String::from_utf8(document.filled(&values)?.to_vec()).unwrap())
}

fn mistakes(text: &str, format: Format) -> Vec<(usize, usize, Why)> {
    match parsed(text, format) {
        Err(Error::Mistakes(mistakes)) => {
            mistakes.into_iter().map(|mistake| (mistake.place.line, mistake.place.column, mistake.why)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The texts of all scalars of a YAML stream.
fn scalars(text: &str) -> Vec<String> {
    let mut parser = Parser::new_from_str(text);
    let mut texts = Vec::new();
    loop {
        match parser.next_event().unwrap().unwrap().0 {
            Event::Scalar(text, ..) => texts.push(text.into_owned()),
            Event::StreamEnd => return texts,
            _ => {}
        }
    }
}

#[test]
fn whatever_a_value_holds_yaml_reads_exactly_it_in_every_style_of_scalar() {
    let templates = [
        ("a: <> # c\nb: 1\n", ""),
        ("- 'x<>y' # c\n- 1\n", ""),
        ("a: \"x<>y\"\n", ""),
        ("{a: '<>', b: [\"<>\"]}", ""),
        ("a:\n  - |  # c\n    x\n    <>\n    y\n\n# c\nb: 1\n", "\n"),
        ("a: |-\n  <>\nb: c", ""),
        ("a: >\n  x <>\n  y\n\n  z\nb: c", "\n"),
        ("a: |2\n   <>\nb: c", "\n"),
        ("a: &x !!str\n  |+\n  <>\n\nb: *x\n", "\n\n"),
        ("--- >-\n<>\n--- '<>'\n...\n", ""),
        ("a: \"x\n  <>\n  y\"\n", ""),
        ("a: plain\n  <> text\n", ""),
        ("<>", ""),
    ];
    for (template, _) in templates {
        let text = template.replace("<>", "${secret:v}");
        let before = scalars(&text);
        for value in NASTY {
            let after =
                filled(&text, Format::Yaml, value).unwrap_or_else(|error| panic!("{error}: {text:?} {value:?}"));
            let expected: Vec<String> = before.iter().map(|text| text.replace("${secret:v}", value)).collect();
            assert_eq!(scalars(&after), expected, "{text:?} with {value:?} became {after:?}");
            assert_eq!(after.matches("# c").count(), text.matches("# c").count(), "{after:?}");
        }
    }
}

#[test]
fn lines_of_a_value_stand_in_a_yaml_block_as_lines() {
    let pem = "-----BEGIN-----\nabc\n\ndef\n-----END-----";
    let text = "tls:\n  key: |  # the key\n      ${secret:k}\n  a: >-\n    x\n    ${secret:w}\n";
    let document = parsed(text, Format::Yaml).unwrap();
    let values = [Value::new(pem.into()), Value::new("word".into())];
    let after = String::from_utf8(document.filled(&values).unwrap().to_vec()).unwrap();
    let lines = "-----BEGIN-----\n      abc\n\n      def\n      -----END-----";
    assert_eq!(after, format!("tls:\n  key: |  # the key\n      {lines}\n  a: >-\n    x\n    word\n"));
    let with_carriage_returns = filled("key: >\r\n  ${secret:k}\r\nb: 1\r\n", Format::Yaml, "x\ny").unwrap();
    assert_eq!(with_carriage_returns, "key: |\r\n  x\r\n  y\r\nb: 1\r\n");
}

#[test]
fn what_would_be_another_type_in_yaml_is_quoted_and_what_stays_text_is_not() {
    for (value, written) in
        [("5432", "'5432'"), ("true", "'true'"), ("x", "x"), ("a: b", "'a: b'"), ("", "''"), ("a\tb", "\"a\\tb\"")]
    {
        assert_eq!(filled("a: ${secret:v}", Format::Yaml, value).unwrap(), format!("a: {written}"));
    }
    let url = filled("a: postgres://u:${secret:v}@h/d", Format::Yaml, "pw").unwrap();
    assert_eq!(url, "a: postgres://u:pw@h/d");
}

#[test]
fn whatever_a_value_holds_json_and_toml_read_exactly_it() {
    for value in NASTY {
        let text = r#"{ "a" : "x${secret:v}\n\u00e9", "b":[1.50,"${secret:\u0076}", "${secret:app\/v}"],"a":true}"#;
        let after = filled(text, Format::Json, value).unwrap();
        assert!(after.starts_with(r#"{ "a" : "x"#) && after.contains(r#"\n\u00e9", "b":[1.50,""#), "{after}");
        let tree: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(tree["b"][1].as_str().unwrap(), value);
        assert_eq!(tree["b"][2].as_str().unwrap(), value);
        let text = "# ${secret:c}\r\na = \"${secret:v}\" # c\n'b' = '${secret:v}'\nc = \"\"\"\n${secret:v}\\\n  ${secret:v}!\"\"\"\n[[t]]\nd = ['''\n${secret:v}''', {e = \"${secret:v}\"}]\n";
        let after = filled(text, Format::Toml, value).unwrap();
        assert!(after.starts_with("# ${secret:c}\r\na = \"") && after.contains("\" # c\n'b' = "), "{after}");
        let tree: ::toml::Table = ::toml::from_str(&after).unwrap();
        assert_eq!(tree["a"].as_str().unwrap(), value);
        assert_eq!(tree["b"].as_str().unwrap(), value);
        assert_eq!(tree["c"].as_str().unwrap(), format!("{value}{value}!"));
        assert_eq!(tree["t"][0]["d"][0].as_str().unwrap(), value);
        assert_eq!(tree["t"][0]["d"][1]["e"].as_str().unwrap(), value);
    }
}

#[test]
fn a_value_is_quoted_in_dotenv_where_it_has_to_be() {
    let text = "export A=${secret:v}\nB = '${secret:v}' # c\nC=\"${secret:v}\\n\"\n";
    let after = |value| filled(text, Format::Dotenv, value).unwrap();
    assert_eq!(after("x"), "export A=x\nB = 'x' # c\nC=\"x\\n\"\n");
    assert_eq!(after("a b"), "export A='a b'\nB = 'a b' # c\nC=\"a b\\n\"\n");
    assert_eq!(after("it's"), "export A=\"it's\"\nB = \"it's\" # c\nC=\"it's\\n\"\n");
    assert_eq!(after("a\n\"\\"), "export A=\"a\\n\\\"\\\\\"\nB = \"a\\n\\\"\\\\\" # c\nC=\"a\\n\\\"\\\\\\n\"\n");
    for value in NASTY {
        after(value);
    }
    assert!(matches!(filled(text, Format::Dotenv, "a\0b"), Err(Error::Mistakes(all)) if all.len() == 3));
}

#[test]
fn a_value_that_ini_can_t_keep_is_refused_by_its_place() {
    let text = "[a]\nb = x${secret:v}\nc: ${secret:v}\n  ${secret:v}\n";
    assert_eq!(filled(text, Format::Ini, "a=b:[%]'\"").unwrap(), text.replace("${secret:v}", "a=b:[%]'\""));
    for value in ["a\nb", "a\rb", "\u{1}", " a", "a ", "#a", "a ;b"] {
        let Err(Error::Mistakes(all)) = filled(text, Format::Ini, value) else { panic!("{value:?} was written") };
        let places: Vec<String> = all.iter().map(|mistake| mistake.place.to_string()).collect();
        let all_but_the_first = if ["\u{20}a", "#a"].contains(&value) { 1 } else { 0 };
        assert_eq!(places, ["2:6", "3:4", "4:3"][all_but_the_first..], "{value:?}");
        assert!(all.iter().all(|mistake| matches!(mistake.why, Why::Unfit { format: "INI", .. })));
    }
    assert_eq!(filled("a = ${secret:v}\n", Format::Ini, "").unwrap(), "a = \n");
    assert!(filled("a = b\n  ${secret:v}\n", Format::Ini, "").is_err());
}

#[test]
fn text_takes_any_bytes() {
    let document = Document::parse(b"\xff${secret:a}\0$${secret:b}".to_vec(), Format::Text).unwrap();
    let filled = document.filled(&[Value::new(b"\xfe\0${secret:a}".to_vec())]).unwrap();
    assert_eq!(*filled, b"\xff\xfe\0${secret:a}\0${secret:b}");
    for format in FORMATS {
        let text = if format == Format::Json { "\"${secret:a}\"" } else { "a='${secret:a}'" };
        let document = parsed(text, if format == Format::Toml { Format::Json } else { format });
        let Ok(document) = document else { continue };
        let is_text = document.filled(&[Value::new(b"\xff".to_vec())]).is_ok();
        assert_eq!(is_text, format == Format::Text, "{format:?}");
    }
}

#[test]
fn a_reference_in_a_comment_is_left_alone_and_one_in_a_name_is_refused() {
    for (format, text) in [
        (Format::Yaml, "# ${secret:a}\nb: 'c' # ${secret:\nd: |  # ${secret:a}\n  e\n"),
        (Format::Toml, "# ${secret:a}\nb = 'c' # ${secret:\n"),
        (Format::Dotenv, "# ${secret:a}\nB='c' # ${secret:\nC=d # ${secret:e}\n"),
        (Format::Ini, "# ${secret:a}\n; ${secret:\n[b]\n  # ${secret:a}\nc = d\n"),
    ] {
        assert_eq!(filled(text, format, "x").unwrap(), text);
    }
    for (format, text, column) in [
        (Format::Yaml, "${secret:a}: b", 1),
        (Format::Yaml, "? [x, '${secret:a}']\n: b", 7),
        (Format::Yaml, "{\"${secret:a}\": b}", 2),
        (Format::Json, "{\"${secret:a}\" : 1}", 2),
        (Format::Toml, "\"${secret:a}\" = 1", 1),
        (Format::Toml, "a = {'${secret:a}' = 1}", 6),
        (Format::Dotenv, "${secret:a}=b", 1),
        (Format::Ini, "${secret:a} = b", 1),
        (Format::Ini, "[${secret:a}]", 1),
    ] {
        assert_eq!(mistakes(text, format), [(1, column, Why::InName)], "{text}");
    }
    for text in ["[${secret:a}]", "{a: ${secret:a}}", "%FOO ${secret:a}\n--- b"] {
        let all = mistakes(text, Format::Yaml);
        assert!(matches!(all.as_slice(), [(1, _, Why::NoString)]), "{text} {all:?}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_with_their_places() {
    let three = mistakes("a: '${secret:'\n${secret:b}: c\nd: [${secret:e}]\n", Format::Yaml);
    assert_eq!(mistakes("a: ${secret:\n", Format::Yaml), [(1, 4, Why::Unterminated)]);
    assert_eq!(three, [(1, 5, Why::Unterminated), (2, 1, Why::InName), (3, 5, Why::NoString)]);
    let text = "\u{feff}a: é${secret:x y%}\r\nb:\r\n  - '${secret:'\r\n  - ${secret:/a}\r\n  - \"\\x24{secret:}\"\r\n";
    let expected = [
        (1, 5, Why::Reference(crate::reference::Error::Encoding)),
        (3, 6, Why::Unterminated),
        (4, 5, Why::Reference(crate::reference::Error::Segment)),
        (5, 5, Why::Reference(crate::reference::Error::NoPath)),
    ];
    assert_eq!(mistakes(text, Format::Yaml), expected);
    assert_eq!(mistakes("ok\n ${secret:a\n}", Format::Text), [(2, 2, Why::Unterminated)]);
    for (format, text, line, column) in [
        (Format::Json, "{\n \"a\": hunter2}", 2, 7),
        (Format::Toml, "a = 1\nb = hunter2\n", 2, 5),
        (Format::Yaml, "a: b\nc: ]hunter2", 2, 4),
        (Format::Dotenv, "A=b\nB='hunter2\n", 2, 3),
    ] {
        let all = mistakes(text, format);
        assert!(
            matches!(all.as_slice(), [(at, by, Why::Syntax(_))] if (*at, *by) == (line, column)),
            "{format:?} {all:?}"
        );
        assert!(!parsed(text, format).unwrap_err().to_string().contains("hunter2"));
    }
    let binary = Document::parse(b"a: b\nc: \xff".to_vec(), Format::Yaml).unwrap_err();
    assert!(matches!(binary, Error::Mistakes(all) if all[0].place == Place { line: 2, column: 4 }));
}

#[test]
fn each_secret_is_wanted_once_and_each_place_is_told() {
    let document = parsed("a: ${secret:x}${secret:y}\nb: ${secret:x}\n", Format::Yaml).unwrap();
    let references: Vec<String> = document.references().iter().map(ToString::to_string).collect();
    assert_eq!(references, ["x", "y"]);
    let places: Vec<String> = document.places().iter().map(|(number, place)| format!("{number} {place}")).collect();
    assert_eq!(places, ["0 1:4", "1 1:15", "0 2:4"]);
    assert_eq!(document.filled(&[]).unwrap_err(), Error::Values);
}

#[test]
fn a_bomb_of_aliases_and_deep_nesting_and_too_much_of_anything_end_early() {
    let mut bomb = String::from("a: &a ['${secret:x}']\n");
    for level in 'b'..='z' {
        let below = char::from(u8::try_from(level).unwrap() - 1);
        bomb.push_str(&format!("{level}: &{level} [{}]\n", vec![format!("*{below}"); 9].join(", ")));
    }
    assert_eq!(filled(&bomb, Format::Yaml, "v").unwrap(), bomb.replace("'${secret:x}'", "'v'"));
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
    for (format, text) in [
        (Format::Yaml, deep("- ", "")),
        (Format::Yaml, deep("? ", "")),
        (Format::Json, deep("[", "]")),
        (Format::Json, deep("{\"a\":", "}")),
    ] {
        assert!(matches!(mistakes(&text, format).as_slice(), [(_, _, Why::TooDeep(DEEPEST))]), "{format:?}");
    }
    // The parsers themselves stop here.
    assert!(parsed(&deep("[", "]"), Format::Yaml).is_err());
    assert!(parsed(&format!("a = {}", deep("[", "]")), Format::Toml).is_err());
    let dotted = format!("a = {}1{}", format!("{{{}a = ", "a.".repeat(70)).repeat(70), "}".repeat(70));
    assert!(parsed(&dotted, Format::Toml).is_err());
    assert_eq!(parsed(&"x".repeat(LONGEST + 1), Format::Text).unwrap_err(), Error::TooLong(LONGEST));
    assert!(parsed(&"${secret:a}".repeat(MOST), Format::Text).is_ok());
    let most = "${secret:a}".repeat(MOST + 1);
    assert_eq!(mistakes(&most, Format::Text), [(1, 11 * MOST + 1, Why::TooMany(MOST))]);
    let long = Value::new(vec![b'x'; LONGEST]);
    let often = parsed(&"${secret:a}".repeat(5), Format::Text).unwrap();
    assert_eq!(often.filled(std::slice::from_ref(&long)).unwrap_err(), Error::TooLongFilled(LONGEST_FILLED));
    // What the values themselves don't tell: written with escapes, they are longer.
    let escaped = parsed("\"${secret:a}\"", Format::Json).unwrap();
    assert_eq!(escaped.filled(&[Value::new(vec![1; LONGEST])]).unwrap_err(), Error::TooLongFilled(LONGEST_FILLED));
}

#[test]
fn the_name_of_a_file_tells_its_format_or_nothing() {
    for (name, format) in [
        ("app.yaml", Some(Format::Yaml)),
        ("app.YML", Some(Format::Yaml)),
        (".env", Some(Format::Dotenv)),
        (".env.local", Some(Format::Dotenv)),
        ("prod.env", Some(Format::Dotenv)),
        ("notes.txt", Some(Format::Text)),
        ("nginx.conf", None),
        ("Makefile", None),
    ] {
        assert_eq!(Format::of_file(name), format, "{name}");
    }
    for name in Format::NAMES {
        assert!(Format::named(name).is_some());
    }
}
