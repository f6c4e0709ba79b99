//! `tsunagi jobs`: beside a running gateway, on both engines.

use super::run::{Ran, run, run_with};
use crate::support::{AGENT, Engine, OPENID, Setup, World, engines};
use serde_json::Value;
use sim::{Fault, Format, Kind, Mode};

const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

impl World {
    async fn jobs(&self, arguments: &[&str]) -> Ran {
        let all: Vec<&str> = [&["jobs"], arguments, &["--config", "tsunagi.toml"]].concat();
        run(self.folder.path(), &all).await
    }

    /// The entries of `jobs list`.
    async fn listed(&self, arguments: &[&str]) -> Vec<Value> {
        let ran = self.jobs(&[&["list", "--json"], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.said());
        ran.lines()
    }

    /// Waits until `jobs list` has an entry that fits.
    async fn listed_soon(&self, arguments: &[&str], fits: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            if let Some(found) = self.listed(arguments).await.into_iter().find(&fits) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!(
            "no such entry in jobs list {arguments:?}: {:?}\n{}",
            self.listed(arguments).await,
            self.log()
        );
    }

    /// A customer wrote, and an agent has the chat; gives the ghost.
    async fn chat(&self) -> String {
        self.control.say(&self.app_id(), OPENID, "こんにちは").await.unwrap();
        self.agent_sees("こんにちは").await
    }

    async fn answer(&self, ghost: &str, text: &str) {
        self.control.agent_say(AGENT, ghost, text).await.unwrap().unwrap();
    }
}

fn id(entry: &Value) -> String {
    entry["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_loses_nothing() {
    for engine in engines() {
        let wrong = ("TSUNAGI__ACCOUNT__0__ENCODING_AES_KEY", OTHER_KEY);
        let mut world =
            Setup::new(engine).mode(Mode::Secure, Format::Xml).env(wrong.0, wrong.1).start().await;
        let app_id = world.app_id();
        let other = "oAnotherCustomerOfThisShop00";
        world.control.follow(&app_id, OPENID).await.unwrap();
        for text in ["one", "two", "three"] {
            world.control.say(&app_id, OPENID, text).await.unwrap();
            world.control.say(&app_id, other, &format!("other {text}")).await.unwrap();
        }
        let unreadable = world.listed(&[]).await;
        assert_eq!(unreadable.len(), 7, "{unreadable:?}");
        assert!(unreadable.iter().all(|entry| entry["state"] == "unreadable" && entry["account"] == "shop"));
        let table = world.jobs(&["list"]).await;
        assert!(
            table.stdout.contains("0 waiting, 0 parked, 7 unreadable")
                && table.stdout.contains("jobs retry --unreadable")
        );

        let arguments = ["jobs", "retry", "--unreadable", "--config", "tsunagi.toml"];
        let still = run_with(world.folder.path(), &arguments, &[wrong]).await;
        assert_eq!(still.code, 1, "{}", still.said());
        assert!(still.stdout.contains("7 still cannot be read"), "{}", still.said());
        assert!(still.stderr.contains("hint: set encoding_aes_key"), "{}", still.said());
        assert!(!still.said().contains(OTHER_KEY));

        // The key is mended, and the gateway started again; it runs while the pushes are read.
        world.kill();
        world.spawn(&[]);
        world.ready().await;
        let one = world.jobs(&["retry", &id(&unreadable[1])]).await;
        assert!(one.code == 0 && one.stdout.contains("read, and put on its lane"), "{}", one.said());
        let ghost = world.agent_sees("one").await;
        let rest = world.jobs(&["retry", "--unreadable", "--account", "shop"]).await;
        assert_eq!(rest.code, 0, "{}", rest.said());
        assert!(
            rest.stdout.contains("6 read and put on their lanes, 0 were copies, 0 still"),
            "{}",
            rest.said()
        );
        world.agent_sees("three").await;
        world.agent_sees("other three").await;
        world.drained().await;
        let again = world.jobs(&["retry", "--unreadable"]).await;
        assert!(again.code == 0 && again.stdout.starts_with("0 read"), "{}", again.said());
        assert_eq!(world.jobs(&["retry", &id(&unreadable[1])]).await.code, 1, "it is done");
        let said: Vec<String> = world
            .control
            .chat(AGENT, &ghost)
            .await
            .unwrap()
            .into_iter()
            .map(|message| message.text)
            .collect();
        assert_eq!(said, ["one", "two", "three"], "once, and in order");
        assert_eq!(world.shown_to_agent(|text| text.starts_with("other ")).await, 3);
        assert_eq!(world.listed(&["--state", "all"]).await, Vec::<Value>::new());
        let follows = "SELECT COUNT(*) FROM customer WHERE subscribed = 1";
        assert_eq!(world.database.count(follows).await, 2);
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_shown_without_its_customer_and_can_be_dropped() {
    for engine in engines() {
        let world = Setup::new(engine).start().await;
        let ghost = world.chat().await;
        world.drained().await;
        world
            .control
            .fault(Fault::lasting("wechat.custom_send", Kind::Errcode, 60_000).value(40164))
            .await
            .unwrap();
        world.answer(&ghost, "秘密の返事").await;
        world.answer(&ghost, "二番目").await;
        let stuck = world.listed_soon(&[], |entry| entry["last"] == "40164" && entry["tries"] != 0).await;
        assert_eq!((&stuck["kind"], &stuck["direction"]), (&Value::from("answer"), &Value::from("out")));
        let list = world.jobs(&["list"]).await;
        assert!(
            list.stdout.contains("waiting, behind") && list.stdout.contains("2 waiting"),
            "{}",
            list.said()
        );
        for hidden in [OPENID, "秘密の返事", "二番目"] {
            assert!(!list.said().contains(hidden), "{}", list.said());
            let json = world.jobs(&["list", "--json", "--state", "all"]).await;
            assert!(!json.said().contains(hidden), "{}", json.said());
        }
        let shown = world.jobs(&["list", "--show-customers"]).await;
        assert!(shown.stdout.contains(OPENID) && shown.stdout.contains("秘密の返事"), "{}", shown.said());
        assert!(world.listed(&["--account", "other"]).await.is_empty());

        let dropped = world.jobs(&["drop", &id(&stuck)]).await;
        assert_eq!((dropped.code, dropped.stdout.contains("dropped")), (0, true), "{}", dropped.said());
        world.agent_sees_notice("秘密の返事", "管理员").await;
        assert_eq!(world.jobs(&["drop", &id(&stuck)]).await.code, 1, "it is gone");
        world.control.clear_faults().await.unwrap();
        // What stood behind it need not wait for the next try.
        let next = world.listed_soon(&[], |entry| entry["kind"] != "relay").await;
        let hurried = world.jobs(&["retry", &id(&next)]).await;
        assert!(hurried.code == 0 || hurried.stderr.contains("worked on"), "{}", hurried.said());
        world.customer_sees("二番目").await;
        world.drained().await;
        assert_eq!(world.shown_to_customer("秘密の返事").await, 0);
        let failed = world.listed(&["--state", "failed"]).await;
        assert_eq!((failed.len(), &failed[0]["reason"]), (1, &Value::from("dropped")), "{failed:?}");
        let again = world.jobs(&["drop", &id(&failed[0])]).await;
        assert!(again.code == 1 && again.stderr.contains("has ended already"), "{}", again.said());
        let retried = world.jobs(&["retry", &id(&failed[0])]).await;
        assert_eq!(retried.code, 0, "{}", retried.said());
        world.customer_sees("秘密の返事").await;
        world.drained().await;
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_arrived_goes_out_again_only_when_a_person_says_so() {
    for engine in engines() {
        let world = Setup::new(engine).start().await;
        let ghost = world.chat().await;
        world.control.fault(Fault::once("wechat.custom_send", Kind::ResetAfter)).await.unwrap();
        world.answer(&ghost, "届いたかな").await;
        let unsure = world.listed_soon(&["--state", "unsure"], |_| true).await;
        world.drained().await;
        let refused = world.jobs(&["retry", &id(&unsure)]).await;
        assert_eq!(refused.code, 1, "{}", refused.said());
        assert!(
            refused.stderr.contains("may arrive twice") && refused.stderr.contains("--unsure"),
            "{}",
            refused.said()
        );
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(world.shown_to_customer("届いたかな").await, 1);
        let told = world.jobs(&["retry", "--unsure", &id(&unsure)]).await;
        assert!(told.code == 0 && told.stderr.contains("warning: "), "{}", told.said());
        world.drained().await;
        assert_eq!(world.shown_to_customer("届いたかな").await, 2);
        assert!(world.listed(&["--state", "all"]).await.is_empty());

        world.control.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45047)).await.unwrap();
        world.answer(&ghost, "もう一度").await;
        let failed = world.listed_soon(&["--state", "failed"], |_| true).await;
        assert_eq!(failed["reason"], "count_used_up");
        let retried = world.jobs(&["retry", &id(&failed)]).await;
        assert!(retried.code == 0 && retried.stdout.contains("put on its lane again"), "{}", retried.said());
        world.customer_sees("もう一度").await;
        world.drained().await;
        assert_eq!(world.shown_to_customer("もう一度").await, 1);
        assert_eq!(world.jobs(&["retry", &id(&failed)]).await.code, 1, "it is sent");
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_message_that_waits_can_be_given_up() {
    let mut world = Setup::new(Engine::Sqlite).start().await;
    world.chat().await;
    world.drained().await;
    world.control.fault(Fault::lasting("im.sendmsg", Kind::Errcode, 60_000).value(60020)).await.unwrap();
    world.control.say(&world.app_id(), OPENID, "大事な話").await.unwrap();
    let stuck = world.listed_soon(&[], |entry| entry["last"] == "60020").await;
    // Nobody has to be there for it.
    world.stop();
    let dropped = world.jobs(&["drop", &id(&stuck)]).await;
    assert_eq!(dropped.code, 0, "{}", dropped.said());
    assert!(world.listed(&[]).await.is_empty());
    world.control.clear_faults().await.unwrap();
    world.spawn(&[]);
    world.ready().await;
    world.control.say(&world.app_id(), OPENID, "次の話").await.unwrap();
    world.agent_sees("次の話").await;
    world.drained().await;
    assert_eq!(world.shown_to_agent(|text| text.contains("大事な話")).await, 0);
    let state = "SELECT COUNT(*) FROM delivery WHERE state = 'failed' AND reason = 'dropped'";
    assert_eq!(world.database.count(state).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ids_are_refused_in_words() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for wrong in ["nonsense", "0123456789abcdef0123456789abcdef", "abcdef012345-7", "../../etc", ""] {
        for command in ["retry", "drop"] {
            let ran = world.jobs(&[command, wrong]).await;
            assert_eq!(ran.code, 1, "{}", ran.said());
            assert!(
                ran.stderr.contains("error: ") && ran.stderr.contains("hint: `tsunagi jobs list`"),
                "{}",
                ran.said()
            );
        }
    }
    assert_eq!(world.jobs(&["retry"]).await.code, 2);
    assert_eq!(world.jobs(&["drop"]).await.code, 2);
    assert_eq!(world.jobs(&["list", "--state", "lost"]).await.code, 2);

    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(&world.config).unwrap();
    let own = format!("sqlite:{}", world.folder.path().join("tsunagi.db").display());
    std::fs::write(folder.path().join("tsunagi.toml"), text.replace(&own, "sqlite:none.db")).unwrap();
    let none = run(folder.path(), &["jobs", "list", "--config", "tsunagi.toml"]).await;
    assert_eq!(none.code, 1, "{}", none.said());
    assert!(none.stderr.contains("no gateway's database yet"), "{}", none.said());
    assert!(!folder.path().join("none.db").exists(), "looking makes nothing");
}

impl World {
    /// Waits until the agent is told something about these words.
    async fn agent_sees_notice(&self, words: &str, more: &str) {
        let fits = |line: &Value| {
            let text = line["text"].as_str().unwrap_or_default();
            line["cloud"] == "im"
                && line["kind"] == "delivered"
                && text.starts_with("【Tsunagi】")
                && text.contains(words)
                && text.contains(more)
        };
        let told = self.control.wait_for(crate::support::PATIENCE, fits).await;
        told.unwrap_or_else(|error| panic!("the agent was not told of {words}: {error}\n{}", self.log()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_late_says_when_it_came() {
    let wrong = ("TSUNAGI__ACCOUNT__0__ENCODING_AES_KEY", OTHER_KEY);
    let mut world =
        Setup::new(Engine::Sqlite).mode(Mode::Secure, Format::Xml).env(wrong.0, wrong.1).start().await;
    world.control.say(&world.app_id(), OPENID, "営業時間は？").await.unwrap();
    world.kill();
    world.database.execute("UPDATE inbox SET received_at = received_at - 10860000").await;
    world.spawn(&[]);
    world.ready().await;
    assert_eq!(world.jobs(&["retry", "--unreadable"]).await.code, 0);
    world.agent_sees("[3小时前收到]\n営業時間は？").await;
    // It is as old as it is, and its job is not.
    let old =
        "SELECT COUNT(*) FROM message m JOIN inbox i ON i.id = m.inbox WHERE m.created_at = i.received_at";
    assert_eq!(world.database.count(old).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_before_does_not_undo_what_came_since() {
    let wrong = ("TSUNAGI__ACCOUNT__0__ENCODING_AES_KEY", OTHER_KEY);
    let mut world =
        Setup::new(Engine::Sqlite).mode(Mode::Secure, Format::Xml).env(wrong.0, wrong.1).start().await;
    let app_id = world.app_id();
    world.control.follow(&app_id, OPENID).await.unwrap();
    world.control.unfollow(&app_id, OPENID).await.unwrap();
    world.kill();
    world.spawn(&[]);
    world.ready().await;
    let ghost = world.chat().await;
    let read = world.jobs(&["retry", "--unreadable"]).await;
    assert!(read.code == 0 && read.stdout.starts_with("2 read"), "{}", read.said());
    world.drained().await;
    let subscribed = "SELECT COUNT(*) FROM customer WHERE subscribed = 1";
    assert_eq!(world.database.count(subscribed).await, 1, "they wrote after they had left");
    assert_eq!(world.database.count("SELECT COUNT(*) FROM ghost WHERE state <> 'living'").await, 0);
    world.answer(&ghost, "おかえりなさい").await;
    world.customer_sees("おかえりなさい").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_customer_is_listed_and_can_be_dropped() {
    for engine in engines() {
        let world = Setup::new(engine).account("park = true").start().await;
        let ghost = world.chat().await;
        world.control.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45015)).await.unwrap();
        world.answer(&ghost, "first").await;
        let first = world.listed_soon(&["--state", "parked"], |entry| entry["kind"] == "answer").await;
        world.answer(&ghost, "second").await;
        let shown = ["--state", "parked", "--show-customers"];
        let second = world.listed_soon(&shown, |entry| entry["words"] == "second").await;
        assert_eq!((&first["state"], &first["direction"]), (&"parked".into(), &"out".into()));
        assert!(first["words"].is_null() && second["openid"] == OPENID, "{first} {second}");
        let list = world.jobs(&["list"]).await;
        assert!(list.stdout.contains("0 waiting, 2 parked"), "{}", list.said());
        assert!(!list.stdout.contains("first"), "{}", list.said());

        let retry = world.jobs(&["retry", &id(&first)]).await;
        assert!(retry.code == 1 && retry.stderr.contains("waits for the customer"), "{}", retry.said());
        let drop = world.jobs(&["drop", &id(&first)]).await;
        assert_eq!(drop.code, 0, "{}", drop.said());
        let told = "【Tsunagi】未送达：「first」。管理员已将其从待发送队列中移除；如仍需要，请再发一次。";
        world.agent_sees(told).await;
        let again = world.jobs(&["drop", &id(&first)]).await;
        assert!(again.code == 1 && again.stderr.contains("ended already"), "{}", again.said());
        world.control.say(&world.app_id(), OPENID, "hello?").await.unwrap();
        world.customer_sees("second").await;
        world.drained().await;
        assert_eq!(world.shown_to_customer("first").await, 0);
        assert!(world.listed(&["--state", "parked"]).await.is_empty());
    }
}
