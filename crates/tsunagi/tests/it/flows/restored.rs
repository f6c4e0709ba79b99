//! A restored backup answers nobody again: what waited in it, and what was said after it, is not sent on our own.

use super::on_every_engine;
use crate::support::{AGENT, OPENID, Setup, World};
use sim::{Fault, Kind};
use std::time::Duration;

const QUICK: &str = "[desk]\nreconcile_every = 1\nagent_poll = 60";

/// The minute is over for which 45011 rests the account, which all nodes know of, and its lane.
async fn rested(world: &World) {
    world.database.execute("DELETE FROM pause").await;
    world.database.execute("UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL").await;
}

/// A backup with an answer in it that waits, and a day's work after it.
async fn a_day_after_the_backup(world: &mut World) -> (String, String) {
    let ghost = world.opened(OPENID, "question").await;
    world.agent_says(&ghost, "first").await;
    world.customer_sees("first").await;
    // Nothing goes out, and this waits in the backup.
    world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 99).value(45011)).await;
    world.agent_says(&ghost, "waits in the backup").await;
    world.struck("wechat.custom_send", 1).await;
    world.stop();
    let copy = world.database.backup().await;
    world.database = world.database.again();
    world.control.clear_faults().await.unwrap();
    rested(world).await;
    world.spawn(&[]);
    world.ready().await;
    world.customer_sees("waits in the backup").await;
    world.agent_says(&ghost, "after the backup").await;
    world.customer_sees("after the backup").await;
    world.control.say(&world.app_id(), OPENID, "thanks").await.unwrap();
    world.agent_sees("thanks").await;
    world.drained().await;
    world.stop();
    (ghost, copy)
}

async fn nothing_twice(world: &World, ghost: &str) {
    world.notice("无法确认是否送达：「waits in the backup」").await;
    world.notice("「after the backup」").await;
    world.agent_says(ghost, "today").await;
    world.customer_sees("today").await;
    world.control.say(&world.app_id(), OPENID, "one more").await.unwrap();
    world.agent_sees("one more").await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    world.drained().await;
    for text in ["first", "waits in the backup", "after the backup", "today"] {
        assert_eq!(world.shown_to_customer(text).await, 1, "{text}\n{}", world.log());
    }
    for text in ["question", "thanks", "one more"] {
        assert_eq!(world.shown_to_agent(|shown| shown == text).await, 1, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_with_yesterdays_backup_restored_no_customer_gets_anything_twice() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).desk(QUICK).start().await;
        let (ghost, copy) = a_day_after_the_backup(&mut world).await;
        world.database = world.database.restored(&copy).await;
        rested(&world).await;
        world.spawn(&[]);
        world.ready().await;
        assert!(world.log().contains("counts as restored from a backup"), "{}", world.log());
        nothing_twice(&world, &ghost).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_the_operator_can_say_that_a_backup_was_restored() {
    let mut world = Setup::new(crate::support::Engine::Sqlite).desk(QUICK).start().await;
    let (ghost, copy) = a_day_after_the_backup(&mut world).await;
    world.database = world.database.restored(&copy).await;
    rested(&world).await;
    // The whole folder went back: the mark agrees with the database.
    let state = "SELECT s.value, b.value FROM meta s, meta b WHERE s.key = 'store' AND b.key = 'beats'";
    let (id, beats) = world.database.pairs(state).await.remove(0);
    std::fs::write(world.folder.path().join("tsunagi.db.mark"), format!("{id} {beats}\n")).unwrap();
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["restored", "--config", "tsunagi.toml"])
        .current_dir(world.folder.path())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("is not sent"), "{said:?}");
    world.spawn(&[]);
    world.ready().await;
    assert!(!world.log().contains("counts as restored from a backup"), "{}", world.log());
    nothing_twice(&world, &ghost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_a_copy_without_its_mark_counts_as_restored() {
    let mut world = Setup::new(crate::support::Engine::Sqlite).desk(QUICK).start().await;
    let (ghost, copy) = a_day_after_the_backup(&mut world).await;
    world.database = world.database.restored(&copy).await;
    rested(&world).await;
    // An hourly copy on a new machine: nothing lies beside it.
    std::fs::remove_file(world.folder.path().join("tsunagi.db.mark")).unwrap();
    world.spawn(&[]);
    world.ready().await;
    assert!(world.log().contains("counts as restored from a backup"), "{}", world.log());
    nothing_twice(&world, &ghost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_a_restart_is_no_restore() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).desk(QUICK).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 99).value(45011)).await;
        world.agent_says(&ghost, "waits").await;
        world.struck("wechat.custom_send", 1).await;
        world.stop();
        world.control.clear_faults().await.unwrap();
        rested(&world).await;
        world.spawn(&[]);
        world.ready().await;
        world.customer_sees("waits").await;
        world.drained().await;
        assert!(!world.log().contains("counts as restored"), "{}", world.log());
        assert_eq!(world.shown_to_customer("waits").await, 1);
        assert_eq!(world.control.chats(AGENT).await.unwrap().len(), 1);
    })
    .await;
}
