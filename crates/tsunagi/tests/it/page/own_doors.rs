//! Nothing of the demo reaches past the gateway's own doors: the page speaks to the clouds alone, its phone and its desk by
//! what a client could do, and the demo knows of its gateway's process only what anybody can ask.

use super::browser::{Browser, DESKTOP, Look, browser, demo};
use std::path::Path;

/// What the page may ask, by who asks.
const CLIENTS: [&str; 16] = [
    // A customer's WeChat.
    r"^/sim/phones$",
    r"^/sim/wechat/[^/]+/customers/[^/]+/(transcript|say|send|follow|unfollow|event)(\?after=\d+)?$",
    r"^/sim/wechat/[^/]+/customers/[^/]+/files/[^/]+$",
    // An agent's IM client.
    r"^/sim/im/agents$",
    r"^/sim/im/agents/[^/]+/(conversations|send|read|login|logout|upload\?name=[^&]+)$",
    r"^/sim/im/agents/[^/]+/messages\?peer=[^&]+&after=\d+$",
    // Whoever watches the wire.
    r"^/sim/wire(/\d+|\?after=\d+&wait_ms=\d+)$",
    // The operator of the clouds, of the machine.
    r"^/sim/(config|faults|faults/clear|clock|gateway/kill|gateway/start)$",
    r"^/sim/wechat/[^/]+/(config|revoke_tokens)$",
    // The page itself.
    r"^/$",
    r"^/[a-z]+\.(js|css|svg)$",
    r"^/vendor/htm-preact\.js$",
    r"^/samples/(voice\.mp3|film\.mp4)$",
    // Pictures and voices, at the clouds' own addresses.
    r"^/mmbiz_[a-z]+/[^/]+/0$",
    r"^/cos/[^/]+/[^/]+$",
    // And at the gateway's door for files, with its signature.
    r"^/media/[0-9a-f]{32}/[A-Za-z0-9_-]{32,}/[^/]+$",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_page_asks_only_what_clients_and_operators_could() {
    let Some(binary) = browser() else { return };
    let (_demo, address) = demo("ja");
    let browser = Browser::open(&binary).await;
    browser.visit(&address, Look { language: "ja", width: DESKTOP, dark: false }).await;
    browser.script("performance.setResourceTimingBufferSize(10000); return 1").await;
    browser.keys("#agent-text", "はい\u{e007}").await;
    browser.until("it reached WeChat", "return document.querySelector('.step.sent') !== null").await;
    browser.click(".phone .extras > summary").await;
    browser.click(".phone [data-extra=picture]").await;
    browser
        .until(
            "the picture is loaded",
            "return (document.querySelector('#transcript .picture')?.naturalWidth ?? 0) > 0",
        )
        .await;
    browser.click(".desk .extras > summary").await;
    browser.click(".desk [data-extra=picture]").await;
    browser
        .until(
            "the desk's, too",
            "return (document.querySelector('#chat-lines .picture')?.naturalWidth ?? 0) > 0",
        )
        .await;
    for fault in ["f-im", "f-slow", "f-lost", "f-token", "f-quota", "f-mend", "f-kill"] {
        browser.click(".faults > summary").await;
        browser.click(&format!("[data-fault={fault}]")).await;
    }
    let rules = serde_json::json!(CLIENTS);
    let strange = browser
        .script(&format!(
            "const rules = {rules}.map((rule) => new RegExp(rule)); const asked = performance.getEntriesByType('resource').map((one) => new URL(one.name)); \
             if (asked.length < 20) return ['too few requests: ' + asked.length]; \
             return asked.filter((url) => url.hostname !== '127.0.0.1' || !rules.some((rule) => rule.test(url.pathname + url.search)) \
                 || (url.origin !== location.origin && !/^[/](mmbiz_|cos|media[/])/.test(url.pathname))).map(String)"
        ))
        .await;
    assert_eq!(strange, serde_json::json!([]));
    browser.close().await;
}

#[test]
fn the_demo_has_no_key_to_the_gateways_rooms() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo");
    let mut read = 0;
    for file in std::fs::read_dir(demo).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        // The store, the flows and the running gateway are behind these names.
        for room in ["store::", "bridge::", "Store", "Bridge", "Gateway::", "sqlx", "wiring"] {
            assert!(!code.contains(room), "{} reaches into the gateway by {room}", file.display());
        }
        read += 1;
    }
    assert!(read >= 4, "the demo is somewhere else now");
}
