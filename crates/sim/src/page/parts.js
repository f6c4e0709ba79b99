// Parts that both sides use: the composer, a chat's window of lines, a menu that opens, faces.

import { html, useEffect, useLayoutEffect, useRef, useState } from "/vendor/htm-preact.js";
import { word } from "/words.js";

/** Half-written messages, by chat. */
const drafts = new Map();

/** Whether this Enter ends a composition, or is part of one. Safari ends the composition before the key comes: 229. */
export const composes = (event) => event.isComposing || event.keyCode === 229;

/** Where a message is written. Enter sends, Shift and Enter breaks the line; an input method has its Enter for itself. */
export function Composer({ id, chat, hint, disabled, onSend, children }) {
  const field = useRef(null);
  const grow = () => {
    field.current.style.height = "";
    // What is out of sight has no height to measure.
    if (field.current.scrollHeight > 0) field.current.style.height = `${Math.min(field.current.scrollHeight + 2, 120)}px`;
  };
  useLayoutEffect(() => {
    field.current.value = drafts.get(chat) ?? "";
    grow();
  }, [chat]);
  const send = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (!text || disabled) return;
    field.current.value = "";
    drafts.delete(chat);
    grow();
    field.current.focus();
    onSend(text);
  };
  const key = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !composes(event)) send(event);
  };
  return html`<form class="composer" onSubmit=${send}>
    ${children}
    <label class="unseen" for=${id}>${word("message")}</label>
    <textarea id=${id} ref=${field} rows="1" autocomplete="off" placeholder=${hint} disabled=${disabled}
      onKeyDown=${key} onInput=${() => { drafts.set(chat, field.current.value); grow(); }}></textarea>
    <button type="submit" class="send" disabled=${disabled}>${word("send")}</button>
  </form>`;
}

/** Lines that are drawn at once; more are drawn when somebody scrolls up. */
const WINDOW = 60;

/** The lines of one chat: the newest ones are in the page, older ones come as one scrolls. */
export function Lines({ id, chat, label, items, draw, empty }) {
  const list = useRef(null);
  const [shown, show] = useState({ chat, count: WINDOW });
  const count = shown.chat === chat ? shown.count : WINDOW;
  const first = Math.max(0, items.length - count);
  const end = useRef({ chat: null, at: true, height: 0 });
  useLayoutEffect(() => {
    const box = list.current;
    if (end.current.chat !== chat || end.current.at) box.scrollTop = box.scrollHeight;
    else if (end.current.grew) box.scrollTop += box.scrollHeight - end.current.height;
    end.current = { ...end.current, chat, grew: false, height: box.scrollHeight };
  }, [chat, items.length, first]);
  const scrolled = () => {
    const box = list.current;
    end.current.at = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    if (box.scrollTop < 40 && first > 0) earlier();
  };
  const earlier = () => {
    end.current = { ...end.current, at: false, grew: true, height: list.current.scrollHeight };
    show({ chat, count: count + WINDOW });
  };
  // A screen reader hears what is new, not what was there when the chat was opened.
  const [calm, settle] = useState(null);
  useEffect(() => {
    const timer = setTimeout(() => settle(chat), 600);
    return () => clearTimeout(timer);
  }, [chat]);
  return html`<div class="lines" id=${id} ref=${list} tabindex="0" onScroll=${scrolled} role="region" aria-label=${label}>
    ${first > 0 && html`<button type="button" class="earlier" onClick=${earlier}>${word("earlier")} (${first})</button>`}
    ${!items.length && empty && html`<p class="empty">${empty}</p>`}
    <div role="log" aria-label=${label} aria-live=${calm === chat ? "polite" : "off"} aria-relevant="additions"><ol>${items.slice(first).map(draw)}</ol></div>
  </div>`;
}

/** A button that opens a small panel; Escape and a click elsewhere close it. */
export function Menu({ name, label, title, children, up }) {
  const box = useRef(null);
  useEffect(() => {
    const shut = (event) => {
      if (!box.current?.open) return;
      if (event.type === "keydown" ? event.key === "Escape" : !box.current.contains(event.target)) {
        const inside = box.current.contains(document.activeElement);
        box.current.open = false;
        if (event.type === "keydown" && inside) box.current.querySelector("summary").focus();
      }
    };
    document.addEventListener("keydown", shut);
    document.addEventListener("click", shut);
    return () => { document.removeEventListener("keydown", shut); document.removeEventListener("click", shut); };
  }, []);
  const done = (event) => { if (event.target.closest("[data-closes]")) box.current.open = false; };
  return html`<details class=${`menu ${name} ${up ? "up" : ""}`} ref=${box}>
    <summary aria-label=${title}>${label}</summary>
    <div class="sheet" onClick=${done}>${children}</div>
  </details>`;
}

/** Asks for a file. */
export function chooseFile(accept) {
  return new Promise((chosen) => {
    const field = Object.assign(document.createElement("input"), { type: "file", accept });
    field.addEventListener("change", () => chosen(field.files[0] ?? null));
    field.addEventListener("cancel", () => chosen(null));
    field.click();
  });
}

/** A picture to send when none is at hand: a small dress, drawn here. */
export async function samplePicture() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 360 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#f3e7d3"; pen.fillRect(0, 0, 480, 360);
  pen.fillStyle = "#c9553b";
  pen.beginPath();
  for (const [x, y] of [[190, 60], [225, 60], [240, 85], [255, 60], [290, 60], [330, 110], [300, 135], [285, 120], [345, 300], [135, 300], [195, 120], [180, 135], [150, 110]]) pen.lineTo(x, y);
  pen.closePath(); pen.fill();
  pen.fillStyle = "#f7d9a8";
  for (let n = 0; n < 16; n += 1) { pen.beginPath(); pen.arc(175 + (n % 4) * 42 + (n % 8 > 3 ? 14 : 0), 160 + Math.floor(n / 4) * 36, 7, 0, 7); pen.fill(); }
  return new Promise((made) => canvas.toBlob(made, "image/jpeg", 0.85));
}

/** A film to send, two seconds long. */
export const sampleFilm = async () => (await fetch("/samples/film.mp4")).blob();

/** A file's bytes as a WeChat client hands them over. */
export async function base64(blob) {
  const url = await new Promise((read) => {
    const reader = new FileReader();
    reader.onload = () => read(reader.result);
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}

/** A letter and a colour for somebody without a picture. */
export function face(id, name) {
  let sum = 0;
  for (const letter of id) sum = (sum * 37 + letter.codePointAt(0)) % 9973;
  return { letter: [...(name || "?")][0].toUpperCase(), tone: sum % 6 };
}
