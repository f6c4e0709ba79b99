//! A batch of webhooks inside its transaction: a fixed number of statements, however many there are.
//!
//! In this order: the dedup key decides what is new; the customer's row decides whether a conversation opens;
//! inbox, lanes and jobs follow; the answers come last, for repeats those of their first copy. `ingest.rs`
//! decides what goes into a batch, and what becomes of one that fails.

use crate::dialect;
use crate::ingest::{Arrival, Effect, Ingested, Novelty, Work};
use crate::lane::NewJob;
use crate::sql::{Conn, Error, Tx, column, json_rows, many};
use crate::sqlite;
use desk::{Direction, Millis};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The note on the job of a follow or unfollow that comes after a newer one: the customer's row has ignored it, and so
/// does the job.
pub const OVERTAKEN: &str = "overtaken";

/// Stores a batch inside a transaction.
pub(crate) async fn store(
    tx: &mut Tx<'_>,
    arrivals: &[Arrival],
    idle: Millis,
) -> Result<Vec<Ingested>, Error> {
    let new = insert_keys(tx, arrivals).await?;
    let fresh: Vec<&Arrival> =
        arrivals.iter().zip(&new).filter(|(_, new)| **new).map(|(arrival, _)| arrival).collect();
    let customers = touch_customers(tx, &fresh, idle).await?;
    let ghosts = whose_ghosts(tx, &fresh).await?;
    let mut jobs = Vec::with_capacity(fresh.len());
    let mut account_of = HashMap::with_capacity(fresh.len());
    for arrival in &fresh {
        let lane = match &arrival.work {
            Work::Nothing => continue,
            Work::Customer { openid, .. } => (arrival.account.clone(), openid.clone(), Direction::In),
            Work::Ghost { user_id } => match ghosts.get(user_id) {
                Some((account, openid)) => (account.clone(), openid.clone(), Direction::Out),
                None => continue,
            },
        };
        account_of.insert(arrival.id.as_str(), lane.0.clone());
        jobs.push(NewJob {
            account: lane.0,
            openid: lane.1,
            direction: lane.2,
            kind: arrival.kind,
            subject: arrival.id.as_str().to_owned(),
            note: customers.note_of(arrival.id.as_str()),
            since: arrival.received_at,
            trace: arrival.trace.clone(),
        });
    }
    insert_inbox(tx, &fresh, &account_of).await?;
    tx.enqueue(&jobs).await?;
    set_replies(tx, &customers.opened).await?;
    answers(tx, arrivals, &new, &customers.opened).await
}

/// Inserts the dedup keys; tells for each arrival whether it is the first of its key, here and in the table.
pub(crate) async fn insert_keys(tx: &mut Tx<'_>, arrivals: &[Arrival]) -> Result<Vec<bool>, Error> {
    if crate::faults::sabotaged("no-dedup") {
        return Ok(vec![true; arrivals.len()]);
    }
    let mut seen = HashSet::new();
    let first: Vec<bool> = arrivals.iter().map(|arrival| seen.insert(arrival.dedup_key.as_str())).collect();
    let mut keys: Vec<&Arrival> =
        arrivals.iter().zip(&first).filter(|(_, first)| **first).map(|(arrival, _)| arrival).collect();
    // One order of locking for all nodes.
    keys.sort_by(|a, b| a.dedup_key.cmp(&b.dedup_key));
    let inserted: Vec<(String,)> = match &mut tx.conn {
        Conn::Sqlite(conn) => many!(
            conn,
            (String,),
            dialect::INSERT_DEDUP.sqlite,
            keys,
            |a| a.dedup_key.as_str(),
            a.id.as_str(),
            a.received_at,
            a.reply.as_deref()
        ),
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::INSERT_DEDUP.postgres)
                .bind(column(&keys, |a| a.dedup_key.clone()))
                .bind(column(&keys, |a| a.id.as_str().to_owned()))
                .bind(column(&keys, |a| a.received_at))
                .bind(column(&keys, |a| a.reply.clone()))
                .fetch_all(&mut **conn)
                .await?
        }
    };
    let inserted: HashSet<String> = inserted.into_iter().map(|(key,)| key).collect();
    Ok(arrivals.iter().zip(first).map(|(a, first)| first && inserted.contains(&a.dedup_key)).collect())
}

#[derive(Default)]
struct Customers {
    /// Inbox id → the conversation that this message belongs to.
    conversation_of: HashMap<String, String>,
    /// Dedup key → the reply of a message that opened a conversation.
    opened: HashMap<String, Option<Vec<u8>>>,
    /// Inbox ids of follows and unfollows that come after a newer one.
    overtaken: HashSet<String>,
}

impl Customers {
    /// What the job of a push has to know of this moment.
    fn note_of(&self, inbox: &str) -> Option<String> {
        if self.overtaken.contains(inbox) {
            return Some(OVERTAKEN.to_owned());
        }
        self.conversation_of.get(inbox).cloned()
    }
}

/// Applies the effects of new pushes to the customers' rows.
///
/// One statement may touch a row once, so a customer's effects are cut into runs (quick messages in a row are
/// one run: only the first can open a conversation), and the n-th runs of all customers go together.
async fn touch_customers(tx: &mut Tx<'_>, fresh: &[&Arrival], idle: Millis) -> Result<Customers, Error> {
    let mut runs: BTreeMap<(&str, &str), Vec<Vec<&Arrival>>> = BTreeMap::new();
    for arrival in fresh {
        let Work::Customer { openid, effect, .. } = &arrival.work else { continue };
        let runs = runs.entry((arrival.account.as_str(), openid.as_str())).or_default();
        let extends = matches!(effect, Effect::Write { .. })
            && runs.last().is_some_and(|run| matches!(run[0].effect(), Some(Effect::Write { .. })));
        match runs.last_mut() {
            Some(run) if extends => run.push(arrival),
            _ => runs.push(vec![arrival]),
        }
    }
    let mut customers = Customers::default();
    let rounds = runs.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        let heads: Vec<(&str, &str, &Vec<&Arrival>)> = runs
            .iter()
            .filter_map(|((account, openid), runs)| runs.get(round).map(|run| (*account, *openid, run)))
            .collect();
        let open = upsert_customers(tx, &heads, idle).await?;
        for (account, openid, run) in heads {
            let Some((conversation, event_at)) = open.get(&(account.to_owned(), openid.to_owned())) else {
                continue;
            };
            if run[0].comes_or_goes() && said_at(run) < *event_at {
                customers.overtaken.insert(run[0].id.as_str().to_owned());
            }
            let Some(conversation) = conversation.as_deref().filter(|_| !run[0].comes_or_goes()) else {
                continue;
            };
            if let Some(Effect::Write { conversation: candidate, waiting }) = run[0].effect()
                && conversation == candidate.as_str()
                && waiting.is_some()
            {
                customers.opened.insert(run[0].dedup_key.clone(), waiting.clone());
            }
            for arrival in run {
                customers.conversation_of.insert(arrival.id.as_str().to_owned(), conversation.to_owned());
            }
        }
    }
    Ok(customers)
}

impl Arrival {
    fn effect(&self) -> Option<&Effect> {
        match &self.work {
            Work::Customer { effect, .. } => Some(effect),
            _ => None,
        }
    }

    fn candidate(&self) -> Option<String> {
        match self.effect() {
            Some(Effect::Write { conversation, .. }) => Some(conversation.as_str().to_owned()),
            _ => None,
        }
    }

    fn comes_or_goes(&self) -> bool {
        matches!(self.effect(), Some(Effect::Follow | Effect::Unfollow))
    }

    fn subscribed(&self) -> i64 {
        i64::from(!matches!(self.effect(), Some(Effect::Unfollow)))
    }
}

async fn upsert_customers(
    tx: &mut Tx<'_>,
    heads: &[(&str, &str, &Vec<&Arrival>)],
    idle: Millis,
) -> Result<HashMap<(String, String), (Option<String>, Millis)>, Error> {
    let rows: Vec<(String, String, Option<String>, Millis)> = match &mut tx.conn {
        // The newest of the run keeps the conversation alive.
        Conn::Sqlite(conn) => many!(
            conn,
            (String, String, Option<String>, Millis),
            dialect::UPSERT_CUSTOMER.sqlite,
            heads,
            |(account, openid, run)| *account,
            *openid,
            run[0].subscribed(),
            run[0].candidate(),
            newest(run),
            said_at(run);
            idle
        ),
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::UPSERT_CUSTOMER.postgres)
                .bind(column(heads, |h| h.0.to_owned()))
                .bind(column(heads, |h| h.1.to_owned()))
                .bind(column(heads, |h| h.2[0].subscribed()))
                .bind(column(heads, |h| h.2[0].candidate()))
                .bind(column(heads, |h| newest(h.2)))
                .bind(column(heads, |h| said_at(h.2)))
                .bind(idle)
                .fetch_all(&mut **conn)
                .await?
        }
    };
    Ok(rows
        .into_iter()
        .map(|(account, openid, open, event_at)| ((account, openid), (open, event_at)))
        .collect())
}

/// When it was said or done, by WeChat's clock; negative for all but follows and unfollows.
fn said_at(run: &[&Arrival]) -> Millis {
    let said = run.iter().filter_map(|arrival| match &arrival.work {
        Work::Customer { said_at, .. } => Some(*said_at),
        _ => None,
    });
    let newest = said.max().unwrap_or(0);
    if run[0].comes_or_goes() { newest } else { -newest }
}

fn newest(run: &[&Arrival]) -> Millis {
    run.iter().map(|arrival| arrival.received_at).max().unwrap_or(0)
}

async fn whose_ghosts(
    tx: &mut Tx<'_>,
    fresh: &[&Arrival],
) -> Result<HashMap<String, (String, String)>, Error> {
    let ids: Vec<String> = fresh
        .iter()
        .filter_map(|arrival| match &arrival.work {
            Work::Ghost { user_id } => Some(user_id.clone()),
            _ => None,
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let ids = json_rows(ids.into_iter());
            sqlite::query(dialect::SELECT_GHOSTS.sqlite).bind(ids).rows(conn)?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::SELECT_GHOSTS.postgres).bind(ids).fetch_all(&mut **conn).await?
        }
    };
    Ok(rows.into_iter().map(|(id, account, openid)| (id, (account, openid))).collect())
}

/// A webhook of IM does not say whose it is; the lane that it went to does (inbox id → account).
pub(crate) async fn insert_inbox(
    tx: &mut Tx<'_>,
    fresh: &[&Arrival],
    account_of: &HashMap<&str, String>,
) -> Result<(), Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let account = |arrival: &Arrival| account_of.get(arrival.id.as_str()).unwrap_or(&arrival.account).clone();
    match &mut tx.conn {
        Conn::Sqlite(conn) => {
            many!(
                conn,
                (i64,),
                dialect::INSERT_INBOX.sqlite,
                fresh,
                |a| a.id.as_str(),
                a.source.as_str(),
                account(a),
                a.kind,
                a.received_at,
                a.query.as_deref(),
                a.body.as_slice()
            );
        }
        Conn::Postgres(conn) => {
            sqlx::query(dialect::INSERT_INBOX.postgres)
                .bind(column(fresh, |a| a.id.as_str().to_owned()))
                .bind(column(fresh, |a| a.source.as_str().to_owned()))
                .bind(column(fresh, |a| account(a)))
                .bind(column(fresh, |a| a.kind.to_owned()))
                .bind(column(fresh, |a| a.received_at))
                .bind(column(fresh, |a| a.query.clone()))
                .bind(column(fresh, |a| a.body.clone()))
                .execute(&mut **conn)
                .await?;
        }
    }
    Ok(())
}

async fn set_replies(tx: &mut Tx<'_>, opened: &HashMap<String, Option<Vec<u8>>>) -> Result<(), Error> {
    if opened.is_empty() {
        return Ok(());
    }
    match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let opened: Vec<_> = opened.iter().collect();
            many!(
                conn,
                (i64,),
                dialect::SET_REPLY.sqlite,
                opened,
                |(key, reply)| key.as_str(),
                reply.as_deref()
            );
        }
        Conn::Postgres(conn) => {
            let (keys, replies): (Vec<_>, Vec<_>) = opened.clone().into_iter().unzip();
            sqlx::query(dialect::SET_REPLY.postgres).bind(keys).bind(replies).execute(&mut **conn).await?;
        }
    }
    Ok(())
}

/// The answers, for repeats those of their first copy.
async fn answers(
    tx: &mut Tx<'_>,
    arrivals: &[Arrival],
    new: &[bool],
    opened: &HashMap<String, Option<Vec<u8>>>,
) -> Result<Vec<Ingested>, Error> {
    let repeats: Vec<String> = arrivals
        .iter()
        .zip(new)
        .filter(|(_, new)| !**new)
        .map(|(arrival, _)| arrival.dedup_key.clone())
        .collect();
    let kept: HashMap<String, Option<Vec<u8>>> = if repeats.is_empty() {
        HashMap::new()
    } else {
        let rows: Vec<(String, Option<Vec<u8>>)> = match &mut tx.conn {
            Conn::Sqlite(conn) => {
                let keys = json_rows(repeats.into_iter());
                sqlite::query(dialect::SELECT_DEDUP.sqlite).bind(keys).rows(conn)?
            }
            Conn::Postgres(conn) => {
                sqlx::query_as(dialect::SELECT_DEDUP.postgres).bind(repeats).fetch_all(&mut **conn).await?
            }
        };
        rows.into_iter().collect()
    };
    let answer = |(arrival, new): (&Arrival, &bool)| {
        let reply = if *new {
            opened.get(&arrival.dedup_key).cloned().unwrap_or_else(|| arrival.reply.clone())
        } else {
            kept.get(&arrival.dedup_key).cloned().flatten()
        };
        Ingested { novelty: if *new { Novelty::New } else { Novelty::Repeat }, reply }
    };
    Ok(arrivals.iter().zip(new).map(answer).collect())
}
