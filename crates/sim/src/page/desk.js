// The desk: an agent's IM client. It knows what Tencent IM gives to a client, and nothing of the gateway but its notices;
// what became of an answer beyond IM is read off the wire.

import { html } from "/vendor/htm-preact.js";
import { desk } from "/clouds.js";
import { Message, fromDesk, inShort, timeOf } from "/messages.js";
import { again, answer, attempt, choose, now, openidOf, refresh, state } from "/model.js";
import { Composer, Lines, Menu, chooseFile, face, sampleFilm, samplePicture } from "/parts.js";
import { Replies } from "/replies.js";
import { openHop } from "/wire.js";
import { word } from "/words.js";

const title = (chat) => chat.nick || chat.peer;

function Agents() {
  return html`<div class="agents" role="group" aria-label=${word("agents")}>
    ${state.agents.map(({ user, online, unread }) => html`<button type="button" key=${user} class="agent-tab" aria-pressed=${user === state.agent} onClick=${() => choose({ agent: user })}>
      <span class=${`dot ${online ? "up" : "down"}`} aria-hidden="true"></span>${user}<span class="unseen"> ${word(online ? "online" : "offline")}</span>
      ${unread > 0 && html`<span class="count">${unread}<span class="unseen"> ${word("unread")}</span></span>`}
    </button>`)}
  </div>`;
}

function Chats() {
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...event.currentTarget.querySelectorAll("button")];
    items[items.indexOf(document.activeElement) + step]?.focus();
  };
  return html`<nav class="chats" aria-label=${word("chats")} onKeyDown=${key}>
    ${!state.chats.length && html`<p class="empty">${word("no-chat")}</p>`}
    <ul>${state.chats.map((chat) => {
      const name = title(chat);
      const { letter, tone } = face(openidOf(chat.peer), name);
      const last = fromDesk(chat.last, state.agent)[0];
      return html`<li key=${chat.peer}><button type="button" class="chat" data-peer=${chat.peer} aria-current=${chat.peer === state.peer ? "true" : undefined} onClick=${() => choose({ peer: chat.peer })}>
        <span class="face-of" data-tone=${tone} aria-hidden="true">${letter}</span>
        <span class="chat-name">${name}</span><time>${timeOf(chat.last.time * 1000)}</time>
        <span class=${`chat-last ${last?.kind === "notice" ? "is-notice" : ""}`}>${chat.exists ? last && inShort(last) : word("gone")}</span>
        <span class="chat-marks">${chat.unread > 0 && html`<span class="count">${chat.unread}<span class="unseen"> ${word("unread")}</span></span>`}
          <${Replies} agent=${state.agent} chat=${chat} now=${now()} /></span>
      </button></li>`;
    })}</ul>
  </nav>`;
}

const marks = { im: "✓", heard: "✓", trying: "…", sent: "✓✓", refused: "!", unsure: "?", unheard: "!", failed: "!" };

/** How far an answer has come. */
function Step({ message }) {
  if (message.side !== "mine") return null;
  if (message.failed) {
    return html`<span class="step failed"><span aria-hidden="true">!</span> ${message.failed.why}
      <button type="button" class="again" onClick=${() => attempt(() => again(message.failed))}>${word("retry")}</button></span>`;
  }
  const known = state.answers.get(message.key);
  const step = known?.step ?? "im";
  const words = html`<span aria-hidden="true">${marks[step]}</span> ${word(`st-${step}`)}${step === "refused" && known.code ? ` (${known.code})` : ""}`;
  return known?.hop
    ? html`<button type="button" class=${`step ${step}`} onClick=${() => openHop(known.hop)}>${words}</button>`
    : html`<span class=${`step ${step}`}>${words}</span>`;
}

const element = (MsgType, MsgContent) => [{ MsgType, MsgContent }];

/** What an SDK does: the file goes to IM's store first, then the message with its address. */
const upload = (name, blob) => desk.upload(state.agent, name, blob).then((kept) => {
  if (kept.error_code) throw new Error(`${word("im-refused")} (${kept.error_code})`);
  return kept;
});

async function sendPicture(blob, name) {
  const image = await createImageBitmap(blob);
  const kept = await upload(name, blob);
  const format = { "image/jpeg": 1, "image/gif": 2, "image/png": 3, "image/bmp": 4 }[blob.type] ?? 255;
  const one = (Type) => ({ Type, Size: kept.size, Width: image.width, Height: image.height, URL: kept.url });
  await answer(element("TIMImageElem", { UUID: kept.uuid, ImageFormat: format, ImageInfoArray: [one(1), one(2), one(3)] }));
}

async function sendVoice() {
  const blob = await (await fetch("/samples/voice.mp3")).blob();
  const kept = await upload("voice.mp3", blob);
  await answer(element("TIMSoundElem", { Url: kept.url, UUID: kept.uuid, Size: kept.size, Second: 1, Download_Flag: 2 }));
}

/** A film's length, size and first picture, as its player shows them. */
async function filmOf(blob) {
  const film = Object.assign(document.createElement("video"), { muted: true, preload: "auto" });
  const url = URL.createObjectURL(blob);
  try {
    await new Promise((loaded, failed) => { film.onloadeddata = loaded; film.onerror = () => failed(new Error(word("no-film"))); film.src = url; });
    const still = Object.assign(document.createElement("canvas"), { width: film.videoWidth, height: film.videoHeight });
    still.getContext("2d").drawImage(film, 0, 0);
    return { seconds: Math.ceil(film.duration), still, cover: await new Promise((made) => still.toBlob(made, "image/jpeg", 0.85)) };
  } finally { URL.revokeObjectURL(url); }
}

async function sendVideo(blob, name) {
  const { seconds, still, cover } = await filmOf(blob);
  const [kept, thumb] = [await upload(name, blob), await upload("cover.jpg", cover)];
  await answer(element("TIMVideoFileElem", {
    VideoUrl: kept.url, VideoUUID: kept.uuid, VideoSize: kept.size, VideoSecond: seconds, VideoFormat: "mp4", VideoDownloadFlag: 2,
    ThumbUrl: thumb.url, ThumbUUID: thumb.uuid, ThumbSize: thumb.size, ThumbWidth: still.width, ThumbHeight: still.height, ThumbFormat: "JPG", ThumbDownloadFlag: 2 }));
}

async function sendFile(blob, name) {
  const kept = await upload(name, blob);
  await answer(element("TIMFileElem", { Url: kept.url, UUID: kept.uuid, FileSize: kept.size, FileName: name, Download_Flag: 2 }));
}

function Extras() {
  const item = (name, work) => html`<button type="button" class="extra" data-closes data-extra=${name} onClick=${() => attempt(work)}>${word(name)}</button>`;
  const picked = async (accept, work) => { const file = await chooseFile(accept); if (file) await work(file, file.name); };
  return html`<${Menu} name="extras" label="＋" title=${word("more")} up>
    ${item("picture", async () => sendPicture(await samplePicture(), "dress.jpg"))}
    ${item("picture-file", () => picked("image/*", sendPicture))}
    ${item("voice", sendVoice)}
    ${item("video", async () => sendVideo(await sampleFilm(), "film.mp4"))}
    ${item("video-file", () => picked("video/mp4", sendVideo))}
    ${item("file", async () => sendFile(new Blob([word("sample-file")], { type: "text/plain" }), "sizes.txt"))}
    ${item("file-file", () => picked("", sendFile))}
    ${item("location", () => answer(element("TIMLocationElem", { Desc: "上海市黄浦区人民大道", Latitude: 31.2304, Longitude: 121.4737 })))}
    ${item("sticker", () => answer(element("TIMFaceElem", { Index: 1, Data: "[smile]" })))}
  <//>`;
}

function thread() {
  const { agent, peer, messages, recalled } = state;
  const said = messages.filter((one) => !one.online_only).flatMap((one) => (recalled.has(one.msg_key)
    ? [{ id: one.msg_key, kind: "event", text: word("recalled"), ms: one.time * 1000 }]
    : fromDesk(one, agent).map((message, n) => ({ ...message, id: `${message.id}/${n}` }))));
  const failed = state.failed.filter((one) => one.to === peer).map((one, n) => ({
    ...fromDesk({ from: agent, body: one.body, time: one.time, msg_key: "" }, agent)[0], id: `failed/${n}`, failed: one }));
  return [...said, ...failed];
}

export function Desk() {
  const chat = state.chats.find((one) => one.peer === state.peer);
  const me = state.agents.find((one) => one.user === state.agent);
  const who = chat && { ...face(openidOf(chat.peer), title(chat)) };
  const toggle = () => attempt(async () => { await (me.online ? desk.logout : desk.login)(me.user); await refresh(); });
  const draw = (message) => html`<${Message} key=${message.id} message=${message} face=${message.side === "mine" ? null : who}
    below=${html`<${Step} message=${message} />`} />`;
  return html`<section class="pane desk-side" aria-labelledby="desk-title">
    <h2 id="desk-title"><span>${word("agent")}</span> <small>${word("agent-who")}</small></h2>
    <div class="desk-top"><${Agents} />${me && html`<button type="button" class="quiet" onClick=${toggle}>${word(me.online ? "go-offline" : "go-online")}</button>`}</div>
    <div class="desk">
      <${Chats} />
      <div class="thread">
        <header class="thread-head"><h3>${chat ? title(chat) : word("choose-chat")}</h3>${chat && html`<code>${chat.peer.length > 16 ? `${chat.peer.slice(0, 8)}…${chat.peer.slice(-6)}` : chat.peer}</code><${Replies} agent=${state.agent} chat=${chat} now=${now()} long />`}</header>
        <${Lines} id="chat-lines" chat=${`${state.agent}/${state.peer}`} label=${`${word("agent")}: ${chat ? title(chat) : ""}`} items=${thread()} draw=${draw} />
        ${chat && !chat.exists && html`<p class="gone">${word("chat-gone")}</p>`}
        <${Composer} id="agent-text" chat=${`a${state.agent}/${state.peer}`} hint=${word("answer")} disabled=${!chat?.exists}
          onSend=${(text) => attempt(() => answer(element("TIMTextElem", { Text: text })))}><${Extras} /><//>
      </div>
    </div>
  </section>`;
}

