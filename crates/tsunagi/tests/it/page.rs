//! `tsunagi demo` as its first visitor sees it: the story in the terminal, then the page in a real browser.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program of ours that ends with the test.
struct Running(Child);

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

fn demo() -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["demo", "--page", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = lines(&mut child);
    let running = Running(child);
    wait_for_line(&printed, "the end of the story", |line| line.contains("every message arrived once"));
    let address = wait_for_line(&printed, "the page's address", |line| line.trim().starts_with("http://"));
    (running, address.trim().to_owned())
}

/// A browser behind its driver (<https://www.w3.org/TR/webdriver2/>), as far as one page needs it.
struct Browser {
    _driver: Running,
    _profile: tempfile::TempDir,
    session: String,
    http: reqwest::Client,
}

impl Browser {
    async fn open(binary: &str) -> Browser {
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
            "--lang=ja",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let http = reqwest::Client::new();
        let base = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"binary": binary, "args": arguments}}}});
        let answer: Value = http.post(&base).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id =
            answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser session: {answer}"));
        Browser { _driver: driver, _profile: profile, session: format!("{base}/{id}"), http }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    async fn script(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    async fn element(&self, id: &str) -> String {
        let found = self.post("element", json!({"using": "css selector", "value": format!("#{id}")})).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Types into a field as a person does.
    async fn keys(&self, id: &str, keys: &str) {
        let element = self.element(id).await;
        self.post(&format!("element/{element}/value"), json!({"text": keys})).await;
    }

    async fn shows(&self, id: &str, text: &str) {
        let begun = Instant::now();
        let script = format!("return document.getElementById('{id}').innerText");
        loop {
            let shown = self.script(&script).await;
            if shown.as_str().unwrap_or_default().contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "#{id} does not show {text:?} but {shown}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn close(self) {
        let _ = self.http.delete(&self.session).send().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_plays_the_story_and_its_page_can_be_used() {
    // Whoever is first in this process; the other stories' clouds do the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_demo, address) = demo();
    let page = reqwest::get(&address).await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");

    let browser = std::env::var("TSUNAGI_TEST_BROWSER").unwrap_or_else(|_| "/usr/bin/chromium".into());
    let driver = Command::new("chromedriver").arg("--version").output();
    if driver.is_err() || !std::path::Path::new(&browser).exists() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "chromium and chromedriver are missing, and CI skips nothing"
        );
        eprintln!(
            "SKIPPED: the page in a browser (chromium and chromedriver are not installed; `make test` installs them)"
        );
        return;
    }
    let browser = Browser::open(&browser).await;
    browser.post("url", json!({ "url": address })).await;
    // The story is there.
    browser.shows("transcript", "5月になりますので").await;
    browser.shows("chat-lines", "また来ました").await;
    // Write as the customer, with Enter; answer as the agent, with Enter.
    browser.keys("customer-text", "青いのもありますか？\u{e007}").await;
    browser.shows("chat-lines", "青いのもありますか？").await;
    browser.keys("agent-text", "はい、三色あります。\u{e007}").await;
    browser.shows("transcript", "はい、三色あります。").await;
    let wide = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
    assert!(wide.as_i64().unwrap() <= 0, "the page is wider than the window by {wide}");
    if let Some(folder) = std::env::var_os("TSUNAGI_TEST_SCREENSHOTS") {
        let png = browser.http.get(format!("{}/screenshot", browser.session)).send().await.unwrap();
        let png: Value = png.json().await.unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join("page.base64"), png["value"].as_str().unwrap())
            .unwrap();
    }
    browser.close().await;
}
