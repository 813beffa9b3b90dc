//! Listing names ("GetSecrets"), which also is the cheapest way to ask for anything, and the pages of any listing.

use forge_sdk::http::Response;
use forge_sdk::{Error, ErrorKind, Page, log};
use serde::Deserialize;

use crate::bundle::Bundle;
use crate::{call, history, name};

/// The most items of one page ("GetSecrets", parameter `maxresults`).
pub(crate) const PAGE: u32 = 25;
/// The name of a link's parameter that marks where the next page begins.
const MARK: &str = "$skiptoken";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    value: Vec<Bundle>,
    next_link: Option<String>,
}

/// The items of an answer, and the mark of the page behind it.
///
/// # Errors
///
/// `upstream` for an answer that is no listing, or leads on in no way that can be followed.
pub(crate) fn items(response: &Response) -> Result<(Vec<Bundle>, Option<String>), Error> {
    let listed: Listed = response.json("a list")?;
    let link = listed.next_link.filter(|link| !link.is_empty());
    let next = link.map(|link| mark(&link).ok_or_else(|| Error::upstream("the list's next page has no mark")));
    Ok((listed.value, next.transpose()?))
}

/// The mark in a link. Nothing else of it is followed: the next page is asked for at the vault that was granted.
fn mark(link: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, mark) = pairs.find(|(name, _)| *name == MARK || name.eq_ignore_ascii_case("%24skiptoken"))?;
    decoded(mark).filter(|mark| !mark.is_empty())
}

/// A text without its percent triplets.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Proves that settings and token work. Who may not list is one whom the vault knows, and may still read.
///
/// # Errors
///
/// What is wrong with the settings or the token.
pub(crate) fn check() -> Result<(), Error> {
    match call::page("secrets", 1, None) {
        Err(error) if error.kind() == ErrorKind::AccessDenied => {
            log::warn("this identity may not list secrets, so this proves only that the vault accepts it");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// One page of the secrets; names have no segments, so at or below a prefix lies the secret of that name and no other.
///
/// # Errors
///
/// `invalid-request` for a cursor that is none of the service's, and what it said.
pub(crate) fn page(prefix: Option<&str>, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    if let Some(prefix) = prefix {
        let current = if name::is_name(prefix) { history::current(prefix)? } else { None };
        return Ok(Page { entries: current.iter().map(|current| current.entry(prefix)).collect(), next: None });
    }
    let (items, next) = items(&call::page("secrets", limit.clamp(1, PAGE), cursor)?)?;
    let entry = |item: &Bundle| item.name().map(|name| item.entry(name));
    Ok(Page { entries: items.iter().map(entry).collect::<Result<_, _>>()?, next })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::call::tests::{answering, places};

    const ALL: &str = "secrets?&maxresults=25";

    #[test]
    fn a_page_has_names_and_tags_and_the_mark_of_the_next_page() {
        let body = r#"{"value":[{"id":"https://v.example/secrets/a","attributes":{"enabled":false},"tags":{"x":"y"}},
            {"id":"https://v.example/secrets/b"}],
            "nextLink":"https://evil.example/secrets?api-version=1&$skiptoken=ey%2FJ%2B%3d&maxresults=25"}"#;
        answering(&[("GET", ALL, 200, body)]);
        let listed = page(None, None, 1000).unwrap();
        let names: Vec<&str> = listed.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!((names, listed.next.as_deref()), (vec!["a", "b"], Some("ey/J+=")));
        let second = "secrets?&maxresults=25&$skiptoken=ey%2FJ%2B%3D";
        answering(&[("GET", second, 200, r#"{"value":[],"nextLink":null}"#)]);
        assert_eq!(page(None, Some("ey/J+="), 1000).unwrap(), Page::default());
        // Whatever host the link names, the next page is asked for at the vault.
        assert_eq!(places(), ["GET /secrets&maxresults=25&$skiptoken=ey%2FJ%2B%3D"]);
    }

    #[test]
    fn a_link_without_a_mark_is_no_end_of_the_list() {
        for link in ["https://v.example/secrets", "x?$skiptoken=", "x?$skiptoken=%2", "x?$skiptoken=%ff", "x?other=1"] {
            answering(&[("GET", ALL, 200, &format!(r#"{{"value":[],"nextLink":"{link}"}}"#))]);
            assert_eq!(page(None, None, 25).unwrap_err().kind(), ErrorKind::Upstream, "{link}");
        }
        for end in [r#"{"value":[]}"#, r#"{"value":[],"nextLink":""}"#] {
            answering(&[("GET", ALL, 200, end)]);
            assert_eq!(page(None, None, 25).unwrap(), Page::default());
        }
    }

    #[test]
    fn below_a_name_lies_the_secret_of_that_name_alone() {
        let body = r#"{"value":[{"id":"https://v.example/secrets/app/12"}]}"#;
        answering(&[("GET", "secrets/app/versions?&maxresults=25", 200, body)]);
        let listed = page(Some("app"), None, 1000).unwrap();
        assert_eq!(listed.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["app"]);
        answering(&[]);
        assert_eq!(page(Some("app/db"), None, 1000).unwrap(), Page::default());
        assert_eq!(places(), [""; 0]);
    }

    #[test]
    fn who_may_not_list_still_proves_to_be_known() {
        answering(&[("GET", "secrets?&maxresults=1", 403, r#"{"error":{"code":"Forbidden"}}"#)]);
        check().unwrap();
        assert_eq!(forge_sdk::fake::lines().len(), 1);
        answering(&[("GET", "secrets?&maxresults=1", 401, r#"{"error":{"code":"Unauthorized"}}"#)]);
        assert_eq!(check().unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
}
