//! One call: what it brought, the checks that all calls share, its line in the journal, its answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::super::tokens::Standing;
use super::Refused;
use super::table::Endpoint;
use super::words::Words;
use crate::serve;
use crate::world::World;

/// One call under way.
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    path: String,
    query: String,
    endpoint: Option<&'static Endpoint>,
    peer: IpAddr,
    /// Whose call it is, once that is known.
    app_id: String,
    /// What the journal's line says beside the errcode.
    notes: Map<String, Value>,
    /// A `delivered` line, to be written after the call's own.
    pub(crate) delivered: Option<Value>,
}

/// What a call that worked answers.
pub(crate) enum Answer {
    /// `{"errcode":0,"errmsg":"ok"}`.
    Ok,
    /// Any JSON.
    Json(Value),
    /// A file.
    File { content_type: &'static str, name: String, bytes: Bytes },
}

impl Call {
    pub(super) fn new(
        world: &Arc<World>,
        endpoint: Option<&'static Endpoint>,
        parts: Parts,
        body: Bytes,
        peer: IpAddr,
    ) -> Call {
        Call {
            world: world.clone(),
            method: parts.method,
            headers: parts.headers,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body,
            endpoint,
            peer,
            app_id: String::new(),
            notes: Map::new(),
            delivered: None,
        }
    }

    /// The path that was called.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A parameter of the query; empty when it is missing.
    pub(crate) fn parameter(&self, name: &str) -> String {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }

    /// The JSON of a POST.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        self.posted()?;
        // An object, and no array, which serde would take for one too.
        let object: Map<String, Value> = serde_json::from_slice(&self.body).map_err(|_| Refused(47001))?;
        serde_json::from_value(Value::Object(object)).map_err(|_| Refused(47001))
    }

    /// Refuses what is no POST, or an empty one.
    pub(crate) fn posted(&self) -> Result<(), Refused> {
        if self.method != Method::POST {
            return Err(Refused(43002));
        }
        if self.body.is_empty() { Err(Refused(44002)) } else { Ok(()) }
    }

    /// Adds a field to the call's line in the journal.
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.notes.insert(name.to_owned(), value.into());
    }

    /// The address that WeChat sees the account's calls come from.
    pub(super) fn caller(&self, app_id: &str) -> IpAddr {
        let wechat = self.world.wechat();
        wechat.accounts.get(app_id).and_then(|account| account.rules.caller_ip).unwrap_or(self.peer)
    }

    /// Whose call it is, as far as that can be told without judging it.
    pub(super) fn words(&self) -> Words {
        let app_id = self.token_owner().unwrap_or_else(|_| self.only_account());
        Words { caller: self.caller(&app_id), app_id, path: self.path.clone(), body: self.body.clone() }
    }

    /// A call that names no account is taken for one of the only account, for the address in its refusal.
    fn only_account(&self) -> String {
        if !self.app_id.is_empty() {
            return self.app_id.clone();
        }
        let wechat = self.world.wechat();
        let mut ids = wechat.accounts.keys();
        ids.next().filter(|_| ids.next().is_none()).cloned().unwrap_or_default()
    }

    /// The account that the access_token belongs to.
    fn token_owner(&self) -> Result<String, Refused> {
        let token = Some(self.parameter("access_token")).filter(|t| !t.is_empty()).ok_or(Refused(41001))?;
        let now_s = self.world.clock.now_s();
        let mut expired = false;
        for (app_id, account) in &self.world.wechat().accounts {
            match account.tokens.standing(&token, now_s) {
                Standing::Good => return Ok(app_id.clone()),
                Standing::Expired => expired = true,
                Standing::Unknown => {}
            }
        }
        Err(Refused(if expired { 42001 } else { 40001 }))
    }

    /// The checks of every call that needs a token; the account that it belongs to.
    pub(super) fn enter(&mut self, endpoint: &Endpoint) -> Result<String, Refused> {
        let app_id = self.token_owner()?;
        self.belongs_to(&app_id);
        self.check_address(&app_id, false)?;
        let certified = {
            let wechat = self.world.wechat();
            let account = wechat.accounts.get(&app_id).ok_or(Refused(40001))?;
            (account.rules.kind, account.config.certified)
        };
        if !endpoint.needs.has(certified.0, certified.1) {
            return Err(Refused(48001));
        }
        if endpoint.get && self.method != Method::GET {
            return Err(Refused(43001));
        }
        self.count(&app_id)?;
        Ok(app_id)
    }

    pub(super) fn belongs_to(&mut self, app_id: &str) {
        app_id.clone_into(&mut self.app_id);
    }

    /// 40164: the list holds for token calls, for others only where that is switched on.
    pub(super) fn check_address(&self, app_id: &str, token_call: bool) -> Result<(), Refused> {
        let caller = self.caller(app_id);
        let wechat = self.world.wechat();
        let rules = &wechat.accounts.get(app_id).ok_or(Refused(40013))?.rules;
        let listed = rules.ip_allow_list.as_ref().is_none_or(|list| list.contains(&caller));
        if listed || !(token_call || rules.ip_allow_list_everywhere) { Ok(()) } else { Err(Refused(40164)) }
    }

    /// Counts the call against its path's quota.
    pub(super) fn count(&self, app_id: &str) -> Result<(), Refused> {
        let Some(endpoint) = self.endpoint else { return Ok(()) };
        let now_s = self.world.clock.now_s();
        let mut wechat = self.world.wechat();
        let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40013))?;
        let limit = endpoint.limit(&account.rules);
        account.counters.count(endpoint.path, limit, now_s)
    }

    fn errors_as_text(&self) -> bool {
        let wechat = self.world.wechat();
        wechat.accounts.get(&self.app_id).is_some_and(|account| account.rules.media_errors_as_text)
    }

    /// Writes the journal and makes the HTTP answer.
    pub(super) fn answer(&mut self, result: Result<Answer, Refused>) -> Response {
        let target = self.endpoint.map_or("wechat.unknown", |endpoint| endpoint.target);
        let mut fields = json!({"api": target, "app_id": self.app_id,
                                "errcode": result.as_ref().err().map_or(0, |refused| refused.0)});
        if let Value::Object(fields) = &mut fields {
            fields.append(&mut self.notes);
        }
        self.world.journal.write("wechat", "call", fields);
        if let Some(delivered) = self.delivered.take() {
            self.world.customer_sees(delivered);
        }
        match result {
            Ok(Answer::Ok) => serve::json(&json!({"errcode": 0, "errmsg": "ok"})),
            Ok(Answer::Json(value)) => serve::json(&value),
            Ok(Answer::File { content_type, name, bytes }) => {
                let disposition = format!("attachment; filename=\"{name}\"");
                let headers = [
                    (header::CONTENT_TYPE, content_type.to_owned()),
                    (header::CONTENT_DISPOSITION, disposition),
                ];
                (headers, bytes).into_response()
            }
            Err(refused) => {
                let answer = self.words().refusal(&self.world, refused);
                if target == "wechat.media_get" && self.errors_as_text() {
                    ([(header::CONTENT_TYPE, "text/plain")], answer.to_string()).into_response()
                } else {
                    serve::json(&answer)
                }
            }
        }
    }
}
