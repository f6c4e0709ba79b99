//! F61, F62, F63: several agents share the customers of an account, come, go, and answer for each other.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{AGENT, Engine, OPENID, PATIENCE, Setup, World, engines};
use futures_util::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};

const OTHER: &str = "user2";
/// So that nobody has to wait half a minute.
const QUICK: &str = "[desk]\nagent_poll = 1\nagent_grace = 2\n";

fn two_agents(engine: Engine) -> Setup {
    Setup::new(engine).agents(&[AGENT, OTHER]).desk(QUICK)
}

impl World {
    /// Waits until an agent has read words in some chat; gives the ghost that said them.
    async fn reads(&self, agent: &str, words: &str) -> String {
        let fits = |line: &Value| {
            line["cloud"] == "im"
                && line["kind"] == "delivered"
                && line["to"] == agent
                && line["text"].as_str().unwrap_or_default().contains(words)
        };
        let line = self.line(&format!("{agent} never read {words:?}"), fits).await;
        line["from"].as_str().unwrap().to_owned()
    }

    /// How often an agent has read words.
    async fn times_read(&self, agent: &str, words: &str) -> usize {
        let said = |message: &sim::ChatMessage| message.from != agent && message.text.contains(words);
        let chats = self.control.chats(agent).await.unwrap();
        chats.iter().flat_map(|chat| &chat.messages).filter(|message| said(message)).count()
    }

    /// Waits until the gateway knows how its agents are: after two polls.
    async fn polled(&self) {
        let before = self.calls("im.query_online_status").await.len();
        let begun = Instant::now();
        while self.calls("im.query_online_status").await.len() < before + 2 {
            assert!(begun.elapsed() < PATIENCE, "nobody asks who is online");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn answers(&self, agent: &str, ghost: &str, text: &str) {
        self.control.agent_say(agent, ghost, text).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_conversations_go_to_whoever_has_the_fewest_and_stay_there() {
    on_every_engine(|engine| async move {
        let world = two_agents(engine).start().await;
        let app_id = world.app_id();
        // All at once: whoever gives one away sees what was given before.
        let customers: Vec<String> = (0..8).map(customer).collect();
        join_all(customers.iter().map(|openid| world.control.say(&app_id, openid, "hello"))).await;
        world.drained().await;
        let open = "SELECT agent, CAST(COUNT(*) AS TEXT) FROM conversation GROUP BY agent ORDER BY agent";
        let expected = [(AGENT.to_owned(), "4".to_owned()), (OTHER.to_owned(), "4".to_owned())];
        assert_eq!(world.database.pairs(open).await, expected);
        let given = world.database.pairs("SELECT openid, agent FROM conversation").await;
        for (openid, agent) in &given {
            world.control.say(&app_id, openid, &format!("again {openid}")).await.unwrap();
            assert_eq!(&world.reads(agent, &format!("again {openid}")).await, openid);
        }
        assert_eq!(world.database.pairs("SELECT openid, agent FROM conversation").await, given, "sticky");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f62_an_agent_who_comes_is_there_at_once_where_im_says_so() {
    let mut setup = Setup::new(Engine::Sqlite).desk("[desk]\nagent_poll = 240\n");
    setup = setup.account("away = \"客服不在线\"");
    setup.clouds.im.callback_commands = vec!["State.StateChange".to_owned()];
    let world = setup.start().await;
    let asked = async |times: usize| {
        let begun = Instant::now();
        while world.calls("im.query_online_status").await.len() < times {
            assert!(begun.elapsed() < PATIENCE, "nobody asks who is online\n{}", world.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    asked(1).await;
    for (n, online) in [false, true].into_iter().enumerate() {
        world.control.agent_online(AGENT, online).await.unwrap();
        asked(n + 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let first = world.control.say(&world.app_id(), &customer(n), "hello").await.unwrap();
        let words = if online { "正在为您转接" } else { "客服不在线" };
        assert_eq!(first.reply.as_deref(), Some(words));
    }
    // Of others nothing is asked.
    world.control.agent_online("stranger", true).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.calls("im.query_online_status").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_conversations_are_spread_over_two_nodes_too() {
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let world = two_agents(Engine::Postgres).start().await;
    let second = world.second().await;
    let app_id = world.app_id();
    for (from, webhooks) in [(0, world.webhooks.clone()), (6, second.webhooks.clone())] {
        world.route_webhooks_to(&webhooks).await;
        let customers: Vec<String> = (from..from + 6).map(customer).collect();
        join_all(customers.iter().map(|openid| world.control.say(&app_id, openid, "hello"))).await;
    }
    world.drained().await;
    let open = "SELECT agent, CAST(COUNT(*) AS TEXT) FROM conversation GROUP BY agent ORDER BY agent";
    let expected = [(AGENT.to_owned(), "6".to_owned()), (OTHER.to_owned(), "6".to_owned())];
    assert_eq!(world.database.pairs(open).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn f61_nobody_online_is_said_once_and_not_when_somebody_is() {
    on_every_engine(|engine| async move {
        let setup = Setup::new(engine).account("away = \"客服不在线\"").desk(QUICK);
        let world = setup.start().await;
        let (control, app_id) = (&world.control, world.app_id());
        let here = control.say(&app_id, &customer(1), "somebody there?").await.unwrap();
        assert_eq!(here.reply.as_deref(), Some("正在为您转接"));
        control.agent_online(AGENT, false).await.unwrap();
        world.polled().await;
        let first = control.say(&app_id, OPENID, "hello?").await.unwrap();
        assert_eq!(first.reply.as_deref(), Some("客服不在线"));
        let second = control.say(&app_id, OPENID, "anybody?").await.unwrap();
        assert_eq!(second.reply, None, "once");
        // The words are not lost: they wait in the agent's client.
        assert_eq!(world.reads(AGENT, "anybody?").await, OPENID);
        control.agent_online(AGENT, true).await.unwrap();
        world.polled().await;
        let third = control.say(&app_id, &customer(2), "and now?").await.unwrap();
        assert_eq!(third.reply.as_deref(), Some("正在为您转接"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f62_a_customer_left_alone_goes_to_somebody_who_is_there() {
    on_every_engine(|engine| async move {
        let world = two_agents(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        control.say(&app_id, OPENID, "first").await.unwrap();
        assert_eq!(world.reads(AGENT, "first").await, OPENID, "the first of two who have none");
        control.say(&app_id, &customer(1), "to the other").await.unwrap();
        world.reads(OTHER, "to the other").await;
        control.say(&app_id, &customer(2), "answered").await.unwrap();
        let answered = world.reads(AGENT, "answered").await;
        world.answers(AGENT, &answered, "here you are").await;
        world.reaches(&app_id, &customer(2), "here you are").await;
        // Nobody is there: everybody keeps what they have.
        for agent in [AGENT, OTHER] {
            control.agent_online(agent, false).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(
            world.times_read(OTHER, "【Tsunagi】").await,
            0,
            "nothing wanders among those who are away"
        );
        control.agent_online(OTHER, true).await.unwrap();
        // With the customer's words, from the customer's ghost; whoever lost it is told too.
        let ghost = world.reads(OTHER, "first").await;
        assert_eq!(ghost, OPENID);
        assert_eq!(world.reads(AGENT, "已转给客服 user2").await, OPENID);
        control.say(&app_id, OPENID, "second").await.unwrap();
        world.reads(OTHER, "second").await;
        world.answers(OTHER, OPENID, "I am here").await;
        world.reaches(&app_id, OPENID, "I am here").await;
        world.drained().await;
        let kept = "SELECT openid, agent FROM conversation ORDER BY openid";
        let of = |openid: &str, agent: &str| (openid.to_owned(), agent.to_owned());
        let mut expected = vec![of(OPENID, OTHER), of(&customer(1), OTHER), of(&customer(2), AGENT)];
        expected.sort();
        let mut found = world.database.pairs(kept).await;
        found.sort();
        assert_eq!(found, expected, "who is not waiting stays");
        assert_eq!(world.times_read(OTHER, "转由您负责").await, 1, "told once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f63_the_owner_is_told_who_answered_and_the_second_whose_it_is() {
    on_every_engine(|engine| async move {
        let world = two_agents(engine).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        control.say(&app_id, OPENID, "who answers?").await.unwrap();
        assert_eq!(world.reads(AGENT, "who answers?").await, OPENID);
        for words in ["let me help", "and once more"] {
            world.answers(OTHER, OPENID, words).await;
            world.reaches(&app_id, OPENID, words).await;
            world.reads(AGENT, words).await;
        }
        world.reads(OTHER, "由客服 user1 负责").await;
        world.drained().await;
        assert_eq!(world.times_read(OTHER, "由客服 user1 负责").await, 1, "once in a conversation");
        assert_eq!(world.times_read(AGENT, "客服 user2 已回复").await, 2);
        // The owner's own answers are nobody's news.
        world.answers(AGENT, OPENID, "thanks, I take over").await;
        world.reaches(&app_id, OPENID, "thanks, I take over").await;
        world.drained().await;
        assert_eq!(world.times_read(OTHER, "thanks").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_of_the_configuration_loses_the_conversations_at_the_next_start() {
    on_every_engine(|engine| async move {
        let mut world = two_agents(engine).start().await;
        let app_id = world.app_id();
        world.control.say(&app_id, OPENID, "before").await.unwrap();
        world.reads(AGENT, "before").await;
        world.drained().await;
        world.stop();
        let text = std::fs::read_to_string(&world.config).unwrap();
        let text = text.replace("agents = [\"user1\", \"user2\"]", "agents = [\"user2\"]");
        std::fs::write(&world.config, text).unwrap();
        world.spawn(&[]);
        world.ready().await;
        // Nobody has written meanwhile.
        assert_eq!(world.reads(OTHER, "before").await, OPENID);
        world.control.say(&app_id, OPENID, "after").await.unwrap();
        world.reads(OTHER, "after").await;
        world.answers(OTHER, OPENID, "it is mine now").await;
        world.reaches(&app_id, OPENID, "it is mine now").await;
        // Who is not an agent any more is not heard.
        world.answers(AGENT, OPENID, "me too").await;
        world.drained().await;
        world.polled().await;
        assert_eq!(world.sends_of("me too").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_closes_a_conversation_without_anybody_writing() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).desk(QUICK).start().await;
        world.opened(OPENID, "hello").await;
        world.drained().await;
        // Two days ago.
        world
            .database
            .pairs(
                "UPDATE customer SET conversation_at = conversation_at - 172900000 RETURNING openid, account",
            )
            .await;
        let begun = Instant::now();
        while world.database.count("SELECT COUNT(*) FROM conversation WHERE closed_by = 'idle'").await == 0 {
            assert!(begun.elapsed() < PATIENCE, "it is still open");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let next = world.control.say(&world.app_id(), OPENID, "hello again").await.unwrap();
        assert_eq!(next.reply.as_deref(), Some("正在为您转接"), "another conversation");
    })
    .await;
}
