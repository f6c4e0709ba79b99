//! `custom/send` (checklist §13 items 4 and 5).

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn f31_five_per_message_then_45047_and_a_new_message_starts_afresh() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    for n in 1..=5 {
        assert_eq!(send_text(&sim, &token, USER, &format!("{n}")).await, 0);
    }
    assert_eq!(send_text(&sim, &token, USER, "6").await, 45047);
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "7").await, 0);
    let transcript = control.transcript(APP, USER).await.unwrap();
    let sent: Vec<_> = transcript.iter().filter(|line| line.via == "custom_send").collect();
    assert_eq!(sent.iter().map(|line| line.text.as_str()).collect::<String>(), "123457");
    assert!(sent[0].at_ms > 1_600_000_000_000 && sent[0].n < sent[1].n);
    let delivered = lines(&control, "delivered").await;
    assert_eq!((delivered.len(), &delivered[5]["text"]), (6, &json!("7")));
}

#[tokio::test]
async fn f30_windows_close_with_time_and_with_an_unfollow() {
    let (sim, control) = sim(|_| ()).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    control.advance_clock(48 * 3_600_000 - 60_000).await.unwrap();
    let token = token(&sim).await;
    assert_eq!(send_text(&sim, &token, USER, "a").await, 0);
    control.advance_clock(60_000).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "b").await, 45015);

    control.post(&format!("/sim/wechat/{APP}/customers/{USER}/follow"), json!({})).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "c").await, 0, "3 a minute after a follow");
    control.post(&format!("/sim/wechat/{APP}/customers/{USER}/unfollow"), json!({})).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "d").await, 45015);
}

#[tokio::test]
async fn texts_have_a_size_and_recipients_exist() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, &"字".repeat(682)).await, 0);
    assert_eq!(send_text(&sim, &token, USER, &"字".repeat(683)).await, 45002);
    assert_eq!(send_text(&sim, &token, USER, "").await, 44004);
    assert_eq!(send_text(&sim, &token, "oNobody", "x").await, 40003);
    assert_eq!(send_text(&sim, "sim_unknown", USER, "x").await, 40001);
    let calls = lines(&control, "call").await;
    assert_eq!(calls.last().unwrap()["errcode"], 40001);
    assert!(!serde_json::to_string(&calls).unwrap().contains(&token), "no tokens in the journal");
}

#[tokio::test]
async fn f32_an_uncertified_account_has_no_such_api() {
    let (sim, control) = sim(|config| config.wechat[0].certified = false).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token(&sim).await, USER, "x").await, 48001);
}
