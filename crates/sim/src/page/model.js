// What the page knows, and how it learns it. Everything that is shown comes from here; views change nothing by themselves.
//
// One long poll on the wire tells when something happened. Only then are the phones and the desks asked, each by what its
// own client could ask, and what comes is drawn once per frame.

import { desk, operator, phone, wire } from "/clouds.js";
import { learn } from "/replies.js";
import { word } from "/words.js";

/** Hops kept on the page; the simulator keeps as many. */
const KEPT = 2000;
/** The least time between two questions, in milliseconds. */
const REST = { wire: 100, chats: 300 };

export const state = {
  /** Rises whenever something changed that a phone or a desk shows; most hops change nothing there. */
  version: 0,
  view: "desk",
  accounts: [], agents: [],
  customer: null, agent: null, peer: null,
  chats: [], lines: [], messages: [], recalled: new Set(),
  hops: [], answers: new Map(), pending: new Map(), failed: [],
  clock: 0, gateway: null, trouble: "", alert: "", seenLines: new Map(), invented: [],
  wire: { housekeeping: false, only: false },
};

let draw = () => {};
let due = false;

/** Draws before the next frame, however often it is asked for; phones and desks only if something changed there. */
export function changed(onlyTheWire = false) {
  if (!onlyTheWire) state.version += 1;
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; draw(); });
}

export const now = () => Date.now() + state.clock;

/** Runs something that a person asked for, and says what went wrong. */
export async function attempt(work) {
  state.alert = "";
  try {
    return await work();
  } catch (error) {
    state.alert = `${word("failed")}: ${error.message}`;
    return undefined;
  } finally {
    changed();
  }
}

let customers = { of: null, ids: new Set() };

/** The openid that a ghost's UserID stands for: the openid itself, or with a generation behind it. */
export function openidOf(user) {
  if (customers.of !== state.accounts) customers = { of: state.accounts, ids: new Set(state.accounts.flatMap((one) => one.customers.map(({ openid }) => openid))) };
  const base = user.replace(/-\d+$/, "");
  return !customers.ids.has(user) && customers.ids.has(base) ? base : user;
}

const same = (a, b) => a?.app === b?.app && a?.openid === b?.openid;

// ── The wire ────────────────────────────────────────────────────────────────────────────────────────────────────────

const places = new Map();

function take(hops) {
  let client = false;
  for (const hop of hops) {
    const at = places.get(hop.id);
    if (at) Object.assign(at, hop);
    else {
      places.set(hop.id, hop);
      state.hops.push(hop);
    }
    // IM tells its clients of accounts that come, change and go.
    client ||= hop.outcome === "mark" || /account_|portrait_/.test(hop.name) || [hop.from, hop.to].some((party) => party === "customer" || party === "agent");
    follow(places.get(hop.id));
  }
  // A burst is cut off in one go; the oldest go first.
  if (state.hops.length > KEPT + 200) for (const gone of state.hops.splice(0, state.hops.length - KEPT)) places.delete(gone.id);
  return client;
}

/** What an agent can learn of her answers' fate: from IM's webhook to the gateway, and the gateway's call to WeChat. */
function follow(hop) {
  if (hop.msg_key && hop.name.endsWith("AfterSendMsg")) {
    const states = { open: "im", done: "heard", refused: "unheard", lost: "unheard" };
    const known = state.answers.get(hop.msg_key);
    if (known && known.step !== "im" && known.step !== "unheard") return;
    const answer = known ?? { who: openidOf(hop.who), note: hop.note, ended: false };
    Object.assign(answer, { step: states[hop.outcome], hop: hop.id });
    state.version += 1;
    state.answers.set(hop.msg_key, answer);
    if (!known) state.pending.set(answer.who, [...(state.pending.get(answer.who) ?? []), answer]);
  } else if (hop.name === "message/custom/send") {
    const waiting = state.pending.get(hop.who) ?? [];
    const answer = waiting.find((one) => one.call === hop.id)
      ?? waiting.find((one) => !one.ended && (one.note === hop.note || one.note.startsWith("TIM") || one.note.slice(0, 20) === hop.note.slice(0, 20)));
    if (!answer) return;
    answer.call = hop.id;
    state.version += 1;
    Object.assign(answer, {
      step: { open: "trying", done: "sent", refused: "refused", lost: "unsure" }[hop.outcome],
      code: hop.code, took: hop.took_ms, hop: hop.id, ended: hop.outcome === "done" || hop.outcome === "lost",
    });
    if (waiting.length > 200) waiting.splice(0, 100);
  } else if (hop.name === "passive_reply") {
    // One reply carries all that waited; what of it is an answer, its words tell.
    for (const one of state.pending.get(hop.who) ?? []) {
      const begun = one.note.replace(/…$/, "");
      if (one.ended || !begun || !hop.note.includes(begun.slice(0, 20))) continue;
      state.version += 1;
      Object.assign(one, { step: "sent", code: undefined, hop: hop.id, ended: true });
    }
  }
}

/** The hops that are to be seen now. */
export function visibleHops() {
  const { housekeeping, only } = state.wire;
  const mine = state.customer?.openid;
  if (housekeeping && !only) return state.hops;
  return state.hops.filter((hop) => (housekeeping || !/query_online|getcallbackip|^login$|quota\/get|getroammsg|set_msg_read/.test(hop.name))
    && (!only || hop.outcome === "mark" || openidOf(hop.who) === mine));
}

// ── Phones and desks ────────────────────────────────────────────────────────────────────────────────────────────────

const rest = (ms) => new Promise((rested) => setTimeout(rested, ms));

let asking = false;
let askAgain = false;

/** Asks phones and desks for what is new; questions that come meanwhile are one question afterwards. */
export async function refresh() {
  if (asking) { askAgain = true; return; }
  asking = true;
  try {
    do {
      askAgain = false;
      const begun = performance.now();
      await ask();
      changed();
      // A machine that takes long to answer is asked less often.
      if (askAgain) await rest(Math.max(REST.chats, 2 * (performance.now() - begun)));
    } while (askAgain);
  } finally {
    asking = false;
  }
}

async function ask() {
  const [accounts, agents] = await Promise.all([phone.all(), desk.all()]);
  Object.assign(state, { accounts, agents });
  const first = accounts[0];
  if (!state.customer && first?.customers.length) state.customer = { app: first.app_id, openid: greeted(first.customers).openid };
  state.agent ??= agents[0]?.user ?? null;
  const { customer, agent } = state;
  await Promise.all([customer && readPhone(customer), agent && readDesk(agent)]);
}

/** The one who speaks the reader's language stands first; the demo's three are called so. */
function greeted(customers) {
  const named = { ja: "oHanako", zh: "oXiaoli", en: "oEmma" }[document.documentElement.lang.slice(0, 2)];
  return customers.find(({ openid }) => openid.startsWith(named)) ?? customers[0];
}

async function readPhone(customer) {
  const lines = await phone.lines(customer, state.lines.length).catch((error) => { if (error.status === 404) return []; throw error; });
  if (!same(customer, state.customer)) return;
  if (lines.length) state.lines = [...state.lines, ...lines];
  state.seenLines.set(customer.openid, state.lines.length);
}

const nicks = new Map();

async function readDesk(agent) {
  const chats = await desk.chats(agent);
  if (agent !== state.agent) return;
  // A client remembers the name of somebody whose account is gone.
  for (const chat of chats) chat.nick ? nicks.set(chat.peer, chat.nick) : chat.nick = nicks.get(chat.peer) ?? "";
  await learn(agent, chats);
  if (agent !== state.agent) return;
  state.chats = chats.reverse();
  const own = state.customer?.openid;
  if (!state.peer && chats.length) {
    // The customer whose phone is open, if this agent has her.
    state.peer = (chats.find((chat) => openidOf(chat.peer) === own) ?? chats[0]).peer;
    state.messages = [];
  }
  const { peer } = state;
  if (!peer) return;
  const read = await desk.messages(agent, peer, state.messages.length);
  if (agent !== state.agent || peer !== state.peer) return;
  if (read.messages.length) state.messages = [...state.messages, ...read.messages];
  if (read.recalled.length !== state.recalled.size) state.recalled = new Set(read.recalled);
  const chat = chats.find((one) => one.peer === peer);
  const looking = document.visibilityState === "visible" && (wide.matches || state.view === "desk");
  if (chat?.unread && looking) {
    await desk.read(agent, peer);
    const me = state.agents.find((one) => one.user === agent);
    if (me) me.unread = Math.max(0, me.unread - chat.unread);
    chat.unread = 0;
  }
}

export const wide = matchMedia("(min-width: 900px)");

// ── What a person chooses ───────────────────────────────────────────────────────────────────────────────────────────

export function choose(change) {
  if ("customer" in change && !same(change.customer, state.customer)) state.lines = [];
  if ("agent" in change && change.agent !== state.agent) Object.assign(state, { peer: null, chats: [] });
  if ("agent" in change || "peer" in change) Object.assign(state, { messages: [], recalled: new Set() });
  Object.assign(state, change);
  changed();
  attempt(refresh);
}

/** Somebody who was not here before. */
export function invent() {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const bytes = crypto.getRandomValues(new Uint8Array(26));
  const openid = `o6${[...bytes].map((byte) => letters[byte % letters.length]).join("")}`;
  state.invented.push(openid);
  choose({ customer: { app: state.customer?.app ?? state.accounts[0].app_id, openid } });
}

/** An agent's message; it is seen at once, also when IM cannot be reached. */
export async function answer(body) {
  const { agent, peer } = state;
  const failed = { to: peer, body, time: now() / 1000 };
  try {
    const sent = await desk.send(agent, peer, body);
    if (sent.error_code) state.failed.push({ ...failed, why: `${word("im-refused")} (${sent.error_code})` });
  } catch {
    state.failed.push({ ...failed, why: word("im-away") });
  }
  changed();
  await refresh();
}

export function again(failed) {
  state.failed = state.failed.filter((one) => one !== failed);
  return answer(failed.body);
}

/** Mends everything, and starts the gateway if it is dead. */
export async function mend() {
  await operator.mend();
  for (const account of state.accounts) if (account.limited.length) await operator.limits(account.app_id, {});
  if (state.gateway && !state.gateway.running) await operator.start();
  await refresh();
}

/** Listens to the wire for as long as the page is open. */
export async function listen(drawing) {
  draw = drawing;
  let last = 0;
  for (let first = true; ; first = false) {
    try {
      const news = await wire.news(last, first ? 0 : 20000);
      // A simulator that began anew counts from one.
      if (news.last < last) location.reload();
      last = news.last;
      state.clock = news.now_ms - Date.now();
      state.gateway = news.gateway;
      state.faults = news.faults;
      if (state.trouble) { state.trouble = ""; askAgain = true; }
      if (take(news.hops) || first) refresh().catch(() => {});
      changed(true);
      await rest(REST.wire);
    } catch {
      state.trouble = word("trouble");
      changed();
      await rest(1000);
    }
  }
}
