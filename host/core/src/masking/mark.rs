//! The mark that stands for what was masked: one that no form can be completed with.

use super::encoding::Form;

/// What people know as a mark; the first that fits is taken.
const USUAL: [&str; 6] = ["***", "###", "---", "___", "...", "~~~"];

/// Characters that hardly any value has at its ends: blocks, shapes and dingbats of Unicode.
const UNUSUAL: std::ops::RangeInclusive<char> = '\u{2580}'..='\u{27bf}';

/// A mark for these forms; `None` where their ends use up every character.
///
/// Whoever chooses a value knows the mark: with `x***yz` as a value, a masked secret between `x` and `yz` would print it.
pub(super) fn choose(forms: &[Form]) -> Option<String> {
    let unusual = UNUSUAL.map(|character| String::from_iter([character; 3]));
    let control = (1..32).map(char::from).map(|character| String::from_iter([character; 3]));
    let mut marks = USUAL.into_iter().map(str::to_owned).chain(unusual).chain(control);
    marks.find(|mark| fits(mark.as_bytes(), forms))
}

/// Whether no form holds the mark, lies within it, or shares a beginning or an end with its end or its beginning.
fn fits(mark: &[u8], forms: &[Form]) -> bool {
    let parts = || (1..mark.len()).map(|at| mark.split_at(at));
    let meets = |form: &Form| parts().any(|(begin, end)| form.ends_with(begin) || form.starts_with(end));
    let holds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    !forms.iter().any(|form| meets(form) || holds(form, mark) || holds(mark, form))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn chosen(forms: &[&[u8]]) -> Option<String> {
        choose(&forms.iter().map(|form| Zeroizing::new(form.to_vec())).collect::<Vec<_>>())
    }

    #[test]
    fn the_mark_is_three_asterisks_unless_a_form_could_be_completed_with_it() {
        for harmless in [&b"secret"[..], b"se*ret", b"se**cr"] {
            assert_eq!(chosen(&[harmless]).unwrap(), "***", "{harmless:?}");
        }
        for completed in [&b"******"[..], b"x***yz", b"*ecret", b"secre*", b"**cret"] {
            assert_eq!(chosen(&[completed]).unwrap(), "###", "{completed:?}");
        }
    }

    #[test]
    fn values_that_end_with_every_printable_character_leave_one_that_is_none_of_them() {
        let forms: Vec<Vec<u8>> = (b' '..=b'~').map(|byte| [&[byte][..], b"inside", &[byte]].concat()).collect();
        let forms: Vec<&[u8]> = forms.iter().map(Vec::as_slice).collect();
        assert_eq!(chosen(&forms).unwrap(), "\u{2580}\u{2580}\u{2580}");
    }

    #[test]
    fn values_that_end_with_every_byte_leave_no_mark() {
        let forms: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| [&[byte][..], b"inside", &[byte]].concat()).collect();
        let forms: Vec<&[u8]> = forms.iter().map(Vec::as_slice).collect();
        assert_eq!(chosen(&forms), None);
    }
}
