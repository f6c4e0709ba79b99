//! F1 to F5, F11, F12: pushes are answered at once, and each counts once.

use super::on_every_engine;
use super::wire::{self, customer};
use crate::support::{AGENT, Engine, OPENID, Setup};
use futures_util::future::join_all;
use serde_json::json;
use sim::{Fault, Format, Kind, Mode};

#[tokio::test(flavor = "multi_thread")]
async fn f01_with_im_down_or_slow_a_push_is_answered_at_once_and_delivered_later() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let (down, slow) = (customer(1), customer(2));
        world.fault(Fault::lasting("im", Kind::Refuse, 1_500)).await;
        let report = world.control.say(&world.app_id(), &down, "IM is down").await.unwrap();
        assert_eq!((report.attempts, report.reply.as_deref()), (1, Some("正在为您转接")));
        assert_eq!(world.shown_to_agent(|_| true).await, 0, "IM is down: nothing can be there yet");
        world.agent_sees("IM is down").await;

        world.fault(Fault::once("im.sendmsg", Kind::Delay).value(2_000)).await;
        world.control.say(&world.app_id(), &slow, "IM is slow").await.unwrap();
        world.agent_sees("IM is slow").await;
        for openid in [&down, &slow] {
            assert!(world.push_times(openid).await.iter().all(|took| *took < 1_000));
        }
        world.drained().await;
        assert_eq!(world.shown_to_agent(|_| true).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_f03_repeats_at_once_later_and_after_a_restart_are_one_message_with_the_same_answer() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).mode(Mode::Secure, Format::Xml).start().await;
        // The first copy is still being handled when the others come.
        world.fault(Fault::once("im.sendmsg", Kind::Delay).value(800)).await;
        let document = wire::text(OPENID, 7001, "repeated");
        let copies = join_all(["1", "2", "3"].map(|nonce| world.push_sealed(&document, nonce))).await;
        assert!(copies.iter().all(|copy| copy.status == 200 && copy.body == copies[0].body));
        assert!(copies[0].text().contains("<Encrypt>"), "{}", copies[0].text());
        world.agent_sees("repeated").await;
        // Not in the middle of a job: another node would wait for the end of the dead one's lease.
        world.drained().await;
        world.kill();
        world.spawn(&[]);
        world.ready().await;
        let late = world.push_sealed(&document, "4").await;
        assert_eq!((late.status, &late.body), (200, &copies[0].body));

        // An agent's message whose webhook comes three times. (The cloud has to know the customer, who so far is only
        // in our requests.)
        world.opened(OPENID, "known to the cloud").await;
        world.fault(Fault::once("im.callback_after", Kind::Duplicate).value(2)).await;
        world.agent_says(OPENID, "answered once").await;
        world.customer_sees("answered once").await;
        world.drained().await;
        assert_eq!(world.stored().await, 3);
        assert_eq!(world.shown_to_agent(|text| text == "repeated").await, 1);
        assert_eq!(world.sends_of("answered once").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_what_wechat_itself_repeats_is_shown_once() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for (n, fault) in [
        Fault::once("wechat.push", Kind::Duplicate).value(2),
        Fault::once("wechat.push", Kind::Overlap).value(3),
        Fault::times("wechat.push", Kind::ResetAfter, 2),
        Fault::once("wechat.push", Kind::DelayAnswer),
    ]
    .into_iter()
    .enumerate()
    {
        world.fault(fault).await;
        let report = world.control.say(&world.app_id(), &customer(n), &format!("case {n}")).await.unwrap();
        assert_eq!(report.reply.as_deref(), Some("正在为您转接"), "the repeat has the answer too");
        world.agent_sees(&format!("case {n}")).await;
    }
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, 4);
    assert_eq!(world.stored().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_f05_f12_what_only_looks_the_same_is_kept_apart() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        let text = |words: &str, id: &str| json!({"MsgType": "text", "Content": words, "MsgId": id});
        // F4: two customers, one MsgId; each gets the wait notice.
        for (n, words) in [(1, "first of two"), (2, "second of two")] {
            let report = control.push(&app_id, &customer(n), text(words, "9001")).await.unwrap();
            assert_eq!(report.reply.as_deref(), Some("正在为您转接"));
            assert_eq!(world.agent_sees(words).await, customer(n));
        }
        // F12: 20 digits, beyond what an f64 tells apart, and beyond what a u64 holds.
        let ids = ["18446744073709551614", "18446744073709551615", "99999999999999999998", "99999999999999999999"];
        for id in ids {
            for _ in 0..2 {
                let mut push = text(id, id);
                push["CreateTime"] = json!(1_735_689_600);
                control.push(&app_id, OPENID, push).await.unwrap();
            }
            world.agent_sees(id).await;
        }
        world.drained().await;
        assert_eq!(world.shown_to_agent(|shown| ids.contains(&shown)).await, ids.len(), "each once");
        let key = "SELECT COUNT(*) FROM message WHERE source_key = '18446744073709551614'";
        assert_eq!(world.database.count(key).await, 1, "kept to the last digit");

        // F5: events of one second.
        let before = world.stored().await;
        let event = |name: &str, key: &str| {
            json!({"MsgType": "event", "Event": name, "EventKey": key, "CreateTime": 1_735_689_600})
        };
        let events =
            [("CLICK", "a"), ("CLICK", "b"), ("VIEW", "a"), ("LOCATION", ""), ("TEMPLATESENDJOBFINISH", "")];
        for openid in [customer(1), customer(2)] {
            for (name, key) in events.iter().chain(&events) {
                let report = control.push(&app_id, &openid, event(name, key)).await.unwrap();
                assert_eq!((report.outcome.as_str(), report.attempts), ("ack", 1), "{name} {key}");
            }
        }
        assert_eq!(world.stored().await - before, 10, "five of each customer, each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_a_createtime_in_ms_missing_or_not_a_number_loses_nothing() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let (control, app_id) = (&world.control, world.app_id());
    let times = [json!(1_735_689_600_123_i64), json!(null), json!("yesterday"), json!(""), json!(-1)];
    for (n, time) in times.into_iter().enumerate() {
        let words = format!("time {n}");
        let push = json!({"MsgType": "text", "Content": words, "MsgId": null, "CreateTime": time});
        for _ in 0..2 {
            let report = control.push(&app_id, OPENID, push.clone()).await.unwrap();
            assert_eq!(report.attempts, 1);
        }
        world.agent_sees(&words).await;
    }
    // The same moment in seconds and in milliseconds, an event without any.
    for time in [json!(1_735_689_600), json!(1_735_689_600_000_i64), json!(null), json!(null)] {
        let push = json!({"MsgType": "event", "Event": "CLICK", "EventKey": "k", "CreateTime": time});
        assert_eq!(control.push(&app_id, OPENID, push).await.unwrap().outcome, "ack");
    }
    world.drained().await;
    let chat = world.control.chat(AGENT, OPENID).await.unwrap();
    assert_eq!(chat.iter().filter(|message| message.text.starts_with("time")).count(), 5, "each once");
    assert_eq!(world.stored().await, 7);
}
