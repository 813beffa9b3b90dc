//! Addresses: which of them lie on the internet, in a private network, on this machine, or nowhere a request may go.
//!
//! Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and what they list), the IANA IPv6
//! Global Unicast registry (everything outside `2000::/3` is special), and each cloud's own documentation of its metadata server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use forge_core::grant::NetworkClass;

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the internet.
    Global,
    /// In a block that a site uses for itself.
    Private,
    /// On this machine.
    Loopback,
    /// Nowhere a request of a plugin may ever go: metadata servers, link-local, multicast, reserved, translated.
    Never,
}

/// Metadata servers and their like that lie outside the blocks refused below, by cloud.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud, ECS instance metadata
    Ipv4Addr::new(168, 63, 129, 16),   // Azure, the wire server of the virtual machine agent
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud, classic instances
];

/// The same in unique local IPv6 addresses.
const METADATA_V6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS, instance metadata
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS, EKS pod identity
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google Cloud, metadata server
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // Oracle Cloud, instance metadata
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // Scaleway, instance metadata
];

/// Blocks of IPv4 with a place of their own: network, prefix length, place.
const BLOCKS_V4: [(Ipv4Addr, u32, Place); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Place::Never),    // "this network", RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8, Place::Private), // RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10, Place::Private), // shared address space, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8, Place::Loopback), // RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16, Place::Never), // link-local, RFC 3927; metadata servers of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12, Place::Private), // RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24, Place::Never), // IETF protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24, Place::Never), // documentation, RFC 5737
    (Ipv4Addr::new(192, 31, 196, 0), 24, Place::Never), // AS112, RFC 7535
    (Ipv4Addr::new(192, 52, 193, 0), 24, Place::Never), // AMT, RFC 7450
    (Ipv4Addr::new(192, 88, 99, 0), 24, Place::Never), // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16, Place::Private), // RFC 1918
    (Ipv4Addr::new(192, 175, 48, 0), 24, Place::Never), // AS112, RFC 7534
    (Ipv4Addr::new(198, 18, 0, 0), 15, Place::Never), // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24, Place::Never), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24, Place::Never), // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4, Place::Never),  // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4, Place::Never),  // reserved and broadcast, RFC 1112 and RFC 8190
];

/// Blocks within `2000::/3` that are special all the same.
const BLOCKS_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // IETF protocol assignments: Teredo, ORCHID, benchmarking
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 3056: any IPv4 address in disguise
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112, RFC 7534
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// Where an address lies.
pub(crate) fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

/// The metadata servers that a login of the host's own may ask, by the addresses that each cloud documents.
const METADATA_ASKED: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // instance metadata of AWS, Azure and Google Cloud
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),   // AWS, ECS task credentials
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),  // AWS, EKS pod identity
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS, instance metadata
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)), // AWS, EKS pod identity
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google Cloud, metadata server
];

/// How far a connection may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the network that the origin was granted with.
    Network(NetworkClass),
    /// To a cloud's metadata server and nowhere else. Only logins of the host's own reach so; no request of a plugin does.
    Metadata,
}

impl Reach {
    /// Whether a connection may go to this address.
    pub(crate) fn permits(self, address: IpAddr) -> bool {
        match self {
            Self::Network(class) => permits(class, address),
            // Whoever answers for a metadata server's name gains nothing by naming this machine, or one of the network.
            Self::Metadata => METADATA_ASKED.contains(&address),
        }
    }
}

/// Whether a request to an origin of this class may go to this address.
pub(crate) fn permits(class: NetworkClass, address: IpAddr) -> bool {
    match (class, place(address)) {
        // A load balancer in a private network may get a public address tomorrow; the other way round is an attack.
        (NetworkClass::Public | NetworkClass::Private, Place::Global) => true,
        (NetworkClass::Private, Place::Private) => true,
        (NetworkClass::Loopback, Place::Loopback) => true,
        _ => false,
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    if METADATA_V4.contains(&address) {
        return Place::Never;
    }
    let within = |network: Ipv4Addr, length: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= length;
    BLOCKS_V4
        .iter()
        .find(|(network, length, _)| within(*network, *length))
        .map_or(Place::Global, |(_, _, place)| *place)
}

fn place_v6(address: Ipv6Addr) -> Place {
    let within = |network: Ipv6Addr, length: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= length;
    if METADATA_V6.contains(&address) {
        return Place::Never;
    }
    if address == Ipv6Addr::LOCALHOST {
        return Place::Loopback;
    }
    // Unique local addresses, RFC 4193.
    if within(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7) {
        return Place::Private;
    }
    // The well-known prefix of NAT64 (RFC 6052) is how a network without IPv4 reaches the IPv4 internet. It may not
    // stand for a non-global address, and one that does would smuggle a loopback or a metadata server past the table.
    if within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        let [.., a, b, c, d] = address.octets();
        return match place_v4(Ipv4Addr::new(a, b, c, d)) {
            Place::Global => Place::Global,
            _ => Place::Never,
        };
    }
    // Outside the global unicast block lie the unspecified, mapped, compatible, link-local, site-local and
    // multicast addresses, discard-only (RFC 6666), segment routing (RFC 9602) and local NAT64 (RFC 8215).
    let is_global_unicast = within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    if !is_global_unicast || BLOCKS_V6.iter().any(|(network, length)| within(*network, *length)) {
        return Place::Never;
    }
    Place::Global
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(text: &str) -> Place {
        place(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_global() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450:4001::1",
            "2001:200::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(of(text), Place::Global, "{text}");
        }
    }

    #[test]
    fn private_and_shared_blocks_are_private_to_their_edges() {
        for text in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "fc00::1",
            "fdff:ffff::1",
        ] {
            assert_eq!(of(text), Place::Private, "{text}");
        }
    }

    #[test]
    fn this_machine_is_loopback() {
        for text in ["127.0.0.1", "127.255.255.255", "127.0.0.2", "::1"] {
            assert_eq!(of(text), Place::Loopback, "{text}");
        }
    }

    #[test]
    fn metadata_servers_are_never_reached_however_they_are_written() {
        for text in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b::100.100.100.200",
        ] {
            assert_eq!(of(text), Place::Never, "{text}");
            for class in [NetworkClass::Public, NetworkClass::Private, NetworkClass::Loopback] {
                assert!(!permits(class, text.parse().unwrap()), "{text} as {class}");
            }
        }
    }

    #[test]
    fn special_blocks_and_embedded_private_addresses_are_never_reached() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert_eq!(of(text), Place::Never, "{text}");
        }
    }

    #[test]
    fn a_class_permits_its_own_places_and_no_other() {
        let [global, private, local] = ["1.1.1.1", "10.0.0.1", "127.0.0.1"].map(|text| text.parse::<IpAddr>().unwrap());
        let permitted = |class| [permits(class, global), permits(class, private), permits(class, local)];
        assert_eq!(permitted(NetworkClass::Public), [true, false, false]);
        assert_eq!(permitted(NetworkClass::Private), [true, true, false]);
        assert_eq!(permitted(NetworkClass::Loopback), [false, false, true]);
    }

    #[test]
    fn a_metadata_server_is_reached_by_a_login_alone_and_a_login_reaches_nothing_else_that_way() {
        for text in ["169.254.169.254", "169.254.170.2", "fd20:ce::254", "fd00:ec2::254"] {
            let address = text.parse().unwrap();
            assert!(Reach::Metadata.permits(address), "{text}");
            for class in [NetworkClass::Public, NetworkClass::Private, NetworkClass::Loopback] {
                assert!(!Reach::Network(class).permits(address), "{text}");
            }
        }
        for text in ["127.0.0.1", "10.0.0.1", "8.8.8.8", "169.254.1.1", "::1", "fd00::1", "::ffff:169.254.169.254"] {
            assert!(!Reach::Metadata.permits(text.parse().unwrap()), "{text}");
        }
    }
}
