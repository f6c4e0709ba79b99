//! Input methods: while a person composes, Enter is theirs. Done with DevTools' events, which the browser treats as those
//! of a real input method.

use super::browser::{Browser, DESKTOP, Look, browser, demo};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_half_typed_message_leaves() {
    let Some(binary) = browser() else { return };
    let (_demo, address) = demo("ja");
    let browser = Browser::open(&binary).await;
    let cases = [
        ("ja", "#customer-text", "#transcript", "こんいちh", "こんにちは"),
        ("ja", "#agent-text", "#chat-lines", "しょうしょうおま", "少々お待ちください"),
        ("zh", "#customer-text", "#transcript", "you'mei'you", "有没有蓝色的"),
        ("zh", "#agent-text", "#chat-lines", "shao'deng", "请稍等"),
    ];
    for (language, field, chat, half, whole) in cases {
        browser.visit(&address, Look { language, width: DESKTOP, dark: false }).await;
        browser.until("the field is there", &format!("return !!document.querySelector('{field}') && !document.querySelector('{field}').disabled")).await;
        browser.click(field).await;
        let compose = |text: &str| {
            let at = text.chars().count();
            let parameters = json!({"text": text, "selectionStart": at, "selectionEnd": at});
            browser.devtools("Input.imeSetComposition", parameters)
        };
        compose(half).await;
        let seen = "window.heard = []; for (const name of ['keydown', 'submit']) addEventListener(name, (event) => heard.push(name + (event.isComposing ?? '')), true); return 1";
        browser.script(seen).await;
        enter(&browser).await;
        compose(whole).await;
        enter(&browser).await;
        let heard = browser.script("return heard").await;
        assert_eq!(
            heard,
            json!(["keydowntrue", "keydowntrue"]),
            "the browser says that this Enter is the input method's"
        );
        let inside = format!("return document.querySelector('{field}').value");
        assert_eq!(browser.script(&inside).await, whole);
        // The input method gives its text; only now Enter means "send".
        browser.devtools("Input.insertText", json!({ "text": whole })).await;
        assert_eq!(browser.script(&inside).await, whole);
        enter(&browser).await;
        browser.shows(chat, whole).await;
        assert_eq!(browser.script(&inside).await, "");
        let half_is_there =
            format!("return document.querySelector('{chat}').textContent.includes(\"{half}\")");
        assert_eq!(browser.script(&half_is_there).await, false, "{half} left");
        browser.is_silent().await;
    }
    browser.close().await;
}

async fn enter(browser: &Browser) {
    for kind in ["rawKeyDown", "keyUp"] {
        browser
            .devtools(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}),
            )
            .await;
    }
}
