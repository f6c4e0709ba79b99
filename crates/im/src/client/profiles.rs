//! Profiles of accounts. Start at [`ProfileItem`].

use serde_json::Value;

use super::{CallError, Client, read};
use crate::wire;

/// One field of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileItem {
    /// Nickname, at most 500 bytes.
    Nick(String),
    /// Address of the avatar, at most 500 bytes.
    Image(String),
    /// A line about oneself, at most 500 bytes.
    Signature(String),
    /// A place, at most 16 bytes.
    Location(String),
    /// Any other: its tag (`Tag_Profile_Custom_…` has to be made in the console first, at most 20) and a text of at most 500
    /// bytes or a number of 32 bits.
    Other {
        /// The tag.
        tag: String,
        /// The value.
        value: Value,
    },
}

impl ProfileItem {
    /// The tag that stands for it on the wire.
    pub fn tag(&self) -> &str {
        match self {
            ProfileItem::Nick(_) => "Tag_Profile_IM_Nick",
            ProfileItem::Image(_) => "Tag_Profile_IM_Image",
            ProfileItem::Signature(_) => "Tag_Profile_IM_SelfSignature",
            ProfileItem::Location(_) => "Tag_Profile_IM_Location",
            ProfileItem::Other { tag, .. } => tag,
        }
    }

    fn value(&self) -> Value {
        match self {
            ProfileItem::Nick(text)
            | ProfileItem::Image(text)
            | ProfileItem::Signature(text)
            | ProfileItem::Location(text) => text.as_str().into(),
            ProfileItem::Other { value, .. } => value.clone(),
        }
    }

    fn of(item: wire::ProfileItem) -> ProfileItem {
        match (item.tag.as_str(), item.value) {
            ("Tag_Profile_IM_Nick", Value::String(text)) => ProfileItem::Nick(text),
            ("Tag_Profile_IM_Image", Value::String(text)) => ProfileItem::Image(text),
            ("Tag_Profile_IM_SelfSignature", Value::String(text)) => ProfileItem::Signature(text),
            ("Tag_Profile_IM_Location", Value::String(text)) => ProfileItem::Location(text),
            (tag, value) => ProfileItem::Other { tag: tag.to_owned(), value },
        }
    }
}

/// The profile of an account, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// UserID.
    pub user_id: String,
    /// The fields that are set, or IM's error code.
    pub items: Result<Vec<ProfileItem>, i64>,
}

impl Client {
    /// Changes fields of an account's profile (`portrait_set`, 200 calls a second). Safe to repeat.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34916>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 40003: there is no such account. 40005: a word is not allowed. 40009: the field was not made in the
    /// console. 40601: the value has more than 500 bytes.
    #[tracing::instrument(name = "im.portrait_set", skip_all)]
    pub async fn portrait_set(
        &self,
        user_id: &str,
        items: &[ProfileItem],
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let items =
            items.iter().map(|item| wire::ProfileItem { tag: item.tag().into(), value: item.value() });
        let body = wire::PortraitSetRequest { user_id: user_id.into(), items: items.collect() };
        self.call(wire::PORTRAIT_SET, &body, &[user_id], random, now_s).await.map(drop)
    }

    /// Reads fields of at most 100 accounts' profiles (`portrait_get`, 200 calls a second).
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34917>
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.portrait_get", skip_all)]
    pub async fn portrait_get(
        &self,
        user_ids: &[&str],
        tags: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<Profile>, CallError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let body = wire::PortraitGetRequest { user_ids: owned(user_ids), tags: owned(tags) };
        let answer = self.call(wire::PORTRAIT_GET, &body, user_ids, random, now_s).await?;
        let profile = |item: wire::UserProfile| Profile {
            user_id: item.user_id,
            items: match item.result_code {
                0 => Ok(item.items.into_iter().map(ProfileItem::of).collect()),
                code => Err(code),
            },
        };
        Ok(read::<wire::PortraitGetAnswer>(answer)?.profiles.into_iter().map(profile).collect())
    }
}
