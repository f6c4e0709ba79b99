//! The access_token of each app: one for all nodes, fetched by one of them at a time.

use crate::open::Store;
use crate::sql::{Error, execute, row};
use desk::Millis;

/// The token as it is stored. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The token; empty before the first.
    pub token: String,
    /// When it ends, on the business clock.
    pub expires_at: Millis,
}

impl std::fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Store {
    /// The stored token of an app.
    pub async fn token(&self, app_id: &str) -> Result<Option<StoredToken>, Error> {
        let app_id = app_id.to_owned();
        self.read(move |tx| {
            Box::pin(async move {
                let row = row!(
                    tx,
                    (String, i64),
                    "SELECT token, expires_at FROM token WHERE app_id = $1 AND token <> ''",
                    app_id.as_str()
                )?;
                Ok(row.map(|(token, expires_at)| StoredToken { token, expires_at }))
            })
        })
        .await
    }

    /// Tries to become the one who fetches the app's next token, for `lease` ms of the database's clock.
    pub async fn lock_token(&self, app_id: &str, refresher: &str, lease: Millis) -> Result<bool, Error> {
        let (app_id, refresher) = (app_id.to_owned(), refresher.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let locked = execute!(
                    tx,
                    "INSERT INTO token (app_id, token, expires_at, refresher, refresh_until) \
                     VALUES ($1, '', 0, $2, (SELECT now FROM clock) + $3) \
                     ON CONFLICT (app_id) DO UPDATE SET refresher = excluded.refresher, refresh_until = excluded.refresh_until \
                     WHERE token.refresh_until < (SELECT now FROM clock)",
                    app_id.as_str(),
                    refresher.as_str(),
                    lease
                )?;
                Ok(locked == 1)
            })
        })
        .await
    }

    /// Stores the token that the holder of the lock has fetched and gives the lock back; without a token (or
    /// with an empty one) only gives it back, and the old one stays. Who no longer holds it changes nothing.
    pub async fn unlock_token(
        &self,
        app_id: &str,
        refresher: &str,
        fetched: Option<StoredToken>,
    ) -> Result<(), Error> {
        let (app_id, refresher) = (app_id.to_owned(), refresher.to_owned());
        // An empty answer is none: the old token may still be good.
        let fetched = fetched.filter(|new| !new.token.is_empty());
        let (token, expires_at) = fetched.map_or((None, None), |new| (Some(new.token), Some(new.expires_at)));
        self.write(move |tx| {
            Box::pin(async move {
                execute!(
                    tx,
                    "UPDATE token SET token = COALESCE($3, token), expires_at = COALESCE($4, expires_at), \
                       refresher = NULL, refresh_until = 0 \
                     WHERE app_id = $1 AND refresher = $2",
                    app_id.as_str(),
                    refresher.as_str(),
                    token.as_deref(),
                    expires_at
                )?;
                Ok(())
            })
        })
        .await
    }
}
