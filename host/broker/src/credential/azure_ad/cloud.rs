//! The clouds of Azure: how the names of their vaults end, what a token for a vault is for, and where it is given.
//!
//! Sources: "Azure Key Vault security, DNS suffixes for base URLs", "Authentication, requests and responses" and "National
//! clouds, Microsoft Entra authentication endpoints".

/// A cloud with vaults, tenants and logins of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cloud {
    /// How the names of its vaults end. Managed HSMs, which have a domain and a resource of their own, are none.
    pub(super) suffix: &'static str,
    /// What a token for its vaults is for.
    pub(super) resource: &'static str,
    /// Where it gives tokens.
    pub(super) login: &'static str,
    /// As which its challenges may name that place as well.
    others: &'static [&'static str],
}

static CLOUDS: [Cloud; 3] = [
    Cloud {
        suffix: ".vault.azure.net",
        resource: "https://vault.azure.net",
        login: "https://login.microsoftonline.com",
        others: &["https://login.windows.net"],
    },
    Cloud {
        suffix: ".vault.azure.cn",
        resource: "https://vault.azure.cn",
        login: "https://login.chinacloudapi.cn",
        others: &["https://login.partner.microsoftonline.cn"],
    },
    Cloud {
        suffix: ".vault.usgovcloudapi.net",
        resource: "https://vault.usgovcloudapi.net",
        login: "https://login.microsoftonline.us",
        others: &[],
    },
];

impl Cloud {
    /// The cloud whose vault this origin is, by its name.
    pub(super) fn of_origin(origin: &str) -> Option<&'static Self> {
        let host = origin.strip_prefix("https://")?;
        // A vault's name is one label of 3 to 24 letters, digits and dashes ("Azure Key Vault basic concepts"); a port would
        // be another server's.
        let is_name = |name: &str| {
            (3..=24).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        CLOUDS.iter().find(|cloud| host.strip_suffix(cloud.suffix).is_some_and(is_name))
    }

    /// The cloud whose vaults' tokens are for this resource.
    pub(super) fn of_resource(resource: &str) -> Option<&'static Self> {
        CLOUDS.iter().find(|cloud| cloud.resource == resource)
    }

    /// Whether a challenge may name this origin as the one that gives its tokens.
    pub(super) fn is_login(&self, origin: &str) -> bool {
        self.login == origin || self.others.contains(&origin)
    }

    /// What a token for its vaults is asked for with ("OAuth 2.0 client credentials flow", `/.default`).
    pub(super) fn scope(&self) -> String {
        format!("{}/.default", self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_is_told_by_its_name_and_nothing_that_looks_like_one_is() {
        for (origin, resource) in [
            ("https://my-vault.vault.azure.net", "https://vault.azure.net"),
            ("https://kv1.vault.azure.cn", "https://vault.azure.cn"),
            ("https://kv1.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net"),
        ] {
            assert_eq!(Cloud::of_origin(origin).map(|cloud| cloud.resource), Some(resource), "{origin}");
        }
        for origin in [
            "http://my-vault.vault.azure.net",
            "https://my-vault.vault.azure.net:8443",
            "https://vault.azure.net",
            "https://.vault.azure.net",
            "https://a.b.vault.azure.net",
            "https://my-vault.vault.azure.net.evil.example",
            "https://myvault-vault.azure.net",
            "https://my-vault.managedhsm.azure.net",
            "https://MY.vault.azure.net",
        ] {
            assert_eq!(Cloud::of_origin(origin), None, "{origin}");
        }
    }
}
