//! A connection to the session bus: finding it, logging in to it, and calls with a bounded answer in a bounded time.
//!
//! The source of each fact is the D-Bus Specification, "Server Addresses", "Authentication Protocol" and "Message Format".

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forge_core::keyring::Trouble;
use zeroize::Zeroizing;

use super::wire::{LONGEST, Reader, Writer, length};

/// The longest line of the login, in bytes.
const LONGEST_LINE: usize = 1 << 10;

/// How many messages that were not asked for are passed over.
const MOST_OTHERS: usize = 512;

/// How many signals that came before somebody waited for them are kept, the newest.
const MOST_EARLY: usize = 16;

/// The kinds of message.
const CALL: u8 = 1;
const ANSWER: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// A connection that is logged in.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    until: Instant,
    patience: Duration,
    /// Signals that came while something else was waited for: a question may be answered before its call is.
    early: VecDeque<Message>,
}

/// Whom a call is for, and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) name: &'a str,
}

/// What came.
#[derive(Debug)]
pub(super) struct Message {
    kind: u8,
    answers: u32,
    path: String,
    name: String,
    error: String,
    signature: String,
    big_end_first: bool,
    body: Zeroizing<Vec<u8>>,
}

impl Message {
    /// The body, if it is of these types.
    pub(super) fn body(&self, signature: &str) -> Result<Reader<'_>, Trouble> {
        if self.signature != signature {
            return Err(Trouble::Malformed("an answer of other types"));
        }
        Ok(Reader::new(&self.body, self.big_end_first))
    }
}

/// The sockets that an address names, in its order. Ways that are no socket of this machine are passed over.
pub(super) fn sockets(address: &str) -> Vec<Socket> {
    let socket = |one: &str| {
        let pairs = one.strip_prefix("unix:")?;
        pairs.split(',').find_map(|pair| match pair.split_once('=')? {
            ("path", value) => Some(Socket::Path(unescaped(value)?.into())),
            ("abstract", value) => Some(Socket::Abstract(unescaped(value)?)),
            _ => None,
        })
    };
    address.split(';').filter_map(socket).take(4).collect()
}

/// A socket of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Path(PathBuf),
    /// A name that is no file's, which Linux has.
    Abstract(String),
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Path(path) => path.display().to_string(),
            Self::Abstract(name) => format!("@{name}"),
        };
        write!(f, "`{}`", forge_core::manifest::printable(&name))
    }
}

impl Socket {
    fn connect(&self) -> std::io::Result<UnixStream> {
        match self {
            Self::Path(path) => UnixStream::connect(path),
            #[cfg(target_os = "linux")]
            Self::Abstract(name) => {
                use std::os::linux::net::SocketAddrExt as _;
                UnixStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
            }
            #[cfg(not(target_os = "linux"))]
            Self::Abstract(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The connection, and the number of the user who listens at its other end.
///
/// The system says who that is (`SO_PEERCRED` of unix(7), `getpeereid` elsewhere), and nobody can say otherwise.
fn identified(stream: UnixStream) -> std::io::Result<(UnixStream, u32)> {
    // The standard library does not ask for it yet, and tokio's stream does, which wants a runtime around it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let user = stream.peer_cred()?.uid();
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok((stream, user))
}

/// Whether a listener may see a key of `user`: that user's own processes could ask for it as well, and so could root's.
fn is_trusted(listener: u32, user: u32) -> bool {
    listener == user || listener == 0
}

impl Bus {
    /// Connects to the first of these sockets that answers, and logs in as the user of this process.
    pub(super) fn open(sockets: &[Socket], user: u32, patience: Duration) -> Result<Self, Trouble> {
        let mut last = None;
        for socket in sockets {
            match socket.connect().and_then(identified) {
                // An address may outlive its session, and another user may have taken the socket's name since.
                Ok((_, listener)) if !is_trusted(listener, user) => {
                    return Err(Trouble::Unreachable(format!(
                        "the session bus at {socket} belongs to another user (number {listener})"
                    )));
                }
                Ok((stream, _)) => {
                    let until = Instant::now() + patience;
                    let mut bus = Self { stream, serial: 0, until, patience, early: VecDeque::new() };
                    bus.log_in(user)?;
                    let bus_itself = "org.freedesktop.DBus";
                    let (destination, path) = (bus_itself, "/org/freedesktop/DBus");
                    bus.call(Method { destination, path, interface: bus_itself, name: "Hello" }, "", |_| ())?;
                    return Ok(bus);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(Trouble::Unreachable(
            last.map_or("there is no session bus".to_owned(), |error| format!("the session bus is away: {error}")),
        ))
    }

    /// Gives what follows this much time: a person may have been asked something.
    pub(super) fn extend(&mut self, patience: Duration) {
        self.until = Instant::now() + patience;
        self.patience = patience;
    }

    fn log_in(&mut self, user: u32) -> Result<(), Trouble> {
        // The system tells the bus who we are; the number is sent as the hexadecimal form of its digits.
        let number = forge_core::sealing::hex(user.to_string().as_bytes());
        self.send(format!("\0AUTH EXTERNAL {number}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() >= LONGEST_LINE {
                return Err(Trouble::Malformed("a login without an end"));
            }
            let mut byte = [0];
            self.receive(&mut byte)?;
            line.extend_from_slice(&byte);
        }
        if !line.starts_with(b"OK ") {
            return Err(Trouble::Unreachable("the session bus is not yours".to_owned()));
        }
        self.send(b"BEGIN\r\n")
    }

    /// The time that is left, for the next system call.
    fn left(&self) -> Result<Option<Duration>, Trouble> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.late()) } else { Ok(Some(left)) }
    }

    fn late(&self) -> Trouble {
        Trouble::Timeout(self.patience.as_secs())
    }

    fn broken(&self, error: &std::io::Error) -> Trouble {
        match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => self.late(),
            _ => Trouble::Unreachable(format!("the session bus broke off: {error}")),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = self.stream.set_write_timeout(self.left()?).and_then(|()| self.stream.write_all(bytes));
        sent.map_err(|error| self.broken(&error))
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<(), Trouble> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // Anew for each piece: a peer that sends a byte now and then must not hold us for ever.
            let read = self.stream.set_read_timeout(self.left()?).and_then(|()| self.stream.read(rest));
            match read {
                Ok(0) => return Err(Trouble::Unreachable("the session bus hung up".to_owned())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(())
    }

    /// Calls a method with arguments of these types, which `write` writes, and waits for its answer.
    pub(super) fn call(
        &mut self,
        method: Method<'_>,
        signature: &str,
        write: impl FnOnce(&mut Writer),
    ) -> Result<Message, Trouble> {
        self.serial += 1;
        let serial = self.serial;
        let mut body = Writer::new();
        write(&mut body);
        let mut message = Writer::new();
        for byte in [b'l', CALL, 0, 1] {
            message.byte(byte);
        }
        message.number(length(body.bytes().len()));
        message.number(serial);
        message.list(8, |head| {
            let fields = [
                (1, "o", method.path),
                (2, "s", method.interface),
                (3, "s", method.name),
                (6, "s", method.destination),
                (8, "g", signature),
            ];
            for (field, kind, text) in fields.into_iter().filter(|(.., text)| !text.is_empty()) {
                head.align(8);
                head.byte(field);
                head.variant(kind, |head| if kind == "g" { head.signature(text) } else { head.text(text) });
            }
        });
        message.align(8);
        self.send(message.bytes())?;
        self.send(body.bytes())?;
        let answer = self.wait(|message| message.answers == serial && matches!(message.kind, ANSWER | ERROR))?;
        if answer.kind == ANSWER {
            return Ok(answer);
        }
        Err(match answer.error.as_str() {
            "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                Trouble::Unreachable("nobody on the session bus keeps secrets".to_owned())
            }
            "org.freedesktop.Secret.Error.IsLocked" => Trouble::Locked,
            "org.freedesktop.Secret.Error.NoSuchObject" => Trouble::Missing,
            other => Trouble::Denied(forge_core::manifest::printable(other)),
        })
    }

    /// Waits for a signal of this object, unless it has come already.
    pub(super) fn signal(&mut self, path: &str, name: &str) -> Result<Message, Trouble> {
        let is_it = |message: &Message| message.kind == SIGNAL && message.path == path && message.name == name;
        match self.early.iter().position(is_it).and_then(|at| self.early.remove(at)) {
            Some(message) => Ok(message),
            None => self.wait(is_it),
        }
    }

    fn wait(&mut self, is_it: impl Fn(&Message) -> bool) -> Result<Message, Trouble> {
        for _ in 0..MOST_OTHERS {
            let message = self.next()?;
            if is_it(&message) {
                return Ok(message);
            }
            if message.kind == SIGNAL {
                // Whoever floods the bus makes us forget and wait, and not grow.
                if self.early.len() == MOST_EARLY {
                    self.early.pop_front();
                }
                self.early.push_back(message);
            }
        }
        Err(Trouble::Malformed("very much that was not asked for"))
    }

    fn next(&mut self) -> Result<Message, Trouble> {
        let mut start = [0; 16];
        self.receive(&mut start)?;
        let big_end_first = start.first() == Some(&b'B');
        let mut reader = Reader::new(&start, big_end_first);
        let (_, kind, _, version) = (reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?);
        let (body, _, fields) = (reader.number()? as usize, reader.number()?, reader.number()? as usize);
        if version != 1 || body > LONGEST || fields > LONGEST {
            return Err(Trouble::Malformed("a message of another protocol, or one that is too long"));
        }
        let head = 16 + fields.next_multiple_of(8);
        let mut bytes = Zeroizing::new(vec![0; head + body]);
        bytes.iter_mut().zip(start).for_each(|(to, from)| *to = from);
        if let Some(rest) = bytes.get_mut(16..) {
            self.receive(rest)?;
        }
        let body = Zeroizing::new(bytes.get(head..).unwrap_or_default().to_vec());
        let mut message = Message {
            kind,
            answers: 0,
            path: String::new(),
            name: String::new(),
            error: String::new(),
            signature: String::new(),
            big_end_first,
            body,
        };
        let mut reader = Reader::new(bytes.get(..head).unwrap_or_default(), big_end_first);
        for _ in 0..3 {
            reader.number()?;
        }
        reader.fields(|field, text, number| {
            let text = text.unwrap_or_default();
            match field {
                1 => text.clone_into(&mut message.path),
                3 => text.clone_into(&mut message.name),
                4 => text.clone_into(&mut message.error),
                5 => message.answers = number,
                8 => text.clone_into(&mut message.signature),
                _ => {}
            }
        })?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests;
