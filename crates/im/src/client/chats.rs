//! Calls about messages that were sent: recall, read marks, unread counts.

use super::{CallError, Client, read};
use crate::wire;

/// A message that was recalled before. Counts as done.
const RECALLED_ALREADY: i64 = 20023;

/// How many messages of a peer are unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// UserID of the peer.
    pub peer: String,
    /// The count, or IM's error code.
    pub count: Result<u32, i64>,
}

impl Client {
    /// Recalls a message (`admin_msgwithdraw`, 200 calls a second), whoever sent it and however long ago. `from` and `to` are
    /// those of the message. One that was recalled before counts as done.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/35015>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 20022: there is no such message. 90054: the MsgKey is malformed.
    #[tracing::instrument(name = "im.recall", skip_all)]
    pub async fn recall(
        &self,
        from: &str,
        to: &str,
        msg_key: &str,
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let body = wire::WithdrawRequest { from: from.into(), to: to.into(), msg_key: msg_key.into() };
        match self.call(wire::ADMIN_MSGWITHDRAW, &body, &[from, to], random, now_s).await {
            Err(CallError::Refused(code)) if code.code == RECALLED_ALREADY => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Marks what `peer` wrote until `until_s` (seconds since 1970) as read by `reader` (`admin_set_msg_read`, 200 calls a
    /// second). Safe to repeat. The reader's unread count changes; `IsPeerRead` of the history does not.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/38996>
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.set_read", skip_all)]
    pub async fn set_read(
        &self,
        reader: &str,
        peer: &str,
        until_s: i64,
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let body = wire::SetReadRequest { reader: reader.into(), peer: peer.into(), until: until_s };
        self.call(wire::ADMIN_SET_MSG_READ, &body, &[reader, peer], random, now_s).await.map(drop)
    }

    /// How many messages a user has not read, over all one-to-one chats (`get_c2c_unread_msg_num`).
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/41046>
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.unread", skip_all)]
    pub async fn unread(&self, user_id: &str, random: u32, now_s: i64) -> Result<u32, CallError> {
        let body = wire::UnreadRequest { user_id: user_id.into(), peers: None };
        let answer = self.call(wire::GET_C2C_UNREAD_MSG_NUM, &body, &[user_id], random, now_s).await?;
        Ok(read::<wire::UnreadAnswer>(answer)?.all)
    }

    /// The same for each of at most 10 peers.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.unread_of", skip_all)]
    pub async fn unread_of(
        &self,
        user_id: &str,
        peers: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<Unread>, CallError> {
        let peers: Vec<String> = peers.iter().map(|peer| (*peer).to_owned()).collect();
        let body = wire::UnreadRequest { user_id: user_id.into(), peers: Some(peers) };
        let answer = self.call(wire::GET_C2C_UNREAD_MSG_NUM, &body, &[user_id], random, now_s).await?;
        let answer: wire::UnreadAnswer = read(answer)?;
        let counts = answer.counts.into_iter().map(|item| Unread { peer: item.peer, count: Ok(item.count) });
        let errors = answer.errors.into_iter();
        let errors = errors.map(|item| Unread { peer: item.peer, count: Err(item.error_code) });
        Ok(counts.chain(errors).collect())
    }
}
