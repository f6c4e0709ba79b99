//! `/wechat/{account}`: verification of the address, and pushes.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use bridge::{PassiveAnswer, trace};
use tokio::time::Instant;

use super::written::Written;
use super::{Account, Webhooks, answer};

/// What WeChat takes as "received, no reply".
const PLAIN: &str = "text/plain; charset=utf-8";

impl Webhooks {
    /// The console asks whether this address knows the token (GET): the exact echostr, as `text/plain` (F17).
    pub(super) fn verify(&self, account: &Account, raw_query: &str) -> Response {
        match ::wechat::verify_url(&account.credentials, raw_query, self.clock.now_s()) {
            Ok(echostr) => answer::exact("text/plain", echostr),
            Err(refusal) => refuse(account, refusal),
        }
    }

    /// The answer to a push whose address alone proves that it is not WeChat's.
    pub(super) fn wechat_refuses(&self, account: &Account, raw_query: &str) -> Option<Response> {
        let checked = ::wechat::check_query(&account.credentials, raw_query, self.clock.now_s());
        checked.err().map(|refusal| refuse(account, refusal))
    }

    /// A push (POST): verified, stored, and only then answered with the passive reply or `success`.
    pub(crate) async fn wechat(
        &self,
        account: &Account,
        raw_query: &str,
        body: Bytes,
        begun: Instant,
    ) -> Response {
        let mut opened = match ::wechat::open(&account.credentials, raw_query, &body, self.clock.now_s()) {
            Ok(opened) => opened,
            Err(refusal) => return refuse(account, refusal),
        };
        let Some(owner) = self.bridge.account(&account.id) else {
            tracing::error!(account = account.id, "the account has an endpoint, but no bridge");
            return answer::status(StatusCode::SERVICE_UNAVAILABLE);
        };
        self.wechat_meters.show_offset(raw_query, "timestamp", self.clock.now_s());
        let span = trace::webhook("wechat", &account.id, begun.elapsed());
        let arrival = {
            let _span = span.clone().attach();
            self.bridge.push_arrival(owner, &mut opened, raw_query)
        };
        // What waits for its commit is kept once; only where answers go out as replies is the push looked at again.
        drop(body);
        let seal = opened.seal.clone();
        let opened = self.bridge.is_passive(owner).then_some(opened);
        let (inbox, key) = (arrival.id.clone(), arrival.dedup_key.clone());
        let ingested = self.bridge.store().ingest(arrival).await;
        self.ended(&span, "wechat", &account.id, inbox.as_str(), &ingested);
        account.accept.record(begun.elapsed());
        match ingested {
            Ok(ingested) => {
                self.bridge.wake();
                if let Some(opened) = &opened {
                    return self.passive(owner, opened, &key, ingested, begun).await;
                }
                reply(&seal, ingested.reply)
            }
            Err(error) => {
                // WeChat offers it again; if it was stored after all, the repeat finds it.
                self.bridge.missed_a_push();
                tracing::error!(account = account.id, %inbox, %error, "a push could not be stored");
                answer::status(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// The answer of an account that may only reply: it carries what waited for the customer.
    async fn passive(
        &self,
        owner: &bridge::Account,
        opened: &::wechat::Opened,
        key: &str,
        ingested: store::Ingested,
        begun: Instant,
    ) -> Response {
        match self.bridge.passive_answer(owner, opened, key, &ingested, begun.into_std()).await {
            Ok(None) => reply(&opened.seal, ingested.reply),
            Ok(Some(PassiveAnswer::Acknowledge)) => reply(&opened.seal, None),
            Ok(Some(PassiveAnswer::Reply(bytes, None))) => reply(&opened.seal, Some(bytes)),
            Ok(Some(PassiveAnswer::Reply(bytes, Some(carried)))) => {
                let written = Written::new(bytes, move || {
                    tokio::spawn(carried.written());
                });
                answer::exact(opened.seal.content_type(), axum::body::Body::new(written))
            }
            Ok(Some(PassiveAnswer::Again)) => answer::status(StatusCode::SERVICE_UNAVAILABLE),
            Err(error) => {
                tracing::error!(account = owner.id, %error, "what waits for a customer could not be looked up");
                answer::status(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

fn reply(seal: &::wechat::Seal, reply: Option<Vec<u8>>) -> Response {
    match reply {
        Some(reply) => answer::exact(seal.content_type(), reply),
        None => answer::exact(PLAIN, ::wechat::SUCCESS),
    }
}

fn refuse(account: &Account, refusal: ::wechat::Refusal) -> Response {
    let why = match refusal {
        ::wechat::Refusal::MissingSignature
        | ::wechat::Refusal::Signature
        | ::wechat::Refusal::MsgSignature => "signature",
        ::wechat::Refusal::Stale => "stale",
        ::wechat::Refusal::Query(_) => "query",
        _ => "other",
    };
    metrics::counter!("tsunagi_webhooks_refused_total", "cloud" => "wechat", "why" => why).increment(1);
    match refusal {
        // Whoever scans ports sends these; they say nothing about our set-up.
        ::wechat::Refusal::MissingSignature | ::wechat::Refusal::Query(_) => {
            tracing::debug!(account = account.id, %refusal, "a request was refused");
        }
        _ => tracing::warn!(account = account.id, %refusal, "a request was refused"),
    }
    answer::refused(refusal.status())
}
