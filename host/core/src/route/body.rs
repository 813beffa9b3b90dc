//! What the body of a request may be: a JSON object of these fields and no others, each with its permitted values.
//!
//! An endpoint that all tenants share tells actions and targets apart only in headers and body, so the body's fields are
//! what a grant holds there: names by prefix, ARNs by account and region, and nothing that a manifest doesn't list.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod written;

pub use written::{BodyAsk, FieldAsk, FieldClass, FieldTable, Plain, Texts};

use crate::route::pattern::{ArnPattern, NamePattern, is_arn};

/// How many fields a rule may have: about three times as many as the longest request of a secret service.
pub const MOST_FIELDS: usize = 64;

/// One step into a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The field of this name.
    Field(String),
    /// `*`: a field of any name, where a body has a map.
    AnyField,
    /// `[]`: each element of a list.
    Each,
}

/// Where a value stands in a body: `SecretId`, `Tags[].Key`, `options.cas`, `metadata.*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<Step>);

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match step {
                Step::Field(name) => write!(f, "{dot}{name}")?,
                Step::AnyField => write!(f, "{dot}*")?,
                Step::Each => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl FromStr for FieldPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'$' | b'@');
            match name {
                "*" => steps.push(Step::AnyField),
                _ if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) => {
                    steps.push(Step::Field(name.to_owned()));
                }
                _ => {
                    return Err(
                        "a field is named by letters, digits and `-_$@`, with `.`, `[]` and `*` for what is within it",
                    );
                }
            }
            steps.extend((name.len()..part.len()).step_by(2).map(|_| Step::Each));
        }
        if steps.len() > 8 {
            return Err("a field lies at most eight steps deep");
        }
        Ok(Self(steps))
    }
}

/// What a field's value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Values of a class.
    Class(FieldClass),
    /// One of these texts.
    OneOf(Vec<String>),
    /// A text that names a target: by a name, or by an ARN.
    Target {
        /// Patterns of names.
        names: Vec<NamePattern>,
        /// Patterns of ARNs.
        arns: Vec<ArnPattern>,
    },
}

impl Allowed {
    /// Whether a text is allowed.
    pub fn allows_text(&self, text: &str) -> bool {
        match self {
            Self::Class(class) => matches!(class, FieldClass::Any | FieldClass::Json),
            Self::OneOf(texts) => texts.iter().any(|permitted| permitted == text),
            Self::Target { arns, .. } if is_arn(text) => arns.iter().any(|arn| arn.allows(text)),
            Self::Target { names, .. } => names.iter().any(|name| name.allows(text)),
        }
    }

    /// Whether each value that `other` allows is allowed.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Class(FieldClass::Json), _) => true,
            (Self::Class(FieldClass::Any), _) => *other != Self::Class(FieldClass::Json),
            (Self::Class(own), Self::Class(other)) => own == other,
            (Self::OneOf(_) | Self::Target { .. }, Self::OneOf(texts)) => {
                texts.iter().all(|text| self.allows_text(text))
            }
            (Self::Target { names, arns }, Self::Target { names: other_names, arns: other_arns }) => {
                other_names.iter().all(|other| names.iter().any(|name| name.covers(other)))
                    && other_arns.iter().all(|other| arns.iter().any(|arn| arn.covers(other)))
            }
            _ => false,
        }
    }
}

/// What one field may be, and whether it has to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Its values.
    pub allowed: Allowed,
    /// Whether it has to be there, with everything above it.
    pub required: bool,
}

impl fmt::Display for FieldRule {
    /// As a manifest would write it, behind `=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = |class: &FieldClass| match class {
            FieldClass::Any => "any",
            FieldClass::Json => "json",
            FieldClass::Integer => "integer",
            FieldClass::Boolean => "boolean",
        };
        let quoted = |texts: Vec<String>| {
            let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            quoted.join(", ")
        };
        match &self.allowed {
            Allowed::Class(known) => write!(f, "\"{}\"", class(known)),
            Allowed::OneOf(texts) => write!(f, "[{}]", quoted(texts.clone())),
            Allowed::Target { names, arns } => {
                let names = quoted(names.iter().map(ToString::to_string).collect());
                let arns = quoted(arns.iter().map(ToString::to_string).collect());
                match (names.as_str(), arns.as_str()) {
                    (names, "") => write!(f, "{{ name = [{names}] }}"),
                    ("", arns) => write!(f, "{{ arn = [{arns}] }}"),
                    (names, arns) => write!(f, "{{ name = [{names}], arn = [{arns}] }}"),
                }
            }
        }
    }
}

impl TryFrom<FieldAsk> for FieldRule {
    type Error = &'static str;

    fn try_from(ask: FieldAsk) -> Result<Self, &'static str> {
        let allowed = |plain| match plain {
            Plain::Class(class) => Ok(Allowed::Class(class)),
            Plain::OneOf(texts) if texts.is_empty() => Err("a list of texts has at least one"),
            Plain::OneOf(texts) => Ok(Allowed::OneOf(texts)),
        };
        let FieldTable { is, name, arn, required } = match ask {
            FieldAsk::Plain(plain) => return Ok(Self { allowed: allowed(plain)?, required: false }),
            FieldAsk::Table(table) => table,
        };
        if let Some(plain) = is {
            if name.is_some() || arn.is_some() {
                return Err("a field has `is`, or `name` and `arn`");
            }
            return Ok(Self { allowed: allowed(plain)?, required });
        }
        let names: Vec<NamePattern> = parsed(name.as_ref())?;
        let arns: Vec<ArnPattern> = parsed(arn.as_ref())?;
        if names.is_empty() && arns.is_empty() {
            return Err("a field's table has `name`, `arn` or `is`");
        }
        Ok(Self { allowed: Allowed::Target { names, arns }, required })
    }
}

fn parsed<P: FromStr<Err = &'static str>>(texts: Option<&Texts>) -> Result<Vec<P>, &'static str> {
    texts.into_iter().flat_map(Texts::iter).map(|text| text.parse()).collect()
}

impl From<&FieldRule> for FieldAsk {
    fn from(rule: &FieldRule) -> Self {
        let required = rule.required;
        let plain = |plain| match required {
            true => Self::Table(FieldTable { is: Some(plain), required, ..FieldTable::default() }),
            false => Self::Plain(plain),
        };
        let texts = |texts: Vec<String>| (!texts.is_empty()).then_some(Texts::Many(texts));
        match &rule.allowed {
            Allowed::Class(class) => plain(Plain::Class(*class)),
            Allowed::OneOf(texts) => plain(Plain::OneOf(texts.clone())),
            Allowed::Target { names, arns } => Self::Table(FieldTable {
                is: None,
                name: texts(names.iter().map(ToString::to_string).collect()),
                arn: texts(arns.iter().map(ToString::to_string).collect()),
                required,
            }),
        }
    }
}

/// The fields that a body may have, and what each may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BodyAsk", into = "BodyAsk")]
pub struct BodyRule(BTreeMap<FieldPath, FieldRule>);

/// Why a body's fields can't be a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has for the field `{}` of its body no rule: {rule}", crate::manifest::printable(.field))]
pub struct Error {
    /// The field as it is written.
    pub field: String,
    /// What it has to be.
    pub rule: &'static str,
}

impl BodyRule {
    /// Every field with its rule, sorted.
    pub fn fields(&self) -> impl Iterator<Item = (&FieldPath, &FieldRule)> {
        self.0.iter()
    }

    /// Whether each body that `other` allows is allowed.
    pub fn covers(&self, other: &Self) -> bool {
        let holds = |(path, asked): (&FieldPath, &FieldRule)| {
            self.0.get(path).is_some_and(|granted| granted.allowed.covers(&asked.allowed))
        };
        let keeps = |(path, _): (&FieldPath, &FieldRule)| other.0.get(path).is_some_and(|asked| asked.required);
        other.0.iter().all(holds)
            && self.0.iter().filter(|(_, granted)| granted.required).all(keeps)
            && self.0.keys().all(|path| !other.passes_over(path))
    }

    /// Whether a field is of any name here that `path` names: a rule of its own for that name is then not kept.
    fn passes_over(&self, path: &FieldPath) -> bool {
        let meets = |(one, other): (&Step, &Step)| one == other || *one == Step::AnyField || *other == Step::AnyField;
        (0..path.0.len()).filter(|at| matches!(path.0.get(*at), Some(Step::Field(_)))).any(|at| {
            let is_any = |own: &FieldPath| {
                own.0.get(at) == Some(&Step::AnyField) && own.0.iter().zip(&path.0).take(at).all(meets)
            };
            let is_named = |own: &FieldPath| own.0.get(..=at) == path.0.get(..=at);
            self.0.keys().any(is_any) && !self.0.keys().any(is_named)
        })
    }
}

impl TryFrom<BodyAsk> for BodyRule {
    type Error = Error;

    fn try_from(ask: BodyAsk) -> Result<Self, Error> {
        let mut fields: BTreeMap<FieldPath, FieldRule> = BTreeMap::new();
        for (field, written) in ask {
            let refuse = |rule| Error { field: field.clone(), rule };
            if fields.len() == MOST_FIELDS {
                return Err(refuse("a body has at most 64 fields"));
            }
            let path: FieldPath = field.parse().map_err(refuse)?;
            let rule = FieldRule::try_from(written).map_err(refuse)?;
            if rule.required && path.0.contains(&Step::AnyField) {
                return Err(refuse("a field of any name can't be `required`"));
            }
            // A value is an object, a list or neither; what is said of it twice could be read either way.
            let differs = |known: &FieldPath| {
                let (own, other) = (path.0.iter(), known.0.iter());
                let mut after = own.zip(other).skip_while(|(one, other)| one == other);
                match after.next() {
                    None => true,
                    Some((one, other)) => (*one == Step::Each) != (*other == Step::Each),
                }
            };
            if fields.keys().any(differs) {
                return Err(refuse("another field says that this is something else"));
            }
            fields.insert(path, rule);
        }
        Ok(Self(fields))
    }
}

impl From<BodyRule> for BodyAsk {
    fn from(rule: BodyRule) -> Self {
        Self::from(&rule)
    }
}

impl From<&BodyRule> for BodyAsk {
    fn from(rule: &BodyRule) -> Self {
        rule.0.iter().map(|(path, rule)| (path.to_string(), FieldAsk::from(rule))).collect()
    }
}

#[cfg(test)]
mod tests;
