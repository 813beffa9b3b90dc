//! Every question at a terminal: what is asked, what each answer does, and that a hidden answer stays hidden.

use forge_tests::component;
use forge_tests::servers::identity::Authority;
use forge_tests::servers::openbao::{OpenBao, ROOT};
use forge_tests::terminal::Terminal;
use forge_tests::world::{World, files};

use super::{get, root_world, set};

const SIGINT: i32 = 130;

#[test]
fn a_value_is_typed_unseen_and_its_target_is_shown_first() {
    let world = World::new();
    let mut terminal = Terminal::start(&world, ["secret", "set", "app/db"]);
    let before = terminal.sees("value: ");
    assert!(before.contains("writing `store://local/app/db`"), "{before}");
    terminal.types("typed-unseen");
    let (screen, code) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("typed-unseen"), "{screen}");
    get(&world, "app/db").stdout_is("typed-unseen");
}

#[test]
fn a_question_that_is_broken_off_changes_nothing() {
    let world = World::new();
    set(&world, "app/db", "before").succeeds();
    // Ctrl-C, and Ctrl-D, which is the end of what is typed.
    for (key, ends) in [('c', SIGINT), ('d', 2)] {
        let mut terminal = Terminal::start(&world, ["secret", "set", "app/db"]);
        terminal.sees("value: ");
        terminal.presses_control(key);
        let (screen, code) = terminal.ends();
        assert_eq!(code, ends, "{screen}");
        get(&world, "app/db").stdout_is("before");
    }
}

#[test]
fn a_terminal_that_is_closed_in_a_question_ends_the_program_and_changes_nothing() {
    let world = World::new();
    set(&world, "app/db", "before").succeeds();
    for arguments in [["secret", "set", "app/db"], ["secret", "delete", "app/db"]] {
        let mut terminal = Terminal::start(&world, arguments);
        terminal.sees(if arguments[1] == "set" { "value: " } else { "[y/N] " });
        terminal.closes();
        get(&world, "app/db").stdout_is("before");
    }
}

#[test]
fn only_a_yes_deletes_and_purges() {
    let world = World::new();
    set(&world, "a", "x").succeeds();
    for (command, question) in [("delete", "delete `store://local/a`?"), ("purge", "all its versions for good?")] {
        for answer in ["", "n", "no", "maybe", "yes please"] {
            let mut terminal = Terminal::start(&world, ["secret", command, "a"]);
            terminal.sees(question);
            terminal.types(answer);
            let (screen, code) = terminal.ends();
            assert_eq!(code, 2, "{answer}: {screen}");
            assert!(screen.contains("nobody said yes"), "{screen}");
            get(&world, "a").stdout_is("x");
        }
    }
    let mut terminal = Terminal::start(&world, ["secret", "delete", "a"]);
    terminal.sees("[y/N] ");
    terminal.types("y");
    assert_eq!(terminal.ends().1, 0);
    get(&world, "a").exits(3);
    let mut terminal = Terminal::start(&world, ["secret", "purge", "a"]);
    terminal.sees("[y/N] ");
    terminal.types("yes");
    assert_eq!(terminal.ends().1, 0);
    world.forge(["secret", "recover", "a"]).exits(3);
}

#[test]
fn a_plugin_is_installed_after_its_digest_was_seen() {
    let world = World::new();
    let attacker = component::attacker();
    let file = world.file("attacker.wasm", &attacker);
    let install = |answer: &str| {
        let mut terminal = Terminal::start(&world, ["plugin", "install", &file]);
        let shown = terminal.sees("install it? [y/N] ");
        let digest = shown.find(&component::sha256(&attacker)).unwrap();
        // What the file says of itself comes behind what is known of it.
        assert!(digest < shown.find("An attacker").unwrap(), "{shown}");
        terminal.types(answer);
        terminal.ends().1
    };
    assert_eq!(install("n"), 8);
    assert!(!world.forge(["plugin", "list"]).text().contains("attacker"));
    assert_eq!(install("y"), 0);
    world.forge(["plugin", "list"]).stdout_has("attacker");
}

#[test]
fn a_provider_is_asked_for_its_credential_unseen_and_for_its_grant() {
    let server = OpenBao::start();
    let world = root_world();
    let address = format!("address={}", server.address());
    let arguments =
        ["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--credential", "vault-token,token=prompt"];
    let mut terminal = Terminal::start(&world, arguments);
    terminal.sees("token for `bao`: ");
    terminal.types(ROOT);
    let asked = terminal.sees("[y/N] ");
    assert!(asked.contains("may write") && asked.contains("sent to"), "{asked}");
    terminal.types("y");
    let (screen, code) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(ROOT) && !asked.contains(ROOT));
    set(&world, "store://bao/a", "x").succeeds();
    let mut terminal = Terminal::start(&world, ["provider", "remove", "bao"]);
    terminal.sees("remove `bao` and its grant?");
    terminal.types("y");
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn a_required_setting_is_asked_for_with_its_kind_until_the_answer_is_one() {
    let server = OpenBao::start();
    let world = root_world();
    let arguments = ["provider", "add", "bao", "--plugin", "vault", "--credential", "vault-token,token=env:TOKEN"];
    let mut terminal = Terminal::start(&world, arguments);
    terminal.sees("address (origin): ");
    terminal.types("no address at all");
    terminal.sees("must be an origin");
    terminal.sees("address (origin): ");
    terminal.types(server.address());
    terminal.sees("[y/N] ");
    terminal.types("y");
    let (screen, code) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    set(&world, "store://bao/a", "x").succeeds();
    world.forge(["provider", "remove", "bao", "--yes"]).succeeds();
    // What the backend's own tools read is offered, and taken by pressing Enter.
    let world = world.with("VAULT_ADDR", server.address());
    let mut terminal = Terminal::start(&world, arguments);
    terminal.sees(&format!("address (origin) [{}]: ", server.address()));
    terminal.types("");
    terminal.sees("[y/N] ");
    terminal.types("y");
    assert_eq!(terminal.ends().1, 0);
    get(&world, "store://bao/a").stdout_is("x");
    // The very same plugin from a file: its words could name a variable that holds a credential.
    let file = forge_tests::world::root().join("target/plugins/vault.wasm");
    let digest = forge_sandbox::digest(&std::fs::read(&file).unwrap());
    let install = ["plugin", "install", file.to_str().unwrap(), "--as", "other", "--yes", "--sha256", &digest];
    world.forge(install).succeeds();
    let mut terminal = Terminal::start(&world, ["provider", "add", "second", "--plugin", "other"]);
    terminal.sees("address (origin): ");
    terminal.presses_control('c');
    let (screen, _) = terminal.ends();
    assert!(!screen.contains(server.address()), "{screen}");
}

#[test]
fn whoever_answers_wrongly_three_times_or_not_at_all_is_told_what_is_required() {
    let world = root_world();
    let arguments = ["provider", "add", "bao", "--plugin", "vault", "--credential", "vault-token,token=env:TOKEN"];
    let mut terminal = Terminal::start(&world, arguments);
    for _ in 0..3 {
        terminal.sees("address (origin): ");
        terminal.types("not one");
    }
    let (screen, code) = terminal.ends();
    assert!(code == 2 && screen.contains("`address` of `vault` is required"), "{screen}");
    let mut terminal = Terminal::start(&world, arguments);
    terminal.sees("address (origin): ");
    terminal.presses_control('d');
    assert_eq!(terminal.ends().1, 2);
    // Without a terminal all that is missing is told at once, and nothing is asked.
    let manifest = "id = \"two\"\ntitle = \"t\"\nversion = \"1\"\n[[setting]]\nname = \"one\"\nkind = \"origin\"\nrequired = true\n[[setting]]\nname = \"other\"\nkind = \"integer\"\nrequired = true\n[[setting]]\nname = \"more\"\nkind = \"string\"\ndefault = \"x\"\n";
    world.install(&component::pack(&component::attacker(), manifest)).succeeds();
    let told = world.forge(["provider", "add", "p", "--plugin", "two", "--yes"]);
    told.exits(2).stderr_has("the settings `one`, `other` of `two` are required");
    told.stderr_has("--set one=ORIGIN --set other=INTEGER");
    world.forge(["provider", "add", "p", "--plugin", "two", "--set", "other=1"]).exits(2).stderr_has("`one` of `two`");
}

#[test]
fn the_key_of_a_certificate_is_typed_unseen_on_one_line() {
    let world = root_world();
    let authority = Authority::new(&world.path("authority"));
    let server = OpenBao::start_strict(&authority);
    let client = authority.sign("client", false, 4096);
    let key = std::fs::read_to_string(&client.key).unwrap();
    let line: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let address = format!("address={}", server.strict());
    let (ca, certificate) = (authority.certificate(), client.certificate);
    let arguments = [
        "provider",
        "add",
        "bao",
        "--plugin",
        "vault",
        "--set",
        &address,
        "--tls-ca",
        ca.to_str().unwrap(),
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        "prompt",
        "--credential",
        "vault-token,token=env:TOKEN",
    ];
    let mut terminal = Terminal::start(&world, arguments);
    terminal.sees("tls-key for `bao`: ");
    terminal.types(&line);
    let asked = terminal.sees("[y/N] ");
    terminal.types("y");
    let (screen, code) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&line) && !asked.contains(&line));
    set(&world, "store://bao/a", "x").succeeds();
    get(&world, "store://bao/a").succeeds().stdout_is("x");
    world.keeps_nowhere(&line);
}

#[test]
fn an_answer_that_nobody_allowed_leaves_no_file() {
    let server = OpenBao::start();
    let world = World::new();
    let address = format!("address={}", server.address());
    let sealed = || files(&world.data().join("credentials")).len();
    let arguments =
        ["provider", "add", "bao", "--plugin", "vault", "--set", &address, "--credential", "vault-token,token=prompt"];
    let asked = |token: &str| {
        let mut terminal = Terminal::start(&world, arguments);
        terminal.sees("token for `bao`: ");
        terminal.types(token);
        terminal.sees("[y/N] ");
        terminal
    };
    let mut refused = asked(ROOT);
    refused.types("n");
    assert_eq!((refused.ends().1, sealed()), (8, 0));
    let mut broken_off = asked(ROOT);
    broken_off.presses_control('c');
    assert_eq!((broken_off.ends().1, sealed()), (SIGINT, 0));
    // Allowed by the person and refused by the server.
    let mut wrong = asked("s.nobodys-token");
    wrong.types("y");
    assert_eq!((wrong.ends().1, sealed()), (5, 0));
    let mut right = asked(ROOT);
    right.types("y");
    assert_eq!((right.ends().1, sealed()), (0, 1));
    set(&world, "store://bao/a", "x").succeeds();
}

#[test]
fn an_answer_that_was_not_allowed_takes_no_older_ones_place() {
    let server = OpenBao::start();
    let world = World::new();
    let project = format!(
        "[providers.bao]\nplugin = \"vault\"\nsettings = {{ address = \"{}\" }}\ncredential = {{ kind = \"vault-token\" }}\n",
        server.address()
    );
    std::fs::write(world.path("work/forge.toml"), project).unwrap();
    let asked = |token: &str, answer: &str| {
        let mut terminal = Terminal::start(&world, ["allow", "--credential", "bao=vault-token,token=prompt"]);
        terminal.sees("token for `bao`: ");
        terminal.types(token);
        terminal.sees("[y/N] ");
        terminal.types(answer);
        terminal.ends().1
    };
    assert_eq!(asked(ROOT, "y"), 0);
    set(&world, "store://bao/a", "x").succeeds();
    assert_eq!(asked("s.another-and-a-valuable-one", "n"), 8);
    get(&world, "store://bao/a").succeeds().stdout_is("x");
}

#[test]
fn a_project_is_allowed_by_a_yes() {
    let world = World::new();
    std::fs::write(world.path("work/forge.toml"), "[secrets]\nA = \"store://local/a\"\n").unwrap();
    for (answer, code) in [("n", 8), ("y", 0)] {
        let mut terminal = Terminal::start(&world, ["allow"]);
        let shown = terminal.sees("[y/N] ");
        assert!(shown.contains("secrets.A"), "{shown}");
        terminal.types(answer);
        assert_eq!(terminal.ends().1, code);
    }
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let world = World::new();
    set(&world, "a", "x").succeeds();
    let mut terminal = Terminal::start(&world, ["--non-interactive", "secret", "delete", "a"]);
    terminal.sees("nobody said yes");
    assert_eq!(terminal.ends().1, 2);
}

#[test]
fn colours_are_for_terminals_that_have_them() {
    let world = World::new();
    assert!(Terminal::start(&world, ["secret", "get", "missing"]).ends().0.contains("\u{1b}["));
    assert!(!Terminal::start(&world, ["--no-color", "secret", "get", "missing"]).ends().0.contains("\u{1b}["));
    let plain = World::new().with("NO_COLOR", "1");
    let (screen, code) = Terminal::start(&plain, ["secret", "get", "missing"]).ends();
    assert_eq!(code, 3);
    assert!(!screen.contains("\u{1b}["), "{screen}");
    world.forge(["secret", "get", "missing"]).exits(3).stderr_has("error: ");
    // A mistake in the command line itself is told by the library that reads it.
    assert!(Terminal::start(&world, ["secret", "gte"]).ends().0.contains("\u{1b}["));
    assert!(!Terminal::start(&world, ["--no-color", "secret", "gte"]).ends().0.contains("\u{1b}["));
    assert!(!Terminal::start(&plain, ["secret", "gte"]).ends().0.contains("\u{1b}["));
}

#[test]
fn a_value_on_a_terminal_ends_its_line_and_a_binary_one_is_not_shown() {
    let world = World::new();
    set(&world, "text", "one line").succeeds();
    set(&world, "binary", [0x1b, b'[', b'2', b'J']).succeeds();
    let (screen, code) = Terminal::start(&world, ["secret", "get", "text"]).ends();
    assert_eq!((screen.as_str(), code), ("one line\r\n", 0));
    let (screen, code) = Terminal::start(&world, ["secret", "get", "binary"]).ends();
    assert_eq!(code, 2);
    assert!(screen.contains("--raw") && !screen.contains("\u{1b}[2J"), "{screen}");
    assert!(Terminal::start(&world, ["secret", "get", "binary", "--raw"]).ends().0.contains("\u{1b}[2J"));
}
