//! `/imcallback`: the webhooks of Tencent Cloud IM.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use bridge::trace;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::{Webhooks, answer};

impl Webhooks {
    /// The answer to a webhook whose address alone proves that it is not IM's. `secret` is the last part of the path, if
    /// there is one.
    pub(super) fn im_refuses(&self, secret: Option<&str>, raw_query: &str) -> Option<Response> {
        if !self.path_secret_holds(secret) {
            metrics::counter!("tsunagi_webhooks_refused_total", "cloud" => "im", "why" => "signature")
                .increment(1);
            tracing::debug!("a webhook without callback_secret in its path was refused");
            return Some(answer::status(StatusCode::FORBIDDEN));
        }
        ::im::check_query(&self.im, raw_query, self.clock.now_s()).err().map(refuse)
    }

    /// A webhook that [`Webhooks::im_refuses`] let pass: verified, stored, and only then answered.
    pub(super) async fn im(&self, raw_query: &str, body: Bytes, begun: Instant) -> Response {
        let opened = match ::im::open(&self.im, raw_query, &body, self.clock.now_s()) {
            Ok(opened) => opened,
            Err(refusal) => return refuse(refusal),
        };
        // A Before webhook only asks whether the message may go; its After webhook is what we keep.
        if let ::im::Webhook::BeforeSendMsg(message) = &opened.webhook {
            return answered(&self.bridge.before(message).await);
        }
        if opened.command == ::im::command::BEFORE_SEND_MSG {
            return ok();
        }
        self.im_meters.show_offset(raw_query, "RequestTime", self.clock.now_s());
        // IM hangs up after two seconds, and then this goes no further.
        let mut unstored =
            Unstored { bridge: &self.bridge, said: matches!(opened.webhook, ::im::Webhook::AfterSendMsg(_)) };
        if let Err(error) = self.bridge.close_gap().await {
            tracing::error!(%error, command = opened.command, "a webhook could not be stored");
            return answer::status(StatusCode::SERVICE_UNAVAILABLE);
        }
        let span = trace::webhook("im", "", begun.elapsed());
        let arrival = {
            let _span = span.clone().attach();
            self.bridge.webhook_arrival(&opened, self.im.sdk_app_id, body.into())
        };
        let inbox = arrival.id.clone();
        let ingested = self.bridge.store().ingest(arrival).await;
        // Whose it is, the lane that it went to knows.
        self.ended(&span, "im", "", inbox.as_str(), &ingested);
        trace::hop("accept", "").record(begun.elapsed());
        match ingested {
            Ok(ingested) => {
                unstored.said = false;
                self.bridge.wake();
                if let ::im::Webhook::StateChange(change) = &opened.webhook {
                    self.bridge.came_or_went(&change.info.user_id);
                }
                if let (true, ::im::Webhook::AfterSendMsg(sent)) = (ingested.is_new(), &opened.webhook) {
                    self.bridge.hint(&sent.message);
                }
                ok()
            }
            Err(error) => {
                // IM repeats it where the console says so; otherwise the history tells later.
                tracing::error!(%inbox, %error, command = opened.command, "a webhook could not be stored");
                answer::status(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    fn path_secret_holds(&self, given: Option<&str>) -> bool {
        match &self.im_path_secret {
            None => true,
            Some(secret) => {
                let given = given.unwrap_or_default().as_bytes();
                secret.expose_secret().as_bytes().ct_eq(given).into()
            }
        }
    }
}

/// A webhook that is not stored yet. However that ends, what an agent said is then looked for in the history.
struct Unstored<'a> {
    bridge: &'a bridge::Bridge,
    said: bool,
}

impl Drop for Unstored<'_> {
    fn drop(&mut self) {
        if self.said {
            self.bridge.lost_a_webhook();
        }
    }
}

fn ok() -> Response {
    answered(&::im::Answer::ok())
}

fn answered(answer: &::im::Answer) -> Response {
    answer::exact("application/json; charset=utf-8", answer.to_json())
}

fn refuse(refusal: ::im::Refusal) -> Response {
    let why = match refusal {
        ::im::Refusal::MissingSignature | ::im::Refusal::Signature => "signature",
        ::im::Refusal::Stale => "stale",
        ::im::Refusal::Query(_) => "query",
        _ => "other",
    };
    metrics::counter!("tsunagi_webhooks_refused_total", "cloud" => "im", "why" => why).increment(1);
    match refusal {
        ::im::Refusal::MissingSignature | ::im::Refusal::Query(_) => {
            tracing::debug!(%refusal, "a webhook was refused");
        }
        _ => tracing::warn!(%refusal, "a webhook was refused"),
    }
    answer::refused(refusal.status())
}
