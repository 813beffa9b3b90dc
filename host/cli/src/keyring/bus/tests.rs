//! Tests of the connection against a bus that says whatever a test wants.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

const PATIENCE: Duration = Duration::from_secs(2);

/// A bus that logs anybody in and then answers the first call with these bytes, or with silence.
fn bus(answer: impl FnOnce(u32) -> Vec<u8> + Send + 'static) -> Result<Bus, Trouble> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"\r\n") {
            peer.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        peer.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
        let mut begin = [0; 7];
        peer.read_exact(&mut begin).unwrap();
        let mut head = [0; 16];
        peer.read_exact(&mut head).unwrap();
        let mut reader = Reader::new(&head[4..], false);
        let (_, serial) = (reader.number().unwrap(), reader.number().unwrap());
        // Whoever has heard enough hangs up, and that is no failure here.
        peer.write_all(&answer(serial)).unwrap_or_default();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).unwrap_or_default();
    });
    let opened = Bus::open(&[Socket::Path(path)], 0, PATIENCE);
    if opened.is_err() {
        serving.join().unwrap();
    }
    opened
}

/// A signal of this object, with another name where it has one.
fn signal(path: &str, name: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    for byte in [b'l', SIGNAL, 0, 1] {
        writer.byte(byte);
    }
    writer.number(0);
    writer.number(1);
    writer.list(8, |head| {
        for (field, kind, text) in [(1, "o", path), (3, "s", name)] {
            head.align(8);
            head.byte(field);
            head.variant(kind, |head| head.text(text));
        }
    });
    writer.align(8);
    writer.bytes().to_vec()
}

/// A message of this kind that answers a call, with an error's name where it has one.
fn message(kind: u8, answers: u32, error: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    for byte in [b'l', kind, 0, 1] {
        writer.byte(byte);
    }
    writer.number(0);
    writer.number(1);
    writer.list(8, |head| {
        head.byte(5);
        head.variant("u", |head| head.number(answers));
        if !error.is_empty() {
            head.align(8);
            head.byte(4);
            head.variant("s", |head| head.text(error));
        }
    });
    writer.align(8);
    writer.bytes().to_vec()
}

#[test]
fn an_answer_is_taken_after_others_that_were_not_asked_for() {
    let opened = bus(|serial| [message(SIGNAL, 0, ""), message(ANSWER, 99, ""), message(ANSWER, serial, "")].concat());
    assert!(opened.is_ok(), "{opened:?}");
}

#[test]
fn a_signal_that_came_before_the_answer_is_found_and_one_of_another_object_is_not() {
    let answer = |serial| [signal("/question", "Completed"), message(ANSWER, serial, "")].concat();
    let mut opened = bus(answer).unwrap();
    assert!(opened.signal("/question", "Completed").is_ok());
    opened.extend(Duration::from_millis(50));
    assert!(matches!(opened.signal("/question", "Completed").unwrap_err(), Trouble::Timeout(_)), "it came once");
    let mut opened = bus(answer).unwrap();
    opened.extend(Duration::from_millis(50));
    assert!(matches!(opened.signal("/other", "Completed").unwrap_err(), Trouble::Timeout(_)));
}

#[test]
fn signals_that_nobody_waits_for_are_kept_up_to_a_bound_and_the_newest_win() {
    let mut opened = bus(|serial| {
        let others = signal("/other", "Changed").repeat(MOST_OTHERS / 2);
        [signal("/first", "Completed"), others, signal("/last", "Completed"), message(ANSWER, serial, "")].concat()
    })
    .unwrap();
    assert_eq!(opened.early.len(), MOST_EARLY);
    assert!(opened.signal("/last", "Completed").is_ok());
}

#[test]
fn a_listener_of_another_user_than_this_one_and_root_is_not_trusted() {
    for (listener, user, is) in [(1000, 1000, true), (0, 1000, true), (1001, 1000, false), (1000, 0, false)] {
        assert_eq!(is_trusted(listener, user), is, "{listener} for {user}");
    }
    let (near, _far) = UnixStream::pair().unwrap();
    let (near, listener) = identified(near).unwrap();
    assert_eq!(listener, crate::environment::user_number());
    // It waits for what comes, as it did before it was asked.
    assert!(!rustix::fs::fcntl_getfl(&near).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
}

#[test]
fn an_error_of_the_bus_is_told_by_its_name_without_what_drives_a_terminal() {
    let opened = bus(|serial| message(ERROR, serial, "org.example.\u{1b}[2J"));
    assert_eq!(opened.unwrap_err(), Trouble::Denied("org.example.\u{fffd}[2J".to_owned()));
}

#[test]
fn what_is_no_message_is_refused_and_silence_ends() {
    let long = |_| [b"l\x02\0\x01".as_slice(), &u32::MAX.to_le_bytes(), &[1, 0, 0, 0], &[0; 4]].concat();
    assert!(matches!(bus(long).unwrap_err(), Trouble::Malformed(_)));
    let longer = |_| [b"l\x02\0\x01".as_slice(), &[0; 4], &[1, 0, 0, 0], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(bus(longer).unwrap_err(), Trouble::Malformed(_)));
    assert!(matches!(bus(|_| vec![0xff; 4096]).unwrap_err(), Trouble::Malformed(_)));
    assert_eq!(bus(|_| Vec::new()).unwrap_err(), Trouble::Timeout(PATIENCE.as_secs()));
    assert!(matches!(bus(|_| message(SIGNAL, 0, "").repeat(MOST_OTHERS)).unwrap_err(), Trouble::Malformed(_)));
}

#[test]
fn an_address_is_read_with_its_escapes_and_what_is_no_socket_of_this_machine_is_passed_over() {
    assert_eq!(
        sockets(
            "tcp:host=evil,port=1;unix:path=/run/a%20b,guid=1;unix:abstract=/tmp/x;unixexec:path=/bin/sh;unix:path=%zz"
        ),
        [Socket::Path("/run/a b".into()), Socket::Abstract("/tmp/x".to_owned())]
    );
    assert!(sockets("").is_empty());
    let nobody = Bus::open(&[Socket::Path("/nowhere/bus".into())], 0, PATIENCE).unwrap_err();
    assert!(matches!(nobody, Trouble::Unreachable(_)), "{nobody}");
}
