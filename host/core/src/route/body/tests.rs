//! What a rule for a body may say, and which rule holds another one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn rule(fields: &str) -> Result<BodyRule, String> {
    #[derive(Deserialize)]
    struct Line {
        body: BodyAsk,
    }
    let line: Line = toml::from_str(&format!("body = {{ {fields} }}")).map_err(|error| error.message().to_owned())?;
    BodyRule::try_from(line.body).map_err(|error| error.to_string())
}

const SECRET: &str = r#"SecretId = { name = "app/**", arn = "arn:aws:s:r:1:secret:app/**", required = true }"#;

#[test]
fn a_rule_survives_being_written_and_read() {
    for fields in [
        SECRET,
        r#"SecretString = "any", "VersionStages[]" = "any", "Tags[].Key" = "any", Kind = ["a", "b"]"#,
        r#""options.cas" = "integer", data = "json", Force = { is = "boolean", required = true }"#,
        r#""Filters[].Values[]" = { name = ["a", "b/**"], required = true }, "labels.*" = "any""#,
        "",
    ] {
        let rule = rule(fields).unwrap();
        let text = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<BodyRule>(&text).unwrap(), rule, "{text}");
    }
}

#[test]
fn a_rule_that_can_be_read_in_two_ways_is_refused() {
    for fields in [
        r#"A = "any", "A.b" = "any""#,
        r#"A = "any", "A[]" = "any""#,
        r#""A[]" = "any", "A.b" = "any""#,
        r#""A[].b" = "any", "A.*" = "any""#,
        r#"A = "anything""#,
        r#"A = []"#,
        r#"A = {}"#,
        r#"A = { required = true }"#,
        r#"A = { name = "x", is = "any" }"#,
        r#"A = { name = "x", nome = "y" }"#,
        r#"A = { name = "a*b" }"#,
        r#"A = { name = "arn:aws:s:r:1:secret:x" }"#,
        r#"A = { arn = "app/**" }"#,
        r#""A.*" = { is = "any", required = true }"#,
        r#""" = "any""#,
        r#""A." = "any""#,
        r#""A[" = "any""#,
        r#""A b" = "any""#,
        r#""a.b.c.d.e.f.g.h.i" = "any""#,
        r#"A.b = "any""#,
    ] {
        assert!(rule(fields).is_err(), "{fields}");
    }
    let many: Vec<String> = (0..65).map(|number| format!("A{number} = \"any\"")).collect();
    assert!(rule(&many.join(", ")).unwrap_err().contains("at most 64"));
}

#[test]
fn a_rule_holds_what_is_narrower_and_nothing_else() {
    let holds = |one: &str, other: &str| rule(one).unwrap().covers(&rule(other).unwrap());
    for (one, other) in [
        (SECRET, SECRET),
        (SECRET, r#"SecretId = { name = "app/db/**", required = true }"#),
        (r#"A = "any", B = "any""#, r#"A = "integer""#),
        (r#"A = "json""#, r#"A = "any""#),
        (r#"A = ["x", "y"]"#, r#"A = ["y"]"#),
        (r#"A = { name = "x/**" }"#, r#"A = ["x/y"]"#),
        (r#"A = "any""#, ""),
        (r#""*" = "any", Id = { name = "app/**" }"#, r#""*" = "any", Id = { name = "app/db/**" }"#),
        (r#""*" = "any", Id = { name = "app/**" }"#, r#"Id = { name = "app/**" }"#),
        (r#""*.x" = "any", "m.y" = "any", "m.z" = "any""#, r#""*.x" = "any", "m.y" = "any""#),
    ] {
        assert!(holds(one, other), "{one} should hold {other}");
    }
    for (one, other) in [
        (SECRET, r#"SecretId = "any""#),
        (SECRET, r#"SecretId = { name = "**", required = true }"#),
        (SECRET, r#"SecretId = { name = "app/**" }"#),
        (SECRET, ""),
        (SECRET, r#"SecretId = { arn = "arn:aws:s:r:*:secret:app/**", required = true }"#),
        (r#"A = "any""#, r#"A = "any", B = "any""#),
        (r#"A = "any""#, r#"A = "json""#),
        (r#"A = "integer""#, r#"A = "any""#),
        (r#"A = ["x"]"#, r#"A = ["x", "y"]"#),
        (r#"A = "any""#, r#""A[]" = "any""#),
        (r#""*" = "any", Id = { name = "app/**" }"#, r#""*" = "any""#),
        (r#""m.*" = "any", "m.x" = "integer""#, r#""m.*" = "any""#),
        (r#""*.x" = "any", "m.y" = "any""#, r#""*.x" = "any""#),
    ] {
        assert!(!holds(one, other), "{one} should not hold {other}");
    }
}

#[test]
fn a_text_that_claims_to_be_an_arn_is_held_to_the_arns_alone() {
    let rule = rule(r#"A = { name = "**", arn = "arn:aws:s:r:1:secret:**" }"#).unwrap();
    let (_, field) = rule.fields().next().unwrap();
    assert!(field.allowed.allows_text("anything") && field.allowed.allows_text("arn:aws:s:r:1:secret:x"));
    for text in ["arn:aws:s:r:2:secret:x", "ARN:aws:s:r:1:secret:x", "Arn:x", "arn:"] {
        assert!(!field.allowed.allows_text(text), "{text}");
    }
}
