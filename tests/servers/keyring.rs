//! A desktop's keyring: the real gnome-keyring on a session bus of its own, with clients that know nothing of forge.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the daemons may take until they answer on a busy machine; they usually take 0.2 s.
const START: Duration = Duration::from_secs(30);

/// What unlocks the keyring.
const PASSWORD: &str = "keyring-password-3Kd8";

/// A session bus with a keyring on it; both end with this value.
#[derive(Debug)]
pub struct Desktop {
    directory: tempfile::TempDir,
    bus: Child,
    keyring: Option<Child>,
    address: String,
}

impl Desktop {
    /// A session whose keyring is unlocked, as after a login.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:path={}", directory.path().join("bus").display()));
        bus.env_clear().env("HOME", directory.path()).env("XDG_RUNTIME_DIR", directory.path());
        let mut bus = bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let mut desktop = Self { directory, bus, keyring: None, address: address.trim().to_owned() };
        desktop.log_in();
        desktop
    }

    /// Starts the keyring and unlocks it.
    pub fn log_in(&mut self) {
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut keyring = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        keyring.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        self.keyring = Some(keyring);
        let started = Instant::now();
        while !self.is_there() {
            assert!(started.elapsed() < START, "gnome-keyring did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the keyring is on the bus with a collection. A call before that would have the bus start another one.
    fn is_there(&self) -> bool {
        let mut command = self.command("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
        command.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]);
        let output = command.output().unwrap();
        let has_owner = String::from_utf8_lossy(&output.stdout).contains("boolean true");
        let alias = || self.call("/org/freedesktop/secrets", "Service.ReadAlias", &["string:default"]);
        has_owner && alias().is_some_and(|answer| answer.contains("/collection/"))
    }

    /// Ends the keyring, as a logout does.
    pub fn log_out(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            keyring.kill().unwrap();
            keyring.wait().unwrap();
        }
    }

    /// Locks the keyring.
    pub fn lock(&self) {
        let login = "array:objpath:/org/freedesktop/secrets/collection/login";
        self.call("/org/freedesktop/secrets", "Service.Lock", &[login]).unwrap();
    }

    /// The address of the bus, as a session has it in `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The file in which the keyring keeps what it has.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join(".local/share/keyrings/login.keyring")
    }

    /// A folder that ends with this session.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.directory.path()).env("XDG_RUNTIME_DIR", self.directory.path());
        command.env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", &self.address).stdin(Stdio::null());
        command
    }

    fn call(&self, path: &str, method: &str, arguments: &[&str]) -> Option<String> {
        let mut command = self.command("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", path]);
        let output = command.arg(format!("org.freedesktop.Secret.{method}")).args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The secret that `secret-tool` finds for this key's id.
    pub fn looks_up(&self, id: &str) -> Vec<u8> {
        self.command("secret-tool").args(["lookup", "application", "forge", "key-id", id]).output().unwrap().stdout
    }

    /// How many items of forge `secret-tool` finds.
    pub fn count(&self) -> usize {
        let output = self.command("secret-tool").args(["search", "--all", "application", "forge"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("label = ")).count()
    }

    /// Removes the item of this key's id.
    pub fn clear(&self, id: &str) {
        let status = self.command("secret-tool").args(["clear", "application", "forge", "key-id", id]).status();
        assert!(status.unwrap().success());
    }

    /// Puts something else in the place of the item of this key's id.
    pub fn replace(&self, id: &str, secret: &str) {
        let mut command = self.command("secret-tool");
        command.args(["store", "--label=x", "application", "forge", "key-id", id]).stdin(Stdio::piped());
        let mut storing = command.spawn().unwrap();
        storing.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        assert!(storing.wait().unwrap().success());
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.log_out();
        self.bus.kill().unwrap_or_default();
        self.bus.wait().map(drop).unwrap_or_default();
    }
}

/// What the kernel keeps under this key's id; `None` where it keeps nothing.
pub fn kernel_has(id: &str) -> Option<Vec<u8>> {
    let name = format!("%user:forge:sealing-key:{id}");
    let output = Command::new("keyctl").args(["pipe", &name]).output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// Takes what the kernel keeps under this key's id away.
pub fn kernel_forgets(id: &str) {
    Command::new("keyctl").args(["purge", "user", &format!("forge:sealing-key:{id}")]).output().unwrap();
}

/// Whether the kernel has keyrings for this process, which a container's filter may take away.
pub fn kernel_has_keyrings() -> bool {
    Command::new("keyctl").args(["show", "@u"]).output().is_ok_and(|output| output.status.success())
}
