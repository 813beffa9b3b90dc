//! A world of its own for each test: an empty home, a bare environment, and the program in it.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forge_core::home::Home;

use crate::component;
use crate::outcome::{Outcome, contains};

/// How long a run may take before the test that started it fails: the longest call that a plugin can be granted, and
/// the compiler before it on a busy machine.
const LONGEST_RUN: Duration = Duration::from_secs(180);

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A variable of the process that runs the tests.
pub fn variable(name: &str) -> Option<std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place of the tests that reads the environment")]
    std::env::var_os(name)
}

/// The program as `make build` left it.
pub fn program() -> PathBuf {
    let target = variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let program = target.join(profile).join("forge");
    assert!(program.exists(), "`{}` is not there: run `make build` first", program.display());
    program
}

/// A home without anything in it, and the variables that the program will see.
#[derive(Debug)]
pub struct World {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty home.
    pub fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    /// An empty home below this directory.
    pub fn within(directory: impl AsRef<Path>) -> Self {
        Self::of(tempfile::tempdir_in(directory).unwrap())
    }

    fn of(directory: tempfile::TempDir) -> Self {
        let world = Self { directory, variables: Vec::new() };
        std::fs::create_dir(world.home()).unwrap();
        std::fs::create_dir(world.path("work")).unwrap();
        world
    }

    /// The same world with a variable that every run sees.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The directory that holds everything of this world.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The variables that every run sees, besides `HOME`.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.variables.iter().cloned()
    }

    /// A command line for `sh`, in this world's working directory and with its variables.
    pub fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(self.path("work")).env_clear();
        shell.env("HOME", self.home()).envs(self.variables.iter().cloned());
        shell
    }

    /// A path outside the home, for files that a test makes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The user's home directory.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Where forge keeps its state in this world: grants, plugins, the local store, audit.
    pub fn data(&self) -> PathBuf {
        self.home().join(".local/share/forge")
    }

    /// Where forge keeps what it can make again.
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache/forge")
    }

    /// The user's configuration file.
    pub fn config(&self) -> PathBuf {
        self.home().join(".config/forge/config.toml")
    }

    /// The program's directories, for what asks its libraries directly.
    pub fn places(&self) -> Home {
        Home { config: self.home().join(".config/forge"), data: self.data(), cache: self.cache(), keyring: None }
    }

    /// Writes a file outside the home and answers its path as an argument.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A run of the program that is still to be given its input.
    pub fn command<const N: usize>(&self, arguments: [&str; N]) -> Run<'_> {
        let arguments = arguments.map(str::to_owned).to_vec();
        Run { world: self, arguments, input: Vec::new(), variables: Vec::new(), folder: "work".to_owned() }
    }

    /// Runs the program with these arguments and nothing on standard input.
    pub fn forge<const N: usize>(&self, arguments: [&str; N]) -> Outcome {
        self.command(arguments).run()
    }

    /// The same with words that are not known beforehand.
    pub fn words(&self, words: &[String]) -> Outcome {
        let mut run = self.command([]);
        run.arguments.extend_from_slice(words);
        run.run()
    }

    /// Installs a component under its own id, as a person who knows its digest would.
    pub fn install(&self, component: &[u8]) -> Outcome {
        let digest = component::sha256(component);
        let file = self.file(&format!("{}.wasm", &digest[..12]), component);
        self.forge(["plugin", "install", &file, "--yes", "--sha256", &digest])
    }

    /// The operations of the audit log and the requests that they made, without beginnings and changes; none where
    /// nothing was recorded.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let is_one = |record: &serde_json::Value| matches!(record["event"].as_str(), Some("operation" | "request"));
        self.audited().into_iter().filter(is_one).collect()
    }

    /// All records of the audit log's current file.
    pub fn audited(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.data().join("audit/audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Expects that no file of the home holds these bytes.
    #[track_caller]
    pub fn keeps_nowhere(&self, canary: &str) {
        let holding: Vec<PathBuf> = files(&self.home())
            .into_iter()
            .filter(|file| std::fs::read(file).is_ok_and(|content| contains(&content, canary.as_bytes())))
            .collect();
        assert!(holding.is_empty(), "`{canary}` is in {holding:?}");
    }
}

/// All files below a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        // A link is not followed: it may lead out of the directory, or round in a circle.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// A run of the program, to be started.
#[derive(Debug)]
#[must_use]
pub struct Run<'world> {
    world: &'world World,
    arguments: Vec<String>,
    input: Vec<u8>,
    variables: Vec<(String, OsString)>,
    folder: String,
}

impl Run<'_> {
    /// Adds arguments.
    pub fn and<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    /// Puts these bytes on standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Sets a variable for this run.
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.variable_of(name, value.as_bytes())
    }

    /// Sets a variable that need not be UTF-8.
    pub fn variable_of(mut self, name: &str, value: &[u8]) -> Self {
        self.variables.push((name.to_owned(), OsStr::from_bytes(value).to_owned()));
        self
    }

    /// Runs in this folder of the world, instead of `work`.
    pub fn within(mut self, folder: &str) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Starts the program and does not wait for it; its outputs are piped.
    pub fn start(&self) -> Child {
        let mut command = Command::new(program());
        command.args(&self.arguments).current_dir(self.world.path(&self.folder)).env_clear();
        command.env("PATH", variable("PATH").unwrap_or_default()).env("HOME", self.world.home());
        command.envs(self.world.variables.iter().cloned()).envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(self) -> Outcome {
        let mut child = self.start();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input.clone();
        // Who doesn't read its input closes it, and that is no failure of the test.
        let writing = std::thread::spawn(move || stdin.write_all(&input).unwrap_or_default());
        let stdout = drained(child.stdout.take().unwrap());
        let stderr = drained(child.stderr.take().unwrap());
        let command = format!("forge {}", self.arguments.join(" "));
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LONGEST_RUN {
                child.kill().unwrap();
                panic!("`{command}` did not end within {} s", LONGEST_RUN.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        writing.join().unwrap();
        let stderr = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
        Outcome { command, code: status.code(), stdout: stdout.join().unwrap(), stderr }
    }
}

fn drained(mut stream: impl std::io::Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}
