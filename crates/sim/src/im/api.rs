//! REST calls: the checks of §10 item 1, in their order, and the way to each command.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::Method;
use axum::middleware;
use axum::response::Response;
use axum::routing::{any, get};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Refused, accounts, chats, fail, files, groups, history, profile, sendmsg, usersig};
use crate::door::Cut;
use crate::serve;
use crate::world::World;

/// What a command answers, and what the journal says about it.
pub(crate) struct Done {
    pub(crate) answer: Result<Value, Refused>,
    pub(crate) essentials: Value,
}

impl Done {
    pub(crate) fn new(answer: Result<Value, Refused>, essentials: Value) -> Done {
        Done { answer, essentials }
    }
}

/// IM's REST API.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/v4/{service}/{command}", any(call))
        .route("/cos/{app_and_key}/{name}", get(files::download))
        .fallback(unknown)
        .with_state(world)
        .layer(middleware::from_fn(serve::to_the_end))
}

async fn unknown() -> Response {
    serve::json(&fail(&Refused::new(60009)))
}

async fn call(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path((service, command)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    body: Bytes,
) -> Response {
    let target = target(&service, &command);
    let name = target.unwrap_or("im.unknown");
    let work = async || {
        let done = match check(&world, target, &method, query.as_deref(), &body) {
            Ok((admin, request)) => run(&world, name, &admin, &request, body.len()).await,
            Err(refused) => Done::new(Err(refused), json!({})),
        };
        let mut fields = done.essentials;
        fields["api"] = name.into();
        fields["error_code"] = done.answer.as_ref().map_or_else(|refused| refused.code, |_| 0).into();
        world.journal.write("im", "call", fields);
        done.answer.unwrap_or_else(|refused| fail(&refused))
    };
    serve::answer(&world, &cut, name, work, |code| fail(&Refused::new(code))).await
}

/// The name of a command, as faults and the journal know it.
fn target(service: &str, command: &str) -> Option<&'static str> {
    Some(match (service, command) {
        ("im_open_login_svc", "account_import") => "im.account_import",
        ("im_open_login_svc", "multiaccount_import") => "im.multiaccount_import",
        ("im_open_login_svc", "account_delete") => "im.account_delete",
        ("im_open_login_svc", "account_check") => "im.account_check",
        ("im_open_login_svc", "kick") => "im.kick",
        ("profile", "portrait_set") => "im.portrait_set",
        ("profile", "portrait_get") => "im.portrait_get",
        ("openim", "batchsendmsg") => "im.batchsendmsg",
        ("openim", "importmsg") => "im.importmsg",
        ("openim", "admin_msgwithdraw") => "im.recall",
        ("openim", "admin_set_msg_read") => "im.set_read",
        ("openim", "get_c2c_unread_msg_num") => "im.unread",
        ("openim", "modify_c2c_msg") => "im.modify",
        ("group_open_http_svc", "create_group") => "im.create_group",
        ("group_open_http_svc", "add_group_member") => "im.add_group_member",
        ("group_open_http_svc", "send_group_msg") => "im.send_group_msg",
        ("openim", "sendmsg") => "im.sendmsg",
        ("openim", "admin_getroammsg") => "im.history",
        ("openim", "query_online_status" | "querystate") => "im.query_online_status",
        _ => return None,
    })
}

fn check(
    world: &World,
    target: Option<&str>,
    method: &Method,
    query: Option<&str>,
    body: &[u8],
) -> Result<(String, Value), Refused> {
    let get = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        pairs.find(|(n, _)| n == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let refuse = |code| Err(Refused::new(code));
    let (app, admin, sig) = (get("sdkappid"), get("identifier"), get("usersig"));
    let mut im = world.im();
    if app.is_empty() {
        return refuse(60012);
    }
    if app != im.config.sdk_app_id.to_string() {
        return refuse(70020);
    }
    if sig.is_empty() {
        return refuse(70002);
    }
    usersig::check(&im.config.secret_key, im.config.sdk_app_id, &admin, &sig, world.clock.now_s())?;
    if !im.config.admins.contains(&admin) {
        return refuse(60010);
    }
    if get("contenttype") != "json" || get("random").parse::<u32>().is_err() {
        return refuse(60025);
    }
    let Some(target) = target else { return refuse(60009) };
    if method != Method::POST {
        return refuse(60002);
    }
    if !im.buckets.pass(target, world.clock.now_ms()) {
        return refuse(60007);
    }
    match serde_json::from_slice(body) {
        Ok(request @ Value::Object(_)) => Ok((admin, request)),
        // "Not JSON at all" is the gateway's to refuse; one-to-one messages and groups have codes of their own.
        _ => refuse(match target {
            "im.sendmsg"
            | "im.history"
            | "im.query_online_status"
            | "im.batchsendmsg"
            | "im.importmsg"
            | "im.recall"
            | "im.set_read"
            | "im.unread"
            | "im.modify" => 90001,
            "im.create_group" | "im.add_group_member" | "im.send_group_msg" => 10011,
            _ => 60003,
        }),
    }
}

async fn run(world: &Arc<World>, name: &str, admin: &str, request: &Value, body_len: usize) -> Done {
    match name {
        "im.account_import" => accounts::import(world, request),
        "im.multiaccount_import" => accounts::import_many(world, request),
        "im.account_delete" => accounts::delete(world, request),
        "im.account_check" => accounts::check(world, request),
        "im.query_online_status" => accounts::online(world, request),
        "im.kick" => accounts::kick(world, request),
        "im.portrait_set" => profile::set(world, admin, request),
        "im.portrait_get" => profile::read(world, request),
        "im.batchsendmsg" => chats::send_many(world, admin, request, body_len),
        "im.importmsg" => chats::import(world, request),
        "im.recall" => chats::recall(world, request),
        "im.set_read" => chats::set_read(world, request),
        "im.unread" => chats::unread(world, request),
        "im.modify" => chats::modify(world, request),
        "im.create_group" => groups::create(world, request),
        "im.add_group_member" => groups::add(world, request),
        "im.send_group_msg" => groups::send(world, admin, request, body_len).await,
        "im.history" => history::read(world, request),
        _ => sendmsg::send(world, admin, request, body_len).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_that_faults_use() {
        assert_eq!(target("openim", "sendmsg"), Some("im.sendmsg"));
        assert_eq!(target("openim", "admin_getroammsg"), Some("im.history"));
        assert_eq!(target("im_open_login_svc", "sendmsg"), None);
        for name in ["im.account_import", "im.account_delete", "im.account_check", "im.query_online_status"] {
            assert!(crate::TARGETS.contains(&name));
        }
    }
}
