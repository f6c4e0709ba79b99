//! F35, F37, F38: how an agent's answer reaches the customer, and what counts as having reached her.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{AGENT, Engine, OPENID, Setup};
use serde_json::json;
use sim::{Fault, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn f35_200_without_errcode_0_is_no_success() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let unclear = "无法确认是否送达";
        let fault = |kind| Fault::once("wechat.custom_send", kind);
        let cases = [
            (fault(Kind::Errcode).value(40003), "failed", "unknown_customer", "未送达"),
            (fault(Kind::Errcode).value(87009), "failed", "", "未送达"),
            (fault(Kind::Body).value(""), "unsure", "", unclear),
            (fault(Kind::Body).value("<html>busy</html>"), "unsure", "", unclear),
            (fault(Kind::Body).value("{}"), "unsure", "", unclear),
            (fault(Kind::Body).value("{\"errcode\":\"0\""), "unsure", "", unclear),
            (fault(Kind::Truncated), "unsure", "", unclear),
            (fault(Kind::Status).value(502), "unsure", "", unclear),
        ];
        for (n, (fault, state, reason, words)) in cases.into_iter().enumerate() {
            let openid = customer(n);
            let ghost = world.opened(&openid, &format!("question {n}")).await;
            world.fault(fault).await;
            let answer = format!("answer {n}");
            world.agent_says(&ghost, &answer).await;
            world.notice(&format!("{words}：「{answer}」")).await;
            world.drained().await;
            assert!(world.sends_of(&answer).await <= 1, "{answer} is not repeated");
            let ends = world.database.pairs("SELECT body, state || ' ' || COALESCE(reason, '') FROM delivery WHERE body LIKE 'answer%'").await;
            let (_, end) = ends.into_iter().find(|(body, _)| *body == answer).unwrap();
            assert!(end.starts_with(&format!("{state} {reason}")), "{answer}: {end}");
        }
        assert_eq!(world.notices().await, 8, "each told once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_a_long_answer_goes_out_in_parts_in_order_and_stops_at_the_first_that_fails() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    let long: String = (0..700).map(|n| format!("第{n}句👨‍👩‍👧。")).collect();
    world.agent_says(&ghost, &long[..long.floor_char_boundary(8_000)]).await;
    world.drained().await;
    let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
    let parts = &received[1..];
    assert!(parts.len() == 4 || parts.len() == 5, "{}", parts.len());
    assert!(parts.iter().all(|part| part.len() <= 2_048));
    assert_eq!(parts.concat(), long[..long.floor_char_boundary(8_000)]);

    // A new message of hers allows five more. The second part fails: the third is not sent, the agent is told once.
    let ghost = world.opened(OPENID, "and?").await;
    world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45002).after(1)).await;
    let another = "啊".repeat(2_000);
    world.agent_says(&ghost, &another).await;
    world.notice("未送达").await;
    world.drained().await;
    assert_eq!(
        world
            .calls("wechat.custom_send")
            .await
            .iter()
            .filter(|call| call["text"].as_str().unwrap().starts_with('啊'))
            .count(),
        1
    );
    let left = "SELECT COUNT(*) FROM delivery WHERE state = 'failed' AND reason = 'earlier_part'";
    assert_eq!(world.database.count(left).await, 1);
    assert_eq!(world.notices().await, 2, "one of them: how many replies are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn f38_emoji_links_and_markup_arrive_as_they_were_written() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    for answer in [
        "😀👨‍👩‍👧‍👦 你好 ありがとう",
        "<a href=\"https://shop.example.com/?a=1&b=2\">子供服</a>",
        "\"quoted\" \\u4f60 \\ </xml> ]]> & &amp;\nnext\tline",
    ] {
        world.agent_says(&ghost, answer).await;
        world.customer_sees(answer).await;
    }
    // Several text elements are several texts.
    let text = |text: &str| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}});
    let two = json!({"to": ghost, "body": [text("one of two"), text("  "), text("two of two")]});
    world.control.agent_send(AGENT, two).await.unwrap().unwrap();
    world.customer_sees("two of two").await;
    world.drained().await;
    assert_eq!(world.shown_to_customer("one of two").await, 1);
    assert_eq!(
        world.database.count("SELECT COUNT(*) FROM delivery WHERE state IN ('failed', 'unsure')").await,
        0
    );
}
