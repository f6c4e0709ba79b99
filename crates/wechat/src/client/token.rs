//! Where an access_token comes from. Start at [`Client::stable_token`].

use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::Answer;
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
    /// Vendor page: `/doc/subscription/api/base/api_getstableaccesstoken.html`.
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
        access_token(&answer).ok_or_else(unreadable)
    }

    /// Asks for a new access_token of the older kind (`GET /cgi-bin/token`), 2,000 times a day at most. Every call
    /// makes another one, and the one before it dies five minutes later: only one process of an account may call
    /// this. Those of [`Client::stable_token`] are not touched by it, and better.
    ///
    /// Vendor page: `/doc/offiaccount/Basic_Information/Get_access_token.html`.
    ///
    /// # Errors
    ///
    /// As [`Client::stable_token`].
    #[tracing::instrument(name = "wechat.access_token", skip_all)]
    pub async fn access_token(
        &self,
        app_id: &str,
        app_secret: &SecretString,
    ) -> Result<AccessToken, CallError> {
        let secret = app_secret.expose_secret();
        let parameters = [("grant_type", "client_credential"), ("appid", app_id), ("secret", secret)];
        let request = self.http.get(self.url(wire::TOKEN)).query(&parameters);
        access_token(&self.call(request, &[secret]).await?).ok_or_else(unreadable)
    }
}

/// `None` for one that is empty or has no life left.
pub(super) fn access_token(answer: &Answer) -> Option<AccessToken> {
    let token = answer.optional("access_token")?;
    let expires_in = answer.number("expires_in").filter(|&seconds| seconds > 0)?;
    Some(AccessToken { token: SecretString::from(token), expires_in })
}
