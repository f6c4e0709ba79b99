//! What an offline recipient's device shows. Start at [`OfflinePush`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/33527>

use serde::{Deserialize, Serialize};

use crate::element::Other;
use crate::lenient;

/// `OfflinePushInfo` of a message. Everything is optional: without it the device shows the text, the kind of media, or
/// the `Desc` of a custom element. `desc` and `ext` together have at most about 3 KB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfflinePush {
    /// 0 push, 1 no push.
    #[serde(
        rename = "PushFlag",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub push_flag: Option<u8>,
    /// The title.
    #[serde(rename = "Title", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text below it.
    #[serde(rename = "Desc", default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// What the app gets when it is opened; should be JSON.
    #[serde(rename = "Ext", default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<String>,
    /// For Android.
    #[serde(rename = "AndroidInfo", default, skip_serializing_if = "Option::is_none")]
    pub android: Option<AndroidPush>,
    /// For Apple's devices.
    #[serde(rename = "ApnsInfo", default, skip_serializing_if = "Option::is_none")]
    pub apns: Option<ApnsPush>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `AndroidInfo` of an [`OfflinePush`]. The channels are those that the app has registered with each maker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AndroidPush {
    /// Path of the sound within the app.
    #[serde(rename = "Sound", default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    /// Huawei's channel.
    #[serde(rename = "HuaWeiChannelID", default, skip_serializing_if = "Option::is_none")]
    pub huawei_channel: Option<String>,
    /// Xiaomi's channel.
    #[serde(rename = "XiaoMiChannelID", default, skip_serializing_if = "Option::is_none")]
    pub xiaomi_channel: Option<String>,
    /// OPPO's channel.
    #[serde(rename = "OPPOChannelID", default, skip_serializing_if = "Option::is_none")]
    pub oppo_channel: Option<String>,
    /// Google's channel.
    #[serde(rename = "GoogleChannelID", default, skip_serializing_if = "Option::is_none")]
    pub google_channel: Option<String>,
    /// vivo: 0 of the business, 1 of the system (the default).
    #[serde(
        rename = "VIVOClassification",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub vivo_classification: Option<u8>,
    /// Huawei: `LOW` or `NORMAL`.
    #[serde(rename = "HuaWeiImportance", default, skip_serializing_if = "Option::is_none")]
    pub huawei_importance: Option<String>,
    /// Huawei: 1 hands `ext` to the intent.
    #[serde(
        rename = "ExtAsHuaweiIntentParam",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub ext_as_huawei_intent_param: Option<u8>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `ApnsInfo` of an [`OfflinePush`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApnsPush {
    /// Name of the sound within the app.
    #[serde(rename = "Sound", default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    /// 0 counts the message in the badge, 1 does not.
    #[serde(
        rename = "BadgeMode",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub badge_mode: Option<u8>,
    /// Instead of [`OfflinePush::title`].
    #[serde(rename = "Title", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A second title.
    #[serde(rename = "SubTitle", default, skip_serializing_if = "Option::is_none")]
    pub sub_title: Option<String>,
    /// Address of a picture.
    #[serde(rename = "Image", default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// 1 lets the app change the push before it is shown.
    #[serde(
        rename = "MutableContent",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mutable_content: Option<u8>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}
