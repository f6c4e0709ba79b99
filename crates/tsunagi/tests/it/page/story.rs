//! The story, in each language, at a desk's width and at a phone's.

use super::browser::{Browser, DESKTOP, Look, PHONE, browser, demo};

const ENTER: &str = "\u{e007}";

struct Words {
    language: &'static str,
    /// Of the customer whose phone is open first.
    question: &'static str,
    answer: &'static str,
    more: &'static str,
    again: &'static str,
    title: &'static str,
}

async fn play(words: Words) {
    let Some(binary) = browser() else { return };
    let (_demo, address) = demo(words.language);
    let browser = Browser::open(&binary).await;
    for width in [DESKTOP, PHONE] {
        browser.visit(&address, Look { language: words.language, width, dark: false }).await;
        let wide = width == DESKTOP;
        let see = async |view: &str| {
            if !wide {
                browser.click(&format!(".views [data-view={view}]")).await;
            }
        };
        let shot = async |name: &str| {
            let at = if wide { "desktop" } else { "phone" };
            browser.picture(&format!("{}-{at}-{name}", words.language)).await;
        };
        assert_eq!(browser.script("return document.title").await, words.title);
        if wide {
            // It opens half-played, and the first thing to do is to answer.
            browser.shows("#transcript", words.question).await;
            browser.shows(".chat .count, .agent-tab .count", "1").await;
            browser.open_chat(words.question).await;
        } else {
            // Somebody else, from the first word on.
            see("phone").await;
            browser.click(".another").await;
            browser.click("#follow").await;
            browser.keys("#customer-text", &format!("{}{ENTER}", words.question)).await;
            browser.shows("#transcript", words.question).await;
            shot("1-asked").await;
            see("desk").await;
            browser.open_chat(words.question).await;
        }
        browser.shows("#chat-lines", words.question).await;
        shot("2-question").await;
        browser.keys("#agent-text", &format!("{}{ENTER}", words.answer)).await;
        browser.until("it reached WeChat", "return document.querySelector('.step.sent') !== null").await;
        shot("3-answered").await;
        see("phone").await;
        browser.shows("#transcript", words.answer).await;

        // The wire tells of it, and of each hop what was really sent.
        see("wire").await;
        browser.shows(".hop.done", "custom/send").await;
        shot("4-wire").await;
        browser.click(".hop[data-name='message/custom/send']").await;
        browser.shows(".opened", words.answer).await;
        browser.shows(".opened", "access_token=").await;
        let told = browser.script("return document.querySelector('.opened').textContent").await;
        let shown = told.as_str().unwrap().split("access_token=").nth(1).unwrap();
        assert_eq!(shown.chars().nth(4), Some('…'), "the token is masked: {shown}");
        shot("5-hop").await;
        browser.click("#close-hop").await;

        // More words, a picture, a place, a tap on the menu.
        see("phone").await;
        browser.keys("#customer-text", &format!("{}{ENTER}", words.more)).await;
        for extra in ["picture", "location", "voice"] {
            browser.click(".phone .extras > summary").await;
            browser.click(&format!(".phone [data-extra={extra}]")).await;
        }
        browser.click(".account-menu button:nth-child(2)").await;
        browser.until("the phone shows them", "return ['.is-image .picture', '.is-location', '.is-voice'].every((kind) => document.querySelector('#transcript ' + kind))").await;
        browser
            .until(
                "the picture is loaded",
                "return document.querySelector('#transcript .picture').naturalWidth > 0",
            )
            .await;
        shot("6-more").await;
        see("desk").await;
        browser.shows("#chat-lines", words.more).await;

        // She leaves, and comes back as somebody new in IM.
        see("phone").await;
        browser.click("#follow").await;
        browser.until("she has left", "return document.querySelector('#customer-text') === null").await;
        see("desk").await;
        browser.until("her chat is closed", "return document.querySelector('.gone') !== null && document.querySelector('#agent-text').disabled").await;
        shot("7-left").await;
        // Nobody follows twice in one second; events of the same second are one event (F5).
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        see("phone").await;
        browser.click("#follow").await;
        browser.keys("#customer-text", &format!("{}{ENTER}", words.again)).await;
        see("desk").await;
        browser.open_chat(words.again).await;
        let wider = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "the page is wider than the window by {wider}");
        browser.is_silent().await;
    }
    // Another language, chosen on the page.
    let other = if words.language == "en" { "ja" } else { "en" };
    browser.visit(&address, Look { language: words.language, width: DESKTOP, dark: true }).await;
    browser.picture(&format!("{}-desktop-dark", words.language)).await;
    browser.click(&format!("#language option[value={other}]")).await;
    browser
        .until("it speaks the other language", &format!("return document.documentElement.lang === '{other}'"))
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_played_in_japanese() {
    play(Words {
        language: "ja",
        question: "子供服の新商品の販売開始はいつになりますか？",
        answer: "5月になりますので、フォローをよろしくお願いいたします！",
        more: "青いのもありますか？",
        again: "また来ました。Lサイズはありますか？",
        title: "Tsunagi · デモ",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_played_in_chinese() {
    play(Words {
        language: "zh",
        question: "请问这件连衣裙还有 S 码吗？",
        answer: "有的，今天下单明天发货。",
        more: "有蓝色的吗？",
        again: "我又来了，有 L 码吗？",
        title: "Tsunagi · 演示",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_played_in_english() {
    play(Words {
        language: "en",
        question: "Hello! Can I change the address of my order?",
        answer: "Of course. Where shall we send it?",
        more: "To my office, please.",
        again: "I am back. Is it on its way?",
        title: "Tsunagi · demo",
    })
    .await;
}
