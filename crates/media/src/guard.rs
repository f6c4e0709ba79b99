//! Which addresses a stranger's link may lead to: those of the public internet, and what the operator allows.
//!
//! The check is at the resolver of the connection itself, so the address that was checked is the one that is
//! connected to; a name that has even one address in a private network is refused as a whole.
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Says which addresses may be reached although they are not public.
pub type Allow = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What the guard turns away. Never names the address: it came from a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("the address is in a private or special network")]
    Private,
    #[error("the address is neither http nor https")]
    Scheme,
    #[error("the address cannot be read")]
    Unreadable,
}

/// Decides, and resolves names for the client.
#[derive(Clone)]
pub(crate) struct Guard {
    allow: Allow,
    names: Names,
}

#[derive(Clone)]
enum Names {
    System,
    /// A test's own.
    #[cfg(test)]
    Fixed(Arc<std::collections::HashMap<String, Vec<IpAddr>>>),
}

impl Guard {
    pub(crate) fn new(allow: Allow) -> Guard {
        Guard { allow, names: Names::System }
    }

    #[cfg(test)]
    pub(crate) fn with_names(self, names: std::collections::HashMap<String, Vec<IpAddr>>) -> Guard {
        Guard { names: Names::Fixed(Arc::new(names)), ..self }
    }

    /// Whether this very address may be asked; names are checked once they are resolved.
    pub(crate) fn url(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Scheme);
        }
        match url.host() {
            // The parser has already made one form of decimal, octal and shortened ones.
            Some(Host::Ipv4(address)) => self.address(address.into()),
            Some(Host::Ipv6(address)) => self.address(address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Forbidden::Unreadable),
        }
    }

    fn address(&self, address: IpAddr) -> Result<(), Forbidden> {
        if is_public(address) || (self.allow)(address.to_canonical()) {
            Ok(())
        } else {
            Err(Forbidden::Private)
        }
    }

    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        match &self.names {
            Names::System => {
                Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Names::Fixed(names) => Ok(names.get(name).cloned().unwrap_or_default()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.lookup(name.as_str()).await?;
            for address in &found {
                guard.address(*address)?;
            }
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, link-local, multicast and all above.
        (0 | 10 | 127 | 224..=255, _, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Shared by carriers, and benchmarks.
        (100, 64..=127, _) | (198, 18..=19, _) => true,
        // Protocol assignments, documentation, the old 6to4 relays.
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let s = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s[0] {
        // NAT64: the IPv4 address is at the end.
        0x0064 if s[1..6] == [0xff9b, 0, 0, 0, 0] => is_public_v4(inner(s[6], s[7])),
        // Protocol assignments with Teredo, and documentation.
        0x2001 if s[1] < 0x0200 || s[1] == 0x0db8 => false,
        // 6to4: the IPv4 address comes next.
        0x2002 => is_public_v4(inner(s[1], s[2])),
        0x3fff => false,
        // Global unicast is all that is handed out.
        first => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "101.226.103.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "100.128.0.1",
            "223.255.255.254",
            "::ffff:1.1.1.1",
            "2400:3200::1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn hosts_in_disguise_are_read_as_what_they_are() {
        let guard = Guard::new(Arc::new(|_| false));
        for text in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://[::ffff:7f00:1]/",
            "http://127.0.0.1.:80/",
            "https://169.254.169.254/latest/meta-data/",
            "http://１２７.０.０.１/",
            "http://user:password@10.0.0.1/",
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(guard.url(&url), Err(Forbidden::Private), "{text}");
        }
        for text in ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "data:text/plain,x"]
        {
            assert_eq!(guard.url(&Url::parse(text).unwrap()), Err(Forbidden::Scheme), "{text}");
        }
        let loopback = Guard::new(Arc::new(|address| address.is_loopback()));
        let url = Url::parse("http://127.0.0.1:1/").unwrap();
        assert_eq!(loopback.url(&url), Ok(()));
    }
}
