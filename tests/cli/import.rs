//! What comes from files of others: values from a repository's file, names from another tool's project.

use std::os::unix::fs::PermissionsExt as _;

use forge_tests::world::World;

use super::{get, set};

#[test]
fn a_link_in_the_place_of_a_file_of_values_is_refused_and_its_target_named() {
    let world = World::new();
    let private = world.file("private.env", "TOKEN=of another project\n");
    std::os::unix::fs::symlink(&private, world.path("work/.env")).unwrap();
    world.forge(["import", ".env"]).exits(2).stderr_has("it is a link").stderr_has("private.env");
    world.forge(["secret", "list"]).succeeds().stdout_is("");
    // Whoever means that file says so.
    world.forge(["import", &private]).succeeds();
    get(&world, "TOKEN").stdout_is("of another project");
}

#[test]
fn names_that_forge_could_not_read_afterwards_are_not_written() {
    let world = World::new();
    let ours = "# kept\n[secrets]\nA = \"a\"\n";
    std::fs::write(world.path("work/forge.toml"), ours).unwrap();
    std::fs::set_permissions(world.path("work/forge.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let theirs = |name: &str| format!("[project]\nname = \"x\"\n[profiles.default]\n{name} = {{}}\n");
    for name in ["my-key", "\"store://prod/root\"", "\"\""] {
        std::fs::write(world.path("work/secretspec.toml"), theirs(name)).unwrap();
        world.forge(["import", "secretspec.toml"]).exits(2).stderr_has("can't hold these names");
        assert_eq!(std::fs::read_to_string(world.path("work/forge.toml")).unwrap(), ours);
    }
    std::fs::write(world.path("work/secretspec.toml"), theirs("B")).unwrap();
    world.forge(["import", "secretspec.toml", "--to", "store://prod/app"]).succeeds();
    let text = std::fs::read_to_string(world.path("work/forge.toml")).unwrap();
    assert_eq!(text, format!("{ours}B = \"store://prod/app/B\"\n"));
    let mode = std::fs::metadata(world.path("work/forge.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_field_that_is_set_leaves_tags_type_and_expiry_as_they_are() {
    let world = World::new();
    let first = world.command(["secret", "set", "map", "--tag", "env=prod", "--content-type", "application/json"]);
    first.and(["--expires", "90d"]).input("{\"a\":\"1\"}").run().succeeds();
    let shown = |what: &str| {
        let described = world.forge(["--json", "secret", "describe", "map"]).json();
        described["version"][what].as_str().unwrap().to_owned()
    };
    let expiry = shown("expires_at");
    set(&world, "map#b", "2").succeeds();
    assert_eq!((shown("id"), shown("expires_at")), ("2".to_owned(), expiry));
    world.forge(["secret", "describe", "map"]).stdout_has("env = prod");
    get(&world, "map").stdout_is("{\"a\":\"1\",\"b\":\"2\"}");
}
