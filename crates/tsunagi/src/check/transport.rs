//! Why a connection failed, in words, and what to do about it.

use std::error::Error;
use std::io;

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// For programs.
    pub(super) name: &'static str,
    pub(super) what: String,
    pub(super) todo: &'static str,
}

/// Reads it off the chain of causes. The words hold no URL.
pub(super) fn broken(error: &reqwest::Error) -> Broken {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut seen_io = None;
    let (mut dns, mut greeting) = (false, false);
    while let Some(error) = cause {
        if let Some(tls) = tls_of(error) {
            return tls_broken(tls);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            seen_io = seen_io.or(Some(io.kind()));
        }
        let words = error.to_string();
        dns |= words.contains("dns error");
        greeting |= words.contains("tls handshake eof");
        cause = error.source();
    }
    let broken = |name, what: &str, todo| Broken { name, what: what.to_owned(), todo };
    match seen_io {
        _ if dns => broken(
            "dns",
            "the host name cannot be resolved",
            "check the name, and this machine's DNS (/etc/resolv.conf)",
        ),
        _ if greeting => tls_broken(&rustls::Error::HandshakeNotComplete),
        Some(io::ErrorKind::ConnectionRefused) => broken(
            "refused",
            "the connection is refused: nothing listens there",
            "start what should listen there, and check address and port",
        ),
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => broken(
            "unreachable",
            "there is no route to the host",
            "check this machine's network, and the firewalls on the way",
        ),
        _ if error.is_timeout() => broken(
            "timeout",
            "nothing was answered in time",
            "check the firewalls on the way, and how busy the other side is",
        ),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => {
            broken(
                "cut",
                "the connection was cut before an answer",
                "check the proxies and firewalls on the way, and the log of the other side",
            )
        }
        _ => broken(
            "cut",
            "the connection failed before an answer",
            "check the address, and the proxies and firewalls on the way",
        ),
    }
}

/// An I/O error hides the one that it was made from, which may be another such, from its own chain of causes.
fn tls_of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut error = error;
    while let Some(inside) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = inside;
    }
    error.downcast_ref()
}

fn tls_broken(error: &rustls::Error) -> Broken {
    use rustls::CertificateError as Certificate;
    let (what, todo) = match error {
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            ("the certificate has expired", "renew it (certbot renew, or whatever renews it here)")
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => (
            "the certificate is for another host name",
            "get one for the host of this address, or correct the address",
        ),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. },
        ) => ("the certificate is not valid yet", "check this machine's clock, and the certificate's dates"),
        rustls::Error::InvalidCertificate(_) => (
            "the certificate is not trusted",
            "use one of a public authority, and let the server send the whole chain (fullchain.pem), not the leaf alone",
        ),
        _ => {
            return Broken {
                name: "tls",
                what: "what answers there does not speak TLS as it should".to_owned(),
                todo: "check that https is served on this port, and not plain http",
            };
        }
    };
    Broken { name: "certificate", what: what.to_owned(), todo }
}
