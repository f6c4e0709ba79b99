//! The account's followers, and what WeChat tells about one. Start at [`Client::followers`] and
//! [`Client::user_info`].
//!
//! All these calls are for certified accounts; others get 48001.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::Answer;
use crate::client::{CallError, Client, Fault, unreadable};
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

/// Most openids in one [`Client::users_info`].
pub const MAX_USERS: usize = 100;

/// What WeChat tells about a customer. Name and picture are not among it, since the end of 2021. `Debug` shows
/// neither the ids nor the remark.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Whether they follow the account. If not, everything but `openid` is empty.
    pub subscribed: bool,
    /// Who they are in this account.
    pub openid: String,
    /// Who they are in all accounts of the same owner, where those are bound to WeChat's Open Platform.
    pub unionid: Option<String>,
    /// When they followed last, seconds since 1970.
    pub subscribed_at: Option<i64>,
    /// The note that the account keeps about them.
    pub remark: String,
    /// The tags that they have.
    pub tags: Vec<i64>,
    /// How they found the account, such as `ADD_SCENE_QR_CODE`.
    pub scene: Option<String>,
    /// The number in the QR code that they came by.
    pub qr_scene: Option<i64>,
    /// The text in the QR code that they came by.
    pub qr_scene_text: Option<String>,
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UserInfo");
        debug.field("subscribed", &self.subscribed).field("subscribed_at", &self.subscribed_at);
        debug.field("scene", &self.scene).finish_non_exhaustive()
    }
}

impl Client {
    /// What WeChat tells about one customer (`GET /cgi-bin/user/info`).
    ///
    /// Vendor page: `/doc/service/api/usermanage/userinfo/api_userinfo`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 40003 for an openid that is not of this account.
    #[tracing::instrument(name = "wechat.user_info", skip_all)]
    pub async fn user_info(&self, access_token: &SecretString, openid: &str) -> Result<UserInfo, CallError> {
        let request = self.get(wire::USER_INFO, access_token, &[("openid", openid), ("lang", "zh_CN")]);
        let answer = self.call(request, &[access_token.expose_secret(), openid]).await?;
        user_info(&answer).ok_or_else(unreadable)
    }

    /// What WeChat tells about up to [`MAX_USERS`] customers (`POST /cgi-bin/user/info/batchget`), in its order:
    /// match by [`UserInfo::openid`]. Nothing is asked when `openids` is empty.
    ///
    /// Vendor page: `/doc/service/api/usermanage/userinfo/api_batchuserinfo`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; [`Fault::Limit`] for more than [`MAX_USERS`], and 40003 for the whole call when one
    /// openid is not of this account: then ask in halves, or one by one.
    #[tracing::instrument(name = "wechat.users_info", skip_all, fields(count = openids.len()))]
    pub async fn users_info(
        &self,
        access_token: &SecretString,
        openids: &[&str],
    ) -> Result<Vec<UserInfo>, CallError> {
        if openids.is_empty() {
            return Ok(Vec::new());
        }
        if openids.len() > MAX_USERS {
            return Err(CallError::NotSent(Fault::Limit("at most 100 customers in one call")));
        }
        let user = |openid: &&str| wire::UserAsked { openid: (*openid).to_owned(), lang: "zh_CN".to_owned() };
        let body = wire::UsersAsked { user_list: openids.iter().map(user).collect() };
        let mut hidden = vec![access_token.expose_secret()];
        hidden.extend(openids);
        let answer = self.call(self.post(wire::USERS_INFO, access_token, &body), &hidden).await?;
        users_info(&answer).ok_or_else(unreadable)
    }

    /// Sets the note that the account keeps about a customer, less than 30 bytes
    /// (`POST /cgi-bin/user/info/updateremark`). For certified service accounts. An empty one removes it.
    ///
    /// Vendor page: `/doc/offiaccount/User_Management/Configuring_user_notes.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; [`Fault::Limit`] for a longer note. May be repeated after any of them.
    #[tracing::instrument(name = "wechat.update_remark", skip_all)]
    pub async fn update_remark(
        &self,
        access_token: &SecretString,
        openid: &str,
        remark: &str,
    ) -> Result<(), CallError> {
        if remark.len() >= 30 {
            return Err(CallError::NotSent(Fault::Limit("a remark has less than 30 bytes")));
        }
        let body = wire::Remark { openid: openid.to_owned(), remark: remark.to_owned() };
        let request = self.post(wire::UPDATE_REMARK, access_token, &body);
        self.command(request, &[access_token.expose_secret(), openid, remark]).await
    }

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
        followers(&answer).ok_or_else(unreadable)
    }
}

/// `None` for what is no page of the list.
pub(super) fn followers(answer: &Answer) -> Option<Followers> {
    // An empty page has no `data`; a page that says neither how many there are is no page.
    if !answer.has("total") && !answer.has("count") {
        return None;
    }
    let openids = answer.object("data").and_then(|data| data.texts("openid")).unwrap_or_default();
    let next_openid = answer.optional("next_openid").filter(|_| !openids.is_empty());
    Some(Followers {
        total: answer.number("total").unwrap_or_default(),
        count: answer.number("count").unwrap_or(openids.len() as u64),
        openids,
        next_openid,
    })
}

/// `None` for what names no customer, or does not say whether they follow.
pub(super) fn user_info(answer: &Answer) -> Option<UserInfo> {
    let subscribed = answer.number::<i64>("subscribe")? != 0;
    let tags = answer.texts("tagid_list").unwrap_or_default();
    Some(UserInfo {
        subscribed,
        openid: answer.optional("openid")?,
        unionid: answer.optional("unionid"),
        subscribed_at: answer.number("subscribe_time"),
        remark: answer.text("remark"),
        tags: tags.iter().filter_map(|tag| tag.parse().ok()).collect(),
        scene: answer.optional("subscribe_scene"),
        // WeChat writes 0 where there was no QR code.
        qr_scene: answer.number("qr_scene").filter(|&scene| scene != 0),
        qr_scene_text: answer.optional("qr_scene_str"),
    })
}

/// The customers of a list; an entry that names none is left out.
pub(super) fn users_info(answer: &Answer) -> Option<Vec<UserInfo>> {
    Some(answer.objects("user_info_list")?.iter().filter_map(user_info).collect())
}
