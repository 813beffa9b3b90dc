//! Bodies that fit their rule, and bodies that carry something past it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forge_core::grant::Grant;
use forge_core::route::Ability;
use forge_core::route::body::BodyRule;

use super::super::find;
use crate::denial::Denial;
use crate::request::{Request, parse, tests::grant as plain_grant};

const ORIGIN: &str = "https://all.example";
const ACCOUNT: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:";

/// A grant with one route per rule, told apart by the header `x-target`.
fn grant(rules: &[(&str, &str)]) -> Grant {
    let mut grant = plain_grant(&[ORIGIN]);
    let plain = grant.routes.first().unwrap().clone();
    let route = |(target, rule): &(&str, &str)| {
        let rule: BodyRule = serde_json::from_str(rule).unwrap();
        let mut route = plain.clone();
        (route.methods, route.body, route.path) = (vec!["POST".to_owned()], Some(rule), "/".parse().unwrap());
        route.headers = [("x-target".to_owned(), vec![(*target).to_owned()])].into();
        route
    };
    grant.routes = rules.iter().map(route).collect();
    grant
}

/// What is sent for this body, or why nothing is.
fn send(grant: &Grant, headers: &[(&str, &str)], body: &[u8]) -> Result<String, Denial> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request { method: "POST".to_owned(), url: format!("{ORIGIN}/"), headers, body: body.to_vec() };
    let mut parsed = parse(request, grant)?;
    let route = find(grant, &[Ability::Read], &parsed, crate::header::is_own, false)?;
    parsed.settle_body(route);
    Ok(String::from_utf8(parsed.body.to_vec()).unwrap())
}

fn ask(rule: &str, body: &str) -> Result<String, Denial> {
    let headers = [("content-type", "application/json"), ("x-target", "Put")];
    send(&grant(&[("Put", rule)]), &headers, body.as_bytes())
}

/// The field that the denial names.
fn field(rule: &str, body: &str) -> String {
    match ask(rule, body).unwrap_err() {
        Denial::BodyField { field, .. }
        | Denial::BodyValue { field, .. }
        | Denial::BodyShape { field, .. }
        | Denial::BodyMissing { field, .. }
        | Denial::BodyRepeated { field, .. } => field,
        denial => format!("{denial:?}"),
    }
}

fn put() -> String {
    format!(
        r#"{{"Id":{{"name":["app/**"],"arn":["{ACCOUNT}app/**"],"required":true}},"Value":"any","Stages[]":"any",
        "Tags[].Key":"any","Tags[].Value":"any","Kind":["a","b"],"Days":"integer","Force":"boolean","Anything":"json","Map.*":"any"}}"#
    )
}

#[test]
fn a_body_of_listed_fields_goes_out_as_the_host_writes_it() {
    for (body, sent) in [
        (r#" {"Id" : "app/db", "Value":"\u0078"} "#, r#"{"Id":"app/db","Value":"x"}"#),
        (r#"{"\u0049d":"app/db"}"#, r#"{"Id":"app/db"}"#),
        (
            r#"{"Id":"app/db","Days":30,"Force":true,"Kind":"b"}"#,
            r#"{"Id":"app/db","Days":30,"Force":true,"Kind":"b"}"#,
        ),
        (
            r#"{"Id":"app/db","Tags":[{"Key":"k","Value":"v"}],"Stages":[]}"#,
            r#"{"Id":"app/db","Tags":[{"Key":"k","Value":"v"}],"Stages":[]}"#,
        ),
        (
            r#"{"Id":"app/db","Anything":{"a":[1.10,null]},"Map":{"any name":"v"}}"#,
            r#"{"Id":"app/db","Anything":{"a":[1.10,null]},"Map":{"any name":"v"}}"#,
        ),
    ] {
        assert_eq!(ask(&put(), body).unwrap(), sent, "{body}");
    }
    let arn = format!(r#"{{"Id":"{ACCOUNT}app/db-AbCdEf"}}"#);
    assert_eq!(ask(&put(), &arn).unwrap(), arn);
}

#[test]
fn a_field_that_is_not_listed_is_refused_by_its_name_wherever_it_is_nested() {
    for (body, name) in [
        (r#"{"Id":"app/db","KmsKeyId":"k"}"#, "KmsKeyId"),
        (r#"{"Id":"app/db","id":"other"}"#, "id"),
        (r#"{"Id":"app/db","ID":"other"}"#, "ID"),
        (r#"{"Id":"app/db","Id\u0000":"other"}"#, "Id?"),
        (r#"{"Id":"app/db","\u004bmsKeyId":"k"}"#, "KmsKeyId"),
        (r#"{"Id":"app/db","Tags[].Key":"x"}"#, "Tags[].Key"),
        (r#"{"Id":"app/db","Map.*":"x"}"#, "Map.*"),
        (r#"{"Id":"app/db","Tags":[{"Key":"k","Id":"other"}]}"#, "Tags[].Id"),
        (r#"{"Id":"app/db","AddReplicaRegions":[{"Region":"x"}]}"#, "AddReplicaRegions"),
    ] {
        assert_eq!(field(&put(), body), name, "{body}");
    }
}

#[test]
fn a_value_that_is_not_granted_is_refused_and_not_repeated() {
    for (body, name) in [
        (r#"{"Id":"other"}"#, "Id"),
        (r#"{"Id":"app"}"#, "Id"),
        (r#"{"Id":"app/../other"}"#, "Id"),
        (r#"{"Id":"arn:aws:secretsmanager:eu-west-1:999999999999:secret:app/db"}"#, "Id"),
        (r#"{"Id":"arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db"}"#, "Id"),
        (r#"{"Id":"\u0061rn:aws:secretsmanager:eu-west-1:999999999999:secret:app/db"}"#, "Id"),
        (r#"{"Id":["app/db"]}"#, "Id"),
        (r#"{"Id":{"app/db":1}}"#, "Id"),
        (r#"{"Id":1}"#, "Id"),
        (r#"{"Id":null}"#, "Id"),
        (r#"{"Id":true}"#, "Id"),
        (r#"{"Id":"app/db","Value":["other"]}"#, "Value"),
        (r#"{"Id":"app/db","Value":null}"#, "Value"),
        (r#"{"Id":"app/db","Value":{"Id":"other"}}"#, "Value"),
        (r#"{"Id":"app/db","Stages":["a",["other"]]}"#, "Stages[]"),
        (r#"{"Id":"app/db","Kind":"c"}"#, "Kind"),
        (r#"{"Id":"app/db","Kind":["a"]}"#, "Kind"),
        (r#"{"Id":"app/db","Days":1.5}"#, "Days"),
        (r#"{"Id":"app/db","Days":1e3}"#, "Days"),
        (r#"{"Id":"app/db","Days":"30"}"#, "Days"),
        (r#"{"Id":"app/db","Days":12345678901234567890}"#, "Days"),
        (r#"{"Id":"app/db","Force":"true"}"#, "Force"),
        (r#"{"Id":"app/db","Map":{"hunter2":null}}"#, "Map.*"),
    ] {
        let denial = ask(&put(), body).unwrap_err();
        assert_eq!(field(&put(), body), name, "{body}");
        let grant = grant(&[("Put", &put())]);
        let told = format!("{denial} {}", denial.hint(&grant).unwrap());
        assert!(!told.contains("other") && !told.contains("999") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_list_or_an_object_in_the_place_of_the_other_is_refused() {
    for (body, name) in [
        (r#"{"Id":"app/db","Stages":"a"}"#, "Stages"),
        (r#"{"Id":"app/db","Stages":{"0":"a"}}"#, "Stages"),
        (r#"{"Id":"app/db","Tags":{"Key":"k"}}"#, "Tags"),
        (r#"{"Id":"app/db","Tags":["k"]}"#, "Tags[]"),
        (r#"{"Id":"app/db","Tags":[[{"Key":"k"}]]}"#, "Tags[]"),
        (r#"{"Id":"app/db","Tags":null}"#, "Tags"),
        (r#"{"Id":"app/db","Map":[]}"#, "Map"),
    ] {
        assert_eq!(field(&put(), body), name, "{body}");
    }
    for body in ["[]", "\"Id\"", "null", "1", r#"[{"Id":"app/db"}]"#] {
        assert!(matches!(ask(&put(), body), Err(Denial::BodyJson { .. })), "{body}");
    }
}

#[test]
fn a_field_that_has_to_be_there_is_missed_with_everything_above_it() {
    assert_eq!(field(&put(), r#"{"Value":"x"}"#), "Id");
    assert_eq!(field(&put(), "{}"), "Id");
    let list =
        r#"{"Filters[].Key":{"is":["name"],"required":true},"Filters[].Values[]":{"name":["app/**"],"required":true}}"#;
    ask(list, r#"{"Filters":[{"Key":"name","Values":["app/"]}]}"#).unwrap();
    for (body, name) in [
        ("{}", "Filters[].Key"),
        (r#"{"Filters":[]}"#, "Filters[].Key"),
        (r#"{"Filters":[{"Values":["app/"]}]}"#, "Filters[].Key"),
        (r#"{"Filters":[{"Key":"name"}]}"#, "Filters[].Values[]"),
        (r#"{"Filters":[{"Key":"name","Values":[]}]}"#, "Filters[].Values[]"),
        (r#"{"Filters":[{"Key":"name","Values":["app/"]},{"Key":"name"}]}"#, "Filters[].Values[]"),
        (r#"{"Filters":[{"Key":"name","Values":["app/","other"]}]}"#, "Filters[].Values[]"),
        (r#"{"Filters":[{"Key":"tag-key","Values":["app/"]}]}"#, "Filters[].Key"),
    ] {
        assert_eq!(field(list, body), name, "{body}");
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_in_every_spelling() {
    for body in [
        r#"{"Id":"app/db","Id":"other"}"#,
        r#"{"Id":"other","Id":"app/db"}"#,
        r#"{"Id":"app/db","\u0049d":"other"}"#,
        r#"{"Id":"app/db","\u0049\u0064":"app/db"}"#,
    ] {
        assert_eq!(field(&put(), body), "Id", "{body}");
    }
}

#[test]
fn what_others_could_read_differently_does_not_go_out() {
    let bodies: [&[u8]; 7] = [
        b"",
        b"\xef\xbb\xbf{\"Id\":\"app/db\"}",
        b"{\"Id\":\"app/db\"}{\"Id\":\"other\"}",
        b"{\"Id\":\"app/db\"}\0",
        b"{\"Id\":\"app/\xff\"}",
        b"\xff\xfe{\0}\0",
        b"Action=Get&Id=other",
    ];
    let grant = grant(&[("Put", &put())]);
    for body in bodies {
        let denial = send(&grant, &[("content-type", "application/json"), ("x-target", "Put")], body).unwrap_err();
        assert!(matches!(denial, Denial::BodyJson { .. }), "{denial:?}");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/jsonp",
        "application/x-json-",
        "json",
        "",
    ] {
        let headers = [("content-type", content_type), ("x-target", "Put")];
        let denial = send(&grant, &headers, br#"{"Id":"app/db"}"#).unwrap_err();
        assert!(matches!(denial, Denial::BodyType { .. }), "{content_type}");
    }
    let denial = send(&grant, &[("x-target", "Put")], br#"{"Id":"app/db"}"#).unwrap_err();
    assert!(matches!(denial, Denial::BodyType { .. }), "a server would guess what it is");
    for content_type in [
        "application/json",
        "application/json; charset=UTF-8",
        "application/merge-patch+json",
        "application/x-amz-json-1.1",
    ] {
        let headers = [("content-type", content_type), ("x-target", "Put")];
        send(&grant, &headers, br#"{"Id":"app/db"}"#).unwrap();
    }
}

#[test]
fn a_listed_header_has_to_be_there_where_the_body_is_held_to_a_rule() {
    let grant = grant(&[("Put", &put())]);
    let denial = send(&grant, &[("content-type", "application/json")], br#"{"Id":"app/db"}"#).unwrap_err();
    assert!(matches!(&denial, Denial::HeaderMissing { name, .. } if name == "x-target"), "{denial:?}");
}

#[test]
fn the_rule_of_one_action_is_none_for_another_and_the_denial_is_that_of_the_action() {
    let grant = grant(&[("Get", r#"{"Id":{"name":["**"]}}"#), ("Put", &put()), ("List", r#"{"Max":"integer"}"#)]);
    let send = |target: &str, body: &str| {
        send(&grant, &[("content-type", "application/json"), ("x-target", target)], body.as_bytes())
    };
    send("Get", r#"{"Id":"other"}"#).unwrap();
    send("List", r#"{"Max":10}"#).unwrap();
    let denial = send("Put", r#"{"Id":"other"}"#).unwrap_err();
    assert!(matches!(denial, Denial::BodyValue { .. }), "{denial:?}");
    assert_eq!(
        denial.to_string(),
        format!("the field `Id` of the body has a value that is not granted for `POST {ORIGIN}/ x-target: Put`")
    );
    assert_eq!(
        denial.hint(&grant).unwrap(),
        format!(
            "granted is `{{ name = [\"app/**\"], arn = [\"{ACCOUNT}app/**\"] }}`; the route would have to list it: body = {{ \"Id\" = {{ name = \"…\" }} }}"
        )
    );
    assert!(matches!(send("List", r#"{"Id":"app/db"}"#), Err(Denial::BodyField { .. })));
    assert!(matches!(send("Delete", r#"{"Id":"app/db"}"#), Err(Denial::HeaderValue { .. })));
}
