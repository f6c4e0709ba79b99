//! Limits that hold over all nodes: calls are drawn from a bucket that stands in the database, by its clock.
//!
//! A bucket is one moment: the one up to which its calls have been given away. What lies between it and now, at most the
//! bucket's depth, is what is left; a moment that lies ahead says that calls were given on credit, to be made when it has
//! come. One statement reads and moves it, under its row's lock, so that nodes draw one after another and a node that
//! waits is served in its turn.

use crate::dialect;
use crate::open::Store;
use crate::sql::{Error, Tx, row};

/// What is asked of a bucket. Times are in microseconds: the time in which the bucket gains one call, and its multiples.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// In how long the bucket gains one call.
    pub cost: i64,
    /// How much it holds.
    pub depth: i64,
    /// So much is to be left in it.
    pub reserve: i64,
    /// So far ahead calls may be given that are waited for.
    pub credit: i64,
    /// Calls that somebody waits for.
    pub need: i64,
    /// Calls that may be wanted soon: given only where they are left over. At least `need`.
    pub want: i64,
}

/// What a bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Calls.
    pub calls: i64,
    /// What was in it before, in microseconds; negative: so far ahead calls have been given away.
    pub level: i64,
}

impl Store {
    /// Draws calls from a bucket. A bucket that nobody has drawn from begins empty.
    ///
    /// # Errors
    /// The store failed: nothing may be called then.
    pub async fn draw(&self, name: &str, draw: Draw) -> Result<Drawn, Error> {
        let name = name.to_owned();
        self.write_at_once(move |tx| Box::pin(async move { tx.draw(&name, draw).await })).await
    }
}

impl Tx<'_> {
    async fn draw(&mut self, name: &str, draw: Draw) -> Result<Drawn, Error> {
        let Draw { cost, depth, reserve, credit, need, want } = draw;
        let given = row!(
            self,
            (i64, i64),
            dialect::DRAW,
            name,
            cost.max(1),
            depth,
            reserve,
            credit,
            need,
            want.max(need)
        )?;
        let (calls, level) = given.ok_or(Error::Unknown("bucket"))?;
        Ok(Drawn { calls, level })
    }
}
