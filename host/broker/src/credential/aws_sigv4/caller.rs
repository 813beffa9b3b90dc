//! Whom an access key speaks for, asked of AWS itself ("AWS STS API Reference, GetCallerIdentity"), which needs no right.

use super::keys::Reading;
use super::refusal::{Refusal, element};
use super::sts::Sts;
use super::{KIND, partition};
use crate::Error;
use crate::credential::{Errand, question};

/// What the error texts call this request.
const WHAT: &str = "identity request";

/// The ARN and the account, in words for people: `arn:aws:iam::111122223333:user/x (account: 111122223333)`.
pub(super) async fn ask(sts: &Sts, reading: &Reading, place: &str, errand: &Errand<'_>) -> Result<String, Error> {
    let answer = sts.ask(WHAT, "Action=GetCallerIdentity&Version=2011-06-15", Some(reading), errand).await?;
    let (kind, origin, status) = (KIND.name, sts.origin.clone(), answer.status);
    match status {
        200 => identity(&answer.body).ok_or_else(|| sts.protocol(WHAT)),
        429 | 500..=599 => Err(Error::Unavailable { kind, origin, what: WHAT, status }),
        _ => Err(match Refusal::of(&answer) {
            Some(refusal) => refusal.error(&sts.origin, place.to_owned(), question::ahead(&answer.headers)),
            None => Error::Rejected { kind, origin, what: WHAT, status },
        }),
    }
}

/// The words for what the answer says; `None` for one whose parts can't be an ARN and an account.
fn identity(body: &[u8]) -> Option<String> {
    let xml = std::str::from_utf8(body).ok()?;
    let (arn, account) = (element(xml, "Arn")?, element(xml, "Account")?);
    // They are shown and kept, and a server may answer anything ("IAM User Guide, IAM identifiers").
    let is_arn = arn.starts_with("arn:")
        && arn.len() <= 2048
        && arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=,.@-".contains(&byte));
    // What is granted by ARN is held to this account, so both have to say the same.
    let is_account = partition::account(arn) == Some(account);
    (is_arn && is_account).then(|| format!("{arn} (account: {account})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_that_is_none_is_not_shown() {
        let answered = |arn: &str, account: &str| {
            identity(format!("<R><Arn>{arn}</Arn><UserId>x</UserId><Account>{account}</Account></R>").as_bytes())
        };
        assert_eq!(
            answered("arn:aws:iam::111122223333:user/dev", "111122223333").as_deref(),
            Some("arn:aws:iam::111122223333:user/dev (account: 111122223333)")
        );
        for (arn, account) in [
            ("arn:aws:iam::1:user/\u{1b}[31m", "111122223333"),
            ("arn:aws:iam::1:user/x</Arn><Arn>y", "111122223333"),
            ("root", "111122223333"),
            ("arn:aws:iam::11112222333x:user/x", "11112222333x"),
            ("arn:aws:iam::111122223333:user/x", "999999999999"),
            ("arn:aws:iam::1:user/x", ""),
        ] {
            assert_eq!(answered(arn, account), None, "{arn} {account}");
        }
    }
}
