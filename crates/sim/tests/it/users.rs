//! Followers and what is told of them (§9), and seeded followers.

use serde_json::{Value, json};
use sim::Sim;

use crate::support::*;

async fn page(sim: &Sim, token: &str, next: &str) -> Value {
    get(sim, "/cgi-bin/user/get", &format!("access_token={token}&next_openid={next}")).await
}

#[tokio::test]
async fn all_followers_are_named_once_in_pages_of_ten_thousand() {
    let (sim, control) = sim(|_| ()).await;
    control.follow(APP, USER).await.unwrap();
    let seeded = control.post(&format!("/sim/wechat/{APP}/customers/seed"), json!({"count": 25_000})).await;
    let seeded = seeded.unwrap();
    let token = token(&sim).await;
    let (mut next, mut counts, mut all) = (String::new(), Vec::new(), std::collections::BTreeSet::new());
    loop {
        let page = page(&sim, &token, &next).await;
        assert_eq!(page["total"], 25_001);
        counts.push(page["count"].as_u64().unwrap());
        let Some(openids) = page["data"]["openid"].as_array() else {
            assert_eq!((&page["data"], &page["next_openid"]), (&Value::Null, &json!("")));
            break;
        };
        all.extend(openids.iter().map(|openid| openid.as_str().unwrap().to_owned()));
        next = page["next_openid"].as_str().unwrap().to_owned();
        assert_eq!(openids.last().unwrap().as_str().unwrap(), next);
    }
    assert_eq!(counts, [10_000, 10_000, 5_001, 0]);
    assert_eq!(all.len(), 25_001);
    assert!(all.contains(USER) && all.contains(seeded["first"].as_str().unwrap()));
    assert!(all.contains(seeded["last"].as_str().unwrap()));
    assert_eq!(page(&sim, &token, "oNobody").await["errcode"], 40003);

    rules(&control, json!({"followers_page": 30_000, "followers_end_empty": true})).await;
    assert_eq!(page(&sim, &token, "").await["count"], 10_000, "the page has an upper limit");
    rules(&control, json!({"followers_page": 2})).await;
    let seed = json!({"count": 3});
    control.post(&format!("/sim/wechat/{APP}/customers/seed"), seed).await.unwrap();
    let first = page(&sim, &token, "").await;
    let next = first["next_openid"].as_str().unwrap();
    assert_ne!(next, "");
    let last = page(&sim, &token, next).await;
    assert_eq!((&last["count"], &last["next_openid"]), (&json!(2), &json!("")));
}

#[tokio::test]
async fn a_million_followers_cost_nothing_and_each_can_act() {
    let (sim, control) = sim(|_| ()).await;
    let seed = |count: u64| json!({"count": count});
    let path = format!("/sim/wechat/{APP}/customers/seed");
    assert!(control.post(&path, seed(1_000_001)).await.is_err());
    let last = control.post(&path, seed(1_000_000)).await.unwrap()["last"].as_str().unwrap().to_owned();
    assert_eq!(last.len(), 28);
    let token = token(&sim).await;
    let info = get(&sim, "/cgi-bin/user/info", &format!("access_token={token}&openid={last}")).await;
    assert_eq!((&info["subscribe"], &info["openid"]), (&json!(1), &json!(last)));
    assert_eq!(send_text(&sim, &token, &last, "x").await, 45015, "she follows and has not written");
    control.say_only(APP, &last, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, &last, "x").await, 0);
    control.unfollow(APP, &last).await.unwrap();
    assert_eq!(page(&sim, &token, "").await["total"], 999_999);
    let gone = get(&sim, "/cgi-bin/user/info", &format!("access_token={token}&openid={last}")).await;
    assert_eq!(gone, json!({"subscribe": 0, "openid": last}));
}

#[tokio::test]
async fn f64_users_have_no_name_but_a_scene_a_remark_and_perhaps_a_unionid() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let follow = format!("/sim/wechat/{APP}/customers/{USER}/follow");
    control.post(&follow, json!({"scene": "shop_12"})).await.unwrap();
    let info = async |openid: &str| {
        get(&sim, "/cgi-bin/user/info", &format!("access_token={token}&openid={openid}")).await
    };
    let told = info(USER).await;
    assert_eq!((&told["qr_scene_str"], &told["qr_scene"]), (&json!("shop_12"), &json!(0)));
    assert_eq!(told["subscribe_scene"], "ADD_SCENE_QR_CODE");
    assert!((told["subscribe_time"].as_i64().unwrap() - sim.clock().now_ms() / 1000).abs() < 5);
    for gone in ["nickname", "headimgurl", "sex", "unionid"] {
        assert!(told.get(gone).is_none(), "{gone}");
    }
    assert_eq!(info("oNobody").await["errcode"], 40003);

    let remark = async |remark: &str| {
        let body = json!({"openid": USER, "remark": remark});
        call(&sim, &token, "/cgi-bin/user/info/updateremark", body).await["errcode"].clone()
    };
    assert_eq!((remark("老客户").await, remark(&"字".repeat(10)).await), (json!(0), json!(40035)));
    rules(&control, json!({"unionids": true})).await;
    let told = info(USER).await;
    assert_eq!(told["remark"], "老客户");
    assert!(told["unionid"].as_str().unwrap().starts_with("oUnion"));
}

#[tokio::test]
async fn a_hundred_users_are_told_of_at_once() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.post(&format!("/sim/wechat/{APP}/customers/seed"), json!({"count": 101})).await.unwrap();
    let all = page(&sim, &token, "").await["data"]["openid"].as_array().unwrap().clone();
    let batch = async |openids: &[Value]| {
        let list: Vec<_> = openids.iter().map(|openid| json!({"openid": openid, "lang": "zh_CN"})).collect();
        call(&sim, &token, "/cgi-bin/user/info/batchget", json!({"user_list": list})).await
    };
    let told = batch(&all[..100]).await;
    assert_eq!(told["user_info_list"].as_array().unwrap().len(), 100);
    assert_eq!(told["user_info_list"][99]["openid"], all[99]);
    assert_eq!(batch(&all).await["errcode"], 40032);
    assert_eq!(batch(&[]).await["errcode"], 40032);
    assert_eq!(batch(&[all[0].clone(), json!("oNobody")]).await["errcode"], 40003);
    control.unfollow(APP, all[0].as_str().unwrap()).await.unwrap();
    assert_eq!(batch(&all[..1]).await["user_info_list"], json!([{"subscribe": 0, "openid": all[0]}]));
}
