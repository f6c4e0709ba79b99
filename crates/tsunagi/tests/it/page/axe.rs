//! axe finds no violation: at both widths, in light and dark, with what opens opened.

use super::browser::{Browser, DESKTOP, Look, PHONE, browser, demo};
use serde_json::Value;

/// <https://github.com/dequelabs/axe-core>, MPL-2.0; for tests alone.
const AXE: &str = include_str!("axe/axe.min.js");

async fn look(browser: &Browser, what: &str) {
    // What moves or fades in is looked at when it has arrived.
    let script = format!(
        "{AXE}; return axe.run(document, {{ resultTypes: ['violations'] }})\
        .then((found) => found.violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200) + ' ' + node.failureSummary)]))"
    );
    let found: Value = browser.script(&script).await;
    assert_eq!(found, serde_json::json!([]), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_no_violation() {
    let Some(binary) = browser() else { return };
    let (_demo, address) = demo("ja");
    let browser = Browser::open(&binary).await;
    for dark in [false, true] {
        for width in [DESKTOP, PHONE] {
            let at = format!("{width} {}", if dark { "dark" } else { "light" });
            browser.visit(&address, Look { language: "ja", width, dark }).await;
            browser.keys("#agent-text", "はい\u{e007}").await;
            browser.until("it reached WeChat", "return document.querySelector('.step.sent') !== null").await;
            look(&browser, &format!("{at}: the desk")).await;
            browser.click(".faults > summary").await;
            look(&browser, &format!("{at}: the faults")).await;
            browser.click("[data-fault=f-lost]").await;
            browser.keys("#agent-text", "また\u{e007}").await;
            browser.until("a notice", "return document.querySelector('.is-notice') !== null").await;
            look(&browser, &format!("{at}: a notice")).await;
            if width == PHONE {
                browser.click(".views [data-view=phone]").await;
                look(&browser, &format!("{at}: the phone")).await;
                browser.click(".views [data-view=wire]").await;
            }
            look(&browser, &format!("{at}: the wire")).await;
            browser.click(".hop[data-name='message/custom/send']").await;
            browser.until("it is told", "return document.querySelector('.opened .sides') !== null").await;
            look(&browser, &format!("{at}: a hop")).await;
            browser.click("#close-hop").await;
        }
    }
    browser.close().await;
}
