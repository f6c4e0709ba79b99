//! Every kind of message, both ways, as a person would see it; the replies that are left; the account that may only reply.

use super::browser::{Browser, DESKTOP, Look, browser, demo};
use serde_json::{Value, json};
use sim::WechatAccountConfig;

const ENTER: &str = "\u{e007}";
/// Whose phone it is.
const CUSTOMER: &str = "oXiaoli_demo_customer_000002";
/// A script's test that a sound or a film can be played.
const PLAYS: &str = "(one) => { if (!one) return false; if (one.preload !== 'auto') { one.preload = 'auto'; one.load(); } return one.duration > 0; }";

struct Page {
    browser: Browser,
    _demo: super::browser::Running,
}

impl Page {
    async fn open() -> Option<Page> {
        let binary = browser()?;
        let (demo, address) = demo("zh");
        let browser = Browser::open(&binary).await;
        browser.visit(&address, Look { language: "zh", width: DESKTOP, dark: false }).await;
        browser.open_chat("S 码").await;
        browser.shows("#chat-lines", "S 码").await;
        Some(Page { browser, _demo: demo })
    }

    /// Sends a kind from one side and waits until the other side, its last line, shows it.
    async fn sends(&self, side: &str, kind: &str, shown: &str) {
        let (from, lines) = match side {
            "in" => (".phone", "#chat-lines"),
            _ => (".desk", "#transcript"),
        };
        self.browser.click(&format!("{from} .extras > summary")).await;
        self.browser.click(&format!("{from} [data-extra={kind}]")).await;
        self.seen(side, kind, lines, shown).await;
    }

    /// What this page's clients do not offer, as another client would send it.
    async fn sends_elsewhere(&self, side: &str, kind: &str, message: Value, shown: &str) {
        let (path, lines) = match side {
            "in" => (
                format!("/sim/wechat/{}/customers/{CUSTOMER}/send", WechatAccountConfig::shop().app_id),
                "#chat-lines",
            ),
            _ => ("/sim/im/agents/user2/send".to_owned(), "#transcript"),
        };
        let post = "{method: 'POST', headers: {'content-type': 'application/json'}";
        let script = format!(
            "return fetch('{path}', {post}, body: JSON.stringify({message})}}).then((answer) => answer.status)"
        );
        assert_eq!(self.browser.script(&script).await, 200, "{kind}");
        self.seen(side, kind, lines, shown).await;
    }

    async fn seen(&self, side: &str, kind: &str, lines: &str, shown: &str) {
        let script = format!(
            "const plays = {PLAYS}; const theirs = [...document.querySelectorAll('{lines} .said.theirs:not(.is-notice)')].at(-1); return Boolean(theirs && ({shown}));"
        );
        self.browser.until(&format!("{side}: a {kind}"), &script).await;
        let at_end = format!("document.querySelector('{lines}').scrollTop = 1e6; return 1");
        self.browser.script(&at_end).await;
        self.browser.picture(&format!("kind-{side}-{kind}")).await;
    }

    async fn asks(&self, text: &str) {
        self.browser.keys("#customer-text", &format!("{text}{ENTER}")).await;
        self.browser.shows("#chat-lines", text).await;
    }

    async fn answers(&self, text: &str) {
        self.browser.keys("#agent-text", &format!("{text}{ENTER}")).await;
        self.browser.shows("#chat-lines", text).await;
    }

    /// What stands beside the open chat.
    async fn replies(&self, how: &str, words: &str) {
        self.browser.shows(&format!(".chat[aria-current] .replies.{how}"), words).await;
        self.browser.shows(&format!(".thread-head .replies.{how}"), "").await;
    }

    async fn chooses(&self, menu: &str, item: &str) {
        self.browser.click(&format!(".{menu} > summary")).await;
        self.browser.click(&format!("[data-{menu}={item}]")).await;
        self.browser.until("it is done", &format!("return !document.querySelector('.{menu}').open")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_message_is_seen_on_the_other_side() {
    let Some(page) = Page::open().await else { return };
    let picture = "(theirs.querySelector('.picture')?.naturalWidth ?? 0) > 100";
    let words = |words: &str| format!("theirs.textContent.includes('{words}')");
    page.sends("in", "picture", picture).await;
    page.sends("in", "voice", "plays(theirs.querySelector('audio'))").await;
    page.sends(
        "in",
        "video",
        "plays(theirs.querySelector('video')) && theirs.querySelector('video').poster !== ''",
    )
    .await;
    let short = json!({"type": "shortvideo"});
    page.sends_elsewhere("in", "shortvideo", short, "theirs.querySelector('video')?.poster !== ''").await;
    page.sends(
        "in",
        "location",
        "theirs.classList.contains('is-location') && theirs.textContent.includes('31.2304')",
    )
    .await;
    page.sends("in", "link", &words("商品页")).await;
    page.sends("in", "file", &words("发票.pdf")).await;
    page.sends("in", "sticker", &words("微信无法转发的消息")).await;
    page.replies("open", " · 47").await;

    page.sends("out", "picture", picture).await;
    page.sends("out", "voice", "plays(theirs.querySelector('audio'))").await;
    page.sends("out", "video", "plays(theirs.querySelector('video'))").await;
    page.sends("out", "location", &words("上海市黄浦区人民大道")).await;
    page.asks("还有呢？").await;
    page.sends("out", "file", &words("sizes.txt")).await;
    page.sends("out", "sticker", &words("[smile]")).await;
    let custom = r#"{"businessID":"text_link","text":"本周新品","link":"https://shop.example.com/new"}"#;
    let custom = json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": custom, "Desc": ""}});
    let custom = json!({"to": CUSTOMER, "body": [custom]});
    page.sends_elsewhere("out", "custom", custom, &words("本周新品")).await;
    let text = |text: &str| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}});
    let face = json!({"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "[TUIEmoji_Like]"}});
    let several = json!({"to": CUSTOMER, "body": [text("第一段"), face, text("第三段")]});
    page.asks("谢谢").await;
    let in_order = "theirs.textContent.includes('第三段') && [...document.querySelectorAll('#transcript .said.theirs')].slice(-3).map((one) => one.querySelector('.words').textContent).join() === '第一段,👍,第三段'";
    page.sends_elsewhere("out", "several", several, in_order).await;
    page.browser.is_silent().await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_shuts_beside_its_chat() {
    let Some(page) = Page::open().await else { return };
    // Three a minute for the follow, five for the question.
    page.replies("open", "8 · 47").await;
    page.chooses("clock", "plus-hour").await;
    page.replies("open", "5 · 46").await;
    for n in 1..=2 {
        page.answers(&format!("有的 {n}")).await;
    }
    page.replies("open", "3 · 46").await;
    page.browser.picture("window-1-open").await;
    for n in 3..=4 {
        page.answers(&format!("有的 {n}")).await;
    }
    page.replies("few", "1 · 46").await;
    page.browser.picture("window-2-few").await;
    page.chooses("clock", "plus-48").await;
    page.replies("shut", "0").await;
    page.browser.picture("window-3-shut").await;
    page.browser.is_silent().await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_account_answers_with_the_next_message() {
    let Some(page) = Page::open().await else { return };
    page.chooses("kind", "kd-personal").await;
    page.browser.shows(".kind > summary", "个人账号").await;
    page.answers("有的，今天下单明天发货。").await;
    page.browser.shows("#chat-lines .is-notice", "已留存").await;
    page.browser.picture("personal-1-kept").await;
    page.browser.keys("#customer-text", &format!("还在吗？{ENTER}")).await;
    page.browser.shows("#transcript", "有的，今天下单明天发货。").await;
    page.browser
        .until("the answer has arrived", "return document.querySelector('#chat-lines .step.sent') !== null")
        .await;
    page.replies("reply", "↩").await;
    page.browser.picture("personal-2-carried").await;

    // Verified again: a day later the gateway finds out.
    page.chooses("kind", "kd-certified").await;
    page.browser.shows(".kind > summary", "已认证账号").await;
    page.chooses("clock", "plus-day").await;
    page.asks("请问可以退货吗？").await;
    page.answers("可以，七天之内。").await;
    page.browser.shows("#transcript", "可以，七天之内。").await;
    page.browser.picture("personal-3-certified").await;
    page.browser.is_silent().await;
    page.browser.close().await;
}
