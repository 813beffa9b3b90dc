//! Bodies that have one meaning, and those that have none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn printed(text: &str) -> Result<String, Fault> {
    let bytes = Json::parse(text.as_bytes())?.to_bytes(text.len());
    assert!(bytes.len() <= text.len(), "{text}: what is printed is longer than what was read");
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn a_body_is_printed_in_one_spelling() {
    for (text, expected) in [
        (" { \"a\" : [ 1 , 2 ] , \"b\" : null }\r\n\t", r#"{"a":[1,2],"b":null}"#),
        (r#"{"\u0053ecretId":"\u00e9\/\u0041"}"#, "{\"SecretId\":\"\u{e9}/A\"}"),
        (r#""\ud83d\udd11""#, "\"\u{1f511}\""),
        (r#""\u0008\b\u000C\n\r\t\u0001\"\\""#, r#""\b\b\f\n\r\t\u0001\"\\""#),
        ("\"\u{7f}\u{2028}\"", "\"\u{7f}\u{2028}\""),
        ("{}", "{}"),
        ("[]", "[]"),
        ("true", "true"),
        ("false", "false"),
    ] {
        assert_eq!(printed(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_number_keeps_its_digits() {
    for number in ["0", "-0", "1.10", "1e3", "1E+3", "-1.5e-30", "123456789012345678901234567890", "0.1"] {
        assert_eq!(printed(number).unwrap(), number);
    }
    for number in ["01", "-", "1.", ".5", "+1", "1e", "1e+", "0x10", "1_0", "NaN", "Infinity", "-01", &"1".repeat(65)] {
        assert!(printed(number).is_err(), "{number}");
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_however_it_is_written() {
    for text in [
        r#"{"Id":"a","Id":"b"}"#,
        r#"{"Id":"a","\u0049d":"b"}"#,
        r#"{"\u0049\u0064":"a","x":1,"Id":"b"}"#,
        r#"{"x":[{"y":{"Id":1,"Id":1}}]}"#.trim(),
    ] {
        assert_eq!(printed(text), Err(Fault::Repeated("Id".to_owned())), "{text}");
    }
    // Names that differ are two names, and the same name may stand in two objects.
    printed(r#"{"Id":"a","id":"b","x":{"Id":1}}"#).unwrap();
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,",
        "{\"a\"",
        "{\"a\":",
        "\"a",
        "\"a\\",
        "\"\\u00",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "// x\n{}",
        "{}/* x */",
        "{}{}",
        "{} x",
        "{}\u{0}",
        "\u{feff}{}",
        "{\u{a0}}",
        "tru",
        "True",
        "nullx",
        "undefined",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{0}\"",
        "\"\\x41\"",
        "\"\\u00zz\"",
        "\"\\u+041\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\\udc00\\ud800\"",
    ] {
        assert!(printed(text).is_err(), "{text:?}");
    }
    assert_eq!(Json::parse(b"\"\xff\"").err(), Some(Fault::Malformed("it is not UTF-8")));
    assert_eq!(Json::parse(b"\"\xed\xa0\x80\"").err(), Some(Fault::Malformed("it is not UTF-8")));
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(printed(&nested(DEEPEST)).is_ok());
    assert_eq!(printed(&nested(DEEPEST + 2)), Err(Fault::Malformed("it is nested too deep")));
    assert_eq!(printed(&"[".repeat(1_000_000)), Err(Fault::Malformed("it is nested too deep")));
    assert_eq!(printed(&format!("[{}0]", "0,".repeat(MOST))), Err(Fault::Malformed("it has too many values")));
}

#[test]
fn another_reader_finds_the_same_in_what_was_read_and_in_what_is_printed() {
    // What both accept they understand alike, and what this one accepts the other one does too.
    let seeds = [
        r#"{"a":[1,-2.5e3,"x\n\u00e9\ud83d\udd11"],"b":{"c":null,"d":true},"e":"\\\"/"}"#,
        r#"[{"SecretId":"arn:aws:x","Tags":[{"Key":"k","Value":"v"}]},0.10,"",{},[]]"#,
    ];
    let marks = b"{}[]\":,\\u0x19eE+-. \tntf\xc3\xa9/";
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut both = 0;
    for round in 0..40_000 {
        let mut text = seeds.get(round % 2).unwrap().as_bytes().to_vec();
        for _ in 0..=next(2) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, *marks.get(next(marks.len())).unwrap()),
                _ => *text.get_mut(at).unwrap() = *marks.get(next(marks.len())).unwrap(),
            }
        }
        let Ok(json) = Json::parse(&text) else { continue };
        let other: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let printed: serde_json::Value = serde_json::from_slice(&json.to_bytes(text.len())).unwrap();
        assert_eq!(printed, other, "{}", String::from_utf8_lossy(&text));
        both += 1;
    }
    assert!(both > 4_000, "{both} texts were read by both");
}

#[test]
fn an_object_that_poses_as_a_number_is_an_object() {
    // What `serde_json` calls a number's digits while it keeps all of them.
    let text = r#"{"$serde_json::private::Number":"1"}"#;
    assert_eq!(printed(text).unwrap(), text);
}
