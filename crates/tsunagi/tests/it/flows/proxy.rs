//! Behind a proxy with TLS: nginx with `ops/nginx.conf`, of which names, ports and paths alone are others here.
//! `check` finds no fault, both clouds' webhooks come through unchanged, and nothing else does.

use super::wire::{self, callback_query, envelope, now_s};
use crate::support::{AGENT, Engine, OPENID, Setup, World, free_port};
use serde_json::Value;
use sim::{Format, Mode};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CERTIFICATE: &str = include_str!("../commands/self_signed.pem");
const KEY: &str = include_str!("../commands/self_signed.key");

/// nginx as a process of its own.
struct Proxy {
    nginx: Child,
    plain: String,
    https: String,
    log: std::path::PathBuf,
}

/// Says loudly what is skipped; with `CI=true` nothing may be.
fn nginx() -> Option<&'static str> {
    let found = ["nginx", "/usr/sbin/nginx", "/opt/homebrew/bin/nginx"].into_iter().find(|name| {
        let asked = Command::new(name).arg("-v").stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    });
    let skips = std::env::var("CI").as_deref() != Ok("true");
    assert!(found.is_some() || skips, "there is no nginx, and CI skips nothing; hint: scripts/tools");
    if found.is_none() {
        eprintln!("SKIPPED: the gateway behind nginx (there is no nginx here)");
    }
    found
}

impl Proxy {
    async fn start(program: &str, world: &World) -> Proxy {
        let folder = world.folder.path();
        let (plain, https) = (free_port(), free_port());
        let there = |name: &str| folder.join(name).display().to_string();
        std::fs::write(there("cert.pem"), CERTIFICATE).unwrap();
        std::fs::write(there("key.pem"), KEY).unwrap();
        let site =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops/nginx.conf"))
                .unwrap();
        let site = [
            ("127.0.0.1:8080", world.webhooks.trim_start_matches("http://").to_owned()),
            ("listen 80;", format!("listen 127.0.0.1:{plain};")),
            ("listen 443 ssl;", format!("listen 127.0.0.1:{https} ssl;")),
            ("kf.example.com;", "localhost;".to_owned()),
            ("/etc/letsencrypt/live/kf.example.com/fullchain.pem", there("cert.pem")),
            ("/etc/letsencrypt/live/kf.example.com/privkey.pem", there("key.pem")),
            ("/var/log/nginx/tsunagi.log", there("access.log")),
            ("/var/log/nginx/tsunagi.error.log", there("site.error.log")),
        ]
        .into_iter()
        .fold(site, |site, (old, new)| {
            assert!(site.contains(old), "ops/nginx.conf has no {old} any more");
            site.replace(old, &new)
        });
        std::fs::write(there("site.conf"), site).unwrap();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", there(&format!("nginx-{kind}"))))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {};\nevents {{}}\nhttp {{\n{paths}include {};\n}}\n",
            there("nginx.pid"),
            there("site.conf")
        );
        std::fs::write(there("nginx.conf"), whole).unwrap();
        let nginx = Command::new(program)
            .args(["-c", &there("nginx.conf"), "-e", &there("error.log")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Proxy {
            nginx,
            plain: format!("http://localhost:{plain}"),
            https: format!("https://localhost:{https}"),
            log: folder.join("access.log"),
        };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", https)).await.is_err() {
            let said = std::fs::read_to_string(there("error.log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(10), "nginx does not listen: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

/// `tsunagi check` with this public address, trusting the certificate; its findings, one object each.
fn check(world: &World, public_url: &str) -> Vec<Value> {
    let address = format!("[server]\npublic_url = \"{public_url}\"\n");
    let text = std::fs::read_to_string(&world.config).unwrap().replacen("[server]\n", &address, 1);
    std::fs::write(world.folder.path().join("checked.toml"), text).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["check", "--json", "--config", "checked.toml"])
        .current_dir(world.folder.path())
        .env("SSL_CERT_FILE", world.folder.path().join("cert.pem"))
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_f25_behind_nginx_both_clouds_get_through_and_nobody_else() {
    let Some(program) = nginx() else { return };
    let mut world = Setup::new(Engine::Sqlite)
        .mode(Mode::Secure, Format::Xml)
        .env("TSUNAGI__SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .start()
        .await;
    let proxy = Proxy::start(program, &world).await;

    let found = check(&world, &proxy.https);
    let about = |level: &str| -> Vec<&str> {
        found.iter().filter(|one| one["level"] == level).filter_map(|one| one["name"].as_str()).collect()
    };
    assert_eq!(about("fault"), [""; 0], "{found:?}");
    for way in ["verify", "callback", "forged"] {
        let ok = |one: &Value| one["group"] == "webhooks" && one["name"] == way && one["level"] == "ok";
        assert!(found.iter().any(ok), "{way}: {found:?}");
    }

    // Both directions over TLS.
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([reqwest::Certificate::from_pem(CERTIFICATE.as_bytes()).unwrap()])
        .build()
        .unwrap();
    let post = async |path: String, body: Vec<u8>| {
        let answer = http.post(format!("{}{path}", proxy.https)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let document = wire::text(&wire::customer(1), 1, "through the proxy?");
    let (query, body) = envelope(&wire::encrypted(&document, None), "", "7");
    let (status, reply) = post(format!("/wechat/shop?{query}"), body.clone().into()).await;
    assert!(status == 200 && reply.contains("<Encrypt>"), "the wait notice, sealed: {reply}");
    let again = post(format!("/wechat/shop/?{query}"), body.into()).await;
    assert_eq!(again, (200, reply), "a repeat, with a slash at the end, gets the same bytes");
    world.agent_sees("through the proxy?").await;
    // WeChat has to know of the message that is answered.
    let ghost = world.opened(OPENID, "and back?").await;
    let query = callback_query("C2C.CallbackAfterSendMsg", now_s(), 0);
    let answer = wire::after_body(AGENT, &ghost, "through the proxy!", 7);
    let (status, reply) = post(format!("/imcallback?{query}"), answer.into()).await;
    assert!(status == 200 && reply.contains(r#""ErrorCode":0"#), "{reply}");
    world.customer_sees("through the proxy!").await;

    // And nothing else.
    for path in ["/", "/metrics", "/healthz", "/readyz", "/wechatter", "/imcallbacks", "/wechat/../metrics"] {
        let answer = http.get(format!("{}{path}", proxy.https)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let (status, _) = post("/wechat/shop?signature=0&timestamp=1&nonce=1".to_owned(), b"<xml/>".into()).await;
    assert_eq!(status, 403);
    let query = wire::signed(now_s(), "8");
    assert_eq!(post(format!("/wechat/shop?{query}"), vec![b'x'; 2 << 20]).await.0, 413);
    let plain = http.get(format!("{}/wechat/shop?{query}", proxy.plain)).send().await.unwrap();
    assert_eq!(plain.status(), 301, "plain http is sent to https");

    // With nobody behind it: an answer that makes both clouds try again, or say so.
    world.stop();
    let query = format!("{}&openid={OPENID}", wire::signed(now_s(), "9"));
    assert_eq!(post(format!("/wechat/shop?{query}"), b"<xml/>".into()).await.0, 502);

    let log = std::fs::read_to_string(&proxy.log).unwrap();
    assert!(log.contains("\"POST /wechat/shop\" 200") && log.contains("\"POST /imcallback\" 200"), "{log}");
    let all = ["access.log", "error.log", "site.error.log"]
        .map(|name| std::fs::read_to_string(world.folder.path().join(name)).unwrap_or_default())
        .concat();
    for secret in ["ignature", "Sign=", "nonce", OPENID] {
        assert!(!all.contains(secret), "the proxy's logs have {secret}");
    }
}
