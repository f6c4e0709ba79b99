//! Why a delivery failed or still waits. The words for people are in [`crate::words`]; which code of which cloud
//! means which reason is in [`crate::codes`].

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a delivery failed or still waits. Two refusals are two reasons where an agent or an administrator
        /// would do something different about them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The word used in the database, in logs and in metrics.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The customer does not follow the account any more.
    Unsubscribed = "unsubscribed",
    /// The openid is not one of this account's followers.
    UnknownCustomer = "unknown_customer",
    /// No reply window is open.
    WindowClosed = "window_closed",
    /// The replies of this window are used up.
    CountUsedUp = "count_used_up",
    /// The answer needs more messages than are left in this window.
    TooFewLeft = "too_few_left",
    /// The customer has switched the account's messages off.
    CustomerRefuses = "customer_refuses",
    /// The customer is on the account's own blacklist.
    Blacklisted = "blacklisted",
    /// WeChat has restricted the customer's account.
    CustomerRestricted = "customer_restricted",
    /// Not delivered, to protect a minor.
    MinorProtected = "minor_protected",

    /// The other side was busy at every try.
    Busy = "busy",
    /// Calls came too fast for too long.
    TooFast = "too_fast",
    /// The day's quota of calls is used up.
    QuotaUsedUp = "quota_used_up",
    /// Nothing could be reached for as long as this kind of job may wait.
    Unreachable = "unreachable",

    /// This machine's IP address is not in the account's IP list.
    IpNotListed = "ip_not_listed",
    /// An administrator has yet to confirm this machine's IP address, or has refused to.
    IpUnconfirmed = "ip_unconfirmed",
    /// The AppSecret is wrong.
    SecretWrong = "secret_wrong",
    /// The AppSecret is frozen.
    SecretFrozen = "secret_frozen",
    /// The AppID is wrong.
    AppIdWrong = "app_id_wrong",
    /// Every access token is refused, new ones too: another system asks for tokens as well.
    TokenRefused = "token_refused",
    /// The account has no permission for customer-service messages.
    NoPermission = "no_permission",
    /// The account has no permission for this kind of message.
    KindNotPermitted = "kind_not_permitted",
    /// WeChat has punished the account.
    Punished = "punished",
    /// WeChat's customer service is not switched on, or its agent account is not valid.
    CustomerServiceOff = "customer_service_off",
    /// The name of WeChat's API leads to a server that was retired.
    RetiredServer = "retired_server",
    /// Something else of the account or the app is set up wrongly.
    Setup = "setup",

    /// The text is empty.
    Empty = "empty",
    /// The text, or a field of the message, is too long.
    TooLong = "too_long",
    /// The content was refused, for example for a character that is not allowed.
    Content = "content",
    /// Content security blocked it.
    ContentBlocked = "content_blocked",
    /// The media has expired or never was.
    MediaGone = "media_gone",
    /// The media is too large or too long.
    MediaTooLarge = "media_too_large",
    /// The media is of a type that WeChat does not take, or is empty.
    MediaKind = "media_kind",
    /// The agent's file could not be loaded from IM.
    FileUnavailable = "file_unavailable",
    /// The file can only go as a link, and this gateway has no public address.
    NoPublicUrl = "no_public_url",
    /// The mini program is not linked to the account, or its page is wrong.
    MiniProgram = "mini_program",
    /// A kind of message that cannot go to WeChat.
    UnsupportedKind = "unsupported_kind",

    /// The IM app may have no more accounts.
    ImAccountsFull = "im_accounts_full",
    /// The IM account was deleted less than three months ago.
    ImAccountDeleted = "im_account_deleted",
    /// An IM account is missing, and could not be imported.
    ImAccountMissing = "im_account_missing",
    /// The IM edition is not paid, has expired, or does not allow this.
    ImPlan = "im_plan",
    /// IM refuses the key, the UserSig or the SDKAppID.
    ImKey = "im_key",
    /// The configured UserID is no app administrator, or lacks a right.
    ImPermission = "im_permission",
    /// IM does not allow calls from this IP address.
    ImIp = "im_ip",
    /// The host is not that of the app's data centre.
    ImHost = "im_host",
    /// IM has muted, blocked or restricted an account.
    ImRestricted = "im_restricted",
    /// A webhook of the app's own refused the message.
    ImWebhook = "im_webhook",
    /// The app demands that two users are friends.
    ImNotFriends = "im_not_friends",

    /// It waited in the mailbox for as long as it may, and the customer did not write.
    NotFetched = "not_fetched",
    /// An earlier part of the same message failed or is unsure, so this one was not sent.
    EarlierPart = "earlier_part",
    /// It was found in IM's history when it was too old to be sent without asking.
    FoundTooLate = "found_too_late",
    /// The agent recalled it before it was sent.
    Recalled = "recalled",
    /// The operator took it off its lane (`tsunagi jobs drop`).
    Dropped = "dropped",
    /// The gateway's request was malformed: its own mistake.
    OwnMistake = "own_mistake",
    /// Anything else that the other side refuses for good.
    Refused = "refused",
}

impl Reason {
    /// Reads the word back; `None` for a word that is no reason.
    pub fn parse(word: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }

    /// Reads a stored word back. One that this version does not know, because a newer one wrote it, is
    /// [`Reason::Refused`].
    pub fn read(word: &str) -> Reason {
        Reason::parse(word).unwrap_or(Reason::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_read_back_and_are_distinct() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert_eq!(Reason::read(reason.as_str()), *reason);
        }
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn the_words_of_the_first_version_still_read_back() {
        for word in [
            "unsubscribed",
            "window_closed",
            "count_used_up",
            "customer_refuses",
            "busy",
            "unreachable",
            "setup",
            "content",
            "unsupported_kind",
            "empty",
            "earlier_part",
            "dropped",
            "refused",
        ] {
            assert!(Reason::parse(word).is_some(), "{word}");
        }
        assert_eq!((Reason::parse("of tomorrow"), Reason::read("of tomorrow")), (None, Reason::Refused));
    }
}
