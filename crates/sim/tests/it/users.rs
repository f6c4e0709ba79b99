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
