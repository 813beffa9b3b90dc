//! Files and folders of a hostile project: what forge finds and reads, and what a plugin is lent.

use std::os::unix::fs::symlink;

use forge_tests::world::World;

use super::{STORE, project, refused, write};

#[test]
fn a_file_above_the_repository_or_the_home_directory_is_not_found() {
    let world = project("");
    std::fs::remove_file(world.path("work/forge.toml")).unwrap();
    std::fs::create_dir_all(world.path("work/repository/below")).unwrap();
    write(&world, STORE);
    let read = |folder: &str| world.command(["secret", "get", "mine"]).within(folder).run();
    read("work/repository/below").exits(8);
    std::fs::create_dir(world.path("work/repository/.git")).unwrap();
    read("work/repository/below").succeeds().stdout_is("mine");
    read("work/repository").succeeds();
    read("work").exits(8);
    std::fs::write(world.path("forge.toml"), STORE).unwrap();
    std::fs::create_dir(world.path("home/below")).unwrap();
    read("home/below").succeeds();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    read("elsewhere").exits(8);
}

#[test]
fn a_file_that_is_no_small_regular_file_of_ours_is_refused_or_passed_over() {
    let world = project(STORE);
    refused(&world, 8, "is not allowed yet");
    let file = world.path("work/forge.toml");
    let fresh = || {
        if file.is_dir() { std::fs::remove_dir(&file).unwrap() } else { std::fs::remove_file(&file).unwrap() }
    };
    fresh();
    std::fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    refused(&world, 2, "longer than");
    fresh();
    std::fs::write(world.path("honest.toml"), STORE).unwrap();
    symlink(world.path("honest.toml"), &file).unwrap();
    refused(&world, 2, "it is a link");
    world.forge(["allow", "--yes"]).exits(2);
    fresh();
    std::fs::create_dir(&file).unwrap();
    refused(&world, 2, "no regular file");
    fresh();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    refused(&world, 2, "no regular file");
    fresh();
    // Only root can give a file away; where the tests run as somebody else, core's own test of the rule is left.
    write(&world, STORE);
    if std::os::unix::fs::chown(&file, Some(4_242), None).is_ok() {
        world.forge(["secret", "get", "mine"]).succeeds().stdout_is("mine");
        world.forge(["allow", "--yes"]).exits(3);
    }
}

#[test]
fn a_directory_of_a_project_is_below_its_folder() {
    let world = project(STORE);
    std::fs::create_dir_all(world.home().join(".ssh")).unwrap();
    std::fs::create_dir_all(world.path("work/.git/hooks")).unwrap();
    symlink(world.home().join(".ssh"), world.path("work/keys")).unwrap();
    symlink(".git", world.path("work/linked")).unwrap();
    let ssh = world.home().join(".ssh").display().to_string();
    let data = world.data().display().to_string();
    for path in [
        "~/.ssh",
        "../home/.ssh",
        "x/../../home/.ssh",
        &ssh,
        &data,
        "keys",
        "keys/below",
        ".git/hooks",
        "linked",
        ".",
        "",
    ] {
        write(&world, &STORE.replace("\"secrets\"", &format!("\"{path}\"")));
        world.forge(["allow", "--yes"]).exits(8).stderr_has("setting `path`").stderr_has("forge.toml");
        refused(&world, 8, "is not allowed yet");
    }
    // A link that stays inside is one that a project may have, until it leads elsewhere.
    std::fs::create_dir(world.path("work/inside")).unwrap();
    symlink("inside", world.path("work/link")).unwrap();
    write(&world, &STORE.replace("\"secrets\"", "\"link\""));
    world.forge(["allow", "--yes"]).succeeds();
    world.command(["secret", "set", "a"]).input("inside").run().succeeds();
    world.forge(["secret", "get", "a"]).succeeds().stdout_is("inside");
    for target in [ssh.as_str(), ".git", "/nowhere"] {
        std::fs::remove_file(world.path("work/link")).unwrap();
        symlink(target, world.path("work/link")).unwrap();
        refused(&world, 8, "folder");
        world.command(["secret", "set", "a"]).input("outside").run().exits(8);
        assert_eq!(std::fs::read_dir(world.home().join(".ssh")).unwrap().count(), 0);
    }
}

#[test]
fn forges_own_files_are_no_directory_of_a_project() {
    let world = World::new();
    std::fs::write(world.home().join("forge.toml"), STORE.replace("secrets", "stores")).unwrap();
    let run = |arguments: [&str; 2]| world.command(arguments).within("home").run();
    run(["allow", "--yes"]).succeeds();
    for path in [".local/share/forge", ".local/share", ".config/forge/x", ".cache/forge"] {
        std::fs::write(world.home().join("forge.toml"), STORE.replace("secrets", path)).unwrap();
        run(["allow", "--yes"]).exits(8).stderr_has("forge's own files");
    }
}
