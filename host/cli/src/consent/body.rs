//! What a request's body may hold, in words for the person who is asked.

use forge_core::route::body::{BodyAsk, FieldAsk, FieldClass, FieldTable, Plain, Texts};

/// One line for each field that names a target, and one for all others; what isn't said isn't sent.
pub(super) fn lines(body: &BodyAsk) -> Vec<String> {
    let mut lines = Vec::new();
    for (field, ask) in body {
        let (text, is_required) = match ask {
            FieldAsk::Table(table @ FieldTable { is: None, .. }) => (targets(table), table.required),
            FieldAsk::Plain(Plain::OneOf(texts)) => (one_of(texts), false),
            FieldAsk::Table(FieldTable { is: Some(Plain::OneOf(texts)), required, .. }) => (one_of(texts), *required),
            _ => continue,
        };
        lines.push(format!("  {field}: {text}{}", if is_required { ", and it has to be there" } else { "" }));
    }
    let mut classes = Vec::new();
    for (class, words) in [
        (FieldClass::Any, "any value"),
        (FieldClass::Json, "anything"),
        (FieldClass::Integer, "a number"),
        (FieldClass::Boolean, "`true` or `false`"),
    ] {
        let fields: Vec<&str> =
            body.iter().filter(|(_, ask)| is_of(ask, class)).map(|(field, _)| field.as_str()).collect();
        if !fields.is_empty() {
            classes.push(format!("{words} in {}", fields.join(", ")));
        }
    }
    // A body that names no target takes one line: there is little to decide about it.
    lines.push(match (lines.is_empty(), classes.is_empty()) {
        (true, true) => "  with nothing in its body".to_owned(),
        (true, false) => format!("  with {}, and nothing else in its body", classes.join(", ")),
        (false, true) => "  and nothing else in its body".to_owned(),
        (false, false) => format!("  {}, and nothing else in its body", classes.join(", ")),
    });
    lines
}

fn is_of(ask: &FieldAsk, class: FieldClass) -> bool {
    match ask {
        FieldAsk::Plain(plain) => *plain == Plain::Class(class),
        FieldAsk::Table(table) => table.is == Some(Plain::Class(class)),
    }
}

fn one_of(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    quoted.join(" or ")
}

fn targets(table: &FieldTable) -> String {
    let words = |texts: &Option<Texts>, one: &str, several: &str| -> Vec<String> {
        let line = |text: &String| match text.strip_suffix("**") {
            Some("") => format!("any {one}"),
            Some(start) => format!("{several} that begin with `{start}`"),
            None => format!("the {one} `{text}`"),
        };
        texts.iter().flat_map(Texts::iter).map(line).collect()
    };
    let mut words_of_all = words(&table.name, "name", "names");
    words_of_all.extend(words(&table.arn, "ARN", "ARNs"));
    let has_any = table.arn.iter().flat_map(Texts::iter).any(|arn| arn.split(':').any(|part| part == "*"));
    // An account that nobody knew is any account, and whoever allows this must see it.
    let any = if has_any { " (where `*` is anything)" } else { "" };
    format!("{}{any}", words_of_all.join(", or "))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_told_by_its_targets_and_by_all_that_it_may_hold() {
        let ask: BodyAsk = serde_json::from_str(
            r#"{"Id":{"name":["app/**","one"],"arn":["arn:p:s:r:*:secret:app/**"],"required":true},"Value":"any",
                "Note":"any","Kind":["a","b"],"Days":"integer","Force":{"is":"boolean","required":true},"data":"json"}"#,
        )
        .unwrap();
        let expected = [
            "  Id: names that begin with `app/`, or the name `one`, or ARNs that begin with `arn:p:s:r:*:secret:app/` (where `*` is anything), and it has to be there",
            "  Kind: `a` or `b`",
            "  any value in Note, Value, anything in data, a number in Days, `true` or `false` in Force, and nothing else in its body",
        ];
        assert_eq!(lines(&ask), expected);
        let open: BodyAsk = serde_json::from_str(r#"{"Id":{"name":"**"}}"#).unwrap();
        assert_eq!(lines(&open), ["  Id: any name", "  and nothing else in its body"]);
        let tags: BodyAsk = serde_json::from_str(r#"{"tags.*":"any"}"#).unwrap();
        assert_eq!(lines(&tags), ["  with any value in tags.*, and nothing else in its body"]);
        assert_eq!(lines(&BodyAsk::new()), ["  with nothing in its body"]);
    }
}
