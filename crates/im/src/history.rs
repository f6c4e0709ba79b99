//! The history of a conversation. Start at [`HistoryQuery`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/35478>

use serde::{Deserialize, Serialize};

use crate::element::{Element, Other, elements};
use crate::lenient;
use crate::webhook;

/// Which part of a conversation to read with `admin_getroammsg`. Times are inclusive, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// From whose point of view.
    #[serde(rename = "Operator_Account", alias = "From_Account")]
    pub operator: String,
    /// The other one.
    #[serde(rename = "Peer_Account", alias = "To_Account")]
    pub peer: String,
    /// How many messages a page should have, such as 100; a page is also cut at about 13 KB.
    #[serde(rename = "MaxCnt", deserialize_with = "lenient::number")]
    pub max_count: u32,
    /// Not before.
    #[serde(rename = "MinTime", deserialize_with = "lenient::number")]
    pub min_time: i64,
    /// Not after.
    #[serde(rename = "MaxTime", deserialize_with = "lenient::number")]
    pub max_time: i64,
    /// From the page before; see [`HistoryPage::next`].
    #[serde(rename = "LastMsgKey", default, skip_serializing_if = "Option::is_none")]
    pub last_msg_key: Option<String>,
}

/// One page. Pages run from the newest to the oldest; within a page messages ascend in time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// Whether there are no older messages in the range.
    pub complete: bool,
    /// The messages, oldest first.
    pub messages: Vec<HistoryMessage>,
    /// How many entries could not be read.
    pub unreadable: usize,
    /// The time of the oldest message, in seconds since 1970.
    pub last_msg_time: Option<i64>,
    /// The key of the oldest message.
    pub last_msg_key: Option<String>,
}

impl HistoryPage {
    /// The query for the next, older page, if there is one.
    pub fn next(&self, query: &HistoryQuery) -> Option<HistoryQuery> {
        let (time, key) = (self.last_msg_time?, self.last_msg_key.clone().filter(|key| !key.is_empty())?);
        // The same page again would go on for ever.
        let same = query.last_msg_key.as_ref() == Some(&key);
        (!self.complete && !same).then(|| HistoryQuery {
            max_time: time,
            last_msg_key: Some(key),
            ..query.clone()
        })
    }
}

/// A message in the history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// The sender's UserID.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// The recipient's UserID.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Chosen by the sender.
    #[serde(rename = "MsgSeq", deserialize_with = "lenient::number")]
    pub msg_seq: u32,
    /// Chosen by the sender.
    #[serde(rename = "MsgRandom", deserialize_with = "lenient::number")]
    pub msg_random: u32,
    /// Seconds since 1970, by the server's clock.
    #[serde(rename = "MsgTimeStamp", alias = "MsgTime", deserialize_with = "lenient::number")]
    pub msg_time: i64,
    /// 0 normal, 8 recalled.
    #[serde(rename = "MsgFlagBits", default, deserialize_with = "lenient::number")]
    pub flag_bits: u32,
    /// Whether the recipient confirmed it with a read receipt.
    #[serde(
        rename = "IsPeerRead",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number"
    )]
    pub is_peer_read: bool,
    /// The message's id.
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
    /// What it is made of.
    #[serde(rename = "MsgBody", default, deserialize_with = "elements")]
    pub body: Vec<Element>,
    /// What the sending app attached.
    #[serde(
        rename = "CloudCustomData",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub cloud_custom_data: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

impl HistoryMessage {
    /// Whether the message was recalled.
    pub fn is_recalled(&self) -> bool {
        self.flag_bits & 8 != 0
    }

    /// The [`Webhook::dedup_key`](crate::Webhook::dedup_key) that this message's `C2C.CallbackAfterSendMsg` has.
    pub fn dedup_key(&self, sdk_app_id: u64) -> String {
        let parts = [self.from.as_str(), &self.to, &self.msg_key];
        webhook::key(self.msg_time, sdk_app_id, webhook::command::AFTER_SEND_MSG, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(max_time: i64, last_msg_key: Option<&str>) -> HistoryQuery {
        let (operator, peer) = ("agent_007".to_owned(), "wx_u1".to_owned());
        let last_msg_key = last_msg_key.map(str::to_owned);
        HistoryQuery { operator, peer, max_count: 100, min_time: 1, max_time, last_msg_key }
    }

    fn page(complete: bool, last_msg_time: Option<i64>, last_msg_key: Option<&str>) -> HistoryPage {
        let last_msg_key = last_msg_key.map(str::to_owned);
        HistoryPage { complete, last_msg_time, last_msg_key, ..HistoryPage::default() }
    }

    #[test]
    fn the_next_page_ends_with_the_oldest_message_of_this_one() {
        let next = page(false, Some(50), Some("k1")).next(&query(99, None));
        assert_eq!(next, Some(query(50, Some("k1"))));
        assert_eq!(
            page(false, Some(40), Some("k2")).next(&query(50, Some("k1"))),
            Some(query(40, Some("k2")))
        );
    }

    #[test]
    fn paging_always_ends() {
        assert_eq!(page(true, Some(50), Some("k1")).next(&query(99, None)), None);
        assert_eq!(
            page(false, Some(50), Some("k1")).next(&query(50, Some("k1"))),
            None,
            "the same page again"
        );
        assert_eq!(page(false, Some(50), Some("")).next(&query(99, None)), None);
        assert_eq!(page(false, Some(50), None).next(&query(99, None)), None);
        assert_eq!(page(false, None, Some("k1")).next(&query(99, None)), None);
    }
}
