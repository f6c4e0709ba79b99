//! How the answer to a push has to look: XML or JSON, plain or sealed. Start at [`Seal::reply`].

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::crypto::AesKey;
use crate::document::Format;
use crate::reply::{HandOver, Reply, SUCCESS};
use crate::signature::signature;
use crate::xml::{push_cdata, push_number};

/// Remembers how a request came, so that the reply leaves in the same way: in its format, and under the very
/// token and key that the request was made with.
#[derive(Clone)]
pub struct Seal {
    format: Format,
    lock: Option<Lock>,
}

#[derive(Clone)]
struct Lock {
    envelope: Format,
    token: SecretString,
    key: AesKey,
    app_id: String,
}

impl Seal {
    pub(crate) fn plain(format: Format) -> Seal {
        Seal { format, lock: None }
    }

    pub(crate) fn locked(
        format: Format,
        envelope: Format,
        token: &SecretString,
        key: &AesKey,
        app_id: &str,
    ) -> Seal {
        let lock = Lock { envelope, token: token.clone(), key: key.clone(), app_id: app_id.to_owned() };
        Seal { format, lock: Some(lock) }
    }

    /// The bytes of the HTTP answer, sealed where the request was. `timestamp` is in seconds; `nonce` (digits or
    /// letters) and `random` must be fresh. A reply whose required field is empty becomes `success`, because
    /// WeChat takes it for a fault of the account and tells the customer so; other limits are the caller's to
    /// ask for ([`Reply::check`]).
    pub fn reply(&self, reply: &Reply, timestamp: i64, nonce: &str, random: [u8; 16]) -> Vec<u8> {
        if reply.is_empty() {
            return SUCCESS.into();
        }
        let document = match self.format {
            Format::Xml => reply.to_xml(),
            Format::Json => reply.to_json(),
        };
        self.close(document, timestamp, nonce, random)
    }

    /// The bytes of the HTTP answer that hands the customer over to WeChat's own agent console, sealed as
    /// [`Seal::reply`] does. Read [`HandOver`] first.
    pub fn hand_over(&self, hand_over: &HandOver, timestamp: i64, nonce: &str, random: [u8; 16]) -> Vec<u8> {
        let document = match self.format {
            Format::Xml => hand_over.to_xml(),
            Format::Json => hand_over.to_json(),
        };
        self.close(document, timestamp, nonce, random)
    }

    fn close(&self, document: String, timestamp: i64, nonce: &str, random: [u8; 16]) -> Vec<u8> {
        match &self.lock {
            None => document.into_bytes(),
            Some(lock) => lock.close(document.as_bytes(), timestamp, nonce, random).into_bytes(),
        }
    }

    /// The `Content-Type` of a reply.
    pub fn content_type(&self) -> &'static str {
        match self.lock.as_ref().map_or(self.format, |lock| lock.envelope) {
            Format::Xml => "text/xml; charset=utf-8",
            Format::Json => "application/json; charset=utf-8",
        }
    }

    /// Whether a reply is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.lock.is_some()
    }

    /// The format of a reply.
    pub fn format(&self) -> Format {
        self.format
    }
}

impl Lock {
    fn close(&self, document: &[u8], timestamp: i64, nonce: &str, random: [u8; 16]) -> String {
        let encrypt = self.key.encrypt(&self.app_id, random, document);
        let parts = [self.token.expose_secret(), &timestamp.to_string(), nonce, &encrypt];
        let signature = signature(&parts);
        match self.envelope {
            Format::Xml => {
                let mut out = String::with_capacity(encrypt.len() + 256);
                out.push_str("<xml>");
                push_cdata(&mut out, "Encrypt", &encrypt);
                push_cdata(&mut out, "MsgSignature", &signature);
                push_number(&mut out, "TimeStamp", timestamp);
                push_cdata(&mut out, "Nonce", nonce);
                out.push_str("</xml>");
                out
            }
            Format::Json => {
                let nonce = serde_json::Value::from(nonce);
                format!(
                    r#"{{"Encrypt":"{encrypt}","MsgSignature":"{signature}","TimeStamp":{timestamp},"Nonce":{nonce}}}"#
                )
            }
        }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("format", &self.format).field("encrypted", &self.is_encrypted()).finish()
    }
}
