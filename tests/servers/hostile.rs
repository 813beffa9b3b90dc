//! A server on loopback that keeps every request it got and answers as the last segment of its path says.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::behaviour::Behaviour;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    /// `GET` and so on.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body; at most a megabyte of it.
    pub body: Vec<u8>,
    /// The length of the body, whatever was kept of it.
    pub length: u64,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server; it ends with this value, and a connection that is being answered ends with its client.
#[derive(Debug)]
pub struct Hostile {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    redirect: Arc<Mutex<String>>,
    always: Arc<Mutex<Option<String>>>,
    is_over: Arc<AtomicBool>,
}

/// How much of a body is kept.
const KEPT: u64 = 1 << 20;

impl Default for Hostile {
    fn default() -> Self {
        Self::start()
    }
}

impl Hostile {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            redirect: Arc::default(),
            always: Arc::default(),
            is_over: Arc::default(),
        };
        let (received, redirect, is_over) = (server.received.clone(), server.redirect.clone(), server.is_over.clone());
        let always = server.always.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (received, redirect, always) = (received.clone(), redirect.clone(), always.clone());
                std::thread::spawn(move || answer(stream, &received, &redirect, &always));
            }
        });
        server
    }

    /// The origin, such as `http://127.0.0.1:4321`.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the path `…/redirect` leads.
    pub fn redirects_to(&self, url: &str) {
        url.clone_into(&mut self.redirect.lock().unwrap());
    }

    /// From now on every request is answered so, whatever its path: for clients that have one path alone.
    pub fn always(&self, behaviour: &str) {
        *self.always.lock().unwrap() = Some(behaviour.to_owned());
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Expects that nobody ever asked.
    #[track_caller]
    pub fn was_never_asked(&self) {
        let received = self.received();
        assert!(received.is_empty(), "{received:?}");
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The listener waits for a connection and then sees that it is over.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn answer(
    stream: TcpStream,
    received: &Mutex<Vec<Received>>,
    redirect: &Mutex<String>,
    always: &Mutex<Option<String>>,
) {
    // A client that goes away, or sends less than it said, is a client that hung up.
    let Ok(reader) = stream.try_clone() else { return };
    reader.set_read_timeout(Some(Duration::from_secs(60))).unwrap_or_default();
    let mut reader = BufReader::new(reader);
    let Some(mut request) = head(&mut reader) else { return };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if reader.by_ref().take(length.min(KEPT)).read_to_end(&mut request.body).is_err() {
        return;
    }
    let rest = length.saturating_sub(KEPT);
    let skipped = std::io::copy(&mut reader.take(rest), &mut std::io::sink()).unwrap_or(0);
    request.length = request.body.len() as u64 + skipped;
    let behaviour = Behaviour::of(always.lock().unwrap().as_deref().unwrap_or(&request.target));
    let earlier = {
        let mut received = received.lock().unwrap();
        received.push(request.clone());
        received.iter().filter(|other| other.target == request.target).count() - 1
    };
    let redirect = redirect.lock().unwrap().clone();
    // The client may be gone before the answer is: that is what many of these tests are about.
    behaviour.write(stream, &request, earlier, &redirect).unwrap_or_default();
}

fn head(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut first = lines.first()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers = lines.iter().skip(1).filter_map(header).collect();
    Some(Received { method, target, headers, body: Vec::new(), length: 0 })
}
