//! `forge inject`: what other readers find in the files that it fills, what it refuses, and where it writes.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use forge_tests::outcome::Outcome;
use forge_tests::servers::moto::python;
use forge_tests::terminal::Terminal;
use forge_tests::world::{World, root};
use serde_json::json;

use super::{get, set};

/// Values that some reader takes for something else, unless they are written with care; the last are made of such pieces.
fn nasty() -> Vec<String> {
    let pieces = [
        "a", "7", ".", "-", "- ", ":", ": ", " ", "#", " #", "'", "\"", "\\", "\n", "\r", "\r\n", "\t", "${", "}", "{",
        "[", ",", "&", "*", "!", "|", ">", "%", "@", "`", "=", "\u{85}", "\u{2028}", "\u{feff}", "\u{1}", "\u{7f}",
        "é", "🔑", "true", "---",
    ];
    let known = [
        "plain",
        "true",
        "No",
        "null",
        "~",
        "12",
        "1e3",
        "0o17",
        "1:20",
        "2001-01-01",
        "- item",
        "a: b",
        "#c",
        "=",
        "<<",
        "${secret:nasty#0}",
        "$${secret:nasty#0}",
        "-----BEGIN KEY-----\n  abc==\n\n#x\n-----END KEY-----\n",
        "a\nb",
        "\n",
        " ",
        "",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |most: usize| {
        // Xorshift: the same cases each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % most
    };
    let made: Vec<String> =
        (0..400).map(|_| (0..1 + below(6)).map(|_| pieces[below(pieces.len())]).collect()).collect();
    known.into_iter().map(str::to_owned).chain(made).collect()
}

/// A document with each of these values in several places, as `format` writes them.
fn document(format: &str, count: usize) -> String {
    let all = |line: &str, between: &str| {
        let lines: Vec<String> = (0..count)
            .map(|at| line.replace("<>", &format!("${{secret:nasty#{at}}}")).replace("@", &at.to_string()))
            .collect();
        lines.join(between)
    };
    match format {
        "yaml" => [
            "# ${secret:comment}\n---\nescaped: '$${secret:nasty#0} ${OTHER} $${OTHER}'\nnumber: 1.50\n",
            &all("p@: <>  # c\n", ""),
            &all("x@: x<>\n", ""),
            &all("s@: 'it''s <>'\n", ""),
            &all("d@: \"\\x41\n  <> <>\"\n", ""),
            &all("l@: |  # c\n    a\n    <>\n", ""),
            &all("o@: |-\n  <>\n", ""),
            &all("k@: |+\n  <>\n\n", ""),
            &all("f@: >\n    a <>\n    b\n\n    c\n", ""),
            &all("i@: |2\n    <>\n", ""),
            &all("a@: &a@ !!str <>\nb@: *a@\n", ""),
            "---\n",
            &all("- [\"<>\", '<>', {x: \"<>\"}]\n- - <>\n", ""),
        ]
        .concat(),
        "json" => {
            format!("{{ \"n\" : 1.50, \"list\":[\n{}\n] }}\n", all("\"<>\", {\"k\": \"\\u00e9<>\\\\<>\"}", ",\n"))
        }
        "toml" => {
            let lines = all(
                "a@ = \"<>\"  # c\nb@ = '<>'\nc@ = \"\"\"x\\\n  <>\"\"\"\nd@ = '''\n<>'''\ne@.f = [{g = \"<>\"}]\n",
                "",
            );
            format!("# ${{secret:comment}}\nn = 1.50\n[t]\n{lines}")
        }
        "dotenv" => format!("# ${{secret:comment}}\n{}", all("export A@=<>\nB@ = '<>' # c\nC@=\"<>\\n\"\n", "")),
        _ => format!("; ${{secret:comment}}\n[s]\n{}", all("a@ = <>\nb@: x<>y\n    <>\n", "")),
    }
}

#[test]
fn other_readers_find_exactly_each_value_in_its_place_and_nothing_else_changed() {
    let world = World::new();
    let all = nasty();
    for format in ["yaml", "json", "toml", "dotenv", "ini"] {
        let keeps = |value: &&String| {
            let is_edge = |c: char| c.is_whitespace();
            let comments = value.starts_with(['#', ';']) || value.contains(" #") || value.contains("\t#");
            let is_plain = !value.contains(|c: char| c.is_control() && c != '\t') && !value.is_empty();
            format != "ini" || (is_plain && !comments && !value.starts_with(is_edge) && !value.ends_with(is_edge))
        };
        let values: Vec<&String> = all.iter().filter(keeps).collect();
        assert!(values.len() > 100, "{format}: {}", values.len());
        let fields: BTreeMap<String, &String> =
            values.iter().enumerate().map(|(at, value)| (at.to_string(), *value)).collect();
        set(&world, "nasty", json!(fields).to_string()).succeeds();
        let before = world.file(&format!("before.{format}"), document(format, values.len()));
        let after = world.path(&format!("after.{format}"));
        let run = world.command(["inject", "-i", &before, "-o", after.to_str().unwrap(), "--file-format", format]);
        run.run().succeeds();
        let named: BTreeMap<String, &String> =
            values.iter().enumerate().map(|(at, value)| (format!("nasty#{at}"), *value)).collect();
        let named = world.file("values.json", json!(named).to_string());
        let compare = |after: &Path| {
            let script = root().join("tests/cli/inject.py");
            python().arg(script).args([format, &before]).arg(after).arg(&named).output().unwrap()
        };
        // Who only replaces text is found out, so the comparison sees what it is for.
        let mut careless = std::fs::read_to_string(&before).unwrap();
        for (at, value) in values.iter().enumerate() {
            careless = careless.replace(&format!("${{secret:nasty#{at}}}"), value);
        }
        let careless = world.file("careless", careless);
        assert_eq!(compare(Path::new(&careless)).status.success(), format == "ini");
        let compared = compare(&after);
        assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
        let count: usize = String::from_utf8(compared.stdout).unwrap().trim().parse().unwrap();
        assert!(count >= 3 * values.len(), "{format}: {count}");
    }
    let reads = world.audit().iter().filter(|record| record["operation"] == "get").count();
    assert_eq!(reads, 5, "one secret of many fields is read once for each file");
}

#[test]
fn a_file_without_references_comes_out_byte_for_byte() {
    let world = World::new();
    for (name, bytes) in [
        ("a.yaml", &b"\xef\xbb\xbf# c\r\na:   'x'\t# d\r\n\r\n...\r\n---\r\n- &a  ${X}   \r\n- *a"[..]),
        ("a.json", b"\xef\xbb\xbf{ \"a\":\t1.50 ,\r\n \"a\": \"\\u00e9\\/\" }"),
        ("a.toml", b"\xef\xbb\xbfa   = 'x'  # c\r\n[ t ]\r\nb=1_000\r\n\r\n"),
        (".env", b"\xef\xbb\xbf# c\r\nexport A =  'x'   # c\r\nB\r\n\r\nC=$${X} ${Y}"),
        ("a.ini", b"; c\r\n[s]\r\n a =  b\r\n   c\r\n\r\nd:e"),
        ("a.txt", b"\xff\0\r$\r\n$${"),
    ] {
        let file = world.file(name, bytes);
        world.forge(["inject", "-i", &file]).succeeds().stdout_is(bytes);
        // With one reference more, all else is still as it was.
        set(&world, "v", "w").succeeds();
        let text = [bytes, b"\n# "].concat();
        let (text, filled) = match name {
            "a.txt" => ([&text[..], b"${secret:v}"].concat(), [&text[..], b"w"].concat()),
            "a.json" => (
                String::from_utf8(bytes.to_vec()).unwrap().replace("\\/", "\\/${secret:v}").into(),
                String::from_utf8(bytes.to_vec()).unwrap().replace("\\/", "\\/w").into(),
            ),
            _ => (text.clone(), text),
        };
        let file = world.file(name, &text);
        world.forge(["inject", "-i", &file]).succeeds().stdout_is(filled);
    }
    assert!(world.audit().iter().all(|record| record["operation"] != "get" || record["path"] == "v"));
}

#[test]
fn ten_thousand_references_read_each_of_a_thousand_secrets_once() {
    let world = World::new();
    let values: String = (0..1_000).map(|number| format!("S{number}=value-{number}\n")).collect();
    std::fs::write(world.path("work/.env"), values).unwrap();
    world.forge(["import", ".env"]).succeeds();
    let before = world.audit().len();
    let text: String = (0..10_000)
        .map(|line| {
            let name = if line % 2 == 0 { "" } else { "store://local/" };
            format!("- x ${{secret:{name}S{}}}\n", line % 1_000)
        })
        .collect();
    let expected: String = (0..10_000).map(|line| format!("- 'x value-{}'\n", line % 1_000)).collect();
    let file = world.file("many.yaml", &text);
    world.forge(["inject", "-i", &file]).succeeds().stdout_is(&expected);
    assert_eq!(world.audit().len() - before, 1_000);
    let file = world.file("many.yaml", format!("{text}- ${{secret:S0}}\n"));
    world
        .forge(["inject", "-i", &file])
        .exits(2)
        .stderr_has("many.yaml:10001:3: the file has more than 10000 references");
    assert_eq!(world.audit().len() - before, 1_000);
}

/// A world with a secret, and a file that refers to it.
fn filling(text: &str) -> (World, String) {
    let world = World::new();
    set(&world, "app/db", "hunter2").succeeds();
    let file = world.file("app.yaml", text);
    (world, file)
}

#[test]
fn everything_that_is_missing_is_told_at_once_by_its_place_and_nothing_is_written() {
    let (world, file) = filling(
        "a: ${secret:app/db}\nb:\n  - '${secret:no/1} ${secret:no/2}'\nc: é ${secret:no/1}\nd: ${secret:app/db#x}\n",
    );
    let out = world.path("out");
    let expect = |outcome: &Outcome| {
        outcome.never_shows("hunter2").stderr_has(&format!(
            "error: can't fill `{file}`: 3 references have no value\n  {file}:3:6, 4:6: can't read `no/1`: there is no such secret or version\n  {file}:3:21: can't read `no/2`: "
        ));
        assert_eq!(outcome.stdout, b"");
    };
    expect(world.forge(["inject", "-i", &file]).exits(2));
    expect(world.forge(["inject", "-i", &file, "-o", out.to_str().unwrap()]).exits(2));
    expect(world.forge(["inject", "-i", &file, "--in-place", "--yes"]).exits(2));
    assert!(!out.exists());
    assert!(std::fs::read_to_string(&file).unwrap().contains("${secret:app/db}"));
    let file = world.file("app.yaml", "a: ${secret:no/1}\nb: ${secret:app/db}\n");
    world.forge(["inject", "-i", &file]).exits(3).never_shows("hunter2");
    let json = world.forge(["--json", "inject", "-i", &file]).exits(3).error_json();
    assert_eq!(json["error"]["kind"], "not-found");
}

#[test]
fn a_file_that_is_wrong_is_told_by_line_and_column_and_never_shown() {
    let world = World::new();
    for (name, text, told) in [
        (
            "a.yaml",
            "a: 'hunter2'\nb: ${secret:x\nc: ${secret:}\n",
            ":2:4: `${secret:` is opened here and no `}` closes it",
        ),
        (
            "a.yaml",
            "a: 'hunter2'\nb: ${secret:x\nc: ${secret:}\n",
            ":3:4: this names no secret: the reference has no path",
        ),
        ("a.yaml", "a: hunter2\n${secret:x}: b\n", ":2:1: a reference stands in a value, and not in a name"),
        ("a.yaml", "a: [hunter2, ${secret:x}]\n", ":1:14: a reference stands in a string, and this is none"),
        ("a.json", "{\"a\": hunter2}", ":1:7: this can't be read as JSON"),
        ("a.toml", "a = hunter2", ":1:5: this can't be read as TOML"),
        (".env", "A='hunter2", ":1:3: this can't be read as dotenv"),
        ("a.ini", "${secret:x} = hunter2", ":1:1: a reference stands in a value"),
        ("a.conf", "hunter2", "nothing tells how it is written"),
        ("a.txt", "hunter2 ${secret:https://x}", ":1:9: this names no secret: the only scheme is `store://`"),
    ] {
        let file = world.file(name, text);
        world.forge(["inject", "-i", &file]).exits(2).stderr_has(told).never_shows("hunter2");
    }
    let latin = world.file("a.yaml", b"a: \xe9");
    world.forge(["inject", "-i", &latin]).exits(2).stderr_has(":1:4: the file is not UTF-8 from here on");
    world.forge(["inject", "-i", "missing.yaml"]).exits(3).stderr_has("there is no such file");
    world.forge(["inject", "-i", "."]).exits(2);
    world.command(["inject"]).input("a").run().exits(2).stderr_has("nothing tells how it is written");
    assert_eq!(world.audit().len(), 0, "something was read for a file that is wrong");
}

#[test]
fn a_value_that_the_format_can_not_hold_is_told_by_its_place() {
    let (world, _) = filling("");
    set(&world, "lines", "hunter2\nhunter3").succeeds();
    set(&world, "bytes", &b"hunter2\xff\0"[..]).succeeds();
    let file = world.file("a.ini", "[s]\na = ${secret:lines}\n");
    let told = "a.ini:2:5: the value has a line break, and INI has no way to write that here";
    world.forge(["inject", "-i", &file]).exits(2).stderr_has(told).never_shows("hunter2");
    for name in ["a.yaml", "a.json", "a.toml", ".env", "a.ini"] {
        let text = match name {
            "a.json" => "[\"${secret:bytes}\"]",
            "a.yaml" => "a: '${secret:bytes}'",
            _ => "a = '${secret:bytes}'",
        };
        let file = world.file(name, text);
        world
            .forge(["inject", "-i", &file])
            .exits(2)
            .stderr_has(": the value is not UTF-8, and ")
            .never_shows("hunter2");
    }
    let file = world.file("a.txt", "<${secret:bytes}>");
    world.forge(["inject", "-i", &file]).succeeds().stdout_is(b"<hunter2\xff\0>");
    let json = world.forge(["--json", "inject", "-i", &file]).succeeds().json();
    assert_eq!(json["content_base64"], "PGh1bnRlcjL/AD4=");
    let mut terminal = Terminal::start(&world, ["inject", "-i", &file]);
    terminal.sees("with its values it is binary");
    assert_eq!(terminal.ends().1, 2);
}

#[test]
fn too_much_ends_early() {
    let (world, _) = filling("");
    let large = world.path("large.yaml");
    std::fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
    let large = large.to_str().unwrap();
    world.forge(["inject", "-i", large]).exits(2).stderr_has("it is longer than 16 MiB");
    world.forge(["inject", "-i", large, "--in-place", "--yes"]).stderr_has("longer than");
    let mut bomb = String::from("a: &a ['${secret:app/db}']\n");
    for level in 'b'..='z' {
        let below = char::from(u8::try_from(level).unwrap() - 1);
        bomb.push_str(&format!("{level}: &{level} [{}]\n", vec![format!("*{below}"); 9].join(", ")));
    }
    let file = world.file("bomb.yaml", &bomb);
    world.forge(["inject", "-i", &file]).succeeds().stdout_is(bomb.replace("${secret:app/db}", "hunter2"));
    let file = world.file("deep.json", format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20)));
    world.forge(["inject", "-i", &file]).exits(2).stderr_has("nested deeper than 128 levels");
    let file = world.file("deep.yaml", "- ".repeat(1 << 20));
    world.forge(["inject", "-i", &file]).exits(2).stderr_has("nested deeper than 128 levels");
}

#[test]
fn a_new_file_is_private_and_whole_and_goes_through_no_link() {
    let (world, file) = filling("a: ${secret:app/db}\n");
    let out = world.path("out.yaml");
    let to = out.to_str().unwrap();
    let mode = || std::fs::metadata(&out).unwrap().permissions().mode() & 0o777;
    world
        .forge(["inject", "-i", &file, "-o", to])
        .succeeds()
        .stdout_is("")
        .stderr_has("with 1 secret")
        .never_shows("hunter2");
    assert_eq!((std::fs::read_to_string(&out).unwrap().as_str(), mode()), ("a: hunter2\n", 0o600));
    // As `secret get --out` does: the file that is there is replaced, and closed.
    std::fs::write(&out, "old").unwrap();
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.forge(["inject", "-i", &file, "-o", to]).succeeds();
    assert_eq!((std::fs::read_to_string(&out).unwrap().as_str(), mode()), ("a: hunter2\n", 0o600));
    let aim = world.file("aim", "untouched");
    std::fs::remove_file(&out).unwrap();
    symlink(&aim, &out).unwrap();
    world.forge(["inject", "-i", &file, "-o", to]).exits(2).stderr_has("no regular file");
    assert_eq!(std::fs::read_to_string(&aim).unwrap(), "untouched");
    world.forge(["inject", "-i", &file, "-o", "/dev/null"]).exits(2);
    world.forge(["inject", "-i", &file, "-o", "no/such/folder"]).exits(2).stderr_has("there is no directory");
    world.forge(["inject", "-i", &file, "-o", &file]).exits(2).stderr_has("`--in-place`");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: ${secret:app/db}\n");
}

#[test]
fn a_file_is_filled_in_place_when_somebody_says_so_and_keeps_its_mode() {
    let text = "a: ${secret:app/db}\n";
    let (world, file) = filling(text);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let read = || std::fs::read_to_string(&file).unwrap();
    world.forge(["inject", "-i", &file, "--in-place"]).exits(2).stderr_has("`--yes` says it");
    for (answer, code, after) in [("n", 2, text), ("y", 0, "a: hunter2\n")] {
        let mut terminal = Terminal::start(&world, ["inject", "-i", &file, "--in-place"]);
        terminal.sees("write them? [y/N] ");
        terminal.types(answer);
        assert_eq!((terminal.ends().1, read().as_str()), (code, after));
    }
    // There is nothing left to ask about.
    world.forge(["inject", "-i", &file, "--in-place"]).succeeds();
    std::fs::write(&file, text).unwrap();
    world.forge(["inject", "-i", &file, "--in-place", "--yes"]).succeeds().stdout_is("").stderr_has("others can read");
    assert_eq!(
        (read().as_str(), std::fs::metadata(&file).unwrap().permissions().mode() & 0o777),
        ("a: hunter2\n", 0o640)
    );
    let link = world.path("link.yaml");
    std::fs::write(&file, text).unwrap();
    symlink(&file, &link).unwrap();
    let outcome = world.forge(["inject", "-i", link.to_str().unwrap(), "--in-place", "--yes"]);
    assert!(outcome.code != Some(0) && link.is_symlink() && read() == text, "{outcome:?}");
    world.command(["inject", "-i", "-", "--in-place", "--yes", "--file-format", "text"]).run().exits(2);
}

#[test]
fn a_rehearsal_tells_what_would_be_read_and_reads_nothing() {
    let (world, file) = filling("a: ${secret:app/db}\nb: ${secret:app/db} ${secret:store://prod/x#y}\n");
    let before = world.audit().len();
    let told = world.forge(["inject", "-i", &file, "--dry-run"]);
    told.succeeds()
        .stdout_is("")
        .stderr_is(&format!("{file}:1:4, 2:4: `app/db`\n{file}:2:21: `store://prod/x#y`\nwould read 2 secrets\n"));
    let json = world.forge(["--json", "inject", "-i", &file, "--dry-run", "--in-place"]).succeeds().json();
    assert_eq!(
        json["references"][1],
        json!({ "reference": "store://prod/x#y", "places": [{ "line": 2, "column": 21 }] })
    );
    assert_eq!(world.audit().len(), before);
    assert!(std::fs::read_to_string(&file).unwrap().contains("${secret:"));
}

#[test]
fn a_pipe_is_filled_and_its_end_is_no_error() {
    let (world, _) = filling("");
    let run = world.command(["inject", "--file-format", "yaml"]).input("a: ${secret:app/db}");
    run.run().succeeds().stdout_is("a: hunter2").stderr_is("");
    let object = world.command(["--json", "inject", "-i", "-", "--file-format", "text"]).input("<${secret:app/db}>");
    assert_eq!(object.run().json()["content"], "<hunter2>");
    let wrong = world.command(["inject", "--file-format", "text"]).input("${secret:no}");
    wrong.run().exits(3).stderr_has("standard input:1:1: can't read `no`");
}

#[test]
fn a_file_reads_through_the_grants_that_a_typed_reference_has_and_no_others() {
    let (world, _) = filling("");
    let project =
        "default = \"theirs\"\n[providers.theirs]\nplugin = \"textfile\"\nsettings = { file = \"values.env\" }\n";
    std::fs::write(world.path("work/forge.toml"), project).unwrap();
    std::fs::write(world.path("work/values.env"), "app=theirs\n").unwrap();
    for reference in ["app", "store://theirs/app", "store://nobody/app", "store://local/app/db"] {
        let file = world.file("a.txt", format!("${{secret:{reference}}}"));
        let (typed, filled) = (get(&world, reference), world.forge(["inject", "-i", &file]));
        assert_eq!((typed.code, &typed.stdout), (filled.code, &filled.stdout), "{reference}: {filled:?}");
    }
    let file = world.file("a.txt", "${secret:store://theirs/app}");
    world.forge(["inject", "-i", &file]).exits(8);
    world.forge(["allow", "--yes"]).succeeds();
    world.forge(["inject", "-i", &file]).succeeds().stdout_is("theirs");
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let text = format!("a: ${{secret:app/db}}\n{}", "# filler\n".repeat(200_000));
    let (world, file) = filling(&text);
    let filled = text.replace("${secret:app/db}", "hunter2");
    for milliseconds in [5, 20, 40, 60, 80, 120, 200, 400] {
        std::fs::write(&file, &text).unwrap();
        let mut child = world.command(["inject", "-i", &file, "--in-place", "--yes"]).start();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let kill = Command::new("kill").args(["-KILL", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        let now = std::fs::read_to_string(&file).unwrap();
        assert!(now == text || now == filled, "{kill}: {} bytes are there", now.len());
    }
}

#[test]
fn the_guide_s_example_is_what_the_program_does() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let guide = readme.split("\n## Inject\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut blocks = guide.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let (before, after) = (blocks.next().unwrap(), blocks.next().unwrap());
    let (world, file) = filling(before);
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    set(&world, "app/tls", json!({ "certificate": certificate }).to_string()).succeeds();
    set(&world, "app/pin", "0042").succeeds();
    world.forge(["inject", "-i", &file]).succeeds().stdout_is(after);
}
