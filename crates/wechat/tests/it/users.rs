//! The calls about customers, tokens, quotas and the network over real HTTP: what is on the wire, and what the
//! answers are taken for.

use secrecy::{ExposeSecret, SecretString};
use wechat::{CallError, Fault, MAX_USERS, Operator, Pinged, RateLimit, Resolved, UserInfo};

use crate::server::{Seen, Server, client};

const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

fn token() -> SecretString {
    SecretString::from("T1")
}

/// Method, path with its parameters, and body of the one request that came.
fn only(server: &Server) -> (String, String, String) {
    let mut seen = server.seen();
    assert_eq!(seen.len(), 1);
    let Seen { method, uri, body, .. } = seen.remove(0);
    (method, uri, body)
}

fn wire(method: &str, uri: &str, body: &str) -> (String, String, String) {
    (method.to_owned(), uri.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_customer_is_told_with_everything_but_a_name() {
    let server = Server::saying(
        r#"{"subscribe":1,"openid":"oA","language":"zh_CN","subscribe_time":1760000000,"unionid":"uA",
        "remark":"老客户","groupid":0,"tagid_list":[128,"2",null],"subscribe_scene":"ADD_SCENE_QR_CODE",
        "qr_scene":98765,"qr_scene_str":"shop"}"#,
    )
    .await;
    let info = client(&server.url).user_info(&token(), "oA").await.unwrap();
    assert_eq!(only(&server), wire("GET", "/cgi-bin/user/info?access_token=T1&openid=oA&lang=zh_CN", ""));
    assert_eq!(
        info,
        UserInfo {
            subscribed: true,
            openid: "oA".into(),
            unionid: Some("uA".into()),
            subscribed_at: Some(1_760_000_000),
            remark: "老客户".into(),
            tags: vec![128, 2],
            scene: Some("ADD_SCENE_QR_CODE".into()),
            qr_scene: Some(98765),
            qr_scene_text: Some("shop".into()),
        }
    );
    let shown = format!("{info:?}");
    assert!(["oA", "uA", "老客户"].iter().all(|text| !shown.contains(text)), "{shown}");
}

#[tokio::test]
async fn a_customer_who_left_has_nothing_but_an_openid() {
    let server = Server::saying(r#"{"subscribe":0,"openid":"oA"}"#).await;
    let info = client(&server.url).user_info(&token(), "oA").await.unwrap();
    assert_eq!(info, UserInfo { openid: "oA".into(), ..UserInfo::default() });
    for answer in ["{}", OK, r#"{"subscribe":1}"#, r#"{"openid":"oA"}"#, r#"{"subscribe":1,"openid":""}"#] {
        let server = Server::saying(answer).await;
        let told = client(&server.url).user_info(&token(), "oA").await;
        assert!(matches!(told, Err(CallError::Unclear(Fault::Unreadable))), "{answer}");
    }
}

#[tokio::test]
async fn a_hundred_customers_are_asked_for_in_one_call_and_no_more() {
    let server = Server::saying(
        r#"{"user_info_list":[{"subscribe":1,"openid":"oB"},7,{"subscribe":0,"openid":"oA"},{"subscribe":1}]}"#,
    )
    .await;
    let client = client(&server.url);
    assert_eq!(client.users_info(&token(), &[]).await.unwrap(), []);
    let many: Vec<String> = (0..=MAX_USERS).map(|n| format!("o{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = client.users_info(&token(), &many).await;
    assert!(matches!(refused, Err(CallError::NotSent(Fault::Limit(_)))));
    assert!(server.seen().is_empty());

    let infos = client.users_info(&token(), &["oA", "oB"]).await.unwrap();
    let told: Vec<_> = infos.iter().map(|info| (info.openid.as_str(), info.subscribed)).collect();
    assert_eq!(told, [("oB", true), ("oA", false)]);
    let body = r#"{"user_list":[{"openid":"oA","lang":"zh_CN"},{"openid":"oB","lang":"zh_CN"}]}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/user/info/batchget?access_token=T1", body));
    assert_eq!(client.users_info(&token(), &many[1..]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_openid_refuses_the_whole_call_and_is_not_shown() {
    let server = Server::saying(r#"{"errcode":40003,"errmsg":"invalid openid oSTRANGER rid: 1-2-3"}"#).await;
    let Err(CallError::Refused(errcode)) =
        client(&server.url).users_info(&token(), &["oA", "oSTRANGER"]).await
    else {
        panic!("not refused")
    };
    assert_eq!((errcode.code, errcode.message.as_str()), (40003, "invalid openid [redacted] rid: 1-2-3"));
}

#[tokio::test]
async fn a_remark_has_less_than_30_bytes() {
    let server = Server::saying(OK).await;
    let client = client(&server.url);
    let long = client.update_remark(&token(), "oA", "一二三四五六七八九十").await;
    assert!(matches!(long, Err(CallError::NotSent(Fault::Limit(_)))));
    client.update_remark(&token(), "oA", "一二三四五六七八九\"x").await.unwrap();
    let body = r#"{"openid":"oA","remark":"一二三四五六七八九\"x"}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/user/info/updateremark?access_token=T1", body));
}

#[tokio::test]
async fn the_older_token_comes_by_get() {
    let server = Server::saying(r#"{"access_token":"T2","expires_in":7200}"#).await;
    let given = client(&server.url).access_token("wx1", &SecretString::from("a+b")).await.unwrap();
    assert_eq!((given.token.expose_secret(), given.expires_in), ("T2", 7200));
    let uri = "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=a%2Bb";
    assert_eq!(only(&server), wire("GET", uri, ""));
    let server = Server::saying(r#"{"access_token":"","expires_in":7200}"#).await;
    let given = client(&server.url).access_token("wx1", &SecretString::from("a+b")).await;
    assert!(matches!(given, Err(CallError::Unclear(Fault::Unreadable))));
}

#[tokio::test]
async fn the_webhook_is_tried_from_outside() {
    let server = Server::saying(
        r#"{"dns":[{"ip":"203.0.113.7","real_operator":"UNICOM"}],
        "ping":[{"ip":"203.0.113.7","from_operator":"CAP","package_loss":"0%","time":"23.079ms"}]}"#,
    )
    .await;
    let found = client(&server.url).callback_check(&token(), Operator::ChinaNet).await.unwrap();
    let body = r#"{"action":"all","check_operator":"CHINANET"}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/callback/check?access_token=T1", body));
    assert_eq!(found.dns, [Resolved { ip: "203.0.113.7".into(), operator: "UNICOM".into() }]);
    let pinged = Pinged {
        ip: "203.0.113.7".into(),
        operator: "CAP".into(),
        package_loss: "0%".into(),
        time: "23.079ms".into(),
    };
    assert_eq!(found.ping, [pinged]);
    let server = Server::saying(OK).await;
    let found = client(&server.url).callback_check(&token(), Operator::Default).await;
    assert!(matches!(found, Err(CallError::Unclear(Fault::Unreadable))));
}

#[tokio::test]
async fn quotas_are_read_and_set_back() {
    let server = Server::saying(
        r#"{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":3,"remain":499997},
        "rate_limit":{"call_count":1000,"refresh_second":60}}"#,
    )
    .await;
    let quota = client(&server.url).quota(&token(), wechat::wire::CUSTOM_SEND).await.unwrap();
    let body = r#"{"cgi_path":"/cgi-bin/message/custom/send"}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/openapi/quota/get?access_token=T1", body));
    assert_eq!((quota.daily_limit, quota.used, quota.remain), (500_000, 3, 499_997));
    let limit = RateLimit { call_count: 1000, refresh_second: 60 };
    assert_eq!((quota.rate_limit, quota.component_rate_limit), (Some(limit), None));

    let server = Server::saying(OK).await;
    client(&server.url).quota_clear(&token(), wechat::wire::CUSTOM_SEND).await.unwrap();
    assert_eq!(only(&server), wire("POST", "/cgi-bin/openapi/quota/clear?access_token=T1", body));
    let server = Server::saying(OK).await;
    client(&server.url).clear_quota(&token(), "wx1").await.unwrap();
    assert_eq!(only(&server), wire("POST", "/cgi-bin/clear_quota?access_token=T1", r#"{"appid":"wx1"}"#));
    let server = Server::saying(OK).await;
    client(&server.url).clear_quota_by_secret("wx1", &SecretString::from("S1")).await.unwrap();
    let body = r#"{"appid":"wx1","appsecret":"S1"}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/clear_quota/v2", body));
}

#[tokio::test]
async fn a_past_call_is_told_by_its_rid() {
    let server = Server::saying(
        r#"{"errcode":0,"errmsg":"ok","request":{"invoke_time":1635156704,"cost_in_ms":30,
        "request_url":"access_token=50_Im7","request_body":"{\"a\":1}","response_body":"{\"errcode\":45009}",
        "client_ip":"203.0.113.7"}}"#,
    )
    .await;
    let past = client(&server.url).rid(&token(), "61725984-6126f6f9-040f19c4").await.unwrap();
    let body = r#"{"rid":"61725984-6126f6f9-040f19c4"}"#;
    assert_eq!(only(&server), wire("POST", "/cgi-bin/openapi/rid/get?access_token=T1", body));
    assert_eq!((past.invoked_at, past.cost_ms), (Some(1_635_156_704), Some(30)));
    assert_eq!((past.url.as_str(), past.client_ip.as_str()), ("access_token=50_Im7", "203.0.113.7"));
    assert_eq!((&*past.request_body, &*past.response_body), (r#"{"a":1}"#, r#"{"errcode":45009}"#));
    assert!(!format!("{past:?}").contains("50_Im7"));
}
