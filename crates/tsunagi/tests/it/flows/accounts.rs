//! F65: several Official Accounts in one process, and a person who writes to both.

use super::on_every_engine;
use super::wire::{get, now_s, signed};
use crate::support::{OPENID, Setup};
use serde_json::json;
use sim::WechatAccountConfig;

#[tokio::test(flavor = "multi_thread")]
async fn f65_the_same_openid_at_two_accounts_is_two_chats_and_each_answer_leaves_where_it_belongs() {
    on_every_engine(|engine| async move {
        let outlet = WechatAccountConfig {
            app_id: "wx6bb6bb6bb6bb6bb6".into(),
            app_secret: "0ff1ce0ff1ce0ff1ce0ff1ce0ff1ce00".into(),
            gh_id: "gh_ba9876543210".into(),
            token: "OutletToken01".into(),
            ..WechatAccountConfig::shop()
        };
        let mut setup = Setup::new(engine).account(&format!(
            "[[account]]\nid = \"outlet\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\nbase_url = \"{{wechat_url}}\"\n\
             agents = [\"user1\"]\nwelcome = \"\"\nwaiting = \"Outlet: one moment\"\nlanguage = \"en\"",
            outlet.app_id, outlet.app_secret, outlet.token
        ));
        setup.clouds.wechat.push(outlet.clone());
        let world = setup.start().await;
        let control = &world.control;
        let hook = format!("{}/wechat/outlet", world.webhooks);
        control.configure(json!({"app_id": outlet.app_id, "webhook_url": hook})).await.unwrap();
        assert!(control.verify(&outlet.app_id).await.unwrap());
        let root = get(format!("{}/?{}&echostr=1", world.webhooks, signed(now_s(), "n"))).await;
        assert_eq!(root.status, 404, "with two accounts / is nobody's");
        let crossed = get(format!("{hook}?{}&echostr=1", signed(now_s(), "n"))).await;
        assert_eq!(crossed.status, 403, "the shop's token is not the outlet's");

        // The same MsgId too: it is unique within one account only.
        let push = |text: &str| json!({"MsgType": "text", "Content": text, "MsgId": "77"});
        let replies = [
            control.push(&world.app_id(), OPENID, push("to the shop")).await.unwrap().reply,
            control.push(&outlet.app_id, OPENID, push("to the outlet")).await.unwrap().reply,
        ];
        assert_eq!(replies.map(Option::unwrap), ["正在为您转接", "Outlet: one moment"]);
        let ghosts = [world.agent_sees("to the shop").await, world.agent_sees("to the outlet").await];
        assert_ne!(ghosts[0], ghosts[1]);
        world.agent_says(&ghosts[1], "from the outlet").await;
        world.agent_says(&ghosts[0], "from the shop").await;
        world.reaches(&outlet.app_id, OPENID, "from the outlet").await;
        world.reaches(&world.app_id(), OPENID, "from the shop").await;
        // She leaves one of them.
        control.unfollow(&outlet.app_id, OPENID).await.unwrap();
        world.line("deleted", |line| line["api"] == "im.account_delete").await;
        world.drained().await;
        let deleted = world.calls("im.account_delete").await;
        assert_eq!(deleted[0]["user_ids"], json!([ghosts[1]]));
        world.agent_says(&ghosts[0], "still served").await;
        world.reaches(&world.app_id(), OPENID, "still served").await;
        assert_eq!(world.database.count("SELECT COUNT(*) FROM token").await, 2, "each has its token");
    })
    .await;
}
