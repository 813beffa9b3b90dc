//! Many secrets at once out of AWS as moto plays it: how many requests that takes, and what one of them does to the others.

use forge_core::Kind;
use forge_tests::library::{self, Value};
use forge_tests::servers::moto::Moto;
use forge_tests::world::World;

use super::{add_aws, aws_world, get};

fn added<const N: usize>(moto: &Moto, more: [&str; N]) -> World {
    let world = aws_world(moto);
    add_aws(&world, moto, more).succeeds();
    world
}

/// How many requests the server got so far.
fn asked(moto: &Moto) -> usize {
    moto.log().matches("POST / ").count()
}

/// How many requests are on record, of how many operations of this name.
fn recorded(world: &World, operation: &str) -> (usize, usize) {
    let records = world.audit();
    let requests = records.iter().filter(|record| record["event"] == "request").count();
    (requests, records.iter().filter(|record| record["operation"] == operation).count())
}

/// Makes so many secrets below `many`.
fn make(moto: &Moto, count: usize) {
    moto.boto3(&format!(
        r#"
sm = client("secretsmanager")
for number in range({count}):
    sm.create_secret(Name=f"many/{{number:04}}", SecretString=f"value {{number}}")
"#
    ));
}

/// Reads paths through the libraries.
fn read(world: &World, paths: &[String]) -> Vec<Value> {
    library::read_many(&library::resolver(world, "aws", "aws"), paths)
}

#[test]
fn a_thousand_secrets_are_read_in_fifty_requests() {
    let moto = Moto::filled(&["secretsmanager:*", "sts:*"], 1_000);
    let world = added(&moto, []);
    let before = (asked(&moto), recorded(&world, "get"));
    let paths: Vec<String> = (0..1_000).map(|number| format!("many/{number:05}")).collect();
    for (number, answer) in read(&world, &paths).into_iter().enumerate() {
        assert_eq!(answer.unwrap().unwrap(), format!("value {number}").as_bytes());
    }
    assert_eq!(asked(&moto) - before.0, 50);
    let (requests, operations) = recorded(&world, "get");
    assert_eq!((requests - before.1.0, operations - before.1.1), (50, 1_000), "each read is on record");
}

#[test]
fn ten_thousand_names_are_listed_in_a_hundred_requests() {
    let moto = Moto::filled(&["secretsmanager:*", "sts:*"], 10_000);
    let world = added(&moto, []);
    let before = asked(&moto);
    let listed = world.forge(["secret", "list", "store://aws"]).succeeds().text();
    let expected: Vec<String> = (0..10_000).map(|number| format!("many/{number:05}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(asked(&moto) - before, 100);
}

#[test]
fn a_copy_out_of_aws_lists_and_reads_in_batches_and_is_whole() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = added(&moto, []);
    make(&moto, 230);
    let before = asked(&moto);
    let copied = world.forge(["secret", "copy", "store://aws/many/**", "copied"]);
    // Three pages of the listing, twelve batches.
    assert_eq!(asked(&moto) - before, 3 + 12);
    let expected: String =
        (0..230).map(|n| format!("copied `store://aws/many/{n:04}` to `store://local/copied/{n:04}`\n")).collect();
    copied.succeeds().stderr_is(&expected);
    for number in [0, 19, 20, 159, 160, 229] {
        get(&world, &format!("copied/{number:04}")).succeeds().stdout_is(format!("value {number}"));
    }
    // And back again, where each is asked for and written by itself.
    world.forge(["secret", "copy", "copied/**", "store://aws/back"]).succeeds();
    let back = moto.boto3(
        r#"
sm = client("secretsmanager")
answer([sm.get_secret_value(SecretId=f"back/{number:04}")["SecretString"] for number in range(230)])
"#,
    );
    let values: Vec<String> = (0..230).map(|number| format!("value {number}")).collect();
    assert_eq!(back, serde_json::json!(values));
}

#[test]
fn a_key_that_may_not_read_in_batches_reads_one_by_one() {
    let actions = ["CreateSecret", "GetSecretValue", "ListSecrets"].map(|action| format!("secretsmanager:{action}"));
    let actions: Vec<&str> = actions.iter().map(String::as_str).chain(["sts:*"]).collect();
    let moto = Moto::start(&actions);
    let world = added(&moto, []);
    make(&moto, 200);
    let before = asked(&moto);
    world.forge(["secret", "copy", "store://aws/many/**", "copied"]).succeeds();
    let requests = asked(&moto) - before;
    // What is refused is refused to the batches that are under way at that moment, and not asked for again.
    assert!((2 + 1 + 200..=2 + 8 + 200).contains(&requests), "{requests}");
    get(&world, "copied/0199").succeeds().stdout_is("value 199");
}

#[test]
fn in_a_batch_what_is_missing_deleted_or_refused_keeps_no_other_from_its_reader() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = added(&moto, ["--set", "prefix=app/"]);
    moto.boto3(
        r#"
sm = client("secretsmanager")
for name in ["app/a", "app/deleted", "other", "app/z"]:
    sm.create_secret(Name=name, SecretString="of " + name)
sm.delete_secret(SecretId="app/deleted")
sm.create_secret(Name="app/empty")
"#,
    );
    let paths = ["app/a", "app/missing", "app/deleted", "app/empty", "other", "no name", "app/a", "app/z"];
    let answers = read(&world, &paths.map(str::to_owned)).into_iter();
    let told: Vec<_> = answers.map(|answer| answer.map_err(|failure| failure.kind)).collect();
    let value = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    assert_eq!(told[..4], [value("of app/a"), Ok(None), Ok(None), Ok(None)]);
    assert_eq!(told[4..6], [Err(Kind::NotGranted), Err(Kind::InvalidRequest)]);
    assert_eq!(told[6..], [value("of app/a"), value("of app/z")]);
}

#[test]
fn parameters_are_read_ten_in_a_request() {
    let moto = Moto::start(&["ssm:*", "sts:*"]);
    let world = added(&moto, ["--set", "service=ssm"]);
    moto.boto3(
        r#"
ssm = client("ssm")
for number in range(45):
    ssm.put_parameter(Name=f"/many/{number:02}", Value=f"value {number}", Type="SecureString")
ssm.put_parameter(Name="alone", Value="by itself", Type="String")
"#,
    );
    let before = asked(&moto);
    world.forge(["secret", "copy", "store://aws/many/**", "copied"]).succeeds();
    // Ten names of a page, as this server has it, ten values of a batch, and two more requests for the tags of each.
    assert_eq!(asked(&moto) - before, 5 + 5 + 2 * 45);
    get(&world, "copied/44").succeeds().stdout_is("value 44");
    let names = ["alone", "many/00", "many/99"].map(str::to_owned);
    let values: Vec<_> = read(&world, &names).into_iter().map(Result::unwrap).collect();
    assert_eq!(values, [Some(b"by itself".to_vec()), Some(b"value 0".to_vec()), None]);
}

#[test]
fn tags_travel_with_a_copy_and_what_the_destination_can_not_keep_is_told() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = added(&moto, []);
    moto.boto3(
        r#"
sm = client("secretsmanager")
for number in range(3):
    sm.create_secret(Name=f"many/{number}", SecretString="x", Tags=[dict(Key="team", Value=f"web {number}")])
"#,
    );
    let tags =
        |reference: &str| world.forge(["--json", "secret", "describe", reference]).succeeds().json()["tags"].clone();
    // The service tells tags in listings and descriptions, and not with values.
    world.forge(["secret", "copy", "store://aws/many/**", "copied"]).succeeds();
    assert_eq!(tags("copied/2"), serde_json::json!({ "team": "web 2" }));
    world.forge(["secret", "copy", "store://aws/many/1", "alone"]).succeeds();
    assert_eq!(tags("alone"), serde_json::json!({ "team": "web 1" }));
    // A media type has no place in the other direction, and tags have one.
    let set = world.command(["secret", "set", "typed", "--content-type", "text/plain", "--tag", "tier=1"]).input("y");
    set.run().succeeds();
    let copied = world.forge(["secret", "copy", "typed", "store://aws/typed"]);
    copied.succeeds().stderr_has("warning").stderr_has("content type");
    assert_eq!(tags("store://aws/typed"), serde_json::json!({ "tier": "1" }));
    let file = world.file("dev.env", "");
    let add = ["provider", "add", "dev", "--plugin", "textfile", "--set", &format!("file={file}"), "--yes"];
    world.forge(add).succeeds();
    world.forge(["secret", "copy", "typed", "store://dev/TYPED"]).succeeds().stderr_has("content type, tags");
    get(&world, "store://dev/TYPED").succeeds().stdout_is("y");
    // An end that the destination does not know would be none.
    world.command(["secret", "set", "ending", "--expires", "1d"]).input("z").run().succeeds();
    world.forge(["secret", "copy", "ending", "store://aws/ending"]).exits(2);
    get(&world, "store://aws/ending").exits(3);
}

#[test]
fn tags_of_parameters_are_asked_for_since_no_listing_tells_them() {
    let moto = Moto::start(&["ssm:*", "sts:*"]);
    let world = added(&moto, ["--set", "service=ssm"]);
    moto.boto3(
        r#"
tags = [dict(Key="team", Value="web")]
client("ssm").put_parameter(Name="/many/a", Value="x", Type="SecureString", Tags=tags)
"#,
    );
    world.forge(["secret", "copy", "store://aws/many/**", "copied"]).succeeds();
    let shown = world.forge(["--json", "secret", "describe", "copied/a"]).succeeds().json();
    assert_eq!(shown["tags"], serde_json::json!({ "team": "web" }));
}
