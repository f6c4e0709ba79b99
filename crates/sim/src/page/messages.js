// What a message is, by its kind, whichever side it comes from, and how it looks.

import { html } from "/vendor/htm-preact.js";
import { phone } from "/clouds.js";
import { has, language, word } from "/words.js";

const NOTICE = "【Tsunagi】";

const loopback = (url) => {
  try {
    const { protocol, hostname } = new URL(url, location.href);
    return protocol === "http:" && ["127.0.0.1", "localhost", location.hostname].includes(hostname) ? url : null;
  } catch { return null; }
};

/** A line of a customer's chat as a message. */
export function fromPhone(line, customer) {
  const fields = line.fields ?? {};
  const file = (id) => id && phone.file(customer, id);
  const base = { id: line.n, ms: line.at_ms, side: line.who === "customer" ? "mine" : "theirs", text: line.text };
  if (line.via === "event") {
    const name = has(`ev-${line.text}`) ? word(`ev-${line.text}`) : `${word("event")}: ${line.text}`;
    return { ...base, kind: "event", text: name };
  }
  if (line.via === "failure") return { ...base, kind: "event", text: line.text, lang: "zh-CN", bad: true };
  switch (line.msg_type) {
    case "text": return { ...base, kind: "text" };
    case "image": return { ...base, kind: "image", url: file(fields.MediaId ?? fields.media_id) };
    case "voice": return { ...base, kind: "voice", url: file(fields.media_id), text: fields.Recognition ?? "" };
    case "video": case "shortvideo": return { ...base, kind: "video", url: file(fields.MediaId ?? fields.media_id), poster: file(fields.ThumbMediaId ?? fields.thumb_media_id), text: fields.title ?? "" };
    case "location": return { ...base, kind: "location", text: fields.Label, at: [fields.Location_X, fields.Location_Y] };
    case "link": return { ...base, kind: "link", text: fields.Title, more: fields.Description };
    case "file": return { ...base, kind: "file", text: fields.Title };
    case "news": { const article = fields.articles?.[0] ?? fields[0] ?? {};
      return { ...base, kind: "link", text: article.title ?? article.Title, more: article.description ?? article.Description, poster: loopback(article.picurl ?? article.PicUrl ?? "") }; }
    default: return { ...base, kind: "unknown" };
  }
}

/** One message of an agent's chat: each of its elements. */
export function fromDesk(message, user) {
  const mine = message.from === user;
  const base = { id: message.msg_key, ms: message.time * 1000, side: mine ? "mine" : "theirs", key: message.msg_key };
  return (message.body ?? []).map(({ MsgType, MsgContent = {} }) => {
    const content = MsgContent;
    switch (MsgType) {
      case "TIMTextElem": {
        const notice = !mine && content.Text?.startsWith(NOTICE);
        return { ...base, kind: notice ? "notice" : "text", text: notice ? content.Text.slice(NOTICE.length) : content.Text };
      }
      case "TIMImageElem": { const images = content.ImageInfoArray ?? [];
        return { ...base, kind: "image", url: loopback((images.find((one) => one.Type === 3) ?? images[0])?.URL ?? "") }; }
      case "TIMSoundElem": return { ...base, kind: "voice", url: loopback(content.Url ?? ""), seconds: content.Second, text: "" };
      case "TIMVideoFileElem": return { ...base, kind: "video", url: loopback(content.VideoUrl ?? ""), poster: loopback(content.ThumbUrl ?? ""), seconds: content.VideoSecond, text: "" };
      case "TIMFileElem": return { ...base, kind: "file", text: content.FileName, url: loopback(content.Url ?? ""), size: content.FileSize };
      case "TIMLocationElem": return { ...base, kind: "location", text: content.Desc, at: [content.Latitude, content.Longitude] };
      case "TIMFaceElem": return { ...base, kind: "face", text: content.Data ?? "" };
      default: return { ...base, kind: "unknown", text: content.Desc || MsgType };
    }
  });
}

const seconds = (n) => (n ? `${n}″` : "");

/** The words that stand for a message where there is no room for it. */
export function inShort(message) {
  if (["text", "notice", "event", "unknown"].includes(message.kind)) return message.text;
  return `[${word({ face: "sticker", image: "picture" }[message.kind] ?? message.kind)}] ${message.text ?? ""}`.trim();
}

/** Words with their addresses as links, as both clients show them. */
const linked = (text) => (text ?? "").split(/(https?:[/][/][^\s，。、）」]+)/).map((part, n) => (n % 2 ? html`<a href=${part} target="_blank" rel="noreferrer">${part}</a>` : part));

const views = {
  text: ({ text }) => html`<span class="words">${linked(text)}</span>`,
  notice: ({ text }) => html`<strong class="notice-from">${word("notice")}</strong><span class="words">${text}</span>`,
  unknown: ({ text }) => html`<span class="words">${text || "?"}</span>`,
  face: ({ text }) => html`<span class="face" role="img" aria-label=${`${word("sticker")} ${text}`}>☺</span>`,
  image: ({ url }) => (url ? html`<img class="picture" src=${url} alt=${word("picture")} loading="lazy" />` : html`<span class="words">[${word("picture")}]</span>`),
  voice: ({ url, seconds: n, text }) => html`<span class="voice"><span aria-hidden="true" class="waves">▶ ▂▅▇▅▂</span> ${word("voice")} ${seconds(n)}</span>
    ${url && html`<audio controls preload="none" src=${url} aria-label=${word("voice")}></audio>`}
    ${text && html`<span class="words small">${text}</span>`}`,
  video: ({ url, poster, seconds: n, text }) => html`${url ? html`<video controls preload="none" src=${url} poster=${poster ?? ""} aria-label=${word("video")}></video>`
    : html`<span class="voice">${poster && html`<img class="thumb" src=${poster} alt="" />`}▶ ${word("video")} ${seconds(n)}</span>`}
    ${text && html`<span class="words small">${text}</span>`}`,
  location: ({ text, at }) => html`<span class="place"><span class="map" aria-hidden="true"></span>
    <span class="words">${text || word("location")}</span><span class="small">${at.map((n) => Number(n).toFixed(4)).join(", ")}</span></span>`,
  link: ({ text, more, poster }) => html`<span class="link">${poster && html`<img class="thumb" src=${poster} alt="" />`}<span class="words">${text}</span><span class="small">${more}</span></span>`,
  file: ({ text, url, size }) => html`<span class="file">▤ ${url ? html`<a href=${url} target="_blank" rel="noreferrer">${text || word("file")}</a>` : text || word("file")}
    ${size ? html`<span class="small">${Math.ceil(size / 1024)} KB</span>` : null}</span>`,
};

/** One message as an item of a chat. */
export function Message({ message, face, below }) {
  const { kind, side, ms, lang, bad } = message;
  if (kind === "event") return html`<li class=${`event ${bad ? "bad" : ""}`} lang=${lang}><span>${message.text}</span></li>`;
  return html`<li class=${`said ${side} is-${kind}`}>
    ${face && html`<span class="face-of" aria-hidden="true" data-tone=${face.tone}>${face.letter}</span>`}
    <div class="bubble">${views[kind](message)}</div>
    <div class="under"><time datetime=${new Date(ms).toISOString()}>${timeOf(ms)}</time>${below}</div>
  </li>`;
}

const clocks = new Map();
function clockOf(options) {
  const key = language + JSON.stringify(options);
  if (!clocks.has(key)) clocks.set(key, new Intl.DateTimeFormat(language, options));
  return clocks.get(key);
}
export const timeOf = (ms) => clockOf({ hour: "2-digit", minute: "2-digit" }).format(ms);
export const exactTime = (ms) => clockOf({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" }).format(ms);
export const dayAndTime = (ms) => clockOf({ month: "short", day: "numeric", weekday: "short", hour: "2-digit", minute: "2-digit" }).format(ms);
