//! What holds for every call: the account's kind, the caller's address, frozen secrets, rids (checklist §13 item 5).

use serde_json::{Value, json};
use sim::{Fault, Kind};

use crate::support::*;

const CERTIFIED_ONLY: [&str; 12] = [
    "/cgi-bin/message/custom/send",
    "/cgi-bin/message/custom/typing",
    "/cgi-bin/user/get",
    "/cgi-bin/user/info",
    "/cgi-bin/user/info/batchget",
    "/cgi-bin/user/info/updateremark",
    "/cgi-bin/media/upload",
    "/cgi-bin/media/get",
    "/cgi-bin/media/get/jssdk",
    "/cgi-bin/media/uploadimg",
    "/cgi-bin/material/add_material",
    "/cgi-bin/material/del_material",
];

#[tokio::test]
async fn f32_accounts_may_call_what_their_kind_allows() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let errcode = async |path: &str| call(&sim, &token, path, json!({})).await["errcode"].as_i64();
    for (kind, certified, allowed) in [
        ("personal_subscription", true, false),
        ("subscription", false, false),
        ("subscription", true, true),
        ("service", false, false),
        ("service", true, true),
    ] {
        control.configure(json!({"certified": certified})).await.unwrap();
        rules(&control, json!({"kind": kind})).await;
        for path in CERTIFIED_ONLY {
            assert_eq!(errcode(path).await == Some(48001), !allowed, "{path} for {kind} {certified}");
        }
        assert_eq!(errcode("/cgi-bin/getcallbackip").await, Some(43001), "any account, but a GET");
        let quota =
            call(&sim, &token, "/cgi-bin/openapi/quota/get", json!({"cgi_path": "/cgi-bin/user/get"}));
        assert_eq!(quota.await["errcode"], if allowed { 0 } else { 76022 });
    }
}

#[tokio::test]
async fn f29_an_address_that_is_not_listed_is_named() {
    let (sim, control) = sim(|_| ()).await;
    let stable = format!("{}/cgi-bin/stable_token", sim.wechat_url);
    let asked = json!({"grant_type": "client_credential", "appid": APP, "secret": SECRET});
    let before = token(&sim).await;
    rules(&control, json!({"ip_allow_list": ["203.0.113.9"], "caller_ip": "203.0.113.7"})).await;
    let refused = post(&stable, asked.clone()).await;
    assert_eq!(refused["errcode"], 40164);
    let words = refused["errmsg"].as_str().unwrap();
    assert!(
        words.starts_with("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: "),
        "{words}"
    );
    let classic = format!("grant_type=client_credential&appid={APP}&secret={SECRET}");
    assert_eq!(get(&sim, "/cgi-bin/token", &classic).await["errcode"], 40164);
    // Other calls are not held to the list, unless that is switched on.
    let query = format!("access_token={before}");
    assert!(get(&sim, "/cgi-bin/getcallbackip", &query).await["ip_list"].is_array());
    rules(&control, json!({"ip_allow_list_everywhere": true})).await;
    assert_eq!(get(&sim, "/cgi-bin/getcallbackip", &query).await["errcode"], 40164);

    // The connection's own address counts where no other is set.
    rules(&control, json!({"caller_ip": null})).await;
    let words = post(&stable, asked.clone()).await["errmsg"].as_str().unwrap().to_owned();
    assert!(words.starts_with("invalid ip 127.0.0.1 "), "{words}");
    rules(&control, json!({"ip_allow_list": ["127.0.0.1"]})).await;
    assert!(post(&stable, asked).await["access_token"].is_string());
}

#[tokio::test]
async fn a_frozen_secret_gives_no_tokens() {
    let (sim, control) = sim(|_| ()).await;
    let good = token(&sim).await;
    rules(&control, json!({"secret_frozen": true})).await;
    let asked = json!({"grant_type": "client_credential", "appid": APP, "secret": SECRET});
    assert_eq!(post(&format!("{}/cgi-bin/stable_token", sim.wechat_url), asked).await["errcode"], 40243);
    assert_eq!(send_text(&sim, &good, "oNobody", "x").await, 40003, "old tokens still work");
}

#[tokio::test]
async fn a_refused_call_can_be_looked_up_by_its_rid() {
    let (sim, control) = sim(|config| {
        let other = sim::WechatAccountConfig { app_id: "wxother".into(), ..sim::WechatAccountConfig::shop() };
        config.wechat.push(other);
    })
    .await;
    let first = token(&sim).await;
    let rid_of =
        |answer: &Value| answer["errmsg"].as_str().unwrap().split("rid: ").nth(1).unwrap().to_owned();
    let body = json!({"touser": "oNobody", "msgtype": "text", "text": {"content": "您好"}});
    let rid = rid_of(&call(&sim, &first, "/cgi-bin/message/custom/send", body.clone()).await);
    let look = async |token: &str, rid: &str| {
        call(&sim, token, "/cgi-bin/openapi/rid/get", json!({"rid": rid})).await
    };
    let found = look(&first, &rid).await;
    let request = &found["request"];
    assert_eq!((&found["errcode"], &request["client_ip"]), (&json!(0), &json!("127.0.0.1")));
    assert_eq!(request["request_url"], "/cgi-bin/message/custom/send", "without its token");
    assert_eq!(serde_json::from_str::<Value>(request["request_body"].as_str().unwrap()).unwrap(), body);
    assert!(request["response_body"].as_str().unwrap().contains("40003"));
    assert_eq!(look(&first, "61725984-6126f6f9-040f19c4").await["errcode"], 76001);
    assert_eq!(look(&first, "61725984").await["errcode"], 76002);
    let asked = json!({"grant_type": "client_credential", "appid": "wxother", "secret": SECRET});
    let other = post(&format!("{}/cgi-bin/stable_token", sim.wechat_url), asked).await;
    assert_eq!(look(other["access_token"].as_str().unwrap(), &rid).await["errcode"], 76003);
    control.advance_clock(7 * 86_400_000 + 1000).await.unwrap();
    assert_eq!(look(&token(&sim).await, &rid).await["errcode"], 76004);
}

#[tokio::test]
async fn callback_check_connects_to_the_webhook() {
    let webhook = Webhook::saying("success").await;
    let (sim, control) = wechat(&webhook).await;
    let token = token(&sim).await;
    let check = async |action: &str, operator: &str| {
        let body = json!({"action": action, "check_operator": operator});
        call(&sim, &token, "/cgi-bin/callback/check", body).await
    };
    let all = check("all", "DEFAULT").await;
    assert_eq!(all["dns"], json!([{"ip": "127.0.0.1", "real_operator": "DEFAULT"}]));
    assert_eq!((&all["ping"][0]["ip"], &all["ping"][0]["package_loss"]), (&json!("127.0.0.1"), &json!("0%")));
    assert!(check("dns", "CAP").await.get("ping").is_none());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    control.configure(json!({"webhook_url": format!("http://{nobody}/")})).await.unwrap();
    assert_eq!(check("ping", "DEFAULT").await["ping"][0]["package_loss"], "100%");
    assert_eq!(check("knock", "DEFAULT").await["errcode"], 40202);
    assert_eq!(check("all", "MOBILE").await["errcode"], 40203);
    let (sim, _control) = crate::support::sim(|_| ()).await;
    let body = json!({"action": "all", "check_operator": "DEFAULT"});
    let answer = call(&sim, &crate::support::token(&sim).await, "/cgi-bin/callback/check", body).await;
    assert_eq!(answer["errcode"], 40201, "no address is set");
}

#[tokio::test]
async fn a_fault_can_be_set_on_each_call() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let calls = [
        ("wechat.callback_ip", "/cgi-bin/getcallbackip"),
        ("wechat.api_ip", "/cgi-bin/get_api_domain_ip"),
        ("wechat.callback_check", "/cgi-bin/callback/check"),
        ("wechat.clear_quota", "/cgi-bin/clear_quota"),
        ("wechat.clear_quota", "/cgi-bin/clear_quota/v2"),
        ("wechat.quota", "/cgi-bin/openapi/quota/get"),
        ("wechat.quota", "/cgi-bin/openapi/quota/clear"),
        ("wechat.rid", "/cgi-bin/openapi/rid/get"),
        ("wechat.custom_send", "/cgi-bin/message/custom/send"),
        ("wechat.typing", "/cgi-bin/message/custom/typing"),
        ("wechat.user_get", "/cgi-bin/user/get"),
        ("wechat.user_info", "/cgi-bin/user/info"),
        ("wechat.user_batchget", "/cgi-bin/user/info/batchget"),
        ("wechat.remark", "/cgi-bin/user/info/updateremark"),
        ("wechat.media_upload", "/cgi-bin/media/upload"),
        ("wechat.media_get", "/cgi-bin/media/get"),
        ("wechat.media_get_jssdk", "/cgi-bin/media/get/jssdk"),
        ("wechat.media_uploadimg", "/cgi-bin/media/uploadimg"),
        ("wechat.material", "/cgi-bin/material/add_material"),
        ("wechat.material", "/cgi-bin/material/get_material"),
        ("wechat.material", "/cgi-bin/material/del_material"),
        ("wechat.download", "/mmbiz_jpg/nothing/0"),
        ("wechat.download", "/video/nothing"),
    ];
    for (target, path) in calls {
        control.fault(Fault::once(target, Kind::Errcode).value(-1)).await.unwrap();
        assert_eq!(call(&sim, &token, path, json!({})).await["errcode"], -1, "{path}");
        assert_ne!(call(&sim, &token, path, json!({})).await["errcode"], -1, "{path}: the fault is used up");
    }
    assert_eq!(call(&sim, &token, "/cgi-bin/no/such", json!({})).await["errcode"], 40066);
}

#[tokio::test]
async fn a_download_can_break_off_in_the_middle() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let made = control.post(&format!("/sim/wechat/{APP}/media"), json!({"type": "image"})).await.unwrap();
    let id = made["media_id"].as_str().unwrap();
    let url = format!("{}/cgi-bin/media/get?access_token={token}&media_id={id}", sim.wechat_url);
    let whole = http().get(&url).send().await.unwrap().bytes().await.unwrap();
    control.fault(Fault::once("wechat.media_get", Kind::Truncated)).await.unwrap();
    let half = http().get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(half, whole[..whole.len() / 2]);
}
