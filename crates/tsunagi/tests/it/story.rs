//! The story of the first issue, in each mode of encryption and on each engine.

use crate::support::{AGENT, OPENID, Setup, World, engines};
use sim::{Format, Mode};

const QUESTION: &str = "子供服の新商品の販売開始はいつになりますか？";
const ANSWER: &str = "5月になりますので、フォローをよろしくお願いいたします！";

async fn play(world: &mut World) {
    let (control, app_id) = (world.control.clone(), world.app_id());
    assert!(control.verify(&app_id).await.unwrap(), "the console's verification holds");

    let follow = control.follow(&app_id, OPENID).await.unwrap();
    assert_eq!(follow.reply.as_deref(), Some("欢迎关注"));
    let asked = control.say(&app_id, OPENID, QUESTION).await.unwrap();
    assert_eq!(asked.reply.as_deref(), Some("正在为您转接"), "the first message opens a conversation");
    let ghost = world.agent_sees(QUESTION).await;
    assert_eq!(ghost, OPENID, "the first ghost has the openid itself");
    let more = control.say(&app_id, OPENID, "サイズも知りたいです").await.unwrap();
    assert_eq!(more.reply, None, "the wait notice comes once per conversation");
    world.agent_sees("サイズも知りたいです").await;

    control.agent_say(AGENT, &ghost, ANSWER).await.unwrap().unwrap();
    world.customer_sees(ANSWER).await;

    control.unfollow(&app_id, OPENID).await.unwrap();
    control.wait_for(crate::support::PATIENCE, |line| line["api"] == "im.account_delete").await.unwrap();
    world.drained().await;
    // Nobody follows twice in one second; events of the same second are one event (F5).
    control.advance_clock(1000).await.unwrap();
    control.follow(&app_id, OPENID).await.unwrap();
    let again = control.say(&app_id, OPENID, "また来ました").await.unwrap();
    assert_eq!(again.reply.as_deref(), Some("正在为您转接"), "a new conversation");
    let ghost = world.agent_sees("また来ました").await;
    assert_eq!(ghost, format!("{OPENID}-2"), "a deleted UserID is not used again");
    control.agent_say(AGENT, &ghost, "いらっしゃいませ").await.unwrap().unwrap();
    world.customer_sees("いらっしゃいませ").await;

    world.drained().await;
    for text in [QUESTION, "サイズも知りたいです", "また来ました"] {
        assert_eq!(world.shown_to_agent(|shown| shown == text).await, 1, "{text}");
    }
    for text in [ANSWER, "いらっしゃいませ"] {
        assert_eq!(world.shown_to_customer(text).await, 1, "{text}");
    }
    let unfinished = world.database.count("SELECT COUNT(*) FROM delivery WHERE state <> 'sent'").await;
    assert_eq!(unfinished, 0);
    let stopped = world.stop().unwrap();
    assert!(stopped.success(), "SIGTERM ends it gracefully: {stopped}\n{}", world.log());
}

async fn in_mode(mode: Mode, format: Format) {
    for engine in engines() {
        let mut world = Setup::new(engine).mode(mode, format).start().await;
        play(&mut world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_plain_mode() {
    in_mode(Mode::Plain, Format::Xml).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_compatible_mode() {
    in_mode(Mode::Compatible, Format::Xml).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_in_secure_mode() {
    in_mode(Mode::Secure, Format::Xml).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_the_story_with_json_in_secure_mode() {
    in_mode(Mode::Secure, Format::Json).await;
}
