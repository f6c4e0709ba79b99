// The demo page: where its parts are put together. `model.js` is what it knows, `clouds.js` how it asks, and
// `phone.js`, `desk.js` and `wire.js` are the three things one sees.

import { html, render } from "/vendor/htm-preact.js";
import { operator } from "/clouds.js";
import { Desk } from "/desk.js";
import { dayAndTime, timeOf } from "/messages.js";
import { attempt, changed, listen, mend, now, refresh, state } from "/model.js";
import { Menu } from "/parts.js";
import { Phone } from "/phone.js";
import { Opened, Wire } from "/wire.js";
import { LANGUAGES, greet, language, speak, word } from "/words.js";

const HOUR = 3_600_000;

/** How each fault is made, by the operator of the cloud or of the machine that it befalls. */
const faults = {
  "f-im": async () => {
    await operator.fault({ target: "im", kind: "status", value: 502, for_ms: 20_000 });
    await operator.fault({ target: "im.client", kind: "status", value: 503, for_ms: 20_000 });
  },
  "f-slow": () => operator.fault({ target: "wechat", kind: "delay", value: 4000, for_ms: 30_000 }),
  "f-lost": () => operator.fault({ target: "wechat.custom_send", kind: "reset_after", count: 1 }),
  "f-token": () => Promise.all(state.accounts.map((account) => operator.revoke(account.app_id))),
  "f-quota": () => Promise.all(state.accounts.map((account) => operator.limits(account.app_id, { "/cgi-bin/message/custom/send": { daily: 0 } }))),
  "f-kill": () => operator.kill(),
  "f-start": () => operator.start(),
  "f-mend": mend,
};

function Faults() {
  const dead = state.gateway && !state.gateway.running;
  const names = ["f-im", "f-slow", "f-lost", "f-token", "f-quota", ...(state.gateway ? [dead ? "f-start" : "f-kill"] : []), "f-mend"];
  return html`<${Menu} name="faults" label=${html`<span class="long">${word("faults")}</span><span class="short">${word("faults-short")}</span>`}>
    <p class="small">${word("faults-line")}</p>
    ${names.map((name) => html`<button type="button" class="choice" data-closes data-fault=${name} key=${name} onClick=${() => attempt(faults[name])}>
      <strong>${word(name)}</strong><span class="small">${word(`${name}-line`)}</span></button>`)}
  <//>`;
}

/** What WeChat allows the account; whoever runs it has it verified, or not. */
function Kind() {
  const account = state.accounts[0];
  if (!account) return null;
  const kinds = [["kd-certified", true], ["kd-personal", false]];
  const name = account.certified ? "kd-certified" : "kd-personal";
  return html`<${Menu} name="kind" label=${html`<span class="long">${word(name)}</span><span class="short">${word(`${name}-short`)}</span>`} title=${`${word("kind")}: ${word(name)}`}>
    <p class="small">${word("kind-line")}</p>
    ${kinds.map(([kind, certified]) => html`<button type="button" class="choice" data-closes data-kind=${kind} key=${kind} aria-pressed=${account.certified === certified}
      onClick=${() => attempt(async () => { await operator.certify(account.app_id, certified); await refresh(); })}>
      <strong>${word(kind)}</strong><span class="small">${word(`${kind}-line`)}</span></button>`)}
  <//>`;
}

function Clock() {
  const steps = [["plus-hour", HOUR], ["plus-day", 24 * HOUR], ["plus-48", 48 * HOUR]];
  return html`<${Menu} name="clock" label=${html`<span class="long">${dayAndTime(now())}</span><span class="short">${timeOf(now())}</span>`} title=${`${word("clock")}: ${dayAndTime(now())}`}>
    <p class="small">${word("clock-line")}</p>
    ${steps.map(([name, ms]) => html`<button type="button" class="choice" data-closes data-clock=${name} key=${name} onClick=${() => attempt(() => operator.later(ms))}><strong>${word(name)}</strong></button>`)}
  <//>`;
}

function Health() {
  if (!state.gateway) return null;
  const { running, ready } = state.gateway;
  const how = ready ? "gw-up" : running ? "gw-starting" : "gw-down";
  return html`<span class=${`health ${how}`} role="status"><span class=${`dot ${ready ? "up" : running ? "soon" : "down"}`} aria-hidden="true"></span><span class="health-words">${word(how)}</span></span>`;
}

function Languages() {
  const choose = (event) => { speak(event.target.value); changed(); };
  return html`<label class="languages"><span class="unseen">${word("language")}</span>
    <select id="language" onChange=${choose}>${Object.entries(LANGUAGES).map(([tag, [name]]) => html`<option key=${tag} value=${tag} lang=${tag} selected=${tag === language}>${name}</option>`)}</select></label>`;
}

function Views() {
  const views = ["phone", "desk", "wire"];
  const unread = state.agents.reduce((sum, agent) => sum + agent.unread, 0);
  return html`<nav class="views" aria-label=${word("views")}>${views.map((view) => html`<button type="button" key=${view} data-view=${view} aria-current=${state.view === view ? "page" : undefined} onClick=${() => { state.view = view; changed(); }}>
    ${word(`view-${view}`)}${view === "desk" && unread > 0 && state.view !== "desk" && html` <span class="count">${unread}</span>`}</button>`)}</nav>`;
}

/** The phone and the desk are drawn anew only if something changed there: a busy wire leaves them alone. */
let kept = { version: -1 };
function clients() {
  if (kept.version !== state.version) kept = { version: state.version, both: [html`<${Phone} />`, html`<${Desk} />`] };
  return kept.both;
}

function Page() {
  return html`<a class="skip" href="#wire">${word("skip")}</a>
    <header class="top">
      <div class="brand"><svg viewBox="0 0 48 24" width="48" height="24" aria-hidden="true"><circle class="thread-a" cx="6" cy="17" r="4" /><path d="M6 17C14 1 22 1 25 11s8 10 17-4" /><circle class="thread-b" cx="42" cy="7" r="4" /></svg>
        <div><h1>Tsunagi <span lang="ja">繋ぎ</span></h1><p>${word("intro")}</p></div></div>
      <div class="tools"><${Health} /><${Kind} /><${Clock} /><${Faults} /><${Languages} /></div>
    </header>
    <div class="alerts" role="alert">${(state.trouble || state.alert) && html`<p>${state.trouble || state.alert}</p>`}</div>
    <main class="stage" data-view=${state.view}>${clients()}<${Wire} /></main>
    <${Views} /><${Opened} />`;
}

greet();
const draw = () => render(html`<${Page} />`, document.getElementById("app"));
draw();
// The clock in the corners goes on when nothing else happens.
setInterval(() => changed(), 15_000);
listen(draw);
