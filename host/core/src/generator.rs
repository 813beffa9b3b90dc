//! Values that nobody has to think of: passwords, and random bytes in the forms that programs take.

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::secret::Value;

/// The fewest and the most characters, or random bytes: fewer are guessed, and more have no use.
const LENGTHS: std::ops::RangeInclusive<u32> = 8..=1_024;

/// Characters of a password, or random bytes (256 bits), unless a length is said.
const USUAL: u32 = 32;

/// The classes of characters, by the option that asks for each. Of the symbols those are left out that end or open a
/// quotation in a shell or in a file of values: quotes, backslash, backtick, dollar and space.
const CLASSES: [(&str, &str); 4] = [
    ("lower", "abcdefghijklmnopqrstuvwxyz"),
    ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("digits", "0123456789"),
    ("symbols", "!#%&()*+,-./:;<=>?@[]^_{|}~"),
];

/// What kind of value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Letters, digits and symbols.
    Password,
    /// Letters and digits.
    Alphanumeric,
    /// Random bytes in lower-case hexadecimal.
    Hex,
    /// Random bytes in base64 with padding (RFC 4648, section 4).
    Base64,
    /// A random UUID (RFC 9562, section 5.4).
    Uuid,
}

/// What was asked for; what is not said is usual.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The kind of value.
    pub form: Form,
    /// Characters of a password, or random bytes.
    pub length: Option<u32>,
    /// At least so many lower-case letters, upper-case letters, digits and symbols; 0 leaves a class out.
    pub least: [Option<u32>; 4],
    /// Characters that a password must not have.
    pub exclude: Option<String>,
}

/// Why no value can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too few or too many.
    #[error("`--length` is 8 to 1024: characters of a password, random bytes of `hex` and `base64`")]
    Length,
    /// An option that says nothing of this form.
    #[error("`--{option}` says nothing of `{form}`")]
    Foreign {
        /// The option's name.
        option: &'static str,
        /// The form's name.
        form: &'static str,
    },
    /// The classes need more characters than there are.
    #[error("the classes ask for {0} characters together, which is more than `--length`")]
    Crowded(u64),
    /// A class of which nothing is left, or no class at all.
    #[error("{0} has no characters left")]
    Empty(String),
    /// So few are left that a value is soon guessed.
    #[error("a value would be made of {0} different characters, and that is too few: leave at least {FEWEST}")]
    Few(usize),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// The fewest different characters that a value is made of: the ten digits of a code.
const FEWEST: usize = 10;

/// The characters of one class, and how many of them there are at least.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    characters: Vec<u8>,
    least: u32,
}

/// How a value is made, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    form: Form,
    length: u32,
    classes: Vec<Class>,
}

impl Form {
    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Alphanumeric => "alphanumeric",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Uuid => "uuid",
        }
    }
}

impl std::fmt::Display for Recipe {
    /// What will be made, such as `a password of 32 characters`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self.length;
        match self.form {
            Form::Password => write!(f, "a password of {length} characters"),
            Form::Alphanumeric => write!(f, "{length} letters and digits"),
            Form::Hex => write!(f, "{length} random bytes in hexadecimal"),
            Form::Base64 => write!(f, "{length} random bytes in base64"),
            Form::Uuid => f.write_str("a random UUID"),
        }
    }
}

impl Recipe {
    /// Checks what was asked for.
    ///
    /// # Errors
    /// An option that says nothing here, a length out of bounds, or classes that can't all be there.
    pub fn of(wish: &Wish) -> Result<Self, Error> {
        let form = wish.form;
        let foreign = |option| Err(Error::Foreign { option, form: form.name() });
        if form == Form::Uuid && wish.length.is_some() {
            return foreign("length");
        }
        let length = wish.length.unwrap_or(USUAL);
        if !LENGTHS.contains(&length) {
            return Err(Error::Length);
        }
        if !matches!(form, Form::Password | Form::Alphanumeric) {
            let asked = CLASSES.iter().zip(wish.least).find(|(_, least)| least.is_some());
            return match (asked, &wish.exclude) {
                (Some(((option, _), _)), _) => foreign(option),
                (None, Some(_)) => foreign("exclude"),
                (None, None) => Ok(Self { form, length, classes: Vec::new() }),
            };
        }
        let excluded = wish.exclude.as_deref().unwrap_or_default();
        let mut classes = Vec::new();
        for ((option, characters), least) in CLASSES.into_iter().zip(wish.least) {
            if option == "symbols" && form == Form::Alphanumeric {
                if least.is_some_and(|least| least > 0) {
                    return foreign(option);
                }
                continue;
            }
            let least = least.unwrap_or(1);
            let characters: Vec<u8> = characters.bytes().filter(|byte| !excluded.contains(char::from(*byte))).collect();
            match (least, characters.is_empty()) {
                (0, _) => {}
                (_, true) => return Err(Error::Empty(format!("`--{option}`"))),
                (_, false) => classes.push(Class { characters, least }),
            }
        }
        if classes.is_empty() {
            return Err(Error::Empty("the value".to_owned()));
        }
        let different = classes.iter().map(|class| class.characters.len()).sum();
        if different < FEWEST {
            return Err(Error::Few(different));
        }
        let together: u64 = classes.iter().map(|class| u64::from(class.least)).sum();
        if together > u64::from(length) {
            return Err(Error::Crowded(together));
        }
        Ok(Self { form, length, classes })
    }

    /// Makes a value.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn value(&self) -> Result<Value, Error> {
        match self.form {
            Form::Password | Form::Alphanumeric => self.characters(),
            Form::Hex => Ok(Value::new(crate::sealing::hex(&random(self.length)?).into_bytes())),
            Form::Base64 => {
                let text = base64::engine::general_purpose::STANDARD.encode(&*random(self.length)?);
                Ok(Value::new(text.into_bytes()))
            }
            Form::Uuid => {
                let mut bytes = random(16)?;
                for (at, byte) in bytes.iter_mut().enumerate() {
                    match at {
                        6 => *byte = (*byte & 0x0f) | 0x40,
                        8 => *byte = (*byte & 0x3f) | 0x80,
                        _ => {}
                    }
                }
                let mut text = Vec::with_capacity(36);
                let hex = Zeroizing::new(crate::sealing::hex(&bytes));
                for (at, digit) in hex.bytes().enumerate() {
                    if matches!(at, 8 | 12 | 16 | 20) {
                        text.push(b'-');
                    }
                    text.push(digit);
                }
                Ok(Value::new(text))
            }
        }
    }

    /// So many of each class as it asks for, the rest of all of them, and then in an order of chance.
    fn characters(&self) -> Result<Value, Error> {
        let length = usize::try_from(self.length).unwrap_or_default();
        let mut made = Zeroizing::new(Vec::with_capacity(length));
        for class in &self.classes {
            for _ in 0..class.least {
                made.push(one_of(&class.characters)?);
            }
        }
        let all: Vec<u8> = self.classes.iter().flat_map(|class| class.characters.iter().copied()).collect();
        while made.len() < length {
            made.push(one_of(&all)?);
        }
        // Each order is as likely as any other (Knuth, volume 2, algorithm P).
        for at in (1..made.len()).rev() {
            let other = below(at + 1)?;
            made.swap(at, other);
        }
        Ok(Value::new(std::mem::take(&mut *made)))
    }
}

fn random(length: u32) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or_default()]);
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

fn one_of(characters: &[u8]) -> Result<u8, Error> {
    characters.get(below(characters.len())?).copied().ok_or(Error::Random)
}

/// A number below `count`, each as likely as any other.
fn below(count: usize) -> Result<usize, Error> {
    let count = u32::try_from(count).map_err(|_| Error::Random)?;
    loop {
        let mut bytes = Zeroizing::new([0; 4]);
        getrandom::fill(&mut *bytes).map_err(|_| Error::Random)?;
        if let Some(number) = folded(u32::from_ne_bytes(*bytes), count) {
            return usize::try_from(number).map_err(|_| Error::Random);
        }
    }
}

/// A random number folded into those below `count`. The last ones, which don't make up a whole round, are drawn anew:
/// the remainder alone would give the first characters more often than the others.
fn folded(number: u32, count: u32) -> Option<u32> {
    let rounds = (u64::from(u32::MAX) + 1).checked_div(u64::from(count))?;
    (u64::from(number) < rounds * u64::from(count)).then(|| number % count)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn wish(form: Form) -> Wish {
        Wish { form, length: None, least: [None; 4], exclude: None }
    }

    fn made(wish: &Wish) -> String {
        String::from_utf8(Recipe::of(wish).unwrap().value().unwrap().expose().to_vec()).unwrap()
    }

    fn count(text: &str, class: usize) -> usize {
        let characters = CLASSES.get(class).unwrap().1;
        text.chars().filter(|character| characters.contains(*character)).count()
    }

    #[test]
    fn a_password_has_each_of_its_classes_and_nothing_that_is_excluded() {
        let asked = Wish {
            length: Some(20),
            least: [Some(3), Some(0), None, Some(5)],
            exclude: Some("l1{}\u{e9}".to_owned()),
            ..wish(Form::Password)
        };
        for _ in 0..200 {
            let password = made(&asked);
            assert_eq!(password.len(), 20);
            let counts = [0, 1, 2, 3].map(|class| count(&password, class));
            assert!(counts[0] >= 3 && counts[1] == 0 && counts[2] >= 1 && counts[3] >= 5, "{password}");
            assert!(!password.contains(['l', '1', '{', '}']), "{password}");
            let plain = made(&wish(Form::Alphanumeric));
            assert!(plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{plain}");
        }
        // The shortest in which all classes just fit.
        let tight = Wish { length: Some(8), least: [Some(2); 4], ..wish(Form::Password) };
        let password = made(&tight);
        assert_eq!([0, 1, 2, 3].map(|class| count(&password, class)), [2; 4]);
    }

    #[test]
    fn a_required_character_stands_at_any_place() {
        let asked = Wish { length: Some(8), least: [Some(7), Some(0), Some(1), Some(0)], ..wish(Form::Password) };
        let places: std::collections::BTreeSet<usize> =
            (0..500).filter_map(|_| made(&asked).find(|character: char| character.is_ascii_digit())).collect();
        assert_eq!(places.len(), 8, "{places:?}");
    }

    #[test]
    fn each_number_is_as_likely_as_any_other() {
        // A whole round ends where the last ones are drawn anew: 2^32 is 3 times 1,431,655,765 and one more.
        assert_eq!(folded(u32::MAX, 3), None);
        assert_eq!(folded(u32::MAX - 1, 3), Some(2));
        assert_eq!(folded(u32::MAX, 4), Some(3));
        assert_eq!(folded(7, 1), Some(0));
        let zone = (0..89_u32).find(|left| folded(u32::MAX - left, 89).is_some()).unwrap();
        assert_eq!(u64::from(zone), (1_u64 << 32) % 89);
    }

    #[test]
    fn random_bytes_have_their_forms() {
        let hex = made(&wish(Form::Hex));
        assert!(hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{hex}");
        let base64 = made(&Wish { length: Some(16), ..wish(Form::Base64) });
        assert_eq!(base64::engine::general_purpose::STANDARD.decode(&base64).unwrap().len(), 16);
        let uuid = made(&wish(Form::Uuid));
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(uuid.get(14..15), Some("4"));
        assert!(uuid.get(19..20).unwrap().contains(['8', '9', 'a', 'b']), "{uuid}");
        assert_ne!(uuid, made(&wish(Form::Uuid)));
    }

    #[test]
    fn what_can_not_be_made_is_told_by_its_rule() {
        let of = |wish: Wish| Recipe::of(&wish).unwrap_err();
        for length in [0, 7, 1_025, u32::MAX] {
            assert_eq!(of(Wish { length: Some(length), ..wish(Form::Password) }), Error::Length);
            assert_eq!(of(Wish { length: Some(length), ..wish(Form::Hex) }), Error::Length);
        }
        let foreign = |option, form: Form| Error::Foreign { option, form: form.name() };
        assert_eq!(of(Wish { length: Some(16), ..wish(Form::Uuid) }), foreign("length", Form::Uuid));
        let least = [None, None, None, Some(1)];
        for form in [Form::Alphanumeric, Form::Hex, Form::Base64, Form::Uuid] {
            assert_eq!(of(Wish { least, ..wish(form) }), foreign("symbols", form));
        }
        assert_eq!(of(Wish { exclude: Some("a".into()), ..wish(Form::Hex) }), foreign("exclude", Form::Hex));
        let crowded = Wish { length: Some(8), least: [Some(9), None, None, Some(u32::MAX)], ..wish(Form::Password) };
        assert_eq!(of(crowded), Error::Crowded(11 + u64::from(u32::MAX)));
        assert_eq!(of(Wish { least: [Some(0); 4], ..wish(Form::Password) }), Error::Empty("the value".to_owned()));
        let least = [None, Some(0), Some(0), Some(0)];
        let few = Wish { least, exclude: Some(('a'..='y').collect()), ..wish(Form::Password) };
        assert_eq!(of(few), Error::Few(1));
        let excluded = Wish { exclude: Some("0123456789".to_owned()), ..wish(Form::Password) };
        assert_eq!(of(excluded), Error::Empty("`--digits`".to_owned()));
    }
}
