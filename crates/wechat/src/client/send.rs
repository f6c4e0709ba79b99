//! Messages to customers. Start at [`Client::send`]; what can be sent is in [`Outgoing`].

use secrecy::{ExposeSecret, SecretString};

use crate::client::{CallError, Client};
use crate::outgoing::{Outgoing, Sender};
use crate::wire;

/// What [`Client::typing`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// That someone is typing. It lasts about 15 seconds, or until a message is sent.
    Start,
    /// That nobody is typing any more.
    Stop,
}

impl Client {
    /// Sends a customer-service message (`POST /cgi-bin/message/custom/send`), for certified accounts.
    ///
    /// A customer's message opens a window of 5 messages in 48 hours; a follow, a scan or a tap on a menu item
    /// that clicks or scans, 3 in one minute. 45015: there is no window; 45047: its count is used up.
    ///
    /// WeChat gives no message id and knows no idempotency key: after [`CallError::Unclear`] the customer may
    /// have the message already.
    ///
    /// Vendor page: `/doc/service/api/customer/message/api_sendcustommessage`.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn send(
        &self,
        access_token: &SecretString,
        openid: &str,
        message: &Outgoing,
    ) -> Result<(), CallError> {
        self.send_as(access_token, openid, message, &Sender::default()).await
    }

    /// As [`Client::send`], in the name of an agent of WeChat's own console, or marked as written by a machine.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "wechat.send", skip_all, fields(kind = message.name()))]
    pub async fn send_as(
        &self,
        access_token: &SecretString,
        openid: &str,
        message: &Outgoing,
        sender: &Sender,
    ) -> Result<(), CallError> {
        let request = self.post(wire::CUSTOM_SEND, access_token, &message.to_wire(openid, sender));
        self.command(request, &[access_token.expose_secret(), openid]).await
    }

    /// As [`Client::send`], for a text of at most [`crate::MAX_TEXT`] bytes.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn send_text(
        &self,
        access_token: &SecretString,
        openid: &str,
        content: &str,
    ) -> Result<(), CallError> {
        self.send(access_token, openid, &Outgoing::Text { content: content.to_owned() }).await
    }

    /// Shows the customer that someone is typing, or no longer (`POST /cgi-bin/message/custom/typing`). It costs
    /// nothing of the window and needs a message with this customer in the last 30 seconds.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. None of them is worth more than a line in a log: 45080 (no message in the last 30
    /// seconds), 45081 (shown already).
    #[tracing::instrument(name = "wechat.typing", skip_all)]
    pub async fn typing(
        &self,
        access_token: &SecretString,
        openid: &str,
        typing: Typing,
    ) -> Result<(), CallError> {
        let command = match typing {
            Typing::Start => "Typing",
            Typing::Stop => "CancelTyping",
        };
        let body = wire::TypingRequest { touser: openid.to_owned(), command: command.to_owned() };
        let request = self.post(wire::TYPING, access_token, &body);
        self.command(request, &[access_token.expose_secret(), openid]).await
    }
}
