//! Every fault of the page's menu, made by clicking, and what is seen of it on the wire and in the chats.

use super::browser::{Browser, DESKTOP, Look, PHONE, browser, demo};

const ENTER: &str = "\u{e007}";

struct Page {
    browser: Browser,
}

impl Page {
    async fn fault(&self, name: &str) {
        self.browser.click(".faults > summary").await;
        self.browser.click(&format!("[data-fault={name}]")).await;
        self.browser.until("it is made", "return !document.querySelector('.faults').open").await;
    }

    async fn later(&self, name: &str) {
        self.browser.click(".clock > summary").await;
        self.browser.click(&format!("[data-clock={name}]")).await;
        self.browser.shows(".hop.mark", "clock moved").await;
    }

    async fn asks(&self, text: &str) {
        self.browser.keys("#customer-text", &format!("{text}{ENTER}")).await;
        self.browser.shows("#transcript", text).await;
    }

    async fn answers(&self, text: &str) {
        self.browser.keys("#agent-text", &format!("{text}{ENTER}")).await;
        self.browser.shows("#chat-lines", text).await;
    }

    /// The state that stands under an answer.
    async fn step(&self, text: &str, step: &str) {
        let script = format!(
            "return [...document.querySelectorAll('#chat-lines .said.mine')].some((one) => one.textContent.includes('{text}') && one.querySelector('.step.{step}'))"
        );
        self.browser.until(&format!("{text} is {step}"), &script).await;
    }

    async fn on_the_wire(&self, outcome: &str, name: &str, told: &str) {
        let script = format!(
            "return [...document.querySelectorAll('.hop.{outcome}[data-name=\"{name}\"]')].some((one) => one.textContent.includes('{told}'))"
        );
        self.browser.until(&format!("{name} {outcome}: {told}"), &script).await;
    }
}

async fn page() -> Option<(Page, super::browser::Running)> {
    let binary = browser()?;
    let (demo, address) = demo("en");
    let browser = Browser::open(&binary).await;
    browser.visit(&address, Look { language: "en", width: DESKTOP, dark: false }).await;
    browser.open_chat("Can I change the address").await;
    browser.shows("#chat-lines", "Can I change the address").await;
    Some((Page { browser }, demo))
}

#[tokio::test(flavor = "multi_thread")]
async fn im_is_down_and_comes_back() {
    let Some((page, _demo)) = page().await else { return };
    page.fault("f-im").await;
    page.asks("Is anybody there?").await;
    page.on_the_wire("refused", "openim/sendmsg", "502").await;
    page.answers("Not yet").await;
    page.step("Not yet", "failed").await;
    page.browser.picture("fault-im-down").await;
    page.fault("f-mend").await;
    page.browser.shows("#chat-lines .theirs", "Is anybody there?").await;
    page.browser.click(".again").await;
    page.step("Not yet", "sent").await;
    page.browser.shows("#transcript", "Not yet").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_slow_and_an_answer_waits_on_the_wire() {
    let Some((page, _demo)) = page().await else { return };
    page.fault("f-slow").await;
    page.answers("One moment").await;
    page.browser.until("a hop is under way", "return document.querySelector('.hop.open') !== null").await;
    page.step("One moment", "sent").await;
    page.on_the_wire("done", "message/custom/send", "4.").await;
    page.browser.picture("fault-wechat-slow").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unclear_and_said_to_be() {
    let Some((page, _demo)) = page().await else { return };
    page.fault("f-lost").await;
    page.answers("It is on its way").await;
    page.step("It is on its way", "unsure").await;
    page.browser.shows("#transcript", "It is on its way").await;
    page.browser.shows("#chat-lines .is-notice", "It is not known whether").await;
    page.on_the_wire("lost", "message/custom/send", "connection cut").await;
    page.browser.picture("fault-answer-lost").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_replaced() {
    let Some((page, _demo)) = page().await else { return };
    page.answers("First").await;
    page.step("First", "sent").await;
    page.fault("f-token").await;
    page.answers("Second").await;
    page.on_the_wire("refused", "message/custom/send", "40001").await;
    page.step("Second", "sent").await;
    page.browser.shows("#transcript", "Second").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_quota_holds_answers_and_the_agent_is_told() {
    let Some((page, _demo)) = page().await else { return };
    page.fault("f-quota").await;
    page.answers("Held back").await;
    page.on_the_wire("refused", "message/custom/send", "45009").await;
    page.step("Held back", "refused").await;
    page.browser.picture("fault-quota").await;
    page.fault("f-mend").await;
    // A new day has a new quota: what was held goes first.
    page.later("plus-day").await;
    page.step("Held back", "sent").await;
    page.browser.shows("#transcript", "Held back").await;
    page.answers("Good morning").await;
    page.step("Good morning", "sent").await;
    page.browser.shows("#transcript", "Good morning").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_goes_on_where_it_was() {
    let Some((page, _demo)) = page().await else { return };
    page.fault("f-kill").await;
    page.browser.until("it is dead", "return document.querySelector('.health.gw-down') !== null").await;
    page.asks("Written to a dead gateway").await;
    page.on_the_wire("lost", "push text", "nobody listens").await;
    page.browser.picture("fault-gateway-killed").await;
    page.fault("f-start").await;
    page.browser.until("it runs", "return document.querySelector('.health.gw-up') !== null").await;
    // WeChat offers the message again, and this time somebody listens.
    page.browser.shows("#chat-lines .theirs", "Written to a dead gateway").await;
    page.answers("And answered by a new one").await;
    page.step("And answered by a new one", "sent").await;
    page.browser.picture("fault-gateway-back").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_48_hours_the_reply_window_is_shut() {
    let Some((page, _demo)) = page().await else { return };
    page.later("plus-48").await;
    page.answers("Too late").await;
    page.on_the_wire("refused", "message/custom/send", "45015").await;
    page.step("Too late", "refused").await;
    page.browser.shows("#chat-lines .is-notice", "reply window is closed").await;
    page.browser.picture("clock-48-hours").await;
    page.asks("I am back").await;
    page.browser.shows("#chat-lines .theirs", "I am back").await;
    page.answers("Welcome").await;
    page.step("Welcome", "sent").await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_from_the_agent_is_uploaded_to_im_first() {
    let Some((page, _demo)) = page().await else { return };
    page.browser.click(".desk .extras > summary").await;
    page.browser.click(".desk [data-extra=picture]").await;
    page.browser.until("the desk shows it", "const one = document.querySelector('#chat-lines .is-image .picture'); return !!one && one.naturalWidth > 0").await;
    page.on_the_wire("done", "upload", "").await;
    page.browser.click(".desk .extras > summary").await;
    page.browser.click(".desk [data-extra=voice]").await;
    page.browser
        .until("and the voice", "return document.querySelector('#chat-lines .is-voice audio') !== null")
        .await;
    page.browser.is_silent().await;
    page.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_can_be_made_on_a_phone_and_with_the_keyboard_alone() {
    let Some(binary) = browser() else { return };
    let (_demo, address) = demo("en");
    let browser = Browser::open(&binary).await;
    browser.visit(&address, Look { language: "en", width: PHONE, dark: true }).await;
    browser.click(".faults > summary").await;
    browser.picture("phone-faults-dark").await;
    browser.click("[data-fault=f-token]").await;
    browser.click(".views [data-view=wire]").await;

    // On the wire: arrows choose a hop, Enter opens it, Escape closes it.
    let there = "return document.querySelectorAll('.wire-box [id^=hop-]').length > 2";
    browser.until("there are hops", there).await;
    browser.script("document.querySelector('.wire-box').focus(); return 1").await;
    browser.post("actions", keys(&["\u{e013}", "\u{e013}", "\u{e007}"])).await;
    browser.until("a hop is open", "return document.querySelector('.opened').open").await;
    browser
        .until(
            "it is told",
            "return document.querySelector('.opened .sides, .opened .opened-outcome') !== null",
        )
        .await;
    browser.picture("phone-hop-dark").await;
    browser.post("actions", keys(&["\u{e00c}"])).await;
    browser.until("it is closed", "return !document.querySelector('.opened').open").await;
    let focused = browser.script("return document.activeElement.className").await;
    assert_eq!(focused, "wire-box", "and the focus is back where it was");

    // Everything that can be clicked can be reached by Tab.
    browser.visit(&address, Look { language: "en", width: DESKTOP, dark: false }).await;
    let reached = "window.reached = new Set(); document.addEventListener('focusin', (event) => reached.add(event.target)); document.body.focus(); return 1";
    browser.script(reached).await;
    for _ in 0..60 {
        browser.post("actions", keys(&["\u{e004}"])).await;
    }
    let missed = browser
        .script(
            "return [...document.querySelectorAll('button, select, textarea, summary, input, a, .wire-box, .lines')]\
             .filter((one) => one.checkVisibility() && !one.disabled && !reached.has(one) && !one.closest('details:not([open]) .sheet')).map((one) => one.outerHTML.slice(0, 120))",
        )
        .await;
    assert_eq!(missed, serde_json::json!([]), "not reached by Tab");
    browser.close().await;
}

fn keys(keys: &[&str]) -> serde_json::Value {
    let actions: Vec<serde_json::Value> = keys
        .iter()
        .flat_map(|key| {
            [
                serde_json::json!({"type": "keyDown", "value": key}),
                serde_json::json!({"type": "keyUp", "value": key}),
            ]
        })
        .collect();
    serde_json::json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})
}
