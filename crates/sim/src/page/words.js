// The page's words in English, Japanese and Chinese: by the browser's language, or as chosen on the page.

const en = {
  title: "Tsunagi · demo",
  intro: "Two clouds, simulated on this machine. The gateway between them is the real one.",
  language: "Language", skip: "Skip to the wire",
  "view-phone": "Customer", "view-desk": "Agent", "view-wire": "Wire", views: "Views",
  shop: "Tsunagi Kids", "shop-line": "Clothes that children grow into",
  customer: "Customer", "customer-who": "WeChat", agent: "Agent", "agent-who": "Tencent IM client",
  customers: "Customers", another: "Another customer", unread: "unread", person: "Customer",
  "name-1": "Hanako", "name-2": "Xiaoli", "name-3": "Emma",
  follow: "Follow", unfollow: "Unfollow", "not-following": "Not a follower. Follow to write to the shop.",
  message: "Message", send: "Send", write: "Write to the shop", answer: "Answer the customer",
  more: "Send something else", picture: "Picture", "picture-file": "Picture from a file…", voice: "Voice",
  video: "Video", location: "Location", sticker: "Sticker", file: "File", "file-file": "File…", link: "Link",
  menu: "The account's menu", "menu-new": "New arrivals", "menu-call": "Call an agent", "menu-shop": "Our shop",
  "ev-subscribe": "followed the account", "ev-unsubscribe": "unfollowed the account",
  "ev-CLICK": "tapped the menu", "ev-VIEW": "opened a page from the menu", event: "event",
  agents: "Agents", online: "Online", offline: "Offline", "go-offline": "Log out", "go-online": "Log in",
  chats: "Chats", "no-chat": "No chat yet. A customer has to write first.", "choose-chat": "Choose a chat.",
  gone: "account deleted", "chat-gone": "The customer has left; her IM account is deleted.",
  notice: "From the gateway", recalled: "taken back", earlier: "Earlier messages",
  "st-sending": "to IM…", "st-im": "in IM", "st-heard": "at the gateway", "st-trying": "to WeChat…",
  "st-sent": "reached WeChat", "st-refused": "WeChat refused", "st-unsure": "unclear whether it arrived",
  "st-unheard": "the gateway did not hear of it", "st-failed": "not sent", retry: "Try again",
  "im-refused": "IM refused it", "im-away": "IM cannot be reached",
  wire: "The wire", "wire-line": "Every exchange at the clouds' sockets, as it happens. Choose one to see what was really sent.",
  "p-customer": "Customer", "p-wechat": "WeChat", "p-gateway": "Tsunagi", "p-im": "Tencent IM", "p-agent": "Agent",
  "s-customer": "Customer", "s-wechat": "WeChat", "s-gateway": "Tsunagi", "s-im": "IM", "s-agent": "Agent",
  to: "to", housekeeping: "Housekeeping", "only-chat": "This customer only", newest: "Newest",
  hops: "hops", "no-hops": "Nothing has happened yet.",
  open: "under way", done: "ok", refused: "refused", lost: "lost",
  "no answer in time": "no answer in time", "connection refused": "nobody listens", "connection broke": "connection broke",
  "connection cut": "connection cut", "not sent": "never left", "caller gave up": "caller gave up",
  "mk-killed": "gateway killed (kill -9)", "mk-ready": "gateway is up", "mk-clock": "clock moved", "mk-fault": "fault", "mk-faults_cleared": "all mended",
  "n-say": "writes", "n-send": "sends", "n-follow": "follows", "n-unfollow": "unfollows", "n-event": "taps",
  "n-message": "shows", "n-custom_send": "shows", "n-passive_reply": "shows at once", "n-failure": "shows a failure",
  "n-upload": "uploads a file", "n-login": "logs in", "n-logout": "logs out", "n-recall": "takes back",
  request: "Request", reply: "Answer", shown: "What is shown", inside: "Decrypted", "no-body": "no body", "no-answer": "No answer came.",
  "not-text": "bytes that are no text", masked: "Secrets are masked: of tokens, signatures and keys only the first four characters are shown.",
  "cut-note": "Only the first 16 KiB are kept.", took: "took", at: "at", close: "Close", "too-old": "This hop is too old: the newest 2,000 are kept.",
  "own-way": "The cloud brings this to its client by a way of its own; there is no HTTP call to show.",
  clock: "Clock", "clock-line": "Moves the clock of both clouds and of the gateway.", "plus-hour": "1 hour later", "plus-day": "A day later", "plus-48": "48 hours later",
  faults: "Break something", "faults-line": "What happens then is seen on the wire and in the chats.",
  "f-im": "IM is down", "f-im-line": "for 20 seconds every call gets 502",
  "f-slow": "WeChat is slow", "f-slow-line": "for 30 seconds every answer takes 4 seconds",
  "f-lost": "WeChat's answer gets lost", "f-lost-line": "the next answer arrives, and nobody is told so",
  "f-token": "Access token revoked", "f-token-line": "as when another system fetches one",
  "f-quota": "Quota is used up", "f-quota-line": "answers wait until midnight in China",
  "f-kill": "Kill the gateway", "f-kill-line": "kill -9, in the middle of whatever it does",
  "f-start": "Start the gateway again", "f-start-line": "it goes on where it was killed",
  "f-mend": "Mend everything", "f-mend-line": "the gateway is started, too",
  "gw-up": "Gateway is running", "gw-down": "Gateway is dead", "gw-starting": "Gateway is starting",
  trouble: "The simulator does not answer. Is the demo still running?", failed: "That did not work",
  "begin": "A customer has asked something. Answer as the agent.",
};

const ja = {
  title: "Tsunagi · デモ",
  intro: "2つのクラウドはこのマシン上のシミュレーター、間のゲートウェイは本物です。",
  language: "言語", skip: "通信の図へ移動",
  "view-phone": "お客様", "view-desk": "担当者", "view-wire": "通信", views: "表示",
  shop: "つなぎ子供服", "shop-line": "のびのび育つ子どものために",
  customer: "お客様", "customer-who": "WeChat", agent: "担当者", "agent-who": "Tencent IM クライアント",
  customers: "お客様一覧", another: "別のお客様", unread: "未読", person: "お客様",
  "name-1": "花子", "name-2": "小麗", "name-3": "エマ",
  follow: "フォローする", unfollow: "フォロー解除", "not-following": "フォローしていません。フォローすると書き込めます。",
  message: "メッセージ", send: "送信", write: "お店に書き込む", answer: "お客様に返信する",
  more: "ほかのものを送る", picture: "画像", "picture-file": "画像ファイル…", voice: "音声",
  video: "動画", location: "位置情報", sticker: "スタンプ", file: "ファイル", "file-file": "ファイル…", link: "リンク",
  menu: "アカウントのメニュー", "menu-new": "新着商品", "menu-call": "担当者を呼ぶ", "menu-shop": "お店のページ",
  "ev-subscribe": "フォローしました", "ev-unsubscribe": "フォローを解除しました",
  "ev-CLICK": "メニューを押しました", "ev-VIEW": "メニューからページを開きました", event: "イベント",
  agents: "担当者一覧", online: "オンライン", offline: "オフライン", "go-offline": "ログアウト", "go-online": "ログイン",
  chats: "チャット", "no-chat": "まだチャットがありません。お客様の書き込みで始まります。", "choose-chat": "チャットを選んでください。",
  gone: "削除済み", "chat-gone": "お客様はフォローを解除し、IMアカウントは削除されました。",
  notice: "ゲートウェイから", recalled: "取り消し済み", earlier: "以前のメッセージ",
  "st-sending": "IMへ…", "st-im": "IMに到着", "st-heard": "ゲートウェイに到着", "st-trying": "WeChatへ…",
  "st-sent": "WeChatに到着", "st-refused": "WeChatが拒否", "st-unsure": "届いたか不明",
  "st-unheard": "ゲートウェイに伝わっていません", "st-failed": "送れませんでした", retry: "もう一度",
  "im-refused": "IMが拒否しました", "im-away": "IMに接続できません",
  wire: "通信", "wire-line": "クラウドの通信をその場で表示します。選ぶと実際の内容が見られます。",
  "p-customer": "お客様のWeChat", "p-wechat": "WeChatサーバー", "p-gateway": "Tsunagi", "p-im": "Tencent IM", "p-agent": "担当者のアプリ",
  "s-customer": "お客様", "s-wechat": "WeChat", "s-gateway": "Tsunagi", "s-im": "IM", "s-agent": "担当者",
  to: "→", housekeeping: "定期的な通信も表示", "only-chat": "このお客様だけ", newest: "最新へ",
  hops: "件", "no-hops": "まだ何も起きていません。",
  open: "通信中", done: "成功", refused: "拒否", lost: "不明",
  "no answer in time": "時間内に応答なし", "connection refused": "接続できません", "connection broke": "接続が切れました",
  "connection cut": "接続が切られました", "not sent": "送られていません", "caller gave up": "呼び出し側が断念",
  "mk-killed": "ゲートウェイ強制終了（kill -9）", "mk-ready": "ゲートウェイ起動", "mk-clock": "時計を進めました", "mk-fault": "障害", "mk-faults_cleared": "すべて復旧",
  "n-say": "書き込む", "n-send": "送る", "n-follow": "フォロー", "n-unfollow": "フォロー解除", "n-event": "押す",
  "n-message": "表示", "n-custom_send": "表示", "n-passive_reply": "即時表示", "n-failure": "障害の表示",
  "n-upload": "ファイルを送る", "n-login": "ログイン", "n-logout": "ログアウト", "n-recall": "取り消し",
  request: "リクエスト", reply: "応答", shown: "表示内容", inside: "復号した内容", "no-body": "本文なし", "no-answer": "応答はありませんでした。",
  "not-text": "文字ではないデータ", masked: "秘密は伏せています。トークン・署名・鍵は最初の4文字だけです。",
  "cut-note": "最初の16 KiBだけを保持しています。", took: "所要", at: "時刻", close: "閉じる", "too-old": "古すぎる通信です。最新の2,000件を保持しています。",
  "own-way": "クラウドから自社アプリへの配信は独自の方法です。HTTPの呼び出しはありません。",
  clock: "時計", "clock-line": "両クラウドとゲートウェイの時計を進めます。", "plus-hour": "1時間後", "plus-day": "1日後", "plus-48": "48時間後",
  faults: "壊してみる", "faults-line": "何が起きるかは通信とチャットに現れます。",
  "f-im": "IMが停止", "f-im-line": "20秒間、すべての呼び出しが502になります",
  "f-slow": "WeChatが遅い", "f-slow-line": "30秒間、応答に4秒かかります",
  "f-lost": "WeChatの応答が失われる", "f-lost-line": "次の返信は届きますが、応答が戻りません",
  "f-token": "アクセストークンが無効に", "f-token-line": "別のシステムが取得したときと同じです",
  "f-quota": "送信枠を使い切る", "f-quota-line": "返信は中国の午前0時まで待ちます",
  "f-kill": "ゲートウェイを強制終了", "f-kill-line": "処理の途中でも kill -9 で止めます",
  "f-start": "ゲートウェイを再起動", "f-start-line": "止められたところから続けます",
  "f-mend": "すべて復旧", "f-mend-line": "ゲートウェイも起動します",
  "gw-up": "ゲートウェイ稼働中", "gw-down": "ゲートウェイ停止", "gw-starting": "ゲートウェイ起動中",
  trouble: "シミュレーターが応答しません。デモは動いていますか？", failed: "うまくいきませんでした",
  "begin": "お客様から質問が届いています。担当者として返信してみてください。",
};

const zh = {
  title: "Tsunagi · 演示",
  intro: "两个云都在本机模拟，中间的网关是真的。",
  language: "语言", skip: "跳到通信图",
  "view-phone": "顾客", "view-desk": "客服", "view-wire": "通信", views: "视图",
  shop: "繋衣童装", "shop-line": "陪孩子一起长大",
  customer: "顾客", "customer-who": "微信", agent: "客服", "agent-who": "腾讯云 IM 客户端",
  customers: "顾客列表", another: "另一位顾客", unread: "未读", person: "顾客",
  "name-1": "花子", "name-2": "小丽", "name-3": "艾玛",
  follow: "关注", unfollow: "取消关注", "not-following": "尚未关注，关注后即可给公众号发消息。",
  message: "消息", send: "发送", write: "给公众号发消息", answer: "回复顾客",
  more: "发送其他内容", picture: "图片", "picture-file": "图片文件…", voice: "语音",
  video: "视频", location: "位置", sticker: "表情", file: "文件", "file-file": "文件…", link: "链接",
  menu: "公众号菜单", "menu-new": "新品上市", "menu-call": "联系客服", "menu-shop": "进入商城",
  "ev-subscribe": "关注了公众号", "ev-unsubscribe": "取消了关注",
  "ev-CLICK": "点击了菜单", "ev-VIEW": "从菜单打开了页面", event: "事件",
  agents: "客服列表", online: "在线", offline: "离线", "go-offline": "退出登录", "go-online": "登录",
  chats: "会话", "no-chat": "还没有会话，顾客来信后出现。", "choose-chat": "请选择一个会话。",
  gone: "账号已删除", "chat-gone": "顾客已取消关注，其 IM 账号已删除。",
  notice: "来自网关", recalled: "已撤回", earlier: "更早的消息",
  "st-sending": "正在发往 IM…", "st-im": "已到 IM", "st-heard": "已到网关", "st-trying": "正在发往微信…",
  "st-sent": "已到微信", "st-refused": "微信拒绝", "st-unsure": "无法确认是否送达",
  "st-unheard": "网关没有收到", "st-failed": "未发送", retry: "再试一次",
  "im-refused": "IM 拒绝了", "im-away": "无法连接 IM",
  wire: "通信", "wire-line": "云端的每一次通信，实时显示。选中一条即可查看真实内容。",
  "p-customer": "顾客的微信", "p-wechat": "微信服务器", "p-gateway": "Tsunagi", "p-im": "腾讯云 IM", "p-agent": "客服的客户端",
  "s-customer": "顾客", "s-wechat": "微信", "s-gateway": "Tsunagi", "s-im": "IM", "s-agent": "客服",
  to: "→", housekeeping: "显示例行通信", "only-chat": "只看这位顾客", newest: "回到最新",
  hops: "条", "no-hops": "还没有任何通信。",
  open: "进行中", done: "成功", refused: "被拒绝", lost: "不明",
  "no answer in time": "超时无应答", "connection refused": "无人监听", "connection broke": "连接中断",
  "connection cut": "连接被切断", "not sent": "没有发出", "caller gave up": "调用方放弃",
  "mk-killed": "网关被杀（kill -9）", "mk-ready": "网关已启动", "mk-clock": "时钟已拨动", "mk-fault": "故障", "mk-faults_cleared": "全部修复",
  "n-say": "写消息", "n-send": "发送", "n-follow": "关注", "n-unfollow": "取消关注", "n-event": "点击",
  "n-message": "显示", "n-custom_send": "显示", "n-passive_reply": "立即显示", "n-failure": "显示故障",
  "n-upload": "上传文件", "n-login": "登录", "n-logout": "退出", "n-recall": "撤回",
  request: "请求", reply: "应答", shown: "显示的内容", inside: "解密后", "no-body": "无内容", "no-answer": "没有应答。",
  "not-text": "非文本数据", masked: "机密已遮盖：令牌、签名和密钥只显示前四个字符。",
  "cut-note": "只保留前 16 KiB。", took: "耗时", at: "时间", close: "关闭", "too-old": "这条通信太旧，只保留最新的 2,000 条。",
  "own-way": "云端用自己的方式送到客户端，没有可显示的 HTTP 调用。",
  clock: "时钟", "clock-line": "拨动两个云和网关的时钟。", "plus-hour": "1 小时后", "plus-day": "一天后", "plus-48": "48 小时后",
  faults: "制造故障", "faults-line": "结果会显示在通信图和会话中。",
  "f-im": "IM 停机", "f-im-line": "20 秒内每次调用都返回 502",
  "f-slow": "微信变慢", "f-slow-line": "30 秒内每次应答要 4 秒",
  "f-lost": "微信的应答丢失", "f-lost-line": "下一条回复会送到，但没有人知道",
  "f-token": "access_token 失效", "f-token-line": "就像另一个系统也获取了凭证",
  "f-quota": "额度用完", "f-quota-line": "回复会等到中国时间零点",
  "f-kill": "杀死网关", "f-kill-line": "无论它正在做什么，kill -9",
  "f-start": "重新启动网关", "f-start-line": "它会从被杀的地方继续",
  "f-mend": "全部修复", "f-mend-line": "网关也会启动",
  "gw-up": "网关运行中", "gw-down": "网关已停止", "gw-starting": "网关启动中",
  trouble: "模拟器没有应答。演示还在运行吗？", failed: "没有成功",
  "begin": "有顾客提问了，请以客服身份回复。",
};

export const LANGUAGES = { en: ["English", en], ja: ["日本語", ja], zh: ["中文", zh] };

const KEPT = "tsunagi-demo-language";

function chosen() {
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  let kept = null;
  try { kept = localStorage.getItem(KEPT); } catch { /* A browser that keeps nothing still has a language. */ }
  return [kept, ...wanted].find((tag) => tag in LANGUAGES) ?? "en";
}

export let language = chosen();

export const word = (name) => LANGUAGES[language][1][name] ?? en[name] ?? name;
export const has = (name) => name in en;

/** Speaks another language from now on. */
export function speak(tag) {
  language = tag in LANGUAGES ? tag : "en";
  try { localStorage.setItem(KEPT, language); } catch { /* See above. */ }
  greet();
}

/** What stands outside of the body. */
export function greet() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : language;
  document.title = word("title");
}
