//! What goes wrong when agents and customers come and go while something is under way.

use super::on_every_engine;
use super::wire::now_s;
use crate::support::{AGENT, OPENID, PATIENCE, Setup};
use std::time::{Duration, Instant};

const OTHER: &str = "user2";

/// A follow or unfollow, as WeChat writes it.
fn event(name: &str, at: i64) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[{OPENID}]]></FromUserName>\
         <CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event></xml>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfollow_that_comes_after_a_newer_follow_deletes_and_closes_nothing() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        assert_eq!(world.push_plain(event("subscribe", now_s() + 60)).await.status, 200);
        let ghost = world.opened(OPENID, "hello").await;
        world.drained().await;
        assert_eq!(world.push_plain(event("unsubscribe", now_s() - 60)).await.status, 200);
        world.drained().await;
        assert_eq!(world.calls("im.account_delete").await.len(), 0);
        let open = "SELECT COUNT(*) FROM conversation WHERE closed_at IS NULL";
        assert_eq!(world.database.count(open).await, 1);
        assert_eq!(world.opened(OPENID, "still here").await, ghost);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_in_a_closed_conversation_of_a_removed_agent_goes_to_somebody_else() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).agents(&[AGENT, OTHER]).start().await;
        world.control.say(&world.app_id(), OPENID, "before").await.unwrap();
        world.agent_sees("before").await;
        world.drained().await;
        world.fault(sim::Fault::lasting("im", sim::Kind::Refuse, 8_000)).await;
        world.control.say(&world.app_id(), OPENID, "under way").await.unwrap();
        let begun = Instant::now();
        while world.database.count("SELECT COUNT(*) FROM message WHERE direction = 'in'").await < 2 {
            assert!(begun.elapsed() < PATIENCE, "it is not taken in");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.stop();
        world
            .database
            .pairs("UPDATE conversation SET closed_at = 1, closed_by = 'command' RETURNING id, agent")
            .await;
        let text = std::fs::read_to_string(&world.config).unwrap();
        let text = text.replace("agents = [\"user1\", \"user2\"]", "agents = [\"user2\"]");
        std::fs::write(&world.config, text).unwrap();
        world.spawn(&[]);
        world.ready().await;
        let to = "SELECT d.recipient, d.state FROM delivery d JOIN message m ON m.id = d.message \
                  WHERE d.body = 'under way'";
        let expected = [(OTHER.to_owned(), "sent".to_owned())];
        let begun = Instant::now();
        while world.database.pairs(to).await != expected {
            assert!(begun.elapsed() < PATIENCE, "{:?}", world.database.pairs(to).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
