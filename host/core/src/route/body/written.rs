//! A body's fields as a manifest asks for them and a grant keeps them, before they are read as a rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A body's fields as a manifest or a grant writes them: `"Tags[].Key" = "any"`.
pub type BodyAsk = BTreeMap<String, FieldAsk>;

/// One field as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a field of a body is a class, a list of texts, or a table of `name`, `arn`, `is` and `required`; a name with `.`, `[]` or `*` in it is quoted"
)]
pub enum FieldAsk {
    /// A class, or a list of texts.
    Plain(Plain),
    /// More than that.
    Table(FieldTable),
}

/// A class of values, or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Plain {
    /// `"any"`, `"json"`, `"integer"` or `"boolean"`.
    Class(FieldClass),
    /// One of these texts.
    OneOf(Vec<String>),
}

/// A class of values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldClass {
    /// Any text, number or boolean. A null is none: in a merge patch (RFC 7396) it removes what is there.
    Any,
    /// Anything, with whatever is within it.
    Json,
    /// A whole number of at most nineteen digits.
    Integer,
    /// `true` or `false`.
    Boolean,
}

/// A field whose text names a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldTable {
    /// A class or a list, where the field is one that has to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Plain>,
    /// Patterns of names; see [`NamePattern`](crate::route::pattern::NamePattern).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Texts>,
    /// Patterns of ARNs, which alone count for a text that begins with `arn:`; see [`ArnPattern`](crate::route::pattern::ArnPattern).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Texts>,
    /// Whether it has to be there, with everything above it; a list on the way then has at least one element.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::One(text) => std::slice::from_ref(text).iter(),
            Self::Many(texts) => texts.iter(),
        }
    }

    /// The same with each text replaced.
    ///
    /// # Errors
    /// The first that `with` answers.
    pub fn try_map<E>(&self, with: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        Ok(match self {
            Self::One(text) => Self::One(with(text)?),
            Self::Many(texts) => Self::Many(texts.iter().map(|text| with(text)).collect::<Result<_, E>>()?),
        })
    }
}

impl FieldAsk {
    /// Every text in it, all of which a consent prompt shows.
    pub fn texts(&self) -> Vec<&String> {
        let (plain, table) = match self {
            Self::Plain(plain) => (Some(plain), None),
            Self::Table(table) => (table.is.as_ref(), Some(table)),
        };
        let listed =
            plain.into_iter().flat_map(|plain| if let Plain::OneOf(texts) = plain { texts.as_slice() } else { &[] });
        let patterns = table.into_iter().flat_map(|table| table.name.iter().chain(&table.arn)).flat_map(Texts::iter);
        listed.chain(patterns).collect()
    }
}
