//! What is asked in the place of a backend that is unavailable, and what is told of it.
//!
//! A backend that denies, or says that there is no such secret, has answered, and nothing stands in for an answer: whoever
//! was locked out of one backend must not be let in by another.

use super::copies::{Answer, is_away};
use super::{Resolver, Target};
use crate::Kind;
use crate::provider::Failure;
use crate::reference::Reference;

/// What became of a stand-in.
pub(super) enum Turn<T> {
    /// It answered.
    Answered(T),
    /// So far nothing did; whether the next one may be asked.
    Failed(Failure, bool),
}

/// A secret's name as a person would write it.
pub(super) fn named(target: Target<'_>) -> String {
    let reference = Reference {
        provider: target.provider.map(str::to_owned),
        path: target.path.to_owned(),
        version: target.version.map(str::to_owned),
        field: None,
    };
    reference.to_string()
}

impl Resolver {
    /// Whether the default provider's stand-ins may be asked for this: a bare path's current version. A provider that was
    /// named is meant, and versions of one backend are none of another's.
    pub(super) fn is_stood_in_for(&self, target: Target<'_>) -> bool {
        target.provider.is_none() && target.version.is_none() && !self.manner.fallback.is_empty()
    }

    /// What a stand-in's answer makes of a failure.
    pub(super) fn turned<T>(
        &self,
        first: &Failure,
        wanted: &str,
        stand_in: &str,
        answer: Result<T, Failure>,
    ) -> Turn<T> {
        match answer {
            Ok(answer) => {
                let told = format!("`{stand_in}` answers in place of `{wanted}`: {}", first.what);
                self.manner.notices.warn(told);
                Turn::Answered(answer)
            }
            Err(failure) => {
                let what = format!("{}; in its place `{stand_in}`: {}", first.what, failure.what);
                // The kind is that of the backend that is away: it decides whether trying again helps.
                Turn::Failed(Failure { what, ..first.clone() }, is_away(&failure))
            }
        }
    }

    /// Asks the default provider's stand-ins for a secret, in turn.
    pub(super) async fn read_elsewhere(&self, target: Target<'_>, first: Failure) -> Answer {
        let wanted = named(target);
        let mut failed = first;
        for provider in &self.manner.fallback {
            let target = Target { provider: Some(provider), ..target };
            let answer = self.read_one(target, Some(&wanted)).await.and_then(found);
            match self.turned(&failed, &wanted, &named(target), answer) {
                Turn::Answered(secret) => return Ok(Some(secret)),
                Turn::Failed(failure, goes_on) => {
                    failed = failure;
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        Err(failed)
    }
}

/// A secret, where there is one: that a stand-in has none is no answer to what was asked.
pub(super) fn found<T>(secret: Option<T>) -> Result<T, Failure> {
    secret.ok_or_else(|| Failure::new(Kind::NotFound, "there is no such secret or version"))
}
