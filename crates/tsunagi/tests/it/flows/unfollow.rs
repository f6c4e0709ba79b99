//! F60 and "Unfollow" in the design: answers under way, `on_unsubscribe = "keep"`.

use super::on_every_engine;
use super::wire::{after_body, customer};
use crate::support::{AGENT, Engine, OPENID, Setup};
use sim::{Fault, Kind};

const WAIT: &str = "正在为您转接";

#[tokio::test(flavor = "multi_thread")]
async fn f60_with_keep_the_ghost_stays_the_agent_is_told_and_the_chat_goes_on() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).account("on_unsubscribe = \"keep\"").start().await;
        let (control, app_id) = (&world.control, world.app_id());
        let ghost = world.opened(OPENID, "hello").await;
        control.unfollow(&app_id, OPENID).await.unwrap();
        assert_eq!(world.notice("客户已取消关注，现在无法再向其发送消息。").await, ghost);
        world.agent_says(&ghost, "wait!").await;
        world.notice("未送达：「wait!」。客户已取消关注").await;
        world.drained().await;
        assert_eq!(world.calls("im.account_delete").await.len(), 0);
        assert_eq!(world.calls("wechat.custom_send").await.len(), 0, "known without asking WeChat");
        let open = "SELECT COUNT(*) FROM conversation WHERE closed_at IS NULL";
        assert_eq!(world.database.count(open).await, 0);

        control.follow(&app_id, OPENID).await.unwrap();
        let report = control.say(&app_id, OPENID, "I am back").await.unwrap();
        assert_eq!(report.reply.as_deref(), Some(WAIT), "a new conversation");
        assert_eq!(world.agent_sees("I am back").await, ghost, "the same chat");
        world.agent_says(&ghost, "welcome back").await;
        world.customer_sees("welcome back").await;
        assert_eq!(world.database.count(open).await, 1);
        assert_eq!(world.notices().await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_wait_when_the_customer_leaves_fail_with_that_reason() {
    tokio::join!(
        on_every_engine(|engine| leave_while_answers_wait(engine, true)),
        on_every_engine(|engine| leave_while_answers_wait(engine, false)),
    );
}

async fn leave_while_answers_wait(engine: Engine, keep: bool) {
    let policy = if keep { "keep" } else { "delete" };
    let world = Setup::new(engine).account(&format!("on_unsubscribe = \"{policy}\"")).start().await;
    let (control, app_id) = (&world.control, world.app_id());
    let ghost = world.opened(OPENID, "hello").await;
    world.agent_says(&ghost, "one moment").await;
    world.customer_sees("one moment").await;
    world.fault(Fault::lasting("wechat", Kind::Refuse, 3_000)).await;
    for text in ["queued 1", "queued 2"] {
        world.agent_says(&ghost, text).await;
    }
    control.unfollow(&app_id, OPENID).await.unwrap();
    if keep {
        world.notice("未送达：「queued 2」。客户已取消关注").await;
    } else {
        // A webhook that was under way when the ghost was deleted.
        world.line("deleted", |line| line["api"] == "im.account_delete").await;
        let late = after_body(AGENT, &ghost, "queued 3", 99);
        assert_eq!(world.callback("C2C.CallbackAfterSendMsg", late).await.status, 200);
    }
    world.drained().await;
    let ends = "SELECT COALESCE(reason, ''), state FROM delivery WHERE body LIKE 'queued%'";
    let ends = world.database.pairs(ends).await;
    assert_eq!(ends.len(), if keep { 2 } else { 3 });
    assert!(ends.iter().all(|(reason, state)| reason == "unsubscribed" && state == "failed"), "{ends:?}");
    // Back again: what failed stays failed, what is new arrives.
    control.follow(&app_id, OPENID).await.unwrap();
    let ghost = world.opened(OPENID, "back").await;
    assert_eq!(ghost == OPENID, keep);
    world.agent_says(&ghost, "hello again").await;
    world.customer_sees("hello again").await;
    assert_eq!(world.calls("wechat.custom_send").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfollow_of_somebody_unknown_or_twice_does_no_harm() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        assert_eq!(control.unfollow(&app_id, &customer(7)).await.unwrap().outcome, "ack");
        world.opened(OPENID, "hello").await;
        for _ in 0..2 {
            assert_eq!(control.unfollow(&app_id, OPENID).await.unwrap().attempts, 1);
            tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        }
        // She writes without having followed again, as far as we know.
        let report = control.say(&app_id, OPENID, "still here").await.unwrap();
        assert_eq!(report.reply.as_deref(), Some(WAIT));
        let ghost = world.agent_sees("still here").await;
        assert_eq!(ghost, format!("{OPENID}-2"));
        world.agent_says(&ghost, "so you are").await;
        world.customer_sees("so you are").await;
        world.drained().await;
        assert_eq!(world.calls("im.account_delete").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f50_a_deletion_that_a_refused_signature_stops_is_made_later() {
    let world = Setup::new(Engine::Sqlite).start().await;
    world.opened(OPENID, "hello").await;
    // Each try is repeated once with a fresh signature.
    world.fault(Fault::times("im.account_delete", Kind::Errcode, 4).value(70001)).await;
    world.control.unfollow(&world.app_id(), OPENID).await.unwrap();
    world.drained().await;
    let deleted = world.calls("im.account_delete").await;
    assert_eq!(deleted.iter().filter(|call| call["error_code"] == 0).count(), 1, "{deleted:?}");
}
