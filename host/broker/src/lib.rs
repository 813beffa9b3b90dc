//! The broker: the only crate that dials out, and the only one that holds credentials.
//!
//! A guest's request climbs the ladder in [`Call::send`]: it is parsed once, matched against the grant's routes,
//! stripped of nothing (what is not allowed is refused), sent only to addresses that were checked, with the credential
//! added last, and its answer is capped and searched for that credential before the guest sees it.
//! The broker runs no guest code and knows no engine; what crosses this wall is typed and buffered.

mod address;
mod budget;
mod call;
mod cause;
mod certificate;
mod check;
mod client;
mod credential;
mod denial;
mod dns;
mod egress;
mod error;
mod header;
mod logins;
mod rate;
mod request;
mod retry;
mod route;
mod source;
mod tls;
mod tokens;
mod verdict;

pub use call::Call;
pub use cause::Cause;
pub use certificate::{CertificateFacts, CertificateFault, certificate_facts, check_certificate};
pub use check::{check_grant, check_manifest};
pub use credential::{
    Parameters, Usual, check_credential, derived, every_usual_source, every_usual_source_of, identity_origin,
    is_source_parameter, kinds, login_origins, parse_credential, typed_origins, usual_audience, usual_sources,
};
pub use dns::network_class;
pub use egress::{Egress, Options};
pub use error::{Error, GrantFault, KeyFault, Unwrapping};
pub use logins::Logins;
pub use request::{Request, Response};
pub use reqwest::dns::{Addrs, Name, Resolve, Resolving};
pub use retry::Retries;
pub use source::{Source, Sources};
pub use tokens::{Tokens, Turn, binding as token_binding};
pub use verdict::{Refusal, Verdict};
