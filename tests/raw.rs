//! What the bench compares a read from a server with: one GET over a plain socket, its JSON parsed, the value printed, and
//! nothing around it.
//!
//! `raw HOST:PORT PATH TOKEN`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a tool of the bench"
)]

use std::io::{Read, Write};
use std::net::TcpStream;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, token] = arguments.as_slice() else { panic!("HOST:PORT PATH TOKEN") };
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nx-vault-token: {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "the server did not answer 200");
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    println!("{}", document.pointer("/data/data/value").and_then(serde_json::Value::as_str).unwrap());
}
