//! Where an access_token comes from. Start at [`Client::stable_token`].

use secrecy::{ExposeSecret, SecretString};

use crate::client::{CallError, Client, unreadable};
use crate::wire;

/// An access_token and how long it lives.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token, up to 512 bytes.
    pub token: SecretString,
    /// Remaining life in seconds, at most 7,200.
    pub expires_in: u64,
}

impl Client {
    /// Asks for the account's access_token. Normally WeChat gives the same one until five minutes before its
    /// end; with `force_refresh` the old one dies at once (20 times a day, for leaks).
    ///
    /// # Errors
    ///
    /// See [`CallError`]; an answer without a token, or with one that has no life left, is
    /// [`CallError::Unclear`]. Judge codes with [`crate::token_call_verdict`].
    #[tracing::instrument(name = "wechat.stable_token", skip_all)]
    pub async fn stable_token(
        &self,
        app_id: &str,
        app_secret: &SecretString,
        force_refresh: bool,
    ) -> Result<AccessToken, CallError> {
        let body = wire::StableTokenRequest {
            grant_type: "client_credential".to_owned(),
            appid: app_id.to_owned(),
            secret: app_secret.expose_secret().to_owned(),
            force_refresh,
        };
        let request = self.http.post(self.url(wire::STABLE_TOKEN)).json(&body);
        let answer = self.call(request, &[app_secret.expose_secret()]).await?;
        let token = answer.text("access_token");
        let expires_in = answer.number("expires_in").unwrap_or_default();
        if token.is_empty() || expires_in == 0 {
            return Err(unreadable());
        }
        Ok(AccessToken { token: SecretString::from(token), expires_in })
    }
}
