//! Temporary files: upload, download, pictures for articles, and addresses that need no token (§8.1 to §8.3).

use serde_json::json;

use super::{Answer, Call, Refused, multipart};
use crate::wechat::formats::Format;
use crate::wechat::media::{Media, MediaKind};

const MIB: usize = 1 << 20;
const VOICE_LIMIT_MS: u64 = 60_000;

/// `POST /cgi-bin/media/upload?type=…`.
pub(super) fn upload(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let media = read(call, app_id)?;
    let kind = media.kind;
    let (now_ms, world) = (call.world.clock.now_ms(), call.world.clone());
    let media_id = {
        let mut wechat = world.wechat();
        let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
        account.media.add(media, now_ms, &world.chance)
    };
    call.note("media_id", media_id.as_str());
    // Thumbs answer under another name than all others.
    let name = if kind == MediaKind::Thumb { "thumb_media_id" } else { "media_id" };
    let mut answer = json!({"type": kind, "created_at": now_ms.div_euclid(1000)});
    answer[name] = media_id.into();
    Ok(Answer::Json(answer))
}

/// The file of a call, checked against the rules of its `type`.
pub(super) fn read(call: &mut Call, app_id: &str) -> Result<Media, Refused> {
    let kind = match call.parameter("type").as_str() {
        "image" => MediaKind::Image,
        "voice" => MediaKind::Voice,
        "video" => MediaKind::Video,
        "thumb" => MediaKind::Thumb,
        _ => return Err(Refused(40004)),
    };
    call.note("type", json!(kind));
    let bytes = multipart::file(call)?.bytes;
    call.note("size", bytes.len());
    let image_limit = {
        let wechat = call.world.wechat();
        wechat.accounts.get(app_id).ok_or(Refused(40001))?.rules.image_limit
    };
    let (limit, too_large) = match kind {
        MediaKind::Image => (image_limit, 40009),
        MediaKind::Voice => (2 * MIB, 40010),
        MediaKind::Video | MediaKind::News => (10 * MIB, 40011),
        MediaKind::Thumb => (64 << 10, 40012),
    };
    if bytes.len() > limit {
        return Err(Refused(too_large));
    }
    let format = Format::of(&bytes).ok_or(Refused(40005))?;
    let fits = match kind {
        MediaKind::Image => matches!(format, Format::Png | Format::Jpeg | Format::Gif),
        MediaKind::Voice => matches!(format, Format::Amr | Format::Mp3),
        MediaKind::Video | MediaKind::News => format == Format::Mp4,
        MediaKind::Thumb => format == Format::Jpeg,
    };
    if !fits {
        return Err(Refused(40005));
    }
    if format.duration_ms(&bytes) > VOICE_LIMIT_MS {
        return Err(Refused(45007));
    }
    Ok(Media::new(kind, format, bytes))
}

/// `GET /cgi-bin/media/get`: the bytes, or for a video the address of a second download.
pub(super) fn get(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let media_id = call.parameter("media_id");
    call.note("media_id", media_id.as_str());
    let now_ms = call.world.clock.now_ms();
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
    let media = account.media.temporary(&media_id, now_ms).filter(|m| !m.jssdk).ok_or(Refused(40007))?;
    if media.kind == MediaKind::Video {
        return Ok(Answer::Json(json!({"video_url": format!("{}{}", wechat.base_url, media.path())})));
    }
    Ok(file(&media_id, media))
}

/// `GET /cgi-bin/media/get/jssdk`: what a web page of the account recorded.
pub(super) fn get_jssdk(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let media_id = call.parameter("media_id");
    call.note("media_id", media_id.as_str());
    let now_ms = call.world.clock.now_ms();
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
    let media = account.media.temporary(&media_id, now_ms).filter(|m| m.jssdk).ok_or(Refused(40007))?;
    Ok(file(&media_id, media))
}

pub(super) fn file(name: &str, media: &Media) -> Answer {
    Answer::File {
        content_type: media.format.content_type(),
        name: format!("{name}.{}", media.format.extension()),
        bytes: media.bytes.clone(),
    }
}

/// `POST /cgi-bin/media/uploadimg`: a picture that has an address and no media_id.
pub(super) fn upload_image(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let bytes = multipart::file(call)?.bytes;
    call.note("size", bytes.len());
    if bytes.len() >= MIB {
        return Err(Refused(40009));
    }
    let format = Format::of(&bytes).filter(|f| matches!(f, Format::Png | Format::Jpeg));
    let media = Media::new(MediaKind::Image, format.ok_or(Refused(40005))?, bytes).permanent();
    let now_ms = call.world.clock.now_ms();
    let mut wechat = call.world.wechat();
    let base_url = wechat.base_url.clone();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    let media_id = account.media.add(media, now_ms, &call.world.chance);
    let path = account.media.file(&media_id).map(Media::path).unwrap_or_default();
    Ok(Answer::Json(json!({"url": format!("{base_url}{path}")})))
}

/// `PicUrl`, `video_url` and the like: whoever has the address has the file.
pub(super) fn download(call: &mut Call) -> Result<Answer, Refused> {
    let world = call.world.clone();
    let wechat = world.wechat();
    for (app_id, account) in &wechat.accounts {
        if let Some(media) = account.media.at(call.path()) {
            call.belongs_to(app_id);
            return Ok(file("file", media));
        }
    }
    Err(Refused(40007))
}
