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
