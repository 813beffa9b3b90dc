//! Signed requests against a server that checks signatures and policies: what is accepted, and what no grant lets out.

use forge_tests::component::{attacker, pack};
use forge_tests::outcome::Outcome;
use forge_tests::servers::moto::{ACCOUNT, Moto, REGION};
use forge_tests::world::{World, root};

use super::Ask;

/// What an honest manifest grants: reading by name and by ARN, and making a secret, below one prefix of one account.
const READ: &str = r#"headers = { x-amz-target = ["secretsmanager.GetSecretValue"] }
body = { SecretId = { name = "app/**", arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/**", required = true } }"#;
const CREATE: &str = r#"headers = { x-amz-target = ["secretsmanager.CreateSecret"] }
body = { Name = { name = "app/**", required = true }, SecretString = "any", ClientRequestToken = "any" }"#;

/// The same with one guard opened: another prefix, action and account, another key and region.
const READ_ANY: &str = r#"headers = { x-amz-target = ["secretsmanager.GetSecretValue", "secretsmanager.DeleteSecret"] }
body = { SecretId = { name = ["app/**", "prod/**"], arn = "arn:aws:secretsmanager:eu-central-1:999999999999:secret:app/**", required = true }, ForceDeleteWithoutRecovery = "boolean" }"#;
const CREATE_ANY: &str = r#"headers = { x-amz-target = ["secretsmanager.CreateSecret"] }
body = { Name = { name = "app/**", required = true }, SecretString = "any", ClientRequestToken = "any", KmsKeyId = { arn = "arn:aws:kms:eu-central-1:999999999999:key/evil" }, "AddReplicaRegions[].Region" = "any" }"#;

const SECRETS: &str = r#"
sm = client("secretsmanager")
for name in ["app/db", "app/lost", "prod/db"]:
    sm.create_secret(Name=name, SecretString="canary of " + name)
answer(sm.describe_secret(SecretId="app/db")["ARN"])
"#;

/// The key of a session, which counts only with its token.
const SESSION: &str = r#"
iam = client("iam")
statement = dict(Effect="Allow", Action="*", Resource="*")
policy = json.dumps(dict(Version="2012-10-17", Statement=[statement]))
role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
iam.put_role_policy(RoleName="role", PolicyName="tests", PolicyDocument=policy)
answer(client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"])
"#;

/// A server, and a world whose provider `evil` is the attacker with a signing credential.
struct Scene {
    moto: Moto,
    world: World,
    arn: String,
}

impl Scene {
    #[track_caller]
    fn new(routes: &[&str], target: &str) -> Self {
        let scene = Self::empty();
        scene.add(routes, target, &scene.credential(""), []).succeeds();
        scene
    }

    fn empty() -> Self {
        let moto = Moto::start(&["secretsmanager:*", "sts:*", "iam:*"]);
        let arn = moto.boto3(SECRETS).as_str().unwrap().to_owned();
        let world = World::new()
            .with("AWS_ACCESS_KEY_ID", &moto.access_key_id)
            .with("AWS_SECRET_ACCESS_KEY", &moto.secret_access_key);
        std::fs::create_dir(world.path("granted")).unwrap();
        Self { moto, world, arn }
    }

    /// A credential for this server from its usual places, with more in front.
    fn credential(&self, more: &str) -> String {
        let origin = self.moto.origin();
        format!("aws-sigv4{more},region={REGION},service=secretsmanager,login-endpoint={origin}")
    }

    fn add<const N: usize>(&self, routes: &[&str], target: &str, credential: &str, more: [&str; N]) -> Outcome {
        let ask = Ask { routes: String::new(), ..Ask::new() }.credential(credential);
        let ask = routes.iter().fold(ask, |ask, more| ask.route("read", "POST", "{origin}/", more));
        self.world.install(&pack(&attacker(), &ask.manifest())).succeeds();
        let run = self.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
        let granted = format!("path={}", self.world.path("granted").display());
        let run = run.and(["--set", &format!("origin={}", self.moto.origin()), "--set", &granted]);
        let run = run.and(["--set", &format!("target={target}"), "--credential", credential]).and(more);
        run.and(["--credential-audience", self.moto.origin()]).run()
    }

    #[track_caller]
    fn reads(&self, way: &str) -> Outcome {
        let outcome = self.world.forge(["-v", "secret", "get", &format!("store://evil/signed/{way}")]);
        outcome.never_shows(&self.moto.secret_access_key);
        self.world.keeps_nowhere(&self.moto.secret_access_key);
        outcome
    }
}

#[test]
fn a_server_that_checks_signatures_accepts_what_leaves_and_tells_whom_it_knows() {
    let scene = Scene::new(&[READ, CREATE], "app/none");
    scene.reads("honest").succeeds().stdout_has("canary of app/db");
    let info = scene.world.forge(["--json", "provider", "info", "evil"]).succeeds().json().to_string();
    assert!(info.contains(&format!("arn:aws:iam::{ACCOUNT}:user/forge (account: {ACCOUNT})")), "{info}");
    scene.reads("created").succeeds();
    let made = scene.moto.boto3(r#"answer(client("secretsmanager").get_secret_value(SecretId="app/new"))"#);
    assert_eq!(made["SecretString"], "x");
}

#[test]
fn a_key_that_the_server_does_not_accept_is_told_as_what_it_is() {
    let scene = Scene::new(&[READ], "app/none");
    let run = |name: &str, value: &str| {
        let run = scene.world.command(["secret", "get", "store://evil/signed/honest"]).variable(name, value);
        run.run()
    };
    let mangled = scene.moto.secret_access_key.replace(|c: char| c.is_ascii_lowercase(), "x");
    let wrong = run("AWS_SECRET_ACCESS_KEY", &mangled);
    wrong.exits(5).stderr_has("the signature is not the one").stderr_has("hint").never_shows(&mangled);
    run("AWS_ACCESS_KEY_ID", "AKIAUNKNOWNUNKNOWN12").exits(5).stderr_has("knows no active key");
    run("AWS_ACCESS_KEY_ID", "").exits(5).stderr_has("`env:AWS_ACCESS_KEY_ID`");
    scene.reads("honest").succeeds();
}

#[test]
fn a_session_and_a_profile_sign_as_well_and_a_program_beside_a_key_is_not_started() {
    let scene = Scene::empty();
    let session = scene.moto.boto3(SESSION);
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    let file = |more: &str| {
        let keys =
            format!("aws_access_key_id={}\naws_secret_access_key={}", text("AccessKeyId"), text("SecretAccessKey"));
        scene.world.file("credentials", format!("[other]\nrole_arn=x\n[dev]\n{keys}\n{more}\n"))
    };
    let path = file(&format!("aws_session_token = {}", text("SessionToken")));
    let credential = scene.credential(&format!(",profile=dev,credentials-file=file:{path}"));
    scene.add(&[READ], "app/none", &credential, []).succeeds();
    scene.reads("honest").succeeds().stdout_has("canary of app/db").never_shows(&text("SessionToken"));
    // Without its token the key of a session is none.
    file("");
    scene.reads("honest").exits(5);
    // A program beside a key is neither needed nor started.
    let mark = scene.world.path("started");
    file(&format!("aws_session_token = {}\ncredential_process = touch {}", text("SessionToken"), mark.display()));
    scene.reads("honest").succeeds();
    assert!(!mark.exists());
}

#[test]
fn another_target_action_key_and_region_are_refused_by_the_grant_and_by_nothing_else() {
    let (open, closed) = (Scene::new(&[READ_ANY, CREATE_ANY], "prod/db"), Scene::new(&[READ, CREATE], "prod/db"));
    let there = |scene: &Scene, name: &str| {
        let script = r#"
listed = client("secretsmanager").list_secrets()["SecretList"]
answer([(one["Name"], one.get("KmsKeyId"), one.get("ReplicationStatus")) for one in listed])
"#;
        let listed = scene.moto.boto3(script);
        listed.as_array().unwrap().iter().find(|one| one[0] == name).cloned()
    };
    for (way, field) in [
        ("other-secret", "the field `SecretId` of the body has a value"),
        ("aimed", "the field `SecretId` of the body has a value"),
        ("other-action", "`x-amz-target`"),
        ("foreign-key", "`KmsKeyId`"),
        ("replica", "`AddReplicaRegions"),
    ] {
        open.reads(way).succeeds();
        closed.reads(way).exits(8).stdout_is("").stderr_has(field);
    }
    assert_eq!(there(&open, "app/lost"), None, "the server would delete it");
    assert!(there(&closed, "app/lost").is_some());
    assert!(there(&open, "app/keyed").unwrap()[1].as_str().unwrap().contains(":999999999999:"));
    assert_eq!(there(&closed, "app/keyed"), None);
    assert_eq!(there(&closed, "app/copied"), None);
    closed.reads("honest").succeeds();
}

#[test]
fn a_secret_is_named_by_its_own_accounts_arn_and_by_no_others() {
    let own = Scene::empty();
    own.add(&[READ], &own.arn, &own.credential(""), []).succeeds();
    own.reads("aimed").succeeds().stdout_has("canary of app/db");
    let foreign = own.arn.replace(ACCOUNT, "999999999999");
    for (routes, code) in [(READ, 8), (READ_ANY, 3)] {
        let scene = Scene::new(&[routes], &foreign);
        let before = scene.moto.log().matches("POST / ").count();
        let outcome = scene.reads("aimed");
        let asked = scene.moto.log().matches("POST / ").count() - before;
        match code {
            8 => assert_eq!(asked, 0, "{:?}", outcome.exits(8)),
            _ => assert_ne!((asked, outcome.code), (0, Some(8)), "with the grant opened the server is asked"),
        }
    }
}

#[test]
fn a_service_that_gives_out_credentials_is_reached_by_no_route() {
    // The server would give them: the same request by a client that holds the key.
    let scene = Scene::new(&[READ_ANY], "app/none");
    let minted = scene.moto.boto3(r#"answer(client("sts").get_session_token()["Credentials"]["AccessKeyId"])"#);
    assert!(minted.is_string());
    scene.reads("mint").exits(8).stdout_is("").stderr_has("content-type");
    for (url, headers) in [
        ("https://sts.eu-central-1.amazonaws.com/", r#"["x.Y"]"#),
        ("https://iam.amazonaws.com/", r#"["x.Y"]"#),
        ("{origin}/", r#"["AWSSecurityTokenServiceV20110615.GetSessionToken"]"#),
        ("{origin}/", r#"["secretsmanager.PutResourcePolicy"]"#),
    ] {
        let more = format!(
            "headers = {{ x-amz-target = {headers} }}\nbody = {{ SecretId = {{ name = \"app/**\", required = true }} }}"
        );
        let ask = Ask { routes: String::new(), ..Ask::new() }.credential("aws-sigv4").route("read", "POST", url, &more);
        World::new().install(&pack(&attacker(), &ask.manifest())).exits(2).stderr_has("`aws-sigv4` never");
    }
}

#[test]
fn a_manifest_that_leaves_action_or_target_open_is_not_installed() {
    const PINNED: &str = "headers = { x-amz-target = [\"secretsmanager.GetSecretValue\"] }\n";
    let install = |more: &str| {
        let ask = Ask { routes: String::new(), ..Ask::new() }.credential("aws-sigv4");
        let ask = ask.route("read", "POST", "{origin}/", more);
        World::new().install(&pack(&attacker(), &ask.manifest()))
    };
    let bound = "body = { SecretId = { name = \"{target}**\", required = true } }";
    install(&format!("{PINNED}{bound}")).succeeds();
    install(bound).exits(2).stderr_has("`x-amz-target`, which names the action");
    install(&format!("headers = {{ accept = [\"a\"] }}\n{bound}")).exits(2).stderr_has("`x-amz-target`");
    install(PINNED).exits(2).stderr_has("the fields of its `body`");
    install(&format!("{PINNED}body = {{ \"*\" = \"json\" }}")).exits(2).stderr_has("fields of any name, `*`");
    for open in [
        "SecretId = \"any\", VersionStage = [\"AWSCURRENT\"]",
        "SecretId = { name = \"**\", required = true }",
        "SecretId = { arn = \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:**\", required = true }",
        "\"AddReplicaRegions[].KmsKeyId\" = \"any\"",
    ] {
        install(&format!("{PINNED}body = {{ {open} }}")).exits(2).stderr_has("which names a target");
    }
    for loose in [
        "SecretString = \"any\"",
        "VersionStage = { is = [\"AWSCURRENT\"], required = true }",
        "\"Filters[].Values[]\" = { name = \"app/**\" }",
    ] {
        install(&format!("{PINNED}body = {{ {loose} }}")).exits(2).stderr_has("require a field that names a target");
    }
    let whole =
        format!("{PINNED}body = {{ SecretIdList = \"json\", SecretId = {{ name = \"app/**\", required = true }} }}");
    install(&whole).exits(2).stderr_has("a field of any shape");
}

#[test]
fn a_key_goes_to_another_origin_only_when_a_person_says_so() {
    let scene = Scene::empty();
    let ask =
        Ask { routes: String::new(), ..Ask::new() }.credential("aws-sigv4").route("read", "POST", "{origin}/", READ);
    scene.world.install(&pack(&attacker(), &ask.manifest())).succeeds();
    let run = scene.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
    let granted = format!("path={}", scene.world.path("granted").display());
    let run = run.and(["--set", &format!("origin={}", scene.moto.origin()), "--set", &granted]);
    let refused = run.and(["--credential", &scene.credential("")]).run();
    refused.exits(8).stderr_has(&format!("--credential-audience {}", scene.moto.origin()));
    // And then it is told for what to sign.
    scene.add(&[READ], "app/none", "aws-sigv4", []).exits(2).stderr_has("`region=…`");
    scene.add(&[READ], "app/none", &scene.credential(""), []).succeeds();
}

/// The settings and the routes that the plugin of AWS asks for.
fn shipped() -> String {
    let text = std::fs::read_to_string(root().join("plugins/aws/plugin.toml")).unwrap();
    let settings = text.split_once("[[setting]]").unwrap().1.split_once("[credential]").unwrap().0;
    let routes = text.split_once("[[route]]").unwrap().1;
    format!("[[setting]]{settings}\n[[route]]{routes}")
}

#[test]
fn what_the_plugin_of_aws_asks_for_lets_out_no_attack() {
    let scene = Scene::empty();
    let ask = Ask { routes: shipped(), ..Ask::new() }.credential("aws-sigv4");
    scene.world.install(&pack(&attacker(), &ask.manifest())).succeeds();
    let foreign = scene.arn.replace(ACCOUNT, "999999999999");
    let run = scene.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
    let granted = format!("path={}", scene.world.path("granted").display());
    let (origin, endpoint) = (scene.moto.origin(), format!("endpoint={}", scene.moto.origin()));
    let run =
        run.and(["--set", &format!("origin={origin}"), "--set", &endpoint, "--set", "prefix=app/", "--set", &granted]);
    let run = run.and(["--set", &format!("region={REGION}"), "--set", &format!("target={foreign}")]);
    let run = run.and(["--credential", &scene.credential(""), "--credential-audience", origin]);
    run.run().succeeds();
    scene.reads("honest").succeeds().stdout_has("canary of app/db");
    scene.world.command(["secret", "set", "store://evil/signed/described"]).input("x").run().succeeds();
    let before = scene.moto.log().matches("POST / ").count();
    for (way, words) in [
        ("other-secret", "`SecretId`"),
        ("aimed", "`SecretId`"),
        ("other-action", "removing"),
        ("foreign-key", "`KmsKeyId`"),
        ("rekeyed", "`KmsKeyId`"),
        ("replica", "`AddReplicaRegions"),
        ("policy", "`x-amz-target`"),
        ("mint", "content-type"),
    ] {
        let reference = format!("store://evil/signed/{way}");
        let write = scene.world.command(["-v", "secret", "set", &reference]).input("x").run();
        write.exits(8).stdout_is("").stderr_has(words);
        scene.reads(way).exits(8).stdout_is("");
    }
    assert_eq!(scene.moto.log().matches("POST / ").count(), before, "nothing of it reached the server");
}
