//! The search for many forms at once: a filter that passes over what begins none of them, and a sorted list behind it.
//!
//! A general automaton for as many forms (`aho-corasick`) reads 200 MB/s and holds copies that nobody wipes. Every form has
//! six bytes or more, so wherever one begins, one of its first four blocks of three bytes stands at a place divisible by
//! four: only those places are looked at.

use zeroize::Zeroizing;

use super::SHORTEST_MASKED;
use super::encoding::Form;

/// Bytes from one place that is looked at to the next.
const STRIDE: usize = 4;

/// Bytes of a block, the most for which [`STRIDE`] blocks fit into the shortest form.
const BLOCK: usize = SHORTEST_MASKED - STRIDE + 1;

/// One byte for each value of a hash of 16 bits.
const SLOTS: usize = 1 << 16;

/// The forms, and where in a text they can begin. All of it is wiped when dropped.
pub(super) struct Search {
    /// Sorted, each once.
    forms: Vec<Form>,
    /// For each form the longest other one that it begins with.
    shorter: Vec<Option<usize>>,
    /// By the hash of a block: in which places of the first bytes of a form it stands, one bit each.
    blocks: Box<Zeroizing<[u8; SLOTS]>>,
    /// By the hash of [`SHORTEST_MASKED`] bytes: whether a form begins with them.
    beginnings: Box<Zeroizing<[u8; SLOTS]>>,
}

/// What stands at one place of a text.
struct Found {
    /// The length of the longest form, in bytes.
    whole: Option<usize>,
    /// Whether all the rest of the text may still become a form.
    is_open: bool,
}

impl Search {
    /// A search for these forms, which have [`SHORTEST_MASKED`] bytes or more.
    pub(super) fn new(mut forms: Vec<Form>) -> Self {
        forms.sort_unstable_by(|form, other| form.as_slice().cmp(other.as_slice()));
        forms.dedup();
        let mut shorter: Vec<Option<usize>> = Vec::with_capacity(forms.len());
        for (at, form) in forms.iter().enumerate() {
            // All that sorts between a form and its beginning begins in the same way.
            let mut one = at.checked_sub(1);
            while let Some(other) = one {
                if forms.get(other).is_some_and(|other| form.starts_with(other)) {
                    break;
                }
                one = shorter.get(other).copied().flatten();
            }
            shorter.push(one);
        }
        let mut blocks = Box::new(Zeroizing::new([0; SLOTS]));
        let mut beginnings = Box::new(Zeroizing::new([0; SLOTS]));
        for form in &forms {
            for (place, block) in form.windows(BLOCK).take(STRIDE).enumerate() {
                if let Some(slot) = block_of(block).and_then(|block| blocks.get_mut(block)) {
                    *slot |= 1 << place;
                }
            }
            if let Some(slot) = beginning_of(form).and_then(|beginning| beginnings.get_mut(beginning)) {
                *slot = 1;
            }
        }
        Self { forms, shorter, blocks, beginnings }
    }

    /// The forms, sorted.
    pub(super) fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// Tells `found` of each place where a form stands, in order, with the end of the longest; answers where the longest
    /// rest of the text begins that may still become a form, and goes no further. A last text has no such rest.
    pub(super) fn walk(&self, text: &[u8], is_last: bool, mut found: impl FnMut(usize, usize)) -> usize {
        if self.forms.is_empty() {
            return text.len();
        }
        let mut look = |place: usize| {
            let at = self.at(text.get(place..).unwrap_or_default());
            if at.is_open && !is_last {
                return true;
            }
            if let Some(length) = at.whole {
                found(place, place + length);
            }
            false
        };
        let (chunks, _) = text.as_chunks::<STRIDE>();
        for (number, [first, second, third, _]) in chunks.iter().enumerate() {
            let places = self.blocks.get(slot(*first, *second, *third)).copied().unwrap_or_default();
            if places == 0 {
                continue;
            }
            let block = number * STRIDE;
            for before in (0..STRIDE).rev().filter(|before| places & 1 << before != 0) {
                let Some(place) = block.checked_sub(before) else { continue };
                let rest = text.get(place..).unwrap_or_default();
                // Where fewer bytes are left, each is looked at below.
                let may_begin = beginning_of(rest).and_then(|beginning| self.beginnings.get(beginning).copied());
                if may_begin == Some(1) && look(place) {
                    return place;
                }
            }
        }
        // The places that no block of the above told of, or whose beginning was cut off.
        let looked_at = (chunks.len() * STRIDE).saturating_sub(STRIDE - 1);
        let whole = (text.len() + 1).saturating_sub(SHORTEST_MASKED);
        (looked_at.min(whole)..text.len()).find(|place| look(*place)).unwrap_or(text.len())
    }

    /// What stands at the beginning of a text.
    fn at(&self, text: &[u8]) -> Found {
        let behind = self.forms.partition_point(|form| form.as_slice() <= text);
        // What goes on as the text does sorts directly behind it.
        let is_open = self.forms.get(behind).is_some_and(|form| form.starts_with(text));
        let mut one = behind.checked_sub(1);
        while let Some(form) = one {
            if self.forms.get(form).is_some_and(|form| text.starts_with(form)) {
                break;
            }
            one = self.shorter.get(form).copied().flatten();
        }
        Found { whole: one.and_then(|form| self.forms.get(form)).map(|form| form.len()), is_open }
    }
}

/// The slot of a block: the upper bits of a product that all three bytes change.
#[inline]
fn slot(first: u8, second: u8, third: u8) -> usize {
    let block = u32::from_le_bytes([first, second, third, 0]);
    usize::from((block.wrapping_mul(0x9E37_79B1) >> 16) as u16)
}

fn block_of(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|[first, second, third]| slot(*first, *second, *third))
}

/// The slot of the first [`SHORTEST_MASKED`] bytes; `None` where there are fewer.
#[inline]
fn beginning_of(bytes: &[u8]) -> Option<usize> {
    let [a, b, c, d, e, f] = *bytes.first_chunk::<SHORTEST_MASKED>()?;
    let beginning = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    Some(usize::from((beginning.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16))
}
