//! IM's file store: what a client's SDK uploads before it sends a picture, a voice, a video or a file (§5.3).
//!
//! As in the real cloud, the upload is the client's alone (there is no REST command for it, §5.2), and the address that
//! comes back is public: whoever has it can download, for seven days. The real store has a host of its own (COS); here
//! it is the API's.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::Refused;
use crate::door::Cut;
use crate::serve;
use crate::world::World;

/// The largest file of a client, in bytes (§5.1).
pub(crate) const MOST_BYTES: usize = 100 << 20;
/// All files together; the oldest go first.
const ALL_BYTES: usize = 256 << 20;
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// The files, by the unguessable part of their address.
#[derive(Default)]
pub(crate) struct Files {
    files: BTreeMap<String, File>,
    next: u64,
}

#[derive(Clone)]
struct File {
    n: u64,
    name: String,
    content_type: String,
    bytes: Bytes,
    uploaded_ms: i64,
}

impl Files {
    fn keep(&mut self, key: String, mut file: File, now_ms: i64) {
        self.files.retain(|_, old| now_ms < old.uploaded_ms + KEPT_MS);
        self.next += 1;
        file.n = self.next;
        self.files.insert(key, file);
        while self.files.len() > 1
            && self.files.values().map(|file| file.bytes.len()).sum::<usize>() > ALL_BYTES
        {
            let oldest = self.files.iter().min_by_key(|(_, file)| file.n).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.files.remove(&oldest);
            }
        }
    }

    fn find(&self, key: &str, name: &str, now_ms: i64) -> Option<File> {
        self.files.get(key).filter(|file| file.name == name && now_ms < file.uploaded_ms + KEPT_MS).cloned()
    }
}

/// Takes a file from a client; what the client needs for the message's element.
///
/// # Errors
/// 20003 when nobody has this UserID, 80001 for an empty file (the SDK's own code is not published).
pub(crate) fn upload(
    world: &World,
    user: &str,
    name: &str,
    content_type: &str,
    bytes: Bytes,
) -> Result<Value, Refused> {
    let now_ms = world.clock.now_ms();
    let key = world.chance.hex(48);
    let name = tidy(name);
    let (size, uuid) = (bytes.len(), hex::encode(&Sha1::digest(&bytes)[..16]));
    let mut im = world.im();
    if !im.accounts.contains_key(user) {
        return Err(Refused::new(20003));
    }
    if bytes.is_empty() {
        return Err(Refused::new(80001));
    }
    let url = format!("{}/cos/{}-{key}/{name}", im.base_url, im.config.sdk_app_id);
    let content_type = content_type.to_owned();
    let file = File { n: 0, name: name.clone(), content_type, bytes, uploaded_ms: now_ms };
    im.files.keep(key, file, now_ms);
    Ok(json!({"url": url, "uuid": uuid, "size": size, "name": name}))
}

/// A name that can stand in an address: the last part of a path, ASCII letters, digits, dots and dashes.
fn tidy(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let tidied: String = last.chars().map(plain).collect();
    let from = tidied.len().saturating_sub(80);
    if tidied.trim_matches('.').is_empty() { "file".into() } else { tidied[from..].to_owned() }
}

/// `GET /cos/{app}-{key}/{name}`: no signature, any web page may read it.
pub(super) async fn download(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path((app_and_key, name)): Path<(String, String)>,
) -> Response {
    let work = async || {
        let now_ms = world.clock.now_ms();
        let im = world.im();
        let app = format!("{}-", im.config.sdk_app_id);
        let found = app_and_key.strip_prefix(&app).and_then(|key| im.files.find(key, &name, now_ms));
        drop(im);
        match found {
            Some(file) => {
                let headers: [(HeaderName, String); 3] = [
                    (header::CONTENT_TYPE, file.content_type),
                    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
                ];
                (headers, file.bytes).into_response()
            }
            None => {
                let xml = "<?xml version='1.0' encoding='utf-8' ?>\n<Error><Code>NoSuchKey</Code></Error>";
                (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/xml")], xml).into_response()
            }
        }
    };
    serve::respond(&world, &cut, "im.download", work, |code| super::fail(&Refused::new(code))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_such_as_an_address_can_hold() {
        for (given, tidied) in [
            ("a.png", "a.png"),
            ("file:///var/x/報価単.pdf", "___.pdf"),
            ("C:\\x\\y.mp3", "y.mp3"),
            ("..", "file"),
            ("", "file"),
        ] {
            assert_eq!(tidy(given), tidied);
        }
    }

    #[test]
    fn files_go_after_seven_days() {
        let mut files = Files::default();
        let file = || File {
            n: 0,
            name: "a".into(),
            content_type: "image/png".into(),
            bytes: Bytes::from_static(b"x"),
            uploaded_ms: 0,
        };
        files.keep("k".into(), file(), 0);
        assert!(files.find("k", "a", KEPT_MS - 1).is_some());
        assert!(files.find("k", "b", 0).is_none() && files.find("j", "a", 0).is_none());
        assert!(files.find("k", "a", KEPT_MS).is_none());
        files.keep("l".into(), file(), KEPT_MS);
        assert_eq!(files.files.len(), 1);
    }
}
