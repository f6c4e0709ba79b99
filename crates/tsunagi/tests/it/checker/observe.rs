//! Gathers a run: the clouds' journal and the gateway's database.

use super::{Attempt, Delivery, Observed, Received, Said};
use crate::support::{Database, World};
use desk::{DeliveryState, Direction, Reason};
use serde_json::Value;
use sim::Control;
use std::collections::HashMap;

/// Faults after which nobody can say whether a call was carried out.
const AMBIGUOUS: [&str; 9] =
    ["hang", "reset_before", "reset_after", "reset_inside", "drip", "flood", "status", "body", "truncated"];

impl Observed {
    /// Of a world in which nothing is left to do. `cuts` are the spans (ms) in which a gateway was killed or frozen.
    pub(crate) async fn of(world: &World, cuts: &[(i64, i64)]) -> Observed {
        Observed::gather(&world.control, &world.database, cuts).await
    }

    /// Of clouds and a database.
    pub(crate) async fn gather(control: &Control, database: &Database, cuts: &[(i64, i64)]) -> Observed {
        let ghosts = database.pairs("SELECT user_id, openid FROM ghost").await.into_iter().collect();
        let mut run = Observed { cuts: cuts.to_vec(), ..Observed::default() };
        run.read_journal(&control.journal(0).await.unwrap(), &ghosts);
        run.read_database(database).await;
        run
    }

    /// What the database holds now.
    pub(crate) async fn read_database(&mut self, database: &Database) {
        let bodies: Vec<(Vec<u8>,)> = database.rows("SELECT body FROM inbox").await;
        self.inbox = bodies.into_iter().map(|(body,)| String::from_utf8_lossy(&body).into_owned()).collect();
        self.deliveries = deliveries(database).await;
        self.attempts = attempts(database).await;
    }

    fn read_journal(&mut self, lines: &[Value], ghosts: &HashMap<String, String>) {
        // By MsgId, by MsgKey.
        let mut pushes: HashMap<&str, usize> = HashMap::new();
        let mut messages: HashMap<&str, usize> = HashMap::new();
        let openid_of =
            |user: &str| ghosts.get(user).cloned().unwrap_or_else(|| format!("nobody's ghost {user}"));
        for line in lines {
            let word = |field: &str| line[field].as_str().unwrap_or_default();
            let n = line["n"].as_u64().unwrap();
            match (word("cloud"), word("kind")) {
                ("wechat", "said") if word("what") == "text" => {
                    pushes.insert(word("msg_id"), self.said.len());
                    self.said.push(said(Direction::In, word("openid").to_owned(), word("text"), n));
                }
                ("wechat", "push") if matches!(word("outcome"), "ack" | "reply") => {
                    if let Some(said) = pushes.get(word("msg_id")) {
                        self.said[*said].acknowledged.get_or_insert(n);
                    }
                }
                ("wechat", "push") => {
                    if let Some(said) = pushes.get(word("msg_id")) {
                        self.said[*said].faulted |= !line["fault"].is_null();
                        if !line["fault"].is_null() {
                            continue;
                        }
                        let end = line["at_ms"].as_i64().unwrap();
                        self.said[*said].in_vain.push((end - line["took_ms"].as_i64().unwrap(), end));
                    }
                }
                // An agent's message is in the chat before the webhook about it leaves; ours carry their mark.
                ("im", "delivered") if line["cloud_custom_data"].is_null() => {
                    messages.insert(word("msg_key"), self.said.len());
                    self.said.push(said(Direction::Out, openid_of(word("to")), word("text"), n));
                }
                ("im", "callback") if word("outcome") == "answered" && line["error_code"] == 0 => {
                    if let Some(said) = messages.get(word("msg_key")) {
                        self.said[*said].acknowledged.get_or_insert(n);
                    }
                }
                ("im", "delivered") if is_said_alike(word("text")) => {}
                ("im", "delivered") => self.received.push(Received {
                    way: Direction::In,
                    openid: openid_of(word("from")),
                    text: word("text").to_owned(),
                    at: n,
                }),
                ("wechat", "delivered") if word("via") == "custom_send" => self.received.push(Received {
                    way: Direction::Out,
                    openid: word("openid").to_owned(),
                    text: word("text").to_owned(),
                    at: n,
                }),
                (_, "fault") if word("api") == "wechat.custom_send" && AMBIGUOUS.contains(&word("fault")) => {
                    self.faults.push(line["at_ms"].as_i64().unwrap());
                }
                _ => {}
            }
        }
    }
}

fn said(way: Direction, openid: String, text: &str, begun: u64) -> Said {
    Said {
        way,
        openid,
        text: text.to_owned(),
        begun,
        acknowledged: None,
        in_vain: Vec::new(),
        faulted: false,
    }
}

fn way(direction: &str) -> Direction {
    if direction == "in" { Direction::In } else { Direction::Out }
}

async fn deliveries(database: &Database) -> Vec<Delivery> {
    type Row = (String, String, String, String, String, Option<String>, String, Option<i64>);
    let rows: Vec<Row> = database
        .rows(
            "SELECT d.id, m.direction, m.openid, m.kind, d.state, d.reason, d.body, d.msg_seq \
             FROM delivery d JOIN message m ON m.id = d.message",
        )
        .await;
    let delivery = |(id, direction, openid, kind, state, reason, text, seq): Row| Delivery {
        id,
        way: way(&direction),
        openid,
        notice: kind == "notice",
        state: DeliveryState::parse(&state).unwrap(),
        reason: reason.map(|reason| Reason::parse(&reason).unwrap()),
        text,
        seq,
    };
    rows.into_iter().map(delivery).filter(|delivery| !is_said_alike(&delivery.text)).collect()
}

/// How many replies are left, and for how long, is said in many chats in the same words, which tells no two of them apart.
fn is_said_alike(text: &str) -> bool {
    text.starts_with("【Tsunagi】已送达") || text.starts_with("【Tsunagi】客户还在等待回复")
}

async fn attempts(database: &Database) -> Vec<Attempt> {
    type Row = (String, i64, Option<i64>, Option<String>);
    let rows: Vec<Row> = database.rows("SELECT delivery, started_at, ended_at, outcome FROM attempt").await;
    let attempt =
        |(delivery, started_at, ended_at, outcome): Row| Attempt { delivery, started_at, ended_at, outcome };
    rows.into_iter().map(attempt).collect()
}
