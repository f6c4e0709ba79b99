//! A demo and a browser for the page's stories: the browser behind its driver, with what DevTools can do beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A program of ours that ends with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines that a program prints, as they come.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    receive
}

fn wait_for_line(lines: &mpsc::Receiver<String>, what: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut seen = String::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what} was not printed:\n{seen}"));
        if fits(&line) {
            return line;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
}

/// A demo whose story has begun, and whose gateway speaks this language; and the address of its page.
pub(super) fn demo(language: &str) -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["demo", "--page", "127.0.0.1:0", "--language", language])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = lines(&mut child);
    let running = Running(child);
    let address = wait_for_line(&printed, "the page's address", |line| line.trim().starts_with("http://"));
    (running, address.trim().to_owned())
}

/// The browser, if there is one. CI skips nothing.
pub(super) fn browser() -> Option<String> {
    let browser = std::env::var("TSUNAGI_TEST_BROWSER").unwrap_or_else(|_| "/usr/bin/chromium".into());
    let driver = Command::new("chromedriver").arg("--version").output();
    if driver.is_ok() && std::path::Path::new(&browser).exists() {
        return Some(browser);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "chromium and chromedriver are missing, and CI skips nothing"
    );
    eprintln!(
        "SKIPPED: the page in a browser (chromium and chromedriver are not installed; `make test` installs them)"
    );
    None
}

/// How somebody looks at the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) language: &'static str,
    pub(super) width: u32,
    pub(super) dark: bool,
}

pub(super) const DESKTOP: u32 = 1280;
pub(super) const PHONE: u32 = 390;

/// A browser behind its driver (<https://www.w3.org/TR/webdriver2/>), as far as one page needs it.
pub(super) struct Browser {
    _driver: Running,
    profile: tempfile::TempDir,
    session: String,
    http: reqwest::Client,
}

impl Drop for Browser {
    /// A test that failed has not closed it, and it outlives its driver.
    fn drop(&mut self) {
        let profile = format!("user-data-dir={}", self.profile.path().display());
        let _ = Command::new("pkill").args(["-KILL", "-f", &profile]).status();
    }
}

impl Browser {
    pub(super) async fn open(binary: &str) -> Browser {
        // Whoever is first in this process; the other stories' clouds do the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut child = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let printed = lines(&mut child);
        let driver = Running(child);
        let line = wait_for_line(&printed, "the driver's port", |line| line.contains("successfully on port"));
        let port: u16 = line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let http = reqwest::Client::new();
        let base = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"binary": binary, "args": arguments},
                            "goog:loggingPrefs": {"browser": "ALL"}}}});
        let answer: Value = http.post(&base).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id =
            answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser session: {answer}"));
        Browser { _driver: driver, profile, session: format!("{base}/{id}"), http }
    }

    /// Opens the page as somebody with this language, window and taste sees it.
    pub(super) async fn visit(&self, address: &str, look: Look) {
        let Look { language, width, dark } = look;
        let phone = width < 900;
        self.devtools(
            "Emulation.setUserAgentOverride",
            json!({"userAgent": "Mozilla/5.0 Chrome", "acceptLanguage": language}),
        )
        .await;
        let height = if phone { 844 } else { 900 };
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}),
        )
        .await;
        let scheme = if dark { "dark" } else { "light" };
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )
        .await;
        self.post("url", json!({ "url": address })).await;
        self.until(
            "the page is there",
            "return document.querySelectorAll('.hop').length > 0 || !!document.querySelector('.wire-box')",
        )
        .await;
        self.until("its chats are there", "return document.querySelectorAll('.person').length > 1").await;
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Chromium's own protocol, beside WebDriver.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    pub(super) async fn script(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until a script says true.
    pub(super) async fn until(&self, what: &str, script: &str) {
        let begun = Instant::now();
        while self.script(script).await != true {
            if begun.elapsed() > PATIENCE {
                let text = self.script("return document.body.innerText").await;
                panic!("in vain: {what}\n{}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn element(&self, selector: &str) -> String {
        let there = format!(
            "const one = document.querySelector({}); return !!one && !one.disabled && one.checkVisibility()",
            json!(selector)
        );
        self.until(&format!("{selector} is there"), &there).await;
        let found = self.post("element", json!({"using": "css selector", "value": selector})).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks as a person does: what is hidden or covered cannot be clicked.
    pub(super) async fn click(&self, selector: &str) {
        let begun = Instant::now();
        loop {
            // The page may draw it anew between the search and the click.
            let found = self.http.post(format!("{}/element", self.session));
            let found =
                found.json(&json!({"using": "css selector", "value": selector})).send().await.unwrap();
            let found: Value = found.json().await.unwrap();
            let id = found["value"]
                .as_object()
                .and_then(|found| found.values().next()?.as_str().map(str::to_owned));
            let mut answer = found["value"].clone();
            if let Some(id) = id.filter(|_| answer["error"].is_null()) {
                let clicked = self.http.post(format!("{}/element/{id}/click", self.session)).json(&json!({}));
                answer = clicked.send().await.unwrap().json::<Value>().await.unwrap()["value"].clone();
                if answer["error"].is_null() {
                    return;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "{selector} cannot be clicked: {answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Types into a field as a person does.
    pub(super) async fn keys(&self, selector: &str, keys: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/value"), json!({"text": keys})).await;
    }

    /// Waits until a part of the page shows a text.
    pub(super) async fn shows(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        let script = format!(
            "return [...document.querySelectorAll({selector})].some((one) => one.textContent.includes({text}))"
        );
        self.until(&format!("{selector} shows {text}"), &script).await;
    }

    /// Opens the chat whose last message this is, whichever agent has it or gets it yet.
    pub(super) async fn open_chat(&self, last: &str) {
        let script = format!(
            "const last = {}; const chat = [...document.querySelectorAll('.chat')].find((one) => one.querySelector('.chat-last').textContent.includes(last)); \
             if (chat) {{ chat.click(); return true; }} \
             if (!(performance.now() - window.turned < 3000)) {{ window.turned = performance.now(); document.querySelector('.agent-tab[aria-pressed=false]')?.click(); }} \
             return false",
            json!(last)
        );
        self.until(&format!("a chat that ends with {last}"), &script).await;
    }

    /// Keeps a picture of the page, for CI and for the documents.
    pub(super) async fn picture(&self, name: &str) {
        let png = self.http.get(format!("{}/screenshot", self.session)).send().await.unwrap();
        let png: Value = png.json().await.unwrap();
        let bytes = STANDARD.decode(png["value"].as_str().unwrap()).unwrap();
        let folder = std::env::var_os("TSUNAGI_TEST_SCREENSHOTS").map_or_else(
            || std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots"),
            Into::into,
        );
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Nothing went wrong in the page, nor was anything refused by its policy.
    pub(super) async fn is_silent(&self) {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        let bad: Vec<&Value> = log
            .as_array()
            .unwrap()
            .iter()
            .filter(|line| line["level"] == "SEVERE")
            // What was broken on purpose: refused sends, and a chat that does not exist yet.
            .filter(|line| {
                !line["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("the server responded with a status of")
            })
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
    }

    pub(super) async fn close(self) {
        let _ = self.http.delete(&self.session).send().await;
    }
}
