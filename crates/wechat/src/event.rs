//! What can happen besides messages. Start at [`Event`]; how one is read is in `event/read.rs`.
//!
//! Vendor page: <https://developers.weixin.qq.com/doc/subscription/en/guide/product/message/Receiving_event_pushes.html>

mod read;

/// An event. A text field that is missing is empty; an `Option` is `None` when missing or empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A follow.
    Subscribe {
        /// Scene of the parametric QR code, without its `qrscene_`.
        scene: Option<String>,
        /// Ticket of the QR code.
        ticket: Option<String>,
    },
    /// An unfollow. WeChat requires that the customer's personal data be deleted.
    Unsubscribe,
    /// A follower scanned a parametric QR code.
    Scan {
        /// Scene of the QR code.
        scene: String,
        /// Ticket of the QR code.
        ticket: Option<String>,
    },
    /// Where the customer is; can come every five seconds while the chat is open.
    Location {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// Metres.
        precision: Option<f64>,
    },
    /// A tap on a menu item with a key.
    Click {
        /// The menu item's key.
        key: String,
    },
    /// A tap on a menu item with an address.
    View {
        /// The address.
        url: String,
        /// `MenuId`.
        menu_id: Option<String>,
    },
    /// A tap on a menu item that opens a mini program.
    ViewMiniprogram {
        /// The page's path.
        path: String,
        /// `MenuId`.
        menu_id: Option<String>,
    },
    /// A menu item that scans a code.
    ScancodePush {
        /// The menu item's key.
        key: String,
        /// What was scanned.
        scan: ScanCode,
    },
    /// A menu item that scans a code, with the client waiting for a reply.
    ScancodeWaitmsg {
        /// The menu item's key.
        key: String,
        /// What was scanned.
        scan: ScanCode,
    },
    /// A menu item that takes a photograph; the pictures follow as messages.
    PicSysphoto {
        /// The menu item's key.
        key: String,
        /// What was sent.
        pictures: Pictures,
    },
    /// A menu item that takes or chooses a picture; the pictures follow as messages.
    PicPhotoOrAlbum {
        /// The menu item's key.
        key: String,
        /// What was sent.
        pictures: Pictures,
    },
    /// A menu item that chooses pictures in WeChat; the pictures follow as messages.
    PicWeixin {
        /// The menu item's key.
        key: String,
        /// What was sent.
        pictures: Pictures,
    },
    /// A menu item that chooses a place.
    LocationSelect {
        /// The menu item's key.
        key: String,
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// Zoom of the map.
        scale: Option<f64>,
        /// Address of the place.
        label: String,
        /// Name of the place, may be empty.
        poi_name: String,
    },
    /// A template message has been delivered or not.
    TemplateSendJobFinish {
        /// `MsgID` of the template message.
        msg_id: Option<u64>,
        /// `success`, or `failed:` with a reason.
        status: String,
    },
    /// A mass message has been sent or not.
    MassSendJobFinish {
        /// `MsgID` of the mass message.
        msg_id: Option<u64>,
        /// `send success`, `send fail`, `err(10001)` and so on.
        status: String,
        /// `TotalCount`: followers addressed.
        total: Option<u64>,
        /// `FilterCount`: those left after filtering.
        filtered: Option<u64>,
        /// `SentCount`.
        sent: Option<u64>,
        /// `ErrorCount`.
        failed: Option<u64>,
    },
    /// A publication has been made or not.
    FreepublishJobFinish {
        /// `publish_id`.
        publish_id: String,
        /// `publish_status`; 0 is success.
        status: Option<i64>,
        /// `article_id`.
        article_id: Option<String>,
        /// `fail_idx`: which articles failed.
        failed: Vec<u32>,
    },
    /// An agent of WeChat's own console took a customer.
    KfCreateSession {
        /// `KfAccount`.
        account: String,
    },
    /// An agent of WeChat's own console ended a session.
    KfCloseSession {
        /// `KfAccount`.
        account: String,
    },
    /// An agent of WeChat's own console handed a customer over.
    KfSwitchSession {
        /// `FromKfAccount`.
        from: String,
        /// `ToKfAccount`.
        to: String,
    },
    /// The customer answered the dialogue for subscription messages.
    SubscribeMsgPopup {
        /// One per template.
        templates: Vec<TemplateChoice>,
    },
    /// The customer changed the choice; only `reject` is pushed.
    SubscribeMsgChange {
        /// One per template.
        templates: Vec<TemplateChoice>,
    },
    /// Subscription messages have been delivered or not.
    SubscribeMsgSent {
        /// One per message.
        results: Vec<TemplateResult>,
    },
    /// The customer changed the profile that was authorised: read it again.
    UserInfoModified(Authorization),
    /// The customer withdrew an authorisation: delete what came from it.
    UserAuthorizationRevoke(Authorization),
    /// The customer closed the WeChat account.
    UserAuthorizationCancellation(Authorization),
    /// The account passed the check of its qualification.
    QualificationVerifySuccess {
        /// Until when, seconds since 1970.
        expired_time: Option<i64>,
    },
    /// The account failed the check of its qualification.
    QualificationVerifyFail {
        /// When, seconds since 1970.
        fail_time: Option<i64>,
        /// Why.
        reason: String,
    },
    /// The account passed the check of its name.
    NamingVerifySuccess {
        /// Until when, seconds since 1970.
        expired_time: Option<i64>,
    },
    /// The account failed the check of its name.
    NamingVerifyFail {
        /// When, seconds since 1970.
        fail_time: Option<i64>,
        /// Why.
        reason: String,
    },
    /// The yearly certification is due: without it the customer-service API will be gone.
    AnnualRenew {
        /// Until when, seconds since 1970.
        expired_time: Option<i64>,
    },
    /// The certification has expired.
    VerifyExpired {
        /// Since when, seconds since 1970.
        expired_time: Option<i64>,
    },
    /// An event that this crate does not know; its fields are in [`crate::Push::fields`].
    Unknown {
        /// `Event` as received.
        name: String,
    },
}

/// `ScanCodeInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanCode {
    /// `ScanType`, such as `qrcode`.
    pub scan_type: String,
    /// `ScanResult`: what the code says.
    pub result: String,
}

/// `SendPicsInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    /// `Count`.
    pub count: Option<u32>,
    /// `PicMd5Sum` of each, hexadecimal.
    pub md5: Vec<String>,
}

/// A customer's choice about one template of subscription messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateChoice {
    /// `TemplateId`.
    pub template_id: String,
    /// `SubscribeStatusString`: `accept` or `reject`.
    pub status: String,
    /// `PopupScene`, only with [`Event::SubscribeMsgPopup`].
    pub popup_scene: Option<String>,
}

/// What became of one subscription message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateResult {
    /// `TemplateId`.
    pub template_id: String,
    /// `MsgID`.
    pub msg_id: Option<u64>,
    /// `ErrorCode`; 0 is delivered.
    pub error_code: Option<i64>,
    /// `ErrorStatus`.
    pub error_status: String,
}

/// Whose authorisation changed, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorization {
    /// `OpenID` of the customer.
    pub open_id: String,
    /// `AppID` of the account.
    pub app_id: String,
    /// `UnionID`.
    pub union_id: Option<String>,
    /// `RevokeInfo`: which data, as numbers (201 to 207 and 301 have been seen).
    pub revoke_info: Option<String>,
}

impl Event {
    /// The event's name in WeChat's spelling; for [`Event::Unknown`] as received.
    pub fn name(&self) -> &str {
        match self {
            Event::Subscribe { .. } => "subscribe",
            Event::Unsubscribe => "unsubscribe",
            Event::Scan { .. } => "SCAN",
            Event::Location { .. } => "LOCATION",
            Event::Click { .. } => "CLICK",
            Event::View { .. } => "VIEW",
            Event::ViewMiniprogram { .. } => "view_miniprogram",
            Event::ScancodePush { .. } => "scancode_push",
            Event::ScancodeWaitmsg { .. } => "scancode_waitmsg",
            Event::PicSysphoto { .. } => "pic_sysphoto",
            Event::PicPhotoOrAlbum { .. } => "pic_photo_or_album",
            Event::PicWeixin { .. } => "pic_weixin",
            Event::LocationSelect { .. } => "location_select",
            Event::TemplateSendJobFinish { .. } => "TEMPLATESENDJOBFINISH",
            Event::MassSendJobFinish { .. } => "MASSSENDJOBFINISH",
            Event::FreepublishJobFinish { .. } => "FREEPUBLISHJOBFINISH",
            Event::KfCreateSession { .. } => "kf_create_session",
            Event::KfCloseSession { .. } => "kf_close_session",
            Event::KfSwitchSession { .. } => "kf_switch_session",
            Event::SubscribeMsgPopup { .. } => "subscribe_msg_popup_event",
            Event::SubscribeMsgChange { .. } => "subscribe_msg_change_event",
            Event::SubscribeMsgSent { .. } => "subscribe_msg_sent_event",
            Event::UserInfoModified(_) => "user_info_modified",
            Event::UserAuthorizationRevoke(_) => "user_authorization_revoke",
            Event::UserAuthorizationCancellation(_) => "user_authorization_cancellation",
            Event::QualificationVerifySuccess { .. } => "qualification_verify_success",
            Event::QualificationVerifyFail { .. } => "qualification_verify_fail",
            Event::NamingVerifySuccess { .. } => "naming_verify_success",
            Event::NamingVerifyFail { .. } => "naming_verify_fail",
            Event::AnnualRenew { .. } => "annual_renew",
            Event::VerifyExpired { .. } => "verify_expired",
            Event::Unknown { name } => name,
        }
    }

    /// Whether EventKey, Ticket and MsgID are not what tells two events of one second apart: their ids are
    /// deeper in the document, or it is not known where.
    pub(crate) fn is_told_apart_by_all_fields(&self) -> bool {
        matches!(
            self,
            Event::FreepublishJobFinish { .. }
                | Event::SubscribeMsgPopup { .. }
                | Event::SubscribeMsgChange { .. }
                | Event::SubscribeMsgSent { .. }
                | Event::KfSwitchSession { .. }
                | Event::KfCreateSession { .. }
                | Event::KfCloseSession { .. }
                | Event::UserInfoModified(_)
                | Event::UserAuthorizationRevoke(_)
                | Event::UserAuthorizationCancellation(_)
                | Event::Unknown { .. }
        )
    }
}
