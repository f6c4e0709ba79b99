//! Old files go, in small steps: first the bytes, then the row, so that a step that was cut short is simply done again.

use desk::Millis;
use store::Error;

use super::object_key;
use crate::Bridge;

impl Bridge {
    /// Removes up to `most` files of an account that were asked for before this time and that no delivery still needs;
    /// gives how many.
    ///
    /// # Errors
    /// The store does not answer. A media store that does not is logged, and its files stay.
    pub async fn purge_media(&self, account: &str, before: Millis, most: i64) -> Result<usize, Error> {
        let owner = account.to_owned();
        let old = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { tx.old_media(&owner, before, most).await }));
        let old = old.await?;
        self.remove_media(account, old).await
    }

    /// Removes every file of a customer; gives how many.
    ///
    /// # Errors
    /// As [`Bridge::purge_media`].
    pub async fn erase_media(&self, account: &str, openid: &str) -> Result<usize, Error> {
        let mut gone = 0;
        loop {
            let (owner, customer) = (account.to_owned(), openid.to_owned());
            let some = self
                .inner
                .store
                .read(move |tx| Box::pin(async move { tx.media_of_customer(&owner, &customer, 100).await }));
            match self.remove_media(account, some.await?).await? {
                0 => return Ok(gone),
                removed => gone += removed,
            }
        }
    }

    /// Whether there is a file of a customer.
    pub(crate) async fn has_media(&self, account: &str, openid: &str) -> Result<bool, Error> {
        let (account, openid) = (account.to_owned(), openid.to_owned());
        let some = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { tx.media_of_customer(&account, &openid, 1).await }));
        Ok(!some.await?.is_empty())
    }

    async fn remove_media(&self, account: &str, ids: Vec<String>) -> Result<usize, Error> {
        let keys: Vec<String> = ids.iter().map(|id| object_key(account, id)).collect();
        if let Err(error) = self.objects().delete(&keys).await {
            tracing::warn!(account, %error, "old files could not be removed from the media store");
            metrics::counter!("tsunagi_media_store_errors_total").increment(1);
            return Ok(0);
        }
        let count = ids.len();
        self.inner.store.write(move |tx| Box::pin(async move { tx.remove_media(&ids).await })).await?;
        Ok(count)
    }
}
