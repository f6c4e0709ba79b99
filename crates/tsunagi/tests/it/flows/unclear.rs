//! F34 and its counterpart towards IM: calls of which nobody knows how they ended.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{Setup, World};
use sim::{Fault, Kind};

/// The state of the delivery with this text.
async fn state(world: &World, text: &str) -> String {
    let all = world.database.pairs("SELECT body, state FROM delivery").await;
    all.into_iter().find(|(body, _)| body == text).map(|(_, state)| state).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_a_send_without_an_end_is_unsure_never_repeated_and_told() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let cases = [
            (Fault::once("wechat.custom_send", Kind::Hang), "hangs", 0),
            (Fault::once("wechat.custom_send", Kind::Delay).value(9_000), "late", 1),
            (Fault::once("wechat.custom_send", Kind::ResetAfter), "reset after", 1),
            (Fault::once("wechat.custom_send", Kind::ResetBefore), "reset before", 0),
        ];
        let mut ghosts = Vec::new();
        for (n, (fault, text, _)) in cases.iter().enumerate() {
            let ghost = world.opened(&customer(n), &format!("question {n}")).await;
            world.fault(fault.clone()).await;
            world.agent_says(&ghost, text).await;
            world.struck("wechat.custom_send", n + 1).await;
            ghosts.push(ghost);
        }
        for ((_, text, arrived), ghost) in cases.iter().zip(&ghosts) {
            let told = world.notice(&format!("无法确认是否送达：「{text}」")).await;
            assert_eq!(&told, ghost, "in the chat with that customer");
            assert_eq!(state(&world, text).await, "unsure");
            let sent = world.sends_of(text).await;
            assert!(sent <= *arrived, "{text} went out {sent} times");
        }
        // The conversation goes on.
        world.agent_says(&ghosts[2], "sorry, again").await;
        world.reaches(&world.app_id(), &customer(2), "sorry, again").await;
        world
            .line("the late one arrives", |line| {
                line["cloud"] == "wechat" && line["kind"] == "delivered" && line["text"] == "late"
            })
            .await;
        world.drained().await;
        for (_, text, arrived) in &cases {
            assert_eq!(world.sends_of(text).await, *arrived, "{text}");
        }
        assert_eq!(world.notices().await, 4);
        // A refused connection is provably not sent: it waits and goes out once.
        world.fault(Fault::lasting("wechat", Kind::Refuse, 700)).await;
        world.agent_says(&ghosts[3], "not lost").await;
        world.reaches(&world.app_id(), &customer(3), "not lost").await;
        world.drained().await;
        assert_eq!(state(&world, "not lost").await, "sent");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f53_an_ambiguous_sendmsg_is_looked_up_and_delivered_exactly_once() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let sendmsg = |kind| Fault::once("im.sendmsg", kind);
        let cases = [
            // Carried out, after our patience was over.
            (sendmsg(Kind::Delay).value(9_000), 1),
            (sendmsg(Kind::ResetAfter), 1),
            (sendmsg(Kind::Truncated), 1),
            (sendmsg(Kind::Status).value(502).done(true), 1),
            (sendmsg(Kind::Errcode).value(91000).done(true), 1),
            // Not carried out: absent in history, sent once more.
            (sendmsg(Kind::ResetBefore), 1),
            (sendmsg(Kind::Body).value("<html>"), 1),
            (sendmsg(Kind::Errcode).value(60007), 1),
        ];
        for (n, (fault, _)) in cases.iter().enumerate() {
            world.fault(fault.clone()).await;
            world.control.say(&world.app_id(), &customer(n), &format!("case {n}")).await.unwrap();
            world.struck("im.sendmsg", n + 1).await;
        }
        // The history does not tell either, at first.
        world.fault(Fault::once("im.history", Kind::Status).value(500)).await;
        for n in 0..cases.len() {
            world.agent_sees(&format!("case {n}")).await;
        }
        world.drained().await;
        let calls = world.calls("im.sendmsg").await;
        for (n, (_, carried_out)) in cases.iter().enumerate() {
            let text = format!("case {n}");
            assert_eq!(world.shown_to_agent(|shown| shown == text).await, 1, "{text}");
            assert_eq!(
                calls.iter().filter(|call| call["text"] == text.as_str()).count(),
                *carried_out,
                "{text}"
            );
            assert_eq!(state(&world, &text).await, "sent");
        }
        assert!(world.calls("im.history").await.len() >= 7, "looked up before it was repeated");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f53_a_repeat_carries_the_same_numbers_and_another_message_others() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.opened(&customer(1), "first").await;
        // Carried out, but IM's history denies it: the only way to see both calls.
        world.fault(Fault::once("im.sendmsg", Kind::ResetAfter)).await;
        let nothing = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"Complete":1,"MsgCnt":0,"LastMsgTime":0,"LastMsgKey":"","MsgList":[]}"#;
        world.fault(Fault::once("im.history", Kind::Body).value(nothing)).await;
        world.control.say(&world.app_id(), &customer(1), "second").await.unwrap();
        world.line("the repeat", |line| line["kind"] == "call" && line["text"] == "second" && line["error_code"] == 0 && line["n"].as_u64() > Some(0)).await;
        world.drained().await;
        let calls = world.calls("im.sendmsg").await;
        let numbers = |text: &str| -> Vec<_> {
            let of = calls.iter().filter(|call| call["text"] == text);
            of.map(|call| (call["seq"].as_u64().unwrap(), call["random"].as_u64().unwrap())).collect()
        };
        let (first, second) = (numbers("first"), numbers("second"));
        assert_eq!((first.len(), second.len()), (1, 2));
        assert_eq!(second[0], second[1], "the same at each try");
        assert!(first[0].0 < second[0].0 && first[0].1 != second[0].1);
    })
    .await;
}
