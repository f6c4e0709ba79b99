//! What the gateway tells an agent, in the chat with the customer.

use super::kinds::span;
use super::{Language, SIGNATURE, reason_words, waiting_words};
use crate::mailbox::Parked;
use crate::{Millis, Reason};

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
    /// An answer has been waiting for a long time, and still waits: the set-up is at fault.
    Delayed {
        /// The beginning of the agent's words.
        excerpt: &'a str,
        /// What it waits for.
        reason: Reason,
    },
    /// The agent sent a kind of message that cannot go to WeChat.
    UnsupportedKind,
    /// The customer does not follow the account any more.
    CustomerLeft,
    /// To the owner of a conversation: another agent has answered the customer.
    OtherAgentAnswered {
        /// The agent who answered.
        agent: &'a str,
        /// The beginning of what was said.
        excerpt: &'a str,
    },
    /// To an agent who answered a customer whom somebody else serves. The answer was sent all the same.
    NotYours {
        /// Who serves the customer.
        owner: &'a str,
    },
    /// To an agent who is given a conversation that another had.
    NowYours {
        /// UserID of who had it.
        from: &'a str,
        /// What the customer wrote last, a line each; empty if nothing is known.
        recent: &'a str,
    },
    /// To the former owner of a conversation.
    TakenAway {
        /// Who serves the customer now.
        to: &'a str,
    },
    /// An answer was sent, and so many more may follow before the customer writes again.
    RepliesLeft {
        /// So many; 0 after the last one.
        left: u32,
        /// For so long, in milliseconds.
        lasts: Millis,
    },
    /// The customer waits for an answer, and the reply window is about to close.
    ClosesSoon {
        /// In so many milliseconds.
        lasts: Millis,
    },
    /// Messages of the agent reached the gateway late and go out now.
    FoundLate {
        /// How many.
        count: usize,
        /// How long ago the first of them was written, in minutes.
        minutes: i64,
    },
    /// Messages of the agent reached the gateway so late that they are not sent.
    FoundTooLate {
        /// How many.
        count: usize,
        /// The beginnings of the newest ones, a line each.
        excerpts: &'a str,
    },
    /// The agent recalled a message that the customer has already.
    RecallImpossible {
        /// The beginning of the agent's words.
        excerpt: &'a str,
    },
    /// The agent recalled a message that may be on its way to the customer, or may have arrived.
    RecallUnsure {
        /// The beginning of the agent's words.
        excerpt: &'a str,
    },
    /// An answer cannot go out now; it is kept for the customer's next message.
    Parked {
        /// The beginning of the agent's words.
        excerpt: &'a str,
        /// Why it cannot go out now.
        why: Parked,
    },
    /// An answer of which the agent heard that it is kept has been delivered.
    Delivered {
        /// The beginning of the agent's words.
        excerpt: &'a str,
    },
}

/// The notice as it is shown to the agent.
pub fn notice(language: Language, notice: Notice<'_>) -> String {
    let words = match notice {
        Notice::Failed { excerpt, reason } => {
            let why = reason_words(language, reason);
            language.pick(
                format!("未送达：「{excerpt}」。{why}"),
                format!("届きませんでした：「{excerpt}」。{why}"),
                format!("Not delivered: “{excerpt}”. {why}"),
            )
        }
        Notice::Unsure { excerpt } => language.pick(
            format!(
                "无法确认是否送达：「{excerpt}」。网关不会自动重发，以免客户收到两次；请向客户确认，必要时再发一次。"
            ),
            format!(
                "届いたかどうか確認できません：「{excerpt}」。二重に届くのを防ぐため自動では再送しません。お客様にご確認のうえ、必要ならもう一度送ってください。"
            ),
            format!(
                "It is not known whether this arrived: “{excerpt}”. It is not repeated automatically, so that the customer does not get it twice; ask the customer, and send it again if needed."
            ),
        ),
        Notice::Delayed { excerpt, reason } => {
            let why = waiting_words(language, reason);
            language.pick(
                format!("仍在等待发送：「{excerpt}」。{why}问题解决后会自动发送，请不要重复发送。"),
                format!(
                    "まだ送信待ちです：「{excerpt}」。{why}解決すると自動で送りますので、送り直さないでください。"
                ),
                format!(
                    "Still waiting to be sent: “{excerpt}”. {why} It goes out by itself once that is mended; please do not send it again."
                ),
            )
        }
        Notice::UnsupportedKind => language.pick(
            "此类消息无法发送到微信，客户没有收到。请改用文字。".into(),
            "この種類のメッセージはWeChatへ送れないため、届いていません。文字でお送りください。".into(),
            "This kind of message cannot be sent to WeChat; the customer did not get it. Please use text."
                .into(),
        ),
        Notice::CustomerLeft => language.pick(
            "客户已取消关注，现在无法再向其发送消息。".into(),
            "お客様がフォローを解除しました。今はメッセージを送れません。".into(),
            "The customer has unfollowed the account and cannot be written to now.".into(),
        ),
        Notice::OtherAgentAnswered { agent, excerpt } => language.pick(
            format!("客服 {agent} 已回复这位客户：「{excerpt}」。会话仍由您负责。"),
            format!("担当者 {agent} がこのお客様に返信しました：「{excerpt}」。担当は引き続きあなたです。"),
            format!("{agent} answered this customer: “{excerpt}”. The conversation is still yours."),
        ),
        Notice::NotYours { owner } => language.pick(
            format!(
                "您的回复已转给客户。这位客户由客服 {owner} 负责，客户发来的消息会送到对方那里；请先与对方沟通。"
            ),
            format!(
                "返信はお客様へ送ります。このお客様の担当は {owner} で、お客様からのメッセージはそちらに届きます。先に連絡を取り合ってください。"
            ),
            format!(
                "Your answer goes to the customer. {owner} serves this customer and gets what the customer writes; please talk to them first."
            ),
        ),
        Notice::NowYours { from, recent } => {
            let (words, heading) = language.pick(
                (
                    format!("这位客户原由客服 {from} 接待，现在转由您负责，请继续接待。"),
                    "客户最近的消息：",
                ),
                (
                    format!(
                        "このお客様は {from} が担当していましたが、今からあなたの担当です。対応をお願いします。"
                    ),
                    "お客様の最近のメッセージ：",
                ),
                (
                    format!(
                        "{from} served this customer until now; the conversation is yours from here on. Please go on with it."
                    ),
                    "What the customer wrote last:",
                ),
            );
            if recent.is_empty() { words } else { format!("{words}\n{heading}\n{recent}") }
        }
        Notice::TakenAway { to } => language.pick(
            format!("您离线期间，这位客户已转给客服 {to} 接待。"),
            format!("オフラインの間に、このお客様は {to} の担当になりました。"),
            format!("While you were offline this customer was given to {to}."),
        ),
        Notice::RepliesLeft { left: 0, .. } => language.pick(
            "已送达。微信允许的回复条数已用完，客户再次发来消息之前无法再回复。".into(),
            "届きました。WeChatが許す返信はこれで最後です。お客様からの次のメッセージまで返信できません。".into(),
            "Delivered. That was the last reply that WeChat allows; the next one can go out after the customer writes again.".into(),
        ),
        Notice::RepliesLeft { left, lasts } => {
            let span = span(language, lasts);
            language.pick(
                format!("已送达。客户再次发来消息之前，{span}内还可以回复 {left} 条。"),
                format!("届きました。お客様からの次のメッセージまで、あと{span}以内に {left} 件返信できます。"),
                format!("Delivered. Until the customer writes again WeChat allows {left} more, within {span}."),
            )
        }
        Notice::ClosesSoon { lasts } => {
            let span = span(language, lasts);
            language.pick(
                format!("客户还在等待回复，而微信的回复时限将在 {span}后结束；之后要等客户再次发来消息才能回复。"),
                format!(
                    "お客様が返信を待っています。WeChatで返信できるのはあと{span}です。それを過ぎると、お客様からの次のメッセージまで返信できません。"
                ),
                format!(
                    "The customer still waits for an answer, and WeChat's reply window closes in {span}; after that you can answer only when the customer writes again."
                ),
            )
        }
        Notice::Parked { excerpt, why } => {
            let why = parked_words(language, why);
            language.pick(
                format!("已留存，客户下次发来消息时送达：「{excerpt}」。{why}请不要重复发送。"),
                format!(
                    "お客様が次に書き込んだときに届きます：「{excerpt}」。{why}送り直さないでください。"
                ),
                format!(
                    "Kept, and delivered when the customer writes next: “{excerpt}”. {why} Please do not send it again."
                ),
            )
        }
        Notice::Delivered { excerpt } => language.pick(
            format!("留存的回复已送达：「{excerpt}」。"),
            format!("お預かりしていた返信が届きました：「{excerpt}」。"),
            format!("The answer that was kept has been delivered: “{excerpt}”."),
        ),
        Notice::FoundLate { count, minutes } => language.pick(
            format!(
                "IM 没有及时通知网关：您的 {count} 条消息（最早的写于 {minutes} 分钟前）刚刚才收到，现在按顺序发送给客户。"
            ),
            format!(
                "IMからの通知が届かず、あなたのメッセージ{count}件（最も古いものは{minutes}分前）を今受け取りました。順番にお客様へ送ります。"
            ),
            format!(
                "IM did not tell the gateway in time: {count} of your messages (the first written {minutes} minutes ago) came in only now and go to the customer in their order."
            ),
        ),
        Notice::FoundTooLate { count, excerpts } => {
            let why = reason_words(language, Reason::FoundTooLate);
            let head = language.pick(
                format!("未发送（{count} 条）。{why}"),
                format!("送っていません（{count}件）。{why}"),
                format!("Not sent ({count}). {why}"),
            );
            if excerpts.is_empty() { head } else { format!("{head}\n{excerpts}") }
        }
        Notice::RecallImpossible { excerpt } => language.pick(
            format!("微信无法撤回：「{excerpt}」已经送达客户。如有错误，请另发一条更正。"),
            format!(
                "WeChatでは取り消せません：「{excerpt}」はすでにお客様に届いています。誤りがあれば、訂正を送ってください。"
            ),
            format!(
                "WeChat cannot take back what was sent: the customer has “{excerpt}”. Please send a correction if needed."
            ),
        ),
        Notice::RecallUnsure { excerpt } => language.pick(
            format!("无法确认撤回：「{excerpt}」可能已经送达客户。请向客户确认，必要时另发一条更正。"),
            format!(
                "取り消せたかどうか確認できません：「{excerpt}」はすでに届いている可能性があります。お客様に確認し、必要なら訂正を送ってください。"
            ),
            format!(
                "It is not known whether “{excerpt}” could be taken back; the customer may have it. Ask them, and send a correction if needed."
            ),
        ),
    };
    format!("{SIGNATURE}{words}")
}

/// Why an answer waits, as a sentence.
fn parked_words(language: Language, why: Parked) -> &'static str {
    match why {
        Parked::WindowClosed => language.pick(
            "微信的48小时回复期限已过。",
            "WeChatの返信期限（48時間）が過ぎています。",
            "WeChat's 48-hour reply window is closed.",
        ),
        Parked::CountUsedUp => language.pick(
            "本次可回复的条数已用完。",
            "返信できる件数を使い切りました。",
            "The replies that WeChat allows are used up.",
        ),
        Parked::Passive => language.pick(
            "该公众号不能主动发送消息。",
            "このアカウントからは、お客様のメッセージへの返信しか送れません。",
            "This account can only reply to what the customer writes.",
        ),
        Parked::Behind => language.pick(
            "前面还有待发送的回复。",
            "先に待っている返信があります。",
            "Earlier answers are still waiting.",
        ),
    }
}
