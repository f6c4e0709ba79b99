//! Why a delivery failed, as sentences: what happened, what to do, and who does it.

use super::Language;
use crate::Reason;

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
