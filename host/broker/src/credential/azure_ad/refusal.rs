//! Why Entra ID gave no token, read off the numbers of its answer and never off its words ("Microsoft Entra authentication
//! and authorization error codes", AADSTS).

use super::wire::Told;
use super::{KIND, WHAT};
use crate::Error;
use crate::error::GrantFault;

/// What each number means.
const CODES: [(u32, GrantFault); 22] = [
    (7_000_215, GrantFault::Secret),       // invalid client secret
    (7_000_216, GrantFault::Secret),       // a secret or an assertion is needed
    (7_000_218, GrantFault::Secret),       // the same
    (7_000_222, GrantFault::Expired),      // the secret has expired
    (90_002, GrantFault::Tenant),          // no such tenant
    (900_023, GrantFault::Tenant),         // what can't be the name of a tenant
    (90_013, GrantFault::Request),         // a parameter that can't be
    (700_016, GrantFault::Unknown),        // no such application in the tenant
    (7_000_229, GrantFault::Unknown),      // the application has no service principal in the tenant
    (7_000_112, GrantFault::Unauthorized), // the application is disabled
    (700_027, GrantFault::Assertion),      // the certificate is not registered, or did not sign this
    (50_027, GrantFault::Assertion),       // no such token
    (700_023, GrantFault::Assertion),      // the assertion is for somebody else
    (700_024, GrantFault::Time),           // the assertion is not in its time
    (70_021, GrantFault::Federation),      // no federated identity fits
    (700_213, GrantFault::Federation),     // the same, for its subject
    (700_211, GrantFault::Federation),     // the same, for its issuer
    (700_212, GrantFault::Federation),     // the same, for its audience
    (7_002_137, GrantFault::Federation),   // the same, for what it says of where it runs
    (7_002_138, GrantFault::Federation),   // the same
    (70_025, GrantFault::Federation),      // the application has none
    (500_011, GrantFault::Target),         // the tenant does not know the resource
];

/// The error that an answer stands for; `place` is where a person finds what it logged in with.
pub(super) fn error(told: &Told, origin: &str, place: String) -> Error {
    let (kind, what, origin, status) = (KIND.name, WHAT, origin.to_owned(), told.status);
    let fault = CODES.iter().find(|(code, _)| told.codes.contains(code)).map(|(_, fault)| *fault);
    match (fault, status) {
        (Some(fault), 400..=404) => Error::GrantRefused { kind, what, origin, place, fault },
        (_, 429 | 500..=599) => Error::Unavailable { kind, origin, what, status },
        (None, 400..=404) => Error::Rejected { kind, origin, what, status },
        _ => Error::Protocol { kind, origin, what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_says_what_is_wrong_and_an_unknown_one_says_its_status() {
        let told = |status: u16, codes: &[u32]| {
            error(&Told { status, codes: codes.to_vec() }, "https://login.example", "env:S".to_owned())
        };
        for (code, expected) in CODES {
            let error = told(401, &[1, code]);
            assert!(matches!(error, Error::GrantRefused { fault, .. } if fault == expected), "{code}");
        }
        assert!(matches!(told(400, &[50_034]), Error::Rejected { status: 400, .. }));
        assert!(matches!(told(503, &[7_000_215]), Error::Unavailable { .. }));
        assert!(matches!(told(302, &[]), Error::Protocol { .. }));
    }
}
