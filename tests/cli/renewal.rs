//! A login that outlives its tokens, in one process: the broker's library against the real OpenBao.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use forge_broker::{Egress, Error, Options, Request, Source, Sources};
use forge_core::grant::Grant;
use forge_tests::servers::openbao::OpenBao;
use forge_tests::world::World;
use secrecy::SecretString;

use super::add_vault;

/// Two variables, as the command line would read them.
struct Role {
    role: String,
    secret: String,
}

#[async_trait]
impl Sources for Role {
    async fn read(&self, source: &Source) -> Result<SecretString, Error> {
        let text = if source.to_string() == "env:ROLE" { &self.role } else { &self.secret };
        Ok(SecretString::from(text.as_str()))
    }
}

#[test]
fn tokens_are_renewed_while_they_can_be_and_then_replaced_by_a_new_login() {
    let server = OpenBao::start();
    server.policy("app", r#"path "secret/*" { capabilities = ["read"] }"#);
    server.root("POST", "secret/data/a", r#"{"data":{"value":"x"}}"#).has_status(200);
    let (role, secret) = server.approle_until(&["app"], "2s", "4s");
    let world = World::new().with("ROLE", &role).with("SECRET", &secret);
    let credential = "vault-token,method=approle,role-id=env:ROLE,secret-id=env:SECRET";
    add_vault(&world, &server, ["--credential", credential]).succeeds();
    let grant = std::fs::read(world.data().join("grants/bao.json")).unwrap();
    let grant: Grant = serde_json::from_slice(&grant).unwrap();
    let egress = Egress::open(&grant, &Options::new(Arc::new(Role { role, secret }))).unwrap();
    let url = format!("{}/v1/secret/data/a", server.address());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let routes = runtime.block_on(async {
        let mut routes = Vec::new();
        let begun = Instant::now();
        // Longer than two tokens live, renewals included.
        while begun.elapsed() < Duration::from_secs(9) {
            let call = egress.call();
            let request = Request { method: "GET".to_owned(), url: url.clone(), headers: Vec::new(), body: Vec::new() };
            assert_eq!(call.send(request).await.unwrap().status, 200);
            routes.extend(call.take_records().into_iter().map(|record| record.route));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        routes
    });
    let count = |end: &str| routes.iter().filter(|route| route.ends_with(end)).count();
    assert!(count("/auth/token/renew-self") >= 2, "{routes:?}");
    let (logins, reads) = (count("/auth/approle/login"), count("/data/**"));
    assert!(logins >= 2 && logins < reads / 3, "{logins} logins for {reads} reads");
}
