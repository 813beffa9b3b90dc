//! `forge secret rotate` and values that forge makes itself: what is written, what stays, and what is refused.

use forge_tests::outcome::Outcome;
use forge_tests::servers::moto::Moto;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;

use super::{add_aws, add_vault, aws_world, get, root_world, set};

#[track_caller]
fn rotate<const N: usize>(world: &World, reference: &str, more: [&str; N]) -> Outcome {
    world.command(["secret", "rotate", reference]).and(more).run()
}

/// Rotates with a generated value, which is then another one, while the old one stays readable by its version.
#[track_caller]
fn keeps_the_old_one(world: &World, reference: &str) {
    set(world, reference, "the old value").succeeds();
    let rotated = world.command(["--json", "secret", "rotate", reference, "--generate", "hex"]).run();
    let told = rotated.succeeds().json();
    let value = get(world, reference).succeeds().text();
    assert!(value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    rotated.never_shows(&value);
    assert_ne!(told["version"]["id"], told["previous"]["id"]);
    let old = format!("{reference}?version={}", told["previous"]["id"].as_str().unwrap());
    get(world, &old).succeeds().stdout_is("the old value");
    let words = rotate(world, reference, ["--generate", "password", "--length", "40", "--symbols", "0"]);
    words.succeeds().stdout_is("").stderr_has("is still there: `forge secret get 'store://").never_shows(&value);
    let password = get(world, reference).succeeds().text();
    assert!(password.len() == 40 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
    words.never_shows(&password);
    world.keeps_nowhere(&password);
}

#[test]
fn a_rotation_writes_another_value_and_the_old_one_stays_readable_where_versions_are_kept() {
    let world = World::new();
    keeps_the_old_one(&world, "store://local/app/db");
    let server = OpenBao::start();
    server.mount("one", 1);
    let world = root_world();
    add_vault(&world, &server, []).succeeds();
    keeps_the_old_one(&world, "store://bao/app/db");
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, []).succeeds();
    keeps_the_old_one(&world, "store://aws/app/db");
}

#[test]
fn a_backend_without_versions_says_that_the_old_value_is_gone_and_that_it_can_not_compare() {
    let world = World::new();
    let file = world.file("dev.env", "A=old\n");
    let add = ["provider", "add", "dev", "--plugin", "textfile", "--set", &format!("file={file}"), "--yes"];
    world.forge(add).succeeds();
    let rotated = rotate(&world, "store://dev/A", ["--generate", "uuid"]);
    rotated.succeeds().stderr_has("keeps no versions");
    assert_eq!(get(&world, "store://dev/A").succeeds().text().len(), 36);
}

#[test]
fn a_value_that_is_piped_in_is_one_as_well_and_a_field_leaves_the_others() {
    let world = World::new();
    set(&world, "app/db", "old").succeeds();
    let piped = world.command(["secret", "rotate", "app/db", "--stdin"]).input("hunter2\n").run();
    piped.succeeds().never_shows("hunter2");
    get(&world, "app/db").succeeds().stdout_is("hunter2");
    set(&world, "app/map", r#"{"user":"app","password":"old"}"#).succeeds();
    // One value in the place of all fields would lose the others.
    rotate(&world, "app/map", ["--generate", "hex"]).exits(2).stderr_has("#FIELD");
    rotate(&world, "app/map#password", ["--generate", "base64", "--length", "16"]).succeeds();
    get(&world, "app/map#user").succeeds().stdout_is("app");
    assert_eq!(get(&world, "app/map#password").succeeds().text().len(), 24);
    rotate(&world, "app/missing", ["--generate", "hex"]).exits(3).stderr_has("forge secret set app/missing");
}

#[test]
fn without_a_rotation_of_its_own_and_without_a_generator_it_is_refused_with_what_to_type() {
    let world = World::new();
    set(&world, "app/db", "old").succeeds();
    rotate(&world, "app/db", []).exits(2).stderr_has("secret-rotation").stderr_has("`--generate password`");
    for (more, said) in [
        (["--generate", "hex", "--length", "7"], "8 to 1024"),
        (["--generate", "hex", "--digits", "3"], "`--digits` says nothing of `hex`"),
        (["--generate", "uuid", "--length", "16"], "`--length` says nothing of `uuid`"),
        (["--generate", "password", "--lower", "40"], "more than `--length`"),
        (["--generate", "password", "--exclude", "0123456789"], "`--digits` has no characters left"),
    ] {
        rotate(&world, "app/db", more).exits(2).stderr_has(said);
        world.command(["secret", "set", "app/new"]).and(more).run().exits(2).stderr_has(said);
    }
    rotate(&world, "app/db", ["--length", "20"]).exits(2).stderr_has("--generate");
    rotate(&world, "app/db?version=1", ["--generate", "hex"]).exits(2).stderr_has("a new version is made");
    rotate(&world, "app/db", ["--generate", "hex", "--dry-run"]).succeeds().stderr_has("would write 32 random bytes");
    get(&world, "app/db").succeeds().stdout_is("old");
    get(&world, "app/new").exits(3);
}

#[test]
fn of_writers_that_rotate_at_the_same_time_each_version_is_one_that_somebody_was_told() {
    let world = World::new();
    set(&world, "app/db", "old").succeeds();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..6).map(|_| scope.spawn(|| rotate(&world, "app/db", ["--generate", "hex"]).code.unwrap())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(codes.iter().all(|code| matches!(code, 0 | 9)), "{codes:?}");
    let won = codes.iter().filter(|code| **code == 0).count();
    let versions = world.forge(["--json", "secret", "versions", "app/db"]).succeeds().json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1 + won, "{codes:?}");
    assert!(won > 0);
}

#[test]
fn the_backends_own_rotation_begins_by_one_request_that_changes_nothing_of_what_is_set_up() {
    let moto = Moto::start(&["secretsmanager:*", "ssm:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "prefix=app/"]).succeeds();
    set(&world, "store://aws/app/db", "old").succeeds();
    let asked = || moto.log().matches("POST / ").count();
    let before = asked();
    rotate(&world, "store://aws/app/db", ["--dry-run"]).succeeds().stderr_has("would have the backend rotate");
    rotate(&world, "store://aws/other", []).exits(8).stderr_has("`SecretId`");
    assert_eq!(asked(), before);
    let begun = rotate(&world, "store://aws/app/db", []);
    begun.succeeds().stderr_has("the backend rotates `store://aws/app/db`: version ");
    assert_eq!(asked(), before + 1);
    let known = moto.boto3(
        r#"
known = client("secretsmanager").describe_secret(SecretId="app/db")
answer([known.get("RotationLambdaARN") or None, sorted(known["VersionIdsToStages"])])
"#,
    );
    assert!(known[0].is_null(), "{known}");
    assert!(known[1].as_array().unwrap().iter().any(|id| begun.stderr.contains(id.as_str().unwrap())), "{known}");
    rotate(&world, "store://aws/app/missing", []).exits(3);
    rotate(&world, "store://aws/app/db#field", []).exits(2).stderr_has("`--generate password`");
    // A parameter has none, and is told before anything is asked.
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--set", "service=ssm"]).succeeds();
    rotate(&world, "store://aws/app/db", []).exits(2).stderr_has("`--generate password`");
}
