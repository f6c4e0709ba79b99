// The page's words in English, Japanese and Chinese, chosen by the browser's language.

const words = {
  en: {
    intro: "Both clouds, simulated. Write as the customer, answer as the agent.",
    customer: "Customer (WeChat)", agent: "Agent (Tencent IM)",
    account: "Account", who: "Person", another: "Another person", person: "Customer",
    follow: "Follow", unfollow: "Unfollow", message: "Message", send: "Send",
    write: "Write to the account", answer: "Answer the customer",
    "agent-name": "Agent", chat: "Chat", "no-chat": "No chat yet", "no-agent": "No agent yet",
    subscribe: "followed the account", unsubscribe: "unfollowed the account", event: "event",
    gone: "account deleted", refused: "Not sent: error", trouble: "The simulator does not answer.",
  },
  ja: {
    intro: "2つのクラウドのシミュレーターです。お客様として書き込み、担当者として返信できます。",
    customer: "お客様（WeChat）", agent: "担当者（Tencent IM）",
    account: "アカウント", who: "お客様", another: "別のお客様", person: "お客様",
    follow: "フォローする", unfollow: "フォロー解除", message: "メッセージ", send: "送信",
    write: "アカウントに書き込む", answer: "お客様に返信する",
    "agent-name": "担当者", chat: "チャット", "no-chat": "まだチャットがありません", "no-agent": "まだ担当者がいません",
    subscribe: "フォローしました", unsubscribe: "フォローを解除しました", event: "イベント",
    gone: "削除済み", refused: "送信できません。エラー", trouble: "シミュレーターが応答しません。",
  },
  zh: {
    intro: "两个云的模拟器：左边以顾客身份发消息，右边以客服身份回复。",
    customer: "顾客（微信）", agent: "客服（腾讯云 IM）",
    account: "公众号", who: "顾客", another: "另一位顾客", person: "顾客",
    follow: "关注", unfollow: "取消关注", message: "消息", send: "发送",
    write: "给公众号发消息", answer: "回复顾客",
    "agent-name": "客服", chat: "会话", "no-chat": "还没有会话", "no-agent": "还没有客服",
    subscribe: "关注了公众号", unsubscribe: "取消了关注", event: "事件",
    gone: "账号已删除", refused: "未发送，错误", trouble: "模拟器没有响应。",
  },
};

const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
export const language = wanted.find((tag) => tag in words) ?? "en";
export const word = (name) => words[language][name] ?? words.en[name] ?? name;

/** Puts the words into the page. */
export function speak() {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = word(place.dataset.word);
  for (const field of document.querySelectorAll("[data-hint]")) field.placeholder = word(field.dataset.hint);
}
