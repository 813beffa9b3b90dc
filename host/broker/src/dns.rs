//! Names: the resolver that drops addresses a plugin's origin may not lead to, and what class an origin is of.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use forge_core::grant::NetworkClass;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::Error;
use crate::address::{self, Place, Reach};
use crate::cause::Cause;

/// How many addresses of one name are looked at: more than any real name has.
const MOST: usize = 64;

/// How long a lookup for [`network_class`] may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The system's own resolver.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?;
            let found: Vec<SocketAddr> = found.take(MOST).collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The system knows no address of a name; why not is told in no way that a program could rely on.
#[derive(Debug, thiserror::Error)]
#[error("the name was not found")]
pub(crate) struct Unresolved;

/// The given resolver, or the system's.
pub(crate) fn or_system(given: Option<&Arc<dyn Resolve>>) -> Arc<dyn Resolve> {
    given.cloned().unwrap_or_else(|| Arc::new(System))
}

/// The name was resolved, and none of its addresses may be used.
#[derive(Debug, thiserror::Error)]
#[error("no address of the name lies in the {0} network")]
pub(crate) struct Outside(pub(crate) NetworkClass);

/// The name of a metadata server was resolved, and none of its addresses is one.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to no metadata server of a cloud")]
pub(crate) struct NoMetadata;

/// Resolves through another resolver and answers only what may be reached.
///
/// The connection goes to exactly these addresses, so a name that answers a public address first and this machine's
/// a moment later (DNS rebinding) gains nothing.
pub(crate) struct Pinned {
    pub(crate) inner: Arc<dyn Resolve>,
    pub(crate) reach: Reach,
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolving, reach) = (self.inner.resolve(name), self.reach);
        Box::pin(async move {
            let found = resolving.await?;
            let permitted: Vec<SocketAddr> = found
                .take(MOST)
                .filter(|found| reach.permits(found.ip()))
                // The port is the URL's; a resolver has no say in it.
                .map(|found| SocketAddr::new(found.ip(), 0))
                .collect();
            if permitted.is_empty() {
                return Err(match reach {
                    Reach::Network(class) => Outside(class).into(),
                    Reach::Metadata => NoMetadata.into(),
                });
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The host of an origin.
pub(crate) fn host(origin: &str) -> Result<Host<String>, Error> {
    let refuse = || Error::Network { origin: forge_core::manifest::printable(origin), what: "is no origin".to_owned() };
    let url = Url::parse(origin).map_err(|_| refuse())?;
    url.host().map(|host| host.to_owned()).ok_or_else(refuse)
}

/// The network class of an origin and the addresses it has now, as `provider add` shows and records them.
///
/// # Errors
/// [`Error::Unreachable`] when the name can't be resolved; [`Error::Network`] when its addresses may never be used
/// (metadata servers, link-local, reserved) or lie both on this machine and elsewhere.
pub async fn network_class(origin: &str, dns: Option<&Arc<dyn Resolve>>) -> Result<(NetworkClass, Vec<IpAddr>), Error> {
    let addresses = match host(origin)? {
        Host::Ipv4(address) => vec![IpAddr::V4(address)],
        Host::Ipv6(address) => vec![IpAddr::V6(address)],
        Host::Domain(name) => lookup(origin, &name, dns).await?,
    };
    let refuse = |what: &str| Error::Network { origin: origin.to_owned(), what: what.to_owned() };
    let has = |place| addresses.iter().any(|found| address::place(*found) == place);
    let class = match (has(Place::Loopback), has(Place::Private), has(Place::Global)) {
        (true, false, false) => NetworkClass::Loopback,
        (true, _, _) => return Err(refuse("leads both to this machine and elsewhere")),
        (false, true, _) => NetworkClass::Private,
        (false, false, true) => NetworkClass::Public,
        (false, false, false) => {
            return Err(refuse(
                "leads only to addresses that no provider may use (metadata servers, link-local, reserved)",
            ));
        }
    };
    Ok((class, addresses.into_iter().filter(|found| address::permits(class, *found)).collect()))
}

async fn lookup(origin: &str, name: &str, dns: Option<&Arc<dyn Resolve>>) -> Result<Vec<IpAddr>, Error> {
    let unreachable = |cause: Cause| Error::Unreachable { origin: origin.to_owned(), cause };
    let name: Name = name.parse().map_err(|_| unreachable(Cause::Other("its name is no host name".to_owned())))?;
    let resolving = or_system(dns).resolve(name);
    let found = tokio::time::timeout(PATIENCE, resolving)
        .await
        .map_err(|_| Error::Timeout { origin: origin.to_owned() })?
        .map_err(|error| {
            let other = || Cause::Other(forge_core::manifest::printable(&error.to_string()));
            unreachable(Cause::of(&*error).unwrap_or_else(other))
        })?;
    let mut addresses: Vec<IpAddr> = found.take(MOST).map(|found| found.ip()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(unreachable(Cause::NameNotFound));
    }
    Ok(addresses)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    struct Fixed(Vec<&'static str>);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let found: Vec<SocketAddr> = self.0.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 99)).collect();
            Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
        }
    }

    async fn class_of(found: &[&'static str]) -> Result<(NetworkClass, Vec<IpAddr>), Error> {
        let dns: Arc<dyn Resolve> = Arc::new(Fixed(found.to_vec()));
        network_class("https://vault.example.com", Some(&dns)).await
    }

    #[tokio::test]
    async fn an_origin_is_of_the_class_its_addresses_lie_in() {
        assert_eq!(class_of(&["1.1.1.1"]).await.unwrap().0, NetworkClass::Public);
        assert_eq!(class_of(&["10.0.0.1", "fd00::1"]).await.unwrap().0, NetworkClass::Private);
        assert_eq!(class_of(&["1.1.1.1", "10.0.0.1"]).await.unwrap().0, NetworkClass::Private);
        assert_eq!(class_of(&["127.0.0.1", "::1"]).await.unwrap().0, NetworkClass::Loopback);
    }

    #[tokio::test]
    async fn an_address_that_may_never_be_used_is_neither_shown_nor_enough() {
        let (class, addresses) = class_of(&["1.1.1.1", "169.254.169.254"]).await.unwrap();
        assert_eq!((class, addresses), (NetworkClass::Public, vec!["1.1.1.1".parse().unwrap()]));
        assert!(matches!(class_of(&["169.254.169.254"]).await, Err(Error::Network { .. })));
        assert!(matches!(class_of(&["127.0.0.1", "1.1.1.1"]).await, Err(Error::Network { .. })));
        assert!(matches!(class_of(&[]).await, Err(Error::Unreachable { .. })));
    }

    #[tokio::test]
    async fn an_address_in_an_origin_is_classed_without_a_lookup() {
        assert_eq!(network_class("http://127.0.0.1:8200", None).await.unwrap().0, NetworkClass::Loopback);
        assert_eq!(network_class("http://[fd00::1]:8200", None).await.unwrap().0, NetworkClass::Private);
        for origin in ["http://169.254.169.254", "http://[::ffff:127.0.0.1]", "http://0.0.0.0"] {
            assert!(matches!(network_class(origin, None).await, Err(Error::Network { .. })), "{origin}");
        }
    }

    #[tokio::test]
    async fn a_pinned_resolver_drops_what_its_class_does_not_permit_and_the_port() {
        let reach = Reach::Network(NetworkClass::Public);
        let pinned = |found: &[&'static str]| Pinned { inner: Arc::new(Fixed(found.to_vec())), reach };
        let found: Vec<SocketAddr> = pinned(&["127.0.0.1", "1.1.1.1", "169.254.169.254"])
            .resolve("a.example".parse().unwrap())
            .await
            .unwrap()
            .collect();
        assert_eq!(found, ["1.1.1.1:0".parse().unwrap()]);
        let outcome = pinned(&["127.0.0.1", "10.0.0.1"]).resolve("a.example".parse().unwrap()).await;
        assert!(outcome.is_err_and(|error| error.downcast_ref::<Outside>().is_some()));
    }
}
