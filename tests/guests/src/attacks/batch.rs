//! Answers a batch with fewer secrets than were asked for, with more, with ones that fill the host's memory, or not at all;
//! and one of which two requests were needed and the host refused one.

use forge_sdk::{Entry, Error, Page, Secret, http};

use crate::{Loot, granted};

/// The names that a copy of `batch/WAY/**` reads.
pub(crate) fn listing(way: &str) -> Page {
    Page { entries: (0..3).map(|number| Entry::new(format!("batch/{way}/{number}"))).collect(), next: None }
}

/// What is read alone.
pub(super) fn run(rest: &str) -> Loot {
    crate::text(format!("alone {rest}"))
}

/// The answers to a batch, in the way that the paths name.
pub(crate) fn many(paths: &[String]) -> Vec<Loot> {
    let way = paths.first().and_then(|path| path.split('/').nth(1)).unwrap_or_default();
    let mut answers: Vec<Loot> = paths.iter().map(|path| crate::text(format!("together {path}"))).collect();
    match way {
        "few" => drop(answers.pop()),
        "none" => answers.clear(),
        "more" => answers.push(crate::text("one more")),
        "flood" => answers.extend((0..100_000).map(|_| crate::text("x"))),
        "huge" => answers.iter_mut().for_each(|answer| *answer = Ok(Some(Secret::new(vec![b'x'; 20 << 20])))),
        "refused" => answers.iter_mut().for_each(|answer| *answer = Err(Error::upstream("not together"))),
        "half" => answers.splice(..2, [second_request(), Err(Error::invalid_request("its own"))]).for_each(drop),
        #[expect(clippy::panic, reason = "this is the attack")]
        "trap" => panic!("hunter2"),
        _ => {}
    }
    answers
}

/// What the second request of a call gets.
fn second_request() -> Loot {
    let url = granted("/v1/secret/data/loot")?;
    http::get(url.as_str()).send()?;
    http::get(url.as_str()).send()?;
    crate::text("two requests")
}
