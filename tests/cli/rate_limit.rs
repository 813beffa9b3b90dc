//! The rate limit of a provider, as its backend meets it.

use forge_tests::servers::moto::Moto;

use super::{add_aws, aws_world};

#[test]
fn requests_keep_to_the_rate_limit_of_their_provider_and_say_so_where_there_is_no_time() {
    let moto = Moto::start(&["secretsmanager:*", "sts:*"]);
    let world = aws_world(&moto);
    add_aws(&world, &moto, ["--rate-limit", "3/h"]).succeeds();
    let asked = || moto.log().matches("POST / ").count();
    world.forge(["provider", "info", "aws"]).succeeds().stdout_has("rate limit   3/h");
    moto.boto3(
        r#"
sm = client("secretsmanager")
for number in range(5):
    sm.create_secret(Name=f"many/{number}", SecretString="x")
"#,
    );
    let before = asked();
    let copied = world.forge(["--json", "secret", "copy", "store://aws/many/**", "copied"]);
    copied.succeeds();
    assert_eq!(asked() - before, 2, "a listing and a batch");
    let copied = world.forge(["secret", "copy", "copied/**", "store://aws/back"]);
    copied.exits(12).stderr_has("the rate limit of `aws`, 3/h, leaves no room");
    assert_eq!(asked() - before, 2 + 3);
    for odd in ["50", "0/s", "5/d"] {
        let add = ["provider", "add", "x", "--plugin", "vault", "--set", "address=http://127.0.0.1:1"];
        world
            .command(add)
            .and(["--rate-limit", odd, "--yes"])
            .run()
            .exits(2)
            .stderr_has("`--rate-limit` is 1 to 10000");
    }
}
