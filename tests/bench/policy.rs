//! The policy by itself: reading it, a decision that is made, one that was made already, and what it costs not to have one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use forge_core::config::{Layer, Owner, Place};
use forge_core::policy::{Action, Names, Policy, Principal, Source};

use super::{median, row};

/// How many roles there are.
const ROLES: usize = 30;

/// How many decisions that were made already are timed together.
const OFTEN: u32 = 1_000;

/// Roles of three rules each, a third of them given to the user 1000.
fn sources() -> Vec<Source> {
    let role = |number: usize| {
        let user = if number.is_multiple_of(3) { 1000 } else { 7 };
        format!(
            "[policy.roles.r{number}]\nmembers = [\"user:{user}\"]\nallow = [\"read store://dev/app{number}/**\", \
             \"write store://dev/app{number}/own/*\"]\ndeny = [\"get store://dev/app{number}/root\"]\n"
        )
    };
    let text: String = (0..ROLES).map(role).collect();
    let place = Place { owner: Owner::User, file: "/config.toml".into() };
    Layer::parse(text.as_bytes(), &place).unwrap().policies
}

fn asked(policy: &Policy, path: &str) -> Duration {
    let begun = Instant::now();
    assert!(black_box(policy.decide(Action::Get, "dev", path)).is_allowed);
    begun.elapsed()
}

fn often(policy: &Policy) -> Duration {
    let begun = Instant::now();
    (0..OFTEN).for_each(|_| drop(black_box(policy.decide(Action::Get, "dev", "app0/a"))));
    begun.elapsed()
}

pub(super) fn policy() {
    println!("\na policy of {ROLES} roles with 3 rules each, in process");
    let sources = sources();
    let new = || Policy::new(&sources, Principal::new(1000, [1000, 50], &Names::default()), None);
    let load = |_| {
        let (policy, begun) = (new(), Instant::now());
        policy.load().unwrap();
        begun.elapsed()
    };
    row("reading and checking it", median((0..9).map(load).collect()), None);
    let policy = new();
    policy.load().unwrap();
    let anew = median((0..3_000).map(|number| asked(&policy, &format!("app0/{number}"))).collect());
    row("a decision", anew, None);
    let median_of = |policy: &Policy| median((0..99).map(|_| often(policy)).collect());
    let (kept, none) = (median_of(&policy), median_of(&Policy::default()));
    row(&format!("{OFTEN} that were made already"), kept, None);
    row(&format!("{OFTEN} without a policy"), none, Some(("with one", kept)));
}
