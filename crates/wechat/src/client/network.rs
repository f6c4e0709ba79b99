//! Which addresses WeChat uses, and whether it reaches ours. Start at [`Client::callback_ips`] and
//! [`Client::callback_check`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::Answer;
use crate::client::{CallError, Client, unreadable};
use crate::wire;

/// An address or a range of addresses (CIDR), such as `101.226.103.0/25`.
///
/// ```
/// let range: wechat::IpRange = "101.226.103.0/25".parse()?;
/// assert!(range.contains("101.226.103.127".parse()?));
/// assert!(!range.contains("101.226.103.128".parse()?));
/// assert_eq!(range.to_string(), "101.226.103.0/25");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpRange {
    address: IpAddr,
    /// How many leading bits count.
    prefix: u8,
}

/// What is neither an address nor a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an IP address nor a range of them")]
pub struct IpRangeError;

impl IpRange {
    /// Whether the address is in the range. An IPv4 address may come in its IPv6 form (`::ffff:203.0.113.7`),
    /// as it does on a socket that takes both.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((own, own_v4), (given, given_v4)) = (bits(self.address), bits(address));
        let differing = (own ^ given).leading_zeros();
        own_v4 == given_v4 && differing >= u32::from(self.prefix)
    }

    /// The address, or the one that the range is written with.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count: 32 or 128 for a single address.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    fn from_str(text: &str) -> Result<IpRange, IpRangeError> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpRangeError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|&prefix| prefix <= most).ok_or(IpRangeError)?
            }
            Some(_) => return Err(IpRangeError),
        };
        Ok(IpRange { address, prefix })
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let single = self.prefix == if self.address.is_ipv4() { 32 } else { 128 };
        if single { write!(f, "{}", self.address) } else { write!(f, "{}/{}", self.address, self.prefix) }
    }
}

/// What [`Client::callback_check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackCheck {
    /// What the webhook's host name leads to.
    pub dns: Vec<Resolved>,
    /// How these addresses answer.
    pub ping: Vec<Pinged>,
}

/// An address of the webhook's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The address.
    pub ip: String,
    /// Whose network it is in.
    pub operator: String,
}

/// How an address of the webhook's host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinged {
    /// The address.
    pub ip: String,
    /// Whose network was asked from.
    pub operator: String,
    /// What was lost, as WeChat writes it, such as `0%`.
    pub package_loss: String,
    /// How long it took, as WeChat writes it, such as `23.079ms`.
    pub time: String,
}

/// The network from which [`Client::callback_check`] asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operator {
    /// WeChat chooses.
    #[default]
    Default,
    /// China Telecom.
    ChinaNet,
    /// China Unicom.
    Unicom,
    /// Tencent's own.
    Cap,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Operator::Default => "DEFAULT",
            Operator::ChinaNet => "CHINANET",
            Operator::Unicom => "UNICOM",
            Operator::Cap => "CAP",
        }
    }
}

impl Client {
    /// Lets WeChat look up and ping the host of the account's webhook (`POST /cgi-bin/callback/check`).
    ///
    /// Vendor page: `/doc/service/Basic_Information/Network_Detection.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 40201 when the account has no webhook.
    #[tracing::instrument(name = "wechat.callback_check", skip_all)]
    pub async fn callback_check(
        &self,
        access_token: &SecretString,
        operator: Operator,
    ) -> Result<CallbackCheck, CallError> {
        let body = wire::CallbackCheckRequest {
            action: "all".to_owned(),
            check_operator: operator.name().to_owned(),
        };
        let request = self.post(wire::CALLBACK_CHECK, access_token, &body);
        callback_check(&self.call(request, &[access_token.expose_secret()]).await?).ok_or_else(unreadable)
    }

    /// The addresses and ranges from which WeChat pushes (`GET /cgi-bin/getcallbackip`), for every kind of
    /// account. They change: ask about once a day, and keep the last list when the call fails.
    ///
    /// Vendor page: `/doc/offiaccount/subscription/guide/dev/Get_the_WeChat_server_IP_address.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. Entries that are neither an address nor a range are left out; a list that holds
    /// nothing else, or nothing at all, is [`CallError::Unclear`].
    #[tracing::instrument(name = "wechat.callback_ips", skip_all)]
    pub async fn callback_ips(&self, access_token: &SecretString) -> Result<Vec<IpRange>, CallError> {
        self.ip_list(wire::CALLBACK_IPS, access_token).await
    }

    /// The addresses of WeChat's API itself (`GET /cgi-bin/get_api_domain_ip`), for firewalls. Do not pin them:
    /// retired ones answer 48017.
    ///
    /// Vendor page: `/doc/offiaccount/subscription/guide/dev/Get_the_WeChat_server_IP_address.html`.
    ///
    /// # Errors
    ///
    /// As [`Client::callback_ips`].
    #[tracing::instrument(name = "wechat.api_ips", skip_all)]
    pub async fn api_ips(&self, access_token: &SecretString) -> Result<Vec<IpRange>, CallError> {
        self.ip_list(wire::API_IPS, access_token).await
    }

    async fn ip_list(&self, path: &str, access_token: &SecretString) -> Result<Vec<IpRange>, CallError> {
        let answer = self.call(self.get(path, access_token, &[]), &[access_token.expose_secret()]).await?;
        ip_list(&answer).ok_or_else(unreadable)
    }
}

/// `None` for a list without an address.
pub(super) fn ip_list(answer: &Answer) -> Option<Vec<IpRange>> {
    let entries = answer.texts("ip_list")?;
    let ranges: Vec<IpRange> = entries.iter().filter_map(|entry| entry.parse().ok()).collect();
    if ranges.is_empty() { None } else { Some(ranges) }
}

/// `None` where neither list is there.
pub(super) fn callback_check(answer: &Answer) -> Option<CallbackCheck> {
    let (dns, ping) = (answer.objects("dns"), answer.objects("ping"));
    if dns.is_none() && ping.is_none() {
        return None;
    }
    let resolved = |entry: &Answer| Resolved { ip: entry.text("ip"), operator: entry.text("real_operator") };
    let pinged = |entry: &Answer| Pinged {
        ip: entry.text("ip"),
        operator: entry.text("from_operator"),
        package_loss: entry.text("package_loss"),
        time: entry.text("time"),
    };
    Some(CallbackCheck {
        dns: dns.unwrap_or_default().iter().map(resolved).collect(),
        ping: ping.unwrap_or_default().iter().map(pinged).collect(),
    })
}
