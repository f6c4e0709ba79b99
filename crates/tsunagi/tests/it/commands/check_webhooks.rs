//! `tsunagi check` with something wrong between the clouds and the gateway: the proxy, the certificate, the token.

use super::run::Ran;
use crate::support::{Engine, Setup, World, free_port};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use tokio::net::TcpListener;

/// Whoever answers in the gateway's place.
async fn in_its_place(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> String {
    let router = Router::new().fallback(move || {
        let answer = answer.clone();
        async move { answer }
    });
    behind(router).await
}

async fn behind(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn world() -> World {
    Setup::new(Engine::Sqlite).mode(sim::Mode::Secure, sim::Format::Xml).start().await
}

impl World {
    /// Checks with another address as the public one.
    async fn check_at(&self, address: &str) -> Ran {
        let own = format!("public_url = \"{}\"", self.webhooks);
        self.check(&own, &format!("public_url = \"{address}\"")).await
    }
}

/// Both ways back have this fault, and there is no other.
#[track_caller]
fn both(ran: &Ran, name: &str, what: &str, todo: &str) {
    let faults = ran.found("fault");
    assert_eq!(faults.len(), 2, "{}", ran.said());
    for [group, found, words, remedy] in faults {
        assert_eq!((group.as_str(), found.as_str()), ("webhooks", name), "{}", ran.said());
        assert!(words.contains(what) && remedy.contains(todo), "{}", ran.said());
    }
    assert_eq!(ran.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_answers_in_the_gateways_place_is_named() {
    let mut world = world().await;
    let moved =
        (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "https://www.example.com/wechat/shop?x=1")]);
    let ran = world.check_at(&in_its_place(moved).await).await;
    both(&ran, "redirect", "redirects to https://www.example.com/wechat/shop", "final address");
    assert!(!ran.stdout.contains("x=1") && !ran.stdout.contains("signature="), "{}", ran.said());
    let ran = world.check_at(&in_its_place(Html("<html>Welcome</html>")).await).await;
    both(&ran, "page", "a web page", "not to the web site");
    let ran =
        world.check_at(&in_its_place((StatusCode::BAD_GATEWAY, Html("<html>nginx</html>"))).await).await;
    both(&ran, "gateway", "HTTP 502", "server.listen");
    let ran = world.check_at(&in_its_place(StatusCode::NOT_FOUND).await).await;
    both(&ran, "not_found", "HTTP 404", "the whole path");
    let ran = world.check_at(&in_its_place((StatusCode::UNAUTHORIZED, "password?")).await).await;
    both(&ran, "guarded", "HTTP 401", "let the proxy or firewall");
    let ran = world.check_at(&in_its_place("success").await).await;
    both(&ran, "answer", "not what the gateway answers", "answers unchanged");

    let nobody = format!("http://127.0.0.1:{}", free_port());
    let ran = world.check_at(&nobody).await;
    both(&ran, "refused", "nothing listens there", "the gateway runs, but");
    world.stop();
    let ran = world.check("", "").await;
    both(&ran, "refused", "nothing listens there", "start `tsunagi serve`");
    let ran = world.check_at("http://no-such-host.invalid").await;
    both(&ran, "dns", "cannot be resolved", "DNS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_that_is_changed_or_not_checked_is_named() {
    use axum::extract::Query;
    use axum::routing::{get, post};
    use std::collections::HashMap;
    let world = world().await;
    let im = || post(|| async { im::Answer::ok().to_json() });
    let echo = |quotes: &'static str| {
        get(move |Query(query): Query<HashMap<String, String>>| async move {
            format!("{quotes}{}{quotes}", query["echostr"])
        })
    };
    let quoting = Router::new().route("/wechat/shop", echo("\"")).route("/imcallback", im());
    let faults = world.check_at(&behind(quoting).await).await.found("fault");
    let names: Vec<&str> = faults.iter().map(|fault| fault[1].as_str()).collect();
    // It takes any signature, too.
    assert!(names.contains(&"echo") && names.contains(&"forged") && names.len() == 2, "{names:?}");
    let open = Router::new().route("/wechat/shop", echo("")).route("/imcallback", im());
    let ran = world.check_at(&behind(open).await).await;
    both(&ran, "forged", "a wrong signature is accepted", "does not check signatures");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_than_the_gateways_is_named() {
    let world = world().await;
    let ran = world.check("token = \"ShopToken01\"", "token = \"OtherToken\"").await;
    ran.names("webhooks", "token", "the signature is refused", "another `token`");
    let ran = world.check("callback_token = \"ShopCallbackToken\"", "callback_token = \"Other\"").await;
    ran.names("webhooks", "callback_token", "the signature is refused", "another im.callback_token");
    let ran = world.check("id = \"shop\"", "id = \"boutique\"").await;
    ran.names("webhooks", "not_found", "HTTP 404", "start the gateway with this configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_clouds_cannot_call_is_named() {
    let world = world().await;
    let port = world.webhooks.rsplit(':').next().unwrap().to_owned();
    let ran = world.check_at(&format!("http://0.0.0.0:{port}")).await;
    ran.names("webhooks", "port", &format!("has port {port}"), "443");
    assert!(ran.found("warning").iter().any(|found| found[1] == "https"), "{}", ran.said());
    let ran = world.check_at(&format!("https://127.0.0.1:{port}")).await;
    both(&ran, "tls", "does not speak TLS", "https is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_named() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let world = world().await;
    let certificate = CertificateDer::from_pem_slice(include_bytes!("self_signed.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("self_signed.key")).unwrap();
    let ring = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(acceptor.accept(connection));
        }
    });
    let ran = world.check_at(&address).await;
    both(&ran, "certificate", "the certificate is not trusted", "fullchain.pem");
}
