// The ways to the simulator. What a phone and an IM client do goes to the addresses of their own cloud's clients
// (`/sim/wechat/…/customers/…`, `/sim/im/agents/…`), the wire is watched, and the rest is what an operator could do.

async function call(path, body, headers = { "content-type": "application/json" }) {
  const post = body !== undefined && { method: "POST", headers, body };
  const response = await fetch(path, post || undefined);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(answer.error ?? `HTTP ${response.status}`), { status: response.status });
  return answer;
}

const post = (path, body = {}) => call(path, JSON.stringify(body));
const part = encodeURIComponent;

export const wire = {
  news: (after, wait) => call(`/sim/wire?after=${after}&wait_ms=${wait}`),
  hop: (id) => call(`/sim/wire/${id}`),
};

/** What a customer's WeChat does. */
export const phone = {
  all: () => call("/sim/phones"),
  path: ({ app, openid }) => `/sim/wechat/${part(app)}/customers/${part(openid)}`,
  lines: (who, after) => call(`${phone.path(who)}/transcript?after=${after}`),
  file: (who, id) => `${phone.path(who)}/files/${part(id)}`,
  say: (who, text) => post(`${phone.path(who)}/say`, { text }),
  send: (who, message) => post(`${phone.path(who)}/send`, message),
  follow: (who) => post(`${phone.path(who)}/follow`),
  unfollow: (who) => post(`${phone.path(who)}/unfollow`),
  tap: (who, event, key) => post(`${phone.path(who)}/event`, { event, fields: { EventKey: key } }),
};

/** What an agent's IM client does. */
export const desk = {
  all: () => call("/sim/im/agents"),
  path: (user) => `/sim/im/agents/${part(user)}`,
  chats: (user) => call(`${desk.path(user)}/conversations`),
  messages: (user, peer, after) => call(`${desk.path(user)}/messages?peer=${part(peer)}&after=${after}`),
  send: (user, to, body) => post(`${desk.path(user)}/send`, { to, body }),
  read: (user, peer) => post(`${desk.path(user)}/read`, { peer }),
  login: (user) => post(`${desk.path(user)}/login`),
  logout: (user) => post(`${desk.path(user)}/logout`),
  upload: (user, name, blob) =>
    call(`${desk.path(user)}/upload?name=${part(name)}`, blob, { "content-type": blob.type || "application/octet-stream" }),
};

/** What only whoever runs the clouds, or the machine, can do. */
export const operator = {
  fault: (fault) => post("/sim/faults", fault),
  mend: () => post("/sim/faults/clear"),
  limits: (app, limits) => post(`/sim/wechat/${part(app)}/config`, { limits }),
  revoke: (app) => post(`/sim/wechat/${part(app)}/revoke_tokens`),
  certify: (app_id, certified) => post("/sim/config", { app_id, certified }),
  later: (advance_ms) => post("/sim/clock", { advance_ms }),
  kill: () => post("/sim/gateway/kill"),
  start: () => post("/sim/gateway/start"),
};
