// The phone: it is the customer. What it can do is what WeChat lets a customer do.

import { html } from "/vendor/htm-preact.js";
import { phone } from "/clouds.js";
import { Message, dayAndTime, fromPhone, timeOf } from "/messages.js";
import { attempt, choose, invent, now, state } from "/model.js";
import { Composer, Lines, Menu, base64, chooseFile, face, sampleFilm, samplePicture } from "/parts.js";
import { word } from "/words.js";

const NAMED = ["oHanako", "oXiaoli", "oEmma"];

export function nameOf(openid) {
  const at = NAMED.findIndex((name) => openid.startsWith(name));
  return at >= 0 ? word(`name-${at + 1}`) : `${word("person")} ${openid.slice(-4)}`;
}

function everybody() {
  const app = state.accounts[0]?.app_id;
  const known = state.accounts.flatMap((one) => one.customers.map((customer) => ({ ...customer, app: one.app_id })));
  const fresh = state.invented.filter((openid) => !known.some((one) => one.openid === openid));
  const order = ({ openid }) => { const at = NAMED.findIndex((name) => openid.startsWith(name)); return at < 0 ? 9 : at; };
  return [...known, ...fresh.map((openid) => ({ openid, app, follows: false, lines: 0 }))].sort((a, b) => order(a) - order(b));
}

const news = ({ openid, lines }) => Math.max(0, lines - (state.seenLines.get(openid) ?? 0));

function People({ people }) {
  return html`<div class="people" role="group" aria-label=${word("customers")}>
    ${people.map((one) => {
      const name = nameOf(one.openid);
      const { letter, tone } = face(one.openid, name);
      const chosen = one.openid === state.customer?.openid;
      const unread = chosen || !state.seenLines.has(one.openid) ? 0 : news(one);
      return html`<button type="button" key=${one.openid} class="person" aria-pressed=${chosen} onClick=${() => choose({ customer: { app: one.app, openid: one.openid } })}>
        <span class="face-of" data-tone=${tone} aria-hidden="true">${letter}</span><span class="person-name">${name}</span>
        ${unread > 0 && html`<span class="count">${unread}<span class="unseen"> ${word("unread")}</span></span>`}
      </button>`;
    })}
    <button type="button" class="person another" onClick=${invent}><span class="face-of" aria-hidden="true">＋</span><span class="person-name">${word("another")}</span></button>
  </div>`;
}

/** What stands between lines of different minutes. */
function stamped(lines) {
  let before = 0;
  return lines.flatMap((line) => {
    const gap = line.at_ms - before > 5 * 60_000;
    before = line.at_ms;
    return gap ? [{ stamp: line.at_ms, id: `t${line.n}` }, line] : [line];
  });
}

const send = (message) => attempt(async () => phone.send(state.customer, await message()));

async function ownPicture() {
  const file = await chooseFile("image/jpeg,image/png,image/gif");
  if (file) await send(async () => ({ type: "image", base64: await base64(file) }));
}

function Extras() {
  const item = (name, work) => html`<button type="button" class="extra" data-closes data-extra=${name} onClick=${work}>${word(name)}</button>`;
  return html`<${Menu} name="extras" label="＋" title=${word("more")} up>
    ${item("picture", () => send(async () => ({ type: "image", base64: await base64(await samplePicture()) })))}
    ${item("picture-file", ownPicture)}
    ${item("voice", () => send(() => ({ type: "voice" })))}
    ${item("video", () => send(async () => ({ type: "video", base64: await base64(await sampleFilm()) })))}
    ${item("location", () => send(() => ({ type: "location" })))}
    ${item("link", () => send(() => ({ type: "link" })))}
    ${item("file", () => send(() => ({ type: "file" })))}
    ${item("sticker", () => send(() => ({ type: "unsupported" })))}
  <//>`;
}

function AccountMenu() {
  const tap = (event, key) => () => attempt(() => phone.tap(state.customer, event, key));
  return html`<nav class="account-menu" aria-label=${word("menu")}>
    <button type="button" onClick=${tap("CLICK", "NEW_ARRIVALS")}>${word("menu-new")}</button>
    <button type="button" onClick=${tap("CLICK", "CALL_AGENT")}>${word("menu-call")}</button>
    <button type="button" onClick=${tap("VIEW", "https://shop.example.com/")}>${word("menu-shop")}</button>
  </nav>`;
}

export function Phone() {
  const people = everybody();
  const { customer } = state;
  const me = people.find((one) => one.openid === customer?.openid);
  const name = customer ? nameOf(customer.openid) : "";
  const own = customer && face(customer.openid, name);
  const shop = { letter: "繋", tone: "shop" };
  const draw = (line) => (line.stamp
    ? html`<li class="event stamp" key=${line.id}><span>${dayAndTime(line.stamp)}</span></li>`
    : html`<${Message} key=${line.n} message=${fromPhone(line, customer)} face=${line.who === "customer" ? own : shop} />`);
  return html`<section class="pane phone-side" aria-labelledby="phone-title">
    <h2 id="phone-title"><span>${word("customer")}</span> <small>${word("customer-who")}</small></h2>
    <${People} people=${people} />
    <div class="phone">
      <div class="phone-bar" aria-hidden="true"><span>${timeOf(now())}</span><span class="notch"></span><span>5G ▮</span></div>
      <header class="phone-head">
        <span class="face-of" data-tone="shop" aria-hidden="true">繋</span>
        <div><h3>${word("shop")}</h3><p>${me?.follows ? name : word("shop-line")}</p></div>
        ${me && html`<button type="button" id="follow" class=${me.follows ? "quiet" : "primary"} onClick=${() => attempt(() => (me.follows ? phone.unfollow : phone.follow)(customer))}>${word(me.follows ? "unfollow" : "follow")}</button>`}
      </header>
      <${Lines} id="transcript" chat=${customer?.openid} label=${`${word("customer")}: ${name}`} items=${stamped(state.lines)} draw=${draw}
        empty=${me && !me.follows ? word("not-following") : null} />
      ${me?.follows ? html`<${AccountMenu} />
        <${Composer} id="customer-text" chat=${`c${customer.openid}`} hint=${word("write")} onSend=${(text) => attempt(() => phone.say(customer, text))}><${Extras} /><//>`
        : html`<p class="phone-foot">${word("not-following")}</p>`}
    </div>
  </section>`;
}
