//! What the gateway calls: the HTTP side of WeChat's API (§6 to §9).
//!
//! Status 200 even for errors, `errcode` in the body, a ` rid: …` at the end of `errmsg`. `table.rs` names every call
//! and what it needs; here each is checked in the same order: access_token, caller's address, capability, quota. The
//! files beside carry them out.

mod call;
mod material;
mod media;
mod multipart;
mod network;
mod quotas;
mod rids;
mod table;
mod token;
mod typing;
mod users;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware;
use axum::response::Response;

use crate::door::Cut;
use crate::serve;
use crate::world::World;
pub(super) use call::{Answer, Call};
pub(super) use rids::Rids;
use table::Work;

/// A refusal: its errcode. `words.rs` has WeChat's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) i64);

/// The largest request that is read; 45001 beyond.
const BODY_LIMIT: usize = 32 << 20;

/// WeChat's API.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().fallback(handle).with_state(world).layer(middleware::from_fn(serve::to_the_end))
}

async fn handle(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = table::find(parts.uri.path());
    let body = axum::body::to_bytes(body, BODY_LIMIT).await;
    let too_large = body.is_err();
    let mut call = Call::new(&world, endpoint, parts, body.unwrap_or_default(), cut.peer());
    let Some(endpoint) = endpoint else { return call.answer(Err(Refused(40066))) };
    let words = call.words();
    let work = async || {
        let result = if too_large { Err(Refused(45001)) } else { carry_out(&mut call, endpoint).await };
        call.answer(result)
    };
    serve::respond(&world, &cut, endpoint.target, work, |code| words.refusal(&world, Refused(code))).await
}

async fn carry_out(call: &mut Call, endpoint: &table::Endpoint) -> Result<Answer, Refused> {
    match endpoint.work {
        Work::Open(work) => work(call),
        Work::Owned(work) => {
            let app_id = call.enter(endpoint)?;
            work(call, &app_id)
        }
        Work::CallbackCheck => {
            let app_id = call.enter(endpoint)?;
            network::check(call, &app_id).await
        }
    }
}
