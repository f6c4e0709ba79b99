//! What customers are told when the configuration names no text of its own, in the account's language.

use desk::Language;

/// The passive reply to a follow.
pub(super) fn welcome(language: Language) -> &'static str {
    match language {
        Language::Zh => "您好，感谢您的关注！有任何问题，请直接在这里留言，客服人员会为您解答。",
        Language::Ja => {
            "フォローありがとうございます。ご質問は、こちらにそのままお送りください。担当者がお答えします。"
        }
        Language::En => {
            "Thank you for following us! Write your question here, and one of our staff will answer."
        }
    }
}

/// The passive reply to the message that opens a conversation.
pub(super) fn waiting(language: Language) -> &'static str {
    match language {
        Language::Zh => "正在为您接通客服人员，请稍候。",
        Language::Ja => "オペレーターにおつなぎしています。少々お待ちください。",
        Language::En => "We are connecting you with one of our staff. One moment, please.",
    }
}

/// Instead of [`waiting`], when no agent is online.
pub(super) fn away(language: Language) -> &'static str {
    match language {
        Language::Zh => "客服人员现在不在线。您的留言我们已收到，上线后会尽快回复您。",
        Language::Ja => {
            "ただいま担当者が不在です。メッセージはお預かりしました。戻りしだいお返事いたします。"
        }
        Language::En => {
            "None of our staff is online now. We have your message and will answer as soon as we are back."
        }
    }
}
