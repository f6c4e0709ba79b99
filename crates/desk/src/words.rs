//! What the gateway says to people, in Chinese, Japanese and English.
//!
//! One catalogue for notices to agents and for what stands in place of a message that is not text. Each
//! notice says what happened and what to do.

use crate::Reason;
use serde::{Deserialize, Serialize};

/// The languages of the catalogue (`language` of an account).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese (simplified).
    #[default]
    Zh,
    /// Japanese.
    Ja,
    /// English.
    En,
}

/// How every notice begins, so that nobody takes it for the customer's words.
pub const SIGNATURE: &str = "【Tsunagi】";

/// A notice to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// An answer, or from this part on, was not delivered.
    Failed {
        /// The beginning of the agent's words.
        excerpt: &'a str,
        /// Why.
        reason: Reason,
    },
    /// An answer may or may not have been delivered.
    Unsure {
        /// The beginning of the agent's words.
        excerpt: &'a str,
    },
    /// The agent sent a kind of message that cannot go to WeChat.
    UnsupportedKind,
    /// The customer does not follow the account any more.
    CustomerLeft,
    /// To the owner of the conversation: another agent answered.
    OtherAgentAnswered {
        /// UserID of who answered.
        agent: &'a str,
        /// The beginning of their words.
        excerpt: &'a str,
    },
    /// To an agent who answered in another's conversation.
    NotYours {
        /// UserID of the owner.
        owner: &'a str,
    },
    /// To an agent who is given a conversation that another had.
    NowYours {
        /// UserID of who had it.
        from: &'a str,
        /// What the customer wrote last, a line each; empty if nothing is known.
        recent: &'a str,
    },
    /// To an agent whose conversation was given to another.
    TakenAway {
        /// UserID of who has it now.
        to: &'a str,
    },
    /// An answer has been waiting for some time because of something that an administrator has to mend.
    Delayed {
        /// The beginning of the agent's words.
        excerpt: &'a str,
        /// Why.
        reason: Reason,
    },
}

/// The notice as it is shown to the agent.
pub fn notice(language: Language, notice: Notice<'_>) -> String {
    let words = match (language, notice) {
        (Language::Zh, Notice::Failed { excerpt, reason }) => {
            format!("未送达：「{excerpt}」。{}", reason_words(language, reason))
        }
        (Language::Ja, Notice::Failed { excerpt, reason }) => {
            format!("届きませんでした：「{excerpt}」。{}", reason_words(language, reason))
        }
        (Language::En, Notice::Failed { excerpt, reason }) => {
            format!("Not delivered: “{excerpt}”. {}", reason_words(language, reason))
        }
        (Language::Zh, Notice::Unsure { excerpt }) => {
            format!(
                "无法确认是否送达：「{excerpt}」。网关不会自动重发，以免客户收到两次；请向客户确认，必要时再发一次。"
            )
        }
        (Language::Ja, Notice::Unsure { excerpt }) => format!(
            "届いたかどうか確認できません：「{excerpt}」。二重に届くのを防ぐため自動では再送しません。お客様にご確認のうえ、必要ならもう一度送ってください。"
        ),
        (Language::En, Notice::Unsure { excerpt }) => format!(
            "It is not known whether this arrived: “{excerpt}”. It is not repeated automatically, so that the customer does not get it twice; ask the customer, and send it again if needed."
        ),
        (Language::Zh, Notice::UnsupportedKind) => {
            "此类消息无法发送到微信，客户没有收到。请改用文字。".into()
        }
        (Language::Ja, Notice::UnsupportedKind) => {
            "この種類のメッセージはWeChatへ送れないため、届いていません。文字でお送りください。".into()
        }
        (Language::En, Notice::UnsupportedKind) => {
            "This kind of message cannot be sent to WeChat; the customer did not get it. Please use text."
                .into()
        }
        (Language::Zh, Notice::OtherAgentAnswered { agent, excerpt }) => {
            format!("客服 {agent} 已回复这位客户：「{excerpt}」。会话仍由您负责。")
        }
        (Language::Ja, Notice::OtherAgentAnswered { agent, excerpt }) => {
            format!("担当者 {agent} がこのお客様に返信しました：「{excerpt}」。担当は引き続きあなたです。")
        }
        (Language::En, Notice::OtherAgentAnswered { agent, excerpt }) => {
            format!("{agent} answered this customer: “{excerpt}”. The conversation is still yours.")
        }
        (Language::Zh, Notice::NotYours { owner }) => {
            format!("您的回复已转给客户。这位客户由客服 {owner} 负责，客户的来信会发给对方；请先与对方沟通。")
        }
        (Language::Ja, Notice::NotYours { owner }) => format!(
            "返信はお客様へ送ります。このお客様の担当は {owner} で、お客様からのメッセージはそちらに届きます。先に連絡を取り合ってください。"
        ),
        (Language::En, Notice::NotYours { owner }) => format!(
            "Your answer goes to the customer. {owner} serves this customer and gets what the customer writes; please talk to them first."
        ),
        (Language::Zh, Notice::NowYours { from, recent }) => with_recent(
            format!("这位客户原由客服 {from} 接待，现在转由您负责，请继续接待。"),
            "客户最近的消息：",
            recent,
        ),
        (Language::Ja, Notice::NowYours { from, recent }) => with_recent(
            format!("このお客様は {from} が担当していましたが、今からあなたの担当です。対応をお願いします。"),
            "お客様の最近のメッセージ：",
            recent,
        ),
        (Language::En, Notice::NowYours { from, recent }) => with_recent(
            format!(
                "{from} served this customer until now; the conversation is yours from here on. Please go on with it."
            ),
            "What the customer wrote last:",
            recent,
        ),
        (Language::Zh, Notice::TakenAway { to }) => {
            format!("您离线期间，这位客户已转给客服 {to} 接待。")
        }
        (Language::Ja, Notice::TakenAway { to }) => {
            format!("オフラインの間に、このお客様は {to} の担当になりました。")
        }
        (Language::En, Notice::TakenAway { to }) => {
            format!("While you were offline this customer was given to {to}.")
        }
        (Language::Zh, Notice::Delayed { excerpt, reason }) => {
            format!("尚未送达，仍在重试：「{excerpt}」。{}", reason_words(language, reason))
        }
        (Language::Ja, Notice::Delayed { excerpt, reason }) => {
            format!("まだ届いていません（再試行中）：「{excerpt}」。{}", reason_words(language, reason))
        }
        (Language::En, Notice::Delayed { excerpt, reason }) => {
            format!(
                "Not delivered yet, and still being tried: “{excerpt}”. {}",
                reason_words(language, reason)
            )
        }
        (Language::Zh, Notice::CustomerLeft) => "客户已取消关注，现在无法再向其发送消息。".into(),
        (Language::Ja, Notice::CustomerLeft) => {
            "お客様がフォローを解除しました。今はメッセージを送れません。".into()
        }
        (Language::En, Notice::CustomerLeft) => {
            "The customer has unfollowed the account and cannot be written to now.".into()
        }
    };
    format!("{SIGNATURE}{words}")
}

/// The words, and below them what the customer wrote last.
fn with_recent(words: String, heading: &str, recent: &str) -> String {
    if recent.is_empty() { words } else { format!("{words}\n{heading}\n{recent}") }
}

/// Why it failed and what to do, as a sentence.
pub fn reason_words(language: Language, reason: Reason) -> &'static str {
    use Language::{En, Ja, Zh};
    match (reason, language) {
        (Reason::Unsubscribed, Zh) => "客户已取消关注，重新关注后才能发送。",
        (Reason::Unsubscribed, Ja) => "お客様がフォローを解除しています。再びフォローされるまで送れません。",
        (Reason::Unsubscribed, En) => {
            "The customer has unfollowed; nothing can be sent until they follow again."
        }
        (Reason::WindowClosed, Zh) => "微信的48小时回复期限已过，请等客户再次来信后回复。",
        (Reason::WindowClosed, Ja) => {
            "WeChatの返信期限（48時間）が過ぎています。お客様から次のメッセージが来たら返信できます。"
        }
        (Reason::WindowClosed, En) => {
            "WeChat's 48-hour reply window is closed; answer after the customer writes again."
        }
        (Reason::CountUsedUp, Zh) => "本次可回复的条数已用完，请等客户再次来信后回复。",
        (Reason::CountUsedUp, Ja) => {
            "返信できる件数を使い切りました。お客様から次のメッセージが来たら返信できます。"
        }
        (Reason::CountUsedUp, En) => {
            "The replies that WeChat allows are used up; answer after the customer writes again."
        }
        (Reason::CustomerRefuses, Zh) => "客户拒收消息或其账号受限，无法发送。",
        (Reason::CustomerRefuses, Ja) => "お客様が受信を拒否しているか、アカウントが制限されています。",
        (Reason::CustomerRefuses, En) => "The customer blocks messages or their account is restricted.",
        (Reason::Busy, Zh) => "微信系统繁忙，请稍后再发一次。",
        (Reason::Busy, Ja) => "WeChatが混み合っています。しばらくしてからもう一度お送りください。",
        (Reason::Busy, En) => "WeChat is busy; please send it again later.",
        (Reason::Unreachable, Zh) => "长时间无法连接微信，请稍后再发一次，并通知管理员。",
        (Reason::Unreachable, Ja) => {
            "長い間WeChatに接続できませんでした。後でもう一度送り、管理者に知らせてください。"
        }
        (Reason::Unreachable, En) => {
            "WeChat could not be reached for a long time; send it again later and tell your administrator."
        }
        (Reason::Setup, Zh) => "公众号的设置有误（密钥、IP白名单或权限），请通知管理员。",
        (Reason::Setup, Ja) => {
            "アカウントの設定（シークレット、IPリスト、権限）に誤りがあります。管理者に知らせてください。"
        }
        (Reason::Setup, En) => {
            "The account's set-up (secret, IP list or permission) is at fault; tell your administrator."
        }
        (Reason::Content, Zh) => "微信不接受此内容，请修改后再发。",
        (Reason::Content, Ja) => "WeChatがこの内容を受け付けません。書き直してお送りください。",
        (Reason::Content, En) => "WeChat does not accept this content; please reword it.",
        (Reason::UnsupportedKind, Zh) => "此类消息无法发送到微信，请改用文字。",
        (Reason::UnsupportedKind, Ja) => "この種類のメッセージはWeChatへ送れません。文字でお送りください。",
        (Reason::UnsupportedKind, En) => "This kind of message cannot be sent to WeChat; please use text.",
        (Reason::Empty, Zh) => "内容为空。",
        (Reason::Empty, Ja) => "内容が空です。",
        (Reason::Empty, En) => "The text is empty.",
        (Reason::EarlierPart, Zh) => "前面的部分未送达，因此没有发送。",
        (Reason::EarlierPart, Ja) => "前の部分が届かなかったため、送っていません。",
        (Reason::EarlierPart, En) => "An earlier part was not delivered, so this one was not sent.",
        (Reason::Dropped, Zh) => "管理员已将其从待发送队列中移除；如仍需要，请再发一次。",
        (Reason::Dropped, Ja) => "管理者が送信待ちから外しました。必要ならもう一度お送りください。",
        (Reason::Dropped, En) => {
            "Your administrator took it out of the queue; send it again if it is still needed."
        }
        (Reason::Refused, Zh) => "微信拒绝了这条消息。",
        (Reason::Refused, Ja) => "WeChatがこのメッセージを拒否しました。",
        (Reason::Refused, En) => "WeChat refused this message.",
    }
}

/// What stands for a message that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is the kind of message")]
pub enum Kind {
    Image,
    Voice,
    Video,
    Location,
    Link,
    File,
    Unsupported,
}

/// The bracketed word for a kind of message: `[voice]`.
pub fn kind(language: Language, kind: Kind) -> &'static str {
    use Language::{En, Ja, Zh};
    match (kind, language) {
        (Kind::Image, Zh) => "[图片]",
        (Kind::Image, Ja) => "[画像]",
        (Kind::Image, En) => "[image]",
        (Kind::Voice, Zh) => "[语音]",
        (Kind::Voice, Ja) => "[音声]",
        (Kind::Voice, En) => "[voice]",
        (Kind::Video, Zh) => "[视频]",
        (Kind::Video, Ja) => "[動画]",
        (Kind::Video, En) => "[video]",
        (Kind::Location, Zh) => "[位置]",
        (Kind::Location, Ja) => "[位置情報]",
        (Kind::Location, En) => "[location]",
        (Kind::Link, Zh) => "[链接]",
        (Kind::Link, Ja) => "[リンク]",
        (Kind::Link, En) => "[link]",
        (Kind::File, Zh) => "[文件]",
        (Kind::File, Ja) => "[ファイル]",
        (Kind::File, En) => "[file]",
        (Kind::Unsupported, Zh) => "[微信无法转发的消息，请客户改用文字]",
        (Kind::Unsupported, Ja) => "[未対応のメッセージ：文字で送っていただくようお願いしてください]",
        (Kind::Unsupported, En) => "[unsupported message: please ask the customer to use text]",
    }
}

/// The beginning of a text for a notice: at most 20 characters.
pub fn excerpt(text: &str) -> String {
    let line = text.trim().replace(['\n', '\r'], " ");
    let mut short: String = line.chars().take(20).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_is_signed_and_differs_by_language() {
        let notices = [
            Notice::Failed { excerpt: "x", reason: Reason::Busy },
            Notice::Unsure { excerpt: "x" },
            Notice::UnsupportedKind,
            Notice::CustomerLeft,
            Notice::OtherAgentAnswered { agent: "user2", excerpt: "x" },
            Notice::NotYours { owner: "user1" },
            Notice::NowYours { from: "user1", recent: "x" },
            Notice::TakenAway { to: "user2" },
            Notice::Delayed { excerpt: "x", reason: Reason::Setup },
        ];
        for which in notices {
            let texts = [Language::Zh, Language::Ja, Language::En].map(|language| notice(language, which));
            assert!(texts.iter().all(|text| text.starts_with(SIGNATURE)));
            assert!(texts[0] != texts[1] && texts[1] != texts[2]);
        }
    }

    #[test]
    fn excerpts_are_short_and_one_line() {
        assert_eq!(
            excerpt("5月になりますので、\nフォローをよろしくお願いいたします！"),
            "5月になりますので、 フォローをよろしく…"
        );
        assert_eq!(excerpt("短い"), "短い");
    }
}
