//! `forge init`: a first `forge.toml` that can be read at once, offers what is there, and overwrites nothing.

use forge_tests::world::World;

use super::get;

fn written(world: &World) -> String {
    std::fs::read_to_string(world.path("work/forge.toml")).unwrap()
}

#[test]
fn the_first_file_means_nothing_until_it_is_edited() {
    let world = World::new();
    world.forge(["init"]).succeeds().stdout_is("").stderr_has("`forge allow`");
    assert!(!world.path("work/.gitignore").exists());
    // It parses, and says nothing yet.
    let shown = world.forge(["--json", "allow", "--print"]).json();
    assert_eq!(shown["meaning"], serde_json::json!({}));
    get(&world, "a").exits(3);
    world.forge(["init"]).exits(9).stderr_has("not overwritten");
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let world = World::new();
    let target = world.path("target");
    std::os::unix::fs::symlink(&target, world.path("work/forge.toml")).unwrap();
    world.forge(["init"]).exits(9);
    assert!(!target.exists());
    // The same for what would be added to a list of ignored files.
    std::fs::remove_file(world.path("work/forge.toml")).unwrap();
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, world.path("work/.gitignore")).unwrap();
    world.forge(["init"]).succeeds().stderr_has("warning: can't add `forge.local.toml`");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn what_the_environment_suggests_is_offered_and_not_used() {
    let world = World::new().with("VAULT_ADDR", "https://vault.example:8200");
    world.forge(["init"]).succeeds().stderr_has("`VAULT_ADDR` is set");
    assert!(written(&world).contains("# settings.address = \"https://vault.example:8200\"   # from `VAULT_ADDR`"));
    let shown = world.forge(["--json", "allow", "--print"]).json();
    assert_eq!(shown["meaning"], serde_json::json!({}));
    // With a login in it, it is a secret, and a committed file is no place for it.
    let world = World::new().with("VAULT_ADDR", "https://root:hunter2@vault.example");
    world.forge(["init"]).succeeds().never_shows("hunter2");
    assert!(!written(&world).contains("hunter2"));
}

#[test]
fn a_template_is_minimal_or_a_built_in_plugin() {
    let world = World::new().with("VAULT_ADDR", "http://127.0.0.1:1");
    world.forge(["init", "--template", "vault"]).succeeds();
    let shown = world.forge(["--json", "allow", "--print"]).json();
    let expected = serde_json::json!({
        "plugin": "vault", "settings": { "address": "http://127.0.0.1:1" }, "credential": "vault-token",
    });
    assert_eq!(shown["meaning"]["providers"]["vault"], expected);
    let world = World::new().with("VAULT_ADDR", "http://127.0.0.1:1");
    world.forge(["init", "--template", "nothing"]).exits(3).stderr_has("`minimal`").stderr_has("`vault`");
    assert!(!world.path("work/forge.toml").exists());
    world.forge(["init", "--template", "minimal"]).succeeds();
    assert!(!written(&world).contains("vault"));
}

#[test]
fn the_local_file_is_ignored_where_there_is_git() {
    let world = World::new();
    std::fs::create_dir(world.path("work/.git")).unwrap();
    std::fs::write(world.path("work/.gitignore"), "/target").unwrap();
    world.forge(["init"]).succeeds().stderr_has("added `forge.local.toml` to `.gitignore`");
    assert_eq!(std::fs::read_to_string(world.path("work/.gitignore")).unwrap(), "/target\nforge.local.toml\n");
    std::fs::remove_file(world.path("work/forge.toml")).unwrap();
    assert_eq!(world.forge(["--json", "init"]).json()["ignored"], false);
    assert_eq!(std::fs::read_to_string(world.path("work/.gitignore")).unwrap(), "/target\nforge.local.toml\n");
}
