//! Access tokens: one per account for all nodes, fetched by one of them at a time, never two at once.
//!
//! The token lives in the store. Whoever finds it missing or near its end takes the lock there and asks
//! WeChat; the others wait for the result. A refused token is only replaced if it is still the stored one.

use crate::breaker::{Breakers, Operation, Refusal};
use crate::convert::wechat_answers;
use crate::{Account, Bridge};
use desk::{Clock, Entropy, Millis, Tried};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Store, StoredToken, faults};

/// A token is renewed so long before its end: WeChat hands out its successor from then on.
const MARGIN: Millis = 300_000;
/// How much longer than a call may take the lock of who fetches is held.
const LOCK_ROOM: Duration = Duration::from_secs(7);
/// The caller's address is not in the account's IP list; the message names it.
const ADDRESS_NOT_LISTED: i64 = 40164;
/// After a failed fetch nobody of this process asks again for so long.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct TokenKeeper {
    store: Store,
    clock: Clock,
    me: String,
    lock: Duration,
    breakers: Arc<Breakers>,
    /// Per AppID.
    accounts: Mutex<HashMap<String, Gate>>,
}

/// Lets one fetch at a time through in this process; what stands inside is the last failure.
type Gate = Arc<tokio::sync::Mutex<Option<(Instant, Trouble)>>>;

/// Why there is no token.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// What it means for the call that wanted one: nothing was sent.
    pub(crate) tried: Tried,
    /// For the attempt's row: a code.
    pub(crate) detail: String,
    /// The cloud does not answer: it was not asked.
    pub(crate) held: Option<Refusal>,
}

impl TokenKeeper {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        entropy: &Entropy,
        call: Duration,
        breakers: Arc<Breakers>,
    ) -> TokenKeeper {
        let me = format!("{:016x}", u64::from_le_bytes(entropy.bytes()));
        TokenKeeper { store, clock, me, lock: call + LOCK_ROOM, breakers, accounts: Mutex::default() }
    }

    /// A token that should be good now.
    pub(crate) async fn current(&self, account: &Account) -> Result<SecretString, Trouble> {
        self.get(account, None).await
    }

    /// Another token than `refused`.
    pub(crate) async fn instead_of(
        &self,
        account: &Account,
        refused: &SecretString,
    ) -> Result<SecretString, Trouble> {
        self.get(account, Some(refused)).await
    }

    async fn get(&self, account: &Account, refused: Option<&SecretString>) -> Result<SecretString, Trouble> {
        if let Some(token) = self.usable(account, refused, MARGIN).await? {
            return Ok(token);
        }
        let gate = {
            let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.entry(account.app_id.clone()).or_default().clone()
        };
        let mut last_failure = gate.lock().await;
        // Whoever held the gate before may have brought what we want.
        if let Some(token) = self.usable(account, refused, MARGIN).await? {
            return Ok(token);
        }
        let fetched = match &*last_failure {
            // Whoever asked has drawn what follows for the account; heard a second time, perhaps when the day or the minute
            // is another, it only says that there is no token now.
            Some((at, trouble)) if at.elapsed() < PAUSE => {
                Err(Trouble { tried: Tried::NotSent, ..trouble.clone() })
            }
            _ => self.fetch(account, refused).await,
        };
        match fetched {
            Ok(token) => {
                *last_failure = None;
                Ok(token)
            }
            Err(trouble) => {
                if trouble.held.is_none() && last_failure.as_ref().is_none_or(|(at, _)| at.elapsed() >= PAUSE)
                {
                    *last_failure = Some((Instant::now(), trouble.clone()));
                }
                // The old one is kept as long as it lives.
                self.usable(account, refused, 0).await?.ok_or(trouble)
            }
        }
    }

    /// The stored token, if it lives for another `margin` and is not the refused one.
    async fn usable(
        &self,
        account: &Account,
        refused: Option<&SecretString>,
        margin: Millis,
    ) -> Result<Option<SecretString>, Trouble> {
        let stored = self.store.token(&account.app_id).await.map_err(|error| Trouble::store(&error))?;
        let now = self.clock.now();
        Ok(stored
            .filter(|stored| now < stored.expires_at - margin)
            .filter(|stored| refused.is_none_or(|refused| refused.expose_secret() != stored.token))
            .map(|stored| SecretString::from(stored.token)))
    }

    /// Fetches under the lock of all nodes, or waits for the node that has it.
    async fn fetch(
        &self,
        account: &Account,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Trouble> {
        let pass =
            self.breakers.ask(Operation::wechat(&account.id, "token"), "", false).map_err(Trouble::held)?;
        let until = Instant::now() + self.lock;
        let lock = self.lock.as_millis() as i64;
        while !self.store.lock_token(&account.app_id, &self.me, lock).await.map_err(|e| Trouble::store(&e))? {
            if Instant::now() > until {
                return Err(Trouble::new(Tried::NotSent, "token locked"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Some(token) = self.usable(account, refused, MARGIN).await? {
                return Ok(token);
            }
        }
        // The node that had the lock may have brought one between our last look and our turn.
        if let Some(token) = self.usable(account, refused, MARGIN).await? {
            self.store
                .unlock_token(&account.app_id, &self.me, None)
                .await
                .map_err(|error| Trouble::store(&error))?;
            return Ok(token);
        }
        faults::point("token.before_call");
        let answer = account.client.stable_token(&account.app_id, &account.app_secret, false).await;
        pass.end(wechat_answers(&answer));
        faults::point("token.after_call");
        let (fetched, result) = match answer {
            Ok(new) => {
                let life = i64::try_from(new.expires_in).unwrap_or(7_200) * 1000;
                let stored = StoredToken {
                    token: new.token.expose_secret().to_owned(),
                    expires_at: self.clock.now() + life,
                };
                (Some(stored), Ok(new.token))
            }
            Err(error) => (None, Err(Trouble::token(account, &error))),
        };
        self.store
            .unlock_token(&account.app_id, &self.me, fetched)
            .await
            .map_err(|error| Trouble::store(&error))?;
        faults::point("token.after_commit");
        let outcome = if result.is_ok() { "ok" } else { "failed" };
        metrics::counter!("tsunagi_token_fetches_total", "account" => account.id.clone(), "outcome" => outcome)
            .increment(1);
        result
    }
}

impl Bridge {
    /// From where WeChat sends this account's webhooks, as it says itself.
    ///
    /// # Errors
    /// Why it cannot be known, as a code for the log.
    pub async fn callback_ips(&self, account: &str) -> Result<Vec<wechat::IpRange>, String> {
        let account = self.inner.accounts.get(account).ok_or("no such account")?;
        let token = self.inner.tokens.current(account).await.map_err(|trouble| trouble.detail)?;
        account.client.callback_ips(&token).await.map_err(|error| error.to_string())
    }
}

impl Trouble {
    pub(crate) fn new(tried: Tried, detail: impl Into<String>) -> Trouble {
        Trouble { tried, detail: detail.into(), held: None }
    }

    pub(crate) fn held(refusal: Refusal) -> Trouble {
        let detail = "WeChat does not answer".into();
        Trouble { tried: Tried::NotSent, detail, held: Some(refusal) }
    }

    fn store(error: &store::Error) -> Trouble {
        tracing::warn!(%error, "the token could not be read or stored");
        Trouble::new(Tried::NotSent, "store")
    }

    fn token(account: &Account, error: &wechat::CallError) -> Trouble {
        match error {
            wechat::CallError::Refused(errcode) => {
                tracing::error!(account = account.id, %errcode, "WeChat gives no access token");
                if errcode.code == ADDRESS_NOT_LISTED {
                    // Only what reads as an address is repeated from the message.
                    let address =
                        errcode.message.split([' ', ',']).find_map(|word| word.parse::<IpAddr>().ok());
                    let address = address.map_or_else(String::new, |address| address.to_string());
                    tracing::error!(
                        account = account.id,
                        address,
                        "add this machine's address to the IP list (IP白名单) in WeChat's console"
                    );
                }
                let tried = match wechat::token_call_verdict(errcode.code) {
                    wechat::Verdict::Retry => Tried::NotSent,
                    wechat::Verdict::Slow => Tried::TooFast,
                    _ => Tried::Setup(desk::codes::wechat_token_reason(errcode.code)),
                };
                Trouble::new(tried, format!("token {}", errcode.code))
            }
            other => {
                tracing::warn!(account = account.id, error = %other, "the access token could not be fetched");
                Trouble::new(Tried::NotSent, "token unreachable")
            }
        }
    }
}
