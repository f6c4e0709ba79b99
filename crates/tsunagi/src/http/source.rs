//! Who sent a request, and whether it may come from there (F25).
//!
//! A proxy's word counts only if the proxy is one of `server.trusted_proxies`; otherwise anybody could claim any address.
//! The addresses that WeChat sends from are asked of WeChat (`callback_ips = true`): until a list is there everyone is
//! let in, and afterwards the last one holds. The signature is checked in any case.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use ::wechat::IpRange;
use axum::extract::Request;
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use super::listener::Peer;
use crate::config::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The addresses that each account's webhooks may come from, by account; none while nothing is known of them.
#[derive(Clone, Default)]
pub(crate) struct Sources(Arc<RwLock<HashMap<String, Vec<IpRange>>>>);

impl Sources {
    /// From now on these alone.
    pub(crate) fn set(&self, account: &str, ranges: Vec<IpRange>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned(), ranges);
    }

    /// Whether a webhook of this account may come from there.
    pub(super) fn allow(&self, account: &str, client: IpAddr) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(account).is_none_or(|ranges| ranges.iter().any(|range| range.contains(client)))
    }
}

/// The address of whoever sent a request.
pub(super) fn client(request: &Request, trusted: &[Network]) -> Option<IpAddr> {
    let Peer(peer) = *request.extensions().get::<Peer>()?;
    Some(behind(peer, request.headers(), trusted))
}

/// From the nearest to the farthest: each trusted proxy names the one before it; the first that is not trusted is the
/// client, whatever stands further left.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = peer;
    for named in chain(headers).into_iter().rev() {
        if !trusted.iter().any(|network| network.contains(client)) {
            break;
        }
        match named {
            Some(address) => client = address,
            // A proxy that hides who asked it stands for them.
            None => break,
        }
    }
    client
}

/// The addresses that the headers name, in their order; `None` for one that is no address.
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = |name| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
    let each = |name: HeaderName| values(name).flat_map(|value| value.split(',')).map(str::trim).collect();
    let named: Vec<&str> = each(X_FORWARDED_FOR);
    if !named.is_empty() {
        return named.into_iter().map(address).collect();
    }
    let named: Vec<&str> = each(FORWARDED);
    let of = |element: &str| {
        element.split(';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
        })
    };
    named.into_iter().map(of).collect()
}

/// `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let found = plain.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    found.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, header: &'static str, value: &'static str) -> String {
        let networks = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"].map(|network| {
            let (address, prefix) = network.split_once('/').unwrap();
            Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
        });
        let mut headers = HeaderMap::new();
        for value in value.split('|').filter(|value| !value.is_empty()) {
            headers.append(HeaderName::from_static(header), value.parse().unwrap());
        }
        behind(peer.parse().unwrap(), &headers, &networks).to_string()
    }

    #[test]
    fn f25_only_a_trusted_proxy_may_say_who_asked_it() {
        let xff = "x-forwarded-for";
        for (peer, header, value, client) in [
            ("203.0.113.9", xff, "", "203.0.113.9"),
            ("203.0.113.9", xff, "101.226.103.1", "203.0.113.9"),
            ("10.0.0.1", xff, "101.226.103.1", "101.226.103.1"),
            ("10.0.0.1", xff, "", "10.0.0.1"),
            // What the client itself wrote stands to the left of what the proxy saw.
            ("10.0.0.1", xff, "101.226.103.1, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", xff, "101.226.103.1|203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", xff, "203.0.113.9, 10.9.9.9, 127.0.0.1", "203.0.113.9"),
            ("10.0.0.1", xff, "10.0.0.7", "10.0.0.7"),
            ("10.0.0.1", xff, "101.226.103.1, unknown", "10.0.0.1"),
            ("10.0.0.1", xff, "101.226.103.1:4711", "101.226.103.1"),
            ("fd00::1", xff, "[2001:db8::1]:80", "2001:db8::1"),
            ("10.0.0.1", xff, "::ffff:101.226.103.1", "101.226.103.1"),
            ("10.0.0.1", "forwarded", "for=101.226.103.1;proto=https", "101.226.103.1"),
            ("10.0.0.1", "forwarded", "for=1.2.3.4, For=\"[2001:db8::1]:80\"", "2001:db8::1"),
            ("10.0.0.1", "forwarded", "for=_hidden", "10.0.0.1"),
            ("203.0.113.9", "forwarded", "for=101.226.103.1", "203.0.113.9"),
        ] {
            assert_eq!(seen(peer, header, value), client, "{peer} {header}: {value}");
        }
    }

    #[test]
    fn f25_without_a_list_everyone_is_let_in_and_with_one_its_addresses_alone() {
        let sources = Sources::default();
        let inside: IpAddr = "101.226.103.7".parse().unwrap();
        let outside: IpAddr = "203.0.113.9".parse().unwrap();
        assert!(sources.allow("shop", outside));
        sources.set("shop", vec!["101.226.103.0/25".parse().unwrap()]);
        assert!(sources.allow("shop", inside) && !sources.allow("shop", outside));
        assert!(sources.allow("second", outside));
    }

    proptest::proptest! {
        /// Whatever a stranger writes there: it ends, and without a trusted proxy it says nothing.
        #[test]
        fn f25_no_header_makes_a_panic_or_moves_an_untrusted_peer(
            values in proptest::collection::vec(proptest::collection::vec(0x20_u8..=0xff, 0..80), 0..4),
            forwarded in proptest::bool::ANY,
        ) {
            let name = if forwarded { FORWARDED } else { X_FORWARDED_FOR };
            let mut headers = HeaderMap::new();
            for value in values.iter().filter_map(|bytes| bytes.as_slice().try_into().ok()) {
                headers.append(&name, value);
            }
            let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
            let peer: IpAddr = "203.0.113.9".parse().unwrap();
            proptest::prop_assert_eq!(behind(peer, &headers, &[network("10.0.0.0", 8)]), peer);
            let everybody = [network("0.0.0.0", 0), network("::", 0)];
            let _ = behind(peer, &headers, &everybody);
        }
    }
}
