//! The two servers that the gateway is held against on this machine's own terms.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::routing::post;
use sim::WechatAccountConfig;
use std::sync::Arc;

async fn serve(router: Router) {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await.unwrap();
}

/// Parses a push and answers; what is encrypted has to be opened for that. What no handler on this machine can beat.
pub(crate) async fn ceiling() {
    let shop = WechatAccountConfig::shop();
    let credentials = wechat::Credentials {
        app_id: shop.app_id,
        tokens: vec![shop.token.into()],
        aes_keys: vec![wechat::AesKey::parse(&shop.encoding_aes_key.unwrap()).unwrap()],
        require_encryption: false,
        signature_window: 300,
    };
    serve(Router::new().route("/wechat/{account}", post(parse)).with_state(Arc::new(credentials))).await;
}

async fn parse(
    State(credentials): State<Arc<wechat::Credentials>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> &'static str {
    let query = query.unwrap_or_default();
    let push = match query.contains("encrypt_type") {
        true => wechat::open(&credentials, &query, &body, crate::traffic::now_s()).unwrap().push.unwrap(),
        false => wechat::Push::parse(&body).unwrap(),
    };
    std::hint::black_box(push);
    "success"
}

/// Hands every request on to `UPSTREAM`, and its answer back.
pub(crate) async fn proxy() {
    let upstream = std::env::var("UPSTREAM").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    serve(Router::new().fallback(hand_on).with_state((http, upstream))).await;
}

async fn hand_on(
    State((http, upstream)): State<(reqwest::Client, String)>,
    uri: axum::http::Uri,
    body: Bytes,
) -> Bytes {
    let answer = http.post(format!("{upstream}{uri}")).body(body).send().await.unwrap();
    answer.bytes().await.unwrap()
}
