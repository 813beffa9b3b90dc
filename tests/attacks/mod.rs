//! Attackers against the real program: each attack works with its one guard opened and fails with it closed.

mod bodies;
mod boundary;
mod compile;
mod components;
mod google;
mod memory;
mod nested;
mod network;
mod oauth;
mod paths;
mod projects;
mod resources;
mod reuse;
mod servers;
mod signed;
mod store;
mod surroundings;
mod tokens;
mod vaults;

use forge_tests::component::{attacker, pack, sha256};
use forge_tests::outcome::Outcome;
use forge_tests::servers::behaviour::LOOT;
use forge_tests::servers::hostile::Hostile;
use forge_tests::world::World;

/// The credential of every attacked provider; it is looked for wherever it does not belong.
const CANARY: &str = "canary-9vX2qLm4Rt7K+w\"Z1s=";
/// Its beginning, which looks the same in every encoding of texts.
const TRACE: &str = "canary-9vX2qLm4Rt7K";

/// What an attacker asks for in its manifest, and what the user grants it.
#[derive(Clone)]
struct Ask {
    routes: String,
    limits: String,
    batch: String,
    credential: String,
    settings: Vec<(String, String)>,
    audience: Vec<String>,
    arguments: Vec<String>,
}

impl Ask {
    /// Reads below one mount of one origin, with the canary in a header: what an honest plugin asks for.
    fn new() -> Self {
        let ask = Self {
            routes: String::new(),
            limits: String::new(),
            batch: String::new(),
            credential: format!("header,name=x-canary,value=env:{CANARY_VARIABLE}"),
            settings: Vec::new(),
            audience: Vec::new(),
            arguments: Vec::new(),
        };
        ask.route("read", "GET", "{origin}/v1/secret/data/**", "")
    }

    /// One more route; `more` are further lines of it.
    fn route(mut self, ability: &str, method: &str, url: &str, more: &str) -> Self {
        let route = format!("[[route]]\nability = \"{ability}\"\nmethods = [\"{method}\"]\nurl = \"{url}\"\n{more}\n");
        self.routes.push_str(&route);
        self
    }

    /// The first route with further lines, such as permitted headers.
    fn with(mut self, more: &str) -> Self {
        self.routes.push_str(more);
        self.routes.push('\n');
        self
    }

    /// A second origin, with a route that reads from it.
    fn and_from(mut self, origin: &str) -> Self {
        self.settings.push(("other".to_owned(), origin.to_owned()));
        self.audience.push(origin.to_owned());
        self.route("read", "GET", "{other}/v1/**", "")
    }

    /// A line of `[limits]`.
    fn limit(mut self, line: &str) -> Self {
        self.limits.push_str(line);
        self.limits.push('\n');
        self
    }

    /// How many secrets it reads at once.
    fn batch(mut self, most: u32) -> Self {
        self.batch = format!("[batch]\nmax = {most}\n");
        self
    }

    /// Another credential, or `none`.
    fn credential(mut self, credential: &str) -> Self {
        credential.clone_into(&mut self.credential);
        self
    }

    /// What the attack is aimed at.
    fn target(self, target: &str) -> Self {
        self.set("target", target)
    }

    /// A setting.
    fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A further argument of `provider add`.
    fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The manifest that asks for all this.
    fn manifest(&self) -> String {
        let kind = self.credential.split(',').next().unwrap();
        let credential = if kind == "none" { String::new() } else { format!("[credential]\nkind = \"{kind}\"\n") };
        let limits = if self.limits.is_empty() { String::new() } else { format!("[limits]\n{}", self.limits) };
        format!("{HEAD}\n{credential}\n{limits}\n{}\n{}", self.batch, self.routes)
    }
}

/// The variable that holds the canary.
const CANARY_VARIABLE: &str = "CANARY";

/// What every attacker's manifest begins with: all that it imports is asked for, since the linker is the grant.
const HEAD: &str = r#"
id = "attacker"
title = "An attacker"
version = "0.1.0"
publisher = "nobody"

[[setting]]
name = "origin"
kind = "origin"
required = true

[[setting]]
name = "other"
kind = "origin"

[[setting]]
name = "target"
kind = "string"

[[setting]]
name = "path"
kind = "directory"
required = true

[[setting]]
name = "names"
kind = "name-pattern"
default = "ATTACKER_*"

[[directory]]
setting = "path"
mode = "read-write"

[[environment]]
setting = "names"
"#;

/// A world with a server and the provider `evil`, whose plugin is the attacker.
struct Stage {
    world: World,
    server: Hostile,
}

impl Stage {
    /// The attacker installed and granted what it asks for.
    #[track_caller]
    fn new(ask: &Ask) -> Self {
        let stage = Self::empty();
        stage.install(ask).succeeds();
        stage.add(ask).succeeds();
        stage
    }

    /// A world with a server and nothing installed.
    fn empty() -> Self {
        let world = World::new().with(CANARY_VARIABLE, CANARY);
        std::fs::create_dir(world.path("granted")).unwrap();
        Self { world, server: Hostile::start() }
    }

    fn install(&self, ask: &Ask) -> Outcome {
        self.world.install(&pack(&attacker(), &ask.manifest()))
    }

    fn add(&self, ask: &Ask) -> Outcome {
        self.add_at(ask, &self.server.origin())
    }

    fn add_at(&self, ask: &Ask, origin: &str) -> Outcome {
        let granted = self.world.path("granted");
        let mut run = self.world.command(["provider", "add", "evil", "--plugin", "attacker", "--yes"]);
        run = run.and(["--set", &format!("origin={origin}"), "--set", &format!("path={}", granted.display())]);
        for (name, value) in &ask.settings {
            run = run.and(["--set", &format!("{name}={value}")]);
        }
        run = run.and(["--credential", &ask.credential]);
        if !ask.audience.is_empty() {
            run = run.and(["--credential-audience", origin]);
        }
        for origin in &ask.audience {
            run = run.and(["--credential-audience", origin]);
        }
        for argument in &ask.arguments {
            run = run.and([argument]);
        }
        run.run()
    }

    /// Reads a path of the attacker, which is an attack, and looks that the credential is nowhere afterwards.
    #[track_caller]
    fn attack(&self, attack: &str) -> Outcome {
        let outcome = self.world.forge(["-v", "secret", "get", &format!("store://evil/{attack}")]);
        outcome.never_shows(TRACE);
        self.world.keeps_nowhere(TRACE);
        outcome
    }

    /// Writes a path of the attacker: the same, from a call that may use routes for writing.
    #[track_caller]
    fn attack_in_write(&self, attack: &str) -> Outcome {
        let outcome = self.world.command(["-v", "secret", "set", &format!("store://evil/{attack}")]).input("x").run();
        outcome.never_shows(TRACE);
        self.world.keeps_nowhere(TRACE);
        outcome
    }

    /// Expects that the attack fails with this code and sentence, and that the provider serves the next call.
    #[track_caller]
    fn stops(&self, attack: &str, code: i32, sentence: &str) -> Outcome {
        let outcome = self.attack(attack);
        outcome.exits(code).stdout_is("").stderr_has(sentence);
        self.still_serves();
        outcome
    }

    /// Expects that the attack works: the guard is open.
    #[track_caller]
    fn lets(&self, attack: &str, loot: &str) {
        self.attack(attack).succeeds().stdout_is(loot);
    }

    /// Expects that the provider serves an honest call.
    #[track_caller]
    fn still_serves(&self) {
        self.world.forge(["secret", "get", "store://evil/harmless"]).succeeds().stdout_is(LOOT);
        // What was read is no more to be found than the credential is.
        self.world.keeps_nowhere(LOOT);
    }
}

/// The digest that the attacker has with this manifest.
fn digest(ask: &Ask) -> String {
    sha256(&pack(&attacker(), &ask.manifest()))
}
