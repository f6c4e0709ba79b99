//! Messages to customers. Start at [`Client::send_text`].

use secrecy::{ExposeSecret, SecretString};

use crate::client::{CallError, Client};
use crate::text::clean;
use crate::wire;

impl Client {
    /// Sends a customer-service text (`custom/send`). `content` has at most 2,048 bytes and is sent as raw UTF-8;
    /// characters that no chat can show are dropped from it.
    ///
    /// WeChat gives no message id and knows no idempotency key: after [`CallError::Unclear`] the customer may
    /// have the message already.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "wechat.send_text", skip_all)]
    pub async fn send_text(
        &self,
        access_token: &SecretString,
        openid: &str,
        content: &str,
    ) -> Result<(), CallError> {
        let body = wire::CustomSendText {
            touser: openid.to_owned(),
            msgtype: "text".to_owned(),
            text: wire::TextContent { content: clean(content).into_owned() },
        };
        let request = self.post(wire::CUSTOM_SEND, access_token, &body);
        self.command(request, &[access_token.expose_secret(), openid]).await
    }
}
