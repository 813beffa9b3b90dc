//! Tokens that a client buys from a real OAuth 2 server: accepted there, sent to one origin, and found nowhere else.

use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::oidc::{IN_BODY, IN_HEADER, Oidc};

use super::{Ask, CANARY, CANARY_VARIABLE, Stage, TRACE};

fn ask(server: &Oidc, client: &str, more: &str) -> Ask {
    let source = format!("client-id={client},client-secret=env:{CANARY_VARIABLE}");
    Ask::new().credential(&format!("oauth2-client,{source},token-url={}/token{more}", server.origin()))
}

/// The tokens that the stage's server was sent.
fn tokens(stage: &Stage) -> Vec<String> {
    let received = stage.server.received();
    let token = |value: &str| value.strip_prefix("Bearer ").unwrap().to_owned();
    received.iter().map(|request| token(request.header("authorization").unwrap())).collect()
}

#[test]
fn a_token_is_bought_with_the_secret_in_either_place_and_its_own_server_knows_it() {
    let server = Oidc::start(CANARY);
    for (client, more) in [(IN_HEADER, ",scope=read"), (IN_BODY, ",secret-in=body")] {
        let stage = Stage::empty();
        let ask = ask(&server, client, more).target(&format!("{}/v1/secret/data/x", stage.server.origin()));
        stage.install(&ask).succeeds();
        let added = stage.add(&ask);
        added.succeeds().stderr_has(&format!("to log in to {}, and nowhere else", server.origin()));
        added.stderr_has(&format!("{client} (issuer: {})", server.origin())).never_shows(TRACE);
        stage.lets("request", LOOT);
        stage.lets("request", LOOT);
        let tokens = tokens(&stage);
        // The same one for each command, since it is kept between them.
        assert!(tokens.len() >= 2 && tokens.iter().all(|token| *token == tokens[0]), "{}", tokens.len());
        let told = server.introspect(&tokens[0], CANARY);
        assert_eq!((&told["active"], &told["client_id"]), (&true.into(), &client.into()), "{told}");
        assert_eq!(told["scope"].as_str(), more.starts_with(",scope").then_some("read"), "{told}");
        stage.world.keeps_nowhere(&tokens[0]);
        assert!(stage.server.received().iter().all(|request| !format!("{request:?}").contains(TRACE)));
    }
}

#[test]
fn what_the_server_refuses_is_told_by_its_code() {
    let (server, of_others) = (Oidc::start(CANARY), Oidc::start("another-secret-0123456789"));
    for (server, client, more, sentence) in [
        (&of_others, IN_HEADER, "", "does not know this client"),
        (&of_others, IN_BODY, ",secret-in=body", "does not know this client"),
        (&server, "nobody", "", "does not know this client"),
        (&server, IN_HEADER, ",scope=write", "does not give tokens for this scope"),
    ] {
        let stage = Stage::empty();
        let ask = ask(server, client, more).target(&format!("{}/v1/secret/data/x", stage.server.origin()));
        stage.install(&ask).succeeds();
        stage.add(&ask).succeeds();
        let refused = stage.attack("request");
        refused.exits(5).stderr_has(sentence).stderr_has(&format!("env:{CANARY_VARIABLE}")).stderr_has("hint");
        assert_eq!(tokens(&stage), [""; 0]);
    }
}
