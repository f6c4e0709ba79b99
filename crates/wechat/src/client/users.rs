//! The account's followers. Start at [`Client::followers`].
//!
//! All these calls are for certified accounts; others get 48001.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::client::{CallError, Client, unreadable};
use crate::wire;

/// One page of the list of followers. `Debug` shows no openid.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Followers {
    /// How many followers the account has.
    pub total: u64,
    /// How many are on this page, at most 10,000.
    pub count: u64,
    /// Their openids.
    pub openids: Vec<String>,
    /// Where the next page begins. `None` after the last page. WeChat gives one also when the list happens to
    /// end with this page: then the next page is empty.
    pub next_openid: Option<String>,
}

impl fmt::Debug for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Followers");
        debug.field("total", &self.total).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Client {
    /// A page of at most 10,000 followers (`GET /cgi-bin/user/get`). Begin with `None`, and go on with
    /// [`Followers::next_openid`] until that is `None`. New accounts may call this 500 times a day.
    ///
    /// Vendor page: `/doc/service/api/usermanage/userinfo/api_getfans`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 40003 for a `next` that is no follower.
    #[tracing::instrument(name = "wechat.followers", skip_all)]
    pub async fn followers(
        &self,
        access_token: &SecretString,
        next: Option<&str>,
    ) -> Result<Followers, CallError> {
        let next = next.unwrap_or_default();
        let request = self.get(wire::USER_GET, access_token, &[("next_openid", next)]);
        let answer = self.call(request, &[access_token.expose_secret(), next]).await?;
        // An empty page has no `data`; a page that says neither how many there are is no page.
        if !answer.has("total") && !answer.has("count") {
            return Err(unreadable());
        }
        let openids = answer.object("data").and_then(|data| data.texts("openid")).unwrap_or_default();
        let next_openid = answer.optional("next_openid").filter(|_| !openids.is_empty());
        Ok(Followers {
            total: answer.number("total").unwrap_or_default(),
            count: answer.number("count").unwrap_or(openids.len() as u64),
            openids,
            next_openid,
        })
    }
}
