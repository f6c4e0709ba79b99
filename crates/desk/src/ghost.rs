//! Ghosts: the IM account that stands for one customer, its UserID, its echo-proof numbering and its mark.
//!
//! A UserID is at most 32 bytes of `[A-Za-z0-9_-]`
//! (<https://www.tencentcloud.com/document/product/1047/34953>). A WeChat openid has 28 such characters, so
//! the openid itself is the first generation's UserID, and `openid-2`, `openid-3`, … follow after a
//! deletion. Whatever does not fit gets a short digest; the way back is the table that keeps both.

use crate::window::Open;
use sha2::{Digest, Sha256};

const MAX_USER_ID: usize = 32;

/// The UserID that generation `generation` (1 and up) of this customer's ghost should have.
pub fn user_id(account: &str, openid: &str, generation: i64) -> String {
    let name = if generation <= 1 { openid.to_owned() } else { format!("{openid}-{generation}") };
    let fits = name.len() <= MAX_USER_ID && !openid.is_empty();
    if fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        name
    } else {
        user_id_by_digest(account, openid, generation)
    }
}

/// The UserID for a customer whose plain one is taken (the same openid, or one that differs only in case,
/// under another account) or not allowed: lower-case, so that no second one differs from it by case alone.
pub fn user_id_by_digest(account: &str, openid: &str, generation: i64) -> String {
    let digest = Sha256::digest(format!("{account}\n{openid}\n{generation}"));
    format!("wx-{}", hex::encode(&digest[..14]))
}

/// `MsgRandom` of the message that a ghost sends as its `seq`-th.
///
/// It is a function of the store, the ghost and the number: a retry carries the same value as the first try
/// without remembering it, and [`is_ours`] recognises our own messages in webhooks and in IM's history
/// without an index over all that was ever sent.
pub fn msg_random(store: &str, ghost: &str, seq: u32) -> u32 {
    let digest = Sha256::digest(format!("{store}\n{ghost}\n{seq}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Whether a message from `sender` with these numbers is one that this store sent.
pub fn is_ours(store: &str, sender: &str, seq: u32, random: u32) -> bool {
    msg_random(store, sender, seq) == random
}

/// The mark that our messages carry in `CloudCustomData`, for our own eyes and for agents' clients that want to show
/// how an answer would go: `{"tsunagi":1,"delivery":"…","replies":[{"left":5,"until":1795658410000}]}` names each open
/// window, `"replies":[]` says that none is open, and `"passive":true` that answers wait for the customer.
pub fn mark(delivery: &str, replies: &Replies) -> String {
    let replies = match replies {
        Replies::Open(windows) => {
            format!(",\"replies\":{}", serde_json::to_string(windows).unwrap_or_default())
        }
        Replies::Passive => ",\"passive\":true".to_owned(),
        Replies::Unknown => String::new(),
    };
    format!("{{\"tsunagi\":1,\"delivery\":\"{delivery}\"{replies}}}")
}

/// How an answer to a customer would go now.
#[derive(Debug, Clone)]
pub enum Replies {
    /// By `custom/send`, within these windows.
    Open(Vec<Open>),
    /// As the reply to the customer's next message alone.
    Passive,
    /// The store did not say.
    Unknown,
}

/// Whether `CloudCustomData` carries the mark.
pub fn is_marked(cloud_custom_data: &str) -> bool {
    cloud_custom_data.trim_start().starts_with("{\"tsunagi\":")
}

/// The delivery whose mark this is.
pub fn marked_delivery(cloud_custom_data: &str) -> Option<String> {
    let (_, rest) =
        cloud_custom_data.split_once("\"delivery\":\"").filter(|_| is_marked(cloud_custom_data))?;
    rest.split_once('"').map(|(id, _)| id.to_owned())
}

/// What is left of a customer who was erased: it tells nothing of them to whoever does not know the openid.
pub fn erased_digest(account: &str, openid: &str) -> String {
    hex::encode(Sha256::digest(format!("tsunagi erased\n{account}\n{openid}")))
}

/// The nickname under which agents see a customer until a better one is known: `shop · a1b2`.
pub fn nickname(account: &str, openid: &str) -> String {
    let digest = Sha256::digest(format!("{account}\n{openid}"));
    format!("{account} · {}", hex::encode(&digest[..2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENID: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";

    #[test]
    fn f52_user_ids_keep_to_32_bytes_of_the_allowed_alphabet() {
        assert_eq!(user_id("shop", OPENID, 1), OPENID);
        assert_eq!(user_id("shop", OPENID, 2), format!("{OPENID}-2"));
        assert_eq!(user_id("shop", OPENID, 999), format!("{OPENID}-999"));
        for (openid, generation) in
            [(OPENID, 1000), ("o with space", 1), ("客户", 1), ("", 1), (&"x".repeat(33), 1)]
        {
            let id = user_id("shop", openid, generation);
            assert!(id.starts_with("wx-") && id.len() <= 32, "{id}");
            assert_eq!(id, id.to_lowercase());
            assert_ne!(id, user_id("other", openid, generation), "accounts do not share digests");
        }
    }

    #[test]
    fn f53_the_random_number_is_fixed_per_message_and_differs_between_messages() {
        let one = msg_random("store", OPENID, 1);
        assert_eq!(one, msg_random("store", OPENID, 1));
        assert_ne!(one, msg_random("store", OPENID, 2));
        assert_ne!(one, msg_random("store", "other", 1));
        assert!(is_ours("store", OPENID, 1, one) && !is_ours("store", OPENID, 1, one ^ 1));
    }

    #[test]
    fn f45_the_mark_is_recognised() {
        assert!(is_marked(&mark("0190", &Replies::Unknown)));
        assert!(is_marked(&mark("0190", &Replies::Passive)));
        let mark = mark("0190", &Replies::Open(vec![Open { left: 5, until: 7 }]));
        assert!(is_marked(&mark));
        assert_eq!(mark, r#"{"tsunagi":1,"delivery":"0190","replies":[{"left":5,"until":7}]}"#);
        assert_eq!(marked_delivery(&mark).as_deref(), Some("0190"));
        for other in ["", "{}", "{\"x\":\"tsunagi\"}", "tsunagi"] {
            assert!(!is_marked(other), "{other}");
            assert_eq!(marked_delivery(other), None);
        }
    }
}
