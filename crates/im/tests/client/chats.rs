//! Recall, read marks, unread counts, profiles, kick: what goes over the wire, and what is read from the answers.

use im::{CallError, Profile, ProfileItem, Unread};
use serde_json::json;

use crate::server::{NOW, Server};

const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

#[tokio::test]
async fn a_recall_may_be_repeated() {
    let again = r#"{"ActionStatus":"FAIL","ErrorInfo":"message has been recalled","ErrorCode":20023}"#;
    let missing = r#"{"ActionStatus":"FAIL","ErrorInfo":"no such message","ErrorCode":20022}"#;
    let (server, client) = Server::start(&[(200, OK), (200, again), (200, missing)]).await;
    let key = "48374_2837546_1700000200";
    client.recall("agent_007", "wx_u1", key, 1, NOW).await.expect("recalled");
    client.recall("agent_007", "wx_u1", key, 1, NOW).await.expect("recalled before");
    let refused = client.recall("agent_007", "wx_u1", key, 1, NOW).await;
    assert!(matches!(refused, Err(CallError::Refused(code)) if code.code == 20022));
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/openim/admin_msgwithdraw");
    let body = json!({"From_Account": "agent_007", "To_Account": "wx_u1", "MsgKey": key});
    assert_eq!(asked[0].body, body);
}

#[tokio::test]
async fn read_marks_and_unread_counts() {
    let all = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AllC2CUnreadMsgNum":12}"#;
    let each = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,
        "C2CUnreadMsgNumList":[{"Peer_Account":"wx_u1","C2CUnreadMsgNum":3}],
        "ErrorList":[{"Peer_Account":"nobody","ErrorCode":70107}]}"#;
    let (server, client) = Server::start(&[(200, OK), (200, all), (200, each)]).await;
    client.set_read("wx_u1", "agent_007", 1_700_000_300, 1, NOW).await.expect("OK");
    assert_eq!(client.unread("agent_007", 1, NOW).await.expect("OK"), 12);
    let counts = client.unread_of("agent_007", &["wx_u1", "nobody"], 1, NOW).await.expect("OK");
    let unread = |peer: &str, count| Unread { peer: peer.into(), count };
    assert_eq!(counts, [unread("wx_u1", Ok(3)), unread("nobody", Err(70107))]);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/openim/admin_set_msg_read");
    let body = json!({"Report_Account": "wx_u1", "Peer_Account": "agent_007", "MsgReadTime": 1_700_000_300});
    assert_eq!(asked[0].body, body);
    assert_eq!(asked[1].body, json!({"To_Account": "agent_007"}), "without peers");
    assert_eq!(asked[2].body, json!({"To_Account": "agent_007", "Peer_Account": ["wx_u1", "nobody"]}));
}

#[tokio::test]
async fn profiles_are_set_and_read() {
    let answer = r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ErrorDisplay":"","UserProfileItem":[
        {"To_Account":"wx_u1","ResultCode":0,"ResultInfo":"","ProfileItem":[
            {"Tag":"Tag_Profile_IM_Nick","Value":"李雷"},{"Tag":"Tag_Profile_IM_Level","Value":7}]},
        {"To_Account":"nobody","ResultCode":40003,"ResultInfo":"no account"}],"Fail_Account":["nobody"]}"#;
    let (server, client) = Server::start(&[(200, OK), (200, answer)]).await;
    let url = "https://cdn.example.com/u1.jpg";
    let items = [ProfileItem::Nick("李雷".into()), ProfileItem::Image(url.into())];
    client.portrait_set("wx_u1", &items, 1, NOW).await.expect("OK");
    let tags = ["Tag_Profile_IM_Nick", "Tag_Profile_IM_Level"];
    let profiles = client.portrait_get(&["wx_u1", "nobody"], &tags, 1, NOW).await.expect("OK");
    let level = ProfileItem::Other { tag: "Tag_Profile_IM_Level".into(), value: json!(7) };
    let known =
        Profile { user_id: "wx_u1".into(), items: Ok(vec![ProfileItem::Nick("李雷".into()), level]) };
    assert_eq!(profiles, [known, Profile { user_id: "nobody".into(), items: Err(40003) }]);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/profile/portrait_set");
    let body = json!({"From_Account": "wx_u1", "ProfileItem": [
        {"Tag": "Tag_Profile_IM_Nick", "Value": "李雷"}, {"Tag": "Tag_Profile_IM_Image", "Value": url}]});
    assert_eq!(asked[0].body, body);
    assert_eq!(asked[1].body, json!({"To_Account": ["wx_u1", "nobody"], "TagList": tags}));
}

#[tokio::test]
async fn kick_ends_a_users_log_ins() {
    let (server, client) = Server::start(&[(200, OK)]).await;
    client.kick("agent_007", 1, NOW).await.expect("OK");
    assert_eq!(server.asked()[0].path, "/v4/im_open_login_svc/kick");
    assert_eq!(server.asked()[0].body, json!({"UserID": "agent_007"}));
}
