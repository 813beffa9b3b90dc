//! Masking against a reference that looks for every form at every place, with few letters so that near misses abound.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

/// Numbers that are the same in each run (Steele and others, "Fast splittable pseudorandom number generators").
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 16).unwrap() % limit
    }

    fn bytes(&mut self, letters: &[u8], length: usize) -> Vec<u8> {
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }

    /// One to three values of so many bytes at least.
    fn values(&mut self, letters: &[u8], shortest: usize) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        for _ in 0..1 + self.below(3) {
            let length = shortest + self.below(9);
            values.push(self.bytes(letters, length));
        }
        values
    }
}

fn masker(values: &[Vec<u8>]) -> Masker {
    Masker::new(values.iter().map(|value| ("a", value.as_slice()))).unwrap()
}

fn whole(masker: &mut Masker, text: &[u8]) -> Vec<u8> {
    let mut given = masker.push(text);
    given.extend(masker.finish());
    given
}

fn masked_text(values: &[&str], text: &str) -> String {
    let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    String::from_utf8(whole(&mut masker(&values), text.as_bytes())).unwrap()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// What has to come out of the first bytes of a stream, and how many of them are held back.
fn expected(masker: &Masker, text: &[u8], is_last: bool) -> (Vec<u8>, usize) {
    let forms = masker.search.forms();
    let may_grow = |rest: &[u8]| forms.iter().any(|form| form.len() > rest.len() && form.starts_with(rest));
    let open = (0..text.len()).find(|at| !is_last && may_grow(&text[*at..])).unwrap_or(text.len());
    let mut covered = vec![false; text.len()];
    for at in 0..open {
        for form in forms.iter().filter(|form| text[at..].starts_with(form)) {
            covered[at..at + form.len()].fill(true);
        }
    }
    let mut given = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        if covered[at] && (at == 0 || !covered[at - 1]) {
            given.extend_from_slice(&masker.mark);
        } else if !covered[at] && at < open {
            given.push(*byte);
        }
    }
    (given, text.len() - open)
}

#[test]
fn no_value_comes_out_however_the_text_is_cut_and_all_else_does() {
    const SETS: usize = 1_000;
    const TEXTS: usize = 100;
    const CUTS: usize = 10;
    let alphabets: [&[u8]; 5] = [b"ab", b"*x", b"ab\n", b"a*%\"", b"abc/+ \xc3\xa9"];
    let mut random = Random(1);
    let mut masked = 0;
    for set in 0..SETS {
        let letters = alphabets[set % alphabets.len()];
        let values = random.values(letters, 3);
        let mut masker = masker(&values);
        for _ in 0..TEXTS {
            let length = random.below(24);
            let mut text = random.bytes(letters, length);
            // A value or a form, whole or cut, so that many a text holds one.
            let forms = masker.search.forms();
            if let Some(form) = forms.get(random.below(forms.len().max(1))) {
                text.splice(random.below(text.len() + 1).., form[random.below(2)..].iter().copied());
            }
            text.truncate(40);
            let (wanted, _) = expected(&masker, &text, true);
            masked += usize::from(wanted != text);
            for value in values.iter().filter(|value| value.len() >= SHORTEST_MASKED) {
                assert!(!contains(&wanted, value), "{values:?} {text:?}");
            }
            for cut in 0..CUTS {
                let mut given = Vec::with_capacity(text.len());
                let mut rest = text.as_slice();
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(if cut == 0 { 1 } else { 1 + random.below(rest.len()) });
                    given.extend(masker.push(now));
                    rest = later;
                }
                given.extend(masker.finish());
                assert_eq!(given, wanted, "{values:?} {text:?}");
            }
        }
    }
    // Neither of both is rare, or nothing would be shown.
    let texts = SETS * TEXTS;
    assert!(masked > texts / 4 && masked < texts, "{masked} of {texts}");
}

#[test]
fn held_back_is_the_longest_end_that_may_still_become_a_form_and_nothing_else() {
    let mut random = Random(2);
    for _ in 0..500 {
        let values = random.values(b"ab*", 6);
        let mut masker = masker(&values);
        for _ in 0..10 {
            let text = random.bytes(b"ab*", 20);
            let mut given = Vec::new();
            for at in 0..text.len() {
                given.extend(masker.push(&text[at..=at]));
                let (wanted, held) = expected(&masker, &text[..=at], false);
                assert_eq!(given, wanted, "{values:?} {:?}", &text[..=at]);
                assert_eq!(masker.text.len(), held, "{values:?} {:?}", &text[..=at]);
            }
            masker.finish();
        }
    }
}

#[test]
fn what_is_given_out_ahead_never_makes_a_value() {
    let mut random = Random(5);
    let (mut ahead, mut masked) = (0, 0);
    for _ in 0..5_000 {
        let values = random.values(b"ab*", 6);
        let (mut masker, mut other) = (masker(&values), masker(&values));
        let mut text = random.bytes(b"ab*", 12);
        text.splice(6..6, values[0].iter().copied());
        let mut given = Vec::new();
        for byte in &text {
            given.extend(masker.push(&[*byte]));
            match random.below(4) {
                0 => {
                    let now = masker.ahead();
                    assert!(now.len() <= MOST_AHEAD && !masker.is_holding());
                    ahead += now.len();
                    given.extend(now);
                }
                // The stream goes on behind another masker.
                1 => {
                    other.follow(&mut masker);
                    std::mem::swap(&mut masker, &mut other);
                }
                _ => {}
            }
        }
        given.extend(masker.finish());
        masked += usize::from(given != text);
        for value in &values {
            assert!(!contains(&given, value), "{values:?} {text:?} {given:?}");
        }
    }
    assert!(ahead > 250 && masked == 5_000, "{ahead} {masked}");
    // All of it comes out once, whatever of it came ahead.
    let mut masker = self::masker(&[b"correct horse".to_vec()]);
    assert_eq!(masker.push(b"$ co"), b"$ ");
    assert_eq!(masker.ahead(), b"co");
    assert_eq!(masker.ahead(), b"");
    assert_eq!(masker.push(b"r"), b"");
    assert_eq!(masker.ahead(), b"");
    assert_eq!(masker.push(b"k"), b"rk");
    assert_eq!(masker.push(b"c"), b"");
    assert_eq!(masker.ahead(), b"c");
    assert_eq!(masker.push(b"orrect horse!"), b"***!");
}

#[test]
fn a_text_without_values_comes_out_as_it_went_in() {
    let mut random = Random(3);
    let mut masker = masker(&[b"hunter2hunter2".to_vec()]);
    for _ in 0..2_000 {
        let length = random.below(200);
        let text: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        assert_eq!(whole(&mut masker, &text), text);
    }
    assert_eq!(whole(&mut self::masker(&[]), b"anything"), b"anything");
}

#[test]
fn occurrences_that_overlap_or_touch_become_one_mark() {
    assert_eq!(masked_text(&["abcdef", "defghi"], "<abcdefghi>"), "<***>");
    assert_eq!(masked_text(&["abcdef", "ghijkl"], "<abcdefghijkl>"), "<***>");
    assert_eq!(masked_text(&["abcdef"], "<abcdefabcdef abcdef>"), "<*** ***>");
    assert_eq!(masked_text(&["ababab"], "<abababab>"), "<***>");
    assert_eq!(masked_text(&["abcdef", "abcdefgh"], "abcdefg abcdefgh"), "***g ***");
    // One mark as well where it was given out before the second occurrence came.
    let mut masker = masker(&[b"abcdef".to_vec()]);
    assert_eq!(masker.push(b"abcdef"), b"***");
    assert_eq!(masker.push(b"abcdef"), b"");
    assert_eq!(masker.push(b"!"), b"!");
}

#[test]
fn a_prompt_without_a_line_break_comes_out_at_once() {
    let mut masker = masker(&[b"password1".to_vec()]);
    assert_eq!(masker.push(b"Continue? [y/N] "), b"Continue? [y/N] ");
    assert_eq!(masker.push(b"Your pass"), b"Your ");
    assert_eq!(masker.push(b"phrase: "), b"passphrase: ");
    assert_eq!(masker.push(b"password"), b"");
    assert_eq!(masker.finish(), b"password");
}

#[test]
fn a_mark_that_would_complete_a_value_is_not_taken() {
    // With the usual mark, this would print the second value.
    assert_eq!(masked_text(&["secret1", "x***yz"], "xsecret1yz"), "x###yz");
    assert_eq!(masked_text(&["******"], "a****** b"), "a### b");
    assert_eq!(masked_text(&["secret1", "x**yz0"], "xsecret1yz0"), "x***yz0");
}

#[test]
fn a_value_is_masked_in_every_form_and_at_every_alignment() {
    let value = "p4ss/w\u{f6}rd \"&<\\ ~\u{1f511}";
    let mut masker = masker(&[value.as_bytes().to_vec()]);
    let mut gone = |text: &[u8]| {
        let given = whole(&mut masker, text);
        assert!(contains(&given, b"***"), "{}", String::from_utf8_lossy(text));
        given
    };
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{value}tail");
        gone(text.as_bytes());
        for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            let given = gone(encoded.as_bytes());
            // At either end a character holds bits of the secret and of its neighbour.
            assert!(given.len() <= 3 + before.len().div_ceil(3) * 4 + 4 + 8, "{}", String::from_utf8_lossy(&given));
        }
        assert_eq!(
            gone(crate::sealing::hex(text.as_bytes()).to_uppercase().as_bytes()).len(),
            3 + 2 * (before.len() + 4)
        );
        assert_eq!(gone(&serde_json::to_vec(&text).unwrap()).len(), 2 + 3 + before.len() + 4);
    }
    for written in [
        "p4ss%2Fw%C3%B6rd%20%22%26%3C%5C%20~%F0%9F%94%91",
        "p4ss%2fw%c3%b6rd%20%22%26%3c%5c%20~%f0%9f%94%91",
        "p4ss%2Fw%C3%B6rd+%22%26%3C%5C+~%F0%9F%94%91",
        "p4ss/w%C3%B6rd%20%22%26%3C%5C%20~%F0%9F%94%91",
        r#"p4ss\/wörd \"&<\\ ~🔑"#,
        r#"p4ss/w\u00f6rd \"&<\\ ~\ud83d\udd11"#,
        r#"p4ss/wörd \"\u0026\u003c\\ ~🔑"#,
    ] {
        assert_eq!(gone(written.as_bytes()), b"***", "{written}");
    }
}

#[test]
fn base64_that_is_broken_into_lines_is_masked() {
    let value: Vec<u8> = Random(4).bytes(b"abcdefgh0123+/", 150);
    let mut masker = masker(std::slice::from_ref(&value));
    let encoded = STANDARD.encode(&value);
    for width in [64, 76] {
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(width).collect();
        let marks = vec!["***"; lines.len()].join("\n");
        assert_eq!(String::from_utf8(whole(&mut masker, &lines.join(&b'\n'))).unwrap(), marks);
    }
}

#[test]
fn each_line_of_a_value_is_masked_and_its_last_line_break_is_not() {
    let key = "-----BEGIN KEY-----\n  MIIBVgIBADAN\n  Bgkqhk\n-----END KEY-----\n";
    assert_eq!(masked_text(&[key], key), "***\n");
    assert_eq!(masked_text(&[key], &key.replace('\n', "\r\n")), "***\r\n");
    assert_eq!(masked_text(&[key], "at MIIBVgIBADAN: Bgkqhk\n"), "at ***: ***\n");
    assert_eq!(masked_text(&["hunter2\n"], "hunter2\nhunter2"), "***\n***");
    // What is left without its line break would be too short.
    assert_eq!(masked_text(&["abcde\n"], "abcde\nabcde"), "***abcde");
}

#[test]
fn a_short_value_is_told_by_its_name() {
    let values =
        [("five", "12345"), ("six", "123456"), ("tail", "123456\nabc"), ("json", "{\n \"a\": \"b\"\n}"), ("none", "")];
    let masker = Masker::new(values.map(|(name, value)| (name, value.as_bytes()))).unwrap();
    let short = |name: &str, is_whole| Short { name: name.to_owned(), is_whole };
    assert_eq!(masker.short(), [short("five", true), short("tail", false), short("none", true)]);
    assert_eq!(masked_text(&["12345"], "12345"), "12345");
}

#[test]
fn values_that_leave_no_mark_are_refused() {
    let values: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| [&[byte][..], b"inside", &[byte]].concat()).collect();
    let named = || values.iter().map(|value| ("a", value.as_slice()));
    assert_eq!(Masker::new(named()).unwrap_err(), NoMark);
    assert!(Masker::new(named().take(128)).is_ok());
}

#[test]
fn a_masker_shows_nothing_of_its_values() {
    let mut masker = masker(&[b"hunter2!".to_vec()]);
    masker.push(b"hunter");
    assert_eq!(masked_text(&["hunter2!"], &format!("{masker:?}")), format!("{masker:?}"));
    assert!(!format!("{masker:?}").contains("hunter"));
}
