//! Messages to many, of another time, and changed afterwards; and IM's own addresses.

use super::{CallError, Client, Fault, read};
use crate::element::Element;
use crate::send::{BatchMsg, BatchSent, ImportMsg};
use crate::wire;

impl Client {
    /// Sends a message to at most 500 users (`batchsendmsg`, 200 calls a second and 12,000 recipients a minute).
    /// **Not** safe to repeat. Says who did not get it.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34920>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 90011: more than 500 recipients. 90055: too long. 90057: too many recipients a minute.
    #[tracing::instrument(name = "im.batchsendmsg", skip_all)]
    pub async fn batch_send_msg(
        &self,
        message: &BatchMsg,
        random: u32,
        now_s: i64,
    ) -> Result<BatchSent, CallError> {
        let mut hidden: Vec<&str> = message.to.iter().map(String::as_str).collect();
        hidden.extend(message.from.as_deref());
        let answer = self.call(wire::BATCHSENDMSG, message, &hidden, random, now_s).await?;
        let answer: wire::BatchSendAnswer = read(answer)?;
        if answer.msg_key.is_empty() && answer.errors.is_empty() {
            return Err(CallError::Unclear(Fault::Unreadable));
        }
        let failed = answer.errors.into_iter().map(|item| (item.user_id, item.error_code));
        Ok(BatchSent { msg_key: answer.msg_key, failed: failed.collect() })
    }

    /// Puts a message of another time into both histories (`importmsg`, 200 calls a second). Safe to repeat: IM drops
    /// what has the same sequence, random number and time. Call it in the order of the times.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/35014>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 90030: [`ImportMsg::mode`] is neither 2 nor 5.
    #[tracing::instrument(name = "im.importmsg", skip_all)]
    pub async fn import_msg(&self, message: &ImportMsg, random: u32, now_s: i64) -> Result<(), CallError> {
        let hidden = [message.from.as_str(), message.to.as_str()];
        self.call(wire::IMPORTMSG, message, &hidden, random, now_s).await.map(drop)
    }

    /// Changes a message in both histories (`modify_c2c_msg`). `from` and `to` are those of the message; what is `None`
    /// stays as it is. Safe to repeat.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 20027, 20028: somebody else changes it at the same time. 90054: the MsgKey is malformed.
    #[tracing::instrument(name = "im.modify_c2c_msg", skip_all)]
    #[expect(clippy::too_many_arguments, reason = "the call's own, and the two that every call here takes")]
    pub async fn modify_msg(
        &self,
        from: &str,
        to: &str,
        msg_key: &str,
        body: Option<Vec<Element>>,
        cloud_custom_data: Option<&str>,
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let request = wire::ModifyRequest {
            from: from.to_owned(),
            to: to.to_owned(),
            msg_key: msg_key.to_owned(),
            body,
            cloud_custom_data: cloud_custom_data.map(str::to_owned),
        };
        self.call(wire::MODIFY_C2C_MSG, &request, &[from, to], random, now_s).await.map(drop)
    }

    /// The addresses and ranges (CIDR) that IM's clients connect to and its webhooks come from, for a firewall's list
    /// (`GetIPList`). Those of mainland China alone. Changes now and then: ask once a day.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.ip_list", skip_all)]
    pub async fn ip_list(&self, random: u32, now_s: i64) -> Result<Vec<String>, CallError> {
        let answer = self.call(wire::GET_IP_LIST, &serde_json::json!({}), &[], random, now_s).await?;
        Ok(read::<wire::IpListAnswer>(answer)?.list)
    }
}
