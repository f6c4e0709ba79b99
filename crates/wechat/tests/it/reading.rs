//! The calls that read: followers, addresses, quotas. What is asked for byte by byte, and how lenient the
//! reading is.

use secrecy::SecretString;
use wechat::{CallError, Fault, RateLimit};

use crate::server::{Server, client};

fn token() -> SecretString {
    "T&1".into()
}

/// That the answer was not what the call is for.
pub(crate) fn assert_unreadable<T: std::fmt::Debug>(result: Result<T, CallError>, of: &str) {
    assert!(matches!(result, Err(CallError::Unclear(Fault::Unreadable))), "{of}: {result:?}");
}

#[tokio::test]
async fn followers_are_read_page_by_page() {
    let server =
        Server::saying(r#"{"total":2,"count":2,"data":{"openid":["oA","oB"]},"next_openid":"oB"}"#).await;
    let page = client(&server.url).followers(&token(), None).await.unwrap();
    assert_eq!((page.total, page.count, page.openids.len()), (2, 2, 2));
    assert_eq!(page.next_openid.as_deref(), Some("oB"));
    assert!(!format!("{page:?}").contains("oA"));
    client(&server.url).followers(&token(), Some("oB")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].uri, "/cgi-bin/user/get?access_token=T%261&next_openid=");
    assert_eq!(
        (seen[1].method.as_str(), seen[1].uri.as_str()),
        ("GET", "/cgi-bin/user/get?access_token=T%261&next_openid=oB")
    );
    for end in [
        r#"{"total":2,"count":0,"next_openid":""}"#,
        r#"{"total":"2","count":"0","data":{},"next_openid":"oB"}"#,
        r#"{"total":2,"count":0,"data":{"openid":[]}}"#,
    ] {
        let page = client(&Server::saying(end).await.url).followers(&token(), Some("oB")).await.unwrap();
        assert_eq!((page.total, page.count, page.next_openid), (2, 0, None), "{end}");
    }
    for odd in ["{}", r#"{"errcode":0}"#] {
        assert_unreadable(client(&Server::saying(odd).await.url).followers(&token(), None).await, odd);
    }
}

#[tokio::test]
async fn addresses_are_typed() {
    let list = r#"{"ip_list":["101.226.103.0/25","101.89.47.18"," ::1/128 ","junk","1.2.3.4/33",null]}"#;
    let server = Server::saying(list).await;
    let ranges = client(&server.url).callback_ips(&token()).await.unwrap();
    let written: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["101.226.103.0/25", "101.89.47.18", "::1"]);
    assert_eq!(client(&server.url).api_ips(&token()).await.unwrap(), ranges);
    let uris: Vec<String> = server.seen().into_iter().map(|seen| seen.uri).collect();
    assert_eq!(
        uris,
        ["/cgi-bin/getcallbackip?access_token=T%261", "/cgi-bin/get_api_domain_ip?access_token=T%261"]
    );
    for odd in ["{}", r#"{"ip_list":[]}"#, r#"{"ip_list":["x"]}"#, r#"{"ip_list":"101.89.47.18"}"#] {
        assert_unreadable(client(&Server::saying(odd).await.url).callback_ips(&token()).await, odd);
    }
}

#[test]
fn f25_a_range_holds_its_addresses_and_no_other() {
    let holds = |range: &str, address: &str| {
        range.parse::<wechat::IpRange>().unwrap().contains(address.parse().unwrap())
    };
    for (range, address) in [
        ("101.226.103.0/25", "101.226.103.0"),
        ("101.226.103.0/25", "101.226.103.127"),
        ("101.226.103.0/25", "::ffff:101.226.103.1"),
        ("101.226.103.77/25", "101.226.103.1"),
        ("0.0.0.0/0", "255.255.255.255"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::/32", "2001:db8:ffff::1"),
    ] {
        assert!(holds(range, address), "{range} {address}");
    }
    for (range, address) in [
        ("101.226.103.0/25", "101.226.103.128"),
        ("101.226.103.0/25", "101.226.102.255"),
        ("0.0.0.0/0", "2001:db8::1"),
        ("203.0.113.7", "203.0.113.6"),
        ("2001:db8::/32", "2001:db9::1"),
        ("::/0", "203.0.113.7"),
    ] {
        assert!(!holds(range, address), "{range} {address}");
    }
    for junk in ["", "/", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/33", "::/129", "1.2.3", "a/8"] {
        assert!(junk.parse::<wechat::IpRange>().is_err(), "{junk}");
    }
}

#[tokio::test]
async fn a_quota_is_read() {
    let server = Server::saying(
        r#"{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":"3","remain":499997},"rate_limit":{"call_count":5000,"refresh_second":60},"component_rate_limit":{"call_count":0}}"#,
    )
    .await;
    let quota = client(&server.url).quota(&token(), wechat::wire::CUSTOM_SEND).await.unwrap();
    assert_eq!((quota.daily_limit, quota.used, quota.remain), (500_000, 3, 499_997));
    assert_eq!(quota.rate_limit, Some(RateLimit { call_count: 5000, refresh_second: 60 }));
    assert_eq!(quota.component_rate_limit, None);
    let seen = server.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str(), seen.body.as_str()),
        (
            "POST",
            "/cgi-bin/openapi/quota/get?access_token=T%261",
            r#"{"cgi_path":"/cgi-bin/message/custom/send"}"#
        )
    );
    for odd in [r#"{"errcode":0}"#, r#"{"errcode":0,"quota":{"daily_limit":1}}"#] {
        assert_unreadable(client(&Server::saying(odd).await.url).quota(&token(), "/x").await, odd);
    }
}
