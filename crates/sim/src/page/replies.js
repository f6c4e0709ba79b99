// How many replies are left beside each chat, as an agent's client can know it: whatever the gateway brings says so in
// CloudCustomData, and what the agent has sent since then is taken off.

import { html } from "/vendor/htm-preact.js";
import { desk } from "/clouds.js";
import { dayAndTime } from "/messages.js";
import { word } from "/words.js";

/** Chats whose older messages are asked for at a time, and how many of each. */
const ASKED = { chats: 5, messages: 20 };

const known = new Map();

function told(message) {
  try {
    const { replies, passive } = JSON.parse(message.cloud_custom_data ?? "");
    return passive ? { passive } : replies && { open: replies.map((one) => ({ ...one })) };
  } catch { return null; }
}

const bytes = (text) => new TextEncoder().encode(text).length;

/** What a message costs: each element is a message to WeChat, and so is each 2,048 bytes of a text. */
const cost = ({ body, online_only, recalled }) => (online_only || recalled ? 0
  : (body ?? []).reduce((sum, { MsgContent }) => sum + Math.max(1, Math.ceil(bytes(MsgContent?.Text ?? "") / 2048)), 0));

/** Takes an answer off: the window that ends first pays first. */
function pay(replies, message) {
  let left = cost(message);
  for (const window of replies?.open ?? []) {
    if (window.until <= message.time * 1000) continue;
    const paid = Math.min(left, window.left);
    window.left -= paid;
    left -= paid;
  }
}

function replay(messages, agent) {
  let replies = null;
  for (const message of messages) {
    if (message.from === agent) pay(replies, message);
    else replies = told(message) ?? replies;
  }
  return replies;
}

/** Learns from the newest message of each chat, and from a chat's last few where that is not enough. */
export async function learn(agent, chats) {
  let questions = ASKED.chats;
  for (const chat of chats) {
    const key = `${agent}/${chat.peer}`;
    const before = known.get(key);
    if (before?.count === chat.count) continue;
    let replies = replay([chat.last], agent);
    if (!replies && before?.count === chat.count - 1) {
      replies = before.replies;
      if (chat.last.from === agent) pay(replies, chat.last);
    } else if (!replies && (!before || before.replies)) {
      // Who never said anything of replies is not asked again.
      if (questions === 0) continue;
      questions -= 1;
      const tail = await desk.messages(agent, chat.peer, Math.max(0, chat.count - ASKED.messages));
      replies = replay(tail.messages, agent);
    }
    known.set(key, { count: chat.count, replies });
  }
}

/** How an answer would go now, in a few words and in a sentence. */
function inWords({ open, passive }, now) {
  if (passive) return { how: "reply", few: "↩", all: word("rp-passive") };
  const windows = open.filter((one) => one.until > now && one.left > 0);
  if (!windows.length) return { how: "shut", few: "0", all: word("rp-shut") };
  const left = windows.reduce((sum, one) => sum + one.left, 0);
  const until = Math.max(...windows.map((one) => one.until));
  const hours = (until - now) / 3_600_000;
  const rest = hours < 1 ? `${Math.ceil(hours * 60)} ${word("rp-min")}` : `${Math.floor(hours)} ${word("rp-h")}`;
  return { how: left === 1 || hours < 2 ? "few" : "open", few: `${left} · ${rest}`, all: word("rp-left").replace("{n}", left).replace("{until}", dayAndTime(until)) };
}

/** The replies that are left: `long` has room for a sentence. */
export function Replies({ agent, chat, now, long }) {
  const replies = chat.exists && known.get(`${agent}/${chat.peer}`)?.replies;
  if (!replies) return null;
  const { how, few, all } = inWords(replies, now);
  return long ? html`<span class=${`replies ${how}`}>${all}</span>`
    : html`<span class=${`replies ${how}`} title=${all}><span aria-hidden="true">${few}</span><span class="unseen"> ${all}</span></span>`;
}
