//! The requests and answers of WeChat's REST API as they are on the wire, for the client and for simulators.

mod custom_send;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use custom_send::*;

/// Path of the call that gives an access_token.
pub const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
/// Path of the call that sends a customer-service message.
pub const CUSTOM_SEND: &str = "/cgi-bin/message/custom/send";

/// Path of the call that shows that someone is typing.
pub const TYPING: &str = "/cgi-bin/message/custom/typing";
/// Path of the call that uploads a temporary file; parameter `type`, form part `media`.
pub const MEDIA_UPLOAD: &str = "/cgi-bin/media/upload";
/// Path of the call that gives a temporary file; parameter `media_id`.
pub const MEDIA_GET: &str = "/cgi-bin/media/get";
/// Path of the call that gives a voice message of the JS-SDK; parameter `media_id`.
pub const MEDIA_GET_JSSDK: &str = "/cgi-bin/media/get/jssdk";
/// Path of the call that uploads a picture for an article; form part `media`.
pub const UPLOAD_IMG: &str = "/cgi-bin/media/uploadimg";
/// Path of the call that adds a permanent file; parameter `type`, form parts `media` and `description`.
pub const MATERIAL_ADD: &str = "/cgi-bin/material/add_material";
/// Path of the call that gives permanent material; its body is a [`MediaId`].
pub const MATERIAL_GET: &str = "/cgi-bin/material/get_material";
/// Path of the call that deletes permanent material; its body is a [`MediaId`].
pub const MATERIAL_DELETE: &str = "/cgi-bin/material/del_material";
/// Path of the call that lists the followers; parameter `next_openid`.
pub const USER_GET: &str = "/cgi-bin/user/get";
/// Path of the call that lists where pushes come from.
pub const CALLBACK_IPS: &str = "/cgi-bin/getcallbackip";
/// Path of the call that lists the addresses of the API.
pub const API_IPS: &str = "/cgi-bin/get_api_domain_ip";
/// Path of the call that tells the quota of another.
pub const QUOTA_GET: &str = "/cgi-bin/openapi/quota/get";
/// Path of the call that gives an access_token of the older kind; parameters `grant_type`, `appid`, `secret`.
pub const TOKEN: &str = "/cgi-bin/token";
/// Path of the call that tells about a customer; parameters `openid`, `lang`.
pub const USER_INFO: &str = "/cgi-bin/user/info";
/// Path of the call that tells about several customers; its body is a [`UsersAsked`].
pub const USERS_INFO: &str = "/cgi-bin/user/info/batchget";
/// Path of the call that sets a note about a customer; its body is a [`Remark`].
pub const UPDATE_REMARK: &str = "/cgi-bin/user/info/updateremark";
/// Path of the call that tries the webhook's host; its body is a [`CallbackCheckRequest`].
pub const CALLBACK_CHECK: &str = "/cgi-bin/callback/check";
/// Path of the call that sets all quotas back; its body is an [`AppId`].
pub const CLEAR_QUOTA: &str = "/cgi-bin/clear_quota";
/// Path of the call that sets all quotas back without a token; its body is a [`ClearQuotaBySecret`].
pub const CLEAR_QUOTA_V2: &str = "/cgi-bin/clear_quota/v2";
/// Path of the call that sets one quota back; its body is an [`ApiPath`].
pub const QUOTA_CLEAR: &str = "/cgi-bin/openapi/quota/clear";
/// Path of the call that tells about an earlier one; its body is a [`Rid`].
pub const RID_GET: &str = "/cgi-bin/openapi/rid/get";

/// Body of [`STABLE_TOKEN`]. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StableTokenRequest {
    /// Always `client_credential`.
    pub grant_type: String,
    /// AppID.
    pub appid: String,
    /// AppSecret.
    pub secret: String,
    /// Whether to replace the token at once.
    #[serde(default)]
    pub force_refresh: bool,
}

impl fmt::Debug for StableTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("StableTokenRequest");
        debug.field("appid", &self.appid).field("force_refresh", &self.force_refresh).finish_non_exhaustive()
    }
}

/// Answer of [`STABLE_TOKEN`]. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StableTokenAnswer {
    /// The token.
    pub access_token: String,
    /// How long it is valid, in seconds.
    pub expires_in: u64,
}

impl fmt::Debug for StableTokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StableTokenAnswer").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Body of [`USERS_INFO`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersAsked {
    /// At most 100.
    pub user_list: Vec<UserAsked>,
}

/// A customer in a [`UsersAsked`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAsked {
    /// Who.
    pub openid: String,
    /// The language of names of places, such as `zh_CN`.
    pub lang: String,
}

/// Body of [`UPDATE_REMARK`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// About whom.
    pub openid: String,
    /// The note, less than 30 bytes.
    pub remark: String,
}

/// Body of [`CALLBACK_CHECK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackCheckRequest {
    /// `dns`, `ping` or `all`.
    pub action: String,
    /// `DEFAULT`, `CHINANET`, `UNICOM` or `CAP`.
    pub check_operator: String,
}

/// Body of [`CLEAR_QUOTA`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppId {
    /// AppID.
    pub appid: String,
}

/// Body of [`CLEAR_QUOTA_V2`]; without `Debug`, for the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearQuotaBySecret {
    /// AppID.
    pub appid: String,
    /// AppSecret.
    pub appsecret: String,
}

/// Body of [`RID_GET`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rid {
    /// What stands behind `rid:` in an `errmsg`.
    pub rid: String,
}

/// Body of [`QUOTA_GET`] and [`QUOTA_CLEAR`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiPath {
    /// The call's path, with its leading `/` and without a host.
    pub cgi_path: String,
}

/// Form part `description` of [`MATERIAL_ADD`] for a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoDescription {
    /// Its title.
    pub title: String,
    /// Its description.
    pub introduction: String,
}

/// What every call answers that has nothing else to say, and every call that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// 0 when it was done.
    #[serde(default)]
    pub errcode: i64,
    /// `ok`, or what is wrong, with a ` rid: …` at its end.
    #[serde(default)]
    pub errmsg: String,
}

impl Outcome {
    /// `{"errcode":0,"errmsg":"ok"}`.
    pub fn ok() -> Outcome {
        Outcome { errcode: 0, errmsg: "ok".to_owned() }
    }
}
