//! Filling settings into the patterns of a body's fields.

use std::borrow::Cow;

use super::{Piece, Values, pieces};
use crate::manifest::Manifest;
use crate::route::body::{BodyAsk, BodyRule, FieldAsk, FieldTable};

/// The word for a part of an ARN that nobody knows, such as the account of a credential that doesn't tell it.
const ANY: &str = "any";

/// The fields of a body with settings filled in. A setting without a value is empty, so an unset prefix is no prefix.
pub(super) fn fill(manifest: &Manifest, ask: &BodyAsk, values: Values<'_>) -> Result<BodyRule, String> {
    let mut filled = BodyAsk::new();
    for (field, ask) in ask {
        let ask = match ask {
            FieldAsk::Plain(_) => ask.clone(),
            FieldAsk::Table(table) => {
                let named = |text: &str| name(manifest, text, values);
                let full = |text: &str| arn(manifest, text, values);
                FieldAsk::Table(FieldTable {
                    name: table.name.as_ref().map(|texts| texts.try_map(named)).transpose()?,
                    arn: table.arn.as_ref().map(|texts| texts.try_map(full)).transpose()?,
                    ..table.clone()
                })
            }
        };
        filled.insert(field.clone(), ask);
    }
    BodyRule::try_from(filled).map_err(|error| error.to_string())
}

/// One text with its settings, each of which stays literal: none of them brings a wildcard.
fn name(manifest: &Manifest, template: &str, values: Values<'_>) -> Result<String, String> {
    let mut filled = String::new();
    for piece in pieces(template)? {
        let value = match piece {
            Piece::Literal(literal) => Cow::Borrowed(literal),
            Piece::Setting(name) if manifest.setting(name).is_none() && !values.derives(name) => {
                return Err(format!("names in its body `{name}`, which is no setting"));
            }
            Piece::Setting(name) => {
                let value = values.get(name).unwrap_or_default();
                if value.contains('*') {
                    return Err(format!("has in its body the setting `{name}`, whose value may have no `*`"));
                }
                value
            }
        };
        filled.push_str(&value);
    }
    Ok(filled)
}

/// The same for an ARN: no setting changes how many parts it has, and one that is `any` stands for any whole part.
fn arn(manifest: &Manifest, template: &str, values: Values<'_>) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in template.split(':') {
        let filled = name(manifest, part, values)?;
        let is_setting = part.strip_prefix('{').is_some_and(|rest| rest.find('}') == rest.len().checked_sub(1));
        if filled.contains(':') {
            return Err("has in an ARN of its body a setting with a `:`, which parts it".to_owned());
        }
        parts.push(if is_setting && filled == ANY { "*".to_owned() } else { filled });
    }
    Ok(parts.join(":"))
}
