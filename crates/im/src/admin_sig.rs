//! The server's own UserSig: made once, used for many calls, renewed before its end.

use crate::usersig::sign;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Mutex, PoisonError};

/// Caches the UserSig of an app admin.
#[derive(Debug)]
pub struct AdminSig {
    key: SecretString,
    sdk_app_id: u64,
    admin: String,
    lifetime_s: u64,
    current: Mutex<Option<(SecretString, i64)>>,
}

impl AdminSig {
    /// A cache for `admin`'s UserSigs, each good for `lifetime_s` seconds.
    pub fn new(key: SecretString, sdk_app_id: u64, admin: &str, lifetime_s: u64) -> AdminSig {
        AdminSig { key, sdk_app_id, admin: admin.to_owned(), lifetime_s, current: Mutex::new(None) }
    }

    /// The UserID of the admin.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The UserSig for now: a new one at 80 % of the life of the last, or when the clock went back.
    pub fn current(&self, now_s: i64) -> SecretString {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let life = i64::try_from(self.lifetime_s / 5 * 4).unwrap_or(i64::MAX);
        match &*current {
            Some((sig, made)) if (*made..made.saturating_add(life)).contains(&now_s) => sig.clone(),
            _ => self.make(&mut current, now_s),
        }
    }

    /// Another UserSig than `stale`, which was refused; a new one unless somebody has already made it.
    pub fn renew(&self, stale: &SecretString, now_s: i64) -> SecretString {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((sig, _)) if sig.expose_secret() != stale.expose_secret() => sig.clone(),
            _ => self.make(&mut current, now_s),
        }
    }

    fn make(&self, current: &mut Option<(SecretString, i64)>, now_s: i64) -> SecretString {
        let sig = sign(&self.key, self.sdk_app_id, &self.admin, now_s, self.lifetime_s, None);
        *current = Some((sig.clone(), now_s));
        sig
    }
}
