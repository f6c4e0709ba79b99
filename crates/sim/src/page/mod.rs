//! The demo page: a phone, a desk, and the wire between them. Plain files, nothing from outside, no build step.
//!
//! `page.js` puts the page together; start reading there. `vendor/` holds Preact with htm, one file, with its licences.
//! The page speaks to the control endpoints alone, and of those its phone and its desk use only what the real clouds'
//! own clients could do (`clouds.js`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use url::Url;

use crate::world::World;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type and bytes of everything that the page loads.
const FILES: [(&str, &str, &[u8]); 16] = [
    ("/", "text/html; charset=utf-8", include_bytes!("page.html")),
    ("/page.css", "text/css; charset=utf-8", include_bytes!("page.css")),
    ("/icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("/page.js", SCRIPT, include_bytes!("page.js")),
    ("/clouds.js", SCRIPT, include_bytes!("clouds.js")),
    ("/desk.js", SCRIPT, include_bytes!("desk.js")),
    ("/messages.js", SCRIPT, include_bytes!("messages.js")),
    ("/model.js", SCRIPT, include_bytes!("model.js")),
    ("/parts.js", SCRIPT, include_bytes!("parts.js")),
    ("/phone.js", SCRIPT, include_bytes!("phone.js")),
    ("/replies.js", SCRIPT, include_bytes!("replies.js")),
    ("/wire.js", SCRIPT, include_bytes!("wire.js")),
    ("/words.js", SCRIPT, include_bytes!("words.js")),
    ("/vendor/htm-preact.js", SCRIPT, include_bytes!("vendor/htm-preact.js")),
    ("/samples/film.mp4", "video/mp4", include_bytes!("samples/film.mp4")),
    ("/samples/voice.mp3", "audio/mpeg", include_bytes!("samples/voice.mp3")),
];

pub(crate) fn router(world: Arc<World>) -> Router {
    let router = FILES.iter().fold(Router::new(), |router, (path, ..)| router.route(path, get(file)));
    router.with_state(world)
}

async fn file(State(world): State<Arc<World>>, uri: Uri) -> Response {
    let (_, content_type, bytes) = FILES.iter().find(|(path, ..)| *path == uri.path()).unwrap_or(&FILES[0]);
    let headers: [(HeaderName, String); 5] = [
        (header::CONTENT_TYPE, (*content_type).to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy(&world)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, *bytes).into_response()
}

/// Scripts, styles and calls: this listener alone. Pictures, voices and videos may also be those of the two clouds and of
/// the gateway, where a real client would get them; a film that is chosen from a file is looked at before it is sent.
fn policy(world: &World) -> String {
    let gateway = world.im().config.callback_url.as_deref().and_then(origin);
    let clouds = [origin(&world.wechat().base_url), origin(world.im().base_url()), gateway];
    let files = clouds.into_iter().flatten().collect::<Vec<_>>().join(" ");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' {files}; \
         media-src 'self' blob: {files}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn origin(url: &str) -> Option<String> {
    Url::parse(url).ok().map(|url| url.origin().ascii_serialization())
}
