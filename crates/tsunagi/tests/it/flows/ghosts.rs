//! "Unfollow" in the design: what becomes of the ghost when IM's answer is unclear, refused or none.

use super::on_every_engine;
use super::relay::delete_in_im;
use super::wire::customer;
use crate::support::{Engine, OPENID, Setup, World};
use serde_json::json;
use sim::{Fault, Kind};
use std::time::Duration;

/// The customer leaves and comes back; gives her ghost.
async fn comes_back(world: &World, openid: &str, text: &str) -> String {
    let (control, app_id) = (&world.control, world.app_id());
    control.unfollow(&app_id, openid).await.unwrap();
    control.follow(&app_id, openid).await.unwrap();
    let report = control.say(&app_id, openid, text).await.unwrap();
    assert_eq!(report.reply.as_deref(), Some("正在为您转接"), "a new conversation");
    world.agent_sees(text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclear_account_delete_counts_as_deleted() {
    on_every_engine(|engine| async move {
        let mut setup = Setup::new(engine);
        setup.clouds.im.paid = true;
        let world = setup.start().await;
        let delete = |kind| Fault::once("im.account_delete", kind);
        for (n, fault) in [
            delete(Kind::ResetAfter),
            delete(Kind::ResetBefore),
            delete(Kind::Status).value(502),
            delete(Kind::Truncated),
            delete(Kind::Body).value(""),
        ]
        .into_iter()
        .enumerate()
        {
            let openid = customer(n);
            assert_eq!(world.opened(&openid, &format!("first {n}")).await, openid);
            world.fault(fault).await;
            assert_eq!(comes_back(&world, &openid, &format!("again {n}")).await, format!("{openid}-2"));
        }
        // A third time, and each generation is retired for good. (Events of one second would be one event: F5.)
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(comes_back(&world, &customer(0), "and again").await, format!("{}-3", customer(0)));
        assert_eq!(world.lines(|line| line["kind"] == "fault").await.len(), 5);
        world.agent_says(&format!("{}-3", customer(0)), "welcome back").await;
        world.reaches(&world.app_id(), &customer(0), "welcome back").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_or_a_busy_answer_is_tried_again_until_the_ghost_is_deleted() {
    let world = Setup::new(Engine::Sqlite).start().await;
    world.opened(OPENID, "hello").await;
    world.fault(Fault::once("im.account_delete", Kind::Errcode).value(60007)).await;
    world.control.unfollow(&world.app_id(), OPENID).await.unwrap();
    world.line("deleted at last", |line| line["api"] == "im.account_delete" && line["error_code"] == 0).await;
    world.drained().await;
    let state = world.control.get("/sim/state").await.unwrap();
    assert!(!state.to_string().contains(&format!("\"{OPENID}\":")), "IM has forgotten her");
    let ghosts = world.database.pairs("SELECT user_id, state FROM ghost").await;
    assert_eq!(ghosts, [(OPENID.to_owned(), "retired".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_deletion_is_not_enabled_the_ghost_is_kept_and_an_alarm_raised() {
    on_every_engine(|engine| async move {
        let mut setup = Setup::new(engine);
        setup.clouds.im.deletion_enabled = false;
        let world = setup.start().await;
        world.opened(OPENID, "hello").await;
        assert_eq!(comes_back(&world, OPENID, "the same chat").await, OPENID);
        assert_eq!(world.metric("tsunagi_alarms_total").await, 1.0);
        assert!(world.log().contains("deletion of accounts is not enabled"));
        world.agent_says(OPENID, "welcome back").await;
        world.customer_sees("welcome back").await;
        assert_eq!(world.chat_with(OPENID).await, ["hello", "the same chat"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_userid_that_im_deleted_within_three_months_raises_the_generation() {
    on_every_engine(|engine| async move {
        let mut setup = Setup::new(engine);
        setup.clouds.im.paid = true;
        let world = setup.start().await;
        let (control, app_id) = (&world.control, world.app_id());
        // Deleted by an earlier installation, whose database is gone.
        let (writer, follower) = (OPENID.to_owned(), customer(1));
        for user in [&writer, &follower] {
            control.agent_online(user, true).await.unwrap();
            delete_in_im(&world, &[user]).await;
        }
        assert_eq!(world.opened(&writer, "on first use").await, format!("{writer}-2"));
        control.follow(&app_id, &follower).await.unwrap();
        world.drained().await;
        assert_eq!(world.opened(&follower, "[a word after a follow]").await, format!("{follower}-2"));
        // And if it is deleted behind our back while it lives.
        delete_in_im(&world, &[&format!("{writer}-2")]).await;
        assert_eq!(world.opened(&writer, "behind our back").await, format!("{writer}-3"));
        world.agent_says(&format!("{writer}-3"), "answered").await;
        world.customer_sees("answered").await;
        let retired = "SELECT COUNT(*) FROM ghost WHERE state = 'retired'";
        assert_eq!(world.database.count(retired).await, 3);
        let imports = world.calls("im.account_import").await;
        assert_eq!(imports.iter().filter(|call| call["error_code"] == json!(70399)).count(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f64_without_name_and_picture_each_customer_has_a_readable_name_that_stays() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for n in 0..3 {
        world.opened(&customer(n), &format!("hello {n}")).await;
    }
    let names = async || {
        let state = world.control.get("/sim/state").await.unwrap();
        (0..3).map(|n| state["im"]["accounts"][customer(n)]["nick"].as_str().unwrap().to_owned()).collect()
    };
    let first: Vec<String> = names().await;
    for name in &first {
        let (account, who) = name.split_once(" · ").unwrap_or_else(|| panic!("{name}"));
        assert_eq!(account, "shop");
        assert!(who.len() == 4 && who.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    }
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 3, "{first:?}");
    for n in 0..3 {
        world.control.say(&world.app_id(), &customer(n), &format!("again {n}")).await.unwrap();
        world.agent_sees(&format!("again {n}")).await;
    }
    assert_eq!(names().await, first);
}
