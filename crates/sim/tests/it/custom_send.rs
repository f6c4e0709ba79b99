//! `custom/send` (checklist §13 items 4 and 5).

use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn f31_five_per_message_then_45047_and_a_new_message_starts_afresh() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    for n in 1..=5 {
        assert_eq!(send_text(&sim, &token, USER, &format!("{n}")).await, 0);
    }
    assert_eq!(send_text(&sim, &token, USER, "6").await, 45047);
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "7").await, 0);
    let transcript = control.transcript(APP, USER).await.unwrap();
    let sent: Vec<_> = transcript.iter().filter(|line| line.via == "custom_send").collect();
    assert_eq!(sent.iter().map(|line| line.text.as_str()).collect::<String>(), "123457");
    assert!(sent[0].at_ms > 1_600_000_000_000 && sent[0].n < sent[1].n);
    let delivered = lines(&control, "delivered").await;
    assert_eq!((delivered.len(), &delivered[5]["text"]), (6, &json!("7")));
}

#[tokio::test]
async fn f30_windows_close_with_time_and_with_an_unfollow() {
    let (sim, control) = sim(|_| ()).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    control.advance_clock(48 * 3_600_000 - 60_000).await.unwrap();
    let token = token(&sim).await;
    assert_eq!(send_text(&sim, &token, USER, "a").await, 0);
    control.advance_clock(60_000).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "b").await, 45015);

    control.post(&format!("/sim/wechat/{APP}/customers/{USER}/follow"), json!({})).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "c").await, 0, "3 a minute after a follow");
    control.post(&format!("/sim/wechat/{APP}/customers/{USER}/unfollow"), json!({})).await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "d").await, 45015);
}

#[tokio::test]
async fn texts_have_a_size_and_recipients_exist() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, &"字".repeat(682)).await, 0);
    assert_eq!(send_text(&sim, &token, USER, &"字".repeat(683)).await, 45002);
    assert_eq!(send_text(&sim, &token, USER, "").await, 44004);
    assert_eq!(send_text(&sim, &token, "oNobody", "x").await, 40003);
    assert_eq!(send_text(&sim, "sim_unknown", USER, "x").await, 40001);
    let calls = lines(&control, "call").await;
    assert_eq!(calls.last().unwrap()["errcode"], 40001);
    assert!(!serde_json::to_string(&calls).unwrap().contains(&token), "no tokens in the journal");
}

#[tokio::test]
async fn f32_an_uncertified_account_has_no_such_api() {
    let (sim, control) = sim(|config| config.wechat[0].certified = false).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!(send_text(&sim, &token(&sim).await, USER, "x").await, 48001);
}

const SEND: &str = "/cgi-bin/message/custom/send";

async fn media(control: &sim::Control, kind: &str, permanent: bool) -> String {
    let body = json!({"type": kind, "permanent": permanent});
    let made = control.post(&format!("/sim/wechat/{APP}/media"), body).await.unwrap();
    made["media_id"].as_str().unwrap().to_owned()
}

fn message(msg_type: &str, content: Value) -> Value {
    let mut body = json!({"touser": USER, "msgtype": msg_type});
    body[msg_type] = content;
    body
}

#[tokio::test]
async fn every_type_of_message_is_shown_with_its_fields() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let (image, voice) = (media(&control, "image", false).await, media(&control, "voice", true).await);
    let (video, thumb) = (media(&control, "video", false).await, media(&control, "thumb", false).await);
    let news = media(&control, "news", true).await;
    let article = json!({"title": "帮助", "description": "FAQ", "url": "https://a.example/help",
                         "picurl": "https://a.example/c.png"});
    let cases = [
        ("image", json!({"media_id": image})),
        ("voice", json!({"media_id": voice})),
        (
            "video",
            json!({"media_id": video, "thumb_media_id": thumb, "title": "演示", "description": "步骤"}),
        ),
        (
            "music",
            json!({"title": "曲", "description": "说明", "musicurl": "https://a.example/m.mp3",
                         "thumb_media_id": thumb}),
        ),
        ("news", json!({"articles": [article]})),
        ("mpnews", json!({"media_id": news})),
        ("mpnewsarticle", json!({"article_id": "ART1"})),
        (
            "msgmenu",
            json!({"head_content": "是否解决？", "list": [{"id": "101", "content": "是"}],
                           "tail_content": "感谢反馈"}),
        ),
        ("wxcard", json!({"card_id": "CARD1"})),
        (
            "miniprogrampage",
            json!({"title": "订单", "appid": "wxMINI", "pagepath": "p", "thumb_media_id": thumb}),
        ),
    ];
    for (msg_type, content) in cases {
        control.say_only(APP, USER, "在吗").await.unwrap();
        let answer = call(&sim, &token, SEND, message(msg_type, content.clone())).await;
        assert_eq!(answer, json!({"errcode": 0, "errmsg": "ok"}), "{msg_type}");
        let last = last_sent(&control).await;
        assert_eq!((last.msg_type.as_str(), last.text), (msg_type, format!("[{msg_type}]")));
        assert_eq!(last.fields, Some(content));
    }
    let body = json!({"touser": USER, "msgtype": "text", "text": {"content": "您好"},
                      "customservice": {"kf_account": "agent01@myshop"}, "aimsgcontext": {"is_ai_msg": 1}});
    assert_eq!(call(&sim, &token, SEND, body).await["errcode"], 0);
    let last = last_sent(&control).await;
    assert_eq!(last.fields, Some(json!({"kf_account": "agent01@myshop", "note": "内容由第三方AI生成"})));
}

#[tokio::test]
async fn f41_a_message_needs_files_that_are_there_and_of_its_kind() {
    let (sim, control) = sim(|_| ()).await;
    let first = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    let (image, lasting) = (media(&control, "image", false).await, media(&control, "image", true).await);
    let code = async |token: &str, body: Value| call(&sim, token, SEND, body).await["errcode"].as_i64();
    let of = |id: &str| message("image", json!({"media_id": id}));
    assert_eq!(code(&first, of("nothing")).await, Some(40007));
    assert_eq!(code(&first, message("voice", json!({"media_id": image}))).await, Some(40007));
    assert_eq!(code(&first, of(&image)).await, Some(0));
    control.advance_clock(3 * 86_400_000).await.unwrap();
    control.say_only(APP, USER, "在吗").await.unwrap();
    let second = token(&sim).await;
    assert_eq!(code(&second, of(&image)).await, Some(40007), "three days have passed");
    assert_eq!(code(&second, of(&lasting)).await, Some(0));
    let left = control.get(&format!("/sim/wechat/{APP}/customers/{USER}")).await.unwrap();
    assert_eq!(left["windows"][0]["left"], 4, "a refused message uses nothing up");
}

#[tokio::test]
async fn f36_what_the_account_may_not_send_has_its_code() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    let thumb = media(&control, "thumb", false).await;
    let rule =
        json!({"mini_programs": ["wxMINI"], "kf_accounts": [], "menu_entries": 1, "menu_entry_bytes": 6});
    rules(&control, rule).await;
    let code = async |body: Value| call(&sim, &token, SEND, body).await["errcode"].as_i64().unwrap();
    let page =
        |appid: &str| json!({"title": "订单", "appid": appid, "pagepath": "p", "thumb_media_id": thumb});
    assert_eq!(code(message("miniprogrampage", page("wxOther"))).await, 45064);
    assert_eq!(code(message("miniprogrampage", page("wxMINI"))).await, 0);
    let mut named = message("text", json!({"content": "x"}));
    named["customservice"] = json!({"kf_account": "agent01@myshop"});
    assert_eq!(code(named).await, 65401);
    let entry = |content: &str| json!({"id": "1", "content": content});
    assert_eq!(code(message("msgmenu", json!({"list": [entry("是"), entry("否")]}))).await, 45098);
    assert_eq!(code(message("msgmenu", json!({"list": [entry("不满意")]}))).await, 45099);
    assert_eq!(code(message("news", json!({"articles": [{}, {}]}))).await, 45008);
    assert_eq!(code(message("link", json!({}))).await, 40008);
    let link = "<a href=\"u\" data-miniprogram-appid=\"wxOther\">x</a>";
    assert_eq!(code(message("text", json!({"content": link}))).await, 45086);
    let settings = format!("/sim/wechat/{APP}/customers/{USER}/settings");
    for (setting, errcode) in [("blocked", 43019), ("refuses_messages", 48002)] {
        control.post(&settings, json!({setting: true})).await.unwrap();
        assert_eq!(send_text(&sim, &token, USER, "x").await, errcode);
        control.post(&settings, json!({setting: false})).await.unwrap();
    }
}

#[tokio::test]
async fn f58_typing_is_shown_for_15_seconds_within_30_of_a_message() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.follow(APP, USER).await.unwrap();
    let typing = async |openid: &str, command: &str| {
        let body = json!({"touser": openid, "command": command});
        call(&sim, &token, "/cgi-bin/message/custom/typing", body).await["errcode"].as_i64().unwrap()
    };
    let shown =
        async || control.get(&format!("/sim/wechat/{APP}/customers/{USER}")).await.unwrap()["typing"] == true;
    assert_eq!(typing(USER, "Typing").await, 45080, "nothing was exchanged");
    control.say_only(APP, USER, "在吗").await.unwrap();
    assert_eq!((typing(USER, "Typing").await, shown().await), (0, true));
    assert_eq!(typing(USER, "Typing").await, 45081);
    assert_eq!((typing(USER, "CancelTyping").await, shown().await), (0, false));
    assert_eq!(typing(USER, "Typing").await, 0);
    assert_eq!(send_text(&sim, &token, USER, "您好").await, 0);
    assert!(!shown().await, "the message ended it");
    assert_eq!(typing(USER, "Typing").await, 0);
    control.advance_clock(15_000).await.unwrap();
    assert_eq!((shown().await, typing(USER, "Typing").await), (false, 0));
    control.advance_clock(31_000).await.unwrap();
    assert_eq!(typing(USER, "Typing").await, 45080);
    assert_eq!(typing(USER, "Dance").await, 45072);
    assert_eq!(typing("oNobody", "Typing").await, 40003);
    let left = control.get(&format!("/sim/wechat/{APP}/customers/{USER}")).await.unwrap();
    assert_eq!(left["windows"][0]["left"], 2, "one of the follow's three: typing is no message");
}
