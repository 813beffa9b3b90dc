//! Partitions: what follows from a region, and from an identity, for the names of hosts and of resources.

use forge_core::grant::Derived;
use forge_core::setting::Settings;

use super::endpoint::is_region;
use crate::credential::Derives;

/// A part of AWS with accounts, names and domains of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// As ARNs name it.
    pub(super) id: &'static str,
    /// How its regions begin.
    start: &'static str,
    /// The domain of its endpoints.
    pub(super) domain: &'static str,
}

/// The partition of all regions that no other one has.
const USUAL: Partition = Partition { id: "aws", start: "", domain: "amazonaws.com" };

/// The others ("Amazon Resource Names (ARNs)" in the IAM user guide, and `partitions.json` of AWS' own botocore).
const OTHERS: [Partition; 7] = [
    Partition { id: "aws-cn", start: "cn-", domain: "amazonaws.com.cn" },
    Partition { id: "aws-us-gov", start: "us-gov-", domain: "amazonaws.com" },
    Partition { id: "aws-eusc", start: "eusc-", domain: "amazonaws.eu" },
    Partition { id: "aws-iso", start: "us-iso-", domain: "c2s.ic.gov" },
    Partition { id: "aws-iso-b", start: "us-isob-", domain: "sc2s.sgov.gov" },
    Partition { id: "aws-iso-e", start: "eu-isoe-", domain: "cloud.adc-e.uk" },
    Partition { id: "aws-iso-f", start: "us-isof-", domain: "csp.hci.ic.gov" },
];

/// The partition in which a region lies.
pub(super) fn of(region: &str) -> &'static Partition {
    OTHERS.iter().find(|other| region.starts_with(other.start)).unwrap_or(&USUAL)
}

/// `{partition}` and `{dns-suffix}` follow from the setting `region`, `{account}` is the identity's.
pub(super) const DERIVES: Derives = Derives { followed: &["partition", "dns-suffix"], learnt: &["account"], make };

fn make(settings: &Settings, identity: Option<&str>) -> Result<Derived, String> {
    let account = identity.and_then(account).map(str::to_owned);
    let mut derived = Derived { learnt: [("account".to_owned(), account)].into(), ..Derived::default() };
    if let Some(region) = settings.get("region") {
        if !is_region(region) {
            return Err("setting `region` must be one such as `eu-central-1`".to_owned());
        }
        let partition = of(region);
        for (name, value) in [("partition", partition.id), ("dns-suffix", partition.domain)] {
            derived.followed.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(derived)
}

/// The account of an identity, which begins with an ARN: the fifth part ("IAM identifiers" in the IAM user guide).
pub(super) fn account(identity: &str) -> Option<&str> {
    let account = identity.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::super::endpoint::Endpoint;
    use super::*;

    fn made(region: &str, identity: Option<&str>) -> Result<Derived, String> {
        make(&[("region".to_owned(), region.to_owned())].into(), identity)
    }

    #[test]
    fn partition_and_domain_follow_from_the_region() {
        for (region, partition, domain) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("cn-northwest-1", "aws-cn", "amazonaws.com.cn"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
        ] {
            let followed = made(region, None).unwrap().followed;
            assert_eq!((followed["partition"].as_str(), followed["dns-suffix"].as_str()), (partition, domain));
        }
        for region in ["", "eu", "evil", "eu-central", "eu-central-1.evil", "EU-CENTRAL-1"] {
            assert!(made(region, None).unwrap_err().contains("`region`"), "{region}");
        }
        assert!(make(&Settings::new(), None).unwrap().followed.is_empty());
    }

    #[test]
    fn what_follows_from_a_region_of_a_public_partition_is_an_endpoint_of_aws_own() {
        for region in ["eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"] {
            let followed = made(region, None).unwrap().followed;
            let origin = format!("https://secretsmanager.{region}.{}", followed["dns-suffix"]);
            assert_eq!(Endpoint::of_origin(&origin).unwrap().region, region);
        }
    }

    #[test]
    fn the_account_is_that_of_the_identity_and_of_nothing_else() {
        let account = |identity| made("eu-central-1", identity).unwrap().learnt["account"].clone();
        let user = "arn:aws:iam::111122223333:user/dev (account: 111122223333)";
        assert_eq!(account(Some(user)).as_deref(), Some("111122223333"));
        let role = "arn:aws-cn:sts::111122223333:assumed-role/a/b (account: 111122223333)";
        assert_eq!(account(Some(role)).as_deref(), Some("111122223333"));
        for none in ["", "arn:aws:iam::*:user/dev", "arn:aws:iam::1111:user/dev", "token of somebody", "any"] {
            assert_eq!(account(Some(none)), None, "{none}");
        }
        assert_eq!(account(None), None);
    }
}
