//! F30, F31, F33, F36: what WeChat refuses is told to the agent in words, with what to do.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{Engine, OPENID, Setup};
use sim::{Fault, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn f30_f31_f36_what_can_never_be_delivered_is_told_in_words_and_not_tried_again() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let (control, app_id) = (&world.control, world.app_id());
    // F31: five answers to one message; the sixth is too many, and one more message opens five again.
    let ghost = world.opened(OPENID, "question").await;
    for n in 1..=6 {
        world.agent_says(&ghost, &format!("answer {n}")).await;
    }
    world.notice("未送达：「answer 6」。本次可回复的条数已用完，请等客户再次发来消息后回复。").await;
    world.opened(OPENID, "another question").await;
    world.agent_says(&ghost, "answer 7").await;
    world.customer_sees("answer 7").await;

    // F30: she left, and the webhook that would have said so was lost.
    let gone = customer(1);
    let ghost = world.opened(&gone, "bye").await;
    world.fault(Fault::times("wechat.push", Kind::ResetBefore, 3)).await;
    control.unfollow(&app_id, &gone).await.unwrap();
    world.agent_says(&ghost, "are you there?").await;
    assert_eq!(world.notice("48小时回复期限已过").await, ghost);

    // A customer who does not follow, by another of WeChat's codes; one who blocks; a kind of message that the account may
    // not send, which rests no other; content that is refused.
    for (n, (code, words)) in [
        (43004, "客户已取消关注"),
        (48002, "客户已关闭接收"),
        (50002, "客户的微信账号受到限制"),
        (48008, "公众号没有发送此类消息的权限"),
        (87014, "未送达"),
    ]
    .into_iter()
    .enumerate()
    {
        let ghost = world.opened(&customer(n + 2), &format!("case {code}")).await;
        world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(code)).await;
        world.agent_says(&ghost, &format!("to {code}")).await;
        let told = world.notice(&format!("「to {code}」")).await;
        assert_eq!(told, ghost);
        assert!(world.chat_with(&ghost).await.last().unwrap().contains(words), "{code}");
    }
    world.drained().await;
    assert_eq!(world.notices().await, 9, "and two that said how many replies are left");
    assert_eq!(world.sends_of("answer 6").await, 1, "no retry");
    assert_eq!(world.database.count("SELECT COUNT(*) FROM delivery WHERE state = 'failed'").await, 7);
    let sent = world.lines(|line| line["kind"] == "fault" && line["api"] == "wechat.custom_send").await;
    assert_eq!(sent.len(), 5, "each was asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_busy_wechat_is_asked_three_times_and_no_more() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 2).value(-1)).await;
        world.agent_says(&ghost, "third time lucky").await;
        world.customer_sees("third time lucky").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 9).value(-1)).await;
        world.agent_says(&ghost, "never").await;
        world.notice("微信系统繁忙").await;
        world.drained().await;
        let faults = world.lines(|line| line["kind"] == "fault").await;
        assert_eq!(faults.len(), 5, "two, and three");
        assert_eq!(world.shown_to_customer("third time lucky").await, 1);
    })
    .await;
}
