//! Lists of addresses, counters behind 45009 and 45011, and what may be asked of them (§6.3, §10).

use serde_json::json;

use crate::support::*;

const SEND: &str = "/cgi-bin/message/custom/send";
const QUOTA: &str = "/cgi-bin/openapi/quota/get";

#[tokio::test]
async fn f25_callback_and_api_addresses_are_told_and_can_be_set() {
    let (sim, control) = sim(|_| ()).await;
    let query = format!("access_token={}", token(&sim).await);
    let ips = get(&sim, "/cgi-bin/getcallbackip", &query).await;
    assert_eq!(ips["ip_list"][0], "101.226.103.0/25");
    rules(&control, json!({"callback_ips": ["192.0.2.0/24"], "api_ips": ["192.0.2.9"]})).await;
    assert_eq!(get(&sim, "/cgi-bin/getcallbackip", &query).await, json!({"ip_list": ["192.0.2.0/24"]}));
    assert_eq!(get(&sim, "/cgi-bin/get_api_domain_ip", &query).await, json!({"ip_list": ["192.0.2.9"]}));
    assert_eq!(get(&sim, "/cgi-bin/getcallbackip", "").await["errcode"], 41001);
}

#[tokio::test]
async fn f33_calls_are_counted_by_the_day_and_by_the_minute() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    rules(&control, json!({"limits": {SEND: {"daily": 3, "minute": 2}}})).await;
    // Not across the end of a minute, nor of a day: to ten seconds after midnight in China.
    let now = sim.clock().now_ms();
    let day = 86_400_000;
    let midnight = (now + 8 * 3_600_000).div_euclid(day) * day + day - 8 * 3_600_000;
    control.advance_clock(midnight + 10_000 - now).await.unwrap();
    let token =
        if get(&sim, "/cgi-bin/getcallbackip", &format!("access_token={token}")).await["errcode"] == 42001 {
            crate::support::token(&sim).await
        } else {
            token
        };
    for expected in [0, 0, 45011] {
        assert_eq!(send_text(&sim, &token, USER, "x").await, expected);
    }
    control.advance_clock(60_000).await.unwrap();
    for expected in [0, 45009] {
        assert_eq!(send_text(&sim, &token, USER, "x").await, expected);
    }
    let told = call(&sim, &token, QUOTA, json!({"cgi_path": SEND})).await;
    assert_eq!(told["quota"], json!({"daily_limit": 3, "used": 3, "remain": 0}));
    assert_eq!(told["rate_limit"], json!({"call_count": 2, "refresh_second": 60}));
    assert_eq!((&told["errcode"], &told["errmsg"]), (&json!(0), &json!("ok")));

    // One second before midnight nothing has changed; at midnight the day's count is back.
    control.advance_clock(day - 60_000 - 11_000 - 2_000).await.unwrap();
    let token = crate::support::token(&sim).await;
    assert_eq!(send_text(&sim, &token, USER, "x").await, 45009);
    control.advance_clock(4_000).await.unwrap();
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "x").await, 0);
}

#[tokio::test]
async fn f33_a_quota_can_be_cleared_so_often() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    rules(&control, json!({"limits": {SEND: {"daily": 1}}})).await;
    let send = async || [send_text(&sim, &token, USER, "x").await, send_text(&sim, &token, USER, "x").await];
    assert_eq!(send().await, [0, 45009]);
    assert_eq!(call(&sim, &token, "/cgi-bin/clear_quota", json!({"appid": APP})).await["errcode"], 0);
    assert_eq!(send().await, [0, 45009]);
    let path = json!({"cgi_path": SEND});
    assert_eq!(call(&sim, &token, "/cgi-bin/openapi/quota/clear", path.clone()).await["errcode"], 0);
    assert_eq!(send().await, [0, 45009]);
    let by_secret = json!({"appid": APP, "appsecret": SECRET});
    let v2 = format!("{}/cgi-bin/clear_quota/v2", sim.wechat_url);
    for _ in 0..9 {
        assert_eq!(post(&v2, by_secret.clone()).await["errcode"], 0);
    }
    assert_eq!(post(&v2, by_secret).await["errcode"], 48006, "ten a month, all ways together");
    assert_eq!(call(&sim, &token, "/cgi-bin/clear_quota", json!({"appid": APP})).await["errcode"], 48006);
    assert_eq!(post(&v2, json!({"appid": APP, "appsecret": "wrong"})).await["errcode"], 40125);
    assert_eq!(call(&sim, &token, "/cgi-bin/clear_quota", json!({"appid": "wx0"})).await["errcode"], 40013);
}

#[tokio::test]
async fn quotas_are_told_only_of_paths_that_there_are() {
    let (sim, _control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let ask = async |path: &str| call(&sim, &token, QUOTA, json!({"cgi_path": path})).await;
    assert_eq!(ask("cgi-bin/user/get").await["errcode"], 76021, "without its slash");
    assert_eq!(ask("/cgi-bin/no/such").await["errcode"], 76021);
    assert_eq!(ask("/sns/userinfo").await["errcode"], 76022);
    let users = ask("/cgi-bin/user/get").await;
    assert_eq!(users["quota"], json!({"daily_limit": 500, "used": 0, "remain": 500}));
    assert!(users.get("rate_limit").is_none());
    let tokens = ask("/cgi-bin/stable_token").await;
    assert_eq!((&tokens["quota"]["used"], &tokens["rate_limit"]["call_count"]), (&json!(1), &json!(10_000)));
}
