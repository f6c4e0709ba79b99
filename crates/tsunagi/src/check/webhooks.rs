//! The way back: what the clouds send to `public_url` must arrive at this gateway, and come back unchanged.
//!
//! Asks as both clouds ask, through the proxy that stands in front. Only a gateway that is running can answer; what it
//! is asked leaves nothing but one line in its inbox.

use super::Surroundings;
use super::board::{Board, Group, Section};
use super::transport::broken;
use crate::config::Account;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use std::time::{Duration, Instant};
use url::Url;

/// WeChat waits so long for an answer, and IM for 2 s.
const LIMIT: Duration = Duration::from_secs(5);
/// What is slower leaves too little for a busy hour.
const SLOW: Duration = Duration::from_secs(1);
/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// A command that nobody else uses.
const COMMAND: &str = "Tsunagi.Check";

/// Looks at the way back. `served`: whether a gateway runs on the database.
pub(super) async fn look(around: &Surroundings, served: bool, board: &Board) {
    let section = board.section(Group::Webhooks, "");
    let Some(url) = around.config.server.public_url.as_ref() else {
        section.warn(
            "public_url",
            "server.public_url is not set, so the way from the clouds to the gateway was not tried",
            "set it to the address that stands in both consoles, such as https://kf.example.com",
        );
        return;
    };
    address(url, &section);
    let hooks = Hooks { around, url, served };
    let accounts = around.config.accounts.iter().map(|account| hooks.wechat(account, board));
    tokio::join!(futures_util::future::join_all(accounts), hooks.im(board));
}

/// What both consoles ask of the address itself.
fn address(url: &Url, section: &Section) {
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if local {
        section.warn(
            "address",
            "server.public_url is an address of this machine alone, which no cloud can reach",
            "fine for a trial against `sim`; otherwise write the public address",
        );
        return;
    }
    if let Some(port) = url.port() {
        section.fault(
            "port",
            format!("server.public_url has port {port}, and WeChat calls only 80 (http) and 443 (https)"),
            "let a proxy listen on 443, and write the address without a port",
        );
    }
    if url.scheme() == "http" {
        section.warn(
            "https",
            "server.public_url is http: whoever is on the way can read webhooks, and forge IM's",
            "serve it over https, with a certificate of a public authority",
        );
    }
}

/// An answer of whoever answers there.
struct Answered {
    status: StatusCode,
    /// Host of a redirect's target.
    location: Option<String>,
    body: Vec<u8>,
    html: bool,
    took: Duration,
}

struct Hooks<'a> {
    around: &'a Surroundings,
    url: &'a Url,
    served: bool,
}

impl Hooks<'_> {
    /// The address with a path and a query after it.
    fn at(&self, path: &str, query: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url.set_query(Some(query));
        url
    }

    /// As the account's console asks when the address is saved there.
    async fn wechat(&self, account: &Account, board: &Board) {
        let section = board.section(Group::Webhooks, &format!("wechat {}", account.id));
        let echo =
            format!("{:010}{:09}", self.around.entropy.u32(), self.around.entropy.u32() % 1_000_000_000);
        let path = format!("/wechat/{}", account.id);
        let ask = |token: &str| {
            let (time, nonce) =
                (self.around.clock.now_s().to_string(), self.around.entropy.u32().to_string());
            let sign = ::wechat::signature(&[token, &time, &nonce]);
            let query = format!("signature={sign}&timestamp={time}&nonce={nonce}&echostr={echo}");
            self.around.http.get(self.at(&path, &query))
        };
        let Some(answer) = self.ask(ask(account.token.expose_secret()), &section).await else { return };
        if answer.status == StatusCode::OK && answer.body == echo.as_bytes() {
            section.ok("verify", format!("the echo comes back after {} ms", answer.took.as_millis()));
            slow(&answer, &section);
            self.forged(ask("forged"), &section, |answer| answer.body == echo.as_bytes()).await;
            return;
        }
        let changed = answer.status == StatusCode::OK && holds(&answer.body, echo.as_bytes());
        if changed && !answer.html {
            section.fault(
                "echo",
                "the echo comes back with something round it, and WeChat wants it exactly",
                "let the proxy pass the gateway's answer unchanged (no JSON wrapper, no quotes, no added newline)",
            );
            return;
        }
        self.wrong(&answer, &section, "token", "the gateway there has another `token` for this account, or its clock is off: compare, and start it again");
    }

    /// As IM sends a webhook.
    async fn im(&self, board: &Board) {
        let section = board.section(Group::Webhooks, "im");
        let im = &self.around.config.im;
        let path = match &im.callback_secret {
            Some(secret) => format!("/imcallback/{}", secret.expose_secret()),
            None => "/imcallback".to_owned(),
        };
        let ask = |token: Option<&str>| {
            let time = self.around.clock.now_s().to_string();
            let mut query = format!(
                "SdkAppid={}&CallbackCommand={COMMAND}&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI",
                im.sdk_app_id
            );
            if let Some(token) = token {
                query.push_str(&format!(
                    "&Sign={}&RequestTime={time}",
                    ::im::callback_signature(token, &time)
                ));
            }
            // The time makes each check's body its own, so that it is no repeat of the one before.
            let body =
                serde_json::json!({ "CallbackCommand": COMMAND, "EventTime": self.around.clock.now() });
            self.around.http.post(self.at(&path, &query)).json(&body)
        };
        let token = im.callback_token.as_ref().map(ExposeSecret::expose_secret);
        let Some(answer) = self.ask(ask(token), &section).await else { return };
        if is_ok(&answer) {
            section.ok("callback", format!("a webhook is taken after {} ms", answer.took.as_millis()));
            slow(&answer, &section);
            if token.is_some() {
                self.forged(ask(Some("forged")), &section, is_ok).await;
            }
            return;
        }
        self.wrong(&answer, &section, "callback_token", "the gateway there has another im.callback_token, im.callback_secret or im.sdk_app_id, or its clock is off: compare, and start it again");
    }

    /// Asks, and says so if nothing comes back.
    async fn ask(&self, request: RequestBuilder, section: &Section) -> Option<Answered> {
        match answered(request).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                let broken = broken(&error);
                let todo = match (broken.name, self.served) {
                    ("refused", false) => {
                        "no gateway is running: start `tsunagi serve`, and the proxy in front of it, then check again"
                    }
                    ("refused", true) => {
                        "the gateway runs, but nothing listens at this address: check the proxy, and server.public_url"
                    }
                    _ => broken.todo,
                };
                section.fault(
                    broken.name,
                    format!("{}: {}", super::reach::host_of(self.url), broken.what),
                    todo,
                );
                None
            }
        }
    }

    /// A forged request must be refused.
    async fn forged(&self, request: RequestBuilder, section: &Section, taken: impl Fn(&Answered) -> bool) {
        match answered(request).await {
            Ok(answer) if taken(&answer) => section.fault(
                "forged",
                "a request with a wrong signature is accepted",
                "whatever answers there does not check signatures: let the proxy send the path to `tsunagi serve`",
            ),
            Ok(answer) if answer.status == StatusCode::FORBIDDEN => {
                section.ok("forged", "a request with a wrong signature is refused");
            }
            Ok(answer) => section.warn(
                "forged",
                format!("a request with a wrong signature is answered with HTTP {}, not 403", answer.status.as_u16()),
                "check what the proxy does with refusals",
            ),
            Err(error) => section.warn(
                "forged",
                format!("a request with a wrong signature was not answered: {}", broken(&error).what),
                "check what the proxy does with refusals",
            ),
        }
    }

    /// Something else than the gateway's answer came back.
    fn wrong(&self, answer: &Answered, section: &Section, refused: &str, refused_todo: &str) {
        let status = answer.status.as_u16();
        let (name, what, todo) = match status {
            301 | 302 | 303 | 307 | 308 => (
                "redirect",
                format!(
                    "HTTP {status}: it redirects to {}, and neither cloud follows",
                    answer.location.as_deref().unwrap_or("another address")
                ),
                "write the final address in server.public_url and in both consoles, or take the redirect away for these paths",
            ),
            403 if !answer.html => {
                (refused, format!("HTTP {status}: the signature is refused"), refused_todo)
            }
            401 | 403 | 407 => (
                "guarded",
                format!("HTTP {status}: something in front of the gateway refuses the request"),
                "let the proxy or firewall (password, WAF, country rule) pass these paths",
            ),
            404 => (
                "not_found",
                "HTTP 404: the path is not known there".to_owned(),
                "let the proxy pass the whole path to the gateway's server.listen, and start the gateway with this configuration",
            ),
            502..=504 => (
                "gateway",
                format!(
                    "HTTP {status}: the proxy does not reach the gateway, or the gateway cannot store anything"
                ),
                "check that `tsunagi serve` runs, that the proxy points to server.listen, and /readyz of the gateway",
            ),
            200 if answer.html => (
                "page",
                "a web page comes back instead of the gateway's answer".to_owned(),
                "let the proxy pass /wechat/ and /imcallback to the gateway's server.listen, not to the web site",
            ),
            _ => (
                "answer",
                format!("HTTP {status}, and not what the gateway answers"),
                "let the proxy pass /wechat/ and /imcallback to the gateway's server.listen, and answers unchanged",
            ),
        };
        section.fault(name, what, todo);
    }
}

fn slow(answer: &Answered, section: &Section) {
    if answer.took > SLOW {
        section.warn(
            "slow",
            format!("the answer took {} ms; WeChat waits 5 s, IM 2 s", answer.took.as_millis()),
            "find out what is slow: the proxy, the way, or the disk of the database",
        );
    }
}

/// The envelope that IM wants.
fn is_ok(answer: &Answered) -> bool {
    let read = serde_json::from_slice::<::im::Answer>(&answer.body);
    answer.status == StatusCode::OK
        && read.is_ok_and(|read| read.error_code == 0 && read.action_status == "OK")
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

async fn answered(request: RequestBuilder) -> Result<Answered, reqwest::Error> {
    let begun = Instant::now();
    let mut response = request.timeout(LIMIT).send().await?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let html = header(reqwest::header::CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
    let location = header(reqwest::header::LOCATION).map(|target| {
        // Without its query, which repeats the signature.
        response.url().join(target).map_or_else(
            |_| "another address".to_owned(),
            |url| format!("{}://{}{}", url.scheme(), super::reach::host_of(&url), url.path()),
        )
    });
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            break;
        }
    }
    let html = html || body.trim_ascii_start().first() == Some(&b'<');
    Ok(Answered { status, location, body, html, took: begun.elapsed() })
}
