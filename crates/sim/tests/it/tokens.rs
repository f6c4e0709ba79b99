//! access_tokens (checklist §13 item 6; the arithmetic is tested beside `tokens.rs`).

use serde_json::{Value, json};

use crate::support::*;

async fn errcode(url: &str, body: Value) -> i64 {
    post(url, body).await["errcode"].as_i64().unwrap_or_default()
}

#[tokio::test]
async fn f26_tokens_are_the_same_until_they_are_not() {
    let (sim, control) = sim(|_| ()).await;
    let first = token(&sim).await;
    assert_eq!(token(&sim).await, first);
    control.follow(APP, USER).await.unwrap();
    assert_eq!(send_text(&sim, &first, USER, "您好").await, 0);

    control.advance_clock(6_950_000).await.unwrap();
    let second = token(&sim).await;
    assert_ne!(second, first);
    control.advance_clock(300_000).await.unwrap();
    assert_eq!(send_text(&sim, &first, USER, "您好").await, 42001);
    assert_eq!(send_text(&sim, &second, USER, "您好").await, 45015);

    control.post(&format!("/sim/wechat/{APP}/revoke_tokens"), json!({})).await.unwrap();
    assert_eq!(send_text(&sim, &second, USER, "您好").await, 40001);
    assert_eq!(send_text(&sim, "", USER, "您好").await, 41001);
}

#[tokio::test]
async fn classic_tokens_work_beside_the_stable_ones() {
    let (sim, _control) = sim(|_| ()).await;
    let stable = token(&sim).await;
    let url =
        format!("{}/cgi-bin/token?grant_type=client_credential&appid={APP}&secret={SECRET}", sim.wechat_url);
    let classic: Value = http().get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(classic["expires_in"], 7200);
    let classic = classic["access_token"].as_str().unwrap();
    for token in [classic, &stable] {
        assert_eq!(send_text(&sim, token, "oNobody", "x").await, 40003, "past the token check");
    }
}

#[tokio::test]
async fn wrong_credentials_have_their_codes() {
    let (sim, _control) = sim(|_| ()).await;
    let url = format!("{}/cgi-bin/stable_token", sim.wechat_url);
    let asked = |appid: &str, secret: &str| json!({"grant_type": "client_credential", "appid": appid, "secret": secret});
    assert_eq!(errcode(&url, asked("wx00", SECRET)).await, 40013);
    assert_eq!(errcode(&url, asked(APP, "wrong")).await, 40125);
    assert_eq!(errcode(&url, asked("", "")).await, 41002);
    assert_eq!(errcode(&url, asked(APP, "")).await, 41004);
    assert_eq!(errcode(&url, json!({"grant_type": "x", "appid": APP, "secret": SECRET})).await, 40002);
    assert_eq!(errcode(&url, json!([])).await, 47001);
    let answer = post(&url, asked(APP, "wrong")).await;
    assert!(answer["errmsg"].as_str().unwrap().contains(" rid: "));
}
