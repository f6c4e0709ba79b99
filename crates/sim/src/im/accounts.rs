//! Accounts: import, delete, check, online status (§3).

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Done;
use super::{Account, Im, Refused, agents, ok};
use crate::world::World;

/// Three months, as 70399 counts them.
const BAN_MS: i64 = 90 * 86_400_000;
const MOST: usize = 100;

fn valid_user_id(user: &str) -> bool {
    !user.is_empty() && user.len() <= 32 && user.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// `account_import` (§3.2); a repeated one keeps the account and, here, its first profile.
pub(super) fn import(world: &World, request: &Value) -> Done {
    let user = request.get("UserID").or_else(|| request.get("Identifier")).and_then(Value::as_str);
    let user = user.unwrap_or_default().to_owned();
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (nick, face_url) = (text("Nick"), text("FaceUrl"));
    let essentials = json!({"user_id": user, "nick": nick});
    let mut im = world.im();
    let answer = allowed(&im, &user, &nick, &face_url, world.clock.now_ms()).map(|()| {
        im.deleted.remove(&user);
        im.accounts.entry(user).or_insert_with(|| Account { nick, face_url, ..Account::default() });
        ok()
    });
    Done::new(answer, essentials)
}

/// `multiaccount_import` (§3.3), in both forms. Accounts that are there get the profile of the newer form. What is wrong
/// with one account is not told, only that it failed.
pub(super) fn import_many(world: &World, request: &Value) -> Done {
    let asked = wanted(request);
    let ids = |asked: &[Wanted]| asked.iter().map(|one| one.user.clone()).collect::<Vec<_>>();
    let user_ids = asked.as_deref().map(ids).unwrap_or_default();
    let mut im = world.im();
    let now_ms = world.clock.now_ms();
    let mut failed = Vec::new();
    let answer = asked.map(|asked| {
        for Wanted { user, nick, face_url } in asked {
            let (new_nick, new_face) =
                (nick.clone().unwrap_or_default(), face_url.clone().unwrap_or_default());
            if allowed(&im, &user, &new_nick, &new_face, now_ms).is_err() {
                failed.push(user);
                continue;
            }
            im.deleted.remove(&user);
            let account = im.accounts.entry(user).or_default();
            account.nick = nick.unwrap_or(std::mem::take(&mut account.nick));
            account.face_url = face_url.unwrap_or(std::mem::take(&mut account.face_url));
        }
        let mut answer = ok();
        answer["FailAccounts"] = json!(failed);
        answer
    });
    Done::new(answer, json!({"user_ids": user_ids, "failed": failed}))
}

struct Wanted {
    user: String,
    nick: Option<String>,
    face_url: Option<String>,
}

fn wanted(request: &Value) -> Result<Vec<Wanted>, Refused> {
    let list = |name: &str| request.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let user = |item: &Value| item.as_str().map(str::to_owned).or_else(|| text(item, "UserID"));
    let wanted = |item: &Value| {
        Some(Wanted { user: user(item)?, nick: text(item, "Nick"), face_url: text(item, "FaceUrl") })
    };
    let items = list("AccountList").or_else(|| list("Accounts")).ok_or_else(|| Refused::new(70402))?;
    if items.len() > MOST {
        return Err(Refused::new(70206));
    }
    items.iter().map(wanted).collect::<Option<Vec<_>>>().ok_or_else(|| Refused::new(70402))
}

fn allowed(im: &Im, user: &str, nick: &str, face_url: &str, now_ms: i64) -> Result<(), Refused> {
    if !valid_user_id(user) {
        return Err(Refused::new(70402));
    }
    if nick.len() > 500 || face_url.len() > 500 {
        return Err(Refused::new(40601));
    }
    if im.accounts.contains_key(user) {
        return Ok(());
    }
    if im.config.paid && im.deleted.get(user).is_some_and(|at| now_ms - at < BAN_MS) {
        return Err(Refused::new(70399));
    }
    if im.config.account_limit.is_some_and(|limit| im.accounts.len() >= limit) {
        return Err(Refused::new(70398));
    }
    Ok(())
}

/// The UserIDs of a `[{"UserID": …}]` list.
fn listed(request: &Value, name: &str) -> Result<Vec<String>, Refused> {
    let items = request.get(name).and_then(Value::as_array).filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Refused::new(70402))?;
    if items.len() > MOST {
        return Err(Refused::new(70402));
    }
    let user = |item: &Value| item.get("UserID").and_then(Value::as_str).map(str::to_owned);
    items.iter().map(user).collect::<Option<Vec<_>>>().ok_or_else(|| Refused::new(70402))
}

/// `account_delete` (§3.4). Profile, chats and unread counts of the account are gone; the other side keeps its copy.
pub(super) fn delete(world: &World, request: &Value) -> Done {
    let users = listed(request, "DeleteItem");
    let essentials = json!({"user_ids": users.as_deref().unwrap_or_default()});
    let mut im = world.im();
    let now_ms = world.clock.now_ms();
    let answer = users.and_then(|users| {
        if !im.config.deletion_enabled {
            return Err(Refused::new(71000));
        }
        let results: Vec<Value> = users
            .iter()
            .map(|user| match im.accounts.remove(user) {
                Some(_) => {
                    forget(&mut im, user, now_ms);
                    json!({"UserID": user, "ResultCode": 0, "ResultInfo": ""})
                }
                None => json!({"UserID": user, "ResultCode": 70107,
                               "ResultInfo": "Err_TLS_PT_Open_Login_Account_Not_Exist"}),
            })
            .collect();
        let mut answer = ok();
        answer["ResultItem"] = results.into();
        Ok(answer)
    });
    Done::new(answer, essentials)
}

fn forget(im: &mut Im, user: &str, now_ms: i64) {
    im.deleted.insert(user.to_owned(), now_ms);
    for message in &mut im.messages {
        message.seen_by_from &= message.from != user;
        message.seen_by_to &= message.to != user;
    }
}

/// `account_check` (§3.5).
pub(super) fn check(world: &World, request: &Value) -> Done {
    let users = listed(request, "CheckItem");
    let essentials = json!({"user_ids": users.as_deref().unwrap_or_default()});
    let im = world.im();
    let answer = users.map(|users| {
        let item = |user: &String| {
            let status = if im.accounts.contains_key(user) { "Imported" } else { "NotImported" };
            json!({"UserID": user, "ResultCode": 0, "ResultInfo": "", "AccountStatus": status})
        };
        let mut answer = ok();
        answer["ResultItem"] = users.iter().map(item).collect();
        answer
    });
    Done::new(answer, essentials)
}

/// `kick` (§3.6): every client is logged out, and UserSigs made before now log in no more.
pub(super) fn kick(world: &Arc<World>, request: &Value) -> Done {
    let user = request.get("UserID").or_else(|| request.get("Identifier")).and_then(Value::as_str);
    let user = user.unwrap_or_default().to_owned();
    let essentials = json!({"user_id": user});
    let platforms = match world.im().accounts.get_mut(&user) {
        None => return Done::new(Err(Refused::new(70107)), essentials),
        Some(account) => {
            account.online = false;
            account.kicked_at = Some(world.clock.now_s());
            std::mem::take(&mut account.platforms)
        }
    };
    for platform in platforms {
        agents::tell_state(world, &user, &platform, "Disconnect", "LinkClose", &[]);
    }
    Done::new(Ok(ok()), essentials)
}

/// `query_online_status`, and `querystate` with its older field name (§3.7): both names are sent.
pub(super) fn online(world: &World, request: &Value) -> Done {
    let users: Option<Vec<&str>> = request
        .get("To_Account")
        .and_then(Value::as_array)
        .filter(|users| !users.is_empty() && users.len() <= 500)
        .and_then(|users| users.iter().map(Value::as_str).collect());
    let Some(users) = users else { return Done::new(Err(Refused::new(90001)), json!({})) };
    let detailed = request.get("IsNeedDetail").and_then(Value::as_i64) == Some(1);
    let essentials = json!({"user_ids": users});
    let im = world.im();
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for user in users {
        let Some(account) = im.accounts.get(user) else {
            errors.push(json!({"To_Account": user, "ErrorCode": 70107}));
            continue;
        };
        let status = if account.online {
            "Online"
        } else if account.push {
            "PushOnline"
        } else {
            "Offline"
        };
        let mut item = json!({"To_Account": user, "Status": status});
        if detailed && account.online {
            let on = |platform: &String| json!({"Platform": platform, "Status": "Online"});
            item["Detail"] = account.platforms.iter().map(on).collect();
        }
        results.push(item);
    }
    if results.is_empty() {
        return Done::new(Err(Refused::new(70107)), essentials);
    }
    let mut answer = ok();
    answer["QueryResult"] = results.into();
    if !errors.is_empty() {
        answer["ErrorList"] = errors.into();
    }
    Done::new(Ok(answer), essentials)
}
