//! Promise 3: inside one conversation and direction messages keep their order, and nobody waits for another.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{OPENID, Setup};
use sim::{Fault, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn f39_messages_keep_their_order_under_retries_and_a_retrying_head_holds_its_own_lane_only() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        world.opened(OPENID, "hello").await;
        let other = world.opened(&customer(1), "hello from another").await;
        for fault in [
            Fault::once("im.sendmsg", Kind::ResetAfter),
            Fault::once("im.sendmsg", Kind::Errcode).value(60007).after(4),
            Fault::once("im.sendmsg", Kind::Errcode).value(20003).after(6),
        ] {
            world.fault(fault).await;
        }
        let texts: Vec<String> = (0..10).map(|n| format!("message {n}")).collect();
        for text in &texts {
            control.say(&app_id, OPENID, text).await.unwrap();
        }
        world.struck("im.sendmsg", 1).await;
        // The head waits for IM's back-end time-out. Another customer is served meanwhile, both ways.
        world.opened(&customer(1), "not delayed").await;
        world.agent_says(&other, "nor is the answer").await;
        world.reaches(&app_id, &customer(1), "nor is the answer").await;
        let waiting = world.chat_with(OPENID).await;
        assert!(waiting.len() <= 2, "all wait behind the head: {waiting:?}");
        world.agent_sees(&texts[9]).await;
        world.drained().await;
        assert_eq!(world.chat_with(OPENID).await[1..], texts);

        // The other direction: the head is refused a token for a while, the rest waits behind it.
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 2).value(-1)).await;
        let answers: Vec<String> = (0..4).map(|n| format!("answer {n}")).collect();
        for text in &answers {
            world.agent_says(OPENID, text).await;
        }
        world.customer_sees(&answers[3]).await;
        let received = control.received(&app_id, OPENID).await.unwrap();
        assert_eq!(received[1..], answers);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_an_answer_has_one_way_out_while_webhooks_are_open() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        world.opened(OPENID, "hello").await;
        // Each push is answered late, so that its passive reply could carry the answer that comes meanwhile.
        world.fault(Fault::times("wechat.push", Kind::Delay, 20).value(50)).await;
        for n in 0..4 {
            let question = format!("question {n}");
            let (_, ()) = futures_util::future::join(
                async { control.say(&app_id, OPENID, &question).await.unwrap() },
                world.agent_says(OPENID, &format!("answer {n}")),
            )
            .await;
        }
        world.customer_sees("answer 3").await;
        world.drained().await;
        let shown = world.lines(|line| line["cloud"] == "wechat" && line["kind"] == "delivered").await;
        for n in 0..4 {
            let answers: Vec<_> = shown.iter().filter(|line| line["text"] == format!("answer {n}")).collect();
            assert_eq!(answers.len(), 1, "{answers:?}");
            assert_eq!(answers[0]["via"], "custom_send");
        }
        let passive: Vec<_> = shown.iter().filter(|line| line["via"] == "passive_reply").collect();
        assert!(passive.iter().all(|line| line["text"] == "正在为您转接"), "{passive:?}");
        assert_eq!(passive.len(), 1, "the words to the message that opened the conversation");
    })
    .await;
}
