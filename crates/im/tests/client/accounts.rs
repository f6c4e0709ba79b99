//! Calls about many accounts at once.

use im::{NewAccount, Presence};
use serde_json::json;

use crate::server::{NOW, Server};

#[tokio::test]
async fn many_accounts_are_imported_in_the_newer_form_and_those_that_failed_are_named() {
    let failed = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"FailAccounts":["wx_u2"]}"#;
    let all = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
    let (server, client) = Server::start(&[(200, failed), (200, all)]).await;
    let account = |user_id: &str, nick: Option<&str>| NewAccount {
        user_id: user_id.into(),
        nick: nick.map(Into::into),
        face_url: None,
    };
    let accounts = [account("wx_u1", Some("Li")), account("wx_u2", None)];
    assert_eq!(client.accounts_import(&accounts, 1, NOW).await.expect("OK"), ["wx_u2"]);
    assert_eq!(client.accounts_import(&accounts, 1, NOW).await.expect("OK"), [""; 0]);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/im_open_login_svc/multiaccount_import");
    let body = json!({"AccountList": [{"UserID": "wx_u1", "Nick": "Li"}, {"UserID": "wx_u2"}]});
    assert_eq!(asked[0].body, body);
}

#[tokio::test]
async fn account_check_tells_imported_from_not_imported() {
    let answer = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ResultItem":[
        {"UserID":"a","ResultCode":0,"ResultInfo":"","AccountStatus":"Imported"},
        {"UserID":"b","ResultCode":0,"ResultInfo":"","AccountStatus":"NotImported"},
        {"UserID":"c","ResultCode":70169,"ResultInfo":"timeout"}]}"#;
    let (server, client) = Server::start(&[(200, answer)]).await;
    let checked = client.account_check(&["a", "b", "c"], 1, NOW).await.expect("OK");
    let known: Vec<_> = checked.iter().map(|account| (account.imported, account.code)).collect();
    assert_eq!(known, [(true, 0), (false, 0), (false, 70169)]);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/im_open_login_svc/account_check");
    assert_eq!(asked[0].body, json!({"CheckItem": [{"UserID": "a"}, {"UserID": "b"}, {"UserID": "c"}]}));
}

#[tokio::test]
async fn online_status_reads_both_names_of_the_field() {
    let answer = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"QueryResult":[
        {"To_Account":"a","Status":"Online","Detail":[{"Platform":"Web","Status":"Online"}]},
        {"To_Account":"b","State":"PushOnline"},{"To_Account":"c","Status":"Offline"},{"To_Account":"d","Status":"Asleep"}],
        "ErrorList":[{"To_Account":"e","ErrorCode":70107}]}"#;
    let empty = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
    let (server, client) = Server::start(&[(200, answer), (200, empty)]).await;
    let states = client.online_status(&["a", "b", "c", "d", "e"], 1, NOW).await.expect("OK");
    let presence: Vec<_> = states.iter().map(|state| state.presence).collect();
    let expected = [
        Ok(Presence::Online),
        Ok(Presence::PushOnline),
        Ok(Presence::Offline),
        Ok(Presence::Unknown),
        Err(70107),
    ];
    assert_eq!(presence, expected);
    assert_eq!(server.asked()[0].body, json!({"To_Account": ["a", "b", "c", "d", "e"]}));
    assert!(client.online_status(&["a"], 1, NOW).await.is_err(), "an answer about nobody says nothing");
}
