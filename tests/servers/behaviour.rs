//! What the hostile server does, by the name that ends the path: everything a bad or broken server has been seen to do.

use std::io::{Result, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value as Json, json};

use super::hostile::Received;

/// What a server does that nobody bent: a value that a test can recognise.
pub const LOOT: &str = "loot-of-the-server";

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 200 with [`LOOT`].
    Loot,
    /// 302 to where the test said.
    Redirect,
    /// A body of 10 GiB, announced or in chunks.
    Endless { chunked: bool },
    /// One byte of the head, or of the body, per second.
    Slow { head: bool },
    /// Thousands of headers, or one that is megabytes long.
    HeaderBomb { is_long: bool },
    /// A gzip stream that is a thousand times longer than it looks.
    GzipBomb,
    /// What it was sent, in this form.
    Reflect(Form),
    /// A body that ends before it said it would.
    Truncated,
    /// A page for people, with status 200.
    Html,
    /// This status, with an error as Vault writes one.
    Status(u16),
    /// This status and no body.
    EmptyStatus(u16),
    /// 429, `Retry-After` in seconds.
    RetryAfter(u32),
    /// Secrets as AWS answers them, by the names in the body: each that begins with `denied` is denied.
    Secrets,
    /// 503 so many times, and then [`LOOT`].
    Flaky(usize),
    /// Hangs up without a word.
    HangUp,
    /// Bytes that are no HTTP.
    Garbage,
}

/// How a request is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Raw,
    Base64,
    Header,
    Json,
    Url,
}

impl Behaviour {
    /// The behaviour that a path names by its last segment.
    pub(crate) fn of(target: &str) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = |prefix: &str| name.strip_prefix(prefix).and_then(|number| number.parse::<u32>().ok());
        match name {
            "redirect" => Self::Redirect,
            "endless" => Self::Endless { chunked: false },
            "endless-chunked" => Self::Endless { chunked: true },
            "slow" => Self::Slow { head: false },
            "slow-head" => Self::Slow { head: true },
            "header-bomb" => Self::HeaderBomb { is_long: false },
            "long-header" => Self::HeaderBomb { is_long: true },
            "gzip-bomb" => Self::GzipBomb,
            "reflect" => Self::Reflect(Form::Raw),
            "reflect-base64" => Self::Reflect(Form::Base64),
            "reflect-header" => Self::Reflect(Form::Header),
            "reflect-json" => Self::Reflect(Form::Json),
            "reflect-url" => Self::Reflect(Form::Url),
            "secrets" => Self::Secrets,
            "truncated" => Self::Truncated,
            "html" => Self::Html,
            "hang-up" => Self::HangUp,
            "garbage" => Self::Garbage,
            _ => {
                let status = |number: u32| u16::try_from(number).unwrap_or(500);
                let named = number("empty-").map(|number| Self::EmptyStatus(status(number)));
                let named = named.or_else(|| number("status-").map(|number| Self::Status(status(number))));
                let named = named.or_else(|| number("retry-after-").map(Self::RetryAfter));
                let named = named.or_else(|| number("flaky-").map(|times| Self::Flaky(times as usize)));
                named.unwrap_or(Self::Loot)
            }
        }
    }

    /// Answers a request that was asked so many times before.
    pub(crate) fn write(self, mut stream: TcpStream, request: &Received, earlier: usize, redirect: &str) -> Result<()> {
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        match self {
            Self::Loot => whole(&mut stream, 200, &[], LOOT.as_bytes()),
            Self::Redirect => whole(&mut stream, 302, &[("location", redirect)], b""),
            Self::Endless { chunked } => endless(&mut stream, chunked),
            Self::Slow { head } => slow(&mut stream, head),
            Self::HeaderBomb { is_long } => header_bomb(&mut stream, is_long),
            Self::GzipBomb => whole(&mut stream, 200, &[("content-encoding", "gzip")], &gzip_bomb()),
            Self::Reflect(form) => reflect(&mut stream, request, &form),
            Self::Secrets => secrets(&mut stream, &request.body),
            Self::Truncated => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this"),
            Self::Html => {
                let page = b"<!DOCTYPE html><title>Sign in</title><p>Please sign in to the hotel's network.";
                whole(&mut stream, 200, &[("content-type", "text/html")], page)
            }
            Self::Status(status) => whole(&mut stream, status, &[], br#"{"errors":["the server's own words"]}"#),
            Self::EmptyStatus(status) => whole(&mut stream, status, &[], b""),
            Self::RetryAfter(seconds) => whole(&mut stream, 429, &[("retry-after", &seconds.to_string())], b""),
            Self::Flaky(times) if earlier < times => whole(&mut stream, 503, &[], b""),
            Self::Flaky(_) => whole(&mut stream, 200, &[], LOOT.as_bytes()),
            Self::HangUp => Ok(()),
            Self::Garbage => stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\x01\x02\xff\xfe"),
        }
    }
}

fn whole(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(body)
}

/// "AWS Secrets Manager API Reference, BatchGetSecretValue" and "GetSecretValue".
fn secrets(stream: &mut TcpStream, body: &[u8]) -> Result<()> {
    const DENIED: &str = "AccessDeniedException";
    let asked: Json = serde_json::from_slice(body).unwrap_or_default();
    let is_denied = |id: &str| id.starts_with("denied");
    let value = |id: &str| {
        let created = 1_795_356_812.142;
        json!({ "Name": id, "ARN": id, "VersionId": "v", "VersionStages": ["AWSCURRENT"], "CreatedDate": created, "SecretString": id })
    };
    let text = |id: &Json| id.as_str().unwrap_or_default().to_owned();
    let (status, answer) = match asked["SecretIdList"].as_array() {
        Some(ids) => {
            let (denied, read): (Vec<String>, Vec<String>) = ids.iter().map(text).partition(|id| is_denied(id));
            let values: Vec<Json> = read.iter().map(|id| value(id)).collect();
            let errors: Vec<Json> = denied.iter().map(|id| json!({ "SecretId": id, "ErrorCode": DENIED })).collect();
            (200, json!({ "SecretValues": values, "Errors": errors }))
        }
        None if is_denied(&text(&asked["SecretId"])) => (400, json!({ "__type": DENIED })),
        None => (200, value(&text(&asked["SecretId"]))),
    };
    whole(stream, status, &[("content-type", "application/x-amz-json-1.1")], answer.to_string().as_bytes())
}

fn endless(stream: &mut TcpStream, chunked: bool) -> Result<()> {
    const LENGTH: u64 = 10 << 30;
    let block = [b'x'; 64 << 10];
    let framing = if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {LENGTH}") };
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes())?;
    for _ in 0..LENGTH / block.len() as u64 {
        if chunked {
            stream.write_all(format!("{:x}\r\n", block.len()).as_bytes())?;
        }
        stream.write_all(&block)?;
        if chunked {
            stream.write_all(b"\r\n")?;
        }
    }
    Ok(())
}

fn slow(stream: &mut TcpStream, head: bool) -> Result<()> {
    if !head {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
    }
    let drop = if head { b"H".as_slice() } else { b"x" };
    if head {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ")?;
    }
    for _ in 0..1000 {
        stream.write_all(drop)?;
        stream.flush()?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn header_bomb(stream: &mut TcpStream, is_long: bool) -> Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    if is_long {
        stream.write_all(b"x-long: ")?;
        for _ in 0..1024 {
            stream.write_all(&[b'x'; 16 << 10])?;
        }
        stream.write_all(b"\r\n")?;
    } else {
        for number in 0..100_000 {
            stream.write_all(format!("x-header-{number}: value\r\n").as_bytes())?;
        }
    }
    stream.write_all(b"content-length: 0\r\n\r\n")
}

fn reflect(stream: &mut TcpStream, request: &Received, form: &Form) -> Result<()> {
    let lines: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let text = lines.join("\n");
    // Each value by itself as well: base64 of a whole text hides what stands at an odd place in it.
    let each = |encode: &dyn Fn(&str) -> String| {
        let values: Vec<String> = request.headers.iter().map(|(_, value)| encode(value)).collect();
        values.join("\n")
    };
    match form {
        Form::Raw => whole(stream, 200, &[], text.as_bytes()),
        Form::Base64 => {
            let body = each(&|value| base64::engine::general_purpose::STANDARD.encode(value));
            whole(stream, 200, &[], body.as_bytes())
        }
        Form::Header => whole(stream, 200, &[("etag", &lines.join(" "))], b"see the header"),
        Form::Json => {
            let body = each(&|value| serde_json::to_string(value).unwrap_or_default());
            whole(stream, 200, &[], body.as_bytes())
        }
        Form::Url => {
            let encode = |byte: u8| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            let body = each(&|value| value.bytes().map(encode).collect());
            whole(stream, 200, &[], body.as_bytes())
        }
    }
}

/// 128 MiB of zeros as gzip (RFC 1952) in fixed codes (RFC 1951, section 3.2.6): a literal zero, then "the 258 bytes
/// before" over and over.
fn gzip_bomb() -> Vec<u8> {
    const REPEATS: u32 = (128 << 20) / 258;
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut filled) = (0_u64, 0_u32);
    let mut push = |value: u64, count: u32, bytes: &mut Vec<u8>| {
        bits |= value << filled;
        filled += count;
        while filled >= 8 {
            bytes.push(u8::try_from(bits & 0xff).unwrap_or_default());
            bits >>= 8;
            filled -= 8;
        }
    };
    push(0b011, 3, &mut bytes); // the last block, fixed codes
    push(0b0000_1100, 8, &mut bytes); // the literal 0, its code 00110000 from the first bit on
    for _ in 0..REPEATS {
        push(0b1010_0011, 8, &mut bytes); // length 258, its code 11000101
        push(0, 5, &mut bytes); // distance 1
    }
    push(0, 7, &mut bytes); // the end of the block
    push(0, 7, &mut bytes); // up to the whole byte
    // Neither the checksum nor the length is right, and nobody should get far enough to see that.
    bytes.extend([0; 8]);
    bytes
}
