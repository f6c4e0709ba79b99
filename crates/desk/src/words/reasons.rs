//! Why a delivery failed: a short name for lists, and sentences that say what happened, what to do, and who does it.

use super::Language;
use crate::Reason;

/// Why it failed and what to do, as one or two sentences for the agent. Only answers that fail are told to an agent, so
/// the other side is WeChat except where IM is named.
pub fn reason_words(language: Language, reason: Reason) -> &'static str {
    let [zh, ja, en] = row(reason);
    language.pick(zh, ja, en).1
}

/// Why a delivery still waits, and what to do meanwhile. It goes out by itself, so unlike [`reason_words`] this never asks
/// the agent to send it again.
pub fn waiting_words(language: Language, reason: Reason) -> &'static str {
    match reason {
        Reason::Busy => language.pick("微信系统繁忙。", "WeChatが混み合っています。", "WeChat is busy."),
        Reason::TooFast => language.pick(
            "短时间内发送过多，微信要求稍候。",
            "短い時間に送信が集中したため、WeChatから待つよう求められています。",
            "Too much was sent in a short time, and WeChat asks to wait.",
        ),
        Reason::QuotaUsedUp => language.pick(
            "公众号今天的接口调用次数已用完，要到明天才能发送；如急需发送，请联系管理员重置额度。",
            "アカウントの本日の送信枠を使い切ったため、明日まで送れません。お急ぎの場合は、管理者に枠のリセットを依頼してください。",
            "The account's quota for today is used up, so it has to wait until tomorrow; if it is urgent, ask your administrator to reset the quota.",
        ),
        Reason::Unreachable => language.pick(
            "一直无法连接微信，请通知管理员。",
            "WeChatに接続できません。管理者に知らせてください。",
            "WeChat cannot be reached; tell your administrator.",
        ),
        other => reason_words(language, other),
    }
}

/// The short name of a reason, for pages and lists.
pub fn reason_label(language: Language, reason: Reason) -> &'static str {
    let [zh, ja, en] = row(reason);
    language.pick(zh, ja, en).0
}

/// Name and sentences, in Chinese, Japanese and English.
fn row(reason: Reason) -> [(&'static str, &'static str); 3] {
    match reason {
        Reason::Unsubscribed => [
            ("已取消关注", "客户已取消关注，重新关注后才能发送。"),
            ("フォロー解除", "お客様がフォローを解除しています。再びフォローされるまで送れません。"),
            ("unfollowed", "The customer has unfollowed; nothing can be sent until they follow again."),
        ],
        Reason::UnknownCustomer => [
            (
                "不是粉丝",
                "微信在该公众号的粉丝中找不到这位客户；请等客户重新关注。如仍无法发送，请通知管理员核对公众号。",
            ),
            (
                "フォロワーではない",
                "このアカウントのフォロワーに、このお客様が見つかりません。再びフォローされるのをお待ちください。それでも送れない場合は、管理者に知らせてください。",
            ),
            (
                "not a follower",
                "WeChat does not find this customer among the account's followers; wait until they follow again. If it still fails, tell your administrator.",
            ),
        ],
        Reason::WindowClosed => [
            ("超过回复期限", "微信的48小时回复期限已过，请等客户再次发来消息后回复。"),
            (
                "返信期限切れ",
                "WeChatの返信期限（48時間）が過ぎています。お客様から次のメッセージが来たら返信できます。",
            ),
            (
                "window closed",
                "WeChat's 48-hour reply window is closed; answer after the customer writes again.",
            ),
        ],
        Reason::CountUsedUp => [
            ("回复条数用完", "本次可回复的条数已用完，请等客户再次发来消息后回复。"),
            (
                "返信件数の上限",
                "返信できる件数を使い切りました。お客様から次のメッセージが来たら返信できます。",
            ),
            (
                "replies used up",
                "The replies that WeChat allows are used up; answer after the customer writes again.",
            ),
        ],
        Reason::TooFewLeft => [
            (
                "剩余条数不够",
                "这条回复要拆成多条消息发送，超过了微信现在还允许的条数，因此一条也没有发出；请缩短后重发，或等客户再次发来消息。",
            ),
            (
                "残り件数不足",
                "この返信は複数のメッセージに分かれ、WeChatで今送れる件数を超えるため、一通も送っていません。短くして送り直すか、お客様からの次のメッセージをお待ちください。",
            ),
            (
                "too few replies left",
                "The answer needs more messages than WeChat allows now, so nothing of it was sent; send a shorter one, or wait until the customer writes again.",
            ),
        ],
        Reason::CustomerRefuses => [
            (
                "客户拒收",
                "客户已关闭接收该公众号的消息，无法发送；请等客户主动发来消息，或改用其他联系方式。",
            ),
            (
                "受信拒否",
                "お客様がこのアカウントからの受信をオフにしています。お客様からの連絡を待つか、別の方法でご連絡ください。",
            ),
            (
                "refused by customer",
                "The customer has switched this account's messages off; wait until they write, or reach them another way.",
            ),
        ],
        Reason::Blacklisted => [
            ("在黑名单中", "客户在公众号的黑名单中。如需联系，请管理员将其移出黑名单。"),
            (
                "ブラックリスト",
                "お客様はアカウントのブラックリストに入っています。連絡が必要な場合は、管理者に解除を依頼してください。",
            ),
            (
                "on the blacklist",
                "The customer is on the account's blacklist. If they should be written to, ask your administrator to take them off it.",
            ),
        ],
        Reason::CustomerRestricted => [
            ("客户账号受限", "客户的微信账号受到限制，暂时无法接收；请改用其他联系方式。"),
            (
                "お客様のアカウント制限",
                "お客様のWeChatアカウントが制限されており、受信できません。別の方法でご連絡ください。",
            ),
            (
                "customer restricted",
                "WeChat has restricted the customer's account; please reach them another way.",
            ),
        ],
        Reason::MinorProtected => [
            ("未成年人保护", "根据微信的未成年人保护规则，消息未送达；请改用其他联系方式与其监护人联系。"),
            (
                "未成年者保護",
                "WeChatの未成年者保護により届きませんでした。保護者の方へ別の方法でご連絡ください。",
            ),
            (
                "minor protected",
                "WeChat does not deliver this, to protect a minor; please reach a parent or guardian another way.",
            ),
        ],
        Reason::Busy => [
            ("系统繁忙", "微信系统繁忙，请稍后再发一次。"),
            ("混雑", "WeChatが混み合っています。しばらくしてからもう一度お送りください。"),
            ("busy", "WeChat is busy; please send it again later."),
        ],
        Reason::TooFast => [
            ("发送过快", "短时间内发送过多，请几分钟后再发一次。如经常出现，请通知管理员。"),
            (
                "送信過多",
                "短い時間に送信が集中しました。数分後にもう一度お送りください。何度も起きる場合は、管理者に知らせてください。",
            ),
            (
                "too fast",
                "Too much was sent in a short time; send it again in a few minutes. If this happens often, tell your administrator.",
            ),
        ],
        Reason::QuotaUsedUp => [
            (
                "当日额度用完",
                "公众号今天的接口调用次数已用完，请明天再发；如急需发送，请联系管理员重置额度。",
            ),
            (
                "本日の上限",
                "アカウントの本日の送信枠を使い切りました。明日もう一度お送りください。お急ぎの場合は、管理者に枠のリセットを依頼してください。",
            ),
            (
                "day's quota used up",
                "The account's quota for today is used up; send it again tomorrow, or ask your administrator to reset the quota.",
            ),
        ],
        Reason::Unreachable => [
            ("无法连接", "长时间无法连接微信，请稍后再发一次，并通知管理员。"),
            ("接続不可", "長い間WeChatに接続できませんでした。後でもう一度送り、管理者に知らせてください。"),
            (
                "unreachable",
                "WeChat could not be reached for a long time; send it again later and tell your administrator.",
            ),
        ],
        Reason::IpNotListed => [
            ("IP不在白名单", "网关的IP地址不在公众号的IP白名单中。请通知管理员在公众平台添加。"),
            (
                "IP未登録",
                "ゲートウェイのIPアドレスが、アカウントのIPホワイトリストにありません。管理者に登録を依頼してください。",
            ),
            (
                "IP not on the list",
                "The gateway's IP address is not on the account's IP list; ask your administrator to add it.",
            ),
        ],
        Reason::IpUnconfirmed => [
            ("IP待确认", "网关的IP地址需由公众号管理员在微信中确认。请通知管理员确认。"),
            (
                "IP確認待ち",
                "ゲートウェイのIPアドレスは、アカウント管理者がWeChatで承認する必要があります。管理者に承認を依頼してください。",
            ),
            (
                "IP not confirmed",
                "The account's administrator has to confirm the gateway's IP address in WeChat; please ask them to.",
            ),
        ],
        Reason::SecretWrong => [
            ("AppSecret错误", "公众号的AppSecret不正确。请通知管理员核对并更新配置。"),
            (
                "AppSecretの誤り",
                "アカウントのAppSecretが正しくありません。管理者に設定の確認を依頼してください。",
            ),
            (
                "AppSecret wrong",
                "The account's AppSecret is wrong; ask your administrator to correct the configuration.",
            ),
        ],
        Reason::SecretFrozen => [
            ("AppSecret已冻结", "公众号的AppSecret已被冻结。请通知管理员在公众平台解冻。"),
            ("AppSecretの凍結", "アカウントのAppSecretが凍結されています。管理者に解除を依頼してください。"),
            (
                "AppSecret frozen",
                "The account's AppSecret is frozen; ask your administrator to unfreeze it in WeChat's console.",
            ),
        ],
        Reason::AppIdWrong => [
            ("AppID错误", "公众号的AppID不正确。请通知管理员核对配置。"),
            ("AppIDの誤り", "アカウントのAppIDが正しくありません。管理者に設定の確認を依頼してください。"),
            (
                "AppID wrong",
                "The account's AppID is wrong; ask your administrator to correct the configuration.",
            ),
        ],
        Reason::TokenRefused => [
            ("凭证被拒", "微信反复拒绝网关的调用凭证，可能有其他系统也在获取该公众号的凭证。请通知管理员。"),
            (
                "トークン拒否",
                "WeChatがゲートウェイのアクセストークンを受け付けません。別のシステムも取得している可能性があります。管理者に知らせてください。",
            ),
            (
                "token refused",
                "WeChat keeps refusing the gateway's access token; another system may be fetching tokens too. Tell your administrator.",
            ),
        ],
        Reason::NoPermission => [
            ("无接口权限", "公众号没有发送客服消息的权限（可能未认证）。请通知管理员在公众平台开通。"),
            (
                "権限なし",
                "アカウントにカスタマーサービスメッセージの権限がありません（未認証の可能性があります）。管理者に知らせてください。",
            ),
            (
                "no permission",
                "The account may not send customer-service messages (it may not be verified); tell your administrator.",
            ),
        ],
        Reason::KindNotPermitted => [
            ("无此类消息权限", "公众号没有发送此类消息的权限，请改用文字；如有需要，请通知管理员。"),
            (
                "種類の権限なし",
                "アカウントにこの種類のメッセージの権限がありません。文字でお送りください。必要なら管理者に知らせてください。",
            ),
            (
                "kind not permitted",
                "The account may not send this kind of message; please use text, or tell your administrator if you need it.",
            ),
        ],
        Reason::Punished => [
            ("公众号被处罚", "公众号因违规被微信限制，无法发送。请通知管理员到公众平台查看处罚通知。"),
            (
                "アカウント制限",
                "アカウントが規約違反によりWeChatから制限されています。管理者に通知の確認を依頼してください。",
            ),
            (
                "account penalised",
                "WeChat has restricted the account for a breach of its rules; ask your administrator to read the notice in WeChat's console.",
            ),
        ],
        Reason::CustomerServiceOff => [
            ("客服功能未就绪", "微信的客服功能未开通或客服账号无效。请通知管理员。"),
            (
                "カスタマーサービス無効",
                "WeChatのカスタマーサービスが無効か、担当アカウントが正しくありません。管理者に知らせてください。",
            ),
            (
                "customer service off",
                "WeChat's customer service is off, or its agent account is not valid; tell your administrator.",
            ),
        ],
        Reason::RetiredServer => [
            ("服务器已下线", "网关连接到了微信已停用的服务器。请通知管理员检查DNS设置。"),
            (
                "廃止されたサーバー",
                "ゲートウェイがWeChatの廃止されたサーバーに接続しています。管理者にDNSの確認を依頼してください。",
            ),
            (
                "retired server",
                "The gateway reaches a server that WeChat has retired; ask your administrator to check DNS.",
            ),
        ],
        Reason::Setup => [
            ("设置有误", "账号或应用的设置有误，请通知管理员。"),
            ("設定の誤り", "アカウントまたはアプリの設定に誤りがあります。管理者に知らせてください。"),
            ("set-up at fault", "The set-up of the account or the app is at fault; tell your administrator."),
        ],
        Reason::Empty => [
            ("内容为空", "内容为空，请输入内容后再发。"),
            ("内容が空", "内容が空です。入力してからお送りください。"),
            ("empty", "The message is empty; please write something and send it again."),
        ],
        Reason::TooLong => [
            ("内容过长", "内容过长，请缩短或分成几条发送。"),
            ("長すぎる", "内容が長すぎます。短くするか、分けてお送りください。"),
            ("too long", "The message is too long; please shorten it or send it in parts."),
        ],
        Reason::Content => [
            ("内容不被接受", "微信不接受此内容，请修改后再发。"),
            ("内容不可", "WeChatがこの内容を受け付けません。書き直してお送りください。"),
            ("content not accepted", "WeChat does not accept this content; please reword it."),
        ],
        Reason::ContentBlocked => [
            ("内容被拦截", "内容被安全审核拦截，请修改后再发。"),
            ("内容ブロック", "内容が安全審査によりブロックされました。書き直してお送りください。"),
            ("content blocked", "Content security blocked this; please reword it and send it again."),
        ],
        Reason::MediaGone => [
            ("文件已失效", "图片或文件已失效，请重新上传后再发。"),
            (
                "ファイル期限切れ",
                "画像やファイルの期限が切れています。もう一度アップロードしてお送りください。",
            ),
            ("media expired", "The picture or file has expired; please upload it again and send it."),
        ],
        Reason::MediaTooLarge => [
            ("文件过大", "图片、语音或视频过大或过长，请压缩后再发。"),
            ("ファイル過大", "画像・音声・動画が大きすぎるか長すぎます。小さくしてお送りください。"),
            (
                "media too large",
                "The picture, voice message or video is too large or too long; please make it smaller and send it again.",
            ),
        ],
        Reason::MediaKind => [
            ("文件格式不支持", "微信不支持此文件格式，或文件为空，请换一种格式再发。"),
            ("形式未対応", "WeChatが対応していない形式か、ファイルが空です。別の形式でお送りください。"),
            (
                "media type not accepted",
                "WeChat does not take this type of file, or it is empty; please send it in another format.",
            ),
        ],
        Reason::FileUnavailable => [
            ("文件无法读取", "无法从即时通信IM读取这个文件，请重新上传后再发。"),
            ("ファイル取得不可", "IMからファイルを取得できません。もう一度アップロードしてお送りください。"),
            (
                "file not readable",
                "The file could not be loaded from IM; please upload it again and send it.",
            ),
        ],
        Reason::NoPublicUrl => [
            (
                "网关没有公网地址",
                "这类文件只能以链接发送，而网关没有公网地址。请通知管理员设置 server.public_url。",
            ),
            (
                "公開URL未設定",
                "このファイルはリンクでしか送れませんが、公開URLが設定されていません。管理者に server.public_url の設定を依頼してください。",
            ),
            (
                "no public address",
                "This file can only be sent as a link, and the gateway has no public address. Please tell an administrator to set server.public_url.",
            ),
        ],
        Reason::MiniProgram => [
            ("小程序无效", "小程序未关联该公众号，或页面无效。请改用文字，并通知管理员。"),
            (
                "ミニプログラム無効",
                "ミニプログラムがアカウントに関連付けられていないか、ページが正しくありません。文字でお送りいただき、管理者に知らせてください。",
            ),
            (
                "mini program not valid",
                "The mini program is not linked to the account, or its page is wrong; please use text, and tell your administrator.",
            ),
        ],
        Reason::UnsupportedKind => [
            ("不支持的类型", "此类消息无法发送到微信，请改用文字。"),
            ("未対応の種類", "この種類のメッセージはWeChatへ送れません。文字でお送りください。"),
            ("kind not supported", "This kind of message cannot be sent to WeChat; please use text."),
        ],
        Reason::ImAccountsFull => [
            ("IM账号已满", "即时通信IM的账号数已达上限，新客户无法接入。请通知管理员升级套餐或清理账号。"),
            (
                "IMアカウント上限",
                "IMのアカウント数が上限に達しました。新しいお客様を受け付けられません。管理者にプランの変更を依頼してください。",
            ),
            (
                "IM accounts full",
                "The IM app may have no more accounts, and new customers cannot come in; ask your administrator to upgrade the plan or remove accounts.",
            ),
        ],
        Reason::ImAccountDeleted => [
            ("IM账号已删除", "该IM账号三个月内被删除过，暂时无法重新创建。请通知管理员。"),
            (
                "IMアカウント削除済み",
                "このIMアカウントは3か月以内に削除されたため、まだ作り直せません。管理者に知らせてください。",
            ),
            (
                "IM account deleted",
                "This IM account was deleted less than three months ago and cannot be made again yet; tell your administrator.",
            ),
        ],
        Reason::ImAccountMissing => [
            ("IM账号不存在", "IM中没有该客户或客服的账号，且无法自动创建。请通知管理员核对客服账号。"),
            (
                "IMアカウントなし",
                "お客様または担当者のIMアカウントがなく、自動で作成できません。管理者に確認を依頼してください。",
            ),
            (
                "IM account missing",
                "The customer's or the agent's IM account is missing and could not be created; ask your administrator to check the agents' accounts.",
            ),
        ],
        Reason::ImPlan => [
            ("IM套餐受限", "IM套餐已到期、欠费或不支持此操作。请通知管理员在控制台处理。"),
            (
                "IMプランの制限",
                "IMのプランが期限切れか未払い、またはこの操作に対応していません。管理者に知らせてください。",
            ),
            (
                "IM plan",
                "The IM plan has expired, is not paid, or does not allow this; tell your administrator.",
            ),
        ],
        Reason::ImKey => [
            ("IM密钥错误", "IM的密钥或SDKAppID不正确。请通知管理员核对配置。"),
            (
                "IMキーの誤り",
                "IMの秘密鍵またはSDKAppIDが正しくありません。管理者に設定の確認を依頼してください。",
            ),
            (
                "IM key wrong",
                "IM refuses the key or the SDKAppID; ask your administrator to correct the configuration.",
            ),
        ],
        Reason::ImPermission => [
            ("IM权限不足", "网关在IM中的管理员账号权限不足。请通知管理员核对配置。"),
            (
                "IM権限不足",
                "ゲートウェイのIM管理者アカウントに権限がありません。管理者に設定の確認を依頼してください。",
            ),
            (
                "IM permission",
                "The gateway's IM account is no app administrator or lacks a right; ask your administrator to check it.",
            ),
        ],
        Reason::ImIp => [
            ("IM拒绝该IP", "IM不允许从网关的IP地址调用。请通知管理员在IM控制台添加。"),
            (
                "IMのIP制限",
                "IMがゲートウェイのIPアドレスからの呼び出しを許可していません。管理者に登録を依頼してください。",
            ),
            (
                "IM refuses the IP",
                "IM does not allow calls from the gateway's IP address; ask your administrator to add it in IM's console.",
            ),
        ],
        Reason::ImHost => [
            ("IM域名错误", "IM应用不在所配置的数据中心。请通知管理员修改IM的接口域名。"),
            (
                "IMホストの誤り",
                "IMアプリは設定されたデータセンターにありません。管理者にIMの接続先の変更を依頼してください。",
            ),
            (
                "IM host wrong",
                "The IM app is not in the configured data centre; ask your administrator to change IM's host.",
            ),
        ],
        Reason::ImRestricted => [
            ("IM账号受限", "该IM账号被禁言、拉黑或限制。请通知管理员在IM控制台查看。"),
            (
                "IMアカウント制限",
                "IMアカウントが発言禁止、ブロックまたは制限されています。管理者に確認を依頼してください。",
            ),
            (
                "IM account restricted",
                "An IM account is muted, blocked or restricted; ask your administrator to look into IM's console.",
            ),
        ],
        Reason::ImWebhook => [
            ("IM回调拒绝", "IM的回调服务拒绝或未能处理此消息。请通知管理员检查回调设置。"),
            (
                "IMコールバック拒否",
                "IMのコールバックがメッセージを拒否したか、処理できませんでした。管理者に設定の確認を依頼してください。",
            ),
            (
                "refused by IM webhook",
                "The IM app's webhook refused the message or failed; ask your administrator to check it.",
            ),
        ],
        Reason::ImNotFriends => [
            ("IM要求好友关系", "IM应用开启了好友关系检查，无法发送。请通知管理员在控制台关闭。"),
            (
                "IM友だち確認",
                "IMアプリの友だち関係チェックが有効なため送れません。管理者に無効にするよう依頼してください。",
            ),
            (
                "IM wants friends",
                "The IM app checks that users are friends; ask your administrator to switch that off.",
            ),
        ],
        Reason::NotFetched => [
            (
                "等待超时",
                "客户一直没有再发来消息，等待期已过，因此没有发送；客户发来消息后如仍需要，请再发一次。",
            ),
            (
                "待機期限切れ",
                "お客様からのメッセージがないまま待機期限が過ぎたため、送っていません。次にメッセージが来たとき、必要ならもう一度お送りください。",
            ),
            (
                "customer did not write",
                "The customer did not write again in time, so it was not sent; send it again when they do, if it is still needed.",
            ),
        ],
        Reason::EarlierPart => [
            ("前段未送达", "前面的部分未送达，因此没有发送；请处理后把其余内容再发一次。"),
            (
                "前の部分が未達",
                "前の部分が届かなかったため、送っていません。必要なら残りをもう一度お送りください。",
            ),
            (
                "earlier part not sent",
                "An earlier part was not delivered, so this one was not sent; send the rest again if needed.",
            ),
        ],
        Reason::FoundTooLate => [
            (
                "发现太晚",
                "网关到现在才发现这条消息，时间已久，且没有送达记录，因此不会自动发送。请向客户确认，必要时再发一次。",
            ),
            (
                "発見が遅すぎた",
                "ゲートウェイが今になって見つけた古いメッセージで、届けた記録がないため、自動では送りません。お客様に確認のうえ、必要ならもう一度お送りください。",
            ),
            (
                "found too late",
                "The gateway found this only now; it is old, there is no record that it was delivered, and it is not sent on its own. Ask the customer, and send it again if needed.",
            ),
        ],
        Reason::Recalled => [
            ("已撤回", "您在发送前撤回了这条消息，客户没有收到。"),
            ("取り消し", "送る前に取り消されたため、お客様には届いていません。"),
            ("recalled", "You recalled it before it was sent; the customer did not get it."),
        ],
        Reason::Dropped => [
            ("已被移除", "管理员已将其从待发送队列中移除；如仍需要，请再发一次。"),
            ("取り下げ", "管理者が送信待ちから外しました。必要ならもう一度お送りください。"),
            ("dropped", "Your administrator took it out of the queue; send it again if it is still needed."),
        ],
        Reason::OwnMistake => [
            ("网关出错", "网关生成的请求有误，请通知管理员查看日志。"),
            (
                "ゲートウェイの不具合",
                "ゲートウェイが作ったリクエストに誤りがありました。管理者にログの確認を依頼してください。",
            ),
            (
                "gateway's mistake",
                "The gateway made a faulty request; ask your administrator to look into the log.",
            ),
        ],
        Reason::Refused => [
            ("被拒绝", "微信拒绝了这条消息。请通知管理员查看日志。"),
            ("拒否", "WeChatがこのメッセージを拒否しました。管理者にログの確認を依頼してください。"),
            ("refused", "WeChat refused this message; ask your administrator to look into the log."),
        ],
    }
}
