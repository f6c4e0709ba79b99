//! Permanent files, for what has to live longer than three days (§8.4). Their caps (100,000 pictures, 1,000 others) are
//! not counted.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call, Refused, media, multipart};
use crate::wechat::media::{Media, MediaKind};

#[derive(Default, Deserialize)]
struct Description {
    title: String,
    introduction: String,
}

/// `POST /cgi-bin/material/add_material?type=…`; a video brings a `description` as well.
pub(super) fn add(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let file = media::read(call, app_id)?;
    let words = if file.kind == MediaKind::Video { description(call)? } else { Description::default() };
    let kind = file.kind;
    let file = file.titled(words.title, words.introduction).permanent();
    let (now_ms, world) = (call.world.clock.now_ms(), call.world.clone());
    let mut wechat = world.wechat();
    let base_url = wechat.base_url.clone();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    let media_id = account.media.add(file, now_ms, &world.chance);
    call.note("media_id", media_id.as_str());
    let mut answer = json!({"media_id": media_id});
    if kind == MediaKind::Image {
        let path = account.media.file(&media_id).map(Media::path).unwrap_or_default();
        answer["url"] = format!("{base_url}{path}").into();
    }
    Ok(Answer::Json(answer))
}

fn description(call: &Call) -> Result<Description, Refused> {
    let part = multipart::parts(call)?.into_iter().find(|part| part.name == "description");
    serde_json::from_slice(&part.ok_or(Refused(40035))?.bytes).map_err(|_| Refused(47001))
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    media_id: String,
}

/// `POST /cgi-bin/material/get_material`.
pub(super) fn get(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Which { media_id } = call.json()?;
    call.note("media_id", media_id.as_str());
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
    let file = account.media.lasting(&media_id).ok_or(Refused(40007))?;
    Ok(match file.kind {
        MediaKind::Video => {
            let down_url = format!("{}{}", wechat.base_url, file.path());
            let Media { title, introduction, .. } = file;
            Answer::Json(json!({"title": title, "description": introduction, "down_url": down_url}))
        }
        MediaKind::News => Answer::Json(json!({"news_item": [{"title": file.title}]})),
        _ => media::file(&media_id, file),
    })
}

/// `POST /cgi-bin/material/del_material`.
pub(super) fn delete(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Which { media_id } = call.json()?;
    call.note("media_id", media_id.as_str());
    let mut wechat = call.world.wechat();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    if account.media.delete(&media_id) { Ok(Answer::Ok) } else { Err(Refused(40007)) }
}
