// The wire: a sequence diagram that moves. Each row is one hop; only the rows in sight are in the page.

import { html, useEffect, useLayoutEffect, useRef, useState } from "/vendor/htm-preact.js";
import { wire } from "/clouds.js";
import { dayAndTime, exactTime } from "/messages.js";
import { changed, now, state, visibleHops } from "/model.js";
import { has, word } from "/words.js";

const PARTIES = ["customer", "wechat", "gateway", "im", "agent"];
/** Rows drawn above and below of what is in sight. */
const MARGIN = 6;

const opened = { id: null, told: null, error: "" };

/** Shows one hop with its request and answer. */
export async function openHop(id) {
  Object.assign(opened, { id, told: null, error: "" });
  changed();
  try {
    opened.told = await wire.hop(id);
  } catch {
    opened.error = word("too-old");
  }
  changed();
}

const SHORT = [[/^message\/custom\//, "custom/"], [/^im_open_login_svc\//, ""], [/^openim\//, ""], [/^C2C\.Callback/, ""], [/^State\./, ""], [/^push event:/, "push "], [/^(cos|mmbiz_|video).*/, "download"]];
export function nameOf(hop) {
  if (hop.outcome === "mark") {
    const note = hop.name === "clock" ? ` +${Math.round(Number(hop.note) / 3_600_000)} h` : hop.note && ` · ${hop.note}`;
    return `${word(`mk-${hop.name}`)}${note}`;
  }
  const own = has(`n-${hop.name}`);
  return own ? word(`n-${hop.name}`) : SHORT.reduce((name, [long, short]) => name.replace(long, short), hop.name);
}

const duration = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

function outcomeOf(hop) {
  if (hop.outcome === "open" || hop.outcome === "mark") return word(hop.outcome);
  const took = duration(hop.took_ms);
  if (hop.outcome === "lost") return `${has(hop.why) ? word(hop.why) : word("lost")} · ${took}`;
  if (hop.outcome === "refused") return `${hop.code ?? hop.status ?? word("refused")} · ${took}`;
  return `${word("done")} · ${took}`;
}

function Row({ hop, at, total, height, chosen, fresh }) {
  const [from, to] = [PARTIES.indexOf(hop.from), PARTIES.indexOf(hop.to)];
  const place = { top: `${at * height}px`, height: `${height}px` };
  const noted = hop.outcome !== "mark" && hop.note;
  return html`<div id=${`hop-${hop.id}`} class=${`hop ${hop.outcome} ${fresh ? "fresh" : ""}`} style=${place} role="option" aria-selected=${chosen} aria-posinset=${at + 1} aria-setsize=${total} data-name=${hop.name} onClick=${() => openHop(hop.id)}>
    <span class="hop-time">${exactTime(hop.at_ms)}</span>
    <span class="lanes">
      ${hop.outcome === "mark" ? html`<span class="marked">${nameOf(hop)}</span>`
        : html`<span class="unseen">${word(`s-${hop.from}`)} ${word("to")} ${word(`s-${hop.to}`)}: </span><span class=${`arrow ${to < from ? "left" : "right"}`} data-from=${Math.min(from, to)} data-span=${Math.abs(to - from)}><span class="hop-name">${nameOf(hop)}</span><span class="shaft"></span></span>
          ${noted && html`<span class=${`hop-note after-${Math.max(from, to)}`}>${noted}</span>`}`}
    </span>
    <span class="hop-outcome">${hop.outcome === "mark" ? "" : outcomeOf(hop)}</span>
  </div>`;
}

export function Wire() {
  const box = useRef(null);
  const [view, look] = useState({ top: 0, height: 300, row: 40 });
  const follows = useRef(true);
  // Keys may come faster than frames: what was chosen last counts, drawn or not.
  const picked = useRef(null);
  const [chosen, draw] = useState(null);
  const pick = (id) => { picked.current = id; draw(id); };
  const hops = visibleHops();
  useEffect(() => {
    const measure = () => {
      const row = parseFloat(getComputedStyle(box.current).getPropertyValue("--row")) || 40;
      look((old) => ({ ...old, height: box.current.clientHeight, row }));
    };
    measure();
    const sizes = new ResizeObserver(measure);
    sizes.observe(box.current);
    return () => sizes.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (follows.current) box.current.scrollTop = box.current.scrollHeight;
  }, [hops.length, view.height, view.row]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    follows.current = scrollHeight - scrollTop - clientHeight < view.row;
    if (Math.abs(scrollTop - view.top) >= view.row / 2) look((old) => ({ ...old, top: scrollTop }));
  };
  const newest = () => { follows.current = true; box.current.scrollTop = box.current.scrollHeight; };
  const at = hops.findIndex((hop) => hop.id === chosen);
  const key = (event) => {
    const page = Math.max(1, Math.floor(view.height / view.row) - 1);
    const last = hops.length - 1;
    const here = hops.findIndex((hop) => hop.id === picked.current);
    const from = here < 0 ? last + 1 : here;
    const next = { ArrowUp: from - 1, ArrowDown: from + 1, PageUp: from - page, PageDown: from + page, Home: 0, End: last }[event.key];
    if (next !== undefined && hops.length) {
      event.preventDefault();
      const to = Math.min(last, Math.max(0, next));
      follows.current = to === last;
      pick(hops[to].id);
      const top = to * view.row;
      if (top < box.current.scrollTop) box.current.scrollTop = top;
      else if (top + view.row > box.current.scrollTop + view.height) box.current.scrollTop = top + view.row - view.height;
    } else if ((event.key === "Enter" || event.key === " ") && here >= 0) {
      event.preventDefault();
      openHop(hops[here].id);
    }
  };
  // While it follows, the end is in sight whatever the last scroll event said.
  const end = hops.length * view.row;
  const top = follows.current ? Math.max(0, end - view.height) : Math.min(view.top, Math.max(0, end - view.height));
  const first = Math.max(0, Math.floor(top / view.row) - MARGIN);
  const until = Math.min(hops.length, Math.ceil((top + view.height) / view.row) + MARGIN);
  const inSight = hops.slice(first, until);
  // An arrow runs when its hop is new; where all are new at once, nobody could follow, and drawing costs.
  const isNew = (hop) => now() - hop.at_ms < 700;
  const calm = inSight.filter(isNew).length <= 6;
  const toggle = (name) => html`<label class="check"><input type="checkbox" checked=${state.wire[name]} onChange=${(event) => { state.wire[name] = event.target.checked; changed(); }} /> ${word(name === "only" ? "only-chat" : name)}</label>`;
  return html`<section class="pane wire-side" id="wire" aria-labelledby="wire-title">
    <div class="wire-top"><h2 id="wire-title"><span>${word("wire")}</span> <small>${word("wire-line")}</small></h2>
      <div class="wire-tools">${toggle("only")}${toggle("housekeeping")}<button type="button" class="quiet" onClick=${newest}>${word("newest")}</button></div></div>
    <div class="wire-head" aria-hidden="true"><span></span><span class="lanes">${PARTIES.map((party) => html`<span class="party" key=${party} data-party=${party}><span class="long">${word(`p-${party}`)}</span><span class="short">${word(`s-${party}`)}</span></span>`)}</span><span class="wire-count">${hops.length} ${word("hops")}</span></div>
    <div class="wire-box" ref=${box} role="listbox" tabindex="0" aria-label=${word("wire")} aria-activedescendant=${at >= first && at < until ? `hop-${chosen}` : undefined} onScroll=${scrolled} onKeyDown=${key}>
      <div class="wire-all" role="presentation" style=${{ height: `${Math.max(end, view.height)}px` }}>
        ${inSight.map((hop, n) => html`<${Row} key=${hop.id} hop=${hop} at=${first + n} total=${hops.length} height=${view.row} chosen=${hop.id === chosen} fresh=${calm && isNew(hop)} />`)}
      </div>
    </div>
    ${!hops.length && html`<p class="empty">${word("no-hops")}</p>`}
  </section>`;
}

/** JSON and XML with line breaks; anything else as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch { /* Not JSON, or not all of it. */ }
  if (/^<xml>/.test(text)) return text.replace(/></g, ">\n<").replace(/\n<\/(?!xml>)/g, "</").replace(/^<(?!\/?xml)/gm, "  <");
  return text;
}

function Side({ title, side, none }) {
  const body = side.body === null ? word("not-text") : pretty(side.body);
  return html`<section class="side"><h3>${title}</h3>
    ${!side.line && !side.body ? html`<p class="small">${none}</p>` : html`
    ${side.line && html`<pre tabindex="0" class="line">${side.line.replace(/[?&]/g, "\n  $&")}</pre>`}
    ${side.headers.length > 0 && html`<pre tabindex="0" class="headers">${side.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</pre>`}
    ${body ? html`<pre tabindex="0" class="body">${body}</pre>` : html`<p class="small">${word("no-body")}</p>`}
    ${side.inside && html`<h4>${word("inside")}</h4><pre tabindex="0" class="body">${pretty(side.inside)}</pre>`}
    ${side.size > 16384 && html`<p class="small">${word("cut-note")}</p>`}`}
  </section>`;
}

/** The dialog of the hop that was chosen. */
export function Opened() {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    if (opened.id !== null && !dialog.current.open) dialog.current.showModal();
  });
  const shut = () => { Object.assign(opened, { id: null, told: null }); changed(); };
  const outside = (event) => { if (event.target === dialog.current) dialog.current.close(); };
  const { told } = opened;
  const shown = told && !told.request.line;
  return html`<dialog class="opened" ref=${dialog} onClose=${shut} onClick=${outside} aria-labelledby="opened-title"><div class="opened-in">
    <header><h2 id="opened-title">${told ? `${word(`s-${told.from}`)} → ${word(`s-${told.to}`)} · ${nameOf(told)}` : "…"}</h2>
      <form method="dialog"><button class="quiet" id="close-hop">${word("close")}</button></form></header>
    ${opened.error && html`<p>${opened.error}</p>`}
    ${told && html`<p class=${`opened-outcome ${told.outcome}`}><span>${dayAndTime(told.at_ms)} · ${exactTime(told.at_ms)}</span> <strong>${outcomeOf(told)}</strong></p>
      ${told.outcome === "mark" ? html`<p>${nameOf(told)}</p>` : html`<div class="sides">
        <${Side} title=${word(shown ? "shown" : "request")} side=${told.request} none="" />
        ${shown ? html`<p class="small own-way">${word("own-way")}</p>` : html`<${Side} title=${word("reply")} side=${told.answer} none=${word("no-answer")} />`}</div>
      <p class="small">${word("masked")}</p>`}`}
  </div></dialog>`;
}
