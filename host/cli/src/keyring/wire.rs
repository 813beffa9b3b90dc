//! The part of the D-Bus wire format that asking a keyring needs: a few types written, and the same ones read with bounds.
//!
//! The source of each fact is the D-Bus Specification, "Type System" and "Message Protocol".
//! Why not a library: the maintained one brings a runtime of its own and a parser of Rust into the program for the six
//! calls that stand in `secret_service`.

use forge_core::keyring::Trouble;
use zeroize::Zeroizing;

/// The longest message that is read, in bytes. The specification allows 128 MiB; what is asked for here has a few hundred.
pub(super) const LONGEST: usize = 64 << 10;

/// The most elements of a list that are read.
const MOST: usize = 256;

/// Writes values, little end first, each at the place that its type is aligned to.
#[derive(Debug, Default)]
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn new() -> Self {
        // Enough for every message, so that no copy of a key is left behind by growing.
        Self(Zeroizing::new(Vec::with_capacity(4 << 10)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn align(&mut self, to: usize) {
        let aligned = self.0.len().next_multiple_of(to);
        self.0.resize(aligned, 0);
    }

    /// Type `y`.
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Type `u`.
    pub(super) fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Type `b`.
    pub(super) fn boolean(&mut self, flag: bool) {
        self.number(u32::from(flag));
    }

    /// Types `s` and `o`.
    pub(super) fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    /// Type `g`. Signatures here are constants of a few characters.
    pub(super) fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).unwrap_or_default());
        self.0.extend_from_slice(signature.as_bytes());
        self.0.push(0);
    }

    /// Type `v` around what `write` writes.
    pub(super) fn variant(&mut self, signature: &str, write: impl FnOnce(&mut Self)) {
        self.signature(signature);
        write(self);
    }

    /// Type `a` of elements that are aligned to `to`, as `write` writes them.
    pub(super) fn list(&mut self, to: usize, write: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.0.len() - 4;
        // The padding before the first element does not count.
        self.align(to);
        let start = self.0.len();
        write(self);
        let written = length(self.0.len() - start).to_le_bytes();
        self.0.iter_mut().skip(place).zip(written).for_each(|(to, from)| *to = from);
    }

    /// Type `ay`.
    pub(super) fn blob(&mut self, bytes: &[u8]) {
        self.list(1, |writer| writer.0.extend_from_slice(bytes));
    }

    /// Type `a{ss}`.
    pub(super) fn texts(&mut self, entries: &[(&str, &str)]) {
        self.list(8, |writer| {
            for (name, value) in entries {
                writer.align(8);
                writer.text(name);
                writer.text(value);
            }
        });
    }
}

/// A length as the wire has it. Nothing written here comes near its end.
pub(super) fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Reads values; whoever wrote them is not trusted to have written sense.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_end_first: bool,
}

type Read<T> = Result<T, Trouble>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], big_end_first: bool) -> Self {
        Self { bytes, at: 0, big_end_first }
    }

    pub(super) fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Trouble::Malformed("a text that is cut"))?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        self.take(1)?.first().copied().ok_or(Trouble::Malformed("a byte that is cut"))
    }

    pub(super) fn number(&mut self) -> Read<u32> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(|_| Trouble::Malformed("a number that is cut"))?;
        Ok(if self.big_end_first { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn size(&mut self) -> Read<usize> {
        let size = self.number()? as usize;
        if size > LONGEST { Err(Trouble::Malformed("a length beyond its message")) } else { Ok(size) }
    }

    pub(super) fn boolean(&mut self) -> Read<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Trouble::Malformed("a flag that is neither set nor not")),
        }
    }

    fn ended(&mut self, length: usize) -> Read<&'a str> {
        let text = self.take(length)?;
        self.byte()?;
        std::str::from_utf8(text).map_err(|_| Trouble::Malformed("a text that is not UTF-8"))
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        let length = self.size()?;
        self.ended(length)
    }

    pub(super) fn signature(&mut self) -> Read<&'a str> {
        let length = self.byte()?.into();
        self.ended(length)
    }

    pub(super) fn blob(&mut self) -> Read<&'a [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    /// Type `ao`.
    pub(super) fn paths(&mut self) -> Read<Vec<String>> {
        let end = self.size()?.saturating_add(self.at);
        let mut paths = Vec::new();
        while self.at < end && paths.len() < MOST {
            paths.push(self.text()?.to_owned());
        }
        if self.at == end { Ok(paths) } else { Err(Trouble::Malformed("a list of another length than it says")) }
    }

    /// Type `a(yv)` of a message's head: calls `found` with each field's number and its value, as text or as number.
    pub(super) fn fields(&mut self, mut found: impl FnMut(u8, Option<&'a str>, u32)) -> Read<()> {
        let size = self.size()?;
        self.align(8);
        let end = self.at.saturating_add(size);
        while self.at < end {
            self.align(8);
            let field = self.byte()?;
            match self.signature()? {
                "s" | "o" => found(field, Some(self.text()?), 0),
                "g" => found(field, Some(self.signature()?), 0),
                "u" => found(field, None, self.number()?),
                _ => return Err(Trouble::Malformed("a head with a field of an unknown type")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_stands_where_its_type_is_aligned() {
        let mut writer = Writer::new();
        writer.byte(7);
        writer.text("ab");
        writer.boolean(true);
        writer.blob(&[1, 2, 3]);
        writer.signature("ao");
        writer.list(4, |writer| ["/a", "/bc"].into_iter().for_each(|path| writer.text(path)));
        assert_eq!(writer.bytes().get(..16).unwrap(), b"\x07\0\0\0\x02\0\0\0ab\0\0\x01\0\0\0");
        let mut reader = Reader::new(writer.bytes(), false);
        assert_eq!(reader.byte().unwrap(), 7);
        assert_eq!(reader.text().unwrap(), "ab");
        assert!(reader.boolean().unwrap());
        assert_eq!(reader.blob().unwrap(), [1, 2, 3]);
        assert_eq!(reader.signature().unwrap(), "ao");
        assert_eq!(reader.paths().unwrap(), ["/a", "/bc"]);
        assert_eq!(reader.at, writer.bytes().len());
        assert_eq!(Reader::new(&[0, 0, 1, 0], true).number().unwrap(), 256);
    }

    #[test]
    fn no_cut_and_no_changed_byte_of_an_answer_breaks_its_reader() {
        let mut writer = Writer::new();
        writer.list(8, |writer| {
            writer.byte(5);
            writer.variant("u", |writer| writer.number(9));
            writer.align(8);
            writer.byte(4);
            writer.variant("s", |writer| writer.text("a.b"));
        });
        writer.list(4, |writer| writer.text("/path"));
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes, false);
            let mut fields = 0;
            reader.fields(|_, _, _| fields += 1)?;
            reader.paths().map(|paths| (fields, paths.len()))
        };
        let whole = writer.bytes().to_vec();
        assert_eq!(read(&whole), Ok((2, 1)));
        for at in 0..whole.len() {
            assert!(read(whole.get(..at).unwrap()).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                *changed.get_mut(at).unwrap() ^= 1 << bit;
                // Whatever it means then, the reader comes to its end.
                drop(read(&changed));
            }
        }
    }
}
