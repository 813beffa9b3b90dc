//! What a guest hands to the host and takes from it: too many, too long, without an end, or meant for a terminal.

use forge_tests::outcome::Outcome;

use super::{Ask, Stage};

/// An attacker with memory enough to make what is too large.
fn stage() -> Stage {
    Stage::new(&Ask::new().limit("memory = \"256 MiB\"\ncpu-ms = 30000"))
}

impl Stage {
    /// A command of `forge secret` on a path of the attacker.
    fn secret(&self, command: &str, path: &str) -> Outcome {
        self.world.forge(["secret", command, &format!("store://evil/{path}")])
    }

    /// Expects that the command is given up in these words, and that the provider serves the next call.
    #[track_caller]
    fn gives_up(&self, command: &str, path: &str, sentence: &str) {
        self.secret(command, path).exits(7).stderr_has(sentence);
        self.still_serves();
    }
}

#[test]
fn a_description_with_ten_thousand_tags_is_refused() {
    let stage = stage();
    stage.secret("describe", "many-tags/256").succeeds().stdout_has("tag-255");
    stage.gives_up("describe", "many-tags/257", "attributes over its limit");
    stage.gives_up("describe", "many-tags/10000", "attributes over its limit");
    stage.lets("many-tags/256", "tagged");
    stage.stops("many-tags/10000", 7, "attributes over its limit");
}

#[test]
fn a_text_beside_a_value_has_a_length() {
    let stage = stage();
    stage.lets("long-text/8", "typed");
    stage.stops("long-text/9", 7, "over its limit");
    stage.stops("long-text/10000", 7, "over its limit");
}

#[test]
fn words_of_a_failure_are_cut_and_can_not_write_on_the_screen() {
    let stage = stage();
    for mebibytes in ["0", "20", "100"] {
        let outcome = stage.attack(&format!("huge-message/{mebibytes}"));
        assert!(matches!(outcome.code, Some(6 | 7)), "{:?}", outcome.code);
        assert!(outcome.stderr.len() < 4 << 10, "{} bytes of a guest's words", outcome.stderr.len());
        assert!(!outcome.stderr.contains('\u{1b}'), "an escape code of the guest reached the terminal");
        assert!(!outcome.stderr.lines().any(|line| line.starts_with("forged")), "the guest wrote a line of its own");
    }
    stage.still_serves();
}

#[test]
fn a_name_that_fills_the_hosts_memory_is_not_taken() {
    let stage = stage();
    stage.lets("huge-name/1", "found: false");
    stage.stops("huge-name/100", 7, "plugin `attacker`");
}

#[test]
fn a_url_and_a_header_have_a_length() {
    let stage = stage();
    stage.attack("huge-url/1").succeeds();
    stage.stops("huge-url/9", 8, "evil");
    let outcome = stage.attack("huge-url/100000");
    assert!(matches!(outcome.code, Some(7 | 8)), "{outcome:?}");
    stage.attack("huge-header/0").succeeds();
    let received = stage.server.received().len();
    stage.stops("huge-header/1", 8, "`accept`");
    assert_eq!(stage.server.received().len(), received + 1, "only the honest call that followed went out");
}

#[test]
fn a_header_stands_once() {
    let stage = stage();
    stage.attack("many-headers/1").succeeds();
    let received = stage.server.received().len();
    stage.stops("many-headers/2", 8, "`accept`");
    let outcome = stage.attack("many-headers/100000");
    assert!(matches!(outcome.code, Some(7 | 8)), "{outcome:?}");
    assert_eq!(stage.server.received().len(), received + 1, "only the honest call that followed went out");
}

#[test]
fn a_flood_of_refused_requests_reaches_nobody_and_fills_no_log() {
    let stage = stage();
    stage.attack("denials/3").succeeds().stdout_is("was refused 3 times");
    let before = stage.world.audit().len();
    let outcome = stage.attack("denials/20000");
    assert!(matches!(outcome.code, Some(0 | 7 | 8)), "{outcome:?}");
    // The first refusals say all that there is to know.
    let records = stage.world.audit().len() - before;
    assert!(records < 300, "{records} records of one call");
    assert_eq!(stage.server.received().len(), 0);
    stage.still_serves();
}

#[test]
fn files_of_one_call_are_counted() {
    let stage = stage();
    let write = |count: u32| {
        let reference = format!("store://evil/many-files/{count}");
        stage.world.command(["secret", "set", &reference]).input("x").run()
    };
    write(20).succeeds();
    write(2_000).exits(7).stderr_has("plugin `attacker`");
    let written = std::fs::read_dir(stage.world.path("granted")).unwrap().count();
    assert!(written <= 1_010, "{written} files were written");
    stage.still_serves();
}

#[test]
fn a_history_without_an_end_is_given_up() {
    stage().gives_up("versions", "endless-versions", "does not end");
}

#[test]
fn cursors_that_lead_in_a_circle_are_given_up() {
    let stage = stage();
    stage.gives_up("list", "circling", "does not end");
    stage.gives_up("versions", "circling", "does not end");
}

#[test]
fn a_page_has_a_size_whatever_the_guest_says() {
    let stage = stage();
    let names = stage.secret("list", "large-page/10000");
    assert_eq!(names.succeeds().text().lines().count(), 10_000);
    stage.gives_up("list", "large-page/10001", "a page over its limit");
    let versions = stage.secret("versions", "large-page/10000");
    assert_eq!(versions.succeeds().text().lines().count(), 10_000);
    stage.gives_up("versions", "large-page/10001", "a page over its limit");
    for command in ["list", "versions"] {
        let outcome = stage.secret(command, "large-page/500000");
        outcome.exits(7).stdout_is("");
    }
    stage.still_serves();
}

#[test]
fn a_cursor_has_a_length() {
    let stage = stage();
    stage.secret("list", "long-cursor/64").succeeds();
    stage.gives_up("list", "long-cursor/65", "a cursor over its limit");
    stage.secret("versions", "long-cursor/64").exits(3);
    stage.gives_up("versions", "long-cursor/65", "a cursor over its limit");
    stage.gives_up("versions", "long-cursor/10000", "over its limit");
}

#[test]
fn names_versions_and_tags_can_not_write_on_the_screen() {
    let stage = stage();
    for command in ["list", "versions", "describe"] {
        let outcome = stage.secret(command, "escape-codes");
        let shown = outcome.succeeds().text();
        assert!(shown.contains("forged"), "the attack did not run: {outcome:?}");
        let is_sound = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(shown.chars().all(is_sound), "{command}: {shown:?}");
        assert!(
            !shown.lines().any(|line| line.starts_with("forged")),
            "{command} wrote a line of the guest: {shown:?}"
        );
        let json = stage.world.forge(["--json", "secret", command, "store://evil/escape-codes"]);
        json.succeeds().json();
        assert!(!json.text().contains('\u{1b}'), "{json:?}");
    }
}

#[test]
fn a_batch_has_one_answer_for_each_secret_and_no_more_than_the_host_can_hold() {
    let stage = Stage::new(&Ask::new().limit("memory = \"256 MiB\"\ncpu-ms = 30000").batch(20));
    let copy = |way: &str| {
        let copied = stage.world.forge(["--json", "secret", "copy", &format!("store://evil/batch/{way}/**"), way]);
        copied.never_shows("hunter2");
        copied
    };
    let read = |way: &str| stage.world.forge(["secret", "get", &format!("{way}/2")]);
    copy("honest").succeeds();
    read("honest").succeeds().stdout_is("together batch/honest/2");
    // What fails together is asked for alone.
    copy("refused").succeeds();
    read("refused").succeeds().stdout_is("alone refused/2");
    for way in ["few", "none", "more", "flood", "huge", "trap"] {
        let outcome = copy(way);
        let copies = outcome.exits(12).json()["copies"].as_array().unwrap().clone();
        assert_eq!(copies.len(), 3, "{way}");
        assert!(copies.iter().all(|copy| copy["error"] == "plugin-fault"), "{way}: {copies:?}");
        read(way).exits(3);
    }
    stage.still_serves();
}

#[test]
fn what_the_host_refused_to_one_half_of_a_batch_is_not_said_of_the_other() {
    let ask = Ask::new().batch(20);
    for (limits, first) in [("requests = 1", "plugin-fault"), ("requests = 2", "")] {
        let stage = Stage::new(&ask.clone().limit(limits));
        let copied = stage.world.forge(["--json", "secret", "copy", "store://evil/batch/half/**", "half"]);
        let copies = copied.json()["copies"].as_array().unwrap().clone();
        let errors: Vec<&str> = copies.iter().map(|copy| copy["error"].as_str().unwrap_or_default()).collect();
        assert_eq!(errors, [first, "", ""], "{copied:?}");
        let read = |number: u32| stage.world.forge(["secret", "get", &format!("half/{number}")]);
        // What failed for a reason of its own is asked for alone, as ever.
        read(1).succeeds().stdout_is("alone half/1");
        read(2).succeeds().stdout_is("together batch/half/2");
    }
}

#[test]
fn a_plugin_that_does_not_say_how_many_it_reads_at_once_reads_one_by_one() {
    let stage = stage();
    stage.world.forge(["secret", "copy", "store://evil/batch/few/**", "few"]).succeeds();
    stage.world.forge(["secret", "get", "few/2"]).succeeds().stdout_is("alone few/2");
    for most in [0, 1, 101] {
        let stage = Stage::empty();
        stage.install(&Ask::new().batch(most)).exits(2).stderr_has("`[batch]`");
    }
}
