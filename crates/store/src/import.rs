//! `accounts import`: followers become customers with a ghost, many in a transaction, and where the import stands.
//!
//! A round is planned (rows for customers and ghosts), imported into IM by the caller, and then marked as living.
//! Whoever dies between leaves planned ghosts, which the next run imports again; importing twice changes nothing.

use crate::dialect;
use crate::ghost::GhostState;
use crate::open::Store;
use crate::sql::{Conn, Error, Tx, column, execute, json_rows, row};
use crate::sqlite;
use desk::Millis;
use std::collections::HashSet;

/// A ghost that is planned, and is to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// For whom it stands.
    pub openid: String,
    /// Its UserID in IM.
    pub user_id: String,
}

/// What a round found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Round {
    /// To be imported.
    pub planned: Vec<Planned>,
    /// Followers whose ghost lives already.
    pub present: i64,
    /// Those who left since the page was read.
    pub left: i64,
}

/// Where the import of an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportState {
    /// Begins the page that is under way; empty for the first.
    pub next_openid: String,
    /// How many follow, as WeChat said last.
    pub followers: i64,
    /// Imported by this import.
    pub imported: i64,
    /// Found living.
    pub present: i64,
    /// Could not be imported.
    pub failed: i64,
    /// When it began.
    pub started_at: Millis,
    /// When it ended; `None` while there is more to do.
    pub finished_at: Option<Millis>,
}

/// A follower as the database knows them.
struct Known {
    openid: String,
    subscribed: bool,
    generation: i64,
    ghost: Option<(String, GhostState, Millis)>,
}

impl Store {
    /// Makes customers of followers and plans a ghost for each who has none living. `names` gives the UserIDs that a
    /// follower's ghost of a generation may have, best first; `read_at` is when WeChat said that they follow.
    pub async fn plan_followers(
        &self,
        account: &str,
        mut openids: Vec<String>,
        names: impl Fn(&str, i64) -> Vec<String> + Send + Sync + 'static,
        read_at: Millis,
        now: Millis,
    ) -> Result<Round, Error> {
        // One order of locking for all nodes.
        openids.sort();
        openids.dedup();
        let account = account.to_owned();
        self.write(move |tx| {
            Box::pin(async move { plan(tx, &account, &openids, &names, read_at, now).await })
        })
        .await
    }

    /// Records that IM has these ghosts, and where the import stands.
    pub async fn ghosts_live(
        &self,
        account: &str,
        user_ids: Vec<String>,
        state: ImportState,
        now: Millis,
    ) -> Result<(), Error> {
        let account = account.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                match &mut tx.conn {
                    Conn::Sqlite(conn) => {
                        let ids = json_rows(user_ids.iter());
                        sqlite::query(dialect::GHOSTS_LIVE.sqlite).bind(ids).bind(now).execute(conn)?;
                    }
                    Conn::Postgres(conn) => {
                        let live = sqlx::query(dialect::GHOSTS_LIVE.postgres).bind(user_ids).bind(now);
                        live.execute(&mut **conn).await?;
                    }
                }
                tx.set_import(&account, &state, now).await
            })
        })
        .await
    }

    /// Where the import of an account stands; `None` if there never was one.
    pub async fn import_state(&self, account: &str) -> Result<Option<ImportState>, Error> {
        type Row = (String, i64, i64, i64, i64, i64, Option<i64>);
        let account = account.to_owned();
        self.read(move |tx| {
            Box::pin(async move {
                let found = row!(
                    tx,
                    Row,
                    "SELECT next_openid, followers, imported, present, failed, started_at, finished_at \
                     FROM import WHERE account = $1",
                    account.as_str()
                )?;
                Ok(found.map(
                    |(next_openid, followers, imported, present, failed, started_at, finished_at)| {
                        ImportState {
                            next_openid,
                            followers,
                            imported,
                            present,
                            failed,
                            started_at,
                            finished_at,
                        }
                    },
                ))
            })
        })
        .await
    }

    /// Gives a ghost up under whose UserID IM has nobody and takes nobody for three months.
    pub async fn retire_ghost(&self, user_id: &str, now: Millis) -> Result<(), Error> {
        let user_id = user_id.to_owned();
        self.write(move |tx| Box::pin(async move { tx.set_ghost(&user_id, GhostState::Retired, now).await }))
            .await
    }
}

impl Tx<'_> {
    async fn set_import(&mut self, account: &str, state: &ImportState, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO import (account, next_openid, followers, imported, present, failed, started_at, changed_at, finished_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (account) DO UPDATE SET next_openid = excluded.next_openid, followers = excluded.followers, \
               imported = excluded.imported, present = excluded.present, failed = excluded.failed, \
               started_at = excluded.started_at, changed_at = excluded.changed_at, finished_at = excluded.finished_at",
            account,
            state.next_openid.as_str(),
            state.followers,
            state.imported,
            state.present,
            state.failed,
            state.started_at,
            now,
            state.finished_at
        )?;
        Ok(())
    }
}

async fn plan(
    tx: &mut Tx<'_>,
    account: &str,
    openids: &[String],
    names: &(impl Fn(&str, i64) -> Vec<String> + Send + Sync),
    read_at: Millis,
    now: Millis,
) -> Result<Round, Error> {
    let mut round = Round::default();
    let mut wanted = Vec::new();
    for known in followers(tx, account, openids, now).await? {
        let Known { openid, subscribed, generation, ghost } = known;
        if !subscribed {
            if ghost.as_ref().is_some_and(|(_, _, changed_at)| *changed_at >= read_at) {
                round.left += 1;
                continue;
            }
            // WeChat knows better than what we were told: a push may have been missed.
            execute!(
                tx,
                "UPDATE customer SET subscribed = 1 WHERE account = $1 AND openid = $2",
                account,
                openid.as_str()
            )?;
        }
        match ghost {
            Some((_, GhostState::Living, _)) => round.present += 1,
            Some((user_id, GhostState::Planned, _)) => round.planned.push(Planned { openid, user_id }),
            // Whoever was erased and is back must not get a UserID that was deleted.
            None if generation == 0 => {
                let retired = tx.retired_generation(account, &openid).await?;
                wanted.push((openid, retired + 1));
            }
            _ => wanted.push((openid, generation + 1)),
        }
    }
    plan_ghosts(tx, account, wanted, names, now, &mut round.planned).await?;
    Ok(round)
}

async fn followers(
    tx: &mut Tx<'_>,
    account: &str,
    openids: &[String],
    now: Millis,
) -> Result<Vec<Known>, Error> {
    type Row = (String, i64, i64, Option<String>, Option<String>, Option<i64>);
    let found: Vec<Row> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows = json_rows(openids.iter());
            sqlite::query(dialect::ADD_FOLLOWERS.sqlite).bind(&rows).bind(account).bind(now).execute(conn)?;
            sqlite::query(dialect::SELECT_FOLLOWERS.sqlite).bind(&rows).bind(account).rows(conn)?
        }
        Conn::Postgres(conn) => {
            let add = sqlx::query(dialect::ADD_FOLLOWERS.postgres).bind(openids).bind(account).bind(now);
            add.execute(&mut **conn).await?;
            let select = sqlx::query_as(dialect::SELECT_FOLLOWERS.postgres).bind(openids).bind(account);
            select.fetch_all(&mut **conn).await?
        }
    };
    let known = |(openid, subscribed, generation, user_id, state, changed_at): Row| {
        let ghost = match (user_id, state) {
            (Some(user_id), Some(state)) => {
                Some((user_id, GhostState::parse(&state)?, changed_at.unwrap_or_default()))
            }
            _ => None,
        };
        Ok(Known { openid, subscribed: subscribed != 0, generation, ghost })
    };
    found.into_iter().map(known).collect()
}

/// Plans a ghost for each of `wanted` (openid, generation): all at once under their first names, and one by one
/// where that name is somebody else's.
async fn plan_ghosts(
    tx: &mut Tx<'_>,
    account: &str,
    wanted: Vec<(String, i64)>,
    names: &(impl Fn(&str, i64) -> Vec<String> + Send + Sync),
    now: Millis,
    planned: &mut Vec<Planned>,
) -> Result<(), Error> {
    let mut all: Vec<(String, i64, Vec<String>)> = Vec::with_capacity(wanted.len());
    for (openid, generation) in wanted {
        let names = names(&openid, generation);
        all.push((openid, generation, names));
    }
    let first = |names: &[String]| names.first().cloned().unwrap_or_default();
    let inserted: Vec<(String,)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows =
                json_rows(all.iter().map(|(openid, generation, names)| (openid, generation, first(names))));
            sqlite::query(dialect::PLAN_GHOSTS.sqlite).bind(rows).bind(account).bind(now).rows(conn)?
        }
        Conn::Postgres(conn) => {
            let plan = sqlx::query_as(dialect::PLAN_GHOSTS.postgres)
                .bind(column(&all, |row| row.0.clone()))
                .bind(column(&all, |row| row.1))
                .bind(column(&all, |row| first(&row.2)))
                .bind(account)
                .bind(now);
            plan.fetch_all(&mut **conn).await?
        }
    };
    let inserted: HashSet<String> = inserted.into_iter().map(|(openid,)| openid).collect();
    let (new, taken): (Vec<_>, Vec<_>) = all.into_iter().partition(|(openid, ..)| inserted.contains(openid));
    match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows = json_rows(new.iter().map(|(openid, generation, _)| (openid, generation)));
            sqlite::query(dialect::SET_GENERATIONS.sqlite).bind(rows).bind(account).execute(conn)?;
        }
        Conn::Postgres(conn) => {
            let set = sqlx::query(dialect::SET_GENERATIONS.postgres)
                .bind(column(&new, |row| row.0.clone()))
                .bind(column(&new, |row| row.1))
                .bind(account);
            set.execute(&mut **conn).await?;
        }
    }
    planned.extend(new.into_iter().map(|(openid, _, names)| Planned { openid, user_id: first(&names) }));
    for (openid, generation, names) in taken {
        let ghost = tx.plan_ghost(account, &openid, generation, &names, now).await?;
        planned.push(Planned { openid, user_id: ghost.user_id });
    }
    Ok(())
}
