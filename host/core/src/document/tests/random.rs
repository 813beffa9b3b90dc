//! Documents and values that nobody thought of: a generator whose cases are the same each time.

use super::*;

/// Numbers by xorshift (Marsaglia, 2003), from a fixed beginning.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn text(&mut self, of: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.one(of)).collect()
    }
}

/// What values are made of.
const PIECES: [&str; 40] = [
    "a",
    "B",
    "7",
    ".",
    "-",
    "_",
    "/",
    ":",
    ": ",
    " ",
    "  ",
    "#",
    " #",
    "'",
    "\"",
    "\\",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\t",
    "${secret:r}",
    "$${secret:",
    "${",
    "}",
    "{",
    "[",
    "]",
    ",",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "\u{85}",
    "é🔑",
    "---",
];

/// What documents are made of: pieces that are something in some format, and pieces that break all of them.
const PARTS: [&str; 36] = [
    "${secret:r}",
    "${secret:r}",
    "$${secret:x}",
    "${x}",
    "a",
    "b c",
    ": ",
    " = ",
    "=",
    ":",
    "\n",
    "\n",
    "\r\n",
    "  ",
    "- ",
    "'",
    "\"",
    "\"\"\"",
    "'''",
    "|\n",
    ">-\n",
    "|2\n",
    "# c",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\\",
    "---\n",
    "&a ",
    "*a",
    "!!str ",
    "\u{feff}",
    "[s]\n",
    "\t",
];

#[test]
fn a_document_of_rubbish_is_refused_or_filled_and_never_changed_where_it_has_no_reference() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut unchanged) = ([0; 6], 0);
    for _ in 0..4_000 {
        let text = numbers.text(&PARTS, 14);
        for (at, format) in FORMATS.into_iter().enumerate() {
            // Rubbish is hardly ever JSON, so there it stands in a string.
            let text = match format {
                Format::Json => format!("{{ \"k\": [1.0, {}] }}", serde_json::to_string(&text).unwrap()),
                _ => text.clone(),
            };
            let Ok(document) = parsed(&text, format) else { continue };
            let value = numbers.text(&PIECES, 4);
            let values: Vec<Value> = document.references().iter().map(|_| Value::new(value.clone().into())).collect();
            match document.filled(&values) {
                Ok(filled) if !text.contains("${secret:") => {
                    assert_eq!(*filled, text.as_bytes(), "{format:?}");
                    unchanged += 1;
                }
                Ok(_) => read[at] += 1,
                Err(Error::Mistakes(_)) => {}
                Err(error) => panic!("{error}: {format:?} {text:?} with {value:?}"),
            }
        }
    }
    assert!(unchanged > 500 && read.iter().all(|read| *read > 2), "{unchanged} {read:?}");
}

#[test]
fn any_value_is_read_back_from_the_place_where_its_reference_stood() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for _ in 0..4_000 {
        let value = numbers.text(&PIECES, 8);
        let yaml = numbers.one(&[
            "k: <>",
            "k: x<>",
            "- '<>'",
            "- \"a <>\n  b\"",
            "k: |\n  <>\n  b",
            "k: >-\n    a\n    <> <>",
            "k: |+\n  <>\n\n",
            "- - |1-\n   <>\n",
            "[ 'a<>', \"<>\" ]",
            "k: a\n  <>",
            "'<>\n  b'",
            "|\n<>",
        ]);
        let text = yaml.replace("<>", "${secret:r}");
        let after = filled(&text, Format::Yaml, &value).unwrap_or_else(|error| panic!("{error}: {text:?} {value:?}"));
        let expected: Vec<String> = scalars(&text).iter().map(|text| text.replace("${secret:r}", &value)).collect();
        assert_eq!(scalars(&after), expected, "{after:?}");
        let after = filled("[\"${secret:r}\"]", Format::Json, &value).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(&after).unwrap(), std::slice::from_ref(&value));
        let toml =
            numbers.one(&["k = \"<>\"", "k = '<>'", "k = '''<>'''", "k = \"\"\"<>\"\"\""]).replace("<>", "${secret:r}");
        let tree: ::toml::Table = ::toml::from_str(&filled(&toml, Format::Toml, &value).unwrap()).unwrap();
        assert_eq!(tree["k"].as_str().unwrap(), value);
    }
}

#[test]
fn what_is_filled_in_and_escaped_survives_print_and_parse() {
    let mut numbers = Numbers(0x853c_49e6_748f_ea9b);
    for _ in 0..4_000 {
        let path = numbers.text(&["a", "%20", "é", "b c", ".x", "-", "%25", "%7D"], 5);
        let Ok(reference) = format!("store://p/s{path}").parse::<Reference>() else { continue };
        let document = parsed(&format!("<${{secret:{reference}}}>"), Format::Text).unwrap();
        assert_eq!(document.references(), [reference]);
    }
}
