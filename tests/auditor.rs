//! A process that audits through the library and does nothing else: `auditor DATA COUNT ROTATE_AT`, a byte for each pair.
#![expect(clippy::unwrap_used, reason = "a tool of the tests fails by panicking")]

use std::io::Write as _;

use forge_core::audit::{Asked, Audit, Ended, Ending, Settings, Who};
use forge_core::home::Home;

fn main() {
    #[expect(clippy::disallowed_methods, reason = "the tests tell it what to do")]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, count, rotate_at] = arguments.try_into().unwrap();
    let place = |name: &str| std::path::Path::new(&data).join(name);
    let home = Home { config: place("config"), cache: place("cache"), data: data.into(), keyring: None };
    let settings = Settings { rotate_at: rotate_at.parse().unwrap(), ..Settings::default() };
    let who = Who { user: "auditor".to_owned(), program: "auditor".to_owned(), ..Who::default() };
    let audit = Audit::new(&home, settings, who);
    for number in 0..count.parse::<u64>().unwrap() {
        let path = format!("{}/{number}", std::process::id());
        let asked = Asked::new("auditor", "get", "local", &path, None);
        let id = audit.id().unwrap();
        if audit.begin([(&id, &asked)]).is_err() {
            std::process::exit(1);
        }
        let ended = Ended {
            cached: false,
            outcome: "ok",
            value_hmac: audit.value(path.as_bytes()),
            milliseconds: 0,
            ..Ended::default()
        };
        if audit.end(&[Ending { id, asked: &asked, ended: &ended, requests: Vec::new() }], true).is_err() {
            std::process::exit(1);
        }
        // Whoever counts the bytes knows what was acknowledged; that nobody does is no reason to stop.
        std::io::stdout().write_all(b".").and_then(|()| std::io::stdout().flush()).unwrap_or_default();
    }
}
