// The demo page: reads the simulator's state, and again whenever its journal grows.

import { language, speak, word } from "/words.js";

const at = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

async function call(path, body) {
  const post = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, post);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function complain(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

/** Runs something that a person asked for, and shows what went wrong. */
async function attempt(work) {
  try {
    complain("");
    await work();
  } catch (error) {
    complain(error.message);
  }
}

/** Sets a select's options and keeps the choice where it still exists. */
function offer(select, options, none) {
  const known = [...select.options].map((option) => option.value + "\n" + option.label).join("\n");
  const now = options.map(([value, label]) => value + "\n" + label).join("\n");
  if (known !== now || !options.length) {
    const chosen = select.value;
    const list = options.length ? options : [["", none]];
    select.replaceChildren(...list.map(([value, label]) => new Option(label, value)));
    if (options.some(([value]) => value === chosen)) select.value = chosen;
  }
  select.disabled = !options.length;
}

/** Shows lines in a list: only new ones are added, so that a screen reader hears each once. */
function show(list, key, lines) {
  if (list.dataset.key !== key || lines.length < list.children.length) {
    list.dataset.key = key;
    // What was there before is not news.
    list.setAttribute("aria-live", "off");
    list.replaceChildren();
    requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
  }
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const fresh = lines.slice(list.children.length);
  list.append(...fresh.map(line));
  if (fresh.length && atEnd) list.scrollTop = list.scrollHeight;
}

function line({ side, text, ms, lang }) {
  const item = document.createElement("li");
  item.className = side;
  const body = document.createElement("span");
  body.textContent = text;
  if (lang) body.lang = lang;
  const time = document.createElement("time");
  time.dateTime = new Date(ms).toISOString();
  time.textContent = clock.format(ms);
  item.append(body, time);
  return item;
}

let state;
const invented = new Map();

const account = () => state.wechat.find((one) => one.app_id === at("account").value) ?? state.wechat[0];
const customerPath = () =>
  `/sim/wechat/${account().app_id}/customers/${encodeURIComponent(at("customer").value)}`;
const chosenCustomer = () => account().customers.find((one) => one.openid === at("customer").value);

function newOpenid() {
  const bytes = crypto.getRandomValues(new Uint8Array(26));
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return "o6" + [...bytes].map((byte) => letters[byte % letters.length]).join("");
}

async function drawPhone() {
  offer(at("account"), state.wechat.map((one) => [one.app_id, one.gh_id]), "");
  at("account-choice").hidden = state.wechat.length < 2;
  const app = account().app_id;
  const openids = account().customers.map((one) => one.openid);
  for (const openid of invented.get(app) ?? []) if (!openids.includes(openid)) openids.push(openid);
  if (!openids.length) {
    invented.set(app, [newOpenid()]);
    openids.push(invented.get(app)[0]);
  }
  offer(at("customer"), openids.map((openid, n) => [openid, `${word("person")} ${n + 1} · ${openid.slice(-4)}`]), "");
  at("follow").textContent = word(chosenCustomer()?.follows ? "unfollow" : "follow");
  const path = customerPath();
  const transcript = await call(`${path}/transcript`);
  if (path !== customerPath()) return;
  show(at("transcript"), path, transcript.map((entry) => ({
    side: entry.who === "customer" && entry.via === "said" ? "mine" : entry.who === "account" ? "theirs" : "notice",
    text: entry.via !== "event" ? entry.text || `[${entry.msg_type}]`
      : ["subscribe", "unsubscribe"].includes(entry.text) ? word(entry.text) : `${word("event")}: ${entry.text}`,
    ms: entry.at_ms,
    lang: entry.via === "failure" ? "zh" : "",
  })));
}

async function drawAgent() {
  const openids = state.wechat.flatMap((one) => one.customers.map((customer) => customer.openid));
  const isGhost = (user) => openids.some((openid) => user === openid || user.startsWith(`${openid}-`));
  const agents = Object.keys(state.im.accounts).filter((user) => !state.im.admins.includes(user) && !isGhost(user));
  offer(at("agent"), agents.map((user) => [user, user]), word("no-agent"));
  const agent = at("agent").value;
  const chats = agent ? await call(`/sim/im/agents/${encodeURIComponent(agent)}/chats`) : [];
  if (agent !== at("agent").value) return;
  chats.reverse();
  const label = (chat) => [chat.nick || chat.peer, chat.exists ? "" : `(${word("gone")})`, chat.unread ? `● ${chat.unread}` : ""];
  offer(at("chat"), chats.map((chat) => [chat.peer, label(chat).filter(Boolean).join(" ")]), word("no-chat"));
  const chat = chats.find((one) => one.peer === at("chat").value);
  for (const part of at("agent-form").elements) part.disabled = !chat?.exists;
  const messages = (chat?.messages ?? []).map((message) => ({
    side: message.from === agent ? "mine" : "theirs",
    text: message.text,
    ms: message.time * 1000,
  }));
  show(at("chat-lines"), `${agent}/${chat?.peer}`, messages);
  if (chat?.unread && document.visibilityState === "visible") {
    await call(`/sim/im/agents/${encodeURIComponent(agent)}/read`, { peer: chat.peer });
  }
}

async function draw() {
  state = await call("/sim/state");
  await Promise.all([drawPhone(), drawAgent()]);
}

/** A form that sends on Enter; not while an input method composes, and not with Shift. */
function composer(form, field, send) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    field.focus();
    attempt(() => send(text));
  });
}

composer(at("customer-form"), at("customer-text"), (text) => call(`${customerPath()}/say`, { text }));
composer(at("agent-form"), at("agent-text"), async (text) => {
  const to = at("chat").value;
  const answer = await call(`/sim/im/agents/${encodeURIComponent(at("agent").value)}/say`, { to, text });
  if (answer.error_code) complain(`${word("refused")} ${answer.error_code} ${answer.error_info ?? ""}`);
});
at("follow").addEventListener("click", () =>
  attempt(() => call(`${customerPath()}/${chosenCustomer()?.follows ? "unfollow" : "follow"}`, {})));
at("another").addEventListener("click", () => attempt(async () => {
  const app = account().app_id;
  const openid = newOpenid();
  invented.set(app, [...(invented.get(app) ?? []), openid]);
  await drawPhone();
  at("customer").value = openid;
  await drawPhone();
  at("customer-text").focus();
}));
for (const id of ["account", "customer", "agent", "chat"]) at(id).addEventListener("change", () => attempt(draw));

speak();
let seen = 0;
for (let silent = false; ;) {
  try {
    if (seen) {
      const lines = await call(`/sim/journal?after=${seen}&wait_ms=20000`);
      if (lines.length) seen = lines.at(-1).n;
    } else {
      seen = (await call("/sim/state")).journal;
    }
    await draw();
    if (silent) complain("");
    silent = false;
    // The very first line has no number to wait after.
    if (!seen) await new Promise((done) => setTimeout(done, 500));
  } catch {
    silent = true;
    complain(word("trouble"));
    await new Promise((done) => setTimeout(done, 1000));
  }
}
