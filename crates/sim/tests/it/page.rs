//! The demo page and the control endpoints as a browser meets them.

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn the_page_loads_nothing_from_outside_and_has_a_policy() {
    let (sim, _control) = sim(|_| ()).await;
    let page = http().get(&sim.control_url).send().await.unwrap().text().await.unwrap();
    // All that is named in a file that was loaded is loaded, too.
    let mut files = vec!["/".to_owned(), "/icon.svg".to_owned()];
    let named = |text: &str| {
        let quoted = text.split('"').filter(|part| part.starts_with('/') && !part.starts_with("/sim/"));
        quoted
            .filter(|part| part.ends_with(".js") || part.ends_with(".css"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    files.extend(named(&page));
    let mut at = 0;
    while let Some(file) = files.get(at).cloned() {
        at += 1;
        let response = http().get(format!("{}{file}", sim.control_url)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        let text = response.text().await.unwrap();
        // Names of XML vocabularies and the shop's own page in a menu event are addresses that nobody opens.
        let addresses = text.replace("http://www.w3.org/", "").replace("https://shop.example.com/", "");
        assert!(!addresses.contains("http://") && !addresses.contains("https://"), "{file}");
        assert!(file != "/" || !text.contains(" style=") && !text.contains(" on"), "{file}");
        assert!(text.len() > 200, "{file}");
        for name in named(&text) {
            if !files.contains(&name) {
                files.push(name);
            }
        }
    }
    assert!(files.len() >= 12, "{files:?}");
}

#[tokio::test]
async fn other_sites_cannot_call_the_control_endpoints() {
    let (sim, _control) = sim(|_| ()).await;
    let url = format!("{}/sim/state", sim.control_url);
    for (site, status) in [("cross-site", 403), ("same-origin", 200), ("none", 200)] {
        let response = http().get(&url).header("sec-fetch-site", site).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn a_stopped_simulator_leaves_its_ports() {
    let (sim, _control) = sim(|_| ()).await;
    let url = sim.control_url.clone();
    sim.shutdown().await;
    let address = url.strip_prefix("http://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_wire_shows_what_went_over_the_sockets_with_secrets_masked() {
    let webhook = Webhook::saying("success").await;
    let (sim, control) = sim(|config| config.wechat[0].mode = sim::Mode::Secure).await;
    control.configure(json!({"webhook_url": webhook.url})).await.unwrap();
    let access_token = token(&sim).await;
    control.say(APP, USER, "在吗").await.unwrap();
    let sent = call(
        &sim,
        &access_token,
        "/cgi-bin/message/custom/send",
        json!({"touser": USER, "msgtype": "text", "text": {"content": "在的"}}),
    )
    .await;
    assert_eq!(sent["errcode"], 0);

    let news = control.get("/sim/wire").await.unwrap();
    let hops = news["hops"].as_array().unwrap();
    let find = |name: &str| {
        hops.iter().find(|hop| hop["name"] == name).unwrap_or_else(|| panic!("no {name} in {hops:?}"))
    };
    let way = |name: &str| {
        let hop = find(name);
        (hop["from"].as_str().unwrap(), hop["to"].as_str().unwrap(), hop["outcome"].as_str().unwrap())
    };
    assert_eq!(way("say"), ("customer", "wechat", "done"));
    assert_eq!(way("push text"), ("wechat", "gateway", "done"));
    assert_eq!(way("message/custom/send"), ("gateway", "wechat", "done"));
    assert_eq!(way("custom_send"), ("wechat", "customer", "done"));
    assert_eq!(find("message/custom/send")["who"], USER);

    let mut all = String::new();
    for hop in hops {
        all.push_str(&control.get(&format!("/sim/wire/{}", hop["id"])).await.unwrap().to_string());
    }
    assert!(
        all.contains("在的") && all.contains("<Content>"),
        "the real bodies, and what is inside an encrypted one"
    );
    let im = sim::ImConfig::shop();
    for secret in [
        SECRET,
        access_token.as_str(),
        &im.secret_key,
        "ShopToken01",
        "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW",
    ] {
        assert!(!all.contains(secret), "{secret} is shown");
    }
}

#[tokio::test]
async fn the_wire_knows_what_was_refused_and_what_became_of_nobody_knows() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let message = json!({"touser": "nobody", "msgtype": "text", "text": {"content": "x"}});
    call(&sim, &token, "/cgi-bin/message/custom/send", message.clone()).await;
    control.fault(sim::Fault::once("wechat.custom_send", sim::Kind::ResetAfter)).await.unwrap();
    let url = format!("{}/cgi-bin/message/custom/send?access_token={token}", sim.wechat_url);
    assert!(http().post(url).json(&message).send().await.is_err());
    control.say(APP, USER, "x").await.unwrap();
    let news = control.get("/sim/wire").await.unwrap();
    let outcomes: Vec<(String, i64)> = news["hops"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|hop| hop["name"] == "message/custom/send")
        .map(|hop| (hop["outcome"].as_str().unwrap().to_owned(), hop["code"].as_i64().unwrap_or(0)))
        .collect();
    assert_eq!(outcomes, [("refused".to_owned(), 40003), ("lost".to_owned(), 0)]);
    assert!(
        news["hops"].as_array().unwrap().iter().any(|hop| hop["outcome"] == "mark" && hop["name"] == "fault")
    );
    assert_eq!(control.get("/sim/gateway").await.unwrap(), json!(null), "nobody handed a gateway over");
    assert!(control.post("/sim/gateway/kill", json!({})).await.is_err());
}
