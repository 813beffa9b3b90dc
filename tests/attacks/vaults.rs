//! An attacker with a token for a Key Vault: other vaults, keys, certificates, backups, purges, another identity.

use forge_tests::component::{attacker, pack};
use forge_tests::outcome::Outcome;
use forge_tests::servers::azure::{Azure, CLIENT, SECRET, TENANT};
use forge_tests::world::{World, root};
use serde_json::json;

use super::Ask;

/// What an honest plugin asks for to read.
const READ: (&str, &str, &str, &str) =
    ("read", "GET", "{origin}/secrets/*", "query = { api-version = [\"7.4\"] }\nresponse-max = \"64 KiB\"");

/// A server, and a world whose provider `evil` is the attacker with the application's token.
struct Scene {
    azure: Azure,
    world: World,
}

impl Scene {
    fn new() -> Self {
        let azure = Azure::start();
        azure.client(
            r#"
vault = client()
for name in ["app-db", "deleted"]:
    vault.set_secret(name, "canary of " + name)
vault.begin_delete_secret("deleted").wait()
"#,
        );
        let world = World::new().with("AZURE_TENANT_ID", TENANT).with("AZURE_CLIENT_ID", CLIENT);
        let world = world.with("AZURE_CLIENT_SECRET", SECRET);
        std::fs::create_dir(world.path("granted")).unwrap();
        Self { azure, world }
    }

    /// What the attacker asks for with these routes.
    fn ask(routes: &[(&str, &str, &str, &str)]) -> Ask {
        let ask = Ask { routes: String::new(), ..Ask::new() }.credential("azure-ad");
        routes.iter().fold(ask, |ask, (ability, method, url, more)| ask.route(ability, method, url, more))
    }

    fn add(&self, manifest: &str, target: &str, more: &[&str]) -> Outcome {
        self.world.install(&pack(&attacker(), manifest)).succeeds();
        let (origin, path) = (self.azure.origin(), self.world.path("granted"));
        let ca = self.azure.ca();
        let credential = format!("azure-ad,resource=https://vault.azure.net,login-endpoint={origin}");
        let set = [format!("origin={origin}"), format!("path={}", path.display()), format!("target={target}")];
        let mut words: Vec<String> =
            ["provider", "add", "evil", "--plugin", "attacker", "--yes"].map(str::to_owned).to_vec();
        words.extend(set.into_iter().flat_map(|set| ["--set".to_owned(), set]));
        words.extend(["--tls-ca", ca.to_str().unwrap(), "--credential", &credential].map(str::to_owned));
        words.extend(["--credential-audience", origin].into_iter().chain(more.iter().copied()).map(str::to_owned));
        self.world.words(&words)
    }

    /// Lets the attacker ask for this path with these routes.
    #[track_caller]
    fn tries(&self, routes: &[(&str, &str, &str, &str)], method: &str, path: &str) -> Outcome {
        let target = format!("{}/{path}", self.azure.origin());
        self.add(&Self::ask(routes).manifest(), &target, &[]).succeeds();
        self.asks(method)
    }

    fn asks(&self, method: &str) -> Outcome {
        let outcome = self.world.forge(["-v", "secret", "get", &format!("store://evil/request/{method}")]);
        outcome.never_shows(SECRET);
        self.world.keeps_nowhere(SECRET);
        outcome
    }

    /// The requests of plugins so far.
    fn asked(&self) -> usize {
        self.azure.received().iter().filter(|request| request["token"] == true).count()
    }
}

#[test]
fn keys_and_what_nobody_granted_stay_closed_and_are_open_with_a_route_of_their_own() {
    for (method, path, opened) in [
        ("GET", "keys/k?api-version=7.4", ("read", "GET", "{origin}/keys/*", "query = { api-version = [\"7.4\"] }")),
        (
            "GET",
            "deletedsecrets/deleted?api-version=7.4",
            ("read", "GET", "{origin}/deletedsecrets/*", "query = { api-version = [\"7.4\"] }"),
        ),
        (
            "GET",
            "secrets/app-db?api-version=7.6",
            ("read", "GET", "{origin}/secrets/*", "query = { api-version = [\"7.6\"] }"),
        ),
    ] {
        let scene = Scene::new();
        scene.tries(&[READ], "GET", "secrets/app-db?api-version=7.4").succeeds().stdout_has("canary of app-db");
        let closed = Scene::new();
        let before = closed.asked();
        closed.tries(&[READ], method, path).exits(8).stdout_is("");
        assert_eq!(closed.asked(), before, "{path}");
        Scene::new().tries(&[opened], method, path).succeeds();
    }
}

#[test]
fn what_removes_needs_a_call_that_removes_whatever_was_granted() {
    let purge = ("remove", "DELETE", "{origin}/deletedsecrets/*", "query = { api-version = [\"7.4\"] }");
    let scene = Scene::new();
    scene.tries(&[READ, purge], "DELETE", "deletedsecrets/deleted?api-version=7.4").exits(8).stdout_is("");
    let left = r#"answer([one.name for one in client().list_deleted_secrets()])"#;
    assert_eq!(scene.azure.client(left), json!(["deleted"]));
    // With the guard opened, as a manifest could lie and a person allow it, the same request works.
    let lying = ("read", purge.1, purge.2, purge.3);
    let scene = Scene::new();
    scene.tries(&[READ, lying], "DELETE", "deletedsecrets/deleted?api-version=7.4");
    assert_eq!(scene.azure.client(left), json!([]));
}

#[test]
fn a_route_to_certificates_or_backups_is_not_installed_whoever_allows_it() {
    for (method, url) in [
        ("GET", "{origin}/certificates/*"),
        ("GET", "{origin}/storage/*"),
        ("GET", "{origin}/**"),
        ("POST", "{origin}/secrets/*/backup"),
        ("POST", "{origin}/secrets/restore"),
        ("POST", "{origin}/secrets/**"),
        ("POST", "{origin}/keys/*/*/release"),
        ("POST", "{origin}/secrets/*/Backup"),
        ("POST", "{origin}/secrets/*/BACKUP"),
        ("POST", "{origin}/secrets/Restore"),
        ("POST", "{origin}/keys/*/*/Release"),
        ("GET", "{origin}/Certificates/*"),
    ] {
        let ask = Scene::ask(&[("read", method, url, "")]);
        let refused = World::new().install(&pack(&attacker(), &ask.manifest()));
        refused.exits(2).stderr_has("`azure-ad`");
    }
    // A backup is what an attacker would get without that rule.
    let azure = Azure::start();
    azure.client(r#"client().set_secret("a", "x")"#);
    let blob = azure.client(r#"answer(len(client().backup_secret("a")))"#);
    assert!(blob.as_u64().unwrap() > 0);
    // However it is spelled.
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}&scope=https://vault.azure.net/.default",
        SECRET.replace('+', "%2B")
    );
    let token = azure.token(TENANT, &form).json()["access_token"].as_str().unwrap().to_owned();
    let spelled =
        azure.curl("POST", "secrets/a/BackUp?api-version=7.4").header("authorization", &format!("Bearer {token}"));
    spelled.json("{}").send().has_status(200);
}

#[test]
fn a_token_goes_to_no_other_vault_and_no_header_makes_it_anothers() {
    let scene = Scene::new();
    let other = Azure::start();
    scene
        .add(&Scene::ask(&[READ]).manifest(), &format!("{}/secrets/a?api-version=7.4", other.origin()), &[])
        .succeeds();
    scene.asks("GET").exits(8).stdout_is("");
    assert_eq!(other.received().len(), 0);
    for name in ["authorization", "x-ms-authorization-auxiliary", "x-ms-client-request-id"] {
        let ask = Scene::ask(&[("read", "GET", "{origin}/secrets/*", &format!("headers = {{ {name} = [\"x\"] }}"))]);
        World::new().install(&pack(&attacker(), &ask.manifest())).exits(2).stderr_has("the host's own");
    }
}

#[test]
fn what_the_plugin_of_azure_asks_for_lets_out_no_attack() {
    let scene = Scene::new();
    let text = std::fs::read_to_string(root().join("plugins/azure/plugin.toml")).unwrap();
    let routes = text.split_once("[[route]]").unwrap().1.replace("{vault-url}", "{origin}");
    let ask = Ask { routes: format!("[[route]]{routes}"), ..Ask::new() }.credential("azure-ad");
    for (method, path) in [
        ("GET", "keys/k?api-version=7.4"),
        ("GET", "certificates/c?api-version=7.4"),
        ("POST", "secrets/app-db/backup?api-version=7.4"),
        ("POST", "secrets/restore?api-version=7.4"),
        ("POST", "secrets/app-db/Backup?api-version=7.4"),
        ("POST", "secrets/RESTORE?api-version=7.4"),
        ("DELETE", "deletedsecrets/deleted?api-version=7.4"),
        ("DELETE", "secrets/app-db?api-version=7.4"),
        ("POST", "deletedsecrets/deleted/recover?api-version=7.4"),
        ("PUT", "secrets/app-db?api-version=7.4"),
        ("GET", "secrets/app-db?api-version=2015-06-01"),
        ("GET", "deletedsecrets?api-version=7.4"),
    ] {
        let target = format!("{}/{path}", scene.azure.origin());
        scene.world.forge(["provider", "remove", "evil", "--yes"]);
        scene.add(&ask.manifest(), &target, &[]).succeeds();
        let before = scene.asked();
        scene.asks(method).exits(8).stdout_is("");
        assert_eq!(scene.asked(), before, "{method} {path}");
    }
    let told = scene.azure.client(r#"answer(client().get_secret("app-db").value)"#);
    assert_eq!(told, "canary of app-db");
}
