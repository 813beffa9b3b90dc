//! Every attack by the name that a test reads it under.

pub(crate) mod batch;
pub(crate) mod big_request;
pub(crate) mod body;
mod call_loop;
pub(crate) mod circling;
mod denials;
pub(crate) mod endless_listing;
pub(crate) mod endless_versions;
mod environment;
pub(crate) mod escape_codes;
mod file_traversal;
mod flood;
pub(crate) mod foreign_key;
mod harmless;
pub(crate) mod hide_failed_write;
mod huge_message;
mod huge_name;
mod huge_url;
mod huge_value;
mod keep_state;
pub(crate) mod large_page;
mod log_flood;
pub(crate) mod long_cursor;
mod long_text;
pub(crate) mod many_files;
mod many_headers;
pub(crate) mod many_tags;
mod memory_bomb;
mod panic_with_secret;
mod random_flood;
mod recursion;
mod redirect_follow;
pub(crate) mod request;
mod search_memory;
pub(crate) mod signed;
mod spin;
mod token_mint;
pub(crate) mod trap_in_write;
pub(crate) mod write_through_read_only;

use crate::Loot;

/// An attack, given what stands behind its name in the path.
type Attack = fn(&str) -> Loot;

/// The attack of this name.
pub(crate) fn named(name: &str) -> Option<Attack> {
    Some(match name {
        "harmless" => harmless::run,
        // The network.
        "request" => request::run,
        "header" => request::with_header,
        "body" => body::run,
        "redirect-follow" => redirect_follow::run,
        "flood" => flood::one_by_one,
        "flood-at-once" => flood::at_once,
        "huge-url" => huge_url::run,
        "huge-header" => huge_url::with_header,
        "many-headers" => many_headers::run,
        "denials" => denials::run,
        "signed" => signed::run,
        "token-mint" => token_mint::run,
        "search-memory" => search_memory::run,
        // Resources.
        "batch" => batch::run,
        "spin" => spin::run,
        "call-loop" => call_loop::run,
        "memory-bomb" => memory_bomb::run,
        "recursion" => recursion::run,
        "log-flood" => log_flood::many,
        "log-length" => log_flood::long,
        "random-flood" => random_flood::run,
        "huge-value" => huge_value::run,
        "huge-message" => huge_message::run,
        "huge-name" => huge_name::run,
        "long-text" => long_text::run,
        "many-tags" => many_tags::run,
        "panic-with-secret" => panic_with_secret::run,
        // What lies around.
        "file-traversal" => file_traversal::run,
        "file-write" => file_traversal::write,
        "kept" => trap_in_write::kept,
        "environment" => environment::run,
        "keep-state" => keep_state::run,
        _ => return None,
    })
}
