//! JSON files, with the comments and trailing commas that people put into them.

use forge_sdk::Error;
use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions};

use super::tree::{DEEPEST, Kind, Node, Pair, check_names, no_mapping};

/// Comments and trailing commas: every other freedom is one that few readers share.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a text; `None` for one without any value.
///
/// # Errors
///
/// `upstream`, naming the line; the parser's own words may repeat what stands there, so they are not used.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Error> {
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &OPTIONS)
        .map_err(|error| Error::upstream(format!("line {} of the file is no JSON", error.line_display())))?;
    match parsed.value {
        None => Ok(None),
        Some(Value::Object(object)) => mapping(text, &object, 0).map(Some),
        Some(_) => Err(no_mapping()),
    }
}

fn mapping(text: &str, object: &Object<'_>, depth: usize) -> Result<Node, Error> {
    if depth > DEEPEST {
        return Err(Error::upstream(format!("the file is nested more than {DEEPEST} deep")));
    }
    let mut pairs = Vec::with_capacity(object.properties.len());
    for property in &object.properties {
        let (name, name_place) = match &property.name {
            ObjectPropName::String(literal) => (literal.value.as_ref(), literal.range),
            ObjectPropName::Word(literal) => (literal.value, literal.range),
        };
        let range = property.value.range();
        let node = |kind| Node::new(range.start..range.end, kind);
        let value = match &property.value {
            Value::StringLit(literal) => node(Kind::Text(literal.value.to_string())),
            Value::NumberLit(literal) => node(Kind::Text(literal.value.to_owned())),
            Value::BooleanLit(literal) => node(Kind::Text(literal.value.to_string())),
            Value::NullKeyword(_) => node(Kind::Null),
            Value::Array(_) => node(Kind::Other("a list")),
            Value::Object(object) => mapping(text, object, depth + 1)?,
        };
        pairs.push(Pair { name: name.to_owned(), name_place: name_place.start..name_place.end, value });
    }
    check_names(text, &pairs)?;
    Ok(Node::new(object.range.start..object.range.end, Kind::Mapping { is_flow: true, pairs }))
}
