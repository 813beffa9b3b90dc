//! Requests with a token of Google's that no grant lets out: another project, a policy, a token, the end of a version.

use forge_tests::component::{attacker, pack};
use forge_tests::outcome::Outcome;
use forge_tests::servers::google::Google;
use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;

use super::Ask;

/// What an honest manifest asks for: reading the values of one project.
const READ: (&str, &str, &str) = ("read", "GET", "{origin}/v1/projects/my-project/secrets/*/versions/*:access");

/// A server with a secret, and a world in which the provider `evil` is the attacker with a token of the server's.
struct Scene {
    server: Google,
    world: World,
}

impl Scene {
    fn new() -> Self {
        let server = Google::start();
        server.client(
            r#"
client.create_secret(parent=project, secret_id="db", secret=dict(replication=dict(automatic={})))
client.add_secret_version(parent=project + "/secrets/db", payload=dict(data=b"x"))
"#,
        );
        let world = World::new();
        std::fs::create_dir(world.path("granted")).unwrap();
        Self { server, world }
    }

    /// Installs the attacker with these routes.
    fn install(&self, routes: &[(&str, &str, &str)]) -> Outcome {
        self.install_with(routes, "")
    }

    /// The same with further lines of the last one.
    fn install_with(&self, routes: &[(&str, &str, &str)], more: &str) -> Outcome {
        let ask = Ask { routes: String::new(), ..Ask::new() }.credential("google");
        let ask = routes.iter().fold(ask, |ask, (ability, method, url)| ask.route(ability, method, url, "")).with(more);
        self.world.install(&pack(&attacker(), &ask.manifest()))
    }

    /// Aims it at a path of the server.
    #[track_caller]
    fn aim(&self, target: &str) {
        self.world.forge(["provider", "remove", "evil", "--yes"]);
        let origin = self.server.origin();
        let run = self.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
        let granted = format!("path={}", self.world.path("granted").display());
        let run = run.and(["--set", &format!("origin={origin}"), "--set", &granted]);
        let run = run.and(["--set", &format!("target={origin}{target}"), "--credential", &self.server.credential()]);
        run.and(["--credential-audience", origin]).run().succeeds();
        self.server.requests();
    }

    #[track_caller]
    fn attacks(&self, method: &str, in_write: bool) -> Outcome {
        let reference = format!("store://evil/request/{method}");
        if in_write {
            return self.world.command(["-v", "secret", "set", &reference]).input("x").run();
        }
        self.world.forge(["-v", "secret", "get", &reference])
    }
}

#[test]
fn another_project_is_not_reached() {
    let scene = Scene::new();
    let target = "/v1/projects/victim/secrets/db/versions/1:access";
    scene.install(&[READ, ("read", "GET", "{origin}/v1/projects/victim/secrets/*/versions/*:access")]).succeeds();
    scene.aim(target);
    scene.attacks("GET", false).exits(4);
    assert_eq!(scene.server.requests(), [format!("GET {target}")], "with the guard opened the server is asked");
    let closed = Scene::new();
    closed.install(&[READ]).succeeds();
    closed.aim(target);
    closed.attacks("GET", false).exits(8).stderr_has("granted");
    assert_eq!(closed.server.requests(), [""; 0]);
}

#[test]
fn a_wildcard_for_a_secret_is_none_for_an_action() {
    let scene = Scene::new();
    let target = "/v1/projects/my-project/secrets/db/versions/1:destroy";
    scene
        .install(&[READ, ("write", "POST", "{origin}/v1/projects/my-project/secrets/*/versions/*:destroy")])
        .succeeds();
    scene.aim(target);
    scene.attacks("POST", true).succeeds();
    assert_eq!(scene.server.requests(), [format!("POST {target}")]);
    let closed = Scene::new();
    closed.install(&[READ, ("write", "POST", "{origin}/v1/projects/my-project/secrets/*/versions/*")]).succeeds();
    closed.aim(target);
    closed.attacks("POST", true).exits(8).stderr_has("granted");
    assert_eq!(closed.server.requests(), [""; 0]);
    let seen = closed.server.client(
        r#"answer(client.access_secret_version(name=project + "/secrets/db/versions/1").payload.data.decode())"#,
    );
    assert_eq!(seen, "x");
}

#[test]
fn policies_and_token_endpoints_can_not_be_asked_for() {
    let scene = Scene::new();
    for url in [
        "{origin}/v1/projects/my-project/secrets/*:setIamPolicy",
        "{origin}/v1/projects/my-project/secrets/db:setIamPolicy",
        "{origin}/v1/projects/-/serviceAccounts/*:generateAccessToken",
        "{origin}/token",
        "{origin}/v1/token",
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/*:signJwt",
        "https://sts.googleapis.com/**",
    ] {
        scene.install(&[READ, ("write", "POST", url)]).exits(2).stderr_has("can't be granted");
    }
    // A route that says nothing of them reaches them no more.
    scene.install(&[READ, ("write", "POST", "{origin}/v1/**")]).succeeds();
    for target in ["/v1/projects/my-project/secrets/db:setIamPolicy", "/v1/token"] {
        scene.aim(target);
        scene.attacks("POST", true).exits(8);
        assert_eq!(scene.server.requests(), [""; 0], "{target}");
    }
    // An honest action below the same wildcard is one that it does take in.
    scene.aim("/v1/projects/my-project/secrets");
    scene.attacks("POST", true);
    assert_eq!(scene.server.requests(), ["POST /v1/projects/my-project/secrets"]);
}

#[test]
fn a_secret_is_not_made_with_somebody_elses_key() {
    let make = [READ, ("write", "POST", "{origin}/v1/projects/my-project/secrets")];
    let query = "query = { secretId = \"any\" }";
    let target = "/v1/projects/my-project/secrets?secretId=new";
    let attack = |scene: &Scene| {
        scene.aim(target);
        scene.world.command(["-v", "secret", "set", "store://evil/foreign-key"]).input("x").run()
    };
    let open = Scene::new();
    open.install_with(&make, query).succeeds();
    attack(&open);
    assert_eq!(open.server.requests(), ["POST /v1/projects/my-project/secrets"]);
    // What the plugin's own manifest says of that body.
    let manifest = std::fs::read_to_string(forge_tests::world::root().join("plugins/gcp/plugin.toml")).unwrap();
    let rule = manifest.lines().find(|line| line.starts_with("body = { \"replication")).unwrap();
    let closed = Scene::new();
    closed.install_with(&make, &format!("{query}\n{rule}")).succeeds();
    attack(&closed).exits(8).stderr_has("customerManagedEncryption");
    assert_eq!(closed.server.requests(), [""; 0]);
}

#[test]
fn a_token_goes_to_no_single_endpoint_that_nobody_named_for_it() {
    let (server, evil, world) = (Google::start(), Hostile::start(), World::new());
    let add = |audience: Option<&str>| {
        let run = world.command(["provider", "add", "gcp", "--plugin", "gcp", "--yes", "--set", "project=my-project"]);
        let run = run.and(["--set", &format!("endpoint={}", evil.origin()), "--credential", &server.credential()]);
        match audience {
            Some(origin) => run.and(["--credential-audience", origin]).run(),
            None => run.run(),
        }
    };
    add(None).exits(8).stderr_has("may not be sent to").stderr_has("--credential-audience");
    world.forge(["secret", "get", "store://gcp/db"]);
    evil.was_never_asked();
    // With a person's word it goes there.
    add(Some(&evil.origin())).succeeds();
    world.forge(["secret", "get", "store://gcp/db"]);
    let is_token = |sent: Option<&str>| sent.is_some_and(|sent| sent.starts_with("Bearer ya29."));
    assert!(evil.received().iter().any(|request| is_token(request.header("authorization"))));
}

#[test]
fn below_googleapis_com_no_audience_opens_another_api() {
    let scene = Scene::new();
    for origin in ["https://storage.googleapis.com", "https://iam.mtls.googleapis.com"] {
        scene
            .install(&[("read", "GET", &format!("{origin}/storage/v1/b/*/iam"))])
            .exits(2)
            .stderr_has("can't be granted");
    }
    let own = "https://secretmanager.europe-west3.rep.googleapis.com/v1/projects/my-project/secrets/*";
    scene.install(&[("read", "GET", own)]).succeeds();
}
