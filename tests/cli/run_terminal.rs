//! `forge run` in front of a terminal: programs that fill it, its size, its keys and its modes, and which output is masked.

use forge_tests::terminal::Terminal;
use forge_tests::world::World;

use super::run::eventually;
use super::set;

/// A world with a secret that makes the variable `DB`.
fn world() -> World {
    let world = World::new();
    set(&world, "app/db", "correct horse").succeeds();
    world
}

/// Writes a Python program that `python3 NAME` starts.
fn python(world: &World, name: &str, text: &str) {
    std::fs::write(world.path("work").join(name), text).unwrap();
}

const RUN: &str = "forge run --from 'app/**' --";

#[test]
fn a_program_has_a_terminal_of_the_same_size_and_its_lines_are_masked() {
    let world = world();
    let script = "import os,sys\nprint([os.isatty(n) for n in (0,1,2)], os.get_terminal_size(), os.ttyname(0)==os.ttyname(2))\nprint('out', os.environ['DB'])\nprint('err', os.environ['DB'], file=sys.stderr)\nprint(open('/dev/tty').isatty())";
    python(&world, "a.py", script);
    let line = format!("stty rows 33 cols 99; {RUN} python3 a.py; echo ended $?");
    let (screen, _) = Terminal::shell(&world, &line).ends();
    let size = "[True, True, True] os.terminal_size(columns=99, lines=33) True\r\n";
    assert_eq!(screen, format!("{size}out ***\r\nerr ***\r\nTrue\r\nended 0\r\n"));
    // The same without the guard.
    let line = "forge run --no-masking --from 'app/**' -- python3 a.py";
    assert!(Terminal::shell(&world, line).ends().0.contains("out correct horse\r\nerr correct horse\r\n"));
}

const SCREEN: &str = "import curses,os
def main(screen):
    curses.start_color()
    curses.init_pair(1, curses.COLOR_RED, curses.COLOR_BLACK)
    while True:
        screen.erase()
        screen.addstr(1, 1, 'size %d %d' % screen.getmaxyx())
        screen.addstr(2, 1, 'red ' + os.environ['DB'], curses.color_pair(1))
        screen.addstr(3, 1, 'end.')
        screen.refresh()
        key = screen.getch()
        if key == ord('q'): return
        if key == curses.KEY_UP: screen.addstr(4, 1, 'up.'); screen.refresh(); screen.getch()
curses.wrapper(main)
print('left')
";

#[test]
fn a_full_screen_program_has_its_keys_its_colours_and_each_new_size() {
    let world = world();
    python(&world, "screen.py", SCREEN);
    let resize = "(while ! test -e resize; do sleep 0.05; done; stty rows 41 cols 101 < /dev/tty) &";
    let line =
        format!("stty rows 30 cols 90; {resize} {RUN} python3 screen.py; stty -a | grep -o ' icanon'; echo ended $?");
    let mut terminal = Terminal::shell(&world, &line);
    let drawn = terminal.sees("end.");
    assert!(drawn.contains("size 30 90"), "{drawn:?}");
    // The other screen, and red.
    assert!(drawn.contains("\u{1b}[?1049h") && drawn.contains("\u{1b}[31m"), "{drawn:?}");
    assert!(drawn.contains("***") && !drawn.contains("correct"), "{drawn:?}");
    std::fs::write(world.path("work/resize"), "").unwrap();
    terminal.sees("41 101");
    // An arrow is three bytes that belong together.
    terminal.presses("\u{1b}OA");
    terminal.sees("up.");
    terminal.presses("xq");
    let (rest, _) = terminal.ends();
    assert!(rest.contains("left\r\n icanon\r\nended 0\r\n"), "{rest:?}");
}

#[test]
fn a_pager_pages() {
    let world = world();
    let lines: String = (0..200).map(|number| format!("line {number} correct horse\n")).collect();
    std::fs::write(world.path("work/long"), lines).unwrap();
    let mut terminal = Terminal::shell(&world, &format!("stty rows 20 cols 80; {RUN} less long; echo ended $?"));
    let first = terminal.sees("line 10 ");
    assert!(first.contains("line 9 ***") && !first.contains("correct"), "{first:?}");
    terminal.presses("G");
    terminal.sees("line 199 ***");
    terminal.presses("q");
    assert!(terminal.ends().0.ends_with("ended 0\r\n"));
}

#[test]
fn a_letter_that_begins_a_value_is_seen_when_it_is_typed() {
    let world = world();
    let mut terminal =
        Terminal::shell(&world, &format!("stty echo; {RUN} sh -c 'echo ready; read line; echo \"got $line\"'"));
    terminal.sees("ready");
    for key in ["c", "o"] {
        terminal.presses(key);
        terminal.sees(key);
    }
    terminal.presses("w\r");
    let (rest, code) = terminal.ends();
    assert_eq!((rest.as_str(), code), ("w\r\ngot cow\r\n", 0));
}

#[test]
fn standard_output_may_be_a_pipe_and_standard_error_the_terminal() {
    let world = world();
    let script = "test -t 1 || echo piped $DB; test -t 2 && echo seen $DB >&2";
    let (screen, _) = Terminal::shell(&world, &format!("{RUN} sh -c '{script}' | cat > out; echo ended")).ends();
    assert_eq!(screen, "seen ***\r\nended\r\n");
    assert_eq!(std::fs::read_to_string(world.path("work/out")).unwrap(), "piped ***\n");
    let script = "test -t 2 || echo piped $DB >&2; test -t 1 && echo seen $DB";
    let (screen, _) = Terminal::shell(&world, &format!("{RUN} sh -c '{script}' 2> out; echo ended")).ends();
    assert_eq!(screen, "seen ***\r\nended\r\n");
    assert_eq!(std::fs::read_to_string(world.path("work/out")).unwrap(), "piped ***\n");
    // Where its input is a pipe, the program still finds whoever sits there.
    let script = "cat; read word < /dev/tty; echo \"read $word\"";
    let mut terminal = Terminal::shell(&world, &format!("echo piped | {RUN} sh -c '{script}'"));
    terminal.sees("piped");
    terminal.types("typed");
    assert_eq!(terminal.ends(), ("\r\nread typed\r\n".to_owned(), 0));
}

const COUNTING: &str = "import signal,sys,time
count = 0
def got(*_):
    global count
    count += 1
    print('got', count, flush=True)
signal.signal(signal.SIGINT, got)
print('ready', file=sys.stderr, flush=True)
while count < 1: time.sleep(0.01)
time.sleep(1)
print('counted', count, file=sys.stderr, flush=True)
";

#[test]
fn control_c_reaches_the_program_once() {
    let world = world();
    python(&world, "count.py", COUNTING);
    // With a session of its own, and in the group of forge.
    for more in ["", " > out"] {
        let line = format!("trap '' INT; {RUN} python3 count.py{more}; echo ended $?");
        // The shell ignores it, and would hand that on.
        let line = line.replace("forge run", "env --default-signal=INT forge run");
        let mut terminal = Terminal::shell(&world, &line);
        terminal.sees("ready");
        terminal.presses_control('c');
        terminal.sees("counted 1");
        assert!(terminal.ends().0.ends_with("ended 0\r\n"));
    }
    // Nobody told the program when forge alone got it.
    let line = format!("{RUN} sh -c 'trap \"echo got; exit 5\" INT; kill -INT $PPID; while :; do sleep 0.05; done'");
    assert_eq!(Terminal::shell(&world, &line).ends(), ("got\r\n".to_owned(), 5));
}

#[test]
fn a_program_at_the_head_of_a_session_has_no_file_of_forge_s_open_and_leads_it() {
    let world = world();
    let script = "import os\nopen_ = [n for n in range(3, 10) if os.path.exists(f'/proc/self/fd/{n}')]\nprint(open_, os.getsid(0) == os.getpid() == os.tcgetpgrp(0), os.environ.get('DB') is not None)\nprint(open('/proc/self/cmdline').read().split(chr(0)))";
    python(&world, "open.py", script);
    let close: String = (3..10).map(|number| format!("exec {number}>&-; ")).collect();
    let (screen, _) = Terminal::shell(&world, &format!("{close} {RUN} /usr/bin/env python3 open.py a 'b c'")).ends();
    assert!(screen.starts_with("[] True True\r\n"), "{screen}");
    assert!(screen.ends_with("'open.py', 'a', 'b c', '']\r\n"), "{screen}");
    for (word, code) in [("no-such-program", 127), ("/etc/passwd", 126)] {
        let (screen, _) = Terminal::shell(&world, &format!("{RUN} {word}; echo ended $?")).ends();
        assert!(screen.contains("can't run `"), "{screen}");
        assert!(screen.ends_with(&format!("ended {code}\r\n")), "{screen}");
    }
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let world = world();
    for (script, code) in
        [("exit 3", 3), ("kill -TERM $PPID; sleep 60", 143), ("kill -KILL $$", 137), ("stty raw -echo", 0)]
    {
        let line = format!(
            "stty -g > before; {RUN} sh -c '{script}'; echo ended $?; stty -g > after; cmp before after && echo same"
        );
        let (screen, _) = Terminal::shell(&world, &line).ends();
        assert_eq!(screen, format!("ended {code}\r\nsame\r\n"), "{script}");
    }
    // It was not as it was in between.
    let line = format!(
        "stty -g > before; {RUN} sh -c 'stty -g < \"$0\" > between' \"$(tty)\"; cmp -s before between || echo raw"
    );
    assert_eq!(Terminal::shell(&world, &line).ends().0, "raw\r\n");
}

#[test]
fn a_job_in_the_background_leaves_the_terminal_alone() {
    let world = world();
    let line = format!(
        "bash -c \"set -m; stty -g > before; {RUN} sh -c 'echo \\$DB; sleep 0.3' & wait; stty -g > after; cmp before after && echo same\""
    );
    let (screen, code) = Terminal::shell(&world, &line).ends();
    assert!(screen.contains("***\r\n") && screen.ends_with("same\r\n") && code == 0, "{screen:?}");
}

#[test]
fn a_program_is_stopped_and_goes_on_with_forge() {
    let world = world();
    let mut terminal = Terminal::shell(&world, "PS1='prompt> ' exec bash --norc --noprofile -i");
    terminal.sees("prompt> ");
    terminal.types(&format!("{RUN} sh -c 'echo begun; while read line; do echo \"got $line\"; done'"));
    terminal.sees("begun\r\n");
    for word in ["one", "two"] {
        terminal.presses_control('z');
        terminal.sees("Stopped");
        terminal.sees("prompt> ");
        // The shell reads lines again.
        terminal.types(&format!("echo between $((40+2)) {word}"));
        terminal.sees(&format!("between 42 {word}"));
        terminal.types("fg");
        terminal.types(word);
        terminal.sees(&format!("got {word}"));
    }
    terminal.presses_control('d');
    terminal.sees("prompt> ");
    terminal.types("echo ended $((40+3))");
    terminal.sees("ended 43");
    terminal.types("exit");
    terminal.ends();
}

#[test]
fn a_terminal_that_is_closed_tells_the_program() {
    let world = world().with("PATH", "/usr/bin:/bin");
    let script = "trap 'echo got > told; exit 0' HUP; echo ready; while :; do sleep 0.05; done";
    let mut terminal = Terminal::start(&world, ["run", "--from", "app/**", "--", "sh", "-c", script]);
    terminal.sees("ready");
    terminal.closes();
    eventually("the program is told", || world.path("work/told").exists());
}
